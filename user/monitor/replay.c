// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/replay.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "monitor/hearing.h"
#include "monitor/onrecord.h"
#include "monitor/pass.h"
#include "util/array.h"

struct kc_replay {
	struct kc_taped taped;
	struct kc_session session;
	/* The engine, from the start on. */
	struct kc_filter filter;
	struct kc_sink forward; /* findings of the engine go on to `sinks` */
	struct kc_sinks inner, *sinks;
	struct kc_desk *desk;
	struct kc_passes *passes;
	struct kc_hearing hearing;
	struct kc_when when;
	/* Events with evidence, in the order in which it was written. */
	const struct kc_tape_entry **evidence;
	size_t nr_evidence, evidence_capacity, next_evidence;
	size_t next;		      /* notices among the entries before this one were told */
	struct kc_watch_counts watch; /* as told last */
	/* Told before the start, and before the stop. */
	struct kc_probed *probed;
	size_t nr_probed, probed_capacity;
	struct kc_function_depth *functions;
	size_t nr_functions, functions_capacity;
	struct kc_deep_thread *threads;
	size_t nr_threads, threads_capacity;
	bool stopped;
};

/* What was written when no more than this had been told, unless it was told already. */
static void tell_evidence_until(struct kc_replay *replay, uint64_t told)
{
	while (replay->next_evidence < replay->nr_evidence) {
		const struct kc_tape_event *head = replay->evidence[replay->next_evidence]->data;
		const struct kc_evidence evidence = {
			.first = head->first,
			.event = (const struct kc_event *)(head + 1),
		};

		if (head->first.after > told)
			break;
		replay->next_evidence++;
		kc_sinks_evidence(replay->sinks, &replay->session, &evidence, KC_EVIDENCE_ALL, NULL,
				  NULL);
	}
}

/* Before the next thing is told. */
static void tell_evidence(struct kc_replay *replay)
{
	tell_evidence_until(replay, kc_sinks_told(replay->sinks));
}

/* The nth text behind a head of so many bytes; NULL: it is not there. */
static const char *text_of(const struct kc_tape_entry *entry, size_t head, size_t nth)
{
	const char *text = (const char *)entry->data + head,
		   *end = (const char *)entry->data + entry->len;

	if (entry->len <= head || end[-1])
		return NULL;
	while (nth-- && text < end)
		text += strlen(text) + 1;
	return text < end ? text : NULL;
}

/* Of damage in an entry. */
#define MALFORMED -EBADMSG

static int tell_notice(struct kc_replay *replay, const struct kc_tape_entry *entry)
{
	const char *text = text_of(entry, sizeof(replay->when), 0);

	if (!text)
		return MALFORMED;
	memcpy(&replay->when, entry->data, sizeof(replay->when));
	tell_evidence(replay);
	return kc_sinks_notice(replay->sinks, text);
}

/* What a pass has told before this finding: all that lies before the last answer. */
static int tell_notices(struct kc_replay *replay)
{
	const struct kc_taped *taped = &replay->taped;
	size_t end = 0;
	int err = 0;

	for (size_t kind = 0; kind < KC_TAPE_NR; kind++)
		end = taped->at[kind] > end ? taped->at[kind] : end;
	for (; !err && replay->next < end; replay->next++)
		if (taped->entries[replay->next].kind == KC_TAPE_NOTICE)
			err = tell_notice(replay, &taped->entries[replay->next]);
	return err;
}

static int forward_finding(struct kc_sink *sink, const struct kc_kernel *kernel,
			   const struct kc_finding *finding)
{
	struct kc_replay *replay =
		(struct kc_replay *)((char *)sink - offsetof(struct kc_replay, forward));
	int err = tell_notices(replay);

	tell_evidence(replay);
	return err ?: kc_sinks_finding(replay->sinks, kernel, finding);
}

static void forward_free(struct kc_sink *sink)
{
	(void)sink;
}

