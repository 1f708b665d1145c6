// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/record.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "kc_arch.h"
#include "monitor/onrecord.h"
#include "source/facts.h"
#include "util/log.h"

struct kc_recorder {
	struct kc_source source; /* first: recorder_of() */
	struct kc_sink sink;
	struct kc_source *inner;
	struct kc_tape *tape;
	struct kc_facts *facts, *fresh; /* of the kernel in use; of one that may come into use */
	uint32_t thread_size;
	bool ended; /* nothing more is written */
	/* A record or event on its way to the tape. */
	struct {
		struct kc_event event;
		uint64_t words[KC_STACK_WORDS];
		struct kc_returns returns;
	} moved;
	/* Of the pass that is under way. */
	kc_record_fn fn;
	void *arg;
};
_Static_assert(offsetof(struct kc_recorder, moved.words) ==
		       offsetof(struct kc_recorder, moved.event) + sizeof(struct kc_event),
	       "the words follow the event");

static struct kc_recorder *recorder_of(struct kc_source *source)
{
	return (struct kc_recorder *)source;
}

static struct kc_recorder *of_sink(struct kc_sink *sink)
{
	return (struct kc_recorder *)((char *)sink - offsetof(struct kc_recorder, sink));
}

static void note_entry(struct kc_recorder *recorder, enum kc_tape_kind kind, const void *data,
		       size_t len)
{
	kc_tape_add(recorder->tape, kind, data, len, NULL, 0);
}

/* A full disk ends the recording, not the watch. */
static void flush_tape(struct kc_recorder *recorder)
{
	int err;

	if (recorder->ended)
		return;
	if (recorder->facts)
		kc_facts_write(recorder->facts);
	err = kc_tape_flush(recorder->tape);
	if (!err && !kc_tape_is_full(recorder->tape))
		return;
	recorder->ended = true;
	kc_warn("the recording ends here: %s",
		err ? kc_strerror(err)
		    : "it would be larger than --max-size, or than 1 GiB unpacked");
}

/* Where a stack was put on the tape, and what is told of it. */
struct moving {
	const struct kc_facts *facts;
	uint64_t bottom, top, by; /* of the stack; taken off */
};

static struct moving moving_of(const struct kc_recorder *recorder, const struct kc_record *record)
{
	return (struct moving){
		.facts = recorder->facts,
		.bottom = record->top - recorder->thread_size,
		.top = record->top,
		.by = record->top - KC_TAPE_TOP,
	};
}

static uint64_t move_word(const struct moving *moving, uint64_t word)
{
	if (word >= moving->bottom && word <= moving->top)
		return word - moving->by;
	return kc_facts_move(moving->facts, word);
}

static void move_record(const struct moving *moving, struct kc_record *record)
{
	record->sp = move_word(moving, record->sp);
	record->top = move_word(moving, record->top);
}

static void move_words(const struct moving *moving, uint64_t *words, size_t count)
{
	for (size_t i = 0; i < count; i++)
		words[i] = move_word(moving, words[i]);
}

/* The words, and what the return addresses among them were; all text is in one half. */
static void move_stack(const struct moving *moving, struct kc_record *record)
{
	struct kc_returns *returns = (struct kc_returns *)kc_record_returns(record);
	uint32_t high = returns ? returns->high : 0;

	move_words(moving, (uint64_t *)(record + 1), record->count);
	for (uint32_t i = 0; returns && i < KC_TASK_SLOTS; i++) {
		uint64_t moved = move_word(moving, (uint64_t)high << 32 | returns->was[i]);

		/* Behind those that count there may be another stack's. */
		returns->was[i] = i < returns->count ? moved : 0;
		if (i < returns->count)
			returns->high = moved >> 32;
	}
}

static int on_recorded(const struct kc_record *record, void *arg)
{
	struct kc_recorder *recorder = arg;
	struct moving moving = moving_of(recorder, record);
	struct kc_record *copy = (struct kc_record *)&recorder->moved;

	if (record->size <= sizeof(recorder->moved)) {
		memcpy(copy, record, record->size);
		move_record(&moving, copy);
		if (record->kind == KC_RECORD_STACK)
			move_stack(&moving, copy);
		for (size_t i = 0; record->kind == KC_RECORD_DAMAGE && i < record->count; i++) {
			struct kc_damage *damage = (struct kc_damage *)(copy + 1) + i;

			damage->slot = move_word(&moving, damage->slot);
		}
		note_entry(recorder, KC_TAPE_RECORD, copy, record->size);
	}
	return recorder->fn(record, recorder->arg);
}

