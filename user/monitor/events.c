// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/events.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "monitor/hearing.h"
#include "monitor/lookers.h"
#include "monitor/scribe.h"

/* Room for a flood that comes while the main thread is at something else; a power of two. */
#define NR_PARCELS 64

/* An event on its way from a looker to the main thread. */
struct parcel {
	_Atomic bool ready;    /* for the main thread */
	bool secure;	       /* to be written down before that */
	_Atomic bool for_disk; /* by the scribe */
	_Atomic uint64_t gate; /* of a gate, which is written down: so many it is; else 0 */
	uint64_t gates;	       /* of those, that had come before it */
	struct kc_first first;
	struct kc_event event;
	uint64_t words[KC_STACK_WORDS];
};
_Static_assert(offsetof(struct parcel, words) ==
		       offsetof(struct parcel, event) + sizeof(struct kc_event),
	       "the words follow the event");

_Static_assert(KC_WRITERS == KC_BORROWERS, "each writer borrows the kernel under its number");

struct kc_events {
	struct kc_events_options with;
	struct kc_lookers *lookers;
	struct kc_scribe *scribe;
	pthread_mutex_t ring; /* of the ring buffer and of `put`; only lookers ever own it */
	/* The inbox: lookers put in, the main thread takes out, in the same order. */
	struct parcel parcels[NR_PARCELS];
	_Atomic uint32_t put, taken;
	struct parcel spare[KC_LOOKERS]; /* when the inbox is full */
	int wake;
	_Atomic uint64_t senseless, overflowed, late;
	uint64_t gates;		       /* that came and are written down; owned with the ring */
	_Atomic unsigned int at_gates; /* so many are not on the disk yet */
	uint64_t gate_second;	       /* in which so many were written; owned with the ring */
	unsigned int gates_in_second;
	_Atomic uint64_t dropped; /* the last evidence whose event had no room; 0: none untold */
	struct kc_hearing hearing;
};

/*
 * Of a gate's events so many are written down at once in a second, and so many wait for the disk at
 * a time: what comes behind them waits with them.
 */
#define GATE_BUDGET  20
#define MAX_AT_GATES 8

/* Owns the ring. */
static bool may_secure_gate(struct kc_events *events, const struct kc_event *event)
{
	uint64_t second = event->task.boot_ns / 1000000000;

	if (second != events->gate_second)
		events->gates_in_second = 0;
	events->gate_second = second;
	if (events->gates_in_second >= GATE_BUDGET || events->at_gates >= MAX_AT_GATES)
		return false;
	events->gates_in_second++;
	events->at_gates++;
	return true;
}

/* The next event of the ring buffer, in the inbox or beside it. NULL: see ret_more. */
static struct parcel *receive(struct kc_events *events, unsigned int looker, bool *ret_more)
{
	uint32_t put = events->put;
	bool full = put - events->taken == NR_PARCELS;
	struct parcel *parcel = full ? &events->spare[looker] : &events->parcels[put % NR_PARCELS];
	const struct kc_event *event;
	int got = kc_probes_next(events->with.probes, &event);

	*ret_more = got != 0;
	events->senseless += got < 0; /* gone, and told */
	if (got <= 0)
		return NULL;
	parcel->ready = parcel->for_disk = false;
	parcel->gate = 0;
	parcel->first = (struct kc_first){};
	parcel->gates = events->gates;
	parcel->secure = event->flags & KC_EVENT_HELD;
	if (event->kind == KC_EVENT_GATE && !full && may_secure_gate(events, event)) {
		parcel->secure = true;
		parcel->gate = ++events->gates;
	} else if (event->kind == KC_EVENT_GATE) {
		events->late++;
	}
	memcpy(&parcel->event, event, event->task.size);
	if (!full)
		events->put = put + 1;
	return parcel;
}

/* What a held CPU is told of. */
struct held {
	struct kc_events *events;
	const struct parcel *parcel;
};

static bool are_gates_written(const struct kc_events *events, uint64_t gates)
{
	uint32_t i = events->taken, put = events->put; /* in this order: put is never behind */

	for (; i != put; i++) {
		const struct parcel *parcel = &events->parcels[i % NR_PARCELS];

		if (parcel->gate && parcel->gate <= gates && !parcel->ready)
			return false;
	}
	return true;
}

/*
 * What a gate has said of the very task that panics now may still be on its way to the disk. Not
 * for ever: the disk may be waiting for the CPU that is held.
 */
