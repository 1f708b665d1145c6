/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From one frame to its caller's, by a rule; and the frame's slot on the way. As
 * user/stack/unwind.c does with a copy, which has the reasons.
 *
 * Also compiled into the unit tests, so the includer brings what differs there: is_user_mode(),
 * read_word(), is_code_half() and rule_of().
 */
#ifndef FRAMES_BPF_H
#define FRAMES_BPF_H

#include "kc_record.h"

enum walk_end {
	WALK_GOES_ON,
	WALK_COMPLETE,
	WALK_NO_RULE,
	WALK_ODD, /* a frame does not lie where one can */
};

/* Where a walk stands, and what it has met. */
struct walk {
	__kc_u64 pc, sp, bp;
	__kc_u64 from, top; /* of the stack, what is in use */
	__kc_u64 canary;
	__kc_u64 slot, slot_pc;	  /* the innermost that differs, and its frame's pc; 0: none does */
	__kc_u32 exact;		  /* pc is no return address */
	__kc_u32 below;		  /* function of the frame below, or enum kc_rule_below */
	__kc_u32 slots;		  /* that were compared */
	struct kc_task_slots met; /* last: no more than fit */
};

extern struct kc_walk_config walking;

/* A word of kernel memory. */
static __always_inline bool read_word(__kc_u64 addr, __kc_u64 *ret_word);

/* May it be code's address? */
static __always_inline bool is_code_half(__kc_u64 pc);

/* NULL: there is none of this key. */
static __always_inline const struct kc_rule *rule_of(__kc_u64 key);

/* A word of the stack. False: it is none. */
static __always_inline bool stack_word(const struct walk *at, __kc_u64 addr, __kc_u64 *ret_word)
{
	return addr >= at->from && !(addr & 7) && addr < at->top && read_word(addr, ret_word);
}

static __always_inline const struct kc_rule *find_rule(struct walk *at, __kc_u32 nth)
{
	__kc_u64 key = kc_rule_key(at->pc, KC_BELOW_IS_EXACT);
	const struct kc_rule *rule;

	if (!is_code_half(at->pc)) /* it may be another's key */
		return NULL;
	/* A new task "returns" to the very start of ret_from_fork. */
	if (!nth) {
		rule = rule_of(key);
		if (rule && rule->begins) {
			at->exact = 1;
			return rule;
		}
	}
	if (!at->exact)
		key = kc_rule_key(at->pc, at->below);
	return rule_of(key);
}

static __always_inline bool find_cfa(const struct walk *at, const struct kc_rule *rule,
				     __kc_u64 *ret_cfa)
{
	__kc_u64 base = rule->cfa == KC_RULE_SP ? at->sp : at->bp;

	*ret_cfa = base + rule->cfa_offset;
	return rule->cfa != KC_RULE_AT_BP || stack_word(at, *ret_cfa, ret_cfa);
}

static __always_inline bool find_caller_bp(const struct walk *at, const struct kc_rule *rule,
					   __kc_u64 cfa, __kc_u64 *ret_bp)
{
	*ret_bp = at->bp;
	if (!rule->bp)
		return true;
	return stack_word(at, (rule->bp == KC_RULE_CFA ? cfa : at->bp) + rule->bp_offset, ret_bp);
}

static __always_inline void meet_slot(struct walk *at, __kc_u64 slot)
{
	__kc_u32 nth = at->met.nr_slots;

	if (nth < KC_TASK_SLOTS)
		at->met.slot[nth] = (at->top - slot) / sizeof(slot);
	at->met.nr_slots = nth + 1;
}

static __always_inline void meet_return(struct walk *at, __kc_u64 addr, __kc_u64 pc)
{
	struct kc_returns *returns = &at->met.returns;
	__kc_u32 nth = returns->count;

	if (nth < KC_TASK_SLOTS) {
		returns->at[nth] = (at->top - addr) / sizeof(addr);
		returns->was[nth] = pc;
	}
	returns->count = nth + 1;
}