/* What the engine says beside findings is on the tape: it is told from there. */
static const struct kc_sink_ops forward_ops = { .finding = forward_finding, .free = forward_free };

static int by_time_written(const void *a, const void *b)
{
	const struct kc_tape_event *x = (*(const struct kc_tape_entry *const *)a)->data;
	const struct kc_tape_event *y = (*(const struct kc_tape_entry *const *)b)->data;

	if (x->first.after != y->first.after)
		return x->first.after < y->first.after ? -1 : 1;
	return x->first.number < y->first.number ? -1 : x->first.number > y->first.number;
}

/* Lookers write evidence at once; events lie on the tape as the main thread took them. */
static int sort_evidence(struct kc_replay *replay)
{
	for (size_t i = 0; i < replay->taped.count; i++) {
		const struct kc_tape_entry *entry = &replay->taped.entries[i];
		const struct kc_tape_event *head = entry->data;

		if (entry->kind != KC_TAPE_EVENT || !kc_taped_is_event(&replay->taped, entry) ||
		    !head->first.number)
			continue;
		if (kc_grow(replay->evidence, replay->evidence_capacity, replay->nr_evidence + 1))
			return -ENOMEM;
		replay->evidence[replay->nr_evidence++] = entry;
	}
	if (replay->nr_evidence)
		qsort(replay->evidence, replay->nr_evidence, sizeof(*replay->evidence),
		      by_time_written);
	return 0;
}

int kc_replay_new(struct kc_tape *tape, struct kc_failure *ret_failure,
		  struct kc_replay **ret_replay)
{
	struct kc_replay *replay kc_auto(kc_cleanup_replay) = calloc(1, sizeof(*replay));
	struct kc_kernel *kernel;
	int err;

	if (!replay)
		return kc_fail_nomem(ret_failure);
	replay->forward.ops = &forward_ops;
	if (kc_taped_open(&replay->taped, tape))
		return kc_fail_nomem(ret_failure);
	err = kc_taped_kernel(&replay->taped, &kernel);
	if (err)
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, -EBADMSG,
			       "the recording is damaged from its beginning on: there is no kernel "
			       "in it");
	err = kc_session_adopt(&replay->session, kernel) ?: sort_evidence(replay);
	if (err)
		return kc_fail_nomem(ret_failure);
	*ret_replay = kc_take(replay);
	return 0;
}

void kc_replay_free(struct kc_replay *replay)
{
	if (!replay)
		return;
	kc_passes_free(replay->passes);
	kc_desk_free(replay->desk);
	kc_session_close(&replay->session);
	free(replay->probed);
	free(replay->functions);
	free(replay->threads);
	free(replay->evidence);
	kc_taped_close(&replay->taped);
	free(replay);
}

void kc_replay_host(const struct kc_replay *replay, struct kc_host *ret_host)
{
	kc_taped_host(&replay->taped, ret_host);
}

static int add_probed(struct kc_replay *replay, const struct kc_tape_entry *entry)
{
	const struct kc_tape_probed *row = entry->data;
	const char *function = text_of(entry, sizeof(*row), 0);
	const char *instead_of = text_of(entry, sizeof(*row), 1);

	if (!function || !instead_of)
		return MALFORMED;
	if (kc_grow(replay->probed, replay->probed_capacity, replay->nr_probed + 1))
		return -ENOMEM;
	replay->probed[replay->nr_probed++] =
		(struct kc_probed){ function, instead_of, row->checks, row->returns };
	return 0;
}

/* The engine, for the threads that the watch was about. */
static int start_engine(struct kc_replay *replay)
{
	int err;

	kc_sinks_add(&replay->inner, &replay->forward);
	err = kc_desk_new(&replay->filter, &replay->taped.source, &replay->inner, &replay->desk);
	replay->hearing.with = (struct kc_engine){
		.session = &replay->session,
		.source = &replay->taped.source,
		.desk = replay->desk,
		.sinks = &replay->inner,
	};
	return err ?: kc_passes_new(&replay->hearing.with, &replay->passes);
}

