// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/confirm.h"

#include <errno.h>
#include <string.h>

#include "monitor/pointing.h"
#include "util/cleanup.h"
#include "util/error.h"

/* What the confirming passes over one suspect found. */
struct evidence {
	const struct kc_engine *with;
	struct kc_sleep sleep;
	bool copied;
	struct kc_record record;
	uint64_t words[KC_STACK_WORDS];
	struct kc_checked_stack checked;
	struct kc_pointed_words pointed; /* if a later look finds the same sleep */
	size_t nr_damage;
	struct kc_damage damage[KC_TASK_SLOTS];
	bool same_return[KC_TASK_SLOTS + 1], same_end; /* in the second copy */
};

size_t kc_damaged_in(const struct kc_session *session, const struct kc_record *record,
		     const struct kc_checked_stack *checked,
		     struct kc_damaged ret_damaged[static KC_MAX_DAMAGED])
{
	size_t count = 0;

	for (size_t i = 0; i < checked->count; i++)
		if (checked->frames[i].status == KC_CHECK_DAMAGED)
			ret_damaged[count++] =
				(struct kc_damaged){ KC_ANOMALY_SLOT, checked->frames[i].slot };
	for (size_t i = 0; i < checked->nr_bad; i++)
		ret_damaged[count++] =
			(struct kc_damaged){ KC_ANOMALY_RETURN, checked->bad[i].slot };
	if (record->flags & KC_RECORD_END_GONE)
		ret_damaged[count++] =
			(struct kc_damaged){ KC_ANOMALY_STACK_END, kc_stack_end(session, record) };
	return count;
}

static bool is_same_sleep(const struct kc_sleep *a, const struct kc_sleep *b)
{
	return a->tid == b->tid && a->start_ns == b->start_ns && a->switches == b->switches &&
	       a->sp == b->sp;
}

static void take_copy(struct evidence *evidence, const struct kc_record *record)
{
	evidence->record = *record;
	memcpy(evidence->words, record + 1, record->count * sizeof(uint64_t));
	/* What the kernel side was told of other stacks rests on the same text. */
	if (kc_session_renew(evidence->with->session, record))
		kc_source_flush(evidence->with->source);
	kc_session_check(evidence->with->session, record, &evidence->checked);
	evidence->copied = true;
}

static bool is_same_return(const struct kc_bad_return *a, const struct kc_bad_return *b)
{
	return a->slot == b->slot && a->found == b->found && a->was == b->was;
}

static void compare_copies(struct evidence *evidence, const struct kc_record *record)
{
	const struct kc_checked_stack *first = &evidence->checked;
	struct kc_checked_stack again;

	kc_session_check(evidence->with->session, record, &again);
	for (size_t i = 0; i < first->nr_bad; i++)
		for (size_t n = 0; n < again.nr_bad; n++)
			evidence->same_return[i] |= is_same_return(&first->bad[i], &again.bad[n]);
	evidence->same_end = evidence->record.flags & record->flags & KC_RECORD_END_GONE;
}

static int on_record(const struct kc_record *record, void *arg)
{
	struct evidence *evidence = arg;
	struct kc_sleep sleep = kc_sleep_of(record);

	if (!is_same_sleep(&sleep, &evidence->sleep))
		return 0;
	if (record->kind == KC_RECORD_STACK && record->count <= KC_STACK_WORDS) {
		if (evidence->copied)
			compare_copies(evidence, record);
		else
			take_copy(evidence, record);
	} else if (record->kind == KC_RECORD_DAMAGE && record->count <= KC_TASK_SLOTS) {
		memcpy(evidence->damage, record + 1, record->count * sizeof(struct kc_damage));
		evidence->nr_damage = record->count;
	}
	return 0;
}

static struct kc_stack copied_stack(const struct evidence *evidence)
{
	return (struct kc_stack){
		.sp = evidence->record.sp,
		.top = evidence->record.top,
		.words = evidence->words,
	};
}

/* Have the kernel side compare the damaged slots only. */
static int cache_damaged(const struct evidence *evidence)
{
	const struct kc_checked_stack *checked = &evidence->checked;
	uint64_t slots[KC_MAX_FRAMES];
	struct kc_sleep_facts facts = { .slots = slots };

	for (size_t i = 0; i < checked->count && facts.nr_slots < KC_TASK_SLOTS; i++)
		if (checked->frames[i].status == KC_CHECK_DAMAGED)
			slots[facts.nr_slots++] = checked->frames[i].slot;
	return kc_source_cache(evidence->with->source, &evidence->record, &facts);
}

