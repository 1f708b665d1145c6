// SPDX-License-Identifier: GPL-2.0-only
/*
 * Check probes: at the load of the slot before a check, compare the slot with
 * the current task's canary. State-free: the slot's address is a register of
 * the probed function plus the displacement of the very instruction probed.
 */
#include "kc.bpf.h"
#include "word.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* What pt_regs a kprobe program gets; the layout of x86-64 never changed. */
struct pt_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di;
	unsigned long orig_ax, ip, cs, flags, sp, ss;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KC_MAX_CHECKS);
	__type(key, __u64); /* address of the probed instruction */
	__type(value, struct kc_check_point);
} points SEC(".maps");

/* One CPU's counts are written by that CPU only, with nothing in between. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KC_MAX_CHECKS);
	__type(key, __u32);
	__type(value, struct kc_check_count);
} counts SEC(".maps");

SEC("kprobe")
int kc_check(struct pt_regs *ctx)
{
	/* The breakpoint, or the jump in its place, has moved ip by one byte. */
	__u64 site = ctx->ip - 1, sp = ctx->sp, bp = ctx->bp, word = 0, canary = 0, slot;
	struct task_struct *task = (void *)bpf_get_current_task();
	struct kc_check_point *point;
	struct kc_check_count *count;

	point = bpf_map_lookup_elem(&points, &site);
	if (!point)
		return 0;
	count = bpf_map_lookup_elem(&counts, &point->index);
	if (!count)
		return 0;
	/* Both are read above: the verifier allows no choice between offsets of ctx. */
	barrier_var(sp);
	barrier_var(bp);
	slot = (point->base == KC_CHECK_BASE_SP ? sp : bp) + point->disp;
	if (bpf_probe_read_kernel(&word, sizeof(word), (void *)slot) ||
	    bpf_core_read(&canary, sizeof(canary), &task->stack_canary)) {
		count->unreadable++;
		return 0;
	}
	count->hits++;
	if (word != canary)
		count->mismatches++;
	return 0;
}