static int record_pass(struct kc_source *source, uint32_t only_tid, kc_record_fn fn, void *arg,
		       struct kc_pass *ret_pass)
{
	struct kc_recorder *recorder = recorder_of(source);
	struct kc_tape_passed passed = {};

	recorder->fn = fn;
	recorder->arg = arg;
	note_entry(recorder, KC_TAPE_PASS, &only_tid, sizeof(only_tid));
	passed.err = kc_source_pass(recorder->inner, only_tid, on_recorded, recorder, ret_pass);
	passed.pass = *ret_pass;
	note_entry(recorder, KC_TAPE_PASSED, &passed, sizeof(passed));
	return passed.err;
}

static int record_cache(struct kc_source *source, const struct kc_record *record,
			const struct kc_sleep_facts *facts)
{
	struct kc_recorder *recorder = recorder_of(source);
	int32_t err = kc_source_cache(recorder->inner, record, facts);

	note_entry(recorder, KC_TAPE_CACHED, &err, sizeof(err));
	return err;
}

static void record_follow(struct kc_source *source, uint32_t tid)
{
	kc_source_follow(recorder_of(source)->inner, tid);
}

static int record_learn(struct kc_source *source, uint64_t key, const struct kc_rule *rule)
{
	return kc_source_learn(recorder_of(source)->inner, key, rule);
}

static void record_uncache(struct kc_source *source, uint32_t tid)
{
	kc_source_uncache(recorder_of(source)->inner, tid);
}

static void record_flush(struct kc_source *source)
{
	kc_source_flush(recorder_of(source)->inner);
}

/* A pass is over. */
static void record_trim(struct kc_source *source)
{
	struct kc_recorder *recorder = recorder_of(source);

	kc_source_trim(recorder->inner);
	flush_tape(recorder);
}

static void record_losses(struct kc_source *source, uint64_t ret_losses[static KC_LOSS_NR])
{
	kc_source_losses(recorder_of(source)->inner, ret_losses);
}

static bool record_is_stale(struct kc_source *source, uint64_t at_ns)
{
	struct kc_recorder *recorder = recorder_of(source);
	uint8_t stale = kc_source_is_stale(recorder->inner, at_ns);

	note_entry(recorder, KC_TAPE_STALE, &stale, sizeof(stale));
	return stale;
}

static int record_reload(struct kc_source *source, struct kc_kernel **ret_kernel)
{
	struct kc_recorder *recorder = recorder_of(source);
	const struct kc_rebase *rebase = kc_facts_rebase(recorder->facts);
	int32_t err = kc_source_reload(recorder->inner, ret_kernel);

	/* What is said of the old kernel ends where the new one begins. */
	kc_facts_write(recorder->facts);
	if (!err) {
		/* Where there was no module, nothing was moved by where they lie. */
		err = kc_facts_begin(*ret_kernel, recorder->tape,
				     rebase->modules_by ? rebase : NULL, &recorder->fresh);
		if (err)
			kc_kernel_free(*ret_kernel);
	}
	note_entry(recorder, KC_TAPE_RELOAD, &err, sizeof(err));
	return err;
}

static void record_adopted(struct kc_source *source)
{
	struct kc_recorder *recorder = recorder_of(source);

	kc_source_adopted(recorder->inner);
	kc_facts_end(recorder->facts);
	recorder->facts = kc_take(recorder->fresh);
}

static void record_event(struct kc_source *source, const struct kc_event *event,
			 const struct kc_first *first)
{
	struct kc_recorder *recorder = recorder_of(source);
	struct moving moving = moving_of(recorder, &event->task);
	struct kc_event *copy = &recorder->moved.event;
	const struct kc_tape_event head = { *first };

	memcpy(copy, event, event->task.size);
	copy->site = move_word(&moving, event->site);
	copy->caller = move_word(&moving, event->caller);
	/* Without a copy of the stack, where it is says nothing. */
	if (!event->task.count) {
		copy->task.sp = copy->task.top = KC_TAPE_TOP;
		copy->bp = 0;
		copy->damage.slot = event->damage.slot ? KC_TAPE_TOP : 0;
	} else {
		move_record(&moving, &copy->task);
		copy->bp = move_word(&moving, event->bp);
		copy->damage.slot = move_word(&moving, event->damage.slot);
	}
	move_words(&moving, recorder->moved.words, event->task.count);
	kc_tape_add(recorder->tape, KC_TAPE_EVENT, &head, sizeof(head), copy, event->task.size);
}

