// SPDX-License-Identifier: GPL-2.0-only
/* What all engines share, defined once: see emit.bpf.h. No programs. */
#include "emit.bpf.h"

char LICENSE[] SEC("license") = "GPL";

__u64 losses[KC_LOSS_NR];
struct kc_probe_config config;
struct kc_hold held[KC_MAX_CPUS];
struct kc_deep deep[KC_MAX_CPUS];
struct kc_budget budgets[KC_MAX_CPUS];

struct points_map points SEC(".maps");
struct counts_map counts SEC(".maps");
struct scratch_map scratch SEC(".maps");
struct events_map events SEC(".maps");
struct holds_map holds SEC(".maps");

__noinline int scrub_piece(__u32 first, __u64 canary, __u64 stack, __u64 size)
{
	return scrub_words(first, canary, stack, size);
}

__noinline int compare_piece(__u32 first, __u64 canary, __u64 stack, __u64 size)
{
	struct kc_own_stack own = { stack, size };
	struct scratch *out;
	__u32 zero = 0;

	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!out || first > KC_STACK_WORDS - PIECE)
		return 1;
	for (__u32 i = 0; i < PIECE; i++) {
		__u64 above = out->words[(first + i + 1) & (KC_STACK_WORDS - 1)];

		out->words[first + i] =
			kc_scrub_compared(out->words[first + i], above, canary, &own);
	}
	return 0;
}

static __always_inline bool may_go_on(__u32 cpu, __u64 id, __u64 waited)
{
	volatile struct kc_hold *hold = &held[cpu & (KC_MAX_CPUS - 1)];

	if (hold->told == id || waited >= config.hold_max_ns)
		return true;
	return waited >= config.hold_ns && (hold->safe == id || hold->seen != id);
}

/* Nested loops in global functions: the verifier looks into each once, and needs no bpf_loop(). */
#define SPINS 1000

__noinline int spin(__u32 cpu, __u64 id, __u64 since)
{
	for (__u32 i = 0; i < SPINS; i++)
		if (may_go_on(cpu, id, bpf_ktime_get_ns() - since))
			return 1;
	return 0;
}

__noinline int spin_long(__u32 cpu, __u64 id, __u64 since)
{
	for (__u32 i = 0; i < SPINS; i++)
		if (spin(cpu, id, since))
			return 1;
	return 0;
}
