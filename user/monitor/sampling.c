// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/sampling.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "monitor/hearing.h"
#include "monitor/unseen.h"
#include "probe/cgroup.h"
#include "probe/probes.h"
#include "probe/samples.h"
#include "stack/place.h"
#include "util/array.h"
#include "util/log.h"
#include "util/time.h"
#include "verdict/event.h"

/* Differences that wait for their second look; one too many takes the place of the oldest. */
#define MAX_WAITING KC_MAX_ASKED

#define NSEC_PER_SEC UINT64_C(1000000000)

/* A second look comes within so many turns of the clock, or a second. */
#define MAX_TURNS 10

/* Samples looked at in one go: passes and events have their turn, too. */
#define MAX_AT_ONCE 2048

/*
 * What samples may take of a CPU, at 1 Hz: 1 % at the default rate. What is beyond that is left
 * out, until they take a third of it.
 */
#define MAX_SHARE (0.01 / KC_SAMPLE_HZ)
#define MAX_EVERY 64

/* Whoever waits for samples is not waked up for each. */
#define PAUSE_NS 100000000

/*
 * A frame whose slot differs: the same call of a function, as far as its stack and the time between
 * two looks can tell.
 */
struct seen_frame {
	uint64_t start_ns; /* of the thread */
	uint32_t tid;
	uint64_t slot, function, returns_to; /* slot 0: nothing is here */
	uint64_t first_ns, last_ns; /* looks at it, boot time; first 0: it was whole at the last */
	bool told, mended;	    /* by a second look; and seen whole since */
	uint64_t next_ns, wait_ns;  /* when it is told again, and after how long then */
	struct kc_record task;
	char place[160];
};

struct deepest {
	uint64_t start_ns; /* of the thread */
	uint32_t tid;
	uint64_t depth;
	char function[128];
};

struct kc_sampling {
	struct kc_hearing hearing;
	struct kc_samples *samples;	    /* NULL: none are taken */
	const char *cgroup;		    /* the filter's */
	unsigned int refused, most_refused; /* as it was told; CPUs */
	struct seen_frame waiting[MAX_WAITING];
	size_t next; /* the oldest of them */
	unsigned int hz, every;
	bool is_empty;		       /* there were no more at the last look */
	uint64_t looked_ns;	       /* when we did last, boot time */
	double thinned, spent;	       /* when `every` was last thought of; CPU time since, s */
	struct kc_sweep_counts stacks; /* what they could tell, and could not */
	uint64_t again;		       /* samples of damage that was told before */
	struct kc_checked_stack checked;
	struct kc_arrived second;
	struct deepest deepest[KC_DEEP_THREADS];
	struct kc_deep_thread deep_threads[2 * KC_DEEP_THREADS];
	struct kc_depths depths;
};
int kc_sampling_new(const struct kc_engine *engine, struct kc_sampling **ret_sampling)
{
	struct kc_sampling *sampling = calloc(1, sizeof(*sampling));

	if (!sampling)
		return -ENOMEM;
	sampling->hearing.with = *engine;
	sampling->hz = sampling->every = 1;
	*ret_sampling = sampling;
	return 0;
}

void kc_sampling_free(struct kc_sampling *sampling)
{
	if (!sampling)
		return;
	kc_samples_free(sampling->samples);
	free(sampling);
}

/* How deep it was: the thread's deepest is kept, of those that are deeper than the others. */
static void note_depth(struct kc_sampling *sampling, const struct kc_event *event)
{
	const struct kc_kernel *kernel = sampling->hearing.with.session->kernel;
	const struct kc_sym *sym = kc_ksyms_find(kernel->ksyms, event->site);
	uint64_t depth = event->task.top - event->task.sp;
	struct deepest *least = &sampling->deepest[0];

	for (size_t i = 0; i < KC_DEEP_THREADS; i++) {
		struct deepest *it = &sampling->deepest[i];

		if (it->tid == event->task.tid && it->start_ns == event->task.start_ns) {
			least = it;
			break;
		}
		if (it->depth < least->depth)
			least = it;
	}
	if (depth <= least->depth)
		return;
	*least = (struct deepest){ event->task.start_ns, event->task.tid, depth, "" };
	snprintf(least->function, sizeof(least->function), "%s",
		 sym ? kc_sym_name(kernel->ksyms, sym) : "");
}

