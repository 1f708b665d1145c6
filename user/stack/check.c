// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "stack/check.h"

#include <string.h>

#include "kc_record.h"
#include "util/array.h"

static const char *const blind_texts[] = {
	[KC_BLIND_NO_PLAN] = "no guard plan for the function",
	[KC_BLIND_AMBIGUOUS] = "sealed on one way to the instruction and not on another",
	[KC_BLIND_UNREACHED] = "no known control flow leads to the instruction",
	[KC_BLIND_NO_FRAME] = "the frame's extent is not known",
	[KC_BLIND_OUTSIDE] = "the slot would lie outside of the frame",
	[KC_BLIND_PATCHED] = "returns to an instruction behind one that was patched",
	[KC_BLIND_UNWIND] = "unwinding ended before the end of the stack",
};
_Static_assert(kc_countof(blind_texts) == KC_BLIND_NR, "a text for each reason");

const char *kc_blind_text(enum kc_blind blind)
{
	return blind_texts[blind];
}

static void set_blind(struct kc_checked_frame *checked, enum kc_blind blind)
{
	checked->status = KC_CHECK_UNKNOWN;
	checked->blind = blind;
}

/* Where the rule puts the slot in this frame; 0 if that needs what we lack. */
static uint64_t slot_address(const struct kc_frame *frame, const struct kc_slot_rule *rule)
{
	uint64_t base = rule->base == KC_SLOT_CFA  ? frame->cfa
			: rule->base == KC_SLOT_SP ? frame->sp
						   : frame->bp;

	return base ? base + rule->offset : 0;
}

/*
 * Do tables and code tell one extent of an interrupted frame? Before v5.12 the tables did not know
 * of what is patched into a call's place and pushes and pops (Linux commit c9c324dc22aa ("objtool:
 * Support stack layout changes in alternatives")): pushfq; popq %rax.
 */
static bool is_extent_sure(const struct kc_kernel *kernel, const struct kc_checked_frame *checked)
{
	const struct kc_frame *frame = &checked->frame;
	struct kc_orc orc;
	uint32_t depth;

	if (!frame->exact || !kc_kernel_orc(kernel, frame->pc, &orc) || orc.sp_reg != KC_ORC_REG_SP)
		return true;
	depth = kc_plan_depth_at(checked->plan, frame->pc, false);
	return !depth || depth == frame->cfa - frame->sp;
}

/* The longest code that a jump takes the place of: four bytes, and one more instruction. */
#define MAX_DISPLACED (4 + 15)

/*
 * Who was led here by code that lies elsewhere may have been at a copy of what lies right before,
 * which may be a seal that has not been put yet.
 */
static bool may_be_unsealed(const struct kc_checked_frame *checked)
{
	const struct kc_plan *plan = checked->plan;
	uint64_t pc = checked->frame.pc;

	for (size_t i = 0; i < plan->nr_seals; i++)
		if (plan->seals[i] < pc && pc - plan->seals[i] <= MAX_DISPLACED)
			return true;
	return false;
}

static void check_frame(const struct kc_kernel *kernel, struct kc_plans *plans,
			const struct kc_stack *stack, struct kc_checked_frame *checked)
{
	const struct kc_frame *frame = &checked->frame;
	uint64_t site = kc_frame_site(frame), word;

	checked->sym = kc_ksyms_find(kernel->ksyms, site);
	checked->plan = kc_plans_at(plans, site);
	/* What is not text was followed by its code, which then has no check: see kc_ahead(). */
	if (checked->plan->reason == KC_PLAN_UNGUARDED || !kc_kernel_is_text(kernel, site)) {
		checked->status = KC_CHECK_UNGUARDED;
		return;
	}
	/*
	 * "No seal" is about the code that was reached: a symbol's extent may
	 * also cover a function that has lost its name, and that one may be guarded.
	 */
	if (checked->plan->reason != KC_PLAN_OK && checked->plan->reason != KC_PLAN_NO_SEAL) {
		set_blind(checked, KC_BLIND_NO_PLAN);
		return;
	}
	checked->rule = kc_plan_rule_at(checked->plan, site);
	switch (checked->rule.live) {
	case KC_LIVE_NO:
		checked->status = KC_CHECK_NOT_LIVE;
		return;
	case KC_LIVE_UNKNOWN:
		set_blind(checked, KC_BLIND_AMBIGUOUS);
		return;
	case KC_LIVE_UNREACHED:
		set_blind(checked, KC_BLIND_UNREACHED);
		return;
	}
	if (frame->displaced && may_be_unsealed(checked)) {
		set_blind(checked, KC_BLIND_AMBIGUOUS);
		return;
	}
	checked->slot = slot_address(frame, &checked->rule);
	if (!checked->slot || !frame->cfa || !is_extent_sure(kernel, checked)) {
		set_blind(checked, KC_BLIND_NO_FRAME);
		return;
	}
	/* Below the return address, at or above SP: or something is wrong with us. */
	if (checked->slot < frame->sp ||
	    checked->slot > kc_return_slot(frame->cfa) - sizeof(word) ||
	    !kc_stack_word(stack, checked->slot, &word)) {
		set_blind(checked, KC_BLIND_OUTSIDE);
		return;
	}
	checked->status = word == KC_CANARY_MARK ? KC_CHECK_INTACT : KC_CHECK_DAMAGED;
}

