/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one way into the ring buffer: an event, a scrubbed copy of the task's stack, and
 * the CPU held until user space has the evidence safe.
 *
 *	new_event()  ─►  the caller fills in what belongs to the kind  ─►  emit()
 *
 * Each engine is an object of its own, linked with the others (bpftool gen object). What
 * they share is defined in emit.bpf.c and declared extern where it is explained.
 */
#ifndef EMIT_BPF_H
#define EMIT_BPF_H

#include "arch.bpf.h"
#include "here.bpf.h"
#include "ring.bpf.h"

#define SCRATCH_HEAD struct kc_event event
#include "scratch.bpf.h"

/* Of so much time a CPU is held once: a flood of events must not stop the host. */
#define HOLD_SLICE_NS 2000000000ULL

extern struct kc_hold held[KC_MAX_CPUS]; /* written by user space */

extern struct kc_budget budgets[KC_MAX_CPUS];

extern struct events_map events SEC(".maps");

/* The time slices in which a CPU was held; whoever enters one first may hold. */
struct holds_map {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, __u64);
};
extern struct holds_map holds SEC(".maps");

/* An event of this kind, cleared but for the words. NULL: cannot be. */
static __always_inline struct scratch *new_event(enum kc_event_kind kind, enum wanted how,
						 const struct kc_point *point)
{
	struct scratch *out;
	__u32 zero = 0;

	if (kind != KC_EVENT_PANIC && !has_budget(budgets, how == WANTED ? kind : 0))
		return NULL;
	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!out) {
		lose(KC_LOSS_SCRATCH);
		return NULL;
	}
	__builtin_memset(&out->event, 0, sizeof(out->event));
	out->event.kind = kind;
	out->event.flags = how == WANTED ? KC_EVENT_WANTED : 0;
	out->event.index = point->index;
	return out;
}

static __always_inline void fill_task(struct task_struct *task, const struct here *here,
				      struct kc_record *head)
{
	long failed;

	__builtin_memset(head, 0, sizeof(*head));
	failed = bpf_core_read(&head->pid, sizeof(head->pid), &task->tgid);
	failed |= bpf_core_read(&head->tid, sizeof(head->tid), &task->pid);
	failed |= read_thread(task, &head->start_ns, head->comm, head->leader_comm, &head->flags);
	lose_if(KC_LOSS_TASK, failed);
	head->sp = here->sp;
	head->top = here->top;
	head->boot_ns = bpf_ktime_get_boot_ns();
}

/* Wait for user space: see struct kc_hold. Interrupts may be off here. 0: wait on. */
extern int spin_all(__u32 cpu, __u64 id, __u64 since);

/* As scrub_all(), but as kc_scrub_compared() does it. */
extern int compare_all(__u64 bytes, __u64 canary, __u64 stack, __u64 size);

/* A panic comes once and always may; of the rest one, on one CPU, in a slice of time. */
static __always_inline bool may_hold(__u32 kind, __u64 now)
{
	__u64 slice = now / HOLD_SLICE_NS;
	int err;

	if (!config.hold_ns)
		return false;
	if (kind == KC_EVENT_PANIC)
		return true;
	err = bpf_map_update_elem(&holds, &slice, &now, BPF_NOEXIST);
	lose_if(KC_LOSS_HOLDS, err);
	return !err;
}

/*
 * Send out->event, with a copy of the task's stack if SP is on it. Its kind, index
 * and what belongs to the kind are filled in. hold_cpu: this kernel is about to panic.
 * compared: have hidden words tell how far they are from the canary. False: it was lost.
 */
static __always_inline bool emit(struct task_struct *task, struct scratch *out,
				 const struct here *here, bool hold_cpu, bool compared)
{
	struct kc_own_stack own = { here->stack, config.thread_size };
	struct kc_event *event = &out->event;
	__u64 now = bpf_ktime_get_ns(), bytes, len;

	fill_task(task, here, &event->task);
	fill_syscall(event, config.regs_size);
	event->site = here->site;
	/* Any register may hold the guard; what unwinding needs of this one is an address. */
	event->bp = kc_scrub(here->bp, here->canary, &own);
	event->headroom = is_on_stack(here) ? here->sp - here->stack : KC_HEADROOM_UNKNOWN;
	event->cpu = bpf_get_smp_processor_id();
	event->id = now; /* one of a kind on its CPU, which alone is told of it */
	event->lost = losses[KC_LOSS_RING];
	bytes = read_stack(out, here->sp, here->top);
	if (!bytes && is_on_stack(here))
		lose(KC_LOSS_STACK);
	if (compared ? compare_all(bytes, here->canary, here->stack, config.thread_size)
		     : scrub_all(bytes, here->canary, here->stack, config.thread_size))
		bytes = 0;
	if (compared)
		event->flags |= KC_EVENT_COMPARED;
	event->task.count = bytes / sizeof(__u64);
	if (!bytes)
		event->task.top = event->task.sp;
	hold_cpu = hold_cpu && may_hold(event->kind, now);
	if (hold_cpu)
		event->flags |= KC_EVENT_HELD;
	barrier_var(bytes);
	if (bytes > sizeof(out->words)) {
		lose(KC_LOSS_SIZE);
		return false;
	}
	len = sizeof(*event) + bytes;
	event->task.size = len;
	if (bpf_ringbuf_output(&events, out, len,
			       event->kind == KC_EVENT_SAMPLE ? 0 : BPF_RB_FORCE_WAKEUP)) {
		lose(KC_LOSS_RING);
		return false;
	}
	if (hold_cpu)
		spin_all(event->cpu, event->id, now);
	return true;
}

#endif