/* False: it can't be told from others. */
static bool identify(const struct kc_event *event, const struct kc_checked_frame *frame,
		     struct seen_frame *ret_seen)
{
	const struct kc_stack stack = kc_event_stack(event);

	*ret_seen = (struct seen_frame){
		.start_ns = event->task.start_ns,
		.tid = event->task.tid,
		.slot = frame->slot,
		.function = frame->sym->addr,
		.first_ns = event->task.boot_ns,
		.last_ns = event->task.boot_ns,
	};
	return kc_stack_word(&stack, kc_return_slot(frame->frame.cfa), &ret_seen->returns_to);
}

static bool is_same_frame(const struct seen_frame *a, const struct seen_frame *b)
{
	return a->start_ns == b->start_ns && a->tid == b->tid && a->slot == b->slot &&
	       a->function == b->function && a->returns_to == b->returns_to;
}

/* NULL: not among those that wait. */
static struct seen_frame *find_waiting(struct kc_sampling *sampling, const struct seen_frame *seen)
{
	for (size_t i = 0; i < MAX_WAITING; i++)
		if (sampling->waiting[i].slot && is_same_frame(&sampling->waiting[i], seen))
			return &sampling->waiting[i];
	return NULL;
}

/* The kernel side is to compare what differs there; one place of a thread at a time. */
static void ask_for_slot(struct kc_sampling *sampling, const struct seen_frame *waiting)
{
	if (sampling->samples && kc_samples_ask(sampling->samples, waiting->tid, waiting->slot))
		kc_debug("no second look at thread %u: no room to ask for it", waiting->tid);
}

/* It will not be met again; if it never was, nothing was proved. 0 or a sink's error. */
static int drop(struct kc_sampling *sampling, struct seen_frame *waiting)
{
	const struct seen_frame dropped = *waiting;

	if (!dropped.slot)
		return 0;
	*waiting = (struct seen_frame){};
	if (sampling->samples)
		kc_samples_ask_no_more(sampling->samples, dropped.tid);
	if (dropped.told)
		return 0;
	sampling->hearing.unproven++;
	return kc_tell_unproven(sampling->hearing.with.sinks, &dropped.task, dropped.place,
				&sampling->hearing.told);
}

/* Looks that are further apart may be at two calls. */
static bool is_too_old(const struct kc_sampling *sampling, const struct seen_frame *waiting,
		       uint64_t now)
{
	uint64_t turns = MAX_TURNS * NSEC_PER_SEC / sampling->hz;

	return !waiting->told &&
	       waiting->last_ns + (turns > NSEC_PER_SEC ? turns : NSEC_PER_SEC) < now;
}

static int drop_old(struct kc_sampling *sampling, uint64_t now)
{
	int err = 0;

	for (size_t i = 0; i < MAX_WAITING; i++)
		if (is_too_old(sampling, &sampling->waiting[i], now))
			err = kc_first_error(err, drop(sampling, &sampling->waiting[i]));
	return err;
}

static int wait_for_second(struct kc_sampling *sampling, const struct kc_event *event,
			   const struct kc_checked_frame *frame, const struct seen_frame *seen)
{
	struct seen_frame *waiting = &sampling->waiting[sampling->next++ % MAX_WAITING];
	int err = drop(sampling, waiting);

	*waiting = *seen;
	waiting->task = event->task;
	kc_frame_text(sampling->hearing.with.session->kernel, &frame->frame, waiting->place);
	ask_for_slot(sampling, waiting);
	return err;
}

