// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/events.h"

#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "monitor/lookers.h"
#include "verdict/event.h"

/* Room for a flood that comes while the main thread is at something else; a power of two. */
#define NR_PARCELS 64

/* An event on its way from a looker to the main thread. */
struct parcel {
	_Atomic bool ready; /* the looker is done with it */
	uint64_t number;    /* of the first record; 0: there is none */
	struct kc_event event;
	uint64_t words[KC_STACK_WORDS];
};
_Static_assert(offsetof(struct parcel, words) ==
		       offsetof(struct parcel, event) + sizeof(struct kc_event),
	       "the words follow the event");

_Static_assert(KC_LOOKERS == KC_BORROWERS, "each looker borrows the kernel under its number");

struct kc_events {
	struct kc_events_options with;
	struct kc_lookers *lookers;
	pthread_mutex_t ring; /* of the ring buffer and of `put`; only lookers ever own it */
	/* The inbox: lookers put in, the main thread takes out, in the same order. */
	struct parcel parcels[NR_PARCELS];
	_Atomic uint32_t put, taken;
	struct parcel spare[KC_LOOKERS]; /* when the inbox is full */
	int wake;
	_Atomic uint64_t senseless, overflowed, late;
	uint64_t unproven;
};

/* The next event of the ring buffer, in the inbox or beside it. NULL: see ret_more. */
static struct parcel *take(struct kc_events *events, unsigned int looker, bool *ret_more)
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
	parcel->ready = false;
	parcel->number = 0;
	memcpy(&parcel->event, event, event->task.size);
	if (!full)
		events->put = put + 1;
	return parcel;
}

/* A CPU is held for this one: write down at once what the event says by itself. */
static void secure(struct kc_events *events, struct parcel *parcel, unsigned int looker)
{
	struct kc_evidence evidence = { .event = &parcel->event, .looker = looker };

	kc_probes_tell(events->with.probes, &parcel->event, KC_HELD_SEEN);
	evidence.number = kc_desk_number(events->with.desk);
	if (kc_sinks_evidence(events->with.sinks, events->with.session, &evidence)) {
		events->late++;
		return;
	}
	parcel->number = evidence.number;
	kc_probes_tell(events->with.probes, &parcel->event, KC_HELD_SAFE);
}

static void hand_over(struct kc_events *events, struct parcel *parcel, unsigned int looker)
{
	const uint64_t one = 1;

	if (parcel == &events->spare[looker]) {
		events->overflowed++;
		kc_probes_tell(events->with.probes, &parcel->event, KC_HELD_TOLD);
		return;
	}
	parcel->ready = true;
	if (write(events->wake, &one, sizeof(one)) < 0)
		return; /* it is readable already */
}

/*
 * The disk is waited for without a lock: who waits may be on the CPU that is held for the
 * next event, and that one is then the other looker's.
 */
static bool look(void *arg, unsigned int looker)
{
	struct kc_events *events = arg;
	struct parcel *parcel;
	bool more;

	do {
		if (pthread_mutex_trylock(&events->ring))
			return false;
		parcel = take(events, looker, &more);
		pthread_mutex_unlock(&events->ring);
		if (!parcel)
			continue;
		if (parcel->event.flags & KC_EVENT_HELD)
			secure(events, parcel, looker);
		hand_over(events, parcel, looker);
	} while (more);
	return true;
}

int kc_events_start(const struct kc_events_options *options, struct kc_events **ret_events)
{
	struct kc_events *events kc_auto(kc_cleanup_events) = calloc(1, sizeof(*events));
	int err;

	if (!events)
		return -ENOMEM;
	events->with = *options;
	pthread_mutex_init(&events->ring, NULL);
	events->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (events->wake < 0)
		return -errno;
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

/* What became of a first record that no finding follows. */
static int explain(const struct kc_events *events, const struct parcel *parcel, int filed,
		   const struct kc_finding *finding)
{
	char text[160];

	if (!parcel->number || filed == KC_FILED_WRITTEN || filed < 0)
		return 0;
	if (filed == KC_FILED_KNOWN && finding->seq)
		snprintf(text, sizeof(text), "evidence %lu is of finding %lu, seen again",
			 parcel->number, finding->seq);
	else
		snprintf(text, sizeof(text), "evidence %lu is no finding: %s", parcel->number,
			 filed == KC_FILED_UNWANTED ? "its thread is not among those watched"
			 : filed == KC_FILED_NOBODYS
				 ? "its thread was gone before its cgroup could be read"
			 : filed == KC_FILED_KNOWN ? "there were too many"
						   : "its own copy of the stack does not bear it "
						     "out");
	return kc_sinks_notice(events->with.sinks, text);
}

/* As enum kc_filed, or -errno; KC_FILED_NOBODYS and this: nothing was proved. */
#define NOT_PROVED (KC_FILED_NOBODYS + 1)

static int file(struct kc_events *events, const struct parcel *parcel,
		struct kc_finding *ret_finding)
{
	struct kc_session *session = events->with.session;
	struct kc_checked_stack checked;
	struct kc_damaged damaged;
	int filed;

	if (!kc_event_prove(session->kernel, session->plans, &session->seen, &parcel->event,
			    &checked, ret_finding))
		return NOT_PROVED;
	damaged = (struct kc_damaged){ ret_finding->anomaly,
				       ret_finding->damage.slot ?: ret_finding->task.sp };
	ret_finding->seq = parcel->number;
	ret_finding->had_evidence = parcel->number;
	filed = kc_desk_file(events->with.desk, session->kernel, &parcel->event, damaged,
			     ret_finding);
	ret_finding->checked = NULL;
	return filed;
}

static int handle(struct kc_events *events, const struct parcel *parcel)
{
	struct kc_finding finding;
	int filed = file(events, parcel, &finding), err;

	events->unproven += filed == NOT_PROVED || filed == KC_FILED_NOBODYS;
	err = filed < 0 ? filed : explain(events, parcel, filed, &finding);
	/* One sink that failed is no reason not to sync another. */
	if (filed == KC_FILED_WRITTEN || filed < 0)
		err = kc_sinks_sync(events->with.sinks) ?: err;
	if (!err)
		kc_probes_tell(events->with.probes, &parcel->event, KC_HELD_TOLD);
	return err;
}

int kc_events_handle(struct kc_events *events)
{
	int first_err = 0;
	uint64_t count;

	if (read(events->wake, &count, sizeof(count)) < 0)
		return 0; /* nothing was handed over since */
	while (events->taken != events->put) {
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
	if (!events->lookers)
		return 0;
	kc_lookers_free(kc_take(events->lookers));
	look(events, 0);
	return kc_events_handle(events);
}

void kc_events_free(struct kc_events *events)
{
	if (!events)
		return;
	kc_events_stop(events);
	if (events->wake >= 0)
		close(events->wake);
	pthread_mutex_destroy(&events->ring);
	free(events);
}

void kc_events_counts(const struct kc_events *events, struct kc_probe_counts *counts)
{
	counts->unproven += events->unproven + events->senseless;
	counts->overflowed = events->overflowed;
	counts->late = events->late;
}
