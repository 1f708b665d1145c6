/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The comparison that a probed check runs each time: slot, task's canary, this CPU's
 * guard. Compiled into the live probes and into the benchmark.
 */
#ifndef CHECK_BPF_H
#define CHECK_BPF_H

#include "here.bpf.h"

/* This CPU's guard; the canary itself if it can't be told. */
static __always_inline __u64 read_guard(__u64 canary)
{
	__u32 cpu = bpf_get_smp_processor_id();
	__u64 guard;

	if (cpu >= KC_MAX_CPUS || !config.guard[cpu])
		return canary;
	if (bpf_probe_read_kernel(&guard, sizeof(guard), (void *)config.guard[cpu])) {
		lose(KC_LOSS_GUARD);
		return canary;
	}
	return guard;
}

struct compared {
	const struct kc_point *point;
	struct kc_point_count *count;
	__u64 slot, word, guard;
};

/*
 * Does the slot hold the canary, as the check that comes next will find? Also true
 * where there is nothing to compare. Fills in here->canary and, if false, the rest.
 */
static __always_inline bool is_sealed(struct task_struct *task, struct here *here,
				      struct compared *ret)
{
	struct kc_point_count *count;
	__u64 slot, word = 0, guard;
	struct kc_point *point;

	if (!find_point(here->site, &point, &count))
		return true;
	slot = (point->base == KC_CHECK_BASE_SP ? here->sp : here->bp) + point->disp;
	if (bpf_probe_read_kernel(&word, sizeof(word), (void *)slot) || !read_canary(task, here)) {
		count->unreadable += is_wanted();
		return true;
	}
	count->hits++;
	guard = read_guard(here->canary);
	if (word == here->canary && guard == here->canary)
		return true;
	count->mismatches++;
	*ret = (struct compared){ point, count, slot, word, guard };
	return false;
}

#endif