/* It was compared in the kernel, too. Its event tells of the first. */
static int tell_second(struct kc_sampling *sampling, const struct kc_event *event,
		       struct seen_frame *waiting)
{
	const struct kc_first none = {};
	int err;

	memcpy(&sampling->second, event, event->task.size);
	sampling->second.event.caller = waiting->first_ns;
	sampling->second.event.flags |= waiting->mended ? KC_EVENT_ANEW : 0;
	err = kc_event_handle(&sampling->hearing, &sampling->second.event, &none);
	if (!sampling->hearing.is_told)
		return err;
	waiting->told = true;
	waiting->mended = false;
	waiting->wait_ns = waiting->wait_ns ? 2 * waiting->wait_ns : NSEC_PER_SEC;
	waiting->next_ns = event->task.boot_ns + waiting->wait_ns;
	return err;
}

/* The innermost one that differs: the others of its stack are in the finding's views. */
static int on_difference(struct kc_sampling *sampling, const struct kc_event *event,
			 const struct kc_checked_frame *frame)
{
	struct seen_frame seen, *waiting;
	int err;

	if (!identify(event, frame, &seen)) {
		sampling->hearing.unproven++;
		return 0;
	}
	waiting = find_waiting(sampling, &seen);
	if (waiting && is_too_old(sampling, waiting, seen.last_ns)) {
		err = drop(sampling, waiting);
		return kc_first_error(err, wait_for_second(sampling, event, frame, &seen));
	}
	if (!waiting)
		return wait_for_second(sampling, event, frame, &seen);
	/* On another CPU its clock may have been first, and its sample is taken last. */
	if (seen.last_ns <= waiting->last_ns)
		return 0;
	waiting->last_ns = seen.last_ns;
	if (!waiting->first_ns)
		waiting->first_ns = seen.last_ns;
	else if (seen.last_ns < waiting->next_ns)
		sampling->again += waiting->told;
	else if (event->damage.slot == waiting->slot)
		return tell_second(sampling, event, waiting);
	/* It was on its way before we asked, or while we asked for another of the thread's. */
	ask_for_slot(sampling, waiting);
	return 0;
}

/* What differed in a sample does so no more: whatever it was, it is no damage. */
static int on_intact(struct kc_sampling *sampling, const struct kc_event *event,
		     const struct kc_checked_frame *frame)
{
	struct seen_frame seen, *waiting;

	if (!sampling->next /* nothing has ever differed */ || !identify(event, frame, &seen))
		return 0;
	waiting = find_waiting(sampling, &seen);
	if (!waiting || waiting->last_ns >= seen.last_ns)
		return 0;
	if (!waiting->told)
		return drop(sampling, waiting);
	/* What was told is not what may be met from now on. */
	waiting->mended = true;
	waiting->last_ns = seen.last_ns;
	waiting->first_ns = waiting->next_ns = waiting->wait_ns = 0;
	return 0;
}

static int look_at_frames(struct kc_sampling *sampling, const struct kc_event *event)
{
	const struct kc_checked_stack *checked = &sampling->checked;
	bool differed = false;
	int err = 0;

	for (size_t i = 0; !err && i < checked->count; i++) {
		const struct kc_checked_frame *frame = &checked->frames[i];

		if (frame->status == KC_CHECK_INTACT)
			err = on_intact(sampling, event, frame);
		else if (frame->status == KC_CHECK_DAMAGED && !differed)
			err = on_difference(sampling, event, frame);
		differed |= frame->status == KC_CHECK_DAMAGED;
	}
	return err;
}

