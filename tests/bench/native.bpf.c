// SPDX-License-Identifier: GPL-2.0-only
/*
 * What runs most often, as programs that BPF_PROG_RUN can repeat; kc_bench_empty is
 * what to subtract.
 *
 *	kc_bench_slots  the sweep's work for one cached task: four slots and eight
 *			return addresses of the current task's stack
 *	kc_bench_check  a check probe's, of a sealed slot: two map lookups, three words
 */
#include "check.bpf.h"
#include "slots.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct __sk_buff;

struct kc_task_slots cached = {
	.nr_slots = 4,
	.slot = { 30, 40, 50, 60 },
	.returns = { .count = 8, .at = { 25, 35, 45, 55, 65, 75, 85, 95 } },
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
	result = compare_returns(&cached.returns, top, &failed) ^
		 compare_slots(&cached, top, canary, &failed);
	return failed != 0;
}

#define SITE 0xffffffff81000000ULL

SEC("tc")
int kc_bench_prepare(struct __sk_buff *ctx)
{
	struct kc_point point = { .kind = KC_POINT_CHECK, .base = KC_CHECK_BASE_SP };
	__u64 site = SITE;

	(void)ctx;
	return bpf_map_update_elem(&points, &site, &point, BPF_ANY) != 0;
}

/* The canary's own place serves as slot and as guard. Returns 0 if all was compared. */
SEC("tc")
int kc_bench_check(struct __sk_buff *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct here here = { .site = SITE, .sp = (__u64)&task->stack_canary };
	__u32 cpu = bpf_get_smp_processor_id();
	struct compared compared = {};

	(void)ctx;
	if (cpu < KC_MAX_CPUS)
		config.guard[cpu] = here.sp;
	return !is_sealed(task, &here, &compared) || !here.canary;
}

SEC("tc")
int kc_bench_empty(struct __sk_buff *ctx)
{
	(void)ctx;
	return 0;
}
