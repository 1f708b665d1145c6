/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Live probes at work: attach, turn events into findings, let go.
 *
 *	BPF ─► ring buffer ─► a looker ─► unwind, judge, write, sync ─┐
 *	 ▲                                                            │
 *	 └─────────── the CPU that is held goes on ◄──────────────────┘
 */
#ifndef KC_CLI_PROBING_H
#define KC_CLI_PROBING_H

#include "cli/choice.h"
#include "probe/probes.h"
#include "probe/sweep.h"
#include "report/report.h"
#include "verdict/told.h"

struct kc_probing_options {
	struct kc_filter filter;
	unsigned int headroom; /* bytes */
	unsigned int hold_off; /* ms; 0: never hold a CPU */
	bool kmsg;	       /* a line to /dev/kmsg for each finding */
};

struct kc_probing;

/*
 * Attach, with SIGINT and SIGTERM blocked by the caller. All but choices is
 * borrowed until kc_probing_free(). What could not be attached is told through the
 * report and counted. KC_EXIT_CLEAN, or the status to end with.
 */
enum kc_exit kc_probing_new(const struct kc_probing_options *options,
			    const struct kc_choices *choices, struct kc_session *session,
			    struct kc_report *report, struct kc_told *told,
			    struct kc_probing **ret_probing);

/*
 * Detach, and handle what has been seen until then: after it, findings and counts are
 * final. Says so first if it will take long.
 */
void kc_probing_stop(struct kc_probing *probing);
void kc_probing_free(struct kc_probing *probing);
KC_DEFINE_AUTO(probing, struct kc_probing, kc_probing_free)

/* The functions that probes are on; room for as many as were chosen. Names are probing's. */
size_t kc_probing_probed(const struct kc_probing *probing, struct kc_probed *ret_probed);

/* Is panic() probed? */
bool kc_probing_has_tripwire(const struct kc_probing *probing);

/*
 * Probes end with the module that they are in, and nobody says so: look, tell once
 * through the report, and count them as not placed. 0 or the report's error.
 */
int kc_probing_check_modules(struct kc_probing *probing);

void kc_probing_stats(struct kc_probing *probing, struct kc_probe_stats *ret_stats);

/* Depths at entries, by function and of the deepest threads; owned by probing. */
const struct kc_depths *kc_probing_depths(struct kc_probing *probing);

/* Could a finding not be written? */
bool kc_probing_output_failed(const struct kc_probing *probing);

#endif
