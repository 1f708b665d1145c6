/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What has been seen and what has not. Without it, silence would mean nothing.
 *
 * A counter is one row of the lists below: it makes the field, its name in JSON, its line
 * in the summary, and its say in the exit status.
 */
#ifndef KC_MONITOR_COVERAGE_H
#define KC_MONITOR_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "kc_record.h"
#include "stack/check.h"
#include "util/exit.h"

enum kc_counter_flag {
	KC_COUNTER_TOTAL = 1, /* only ever grows; else it is the last value */
	KC_COUNTER_TELL = 2,  /* the summary names it when it is not zero */
	KC_COUNTER_BLIND = 4, /* something was not seen: the exit status can't be 0 */
	/* Counted together as "not verifiable": frames, stacks and differences of the sweep. */
	KC_COUNTER_NOT_VERIFIABLE = 8,
};

#define KC_TELL_BLIND  (KC_COUNTER_TOTAL | KC_COUNTER_TELL | KC_COUNTER_BLIND)
#define KC_TELL_NOT_OK (KC_TELL_BLIND | KC_COUNTER_NOT_VERIFIABLE)
#define KC_TELL	       (KC_COUNTER_TOTAL | KC_COUNTER_TELL)

/* X(field, name in JSON, flags, what so many of them are) */
#define KC_SWEEP_COUNTERS(X)                                                                      \
	X(passes, "passes", KC_COUNTER_TOTAL, "passes over all tasks")                            \
	X(tasks, "tasks", 0, "tasks looked at in the last pass")                                  \
	X(running, "tasks_running", KC_COUNTER_TOTAL, "looks at tasks that were running")         \
	X(dead, "tasks_dead", KC_COUNTER_TOTAL, "looks at tasks without a stack any more")        \
	X(moved, "tasks_moved", KC_COUNTER_TOTAL, "looks at tasks that ran meanwhile")            \
	X(checked, "tasks_checked", KC_COUNTER_TOTAL, "stacks of sleeping tasks verified")        \
	X(verified, "frames_verified", KC_COUNTER_TOTAL,                                          \
	  "frames whose slot was seen to hold the canary")                                        \
	X(unproven, "unproven", KC_TELL_NOT_OK, "differences that a second read did not confirm") \
	X(stale, "stale_passes", KC_TELL_NOT_OK,                                                  \
	  "passes while the kernel's modules changed or were not known")                          \
	X(unreadable, "unreadable", KC_TELL_NOT_OK, "stacks: not readable")                       \
	X(restless, "restless", KC_TELL_BLIND,                                                    \
	  "threads that ran meanwhile in each of 16 looks in a row, or in all")                   \
	X(uncached, "uncached", KC_TELL,                                                          \
	  "stacks, and frame rules, that the kernel side had no room for")

#define KC_PROBE_COUNTERS(X)                                                                      \
	X(attached, "attached", 0, "probes in place")                                             \
	X(failed, "failed", KC_COUNTER_BLIND, "probes that could not be placed, or are gone")     \
	X(comparisons, "comparisons", KC_COUNTER_TOTAL, "checks compared")                        \
	X(entries, "entries", KC_COUNTER_TOTAL, "entries")                                        \
	X(returns, "returns", KC_COUNTER_TOTAL, "returns")                                        \
	X(early, "early_returns", KC_TELL,                                                        \
	  "returns of calls begun before all probes were in place, or as they went")              \
	X(unmatched, "unmatched_returns", KC_TELL_BLIND,                                          \
	  "returns of calls whose entry was not seen")                                            \
	X(replaced, "replaced_returns", KC_TELL_BLIND,                                            \
	  "returns to another place in text than was seen at the entry, after the first of each") \
	X(other_stack, "other_stack", KC_TELL_BLIND,                                              \
	  "hits on interrupt and exception stacks, whose depth and returns are not looked at")    \
	X(unreadable, "unreadable", KC_TELL_BLIND, "slots not readable")                          \
	X(lost, "lost", KC_TELL_BLIND, "events lost: the ring buffer was full")                   \
	X(dead, "dead", KC_TELL_BLIND, "times that the kernel was found to run no probes")        \
	X(too_deep, "too_deep", KC_TELL_BLIND, "hits with too little stack left to look")         \
	X(overflowed, "overflowed", KC_TELL_BLIND,                                                \
	  "events that came faster than they were handled")                                       \
	X(late, "late", KC_TELL, "first records that could not be written at once")               \
	X(missed, "missed", KC_TELL_BLIND, "hits missed: another program was running on the CPU") \
	X(unproven, "unproven", KC_TELL_BLIND,                                                    \
	  "events that their own stack copy did not confirm, or no second sample")

