/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Passes over all tasks that are not running: sweep, unwind, check, confirm.
 *
 *	stack record  ─► check ─► cache its slots ─┐ differs?
 *	damage record ─────────────────────────────┴─► suspect ─► confirm.h
 */
#ifndef KC_MONITOR_PASS_H
#define KC_MONITOR_PASS_H

#include "monitor/confirm.h"

struct kc_passes;

/* 0 or -ENOMEM. */
int kc_passes_new(const struct kc_engine *engine, struct kc_passes **ret_passes);
void kc_passes_free(struct kc_passes *passes);
KC_DEFINE_AUTO(passes, struct kc_passes, kc_passes_free)

/* Run one pass. 0, or -errno of what failed; findings are not errors. */
int kc_passes_run(struct kc_passes *passes);

/*
 * After the last pass: count it as stale if modules have changed since it began, and tell of and
 * count who was verified in none. 0 or a sink's error.
 */
int kc_passes_end(struct kc_passes *passes);

/* The kernel side's counts of the last pass over all tasks. */
const struct kc_pass *kc_passes_last(const struct kc_passes *passes);

/*
 * Have each stack that is copied and checked shown to `fn`, valid during the call. Nonzero
 * ends the pass.
 */
typedef int (*kc_checked_fn)(const struct kc_record *record, const struct kc_checked_stack *checked,
			     void *arg);
void kc_passes_observe(struct kc_passes *passes, kc_checked_fn fn, void *arg);

/*
 * In a pass that takes longer than a second ask this: are we to end? Then what differs so far is
 * confirmed, and kc_passes_run() returns -EINTR; the pass is not counted.
 */
void kc_passes_ask(struct kc_passes *passes, bool (*asked)(void *arg), void *arg);

/*
 * Of stacks that were walked in the kernel and copied all the same (KC_WALK_COMPARED): both ways
 * must come to the same. One that does not is told, and counted as not proved.
 */
struct kc_walks {
	uint64_t stacks;    /* that were copied */
	uint64_t whole;	    /* ... and verified here in full, by tables alone */
	uint64_t walked;    /* ... and in the kernel: no rule was missing */
	uint64_t otherwise; /* ... with another outcome */
};

void kc_passes_compare(struct kc_passes *passes);
struct kc_walks kc_passes_walks(const struct kc_passes *passes);

/*
 * What the passes and the desk have counted so far, with own CPU time and duration; what
 * probes have seen is left as it is.
 */
void kc_passes_coverage(struct kc_passes *passes, struct kc_coverage *ret_coverage);

#endif
