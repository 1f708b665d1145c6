/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One pass of the pipeline: sweep, unwind, check, confirm, judge, report.
 *
 *	stack record  ─► check ─► cache its slots ─┐ differs?
 *	damage record ─────────────────────────────┴─► suspect
 *	suspect ─► copied again, then compared again in the kernel,
 *	           all in the same sleep? ─► finding, else "unproven"
 */
#ifndef KC_CLI_MONITOR_H
#define KC_CLI_MONITOR_H

#include "cli/session.h"
#include "probe/sweep.h"
#include "report/report.h"

struct kc_monitor;

/* All three are borrowed. */
int kc_monitor_new(struct kc_session *session, struct kc_sweep *sweep, struct kc_report *report,
		   struct kc_monitor **ret_monitor);
void kc_monitor_free(struct kc_monitor *monitor);
KC_DEFINE_AUTO(monitor, struct kc_monitor, kc_monitor_free)

/* Run one pass. 0, or -errno of what failed; findings are not errors. */
int kc_monitor_pass(struct kc_monitor *monitor);

/* Totals so far, with own CPU time and duration filled in. */
const struct kc_stats *kc_monitor_stats(struct kc_monitor *monitor);

/* The report could not be written: its errno is what kc_monitor_pass returned. */
bool kc_monitor_output_failed(const struct kc_monitor *monitor);

#endif
