// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "source/taped.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "probe/probes.h"
#include "probe/sweep.h"
#include "source/facts.h"
#include "util/array.h"

static void terminate(char *text, size_t size)
{
	text[size - 1] = '\0';
}

static struct kc_taped *taped_of(struct kc_source *source)
{
	return (struct kc_taped *)source;
}

void kc_taped_blame(struct kc_taped *taped, const char *what)
{
	taped->damage = taped->damage ?: what;
}

/* Is there another entry of this kind? Then it is the one at taped->at[kind]. */
static bool find_next(struct kc_taped *taped, enum kc_tape_kind kind)
{
	size_t *at = &taped->at[kind];

	while (*at < taped->count && taped->entries[*at].kind != kind)
		(*at)++;
	return *at < taped->count;
}

/* The next entry of this kind that has at least len bytes; NULL: there is none. */
static const struct kc_tape_entry *next_of(struct kc_taped *taped, enum kc_tape_kind kind,
					   size_t len)
{
	size_t *at = &taped->at[kind];

	if (!find_next(taped, kind) || taped->entries[*at].len < len) {
		kc_taped_blame(taped, "it lacks an answer that is needed");
		return NULL;
	}
	return &taped->entries[(*at)++];
}

static bool is_damage(const struct kc_damage *damage)
{
	return damage->changed_bits <= KC_BITS_MORE && damage->found <= KC_FOUND_SMALL;
}

/* Whole records and events: do their words lie on a stack? */
static bool is_stack(const struct kc_record *record, uint32_t thread_size)
{
	return record->count && record->count <= KC_STACK_WORDS && !(record->sp & 7) &&
	       record->top > record->sp && record->top - record->sp <= thread_size;
}

/* The disk is a border, too. */
static bool is_record(const struct kc_tape_entry *entry, uint32_t thread_size)
{
	const struct kc_record *record = entry->data;

	if (entry->len < sizeof(*record) || !kc_record_is_whole(record, entry->len))
		return false;
	for (size_t i = 0; record->kind == KC_RECORD_DAMAGE && i < record->count; i++)
		if (!is_damage((const struct kc_damage *)(record + 1) + i))
			return false;
	return record->kind != KC_RECORD_STACK || is_stack(record, thread_size);
}

bool kc_taped_is_event(const struct kc_taped *taped, const struct kc_tape_entry *entry)
{
	const struct kc_tape_event *head = entry->data;
	const struct kc_event *event = (const struct kc_event *)(head + 1);

	return entry->len >= sizeof(*head) + sizeof(*event) &&
	       kc_event_is_whole(event, entry->len - sizeof(*head)) && is_damage(&event->damage) &&
	       (!event->task.count || is_stack(&event->task, taped->thread_size));
}

void kc_taped_read_from(struct kc_taped *taped, const struct kc_tape_entry *entry)
{
	const struct kc_tape_entry *end = taped->entries + taped->count;

	for (entry++; entry < end; entry++)
		if (entry->kind == KC_TAPE_PASS || entry->kind == KC_TAPE_EVENT)
			break;
	kc_facts_until(taped->mem, entry);
}

static int answer_pass(struct kc_source *source, uint32_t only_tid, kc_record_fn fn, void *arg,
		       struct kc_pass *ret_pass)
{
	struct kc_taped *taped = taped_of(source);
	const struct kc_tape_entry *entry = next_of(taped, KC_TAPE_PASS, sizeof(only_tid));
	const struct kc_tape_passed *passed;
	int err = 0;

	*ret_pass = (struct kc_pass){};
	if (!entry || *(const uint32_t *)entry->data != only_tid)
		return -EBADMSG;
	kc_taped_read_from(taped, entry);
	for (size_t i = taped->at[KC_TAPE_PASS]; i < taped->count; i++) {
		entry = &taped->entries[i];
		if (entry->kind == KC_TAPE_PASS)
			return -EBADMSG;
		if (entry->kind == KC_TAPE_RECORD && !err) {
			err = is_record(entry, taped->thread_size) ? fn(entry->data, arg)
								   : -EBADMSG;
		} else if (entry->kind == KC_TAPE_PASSED) {
			passed = entry->data;
			if (entry->len != sizeof(*passed))
				return -EBADMSG;
			*ret_pass = passed->pass;
			taped->failed |= passed->err != 0;
			return err ?: passed->err;
		}
	}
	return -EBADMSG;
}

