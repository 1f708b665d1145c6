/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A difference is a finding only if a second look agrees, in the same sleep of the thread:
 *
 *	suspect ─► copied again, then compared again in the kernel (a slot) or
 *	           copied once more (a return address, a stack's end) ─► the desk
 *
 * And so is the code: plans and call sites are derived anew before the first of these copies is
 * checked. They may have been read while somebody patched the text.
 */
#ifndef KC_MONITOR_CONFIRM_H
#define KC_MONITOR_CONFIRM_H

#include "monitor/engine.h"

/* One sleep of one thread. */
struct kc_sleep {
	uint32_t tid;
	uint64_t start_ns;
	uint64_t switches;
	uint64_t sp;
	uint64_t intact_ns; /* as in struct kc_record */
};

static inline struct kc_sleep kc_sleep_of(const struct kc_record *record)
{
	return (struct kc_sleep){
		record->tid,
		record->start_ns,
		record->switches,
		record->sp,
		record->flags & KC_RECORD_HIGH_WATER ? 0 : record->intact_ns,
	};
}

/*
 * Look again, and file what is proved. Returns how many anomalies were proved: 0 means that the
 * thread ran, or the kernel's code changed; or -errno.
 */
int kc_confirm(const struct kc_engine *engine, const struct kc_sleep *sleep);

/* The address of a stack's end, which is what KC_ANOMALY_STACK_END is about. */
static inline uint64_t kc_stack_end(const struct kc_session *session,
				    const struct kc_record *record)
{
	return record->top - session->kernel->thread_size;
}

/* All that is damaged in a checked copy; how many, at most KC_MAX_DAMAGED. */
#define KC_MAX_DAMAGED (KC_MAX_FRAMES + KC_TASK_SLOTS + 2)

size_t kc_damaged_in(const struct kc_session *session, const struct kc_record *record,
		     const struct kc_checked_stack *checked,
		     struct kc_damaged ret_damaged[static KC_MAX_DAMAGED]);

#endif