/* What lies before a frame's return address; of what is none, nothing can be read. */
static enum kc_site_kind kind_of_site(struct kc_plans *plans, const struct kc_frame *frame)
{
	const struct kc_site *site = frame->exact ? NULL : kc_plans_site(plans, frame->pc);

	return site ? site->kind : KC_SITE_UNREADABLE;
}

/* What each frame says of the one below. */
static void look_back(const struct kc_kernel *kernel, struct kc_plans *plans,
		      struct kc_checked_stack *checked)
{
	struct kc_checked_frame *frames = checked->frames;

	for (size_t i = 0; i < checked->count; i++) {
		enum kc_site_kind kind;
		/* What patched it may return there, too: a tracer's trampoline. */
		bool by_patch =
			i && !kc_kernel_is_text(kernel, kc_frame_site(&frames[i - 1].frame));

		if (!kc_kernel_is_text(kernel, kc_frame_site(&frames[i].frame)))
			continue;
		kind = kind_of_site(plans, &frames[i].frame);
		if (kind == KC_SITE_PATCHED)
			checked->blind[KC_BLIND_PATCHED] += !by_patch;
		else if (i && kind == KC_SITE_CALL)
			frames[i - 1].led_on = true;
	}
}

enum kc_found kc_classify_copied(const struct kc_stack *stack, uint64_t word)
{
	switch (kc_hidden_class(word)) {
	case 0:
		return KC_FOUND_ZERO;
	case KC_HIDDEN_ASCII:
		return KC_FOUND_ASCII;
	case KC_HIDDEN_USER:
		return KC_FOUND_USER;
	case KC_HIDDEN_KERNEL:
		return KC_FOUND_KERNEL;
	case KC_HIDDEN_DATA:
	case KC_CANARY_MARK:
		return KC_FOUND_OTHER;
	}
	if (word < 0x10000)
		return KC_FOUND_SMALL;
	if (word > stack->sp && word <= stack->top)
		return KC_FOUND_STACK;
	return word >= KC_TEXT_HALF ? KC_FOUND_TEXT : KC_FOUND_ASCII;
}

static void add_bad_return(const struct kc_kernel *kernel, const struct kc_stack *stack,
			   struct kc_bad_return bad, struct kc_checked_stack *checked)
{
	uint64_t word;

	if (!kc_stack_word(stack, bad.slot, &word) || checked->nr_bad == kc_countof(checked->bad))
		return;
	bad.found = kc_classify_copied(stack, word);
	/* A small negative number, for one. */
	if (bad.found == KC_FOUND_TEXT && !kc_kernel_is_text(kernel, word))
		bad.found = KC_FOUND_KERNEL;
	checked->bad[checked->nr_bad++] = bad;
}

/* Is it where the nth return address of this sleep was? */
static bool is_nth(const struct kc_stack *stack, uint32_t nth, uint64_t slot)
{
	return nth < stack->returns->count && kc_known_return(stack, nth) == slot;
}

/*
 * Return addresses are followed as they were. Where they do not lie one by one where they lay,
 * something else has changed that frames hang on, and the frame is none of those that there were.
 */
static void end_where_frames_differ(const struct kc_kernel *kernel, const struct kc_stack *stack,
				    struct kc_unwound *unwound)
{
	const struct kc_frame *frames = unwound->frames;
	size_t i = 0;
	uint32_t nth;

	if (!stack->returns)
		return;
	nth = is_nth(stack, 0, stack->sp + kernel->inactive.ret_addr);
	for (; i < unwound->count; i++) {
		bool last = i + 1 == unwound->count;

		if (last ? unwound->end == KC_UNWIND_COMPLETE || !frames[i].cfa
			 : frames[i + 1].exact)
			continue;
		if (!is_nth(stack, nth++, kc_return_slot(frames[i].cfa)))
			break;
	}
	if (i == unwound->count &&
	    (unwound->end != KC_UNWIND_COMPLETE || nth == stack->returns->count))
		return;
	if (i < unwound->count)
		unwound->end_pc = frames[i].pc;
	unwound->count = i;
	unwound->end = KC_UNWIND_CHANGED;
	unwound->through_code = false;
}

/* False: no frame's return address lies there. What the switch returns to is the innermost's. */
static bool find_owner(const struct kc_kernel *kernel, const struct kc_stack *stack,
		       const struct kc_checked_stack *checked, uint64_t slot, size_t *ret_frame)
{
	*ret_frame = 0;
	if (slot == stack->sp + kernel->inactive.ret_addr)
		return checked->count;
	while (*ret_frame < checked->count &&
	       kc_return_slot(checked->frames[*ret_frame].frame.cfa) != slot)
		++*ret_frame;
	return *ret_frame < checked->count;
}

static void find_changed(const struct kc_kernel *kernel, const struct kc_stack *stack,
			 struct kc_checked_stack *checked)
{
	const struct kc_returns *returns = stack->returns;