static int tell_start(struct kc_replay *replay, const struct kc_tape_entry *entry)
{
	const struct kc_tape_start *head = entry->data;
	const char *comm = text_of(entry, sizeof(*head), 0);
	const char *cgroup = text_of(entry, sizeof(*head), 1);
	int err;

	if (!comm || !cgroup || replay->desk)
		return MALFORMED;
	replay->filter = (struct kc_filter){
		.pid = head->pid,
		.tid = head->tid,
		.comm = *comm ? comm : NULL,
		.cgroup = *cgroup ? cgroup : NULL,
	};
	err = start_engine(replay);
	if (err)
		return err;
	replay->when = head->when;
	tell_evidence(replay);
	return kc_sinks_start(replay->sinks, &(struct kc_start){
						     .filter = &replay->filter,
						     .period = head->period,
						     .probed = replay->probed,
						     .nr_probed = replay->nr_probed,
						     .tripwire = head->tripwire,
						     .gate = head->gate,
						     .sample_hz = head->sample_hz,
					     });
}

/* Counted again, or as it was. */
static int take_counts(struct kc_replay *replay, const struct kc_tape_entry *entry,
		       struct kc_coverage *ret_coverage)
{
	const struct kc_tape_counts *counts = entry->data;

	if (entry->len < sizeof(*counts) || !replay->passes ||
	    *(const uint8_t *)&counts->probes.tells_missed > 1)
		return MALFORMED;
	*ret_coverage = (struct kc_coverage){};
	kc_passes_coverage(replay->passes, ret_coverage);
	ret_coverage->probes = counts->probes;
	ret_coverage->watch = replay->watch;
	ret_coverage->probes.deepest[sizeof(ret_coverage->probes.deepest) - 1] = '\0';
	memcpy(ret_coverage->sweep.losses, counts->sweep_losses, sizeof(counts->sweep_losses));
	ret_coverage->cpu_seconds = counts->cpu_seconds;
	ret_coverage->first_pass_cpu = counts->first_pass_cpu;
	ret_coverage->pass_cpu = counts->pass_cpu;
	ret_coverage->seconds = counts->seconds;
	replay->when = counts->when;
	if (ret_coverage->told.findings != counts->findings)
		kc_taped_blame(&replay->taped,
			       "it leads to another number of findings than were told");
	return 0;
}

static int take_watch(struct kc_replay *replay, const struct kc_tape_entry *entry)
{
	/* Counters are added at the end: of older recordings some are missing. */
	if (entry->len > sizeof(replay->watch) || entry->len % sizeof(uint64_t))
		return MALFORMED;
	replay->watch = (struct kc_watch_counts){};
	memcpy(&replay->watch, entry->data, entry->len);
	return 0;
}

static int tell_stats(struct kc_replay *replay, const struct kc_tape_entry *entry)
{
	struct kc_coverage coverage;
	int err = take_counts(replay, entry, &coverage);

	tell_evidence(replay);
	return err ?: kc_sinks_stats(replay->sinks, &coverage);
}

static int add_depth(struct kc_replay *replay, const struct kc_tape_entry *entry)
{
	struct kc_function_depth depth = { .function = text_of(entry, sizeof(depth.depth), 0) };

	if (!depth.function)
		return MALFORMED;
	memcpy(&depth.depth, entry->data, sizeof(depth.depth));
	if (kc_grow(replay->functions, replay->functions_capacity, replay->nr_functions + 1))
		return -ENOMEM;
	replay->functions[replay->nr_functions++] = depth;
	return 0;
}

static int add_deep(struct kc_replay *replay, const struct kc_tape_entry *entry)
{
	const struct kc_tape_deep *deep = entry->data;
	const char *function = text_of(entry, sizeof(*deep), 0);

	if (!function)
		return MALFORMED;
	if (kc_grow(replay->threads, replay->threads_capacity, replay->nr_threads + 1))
		return -ENOMEM;
	replay->threads[replay->nr_threads++] =
		(struct kc_deep_thread){ deep->tid, deep->depth, function };
	return 0;
}

