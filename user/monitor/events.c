// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/events.h"

#include <errno.h>
#include <unistd.h>

#include "monitor/lookers.h"
#include "verdict/event.h"

struct kc_events {
	struct kc_events_options with;
	struct kc_lookers *lookers;
	pthread_mutex_t lock; /* of the ring buffer; not held while the disk is waited for */
	_Atomic uint64_t unproven;
	_Atomic bool output_failed;
};

/* True if a finding was written that is not yet on the disk. */
static bool file(struct kc_events *events, const struct kc_event *event, struct kc_finding *finding)
{
	const struct kc_damaged damaged = { finding->anomaly,
					    finding->damage.slot ?: finding->task.sp };
	int filed = kc_desk_file(events->with.desk, events->with.session->kernel, event, damaged,
				 finding);

	if (filed == KC_FILED_NOBODYS)
		events->unproven++;
	if (filed < 0)
		events->output_failed = true;
	/* One sink that failed is no reason not to sync another. */
	return filed == KC_FILED_WRITTEN || filed < 0;
}

/* As file(), of what the event's own copy of the stack bears out. */
static bool handle(struct kc_events *events, const struct kc_event *event)
{
	struct kc_session *session = events->with.session;
	struct kc_checked_stack checked;
	struct kc_finding finding;
	bool unsynced = false;

	pthread_mutex_lock(&session->lock);
	if (kc_event_prove(session->kernel, session->plans, event, &checked, &finding))
		unsynced = file(events, event, &finding);
	else
		events->unproven++;
	pthread_mutex_unlock(&session->lock);
	return unsynced;
}

/*
 * The disk is waited for without a lock: who waits may be on the CPU that is held for
 * the next event, and that one is then the other thread's. So the event's head is copied.
 */
static bool look(void *arg)
{
	struct kc_events *events = arg;
	struct kc_probes *probes = events->with.probes;
	const struct kc_event *event;
	int more;

	do {
		struct kc_event head = {};
		bool unsynced = false;

		if (pthread_mutex_trylock(&events->lock))
			return false;
		more = kc_probes_next(probes, &event);
		if (more < 0)
			events->unproven++; /* it made no sense: gone, and told */
		if (more > 0) {
			unsynced = handle(events, event);
			head = *event;
		}
		pthread_mutex_unlock(&events->lock);
		/* What a held event is about may have been told, but not be on the disk yet. */
		if ((unsynced || head.flags & KC_EVENT_HELD) && kc_sinks_sync(events->with.sinks))
			events->output_failed = true;
		kc_probes_release(probes, &head);
	} while (more);
	return true;
}

/*
 * Go through the motions of a finding once: code, tables and plans are then where
 * they are needed while a CPU is held.
 */
static void rehearse(struct kc_events *events, const struct kc_choices *choices)
{
	static const uint64_t words[64];
	struct kc_session *session = events->with.session;
	struct kc_stack stack = { 0x1000, 0x1000 + sizeof(words), words };

	for (size_t i = 0; i < choices->count; i++) {
		const struct kc_plan *plan = choices->choices[i].plan;
		struct kc_frame from = { .sp = stack.sp, .exact = true };
		struct kc_checked_stack checked;
		struct kc_finding finding = {
			.engine = "probe",
			.running = true,
			.stack = stack,
			.checked = &checked,
		};

		if (choices->choices[i].refused)
			continue;
		from.pc = plan->nr_checks ? plan->checks[0].load : plan->sym->addr;
		kc_check_stack(session->kernel, session->plans, &stack, &from, &checked);
		if (!checked.count)
			continue;
		kc_process_read(getpid(), getpid(), 0, false, &finding.process);
		kc_judge(&finding, 0);
		kc_sinks_rehearse(events->with.sinks, session->kernel, &finding);
	}
}

int kc_events_start(const struct kc_events_options *options, const struct kc_choices *choices,
		    struct kc_events **ret_events)
{
	struct kc_events *events kc_auto(kc_cleanup_events) = calloc(1, sizeof(*events));
	int err;

	if (!events)
		return -ENOMEM;
	events->with = *options;
	pthread_mutex_init(&events->lock, NULL);
	rehearse(events, choices);
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

void kc_events_stop(struct kc_events *events)
{
	if (!events->lookers)
		return;
	kc_lookers_free(kc_take(events->lookers));
	look(events);
}

void kc_events_free(struct kc_events *events)
{
	if (!events)
		return;
	kc_events_stop(events);
	pthread_mutex_destroy(&events->lock);
	free(events);
}

uint64_t kc_events_unproven(const struct kc_events *events)
{
	return events->unproven;
}

bool kc_events_output_failed(const struct kc_events *events)
{
	return events->output_failed;
}