/* Of the watch itself: was it there, and did it tell? New rows go to the end: old tapes lack them.
 */
#define KC_WATCH_COUNTERS(X)                                                                       \
	X(gaps, "gaps", KC_TELL_BLIND, "times that a pass came later than promised")               \
	X(gap_ms, "gap_ms", KC_TELL_BLIND, "ms later, all of them together")                       \
	X(slowed_ms, "slowed_ms", KC_TELL, "ms of passes put off, for --max-cpu")                  \
	X(unwritten, "unwritten", KC_TELL_BLIND,                                                   \
	  "pieces of the report, or lines beside it, that could not be written")                   \
	X(unwritten_findings, "unwritten_findings", KC_TELL_BLIND,                                 \
	  "findings that could not be written")                                                    \
	X(unwalked, "unwalked", KC_TELL_BLIND,                                                     \
	  "times that the kernel's list of probes, with what they have replaced, was unreadable")  \
	X(cut, "cut_passes", KC_TELL_BLIND,                                                        \
	  "passes that were cut short before any came to its end")                                 \
	X(gate_verified, "gate_verified", KC_TELL, "switches to tasks whose stack was verified")   \
	X(gate_slots, "gate_frames", KC_COUNTER_TOTAL,                                             \
	  "frames whose slot was seen to hold the canary at a switch")                             \
	X(gate_no_rule, "gate_no_rule", KC_TELL,                                                   \
	  "switches to tasks in a place that no pass has met yet: left to the passes")             \
	X(gate_odd, "gate_odd", KC_TELL,                                                           \
	  "switches to tasks whose stack could not be followed: left to the passes")               \
	X(gate_paused, "gate_paused", KC_TELL,                                                     \
	  "switches to tasks while what was known of the kernel changed: left to the passes")      \
	X(gate_again, "gate_again", KC_TELL, "switches to tasks with damage that was told before") \
	X(gate_deep, "gate_deep", KC_TELL,                                                         \
	  "switches from tasks with too little stack left to look: left to the passes")            \
	X(guards_unread, "guards_unread", KC_TELL_BLIND, "CPUs whose guard is not compared")       \
	X(unsampled, "unsampled", KC_TELL_BLIND, "CPUs on which no sample can be taken")           \
	X(sampled, "samples", KC_TELL, "samples of tasks in the kernel")                           \
	X(sample_slots, "sample_frames", KC_TELL,                                                  \
	  "frames in samples whose slot was seen to hold the canary")                              \
	X(sample_other_stack, "sample_other_stack", KC_TELL,                                       \
	  "samples on interrupt and exception stacks: not looked at")                              \
	X(sample_lost, "sample_lost", KC_TELL,                                                     \
	  "samples lost, or of which something could not be read")                                 \
	X(sample_unfollowed, "sample_unfollowed", KC_TELL,                                         \
	  "samples whose stack could not be followed to its end")                                  \
	X(sample_unplanned, "sample_unplanned", KC_TELL,                                           \
	  "frames in samples whose slot is not known: no plan of their function")                  \
	X(sample_unsure, "sample_unsure", KC_TELL,                                                 \
	  "frames in samples of which it is not known whether the slot is in use there")           \
	X(sample_again, "sample_again", KC_TELL, "samples of damage that was told before")         \
	X(sample_skipped, "sample_skipped", KC_TELL,                                               \
	  "samples left out, which would have taken more than 1 % of a CPU")

#define KC_COUNTER_FIELD(field, name, flags, text) uint64_t field;

