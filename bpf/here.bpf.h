/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where a probe hit: what is to be done there, the frame in numbers, whose it is.
 */
#ifndef HERE_BPF_H
#define HERE_BPF_H

#include "kc.bpf.h"
#include "word.bpf.h"

struct kc_probe_config config;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * KC_MAX_POINTS);
	__type(key, __u64); /* address of the probed instruction */
	__type(value, struct kc_point);
} points SEC(".maps");

/* One CPU's counts are written by that CPU only, with nothing in between. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KC_MAX_POINTS);
	__type(key, __u32);
	__type(value, struct kc_point_count);
} counts SEC(".maps");

/* The probed frame, in numbers: no choice between offsets of the context allowed. */
struct here {
	__u64 site, sp, bp, stack, top, canary;
};

static __always_inline struct kc_point *point_at(__u64 site)
{
	return bpf_map_lookup_elem(&points, &site);
}

static __always_inline void read_regs(struct pt_regs *ctx, struct here *here)
{
	/* The breakpoint, or the jump in its place, has moved ip by one byte. */
	here->site = ctx->ip - 1;
	here->sp = ctx->sp;
	here->bp = ctx->bp;
	barrier_var(here->sp);
	barrier_var(here->bp);
}

/* Find the task's stack. False if SP is not on it. */
static __always_inline bool locate(struct task_struct *task, struct here *here)
{
	here->stack = task_stack(task);
	here->top = here->stack + config.thread_size;
	return here->sp > here->stack && here->sp < here->top;
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

static __always_inline bool is_wanted(struct task_struct *task)
{
	__u32 pid = 0;

	if (!config.pid)
		return true;
	bpf_core_read(&pid, sizeof(pid), &task->tgid);
	return pid == config.pid;
}

#endif
