// SPDX-License-Identifier: GPL-2.0-only
/*
 * Samples: now and then a timer's interrupt looks at what its CPU was at. In the kernel that is a
 * stack in use, which goes out from the interrupted instruction on, with its registers.
 *
 * The interrupt may have come in the middle of any other program of ours: nothing is shared. It
 * runs on the CPU's own stack for interrupts and takes the task's no room.
 */
#include "emit.bpf.h"
#include "scrub.bpf.h"
#include "slots.bpf.h"

char LICENSE[] SEC("license") = "GPL";

__u64 losses[KC_LOSS_NR];
struct kc_probe_config config;
struct kc_sample_count sampled[KC_MAX_CPUS];
struct kc_budget budgets[KC_MAX_CPUS];
__u32 every; /* so manyth is taken; 0: each */

struct scratch_map scratch SEC(".maps");
struct events_map events SEC(".maps");

/* By thread: where a slot differed in a sample of it, so that it is compared here in the next. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KC_MAX_ASKED);
	__type(key, __u32);
	__type(value, __u64);
} asked SEC(".maps");

/* 0: nothing was asked of the current thread. Once, since user space may ask for another. */
static __always_inline __u64 asked_slot(void)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();
	volatile __u64 *slot = bpf_map_lookup_elem(&asked, &tid);

	return slot ? *slot : 0;
}

static __always_inline void compare_asked(const struct here *here, struct kc_damage *damage)
{
	struct kc_places at = places(here);
	__u64 slot = asked_slot(), word;

	if (slot < here->sp || slot >= here->top ||
	    bpf_probe_read_kernel(&word, sizeof(word), (void *)slot) || word == here->canary)
		return;
	describe_found(slot, word, here->canary, &at, damage);
}

SEC("perf_event")
int kc_sample(struct pt_regs *ctx) /* a struct bpf_perf_event_data begins with it */
{
	struct kc_sample_count *count = &sampled[bpf_get_smp_processor_id() & (KC_MAX_CPUS - 1)];
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 pid_tgid = bpf_get_current_pid_tgid();
	const struct kc_point nowhere = {};
	struct here here = {};
	struct scratch *out;

	/* No CPU's idle task, and not us. */
	if (!pid_tgid || pid_tgid >> 32 == config.wanted.self ||
	    how_current(&config.wanted) != WANTED)
		return 0;
	/* A second look is not put off. */
	if (every > 1 && (count->taken + count->skipped) % every && !asked_slot()) {
		count->skipped++;
		return 0;
	}
	count->taken++;
	read_regs(ctx, &here);
	here.site = interrupted_pc(ctx);
	if (!locate(task, &here)) {
		count->other_stack++;
		return 0;
	}
	out = read_canary(task, &here) ? new_event(KC_EVENT_SAMPLE, WANTED, &nowhere) : NULL;
	if (!out)
		return 0;
	compare_asked(&here, &out->event.damage);
	emit(task, out, &here, false, false);
	return 0;
}