static int tell_stop(struct kc_replay *replay, const struct kc_tape_entry *entry,
		     struct kc_coverage *ret_coverage)
{
	const char *why = text_of(entry, sizeof(struct kc_tape_counts), 0);
	int err = why ? 0 : MALFORMED;

	if (!err && replay->passes)
		err = kc_passes_end(replay->passes);
	if (!err)
		err = take_counts(replay, entry, ret_coverage);
	if (err)
		return err;
	replay->stopped = true;
	tell_evidence(replay);
	return kc_sinks_stop(replay->sinks, ret_coverage,
			     &(struct kc_depths){
				     .functions = replay->functions,
				     .nr_functions = replay->nr_functions,
				     .threads = replay->threads,
				     .nr_threads = replay->nr_threads,
			     },
			     why);
}

static int hear_event(struct kc_replay *replay, const struct kc_tape_entry *entry)
{
	const struct kc_tape_event *head = entry->data;

	if (!kc_taped_is_event(&replay->taped, entry) || !replay->desk)
		return MALFORMED;
	kc_taped_read_from(&replay->taped, entry);
	if (head->first.number)
		tell_evidence_until(replay, head->first.after);
	return kc_event_handle(&replay->hearing, (const struct kc_event *)(head + 1), &head->first);
}

/* One that failed ended the watch; its end is on the tape. */
static int run_pass(struct kc_replay *replay)
{
	int err = kc_passes_run(replay->passes);

	return replay->taped.failed && err != -EBADMSG ? 0 : err;
}

/* Unless it was told since a finding came after it, in the same pass. */
static int tell_next(struct kc_replay *replay, const struct kc_tape_entry *entry)
{
	size_t at = entry - replay->taped.entries;

	if (at < replay->next)
		return 0;
	replay->next = at + 1;
	return tell_notice(replay, entry);
}

static int replay_entry(struct kc_replay *replay, const struct kc_tape_entry *entry,
			struct kc_coverage *ret_coverage)
{
	switch (entry->kind) {
	case KC_TAPE_PASS:
		/* Those of one thread are asked for by the pass over all. */
		if (entry->len != sizeof(uint32_t) || !replay->passes)
			return MALFORMED;
		return *(const uint32_t *)entry->data ? 0 : run_pass(replay);
	case KC_TAPE_EVENT:
		return hear_event(replay, entry);
	case KC_TAPE_PROBED:
		return add_probed(replay, entry);
	case KC_TAPE_START:
		return tell_start(replay, entry);
	case KC_TAPE_NOTICE:
		return tell_next(replay, entry);
	case KC_TAPE_WATCH:
		return take_watch(replay, entry);
	case KC_TAPE_STATS:
		return tell_stats(replay, entry);
	case KC_TAPE_DEPTH:
		return add_depth(replay, entry);
	case KC_TAPE_DEEP:
		return add_deep(replay, entry);
	case KC_TAPE_STOP:
		return tell_stop(replay, entry, ret_coverage);
	default:
		return 0;
	}
}

int kc_replay_run(struct kc_replay *replay, struct kc_sinks *sinks,
		  struct kc_replayed *ret_replayed)
{
	int err = 0;

	*ret_replayed = (struct kc_replayed){};
	replay->sinks = sinks;
	sinks->when = &replay->when;
	for (size_t i = 0; !err && !replay->stopped && i < replay->taped.count; i++)
		err = replay_entry(replay, &replay->taped.entries[i], &ret_replayed->coverage);
	if (err == MALFORMED) {
		kc_taped_blame(&replay->taped, "an entry makes no sense");
		err = 0;
	}
	if (!replay->stopped)
		kc_taped_blame(&replay->taped, "its end is missing");
	if (!replay->stopped && replay->passes)
		kc_passes_coverage(replay->passes, &ret_replayed->coverage);
	ret_replayed->damage = replay->taped.damage;
	return err;
}