static int answer_cache(struct kc_source *source, const struct kc_record *record,
			const struct kc_sleep_facts *facts)
{
	const struct kc_tape_entry *entry =
		next_of(taped_of(source), KC_TAPE_CACHED, sizeof(int32_t));

	(void)record;
	(void)facts;
	return entry ? *(const int32_t *)entry->data : 0;
}

static void answer_follow(struct kc_source *source, uint32_t tid)
{
	(void)source;
	(void)tid;
}

static int answer_learn(struct kc_source *source, uint64_t key, const struct kc_rule *rule)
{
	(void)source;
	(void)key;
	(void)rule;
	return 0;
}

static void answer_uncache(struct kc_source *source, uint32_t tid)
{
	(void)source;
	(void)tid;
}

static void answer_nothing(struct kc_source *source)
{
	(void)source;
}

/* Told with the other counts. */
static void answer_losses(struct kc_source *source, uint64_t ret_losses[static KC_LOSS_NR])
{
	(void)source;
	memset(ret_losses, 0, KC_LOSS_NR * sizeof(*ret_losses));
}

/* The next answer of this kind, a uint8_t; false: there is none, in older recordings. */
static bool answer_flag(struct kc_taped *taped, enum kc_tape_kind kind)
{
	const struct kc_tape_entry *entry = NULL;

	if (find_next(taped, kind))
		entry = next_of(taped, kind, sizeof(uint8_t));
	return entry && *(const uint8_t *)entry->data;
}

/* Older recordings have no answer for the end of the watch. */
static bool answer_is_stale(struct kc_source *source, uint64_t at_ns)
{
	(void)at_ns;
	return answer_flag(taped_of(source), KC_TAPE_STALE);
}

int kc_taped_kernel(struct kc_taped *taped, struct kc_kernel **ret_kernel)
{
	const struct kc_tape_entry *entry = next_of(taped, KC_TAPE_KERNEL, 0);
	struct kc_mem *mem;
	int err = entry ? kc_facts_load(entry, taped->entries + taped->count - entry, ret_kernel,
					&mem)
			: -EBADMSG;

	if (err)
		return err;
	kc_mem_destroy(taped->old_mem);
	taped->old_mem = taped->mem;
	taped->mem = mem;
	taped->thread_size = (*ret_kernel)->thread_size;
	return 0;
}

static int answer_reload(struct kc_source *source, struct kc_kernel **ret_kernel)
{
	struct kc_taped *taped = taped_of(source);
	const struct kc_tape_entry *entry = next_of(taped, KC_TAPE_RELOAD, sizeof(int32_t));
	int32_t err = entry ? *(const int32_t *)entry->data : -EBADMSG;

	return err ?: kc_taped_kernel(taped, ret_kernel);
}

static void answer_event(struct kc_source *source, const struct kc_event *event,
			 const struct kc_first *first)
{
	(void)source;
	(void)event;
	(void)first;
}

static void answer_process(struct kc_source *source, const struct kc_whose *whose,
			   struct kc_process *ret_process)
{
	const struct kc_tape_entry *entry =
		next_of(taped_of(source), KC_TAPE_PROCESS, sizeof(struct kc_tape_process));
	const struct kc_tape_process *process = entry ? entry->data : NULL;

	*ret_process = (struct kc_process){};
	if (!process || process->whose.tid != whose->tid ||
	    process->whose.start_ns != whose->start_ns) {
		kc_taped_blame(taped_of(source),
			       "it has an answer about another thread than was asked for");
		return;
	}
	*ret_process = process->process;
	terminate(ret_process->executable, sizeof(ret_process->executable));
	terminate(ret_process->cgroup, sizeof(ret_process->cgroup));
	terminate(ret_process->unit, sizeof(ret_process->unit));
	terminate(ret_process->container_id, sizeof(ret_process->container_id));
	terminate(ret_process->runtime, sizeof(ret_process->runtime));
	terminate(ret_process->pod_uid, sizeof(ret_process->pod_uid));
	terminate(ret_process->fd_target, sizeof(ret_process->fd_target));
	ret_process->has_uid = *(const uint8_t *)&process->process.has_uid == 1;
	ret_process->in_syscall = *(const uint8_t *)&process->process.in_syscall == 1;
	ret_process->syscall_name = NULL;
}

