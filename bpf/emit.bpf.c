// SPDX-License-Identifier: GPL-2.0-only
/* What all engines share, defined once: see emit.bpf.h. No programs. */
#include "emit.bpf.h"
#include "scrub.bpf.h"

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

/* Returns enum wanted. */
__noinline int how_wanted(void)
{
	return how_current(&config.wanted);
}

/* Upwards: the word above is not scrubbed yet. */
__noinline int compare_piece(__u32 first, __u64 canary, __u64 stack, __u64 size)
{
	struct kc_own_stack own = { stack, size };
	struct scratch *out;
	__u32 zero = 0;

	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!out || first > KC_STACK_WORDS - PIECE)
		return 1;
	for (__u32 i = 0; i < PIECE; i++) {
		__u64 word = out->words[first + i];
		__u64 above = out->words[(first + i + 1) & (KC_STACK_WORDS - 1)];
		__u64 told = kc_scrub_compared(word, above, canary, &own);

		out->words[first + i] = told | kc_mark_arg(told, word, out->event.args);
	}
	return 0;
}

__noinline int compare_all(__u64 bytes, __u64 canary, __u64 stack, __u64 size)
{
	return scrub_by(compare_piece, bytes, canary, stack, size);
}

static __always_inline bool may_go_on(__u32 cpu, __u64 id, __u64 waited)
{
	volatile struct kc_hold *hold = &held[cpu & (KC_MAX_CPUS - 1)];

	if (hold->told == id || waited >= config.hold_max_ns)
		return true;
	return waited >= config.hold_ns && (hold->safe == id || hold->seen != id);
}

/*
 * Nested loops in global functions: the verifier looks into each once, but walks through each of
 * its turns, and no kernel needs bpf_loop(). A turn takes 12 ns at least, the clock's: 6 s in all,
 * more than --hold-off-max may be.
 */
#define SPIN(name, turn)                                      \
	__noinline int name(__u32 cpu, __u64 id, __u64 since) \
	{                                                     \
		for (__u32 i = 0; i < 55; i++)                \
			if (turn)                             \
				return 1;                     \
		return 0;                                     \
	}

SPIN(spin, may_go_on(cpu, id, bpf_ktime_get_ns() - since))
SPIN(spin_2, spin(cpu, id, since))
SPIN(spin_3, spin_2(cpu, id, since))
SPIN(spin_4, spin_3(cpu, id, since))
SPIN(spin_all, spin_4(cpu, id, since))