/* The passes that struct evidence is about, each over this one thread. */
static int look_again(struct evidence *evidence)
{
	struct kc_source *source = evidence->with->source;
	uint32_t tid = evidence->sleep.tid;
	struct kc_pass pass;
	int err;

	kc_source_uncache(source, tid);
	err = kc_source_pass(source, tid, on_record, evidence, &pass);
	if (!err && evidence->copied && (evidence->checked.damaged || evidence->checked.nr_bad)) {
		struct kc_stack stack = copied_stack(evidence);

		kc_point(source, evidence->with->session->kernel, &stack, &evidence->checked, NULL,
			 &evidence->pointed);
	}
	/* What does not fit into the cache is not confirmed, which is counted. */
	if (!err && evidence->copied && evidence->checked.damaged && !cache_damaged(evidence)) {
		err = kc_source_pass(source, tid, on_record, evidence, &pass);
		/* The next pass looks at all of this stack's slots again. */
		kc_source_uncache(source, tid);
	}
	if (!err && evidence->copied &&
	    (evidence->checked.nr_bad || evidence->record.flags & KC_RECORD_END_GONE))
		err = kc_source_pass(source, tid, on_record, evidence, &pass);
	return err;
}

static const struct kc_damage *damage_of(const struct evidence *evidence, uint64_t slot)
{
	for (size_t i = 0; i < evidence->nr_damage; i++)
		if (evidence->damage[i].slot == slot && evidence->damage[i].changed_bytes)
			return &evidence->damage[i];
	return NULL;
}

/* File one anomaly; of a frame's slot or return address, with what was found there. */
static int file(const struct evidence *evidence, struct kc_damaged damaged, size_t frame,
		const struct kc_damage *damage, const struct kc_bad_return *bad)
{
	const struct kc_engine *with = evidence->with;
	struct kc_finding finding = {
		.boot_ns = evidence->record.boot_ns,
		.intact_ns = evidence->sleep.intact_ns,
		.engine = "sweep",
		.task = evidence->record,
		.anomaly = damaged.anomaly,
		.damage = damage ? *damage : (struct kc_damage){},
		.bad_return = bad,
		.stack = copied_stack(evidence),
		.checked = &evidence->checked,
		.pointed = &evidence->pointed,
		.frame = frame,
	};
	int filed;

	kc_source_now(with->source, &finding.time);
	if (damaged.anomaly == KC_ANOMALY_SLOT)
		finding.seen_intact =
			kc_seen_intact(&with->session->seen, evidence->checked.frames[frame].plan);
	filed = kc_desk_file(with->desk, with->session->kernel, NULL, damaged, &finding);
	/* One sink that failed is no reason not to sync another. */
	if (filed == KC_FILED_WRITTEN || filed < 0)
		filed = kc_sinks_sync(with->sinks) ?: filed;
	return filed < 0 ? filed : 0;
}

/* What was filed, and the first error: one sink that fails keeps nothing from the others. */
struct filed {
	int count, err;
};

static void file_one(const struct evidence *evidence, struct filed *filed,
		     struct kc_damaged damaged, size_t frame, const struct kc_damage *damage,
		     const struct kc_bad_return *bad)
{
	filed->count++;
	filed->err = kc_first_error(filed->err, file(evidence, damaged, frame, damage, bad));
}

/* File what the passes agree on; how many anomalies were proved, or -errno. */
static int file_proven(const struct evidence *evidence)
{
	const struct kc_checked_stack *checked = &evidence->checked;
	struct filed filed = {};

	for (size_t i = 0; i < checked->count; i++) {
		const struct kc_checked_frame *frame = &checked->frames[i];
		const struct kc_damage *damage = damage_of(evidence, frame->slot);

		if (frame->status == KC_CHECK_DAMAGED && damage)
			file_one(evidence, &filed,
				 (struct kc_damaged){ KC_ANOMALY_SLOT, frame->slot }, i, damage,
				 NULL);
	}
	for (size_t i = 0; i < checked->nr_bad; i++)
		if (evidence->same_return[i])
			file_one(evidence, &filed,
				 (struct kc_damaged){ KC_ANOMALY_RETURN, checked->bad[i].slot },
				 checked->bad[i].frame, NULL, &checked->bad[i]);
	if (evidence->same_end && checked->count)
		file_one(evidence, &filed,
			 (struct kc_damaged){
				 KC_ANOMALY_STACK_END,
				 kc_stack_end(evidence->with->session, &evidence->record) },
			 0, NULL, NULL);
	return filed.err ?: filed.count;
}

int kc_confirm(const struct kc_engine *engine, const struct kc_sleep *sleep)
{
	kc_auto_free struct evidence *evidence = calloc(1, sizeof(*evidence));
	int err;

	if (!evidence)
		return -ENOMEM;
	evidence->with = engine;
	evidence->sleep = *sleep;
	err = look_again(evidence);
	/* Code that moved while we looked makes our own slots doubtful. */
	if (err || kc_source_is_stale(engine->source, 0))
		return err;
	return file_proven(evidence);
}