/* Between SP and the return address, or it is none. */
static __always_inline bool compare_slot(struct walk *at, const struct kc_rule *rule, __kc_u64 cfa)
{
	__kc_u64 base = rule->slot == KC_RULE_CFA  ? cfa
			: rule->slot == KC_RULE_SP ? at->sp
						   : at->bp;
	__kc_u64 slot = base + rule->slot_offset, word;

	if (!rule->slot)
		return true;
	if (slot < at->sp || slot > cfa - 2 * sizeof(word) || !stack_word(at, slot, &word))
		return false;
	at->slots++;
	meet_slot(at, slot);
	if (word != at->canary && !at->slot) {
		at->slot = slot;
		at->slot_pc = at->pc;
	}
	return true;
}

/* See is_beginning() in user/stack/unwind.c. */
static __always_inline bool begins_here(const struct walk *at)
{
	__kc_u64 above = at->top - at->sp - walking.regs_size;

	if (!above || walking.begins_at_regs)
		return !above;
	return above == walking.top_padding || above == walking.inactive_size ||
	       above == walking.top_padding + walking.inactive_size;
}

static __always_inline enum walk_end go_on(struct walk *at, __kc_u64 pc, __kc_u64 sp, __kc_u64 bp,
					   bool exact)
{
	at->pc = pc;
	at->sp = sp;
	at->bp = bp;
	at->exact = exact;
	return WALK_GOES_ON;
}

static __always_inline enum walk_end enter_regs(struct walk *at, const struct kc_rule *rule,
						__kc_u64 regs)
{
	__kc_u64 pc, mode, sp, bp = at->bp, above;

	if (rule->caller == KC_RULE_REGS_PARTIAL)
		regs -= walking.regs_pc;
	if (!stack_word(at, regs + walking.regs_pc, &pc) ||
	    !stack_word(at, regs + walking.regs_mode, &mode) ||
	    !stack_word(at, regs + walking.regs_sp, &sp))
		return WALK_ODD;
	if (is_user_mode(mode)) {
		above = at->top - regs - walking.regs_size;
		return !above || above == walking.top_padding ? WALK_COMPLETE : WALK_ODD;
	}
	if (rule->caller == KC_RULE_REGS && !stack_word(at, regs + walking.regs_bp, &bp))
		return WALK_ODD;
	return sp > at->sp ? go_on(at, pc, sp, bp, true) : WALK_ODD;
}

/* What the frame above has below it: see place_below() in user/stack/unwind.c. */
static __always_inline __kc_u32 function_of(const struct walk *at, const struct kc_rule *rule,
					    __kc_u64 cfa)
{
	return at->exact && cfa - sizeof(cfa) == at->sp ? KC_BELOW_IS_ANY : rule->function;
}

static __always_inline enum walk_end walk_on(struct walk *at, __kc_u32 nth)
{
	const struct kc_rule *rule = find_rule(at, nth);
	__kc_u64 cfa, bp, pc;

	if (!rule)
		return WALK_NO_RULE;
	if (rule->caller == KC_RULE_END)
		return begins_here(at) ? WALK_COMPLETE : WALK_ODD;
	if (!find_cfa(at, rule, &cfa) || cfa > at->top || (cfa & 7) || cfa < at->sp ||
	    (cfa == at->sp && rule->caller == KC_RULE_RETURN) || !compare_slot(at, rule, cfa))
		return WALK_ODD;
	if (rule->caller != KC_RULE_RETURN)
		return enter_regs(at, rule, cfa);
	if (!find_caller_bp(at, rule, cfa, &bp) || !stack_word(at, cfa - sizeof(pc), &pc))
		return WALK_ODD;
	meet_return(at, cfa - sizeof(pc), pc);
	at->below = function_of(at, rule, cfa);
	return go_on(at, pc, cfa, bp, false);
}

#endif