struct kc_sweep_counts {
	KC_SWEEP_COUNTERS(KC_COUNTER_FIELD)
	/* Frames and stacks not verified, each by its reason. */
	uint64_t blind[KC_BLIND_NR];
	uint64_t plan_blind[KC_PLAN_NR_REASONS]; /* KC_BLIND_NO_PLAN, by the plan's reason */
	uint64_t unwind_ends[KC_UNWIND_NR_ENDS]; /* KC_BLIND_UNWIND, by how it ended */
	uint64_t losses[KC_LOSS_NR];		 /* what the BPF program could not do */
};

struct kc_probe_counts {
	KC_PROBE_COUNTERS(KC_COUNTER_FIELD)
	bool tells_missed;	     /* does this kernel tell of misses? */
	uint64_t max_depth;	     /* at any entry, bytes */
	char deepest[128];	     /* where that was */
	uint64_t losses[KC_LOSS_NR]; /* what the BPF programs could not do */
};

struct kc_watch_counts {
	KC_WATCH_COUNTERS(KC_COUNTER_FIELD)
};

/* What the desk has told; see case.h. */
struct kc_told_counts {
	uint64_t findings;
	uint64_t repeated; /* sightings of damage that was already told */
};

struct kc_coverage {
	struct kc_sweep_counts sweep;
	struct kc_probe_counts probes;
	struct kc_watch_counts watch;
	struct kc_told_counts told, told_by_probes;
	double cpu_seconds;		 /* our own */
	double first_pass_cpu, pass_cpu; /* of it, the first and the last pass */
	double seconds;			 /* since the start */
};

struct kc_counter {
	const char *name, *text;
	size_t offset; /* in struct kc_coverage */
	unsigned int flags;
};

extern const struct kc_counter kc_sweep_counters[], kc_probe_counters[], kc_watch_counters[];
extern const size_t kc_nr_sweep_counters, kc_nr_probe_counters, kc_nr_watch_counters;

static inline uint64_t kc_counter_value(const struct kc_coverage *coverage,
					const struct kc_counter *counter)
{
	return *(const uint64_t *)((const char *)coverage + counter->offset);
}

/* Add what one checked stack could tell, and could not. */
void kc_coverage_add_stack(struct kc_sweep_counts *counts, const struct kc_checked_stack *checked);

/* One reason for what was not verified, and how often; what: "frames", "stacks" or others. */
struct kc_reason {
	const char *what, *text;
	uint64_t count;
};

/* The nth reason, from 0; false after the last. Those with a count of 0 come too. */
bool kc_coverage_reason(const struct kc_sweep_counts *counts, size_t n,
			struct kc_reason *ret_reason);

/* What the sweep could not verify, all reasons together: frames, stacks, differences. */
uint64_t kc_coverage_not_verifiable(const struct kc_coverage *coverage);

/* Our own CPU time, as a share of one CPU. */
static inline double kc_coverage_cpu_percent(const struct kc_coverage *coverage)
{
	return coverage->seconds > 0 ? 100 * coverage->cpu_seconds / coverage->seconds : 0;
}

/*
 * How many of the losses mean that a task or a hit was not looked at, or not what was asked for.
 * The others cost detail, or are what happens to a task that exits meanwhile; the full ring has
 * a counter of its own.
 */
uint64_t kc_losses_that_blind(const uint64_t losses[static KC_LOSS_NR]);

/*
 * The one rule for the exit status. Findings count first; then anything that was not seen, of
 * which kc_coverage_not_seen() is the list; and nothing found by looking at nothing is not clean.
 *
 * What is counted and does not forbid 0: tasks that were running (the probes' business), that ran
 * meanwhile in a look or some, or have no stack any more; returns of calls that were under way
 * when the probes were placed; first records that came late; switches that the gate could not
 * verify, since the next pass looks as it does without a gate; samples that could not be looked at,
 * of what nobody has promised to see; and on kernels that do not tell of hits that they keep from
 * probes, these: most show as returns whose entry was not seen.
 */
enum kc_exit kc_exit_of(uint64_t findings, uint64_t not_seen, uint64_t verified);
enum kc_exit kc_coverage_exit(const struct kc_coverage *coverage);

/*
 * The nth of what forbids status 0, from 0, with its count; false after the last. Empty `what`:
 * the text says what so many of them are.
 */
bool kc_coverage_not_seen(const struct kc_coverage *coverage, size_t n,
			  struct kc_reason *ret_reason);

#endif