static void record_process(struct kc_source *source, const struct kc_whose *whose,
			   struct kc_process *ret_process)
{
	struct kc_recorder *recorder = recorder_of(source);
	struct kc_tape_process process = { .whose = *whose };

	kc_source_process(recorder->inner, whose, ret_process);
	process.process = *ret_process;
	process.process.syscall_name = NULL;
	note_entry(recorder, KC_TAPE_PROCESS, &process, sizeof(process));
}

static void record_words(struct kc_source *source, const struct kc_kernel *kernel,
			 const struct kc_words_at *at, const uint64_t *copied,
			 struct kc_pointed_words *ret_words)
{
	struct kc_recorder *recorder = recorder_of(source);

	kc_source_words(recorder->inner, kernel, at, copied, ret_words);
	note_entry(recorder, KC_TAPE_WORDS, ret_words,
		   offsetof(struct kc_pointed_words, word[ret_words->count]));
}

static void record_host(struct kc_source *source, struct kc_host *ret_host)
{
	struct kc_recorder *recorder = recorder_of(source);

	kc_source_host(recorder->inner, ret_host);
	note_entry(recorder, KC_TAPE_HOST, ret_host, sizeof(*ret_host));
}

static void record_now(struct kc_source *source, struct timespec *ret_time)
{
	struct kc_recorder *recorder = recorder_of(source);

	kc_source_now(recorder->inner, ret_time);
	note_entry(recorder, KC_TAPE_NOW, ret_time, sizeof(*ret_time));
}

static uint64_t record_number(struct kc_source *source, uint64_t next)
{
	note_entry(recorder_of(source), KC_TAPE_NUMBER, &next, sizeof(next));
	return next;
}

static bool record_again(struct kc_source *source, bool wanted)
{
	const uint8_t again = wanted;

	note_entry(recorder_of(source), KC_TAPE_AGAIN, &again, sizeof(again));
	return wanted;
}

/* The recorder is its maker's; the source that it asks, too. */
static void record_free(struct kc_source *source)
{
	(void)source;
}

static const struct kc_source_ops source_ops = {
	.pass = record_pass,
	.cache = record_cache,
	.uncache = record_uncache,
	.follow = record_follow,
	.learn = record_learn,
	.flush = record_flush,
	.trim = record_trim,
	.losses = record_losses,
	.is_stale = record_is_stale,
	.reload = record_reload,
	.adopted = record_adopted,
	.event = record_event,
	.process = record_process,
	.words = record_words,
	.host = record_host,
	.now = record_now,
	.number = record_number,
	.again = record_again,
	.free = record_free,
};

static int note_start(struct kc_sink *sink, const struct kc_when *when,
		      const struct kc_start *start)
{
	struct kc_recorder *recorder = of_sink(sink);
	const struct kc_filter *filter = start->filter;
	struct kc_tape_start head = {
		.when = *when,
		.pid = filter->pid,
		.tid = filter->tid,
		.period = start->period,
		.tripwire = start->tripwire,
		.gate = start->gate,
		.sample_hz = start->sample_hz,
	};
	kc_auto_free char *strings = NULL;
	char text[320];
	int len;

	for (size_t i = 0; i < start->nr_probed; i++) {
		const struct kc_probed *probed = &start->probed[i];
		struct kc_tape_probed row = { probed->checks, probed->returns };

		len = snprintf(text, sizeof(text), "%s%c%s", probed->function, '\0',
			       probed->instead_of);
		kc_tape_add(recorder->tape, KC_TAPE_PROBED, &row, sizeof(row), text, len + 1);
	}
	len = asprintf(&strings, "%s%c%s", filter->comm ?: "", '\0', filter->cgroup ?: "");
	if (len < 0)
		return -ENOMEM;
	kc_tape_add(recorder->tape, KC_TAPE_START, &head, sizeof(head), strings, len + 1);
	flush_tape(recorder);
	return 0;
}

static int note_notice(struct kc_sink *sink, const struct kc_when *when, const char *text)
{
	kc_tape_add(of_sink(sink)->tape, KC_TAPE_NOTICE, when, sizeof(*when), text,
		    strlen(text) + 1);
	return 0;
}

