// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/pass.h"

#include <errno.h>
#include <string.h>

#include "monitor/unseen.h"
#include "stack/place.h"
#include "stack/rule.h"
#include "util/array.h"
#include "util/error.h"
#include "util/log.h"
#include "util/time.h"

/* A thread that something differs of, and the function that it seems to be in. */
struct suspect {
	struct kc_record record;
	bool known; /* told, and to be proved once more */
	char place[160];
};

struct kc_passes {
	struct kc_engine with;
	struct kc_pass pass; /* the last one over all tasks */
	struct kc_sweep_counts counts;
	double first_cpu, cpu; /* seconds of CPU that the first and the last pass took */
	double started, started_cpu;
	struct kc_unseen unseen;
	struct suspect *suspects;
	size_t nr_suspects, suspects_capacity;
	unsigned int failed_reloads; /* in a row */
	kc_checked_fn on_checked;
	void *on_checked_arg;
	bool (*asked)(void *arg);
	void *asked_arg;
	double began; /* the pass that is under way */
	bool compares;
	struct kc_walks walks;
};

int kc_passes_new(const struct kc_engine *engine, struct kc_passes **ret_passes)
{
	struct kc_passes *passes = calloc(1, sizeof(*passes));

	if (!passes)
		return -ENOMEM;
	passes->with = *engine;
	passes->started = kc_seconds_of(CLOCK_MONOTONIC);
	passes->started_cpu = kc_seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	*ret_passes = passes;
	return 0;
}

void kc_passes_free(struct kc_passes *passes)
{
	if (!passes)
		return;
	free(passes->suspects);
	kc_unseen_free(&passes->unseen);
	free(passes);
}

static int suspect(struct kc_passes *passes, const struct kc_record *record, const char *place,
		   bool known)
{
	int err = kc_grow(passes->suspects, passes->suspects_capacity, passes->nr_suspects + 1);
	struct suspect *suspect;

	if (err)
		return err;
	suspect = &passes->suspects[passes->nr_suspects++];
	suspect->record = *record;
	suspect->known = known;
	snprintf(suspect->place, sizeof(suspect->place), "%s", place);
	return 0;
}

/* Of a stack that was verified before, and of whose frames the kernel side has the slots only. */
#define KNOWN_STACK "a frame that was verified before"

static int tell_unproven(struct kc_passes *passes, const struct kc_record *record,
			 const char *place)
{
	passes->counts.unproven++;
	return kc_tell_unproven(passes->with.sinks, record, place, &passes->unseen.told);
}

/* Where on the stack the return addresses lie that were followed; how many. */
static size_t find_returns(const struct kc_kernel *kernel, const struct kc_record *record,
			   const struct kc_checked_stack *checked, uint64_t returns[KC_MAX_FRAMES])
{
	size_t count = 0;

	for (size_t i = 0; i < checked->count; i++)
		if (!checked->frames[i].frame.exact)
			returns[count++] = i ? kc_return_slot(checked->frames[i - 1].frame.cfa)
					     : record->sp + kernel->inactive.ret_addr;
	return count;
}

static bool is_blind(const struct kc_checked_stack *checked)
{
	for (size_t i = 0; i < KC_BLIND_NR; i++)
		if (checked->blind[i])
			return true;
	return false;
}

/* Text is asked again in the next pass: what it says then must not be taken for known. */
static bool calls_are_settled(const struct kc_checked_stack *checked)
{
	for (size_t i = 0; i < checked->count; i++)
		if (checked->frames[i].frame.unsettled)
			return false;
	return true;
}

/*
 * Hand what must not change to the kernel side: slots, damaged or not, and return
 * addresses. A stack that could not be checked in full is not cached, so that its
 * blind spots are counted in every pass.
 */
