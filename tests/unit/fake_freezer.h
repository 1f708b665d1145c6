/* SPDX-License-Identifier: GPL-2.0-only */
/* A freezer that only remembers: threads of the test's own host are not to be frozen. */
#ifndef KC_TESTS_FAKE_FREEZER_H
#define KC_TESTS_FAKE_FREEZER_H

#include "respond/freezer.h"

struct fake_freezer {
	uint32_t tids[16];
	int count;
	struct kc_held last;
	int hold_err;
	bool oom_may, thawed; /* what comes of a hold */
};
extern struct fake_freezer fake_freezer;

#endif
