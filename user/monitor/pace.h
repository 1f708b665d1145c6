/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How often to look, and whether that was kept.
 *
 * When passes cost more than their share of a CPU they come less often, which is told. A pass that
 * comes later than promised by more than a second leaves a gap: told when it ends, with the likely
 * cause, and counted.
 */
#ifndef KC_MONITOR_PACE_H
#define KC_MONITOR_PACE_H

#include <stdbool.h>

#include "monitor/sink.h"

/* A pass may be dear once: modules came and the kernel was learned again, new tasks. */
#define KC_PACE_PATIENCE 3

struct kc_pace {
	unsigned int asked;   /* ms from one pass to the next */
	unsigned int max_cpu; /* percent of one CPU that passes may take */
	struct kc_sinks *sinks;
	unsigned int period;		/* ms, as it is now */
	unsigned int told;		/* ... as it was told; 0: as asked */
	bool dear_told;			/* ... and that it is longer than can be no gap */
	double costs[KC_PACE_PATIENCE]; /* ms of CPU, of the last passes */
	double last_dear;		/* when a pass last cost more than its share, seconds */
	/* Of the last pass: */
	double began, cost;	       /* seconds */
	double queued;		       /* seconds that this thread had waited for a CPU by then */
	double waited;		       /* ... and for its output */
	double probing;		       /* ... and that it took to place and remove probes since */
	struct kc_watch_counts counts; /* gaps and slowed_ms */
};

/* SIGCONT, by which a stop is noticed, is blocked by the caller. */
void kc_pace_init(struct kc_pace *pace, unsigned int asked, unsigned int max_cpu,
		  struct kc_sinks *sinks);

/* A pass begins, or would if the watch went on: tell of a gap that ends here. 0 or a sink's error.
 */
int kc_pace_begin(struct kc_pace *pace);

/* Probes went with their module, or came back with it, which took so many seconds. */
void kc_pace_probed(struct kc_pace *pace, double seconds);

/* A pass was cut short: the CPU seconds that it took until then are no gap. */
void kc_pace_cut(struct kc_pace *pace, double cpu);

/* A pass is over: when to run the next one. 0 or a sink's error. */
int kc_pace_end(struct kc_pace *pace, const struct kc_coverage *coverage);

#endif
