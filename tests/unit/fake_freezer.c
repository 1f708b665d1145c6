// SPDX-License-Identifier: GPL-2.0-only
#include "fake_freezer.h"

#include <errno.h>

struct fake_freezer fake_freezer;

int kc_freezer_open(bool make, struct kc_failure *ret_failure, struct kc_freezer **ret_freezer)
{
	(void)make;
	(void)ret_failure;
	*ret_freezer = (struct kc_freezer *)&fake_freezer;
	return 0;
}

void kc_freezer_close(struct kc_freezer *freezer)
{
	(void)freezer;
}

int kc_freezer_hold(struct kc_freezer *freezer, const struct kc_held *held, bool *ret_oom_may)
{
	(void)freezer;
	*ret_oom_may = fake_freezer.oom_may;
	if (fake_freezer.hold_err)
		return fake_freezer.hold_err;
	fake_freezer.tids[fake_freezer.count++] = held->tid;
	fake_freezer.last = *held;
	return 0;
}

int kc_freezer_release(struct kc_freezer *freezer, uint32_t tid, bool *ret_frozen)
{
	(void)freezer;
	(void)tid;
	*ret_frozen = false;
	return -ESRCH;
}

int kc_freezer_held(const struct kc_freezer *freezer, uint32_t *ret_tids, int max)
{
	(void)freezer;
	for (int i = 0; i < fake_freezer.count && i < max; i++)
		ret_tids[i] = fake_freezer.tids[i];
	return fake_freezer.count;
}

bool kc_freezer_holds(const struct kc_freezer *freezer, uint32_t tid)
{
	(void)freezer;
	for (int i = 0; i < fake_freezer.count; i++)
		if (fake_freezer.tids[i] == tid)
			return true;
	return false;
}

bool kc_freezer_is_frozen(const struct kc_freezer *freezer)
{
	(void)freezer;
	return !fake_freezer.thawed;
}

bool kc_freezer_why(uint32_t tid, struct kc_held *ret_held)
{
	(void)tid;
	(void)ret_held;
	return false;
}
