/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A watch from its first probe to its last word:
 *
 *	probes placed ─► events looked at ─► CPUs may be held ─► loop ─► probes removed ─► totals
 */
#ifndef KC_MONITOR_WATCH_H
#define KC_MONITOR_WATCH_H

#include <signal.h>

#include "monitor/choice.h"
#include "monitor/sink.h"

/* All borrowed. */
struct kc_watch_options {
	struct kc_session *session;
	struct kc_source *source;
	struct kc_sinks *sinks; /* told from the start to the stop */
	const struct kc_filter *filter;
	const struct kc_choices *choices; /* NULL: no live probes, and no tripwire */
	struct kc_sweep *gated; /* whose rules and tasks a gate is to have; NULL: no gate */
	unsigned int sample_hz; /* of each CPU; 0: no samples */
	unsigned int headroom;	/* bytes; less at an entry is told; 0: never */
	unsigned int hold_off, hold_max; /* ms, as in struct kc_hold; 0: no CPU is held */
	unsigned int period;		 /* ms from one pass to the next */
	unsigned int max_cpu;		 /* percent of one CPU that passes may take */
	unsigned int duration;		 /* s; 0: until a signal */
	bool compare_walks;		 /* see kc_passes_compare(); what came of it is logged */
	/* Signals that end it, and that have outputs opened again. Blocked, as is SIGCONT. */
	const sigset_t *end, *reopen;
};

/*
 * Returns when it is over and nothing is left attached: 0 and its status, or -errno and why it
 * failed, the report included.
 */
int kc_watch(const struct kc_watch_options *options, struct kc_failure *ret_failure,
	     enum kc_exit *ret_status);

#endif
