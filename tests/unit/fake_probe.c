// SPDX-License-Identifier: GPL-2.0-only
#include "fake_probe.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "probe/cgroup.h"
#include "probe/kmem.h"
#include "probe/loss.h"

static struct fake_thread *threads;
static size_t nr_threads;

void fake_threads(struct fake_thread *given, size_t count)
{
	threads = given;
	nr_threads = count;
}

int kc_sweep_new(const struct kc_sweep_options *options, struct kc_failure *ret_failure,
		 struct kc_sweep **ret_sweep)
{
	(void)options;
	(void)ret_failure;
	*ret_sweep = malloc(1);
	return 0;
}

void kc_sweep_free(struct kc_sweep *sweep)
{
	free(sweep);
}

void kc_sweep_set_cgroup(struct kc_sweep *sweep, uint64_t id)
{
	(void)sweep;
	(void)id;
}

static bool is_cached(const struct fake_thread *thread)
{
	return thread->cached && thread->cached_as.switches == thread->record.switches &&
	       thread->cached_as.start_ns == thread->record.start_ns;
}

/* As check_slots() in bpf/sweep.bpf.c. */
static int compare(struct fake_thread *thread, kc_record_fn fn, void *arg, struct kc_pass *pass)
{
	struct {
		struct kc_record record;
		struct kc_damage damage[KC_TASK_SLOTS];
	} out = { .record = thread->record };
	bool differs = thread->record.flags & KC_RECORD_END_GONE;

	for (size_t i = 0; i < thread->nr_slots; i++) {
		uint64_t word = thread->words[(thread->slots[i] - thread->record.sp) / 8];

		out.damage[i] = (struct kc_damage){
			.slot = thread->slots[i],
			.changed_bytes = word == KC_CANARY_MARK ? 0 : 0xff,
			.changed_bits = KC_BITS_MORE,
		};
		differs |= word != KC_CANARY_MARK;
	}
	pass->cached++;
	if (!differs) {
		pass->cached_slots += thread->nr_slots;
		return 0;
	}
	pass->damaged++;
	out.record.kind = KC_RECORD_DAMAGE;
	out.record.count = thread->nr_slots;
	out.record.size = sizeof(out.record) + thread->nr_slots * sizeof(out.damage[0]);
	return fn(&out.record, arg);
}

static int copy(struct fake_thread *thread, kc_record_fn fn, void *arg, struct kc_pass *pass)
{
	struct {
		struct kc_record record;
		uint64_t words[FAKE_WORDS];
	} out = { .record = thread->record };

	out.record.kind = KC_RECORD_STACK;
	out.record.count = FAKE_WORDS;
	out.record.size = sizeof(out);
	memcpy(out.words, thread->words, sizeof(out.words));
	pass->copied++;
	return fn(&out.record, arg);
}

int kc_sweep_pass(struct kc_sweep *sweep, uint32_t only_tid, kc_record_fn fn, void *arg,
		  struct kc_pass *ret_pass)
{
	struct kc_pass pass = {};
	int err = 0;

	(void)sweep;
	for (size_t i = 0; !err && i < nr_threads; i++) {
		struct fake_thread *thread = &threads[i];

		if (only_tid && only_tid != thread->record.tid)
			continue;
		pass.tasks++;
		err = is_cached(thread) ? compare(thread, fn, arg, &pass)
					: copy(thread, fn, arg, &pass);
		thread->record.switches += thread->restless;
	}
	*ret_pass = pass;
	return err;
}

static struct fake_thread *thread_of(uint32_t tid)
{
	for (size_t i = 0; i < nr_threads; i++)
		if (threads[i].record.tid == tid)
			return &threads[i];
	abort();
}

int kc_sweep_cache(struct kc_sweep *sweep, const struct kc_record *record,
		   const struct kc_sleep_facts *facts)
{
	struct fake_thread *thread = thread_of(record->tid);

	(void)sweep;
	thread->cached = true;
	thread->cached_as = *record;
	thread->nr_slots = facts->nr_slots;
	memcpy(thread->slots, facts->slots, facts->nr_slots * sizeof(facts->slots[0]));
	return 0;
}

void kc_sweep_uncache(struct kc_sweep *sweep, uint32_t tid)
{
	(void)sweep;
	thread_of(tid)->cached = false;
}

uint64_t kc_sweep_loss(const struct kc_sweep *sweep, enum kc_loss loss)
{
	(void)sweep;
	(void)loss;
	return 0;
}

void kc_sweep_flush(struct kc_sweep *sweep)
{
	(void)sweep;
}

void kc_sweep_trim(struct kc_sweep *sweep)
{
	(void)sweep;
}

int kc_kmem_open(struct kc_mem **ret_mem)
{
	(void)ret_mem;
	return -ENOTSUP;
}

int kc_cgroup_id(const char *path, uint64_t *ret_id)
{
	(void)path;
	(void)ret_id;
	return -ENOENT;
}

#define MAX_EVENTS 1024

static struct kc_event *queue[MAX_EVENTS];
static _Atomic size_t sent, taken;
static _Atomic uint64_t states[KC_HELD_TOLD + 1];

void fake_send(const struct kc_event *event)
{
	queue[sent] = malloc(event->task.size);
	memcpy(queue[sent], event, event->task.size);
	sent++;
}

uint64_t fake_held(enum kc_held_state state)
{
	return states[state];
}

struct kc_probes *fake_probes(void)
{
	static char nothing;

	return (struct kc_probes *)&nothing;
}

int kc_probes_next(struct kc_probes *probes, const struct kc_event **ret_event)
{
	static struct kc_event *last;

	(void)probes;
	free(last);
	last = taken < sent ? queue[taken] : NULL;
	taken += last != NULL;
	*ret_event = last;
	return last != NULL;
}

int kc_probes_fd(const struct kc_probes *probes)
{
	static int fd = -1;

	(void)probes;
	if (fd < 0)
		fd = eventfd(0, EFD_CLOEXEC);
	return fd;
}

void kc_probes_tell(struct kc_probes *probes, const struct kc_event *event,
		    enum kc_held_state state)
{
	(void)probes;
	if (event->flags & KC_EVENT_HELD)
		states[state] = event->id;
}

const char *kc_loss_name(enum kc_loss loss)
{
	(void)loss;
	return "loss";
}