static void wait_for_gates(const struct kc_events *events, uint64_t gates)
{
	const struct timespec nap = { .tv_nsec = 1000000 };

	for (unsigned int i = 0; !are_gates_written(events, gates) && i < events->with.hold_off;
	     i++)
		nanosleep(&nap, NULL);
}

static void tell_safe(void *arg)
{
	const struct held *held = arg;

	if (!(held->parcel->event.flags & KC_EVENT_HELD))
		return;
	wait_for_gates(held->events, held->parcel->gates);
	kc_probes_tell(held->events->with.probes, &held->parcel->event, KC_HELD_SAFE);
}

/* Write down what the event says by itself. False: not so. */
static bool write_down(struct kc_events *events, struct parcel *parcel, unsigned int writer,
		       unsigned int reach)
{
	const struct kc_evidence evidence = {
		.first = parcel->first,
		.event = &parcel->event,
		.writer = writer,
	};
	struct held held = { events, parcel };

	if (!kc_sinks_evidence(events->with.engine.sinks, events->with.engine.session, &evidence,
			       reach, reach & KC_EVIDENCE_DISK ? tell_safe : NULL, &held))
		return true;
	events->late++;
	return false;
}

/*
 * A CPU is held for this one, or the task that it is about goes on meanwhile, and may come by the
 * CPU of a looker that waits for a disk: that is the scribe's, then. True: nobody loses more by
 * what is not handed over than a finding's details.
 */
static bool secure(struct kc_events *events, struct parcel *parcel, unsigned int looker)
{
	kc_probes_tell(events->with.probes, &parcel->event, KC_HELD_SEEN);
	/* It may be in the file all the same, and not on the disk: the number stays its own. */
	parcel->first.number = kc_desk_number(events->with.engine.desk);
	clock_gettime(CLOCK_REALTIME, &parcel->first.time);
	parcel->first.after = kc_sinks_told(events->with.engine.sinks);
	if (parcel->gate || !events->scribe)
		return write_down(events, parcel, looker,
				  parcel->gate ? KC_EVIDENCE_PROMPT : KC_EVIDENCE_ALL);
	write_down(events, parcel, looker, KC_EVIDENCE_PROMPT);
	/*
	 * The task may have come by another CPU than the gate saw it on. Not before the log has it:
	 * who is being waked up on the CPU that is held can't be moved without waiting for that.
	 */
	kc_scribe_leave(events->scribe, parcel->event.cpu);
	return write_down(events, parcel, looker, KC_EVIDENCE_DISK);
}

/* secured: nobody loses more by what is not handed over than a finding's details. */
static void hand_over(struct kc_events *events, struct parcel *parcel, unsigned int looker,
		      bool secured)
{
	const uint64_t one = 1;

	if (looker < KC_LOOKERS && parcel == &events->spare[looker]) {
		events->overflowed++;
		if (parcel->first.number)
			events->dropped = parcel->first.number;
		if (secured)
			kc_probes_tell(events->with.probes, &parcel->event, KC_HELD_TOLD);
		return;
	}
	parcel->ready = true;
	if (write(events->wake, &one, sizeof(one)) < 0)
		return; /* it is readable already */
}

/* What lookers have left for the disk. The scribe's, or the main thread's when there is none. */
static void write_gates(void *arg)
{
	struct kc_events *events = arg;
	uint32_t i = events->taken, put = events->put; /* as in are_gates_written() */

	for (; i != put; i++) {
		struct parcel *parcel = &events->parcels[i % NR_PARCELS];

		if (!parcel->for_disk)
			continue;
		parcel->for_disk = false;
		parcel->first.after = kc_sinks_told(events->with.engine.sinks);
		write_down(events, parcel, KC_LOOKERS, KC_EVIDENCE_DISK);
		events->at_gates--;
		hand_over(events, parcel, KC_LOOKERS, true);
	}
}

/* The parcel is not ours any more then. */
static void leave_to_scribe(struct kc_events *events, struct parcel *parcel)
{
	if (!events->scribe) {
		parcel->for_disk = true;
		write_gates(events);
		return;
	}
	/* Before it wakes up: it would do so where it was last, which may be the task's CPU. */
	kc_scribe_leave(events->scribe, parcel->event.cpu);
	parcel->for_disk = true;
	kc_scribe_wake(events->scribe);
}

/*
 * The disk is waited for without a lock: who waits may be on the CPU that is held for the
 * next event, and that one is then another looker's.
 */
