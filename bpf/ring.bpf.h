/* SPDX-License-Identifier: GPL-2.0-only */
/* The ring buffer that all events go through, and how many may. */
#ifndef RING_BPF_H
#define RING_BPF_H

#include "loss.bpf.h"

/*
 * Events of one kind that one CPU may send in a second, but for panics: what comes faster is
 * somebody's tracer or a storm, and copying stacks would be another.
 */
#define BUDGET 50

struct events_map {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
};

static __always_inline bool has_budget(struct kc_budget *of_cpus, enum kc_event_kind kind)
{
	struct kc_budget *budget = &of_cpus[bpf_get_smp_processor_id() & (KC_MAX_CPUS - 1)];
	__u64 second = bpf_ktime_get_ns() / 1000000000;

	if (budget->second != second) {
		__builtin_memset(budget->used, 0, sizeof(budget->used));
		budget->second = second;
	}
	if (budget->used[kind & (KC_EVENT_KINDS - 1)]++ < BUDGET)
		return true;
	lose(KC_LOSS_BUDGET);
	return false;
}

#endif