int kc_sampling_take(struct kc_sampling *sampling, const struct kc_event *event)
{
	const struct kc_engine *with = &sampling->hearing.with;
	const struct kc_frame from = kc_event_frame(event);
	const struct kc_stack stack = kc_event_stack(event);
	struct kc_seen nothing = {}; /* what findings rest on is replayed, and this is not */

	if (!event->task.count) /* its stack could not be read: counted as a loss */
		return 0;
	note_depth(sampling, event);
	kc_check_stack(with->session->kernel, with->session->plans, &nothing, &stack, &from,
		       &sampling->checked);
	kc_seen_free(&nothing);
	kc_coverage_add_stack(&sampling->stacks, &sampling->checked);
	kc_explain_stack(with->session->kernel, &event->task, &sampling->checked);
	return look_at_frames(sampling, event);
}

/* Told when it has become more. */
static int tell_refused(struct kc_sampling *sampling)
{
	unsigned int before = sampling->refused;
	char text[160];
	int err;

	sampling->refused = kc_samples_refused(sampling->samples, &err);
	if (sampling->refused > sampling->most_refused)
		sampling->most_refused = sampling->refused;
	if (sampling->refused <= before)
		return 0;
	snprintf(text, sizeof(text), "no samples on %u CPUs: %s%s", sampling->refused,
		 kc_strerror(err),
		 err == -EINVAL ? " (kernel.perf_event_max_sample_rate is lower?)" : "");
	return kc_sinks_notice(sampling->hearing.with.sinks, text);
}

int kc_sampling_start(struct kc_sampling *sampling, const struct kc_filter *filter, unsigned int hz)
{
	struct kc_failure failure;
	char text[sizeof(failure.text) + 40];

	sampling->cgroup = filter->cgroup;
	sampling->hz = hz;
	sampling->thinned = kc_seconds_of(CLOCK_MONOTONIC);
	if (kc_samples_new(sampling->hearing.with.session->kernel, filter, hz, &failure,
			   &sampling->samples)) {
		sampling->most_refused = sysconf(_SC_NPROCESSORS_ONLN);
		snprintf(text, sizeof(text), "no samples of running tasks: %s", failure.text);
		return kc_sinks_notice(sampling->hearing.with.sinks, text);
	}
	return kc_sampling_follow(sampling);
}

int kc_sampling_fd(const struct kc_sampling *sampling, struct timespec *left)
{
	uint64_t now = kc_boot_ns(), until = sampling->looked_ns + PAUSE_NS;

	if (!sampling->samples)
		return -1;
	if (now >= until)
		return kc_samples_fd(sampling->samples);
	if (left->tv_sec || (uint64_t)left->tv_nsec > until - now)
		*left = (struct timespec){ .tv_nsec = until - now };
	return -1;
}

bool kc_sampling_is_on(const struct kc_sampling *sampling)
{
	return sampling->samples;
}

/* A host with many CPUs that are all in the kernel has more samples than we may look at. */
static void thin(struct kc_sampling *sampling)
{
	double now = kc_seconds_of(CLOCK_MONOTONIC), wall = now - sampling->thinned, share;

	if (wall < 1)
		return;
	share = sampling->spent / wall;
	sampling->thinned = now;
	sampling->spent = 0;
	if (share > sampling->hz * MAX_SHARE && sampling->every < MAX_EVERY)
		sampling->every *= 2;
	else if (share < sampling->hz * MAX_SHARE / 3 && sampling->every > 1)
		sampling->every /= 2;
	kc_samples_thin(sampling->samples, sampling->every);
}

int kc_sampling_follow(struct kc_sampling *sampling)
{
	uint64_t id = 0;

	if (!sampling->samples)
		return 0;
	if (sampling->cgroup) {
		kc_cgroup_id(sampling->cgroup, &id); /* 0: nobody is known to be in it */
		kc_samples_set_cgroup(sampling->samples, id);
	}
	kc_samples_follow_cpus(sampling->samples);
	thin(sampling);
	return drop_old(sampling, kc_boot_ns()) ?: tell_refused(sampling);
}