static bool is_pointed_word(const struct kc_pointed_word *word)
{
	return word->kind > KC_POINTED_NOWHERE && word->kind <= KC_POINTED_STATIC &&
	       memchr(word->name, '\0', sizeof(word->name)) &&
	       memchr(word->comm, '\0', sizeof(word->comm));
}

/* Older recordings have none. */
static void answer_words(struct kc_source *source, const struct kc_kernel *kernel,
			 const struct kc_words_at *at, const uint64_t *copied,
			 struct kc_pointed_words *ret_words)
{
	struct kc_taped *taped = taped_of(source);
	const struct kc_tape_entry *entry = NULL;
	const struct kc_pointed_words *words;

	(void)kernel;
	(void)at;
	(void)copied;
	ret_words->count = 0;
	if (find_next(taped, KC_TAPE_WORDS))
		entry = next_of(taped, KC_TAPE_WORDS, offsetof(struct kc_pointed_words, word));
	if (!entry)
		return;
	words = entry->data;
	if (words->count > KC_MAX_WORDS ||
	    entry->len != offsetof(struct kc_pointed_words, word[words->count])) {
		kc_taped_blame(taped, "an entry makes no sense");
		return;
	}
	for (uint32_t i = 0; i < words->count; i++)
		if (is_pointed_word(&words->word[i]))
			ret_words->word[ret_words->count++] = words->word[i];
}

void kc_taped_host(const struct kc_taped *taped, struct kc_host *ret_host)
{
	*ret_host = (struct kc_host){};
	for (size_t i = 0; i < taped->count; i++)
		if (taped->entries[i].kind == KC_TAPE_HOST &&
		    taped->entries[i].len == sizeof(*ret_host)) {
			memcpy(ret_host, taped->entries[i].data, sizeof(*ret_host));
			break;
		}
	terminate(ret_host->name, sizeof(ret_host->name));
	terminate(ret_host->release, sizeof(ret_host->release));
	terminate(ret_host->version, sizeof(ret_host->version));
	terminate(ret_host->machine, sizeof(ret_host->machine));
	terminate(ret_host->boot_id, sizeof(ret_host->boot_id));
}

static void answer_host(struct kc_source *source, struct kc_host *ret_host)
{
	kc_taped_host(taped_of(source), ret_host);
}

static void answer_now(struct kc_source *source, struct timespec *ret_time)
{
	const struct kc_tape_entry *entry =
		next_of(taped_of(source), KC_TAPE_NOW, sizeof(*ret_time));

	*ret_time = (struct timespec){};
	if (entry)
		memcpy(ret_time, entry->data, sizeof(*ret_time));
}

static uint64_t answer_number(struct kc_source *source, uint64_t next)
{
	const struct kc_tape_entry *entry = next_of(taped_of(source), KC_TAPE_NUMBER, sizeof(next));

	return entry ? *(const uint64_t *)entry->data : next;
}

/* Nobody asked when older recordings were made. */
static bool answer_again(struct kc_source *source, bool wanted)
{
	(void)wanted;
	return answer_flag(taped_of(source), KC_TAPE_AGAIN);
}

static const struct kc_source_ops answer_ops = {
	.pass = answer_pass,
	.cache = answer_cache,
	.uncache = answer_uncache,
	.follow = answer_follow,
	.learn = answer_learn,
	.flush = answer_nothing,
	.trim = answer_nothing,
	.losses = answer_losses,
	.is_stale = answer_is_stale,
	.reload = answer_reload,
	.adopted = answer_nothing,
	.event = answer_event,
	.process = answer_process,
	.words = answer_words,
	.host = answer_host,
	.now = answer_now,
	.number = answer_number,
	.again = answer_again,
	.free = answer_nothing,
};

int kc_taped_open(struct kc_taped *taped, struct kc_tape *tape)
{
	struct kc_tape_entry entry;
	int err = 0;

	*taped = (struct kc_taped){ .source.ops = &answer_ops };
	while (!err && kc_tape_next(tape, &entry)) {
		err = kc_grow(taped->entries, taped->capacity, taped->count + 1);
		if (!err)
			taped->entries[taped->count++] = entry;
	}
	taped->damage = kc_tape_damage(tape);
	return err;
}

void kc_taped_close(struct kc_taped *taped)
{
	kc_mem_destroy(taped->mem);
	kc_mem_destroy(taped->old_mem);
	free(taped->entries);
}
