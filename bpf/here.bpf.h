/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a probe hit: what is to be done there, the frame in numbers, whose it is.
 */
#ifndef HERE_BPF_H
#define HERE_BPF_H

#include "arch.bpf.h"
#include "loss.bpf.h"
#include "wanted.bpf.h"
#include "word.bpf.h"

extern struct kc_probe_config config;

struct points_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * KC_MAX_POINTS);
	__type(key, __u64); /* address of the probed instruction */
	__type(value, struct kc_point);
};
extern struct points_map points SEC(".maps");

/* One CPU's counts are written by that CPU only, with nothing in between. */
struct counts_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KC_MAX_POINTS);
	__type(key, __u32);
	__type(value, struct kc_point_count);
};
extern struct counts_map counts SEC(".maps");

/* The probed frame, in numbers: no choice between offsets of the context allowed. */
struct here {
	__u64 site, sp, bp, stack, top, canary;
};

/* What to do at the site, and its counts on this CPU. False: not known. */
static __always_inline bool find_point(__u64 site, struct kc_point **ret_point,
				       struct kc_point_count **ret_count)
{
	struct kc_point *point = bpf_map_lookup_elem(&points, &site);
	struct kc_point_count *count = point ? bpf_map_lookup_elem(&counts, &point->index) : NULL;

	if (!point || !count) {
		lose(KC_LOSS_POINT);
		return false;
	}
	*ret_point = point;
	*ret_count = count;
	return true;
}

static __always_inline void read_regs(struct pt_regs *ctx, struct here *here)
{
	here->site = probed_site(ctx);
	here->sp = probed_sp(ctx);
	here->bp = probed_bp(ctx);
	barrier_var(here->sp);
	barrier_var(here->bp);
}

/* As how_current(). Returns enum wanted. */
extern int how_wanted(void);

static __always_inline bool is_wanted(void)
{
	return how_wanted() != UNWANTED;
}

/* The same where hardly any stack is left: by process alone, the rest is user space's. */
static __always_inline bool is_wanted_process(void)
{
	return !config.wanted.pid || bpf_get_current_pid_tgid() >> 32 == config.wanted.pid;
}

extern struct kc_deep deep[KC_MAX_CPUS];

static __always_inline void note_thread_of(struct kc_deep *note, struct task_struct *task)
{
	__u32 flags;

	lose_if(KC_LOSS_TASK,
		read_thread(task, &note->start_ns, note->comm, note->leader_comm, &flags));
	note->flags = flags;
}

/*
 * Is the stack that SP is on all but used up? Then nothing is done but this. Tasks' stacks are
 * aligned to their size, so most hits cost no look at the task; interrupts' need not be
 * (irq_init_percpu_irqstack() in arch/x86/kernel/irq_64.c), and are locate()'s.
 */
static __always_inline bool is_too_deep(const struct here *here)
{
	__u64 left = here->sp & (config.thread_size - 1), pid_tgid;
	struct task_struct *task;
	struct kc_deep *note;

	if (left >= KC_DEEP_LEFT)
		return false;
	task = (void *)bpf_get_current_task();
	if (task_stack(task) != here->sp - left)
		return false;
	if (!is_wanted_process())
		return true;
	pid_tgid = bpf_get_current_pid_tgid();
	note = &deep[bpf_get_smp_processor_id() & (KC_MAX_CPUS - 1)];
	__sync_fetch_and_add(&note->begun, 1);
	note->site = here->site;
	note->left = left;
	/* Each time: a number may be another thread's by now, and a name another. */
	note_thread_of(note, task);
	note->pid_tgid = pid_tgid;
	__sync_fetch_and_add(&note->count, 1);
	return true;
}

static __always_inline bool is_on_stack(const struct here *here)
{
	return here->sp > here->stack && here->sp < here->top;
}

/* Find the task's stack, which is the current one. False if SP is not on it. */
static __always_inline bool locate(struct task_struct *task, struct here *here)
{
	__u64 start = here->sp & -config.thread_size;

	/* Stacks are aligned; with what is loaded nothing but a comparison is allowed. */
	if (has_current_task_btf() && bpf_get_current_task_btf()->stack == (void *)start) {
		here->stack = start;
		here->top = start + config.thread_size;
		return is_on_stack(here);
	}
	here->stack = task_stack(task);
	here->top = here->stack + config.thread_size;
	if (!here->stack)
		lose(KC_LOSS_PLACE);
	return is_on_stack(here);
}

/* The current task's. Without it no stack can be scrubbed: if false, nothing may be sent. */
static __always_inline bool read_canary(struct task_struct *task, struct here *here)
{
	if (has_current_task_btf()) {
		here->canary = bpf_get_current_task_btf()->stack_canary;
		return true;
	}
	if (!bpf_core_read(&here->canary, sizeof(here->canary), &task->stack_canary))
		return true;
	lose(KC_LOSS_CANARY);
	return false;
}

static __always_inline struct kc_places places(const struct here *here)
{
	return (struct kc_places){
		.stack = here->stack,
		.stack_top = here->top,
		.text = config.text_start,
		.text_end = config.text_end,
	};
}

#endif