	for (uint32_t i = 0; returns && i < returns->count; i++) {
		struct kc_bad_return bad = {
			.slot = kc_known_return(stack, i),
			.was = kc_return_address(returns, i),
		};
		uint64_t word;

		if (kc_stack_word(stack, bad.slot, &word) && word != bad.was &&
		    find_owner(kernel, stack, checked, bad.slot, &bad.frame))
			add_bad_return(kernel, stack, bad, checked);
	}
}

/* Is the last frame's return address what ended the unwinding, provably? */
static void find_no_return(const struct kc_kernel *kernel, struct kc_plans *plans,
			   const struct kc_seen *seen, const struct kc_stack *stack,
			   struct kc_checked_stack *checked)
{
	const struct kc_checked_frame *last;
	struct kc_bad_return bad = {};
	struct kc_orc orc;
	uint64_t word;

	if (!checked->count ||
	    (checked->end != KC_UNWIND_NOT_TEXT && checked->end != KC_UNWIND_NOT_CALLED))
		return;
	bad.frame = checked->count - 1;
	last = &checked->frames[bad.frame];
	bad.slot = kc_return_slot(last->frame.cfa);
	if (!last->frame.cfa || !kc_kernel_orc(kernel, kc_frame_site(&last->frame), &orc) ||
	    orc.type != KC_ORC_CALL || !kc_stack_word(stack, bad.slot, &word) ||
	    kc_may_jump_by_return(plans, kernel->ksyms, &last->frame, word))
		return;
	if (last->status != KC_CHECK_INTACT &&
	    (orc.sp_reg != KC_ORC_REG_SP || last->status == KC_CHECK_DAMAGED ||
	     !kc_seen_led_on(seen, kc_frame_site(&last->frame))))
		return;
	if (!checked->nr_bad || checked->bad[checked->nr_bad - 1].slot != bad.slot)
		add_bad_return(kernel, stack, bad, checked);
}

void kc_check_stack(const struct kc_kernel *kernel, struct kc_plans *plans, struct kc_seen *seen,
		    const struct kc_stack *stack, const struct kc_frame *from,
		    struct kc_checked_stack *ret_checked)
{
	struct kc_unwound unwound;

	memset(ret_checked, 0, offsetof(struct kc_checked_stack, frames));
	memset(&ret_checked->nr_bad, 0,
	       sizeof(*ret_checked) - offsetof(struct kc_checked_stack, nr_bad));
	kc_unwind(kernel, plans, stack, from, &unwound);
	end_where_frames_differ(kernel, stack, &unwound);
	ret_checked->end = unwound.end;
	ret_checked->end_pc = unwound.end_pc;
	ret_checked->through_code = unwound.through_code;
	ret_checked->count = unwound.count;
	for (size_t i = 0; i < ret_checked->count; i++)
		ret_checked->frames[i] = (struct kc_checked_frame){ .frame = unwound.frames[i] };
	look_back(kernel, plans, ret_checked);
	for (size_t i = 0; i < ret_checked->count; i++) {
		struct kc_checked_frame *checked = &ret_checked->frames[i];

		check_frame(kernel, plans, stack, checked);
		kc_seen_add(seen, kc_frame_site(&checked->frame),
			    checked->status == KC_CHECK_INTACT, checked->led_on);
		ret_checked->intact += checked->status == KC_CHECK_INTACT;
		ret_checked->damaged += checked->status == KC_CHECK_DAMAGED;
		if (checked->status == KC_CHECK_UNKNOWN)
			ret_checked->blind[checked->blind]++;
	}
	if (ret_checked->end != KC_UNWIND_COMPLETE)
		ret_checked->blind[KC_BLIND_UNWIND]++;
	find_changed(kernel, stack, ret_checked);
	find_no_return(kernel, plans, seen, stack, ret_checked);
}

static bool renew_frame(struct kc_plans *plans, const struct kc_frame *frame)
{
	bool changed = kc_plans_renew(plans, kc_frame_site(frame));

	if (!frame->exact)
		changed |= kc_plans_renew_site(plans, frame->pc);
	return changed;
}

bool kc_renew_stack(const struct kc_kernel *kernel, struct kc_plans *plans,
		    const struct kc_stack *stack, const struct kc_frame *from)
{
	struct kc_unwound unwound;
	size_t renewed = 0, turns = 0;
	bool goes_on, changed = false;

	do {
		kc_unwind(kernel, plans, stack, from, &unwound);
		goes_on = (unwound.end == KC_UNWIND_NOT_CALLED ||
			   unwound.end == KC_UNWIND_ELSEWHERE) &&
			  unwound.count >= renewed;
		for (; renewed < unwound.count; renewed++)
			changed |= renew_frame(plans, &unwound.frames[renewed]);
		/* A call after all: what lies beyond it has not been looked at yet. */
		goes_on = goes_on && kc_plans_renew_site(plans, unwound.end_pc);
		changed |= goes_on;
	} while (goes_on && ++turns < KC_MAX_FRAMES);
	return changed;
}
