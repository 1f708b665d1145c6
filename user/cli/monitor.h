/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One pass of the pipeline: sweep, unwind, check, confirm, judge, report.
 *
 *	stack record  ─► check ─► cache its slots ─┐ differs?
 *	damage record ─────────────────────────────┴─► suspect
 *	suspect ─► copied again, then compared again in the kernel (a slot) or
 *	           copied once more, all in the same sleep? ─► finding, else "unproven"
 */
#ifndef KC_CLI_MONITOR_H
#define KC_CLI_MONITOR_H

#include "cli/session.h"
#include "probe/sweep.h"
#include "report/report.h"
#include "verdict/told.h"

struct kc_monitor;

struct kc_monitor_options {
	struct kc_filter filter;
	bool high_water;
};

/*
 * Session, report, told and the filter's strings are borrowed. Says on stderr what is
 * wrong if it can't be done; KC_EXIT_CLEAN, or the status to end with.
 */
enum kc_exit kc_monitor_new(const struct kc_monitor_options *options, struct kc_session *session,
			    struct kc_report *report, struct kc_told *told,
			    struct kc_monitor **ret_monitor);
void kc_monitor_free(struct kc_monitor *monitor);
KC_DEFINE_AUTO(monitor, struct kc_monitor, kc_monitor_free)

/* Run one pass. 0, or -errno of what failed; findings are not errors. */
int kc_monitor_pass(struct kc_monitor *monitor);

/* The kernel side's counts of the last pass over all tasks. */
const struct kc_pass *kc_monitor_last_pass(const struct kc_monitor *monitor);

/* Have each stack that is copied and checked shown to `fn`, valid during the call. Nonzero ends the
 * pass. */
typedef int (*kc_checked_fn)(const struct kc_record *record, const struct kc_checked_stack *checked,
			     void *arg);
void kc_monitor_observe(struct kc_monitor *monitor, kc_checked_fn fn, void *arg);

/* Totals so far, with own CPU time and duration filled in. */
const struct kc_stats *kc_monitor_stats(struct kc_monitor *monitor);

/* The report could not be written: its errno is what kc_monitor_pass returned. */
bool kc_monitor_output_failed(const struct kc_monitor *monitor);

#endif
