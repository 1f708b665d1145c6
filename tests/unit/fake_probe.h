/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What stands in the place of user/probe in the unit tests: threads whose stacks the test
 * writes, swept as the kernel side would, and events that the test has sent.
 */
#ifndef KC_TESTS_FAKE_PROBE_H
#define KC_TESTS_FAKE_PROBE_H

#include "probe/probes.h"
#include "probe/sweep.h"
#include "probe/words.h"

#define FAKE_WORDS 32 /* up to the end of user mode's registers: see put_to_sleep() */

struct fake_thread {
	struct kc_record record;      /* size, kind and count are filled in */
	uint64_t words[FAKE_WORDS];   /* record.sp .. record.top; KC_CANARY_MARK is its canary */
	bool restless;		      /* runs between any two passes */
	bool ran, running;	      /* while it is read; all the time */
	bool known, cached, followed; /* something of this sleep; its slots */
	struct kc_record cached_as;
	uint64_t slots[KC_TASK_SLOTS];
	size_t nr_slots;
	struct kc_returns returns;
	uint64_t intact_ns; /* as in struct kc_task_slots */
};

/* Swept from the next pass on; the test owns them. */
void fake_threads(struct fake_thread *threads, size_t count);

/* How many rules were learned since the last flush; each once. */
size_t fake_rules(void);

/* Called at the start of each pass over all threads, and over one; NULL: nothing is. */
extern void (*fake_on_pass)(void), (*fake_on_look)(void);

/* An event for the next look, copied; *size as in event->task.size. */
void fake_send(const struct kc_event *event);

/* The last event that a held CPU was told this of; 0: none. */
uint64_t fake_held(enum kc_held_state state);

/* What each damaged slot points to. */
extern struct kc_pointee fake_pointee;

/* For those of kc_probes_*() that are about events: there is nothing in it. */
struct kc_probes *fake_probes(void);

#define FAKE_POINTS 16

/* Live probes: what the kernel has to say of them, and what was asked of it. */
struct fake_probing {
	int load_err;	  /* what kc_probes_new() fails with */
	uint64_t refused; /* no probe is allowed here */
	bool no_guard, no_files, never_armed;
	bool module_goes;			   /* when a probe is placed */
	struct kc_point_count counts[FAKE_POINTS]; /* by point, in the order of attaching */
	struct kc_depth depths[FAKE_POINTS];	   /* by function */
	struct kc_thread_depth threads[FAKE_POINTS];
	size_t nr_threads;
	uint64_t losses[KC_LOSS_NR], missed;
	int gate_err; /* what kc_gate_new() fails with */
	struct kc_gate_count gated;
	uint64_t gate_losses[KC_LOSS_NR];
	int samples_err;		    /* what kc_samples_new() fails with */
	const struct kc_event *samples[16]; /* to be taken, in this order, up to a NULL */
	size_t samples_taken;
	struct kc_sample_count sampled;
	unsigned int unsampled; /* CPUs */
	uint64_t sample_losses[KC_LOSS_NR];
	unsigned int sample_ms; /* CPU time that taking one takes */
	unsigned int every;	/* so manyth is taken */
	uint64_t asked_slot;	/* that samples tell of; 0: none */
	char asked[512];	/* a word each */
};
extern struct fake_probing fake_probing;

#endif
