/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walk the stack of a task that does not run by the rules that user space has derived:
 *
 *	complete, all slots intact   nobody else needs to look at it
 *	anything else                user space's: a missing rule, a difference, nonsense
 */
#ifndef WALK_BPF_H
#define WALK_BPF_H

#include "arch.bpf.h"
#include "frames.bpf.h"

#define MAX_WALKED 64 /* frames; deeper stacks are user space's */
_Static_assert(MAX_WALKED < KC_TASK_SLOTS, "what is met has room");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, KC_MAX_RULES);
	__type(key, __u64);
	__type(value, struct kc_rule);
} rules SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct walk);
} walks SEC(".maps");

static __always_inline bool read_word(__u64 addr, __u64 *ret_word)
{
	return !bpf_probe_read_kernel(ret_word, sizeof(*ret_word), (void *)addr);
}

static __always_inline bool is_code_half(__u64 pc)
{
	return pc >= KC_TEXT_HALF;
}

static __always_inline const struct kc_rule *rule_of(__u64 key)
{
	return bpf_map_lookup_elem(&rules, &key);
}

/* One frame. A global function: the verifier looks into it once. Returns enum walk_end. */
__noinline int walk_frame(__u32 nth)
{
	__u32 zero = 0;
	struct walk *at = bpf_map_lookup_elem(&walks, &zero);

	return at ? walk_on(at, nth) : WALK_ODD;
}

/* What came of a walk: as in struct walk. */
struct walked {
	__u64 slot, pc;
	__u32 slots;
};

/* From what the task was left with at sp. */
static __always_inline enum walk_end walk(__u64 sp, __u64 top, __u64 canary,
					  struct walked *ret_walked)
{
	__u32 zero = 0;
	struct walk *at = bpf_map_lookup_elem(&walks, &zero);
	enum walk_end end = WALK_GOES_ON;

	if (!at)
		return WALK_ODD;
	__builtin_memset(at, 0, offsetof(struct walk, met));
	at->met.nr_slots = at->met.returns.count = 0;
	at->met.returns.high = KC_TEXT_HALF >> 32;
	at->from = sp;
	at->top = top;
	at->sp = sp + walking.inactive_size;
	if (!stack_word(at, sp + walking.inactive_bp, &at->bp) ||
	    !stack_word(at, sp + walking.inactive_ret, &at->pc))
		end = WALK_ODD;
	meet_return(at, sp + walking.inactive_ret, at->pc);
	at->canary = canary;
	for (__u32 i = 0; i < MAX_WALKED && end == WALK_GOES_ON; i++)
		end = walk_frame(i);
	*ret_walked = (struct walked){ at->slot, at->slot_pc, at->slots };
	/* No canary stays there, nor half of what was taken for a return address and was none. */
	__builtin_memset(at, 0, offsetof(struct walk, met));
	if (end != WALK_COMPLETE)
		__builtin_memset(at->met.returns.was, 0, sizeof(at->met.returns.was));
	return end == WALK_GOES_ON ? WALK_ODD : end;
}

#endif