static void cache_sleep(struct kc_passes *passes, const struct kc_record *record,
			const struct kc_checked_stack *checked)
{
	uint64_t slots[KC_MAX_FRAMES], returns[KC_MAX_FRAMES], words[KC_MAX_FRAMES];
	struct kc_sleep_facts facts = { .slots = slots, .returns = returns, .words = words };
	struct kc_stack stack = {
		.sp = record->sp,
		.top = record->top,
		.words = (const uint64_t *)(record + 1),
	};

	if (is_blind(checked) || !calls_are_settled(checked))
		return;
	facts.intact =
		!checked->damaged && !checked->nr_bad && !(record->flags & KC_RECORD_END_GONE);
	for (size_t i = 0; i < checked->count; i++)
		if (checked->frames[i].status == KC_CHECK_DAMAGED ||
		    checked->frames[i].status == KC_CHECK_INTACT)
			slots[facts.nr_slots++] = checked->frames[i].slot;
	/* What is remembered of this sleep stays so. */
	if (!kc_record_returns(record))
		facts.nr_returns =
			find_returns(passes->with.session->kernel, record, checked, returns);
	for (size_t i = 0; i < facts.nr_returns; i++)
		if (!kc_stack_word(&stack, returns[i], &words[i]))
			return;
	if (kc_source_cache(passes->with.source, record, &facts))
		passes->counts.uncached++;
}

/* What a stack was verified by verifies others in the kernel, without a copy. */
static void learn_rules(struct kc_passes *passes, const struct kc_checked_stack *checked)
{
	for (size_t i = 0; i < checked->count; i++) {
		struct kc_rule rule;
		uint64_t key;

		if (kc_rule_of(passes->with.session->kernel, checked, i, &key, &rule) &&
		    kc_source_learn(passes->with.source, key, &rule))
			passes->counts.uncached++;
	}
}

/* Of a comparison: is what the kernel side made of this stack what we make of it? */
static int compare_walk(struct kc_passes *passes, const struct kc_record *record,
			const struct kc_checked_stack *checked, const char *place)
{
	bool walked = record->flags & KC_RECORD_WALKED;
	bool differed = record->flags & KC_RECORD_WALK_DIFFERS;
	bool whole = !is_blind(checked) && !checked->through_code;

	passes->walks.stacks++;
	passes->walks.whole += whole;
	passes->walks.walked += walked;
	if (!walked || (whole && differed == (checked->damaged > 0)))
		return 0;
	passes->walks.otherwise++;
	return tell_unproven(passes, record, place);
}

/* Is any of it not told yet? */
static bool is_news(struct kc_passes *passes, const struct kc_record *record,
		    const struct kc_damaged *damaged, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!kc_desk_knows(passes->with.desk, record, damaged[i]))
			return true;
	return false;
}

/* What is known already is counted; the rest is looked at again. */
static int on_damaged(struct kc_passes *passes, const struct kc_record *record, const char *place,
		      const struct kc_damaged *damaged, size_t count)
{
	if (!count)
		return 0;
	kc_source_follow(passes->with.source, record->tid);
	if (is_news(passes, record, damaged, count))
		return suspect(passes, record, place, false);
	if (kc_source_again(passes->with.source, kc_sinks_want_again(passes->with.sinks, record)))
		return suspect(passes, record, place, true);
	kc_desk_count_repeated(passes->with.desk);
	return 0;
}

/* The kernel side has found cached slots, or the stack's end, damaged. */
static int on_damage_record(struct kc_passes *passes, const struct kc_record *record)
{
	const struct kc_damage *damage = (const struct kc_damage *)(record + 1);
	struct kc_damaged damaged[KC_TASK_SLOTS + 1];
	size_t count = 0;

	for (size_t i = 0; i < record->count && i < KC_TASK_SLOTS; i++)
		if (damage[i].changed_bytes)
			damaged[count++] = (struct kc_damaged){ KC_ANOMALY_SLOT, damage[i].slot };
	if (record->flags & KC_RECORD_END_GONE)
		damaged[count++] =
			(struct kc_damaged){ KC_ANOMALY_STACK_END,
					     kc_stack_end(passes->with.session, record) };
	/* It differed at the first read alone, in one and the same sleep. */
	if (!count)
		return tell_unproven(passes, record, KNOWN_STACK);
	return on_damaged(passes, record, KNOWN_STACK, damaged, count);
}