static bool look(void *arg, unsigned int looker)
{
	struct kc_events *events = arg;
	struct parcel *parcel;
	unsigned int count = 0;
	bool more, secured, elsewhere = false;

	do {
		more = false;
		if (pthread_mutex_trylock(&events->ring)) {
			elsewhere = true;
			break;
		}
		parcel = receive(events, looker, &more);
		pthread_mutex_unlock(&events->ring);
		if (!parcel)
			continue;
		secured = parcel->secure && secure(events, parcel, looker);
		if (parcel->gate)
			leave_to_scribe(events, parcel);
		else
			hand_over(events, parcel, looker, secured);
	} while (more && ++count < NR_PARCELS);
	/* Who runs before all others gives way now and then, also in a flood. */
	return !more && !elsewhere;
}

int kc_events_start(const struct kc_events_options *options, struct kc_events **ret_events)
{
	struct kc_events *events kc_auto(kc_cleanup_events) = calloc(1, sizeof(*events));
	int err;

	if (!events)
		return -ENOMEM;
	events->with = *options;
	events->hearing = (struct kc_hearing){ .with = options->engine };
	pthread_mutex_init(&events->ring, NULL);
	events->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (events->wake < 0)
		return -errno;
	err = kc_scribe_start(write_gates, events, options->hold_off, &events->scribe);
	if (err)
		return err;
	err = kc_lookers_start(
		&(struct kc_looking){
			.fd = kc_probes_fd(options->probes),
			.hold_off = options->hold_off,
			.look = look,
			.arg = events,
		},
		&events->lookers);
	if (err)
		return err;
	*ret_events = kc_take(events);
	return 0;
}

int kc_events_fd(const struct kc_events *events)
{
	return events->wake;
}

/* No finding will follow. */
static int tell_dropped(struct kc_events *events)
{
	uint64_t number = atomic_exchange(&events->dropped, 0);
	char text[160];

	if (!number)
		return 0;
	snprintf(text, sizeof(text),
		 "evidence %lu, and maybe some before it, is all there is: events came faster than "
		 "they were handled",
		 number);
	return kc_sinks_notice(events->with.engine.sinks, text);
}

static struct kc_unwritten count_unwritten(const struct kc_events *events)
{
	struct kc_unwritten unwritten;

	kc_sinks_count(events->with.engine.sinks, &unwritten);
	return unwritten;
}

/*
 * A disk that is full is endured: what it kept from the report is no reason to let a CPU go. Nor is
 * what says that this is a finding of before, if one of those was kept from it.
 */
static int handle(struct kc_events *events, const struct parcel *parcel)
{
	struct kc_unwritten before = count_unwritten(events), after;
	int err = kc_event_handle(&events->hearing, &parcel->event, &parcel->first);

	after = count_unwritten(events);
	if (!err && after.lines == before.lines && !after.findings)
		kc_probes_tell(events->with.probes, &parcel->event, KC_HELD_TOLD);
	return err;
}

int kc_events_handle(struct kc_events *events)
{
	int first_err = tell_dropped(events);
	uint64_t count;
	uint32_t put;

	if (read(events->wake, &count, sizeof(count)) < 0)
		return first_err; /* nothing was handed over since */
	/* What comes from now on wakes us again. */
	put = events->put;
	while (events->taken != put) {
		const struct parcel *parcel = &events->parcels[events->taken % NR_PARCELS];
		int err;

		if (!parcel->ready)
			break; /* the looker will wake us */
		err = handle(events, parcel);
		first_err = first_err ?: err;
		events->taken++;
	}
	return first_err;
}

int kc_events_stop(struct kc_events *events)
{
	int first_err = 0, err;
	bool all;

	if (!events->lookers)
		return 0;
	kc_lookers_free(kc_take(events->lookers));
	kc_scribe_free(events->scribe);
	events->scribe = NULL;
	first_err = kc_events_handle(events); /* there may be no room for what is left */
	do {
		all = look(events, 0);
		err = kc_events_handle(events);
		first_err = first_err ?: err;
	} while (!all);
	return first_err;
}

void kc_events_free(struct kc_events *events)
{
	if (!events)
		return;
	kc_events_stop(events);
	kc_scribe_free(events->scribe);
	if (events->wake >= 0)
		close(events->wake);
	pthread_mutex_destroy(&events->ring);
	free(events);
}

void kc_events_counts(const struct kc_events *events, struct kc_probe_counts *counts)
{
	counts->unproven += events->hearing.unproven + events->senseless;
	counts->overflowed = events->overflowed;
	counts->late = events->late;
}
