// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the sweep does for one cached task, as a program that BPF_PROG_RUN can
 * repeat: four slots and eight return addresses of the current task's stack.
 * kc_bench_empty is what to subtract.
 */
#include "slots.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct __sk_buff;

struct kc_task_slots cached = {
	.nr_slots = 4,
	.nr_returns = 8,
	.slot = { 30, 40, 50, 60 },
	.ret = { 25, 35, 45, 55, 65, 75, 85, 95 },
};

__u64 result;

SEC("tc")
int kc_bench_slots(struct __sk_buff *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 canary = 0, failed = 0, top = 0;

	(void)ctx;
	bpf_core_read(&canary, sizeof(canary), &task->stack_canary);
	bpf_core_read(&top, sizeof(top), &task->stack);
	top += 16384;
	result = hash_returns(&cached, top) ^ compare_slots(&cached, top, canary, &failed);
	return failed != 0;
}

SEC("tc")
int kc_bench_empty(struct __sk_buff *ctx)
{
	(void)ctx;
	return 0;
}