/* The innermost frame whose slot differs; else the one that the unwinding ended in. */
static const char *place_of(const struct kc_passes *passes, const struct kc_checked_stack *checked,
			    char place[static 160])
{
	size_t i = 0;

	if (!checked->count)
		return "(no frame)";
	while (i + 1 < checked->count && checked->frames[i].status != KC_CHECK_DAMAGED)
		i++;
	return kc_frame_text(passes->with.session->kernel, &checked->frames[i].frame, place);
}

static int take_record(struct kc_passes *passes, const struct kc_record *record)
{
	struct kc_damaged damaged[KC_MAX_DAMAGED];
	char place[160];
	struct kc_checked_stack checked;
	size_t count;

	if (record->kind == KC_RECORD_RAN)
		return kc_unseen_ran(&passes->unseen, passes->with.sinks, record,
				     passes->counts.passes);
	if (record->kind == KC_RECORD_DAMAGE)
		return on_damage_record(passes, record);
	kc_session_check(passes->with.session, record, &checked);
	kc_coverage_add_stack(&passes->counts, &checked);
	kc_explain_stack(passes->with.session->kernel, record, &checked);
	cache_sleep(passes, record, &checked);
	if (!is_blind(&checked) && !checked.damaged && !checked.through_code)
		learn_rules(passes, &checked);
	if (passes->compares) {
		int err = compare_walk(passes, record, &checked, place_of(passes, &checked, place));

		if (err)
			return err;
	}
	if (passes->on_checked) {
		int err = passes->on_checked(record, &checked, passes->on_checked_arg);

		if (err)
			return err;
	}
	if (record->flags & KC_RECORD_DIFFERED && !checked.nr_bad && !is_blind(&checked)) {
		int err = tell_unproven(passes, record, place_of(passes, &checked, place));

		if (err)
			return err;
	}
	count = kc_damaged_in(passes->with.session, record, &checked, damaged);
	/* Of a stack that was not verified in full nothing can be said to be mended. */
	if (!is_blind(&checked))
		kc_desk_seen(passes->with.desk, record, damaged, count);
	return on_damaged(passes, record, place_of(passes, &checked, place), damaged, count);
}

#define SHORT 1.0 /* seconds: a pass is run to its end, whoever asks */

/* On a busy host it may take long. */
static bool must_end(const struct kc_passes *passes)
{
	return passes->asked && kc_seconds_of(CLOCK_MONOTONIC) - passes->began > SHORT &&
	       passes->asked(passes->asked_arg);
}

static int on_record(const struct kc_record *record, void *arg)
{
	struct kc_passes *passes = arg;
	int err = take_record(passes, record);

	if (!err && must_end(passes))
		err = -EINTR;
	return err;
}

/* Each of them, whatever happens to the one before. */
static int confirm_suspects(struct kc_passes *passes)
{
	int err = 0;

	for (size_t i = 0; i < passes->nr_suspects; i++) {
		const struct suspect *suspect = &passes->suspects[i];
		const struct kc_sleep sleep = kc_sleep_of(&suspect->record);
		int one = kc_confirm(&passes->with, &sleep);

		if (!one && suspect->known)
			kc_desk_count_repeated(passes->with.desk);
		else if (!one)
			one = tell_unproven(passes, &suspect->record, suspect->place);
		err = kc_first_error(err, one < 0 ? one : 0);
	}
	passes->nr_suspects = 0;
	return err;
}

/* Reloads that may fail in a row before it is worth a warning: modules take time to load. */
#define PATIENCE 5

/*
 * Modules came or went: symbols, tables and plans may have, and what the kernel
 * side was told of them. If they can't be read just now the old ones serve for
 * this pass; it is counted, since nothing is confirmed while they are stale.
 */
