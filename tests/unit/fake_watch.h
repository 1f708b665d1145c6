/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A watch on threads and events that the test makes: a session, a source whose modules change
 * when the test says so, a desk, passes, and a sink that remembers. One at a time.
 */
#ifndef KC_TESTS_FAKE_WATCH_H
#define KC_TESTS_FAKE_WATCH_H

#include "fake.h"
#include "fake_probe.h"
#include "monitor/events.h"
#include "monitor/pass.h"

#define TOP  0xffffc90000104000ULL
#define SP   (TOP - FAKE_WORDS * 8)
#define SLOT 9 /* index of simple()'s slot in a thread's words */

/* A sink that remembers. */
struct seen {
	struct kc_sink sink;
	size_t findings, notices, stats, starts, stops;
	size_t syncs, reopened;
	size_t unopened;    /* so many more times it can't be opened again */
	uint64_t unwritten; /* lines; one more for each finding if the disk is full */
	bool full;
	double waited;	  /* for this output, seconds */
	bool wants_again; /* what is known already is to be proved once more */
	size_t again;	  /* how often it was */
	uint64_t again_seq;
	int fd;	     /* of it; -1: none */
	int next_fd; /* ... when it is opened again; 0: the same */
	uint64_t seqs[8192];
	enum kc_anomaly last;
	uint64_t was;	 /* what the last one's return address was before, or 0 */
	uint64_t intact; /* how often the last one's function was seen with an intact slot */
	char place[64], notice[320], why[32];	  /* why: of the stop */
	struct kc_coverage end;			  /* ... and its totals */
	int err, notice_err, stats_err, stop_err; /* what the next ones end with */
	_Atomic size_t evidence;
	_Atomic bool numbered[1024];	      /* evidence was seen with this number */
	_Atomic bool gate_waits, gate_waited; /* a gate's evidence is not written yet */
	struct kc_pointed_words pointed;      /* ... the last finding's */
	enum kc_class class;
	uint64_t boot_ns, intact_ns;
	void (*on_finding)(void);
	/* What the main thread is stopped in, owning all that it can own. */
	_Atomic bool stop, stopped;
};

/* The live source, whose modules change when the test says so. */
struct changing {
	struct kc_source source;
	struct kc_source *live;
	uint64_t learned_ns; /* what was seen before is stale */
	int stale_at;	     /* stale at the nth question from now on, from 0; -1: never */
	int reload_err;	     /* what a reload ends with */
	_Atomic unsigned int reloads, flushes;
	const struct kc_host *host; /* NULL: this one */
};

/* Makes the session's kernel, for kc_kernel_free(); from the next fake_watch_setup() on. */
extern struct kc_kernel *(*fake_watch_kernel)(void);

extern struct kc_filter fake_filter; /* the desk's: none when a test begins */
extern struct seen seen;
extern struct changing changing;
extern struct kc_session session;
extern struct kc_source *source; /* `changing` */
extern struct kc_sinks sinks;
extern struct kc_desk *desk;
extern struct kc_passes *passes;
extern struct fake_thread threads[3];

/*
 * From here on text says that simple()'s slot lies elsewhere, as if read in the middle of a patch;
 * and as it is from the nth pass over one thread on (0: until fake_on_read is reset).
 */
void misread_slot(unsigned int looks);

/* Three threads asleep in simple(), all intact; `seen` is the only sink. For cmocka. */
int fake_watch_setup(void **state);
int fake_watch_teardown(void **state);

/* Desk and passes anew, on another source: a recorder's. */
void fake_watch_through(struct kc_source *other);

/* Asleep in simple(), which was interrupted user mode's: a stack that is complete. */
void put_to_sleep(struct fake_thread *thread, uint32_t tid);

struct kc_coverage covered(void);

/* A check probe in simple(), of a thread that was not seen before. */
struct kc_event *new_event(uint32_t tid, uint64_t id);

/* The thread is about to go on, and its slot differs. */
struct kc_event *new_gate_event(const struct fake_thread *thread, uint64_t id);

/* Events are looked at from here on. */
struct kc_events *start_events(void);
struct kc_events *start_patient_events(unsigned int hold_off);
struct kc_probe_counts counts_of(const struct kc_events *events);

/* Between two looks at a condition. No nanosleep(), which fake_host.h counts. */
void nap(void);

#endif
