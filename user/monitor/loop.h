/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Pass, wait, pass ... until a signal, the time is up, or something fails. */
#ifndef KC_MONITOR_LOOP_H
#define KC_MONITOR_LOOP_H

#include <signal.h>

#include "monitor/attach.h"
#include "monitor/events.h"
#include "monitor/pace.h"
#include "monitor/pass.h"
#include "monitor/sampling.h"

/* All borrowed but pace; attach and events are NULL without live probes, sampling without samples.
 */
struct kc_loop {
	const struct kc_filter *filter;
	unsigned int period;   /* ms from one pass to the next */
	unsigned int max_cpu;  /* percent of one CPU that passes may take before they come later */
	unsigned int duration; /* s; 0: until a signal */
	/* These end it; blocked in every thread, and so are those of `reopen` and SIGCONT. */
	const sigset_t *signals;
	sigset_t reopen;	      /* these have outputs opened again */
	bool reopening;		      /* its own: one of them could not be, and will be tried */
	const struct kc_start *start; /* what outputs are told first */
	struct kc_mem *mem;	      /* an overlay: see kc_overlay_unwalked(); NULL: none */
	struct kc_passes *passes;
	struct kc_attach *attach;
	struct kc_events *events;
	struct kc_sampling *sampling;
	struct kc_sinks *sinks;
	struct kc_pace pace; /* its own */
};

/*
 * 0, and why it ended; or -errno of what failed. That nobody reads its output any more ends it
 * like a signal.
 */
int kc_loop_run(struct kc_loop *loop, const char **ret_why);

/* Everything seen so far. Passes may only run in the calling thread. */
void kc_loop_coverage(const struct kc_loop *loop, struct kc_coverage *ret_coverage);

#endif
