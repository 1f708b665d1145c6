// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "verdict/told.h"

#include <pthread.h>

#include "util/array.h"

struct entry {
	uint32_t tid;
	uint64_t start_ns, switches, sp;
	struct kc_told_what what;
};

struct kc_told {
	pthread_mutex_t lock;
	struct entry *entries;
	size_t count, capacity;
};

int kc_told_new(struct kc_told **ret_told)
{
	struct kc_told *told = calloc(1, sizeof(*told));

	if (!told)
		return -ENOMEM;
	pthread_mutex_init(&told->lock, NULL);
	*ret_told = told;
	return 0;
}

void kc_told_free(struct kc_told *told)
{
	if (!told)
		return;
	pthread_mutex_destroy(&told->lock);
	free(told->entries);
	free(told);
}

static enum kc_anomaly kind_of(enum kc_anomaly anomaly)
{
	return anomaly == KC_ANOMALY_PANIC ? KC_ANOMALY_SLOT : anomaly;
}

bool kc_told_has(struct kc_told *told, const struct kc_record *task, struct kc_told_what what,
		 bool by_sleep)
{
	bool found = false;

	pthread_mutex_lock(&told->lock);
	for (size_t i = 0; i < told->count && !found; i++) {
		const struct entry *entry = &told->entries[i];

		found = entry->tid == task->tid && entry->start_ns == task->start_ns &&
			entry->what.addr == what.addr &&
			kind_of(entry->what.anomaly) == kind_of(what.anomaly) &&
			(!by_sleep || (entry->switches == task->switches && entry->sp == task->sp));
	}
	pthread_mutex_unlock(&told->lock);
	return found;
}

int kc_told_add(struct kc_told *told, const struct kc_record *task, struct kc_told_what what,
		uint64_t *ret_seq)
{
	int err;

	pthread_mutex_lock(&told->lock);
	err = told->count >= KC_MAX_TOLD && what.anomaly != KC_ANOMALY_PANIC ? -ENOSPC : 0;
	if (!err)
		err = kc_grow(told->entries, told->capacity, told->count + 1);
	if (!err)
		told->entries[told->count++] = (struct entry){
			.tid = task->tid,
			.start_ns = task->start_ns,
			.switches = task->switches,
			.sp = task->sp,
			.what = what,
		};
	*ret_seq = told->count;
	pthread_mutex_unlock(&told->lock);
	return err;
}

size_t kc_told_of(struct kc_told *told, uint32_t tid)
{
	size_t count = 0;

	pthread_mutex_lock(&told->lock);
	for (size_t i = 0; i < told->count; i++)
		count += told->entries[i].tid == tid;
	pthread_mutex_unlock(&told->lock);
	return count;
}

size_t kc_told_others(struct kc_told *told, uint32_t tid)
{
	size_t count = 0;

	pthread_mutex_lock(&told->lock);
	for (size_t i = 0; i < told->count; i++) {
		bool seen = told->entries[i].tid == tid;

		for (size_t j = 0; j < i && !seen; j++)
			seen = told->entries[j].tid == told->entries[i].tid;
		count += !seen;
	}
	pthread_mutex_unlock(&told->lock);
	return count;
}
