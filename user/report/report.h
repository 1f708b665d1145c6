/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What leaves kcanary: text for a person, or JSON lines (schema kcanary/1).
 * Every function returns 0, or -errno if the output could not be written:
 * a finding that nobody got is a failure, not a detail.
 */
#ifndef KC_REPORT_REPORT_H
#define KC_REPORT_REPORT_H

#include <stdbool.h>

#include "probe/sweep.h"
#include "report/host.h"
#include "verdict/finding.h"

#define KC_SCHEMA "kcanary/1"

struct kc_report;

/* A function with live probes on it. */
struct kc_probed {
	const char *function;
	const char *instead_of; /* the unguarded function that was asked for, or "" */
	size_t checks, returns;
};

/* What a watch is about to do. */
struct kc_start {
	const struct kc_filter *filter;
	unsigned int period;		/* ms; 0: one pass */
	const struct kc_probed *probed; /* where at least one probe was placed */
	size_t nr_probed;
	bool tripwire;
};

/* How deep the stack was at entries of one function. */
struct kc_function_depth {
	const char *function;
	struct kc_depth depth;
};

/* The deepest entry of one thread. */
struct kc_deep_thread {
	uint32_t tid;
	uint64_t depth;
	const char *function;
};

#define KC_DEEP_THREADS 10

/* Told at the end. */
struct kc_depths {
	const struct kc_function_depth *functions;
	size_t nr_functions;
	const struct kc_deep_thread *threads; /* deepest first */
	size_t nr_threads;
};

/* What live probes have seen. */
struct kc_probe_stats {
	uint64_t attached, failed; /* points */
	uint64_t comparisons, entries, returns;
	uint64_t unreadable;
	uint64_t unmatched;   /* returns of calls that began before the probes */
	uint64_t other_stack; /* on interrupt and exception stacks: looked at apart */
	uint64_t lost;	      /* events that found no room */
	uint64_t missed;      /* hits while another probe's program ran on the CPU ... */
	bool tells_missed;    /* ... as far as this kernel tells */
	uint64_t unproven;    /* events whose frame did not confirm them */
	uint64_t findings, repeated;
	uint64_t max_depth; /* at any entry, bytes */
	char deepest[128];  /* where that was */
};

/* One sleeping task of an audit. */
struct kc_task_row {
	struct kc_record task;
	uint64_t verified;	 /* frames whose slot holds the canary */
	uint64_t not_verifiable; /* frames, and an unwinding that ended early */
	const char *why_not;	 /* the first reason, or NULL */
	uint64_t findings;
	char place[160]; /* where it sleeps: the innermost frame that is not the scheduler's */
};

/* Its depth, top of the stack minus SP, in bytes. */
static inline uint64_t kc_task_depth(const struct kc_record *task)
{
	return task->top - task->sp;
}

/* The deepest it has ever been; 0: was not looked for. */
static inline uint64_t kc_task_high_water(const struct kc_record *task)
{
	return task->high_water ? task->top - task->high_water : 0;
}

struct kc_audit {
	const struct kc_task_row *rows;
	size_t count;
	bool high_water; /* was looked for */
	uint64_t thread_size;
	const struct kc_pass *pass; /* the last one */
	const struct kc_stats *stats;
};

/* What has been seen so far. Without it, silence would mean nothing. */
struct kc_stats {
	uint64_t passes;
	uint64_t tasks;				   /* looked at in the last pass */
	uint64_t running, dead, moved, unreadable; /* of them, all passes */
	uint64_t tasks_checked;	  /* stack copies unwound and cached stacks re-verified */
	uint64_t frames_verified; /* slots seen to hold the canary, all passes */
	uint64_t blind[KC_BLIND_NR];
	uint64_t plan_blind[KC_PLAN_NR_REASONS]; /* KC_BLIND_NO_PLAN, by the plan's reason */
	uint64_t unwind_ends[KC_UNWIND_NR_ENDS];
	uint64_t uncached; /* stacks with more slots than the cache takes */
	uint64_t unproven; /* differences that a second read could not confirm */
	uint64_t stale;	   /* passes with what was known before modules changed */
	uint64_t findings;
	uint64_t repeated;  /* sightings of damage that was already reported */
	double cpu_seconds; /* our own */
	struct kc_probe_stats probes;
	double first_pass_cpu, pass_cpu; /* of it, the first and the last pass */
	double seconds;			 /* since the start */
};

/*
 * path NULL: stdout; a file is appended to, since what it holds may be the last
 * words before a panic. json: one object a line. -errno if it can't be opened.
 */
int kc_report_new(const char *path, bool json, struct kc_report **ret_report);
void kc_report_free(struct kc_report *report);
KC_DEFINE_AUTO(report, struct kc_report, kc_report_free)

int kc_report_start(struct kc_report *report, const struct kc_start *start);

/*
 * The kernel, for symbols and text, is the one that the finding was made with. It is
 * on the disk after kc_report_sync(), which waits for that and keeps nobody from writing.
 */
int kc_report_sync(struct kc_report *report);
int kc_report_finding(struct kc_report *report, const struct kc_kernel *kernel,
		      const struct kc_finding *finding);
/* The same into the void: what is needed for a finding is then in memory. */
int kc_report_rehearse(struct kc_report *report, const struct kc_kernel *kernel,
		       const struct kc_finding *finding);
int kc_report_audit(struct kc_report *report, const struct kc_audit *audit);
int kc_report_notice(struct kc_report *report, const char *text);
int kc_report_stats(struct kc_report *report, const struct kc_stats *stats);
/* The end: totals, and why it ended; depths NULL: no probes. */
int kc_report_stop(struct kc_report *report, const struct kc_stats *stats,
		   const struct kc_depths *depths, const char *why);

/* Our own CPU time, as a share of one CPU. */
static inline double kc_stats_cpu_percent(const struct kc_stats *stats)
{
	return stats->seconds > 0 ? 100 * stats->cpu_seconds / stats->seconds : 0;
}

/*
 * What the sweep could not verify, all reasons together: frames, stacks, differences.
 * And whether anything at all was not seen, live probes included.
 */
uint64_t kc_stats_not_verifiable(const struct kc_stats *stats);
bool kc_stats_is_blind(const struct kc_stats *stats);

#endif