static void refresh(struct kc_passes *passes)
{
	struct kc_kernel *kernel;
	int err;

	if (!kc_source_is_stale(passes->with.source, 0))
		return;
	err = kc_source_reload(passes->with.source, &kernel);
	if (!err)
		err = kc_session_adopt(passes->with.session, kernel);
	if (!err) {
		kc_source_adopted(passes->with.source);
		kc_debug("modules changed: learned the kernel again");
		kc_source_flush(passes->with.source);
		passes->failed_reloads = 0;
		return;
	}
	passes->counts.stale++;
	if (++passes->failed_reloads == PATIENCE)
		kc_warn("modules changed and the kernel can't be learned again (%s): nothing can be "
			"confirmed until that works",
			kc_strerror(err));
}

int kc_passes_run(struct kc_passes *passes)
{
	struct kc_sweep_counts *counts = &passes->counts;
	struct kc_pass *pass = &passes->pass;
	double before = kc_seconds_of(CLOCK_PROCESS_CPUTIME_ID);
	int err, confirmed;

	refresh(passes);
	kc_plans_next_pass(passes->with.session->plans);
	passes->began = kc_seconds_of(CLOCK_MONOTONIC);
	err = kc_source_pass(passes->with.source, 0, on_record, passes, pass);
	if (!err) {
		kc_unseen_passed(&passes->unseen, counts->passes);
		counts->passes++;
	}
	if (!err || !counts->passes)
		counts->tasks = pass->tasks;
	counts->running += pass->running;
	counts->dead += pass->dead;
	counts->moved += pass->moved;
	counts->unreadable += pass->unreadable;
	counts->checked += pass->copied + pass->cached;
	counts->verified += pass->cached_slots;
	confirmed = confirm_suspects(passes);
	kc_source_trim(passes->with.source);
	passes->cpu = kc_seconds_of(CLOCK_PROCESS_CPUTIME_ID) - before;
	if (!err && counts->passes == 1)
		passes->first_cpu = passes->cpu;
	return kc_first_error(err, confirmed);
}

int kc_passes_end(struct kc_passes *passes)
{
	/* Modules that changed since the last pass began: who sleeps in them was not judged. */
	if (passes->counts.passes && !passes->failed_reloads &&
	    kc_source_is_stale(passes->with.source, 0))
		passes->counts.stale++;
	return kc_unseen_end(&passes->unseen, passes->with.sinks);
}

void kc_passes_ask(struct kc_passes *passes, bool (*asked)(void *arg), void *arg)
{
	passes->asked = asked;
	passes->asked_arg = arg;
}

void kc_passes_compare(struct kc_passes *passes)
{
	passes->compares = true;
}

struct kc_walks kc_passes_walks(const struct kc_passes *passes)
{
	return passes->walks;
}

const struct kc_pass *kc_passes_last(const struct kc_passes *passes)
{
	return &passes->pass;
}

void kc_passes_observe(struct kc_passes *passes, kc_checked_fn fn, void *arg)
{
	passes->on_checked = fn;
	passes->on_checked_arg = arg;
}

void kc_passes_coverage(struct kc_passes *passes, struct kc_coverage *ret_coverage)
{
	ret_coverage->sweep = passes->counts;
	ret_coverage->sweep.restless = passes->unseen.restless_told;
	kc_source_losses(passes->with.source, ret_coverage->sweep.losses);
	kc_desk_counts(passes->with.desk, &ret_coverage->told, &ret_coverage->told_by_probes);
	ret_coverage->first_pass_cpu = passes->first_cpu;
	ret_coverage->pass_cpu = passes->cpu;
	ret_coverage->cpu_seconds = kc_seconds_of(CLOCK_PROCESS_CPUTIME_ID) - passes->started_cpu;
	ret_coverage->seconds = kc_seconds_of(CLOCK_MONOTONIC) - passes->started;
}