static void counts_of(const struct kc_when *when, const struct kc_coverage *coverage,
		      struct kc_tape_counts *ret_counts)
{
	*ret_counts = (struct kc_tape_counts){
		.when = *when,
		.probes = coverage->probes,
		.cpu_seconds = coverage->cpu_seconds,
		.first_pass_cpu = coverage->first_pass_cpu,
		.pass_cpu = coverage->pass_cpu,
		.seconds = coverage->seconds,
		.findings = coverage->told.findings,
	};
	memcpy(ret_counts->sweep_losses, coverage->sweep.losses, sizeof(ret_counts->sweep_losses));
}

/* Nothing of it is the rule. */
static void note_watch(struct kc_recorder *recorder, const struct kc_watch_counts *counts)
{
	const struct kc_watch_counts none = {};

	if (memcmp(counts, &none, sizeof(none)))
		note_entry(recorder, KC_TAPE_WATCH, counts, sizeof(*counts));
}

static int note_stats(struct kc_sink *sink, const struct kc_when *when,
		      const struct kc_coverage *coverage)
{
	struct kc_tape_counts counts;

	note_watch(of_sink(sink), &coverage->watch);
	counts_of(when, coverage, &counts);
	note_entry(of_sink(sink), KC_TAPE_STATS, &counts, sizeof(counts));
	return 0;
}

static int note_stop(struct kc_sink *sink, const struct kc_when *when,
		     const struct kc_coverage *coverage, const struct kc_depths *depths,
		     const char *why)
{
	struct kc_recorder *recorder = of_sink(sink);
	struct kc_tape_counts counts;

	for (size_t i = 0; i < depths->nr_functions; i++)
		kc_tape_add(recorder->tape, KC_TAPE_DEPTH, &depths->functions[i].depth,
			    sizeof(struct kc_depth), depths->functions[i].function,
			    strlen(depths->functions[i].function) + 1);
	for (size_t i = 0; i < depths->nr_threads; i++) {
		struct kc_tape_deep deep = { .tid = depths->threads[i].tid,
					     .depth = depths->threads[i].depth };

		kc_tape_add(recorder->tape, KC_TAPE_DEEP, &deep, sizeof(deep),
			    depths->threads[i].function, strlen(depths->threads[i].function) + 1);
	}
	note_watch(recorder, &coverage->watch);
	counts_of(when, coverage, &counts);
	kc_tape_add(recorder->tape, KC_TAPE_STOP, &counts, sizeof(counts), why, strlen(why) + 1);
	flush_tape(recorder);
	return 0;
}

/* After a finding, which may be the last. */
static int note_sync(struct kc_sink *sink)
{
	flush_tape(of_sink(sink));
	kc_tape_sync(of_sink(sink)->tape);
	return 0;
}

static void forget_sink(struct kc_sink *sink)
{
	(void)sink;
}

static const struct kc_sink_ops sink_ops = {
	.start = note_start,
	.notice = note_notice,
	.stats = note_stats,
	.stop = note_stop,
	.sync = note_sync,
	.free = forget_sink,
};

int kc_recorder_new(struct kc_session *session, struct kc_tape *tape,
		    struct kc_recorder **ret_recorder)
{
	struct kc_recorder *recorder = calloc(1, sizeof(*recorder));
	int err;

	if (!recorder)
		return -ENOMEM;
	recorder->source.ops = &source_ops;
	recorder->sink.ops = &sink_ops;
	recorder->tape = tape;
	recorder->thread_size = session->kernel->thread_size;
	err = kc_facts_begin(session->kernel, tape, NULL, &recorder->facts);
	if (err) {
		free(recorder);
		return err;
	}
	*ret_recorder = recorder;
	return 0;
}

void kc_recorder_free(struct kc_recorder *recorder)
{
	if (!recorder)
		return;
	flush_tape(recorder);
	kc_facts_end(recorder->facts);
	kc_facts_end(recorder->fresh);
	free(recorder);
}

struct kc_source *kc_recorder_source(struct kc_recorder *recorder, struct kc_source *source)
{
	recorder->inner = source;
	return &recorder->source;
}

struct kc_sink *kc_recorder_sink(struct kc_recorder *recorder)
{
	return &recorder->sink;
}

uint32_t kc_recorder_layouts(void)
{
	return kc_facts_layouts + sizeof(struct kc_record) + sizeof(struct kc_event) +
	       sizeof(struct kc_tape_passed) + sizeof(struct kc_tape_event) +
	       sizeof(struct kc_tape_process) + sizeof(struct kc_tape_start) +
	       sizeof(struct kc_tape_counts) + sizeof(struct kc_host) + sizeof(struct kc_depth);
}