int kc_sampling_look(struct kc_sampling *sampling)
{
	const struct kc_event *event;
	double began = kc_seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	int err = 0, got;

	sampling->looked_ns = kc_boot_ns();
	sampling->is_empty = false;
	for (size_t i = 0; sampling->samples && !err && i < MAX_AT_ONCE; i++) {
		got = kc_samples_next(sampling->samples, &event);
		sampling->is_empty = !got;
		if (!got)
			break;
		if (got > 0)
			err = kc_sampling_take(sampling, event);
		else
			sampling->hearing.unproven++; /* it made no sense */
	}
	sampling->spent += kc_seconds_of(CLOCK_PROCESS_CPUTIME_ID) - began;
	return err;
}

int kc_sampling_stop(struct kc_sampling *sampling)
{
	int err = 0;

	if (!sampling->samples)
		return 0;
	kc_samples_stop(sampling->samples);
	do
		err = kc_sampling_look(sampling);
	while (!err && !sampling->is_empty);
	for (size_t i = 0; i < MAX_WAITING; i++)
		err = kc_first_error(err, drop(sampling, &sampling->waiting[i]));
	return err;
}

/* Of frames whose plan is known, and not what it says at this instruction. */
static uint64_t count_unsure(const struct kc_sweep_counts *stacks)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < KC_BLIND_NR; i++)
		if (i != KC_BLIND_NO_PLAN && i != KC_BLIND_UNWIND)
			sum += stacks->blind[i];
	return sum;
}

void kc_sampling_counts(const struct kc_sampling *sampling, struct kc_coverage *coverage)
{
	const struct kc_sweep_counts *stacks = &sampling->stacks;
	struct kc_watch_counts *counts = &coverage->watch;
	struct kc_sample_count sampled;

	counts->unsampled = sampling->most_refused;
	coverage->probes.unproven += sampling->hearing.unproven;
	if (!sampling->samples)
		return;
	sampled = kc_samples_counts(sampling->samples);
	counts->sampled = sampled.taken;
	counts->sample_other_stack = sampled.other_stack;
	counts->sample_skipped = sampled.skipped;
	counts->sample_slots = stacks->verified;
	counts->sample_again = sampling->again;
	counts->sample_unplanned = stacks->blind[KC_BLIND_NO_PLAN];
	counts->sample_unsure = count_unsure(stacks);
	for (size_t i = 0; i < KC_UNWIND_NR_ENDS; i++)
		counts->sample_unfollowed += stacks->unwind_ends[i];
	for (size_t i = 0; i < KC_LOSS_NR; i++)
		counts->sample_lost += kc_samples_loss(sampling->samples, i);
}

static int by_sampled_depth(const void *a, const void *b)
{
	const struct kc_deep_thread *x = a, *y = b;

	return x->depth > y->depth ? -1 : x->depth < y->depth;
}

static void join_deep(struct kc_deep_thread *threads, size_t *count, struct kc_deep_thread thread)
{
	for (size_t i = 0; i < *count; i++)
		if (threads[i].tid == thread.tid) {
			if (threads[i].depth < thread.depth)
				threads[i] = thread;
			return;
		}
	threads[(*count)++] = thread;
}

const struct kc_depths *kc_sampling_depths(struct kc_sampling *sampling,
					   const struct kc_depths *depths)
{
	struct kc_deep_thread *threads = sampling->deep_threads;
	size_t count = 0;

	for (size_t i = 0; i < depths->nr_threads; i++)
		join_deep(threads, &count, depths->threads[i]);
	for (size_t i = 0; i < KC_DEEP_THREADS; i++)
		if (sampling->deepest[i].tid)
			join_deep(threads, &count,
				  (struct kc_deep_thread){
					  .tid = sampling->deepest[i].tid,
					  .depth = sampling->deepest[i].depth,
					  .function = sampling->deepest[i].function,
				  });
	if (count)
		qsort(threads, count, sizeof(*threads), by_sampled_depth);
	sampling->depths = *depths;
	sampling->depths.threads = threads;
	sampling->depths.nr_threads = count < KC_DEEP_THREADS ? count : KC_DEEP_THREADS;
	return &sampling->depths;
}
