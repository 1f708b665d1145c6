/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where findings and all else that a monitor says go: text, JSON, the kernel's log. The
 * monitor knows only this header; user/report has the sinks.
 */
#ifndef KC_MONITOR_SINK_H
#define KC_MONITOR_SINK_H

#include "monitor/coverage.h"
#include "monitor/session.h"
#include "source/source.h"
#include "verdict/finding.h"

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
	bool tripwire, gate;
	unsigned int sample_hz; /* 0: running tasks are not sampled */
};

/* How deep the stack was at entries of one function. */
struct kc_function_depth {
	const char *function;
	struct kc_depth depth;
};

/* The deepest entry of one thread, or sample of it. */
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

/*
 * A first record of an event that a CPU is held for, written before anything else is known
 * of it. The finding that may follow has the same number.
 */
struct kc_evidence {
	struct kc_first first;
	const struct kc_event *event; /* its words behind it */
	unsigned int writer;	      /* which one of KC_WRITERS writes it */
};

/* To which sinks; both bits: to all of them. */
enum kc_reach_of_evidence {
	KC_EVIDENCE_PROMPT = 1, /* those that wait for no disk */
	KC_EVIDENCE_DISK = 2,
};
#define KC_EVIDENCE_ALL (KC_EVIDENCE_PROMPT | KC_EVIDENCE_DISK)

/* When something was told. */
struct kc_when {
	struct timespec real;
	uint64_t boot_ns;
};

/* Lines, or pieces of text; findings are among them. */
struct kc_unwritten {
	uint64_t lines, findings;
};

struct kc_sink;

/*
 * Each returns 0, or -errno if it could not be written: a finding that nobody got is a
 * failure, not a detail; -EPIPE: nobody reads it any more. NULL: this sink has nothing to say of
 * it. The main thread calls all of them but one.
 */
struct kc_sink_ops {
	int (*start)(struct kc_sink *sink, const struct kc_when *when,
		     const struct kc_start *start);
	/* The kernel, for symbols and text, is the one that the finding was made with. */
	int (*finding)(struct kc_sink *sink, const struct kc_kernel *kernel,
		       const struct kc_finding *finding);
	/*
	 * Of a sleeper whose damage is known: is it to be proved once more? And that it was, with
	 * the number that it was told with.
	 */
	bool (*wants_again)(struct kc_sink *sink, const struct kc_record *task);
	int (*again)(struct kc_sink *sink, const struct kc_kernel *kernel,
		     const struct kc_finding *finding);
	/*
	 * Worded with the kernel's symbols; then, without them, written and synced. The lookers
	 * and the scribe call, maybe all at once, whatever the main thread is at: takes no lock
	 * that it may own, and allocates nothing, which is one.
	 */
	void (*word_evidence)(struct kc_sink *sink, const struct kc_kernel *kernel,
			      const struct kc_evidence *evidence);
	int (*write_evidence)(struct kc_sink *sink, unsigned int writer);
	bool is_prompt; /* that waits for no disk */
	int (*notice)(struct kc_sink *sink, const struct kc_when *when, const char *text);
	void (*alive)(struct kc_sink *sink); /* once a second or so: the watch goes on */
	int (*stats)(struct kc_sink *sink, const struct kc_when *when,
		     const struct kc_coverage *coverage);
	/* The end: totals, and why it ended. */
	int (*stop)(struct kc_sink *sink, const struct kc_when *when,
		    const struct kc_coverage *coverage, const struct kc_depths *depths,
		    const char *why);
	/* Returns when all that was written is on the disk; keeps nobody from writing. */
	int (*sync)(struct kc_sink *sink);
	/*
	 * The file may have been moved away: open it again, and in a new one tell the start again.
	 * -EAGAIN: not for now, and writing goes on as it was; to be called again.
	 */
	int (*reopen)(struct kc_sink *sink, const struct kc_when *when,
		      const struct kc_start *start);
	/* Is the file gone that it writes to? To be opened again, then. */
	bool (*gone)(struct kc_sink *sink);
	/* Add what could not be written so far, and the seconds that writing has taken. */
	void (*count)(struct kc_sink *sink, struct kc_unwritten *unwritten, double *waited);
	/* Where poll() tells that the reader has left. */
	int (*fd)(struct kc_sink *sink);
	void (*free)(struct kc_sink *sink);
};

struct kc_sink {
	const struct kc_sink_ops *ops;
};

#define KC_MAX_SINKS 8

/* In the order in which they are written to. Owned. */
struct kc_sinks {
	const struct kc_when *when; /* borrowed: of what is told again; NULL: now */
	struct kc_sink *sinks[KC_MAX_SINKS];
	size_t count;
	_Atomic uint64_t told; /* by the main thread, evidence not counted */
};

/* Takes the sink over; it may be NULL, which is none. */
void kc_sinks_add(struct kc_sinks *sinks, struct kc_sink *sink);
void kc_sinks_free(struct kc_sinks *sinks);

/* The time of what is told now. */
struct kc_when kc_sinks_now(const struct kc_sinks *sinks);

/* All of them; the first error, after the others have had it too. */
int kc_sinks_start(struct kc_sinks *sinks, const struct kc_start *start);
int kc_sinks_finding(struct kc_sinks *sinks, const struct kc_kernel *kernel,
		     const struct kc_finding *finding);
bool kc_sinks_want_again(struct kc_sinks *sinks, const struct kc_record *task);
int kc_sinks_again(struct kc_sinks *sinks, const struct kc_kernel *kernel,
		   const struct kc_finding *finding);

/*
 * Evidence to those that `reach` says (enum kc_reach_of_evidence); to the first one, which is the
 * report, last: its disk may have to wait for the CPU that is held, which none may that the others
 * write to. Then `safe` is called, which may be NULL. 0, or -errno if the report has not got it.
 */
int kc_sinks_evidence(struct kc_sinks *sinks, struct kc_session *session,
		      const struct kc_evidence *evidence, unsigned int reach,
		      void (*safe)(void *arg), void *arg);
int kc_sinks_notice(struct kc_sinks *sinks, const char *text);
void kc_sinks_alive(struct kc_sinks *sinks);
int kc_sinks_stats(struct kc_sinks *sinks, const struct kc_coverage *coverage);
int kc_sinks_stop(struct kc_sinks *sinks, const struct kc_coverage *coverage,
		  const struct kc_depths *depths, const char *why);
int kc_sinks_sync(struct kc_sinks *sinks);
bool kc_sinks_gone(struct kc_sinks *sinks);
int kc_sinks_reopen(struct kc_sinks *sinks, const struct kc_start *start);

/* What could not be written so far; returns the seconds that writing has taken. */
double kc_sinks_count(struct kc_sinks *sinks, struct kc_unwritten *ret_unwritten);

/* Of the first sink that has a reader, for poll(); -1: none. */
int kc_sinks_fd(struct kc_sinks *sinks);

/* Any thread may ask: how often one of these was called, but for evidence, sync and reopen. */
uint64_t kc_sinks_told(const struct kc_sinks *sinks);

#endif
