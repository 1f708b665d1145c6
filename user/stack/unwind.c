// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "stack/unwind.h"

#include <stddef.h>
#include <string.h>

#include "kc_record.h"
#include "stack/cfi.h"
#include "util/array.h"

static const char *const end_texts[] = {
	[KC_UNWIND_COMPLETE] = "complete",
	[KC_UNWIND_NO_TABLE] = "code without unwind tables (generated, or an unreadable module)",
	[KC_UNWIND_UNDEFINED] = "the unwind tables do not cover this place",
	[KC_UNWIND_UNSAVED] = "the frame hangs on a register that was not saved",
	[KC_UNWIND_OTHER_STACK] = "continues on another stack",
	[KC_UNWIND_TRAMPOLINE] = "a return address was replaced by a return probe",
	[KC_UNWIND_TOO_DEEP] = "more frames than a stack can hold",
	[KC_UNWIND_LEAVES_STACK] = "a frame lies outside of the stack",
	[KC_UNWIND_NO_PROGRESS] = "a frame does not lie above its callee's",
	[KC_UNWIND_NOT_TEXT] = "a return address is not kernel text",
	[KC_UNWIND_NOT_CALLED] = "a return address does not follow a call",
	[KC_UNWIND_CHANGED] = "the frames are not those that there were in this sleep",
	[KC_UNWIND_ELSEWHERE] = "the call before a return address does not lead to the frame below",
	[KC_UNWIND_BAD_TABLE] = "a malformed unwind table entry",
	[KC_UNWIND_TRACER] = "a return address was replaced by the function graph tracer, or a "
			     "probe built on it",
	[KC_UNWIND_EARLY] = "ended early: an end mark or user registers below the top of the stack",
};
_Static_assert(kc_countof(end_texts) == KC_UNWIND_NR_ENDS, "a text for each end");

const char *kc_unwind_end_text(enum kc_unwind_end end)
{
	return end_texts[end];
}

bool kc_stack_word(const struct kc_stack *stack, uint64_t addr, uint64_t *ret_word)
{
	if (addr < stack->sp || (addr & 7) || addr >= stack->top ||
	    stack->top - addr < sizeof(*ret_word))
		return false;
	*ret_word = stack->words[(addr - stack->sp) / sizeof(*ret_word)];
	return true;
}

bool kc_stack_word_as_was(const struct kc_stack *stack, uint64_t addr, uint64_t *ret_word)
{
	const struct kc_returns *returns = stack->returns;

	if (!kc_stack_word(stack, addr, ret_word))
		return false;
	for (uint32_t i = 0; returns && i < returns->count; i++)
		if (kc_known_return(stack, i) == addr)
			*ret_word = kc_return_address(returns, i);
	return true;
}

/* Where unwinding stands: the registers of the frame being looked at. */
struct cursor {
	const struct kc_kernel *kernel;
	struct kc_plans *plans;
	const struct kc_stack *stack;
	struct kc_frame frame;
	const struct kc_frame *below; /* NULL: it is the innermost */
	bool is_switched;	      /* the task is: the innermost is what it goes on at */
	/* Code without tables was followed: where tables led to no further, and why. */
	bool led_by_code;
	enum kc_unwind_end tables_end;
	struct kc_frame tables_last;
};

enum kc_unwind_end kc_trampoline_end(const struct kc_kernel *kernel, uint64_t pc)
{
	static const struct {
		const char *name;
		enum kc_unwind_end end;
	} known[] = {
		{ "kretprobe_trampoline", KC_UNWIND_TRAMPOLINE },
		{ "__kretprobe_trampoline", KC_UNWIND_TRAMPOLINE },
		{ "arch_rethook_trampoline", KC_UNWIND_TRAMPOLINE },
		/*
		 * The function graph tracer's; and fprobe's, since it is built on that ("fprobe:
		 * Rewrite fprobe on function-graph tracer", v6.14).
		 */
		{ "return_to_handler", KC_UNWIND_TRACER },
	};
	const struct kc_sym *sym = kc_ksyms_find(kernel->ksyms, pc);

	for (size_t i = 0; sym && i < kc_countof(known); i++)
		if (!strcmp(kc_sym_name(kernel->ksyms, sym), known[i].name))
			return known[i].end;
	return KC_UNWIND_COMPLETE;
}

static enum kc_unwind_end find_cfa(struct cursor *at, const struct kc_cfi_row *row,
				   uint64_t *ret_cfa)
{
	uint64_t word;

	switch (row->cfa) {
	case KC_CFA_SP:
		*ret_cfa = at->frame.sp + row->cfa_offset;
		return KC_UNWIND_COMPLETE;
	case KC_CFA_BP:
		*ret_cfa = at->frame.bp + row->cfa_offset;
		return KC_UNWIND_COMPLETE;
	case KC_CFA_AT_BP:
		if (!kc_stack_word_as_was(at->stack, at->frame.bp + row->cfa_offset, &word))
			return KC_UNWIND_LEAVES_STACK;
		*ret_cfa = word;
		return KC_UNWIND_COMPLETE;
	case KC_CFA_AT_SP_PLUS:
		return KC_UNWIND_OTHER_STACK;
	default:
		return KC_UNWIND_UNSAVED;
	}
}

static enum kc_unwind_end find_bp(struct cursor *at, const struct kc_cfi_row *row, uint64_t cfa,
				  uint64_t *ret_bp)
{
	uint64_t addr = row->bp == KC_BP_AT_CFA ? cfa : at->frame.bp;

	if (row->bp == KC_BP_BAD)
		return KC_UNWIND_BAD_TABLE;
	if (row->bp == KC_BP_SAME) {
		*ret_bp = at->frame.bp;
		return KC_UNWIND_COMPLETE;
	}
	if (!kc_stack_word_as_was(at->stack, addr + row->bp_offset, ret_bp))
		return KC_UNWIND_LEAVES_STACK;
	return KC_UNWIND_COMPLETE;
}

/* Are these the registers that the way in from user mode leaves at the top? */
static bool is_at_top(const struct cursor *at, uint64_t regs)
{
	uint64_t above = at->stack->top - regs - at->kernel->pt_regs.size;

	return above == 0 || above == kc_arch()->top_padding;
}

/*
 * Is SP where a task's own stack begins? That is right below the room for user mode's registers,
 * and an idle task's below what it was switched to with, too. The older tables have the mark
 * where a system call may be a few words further on (no idle task is swept, and there was no
 * padding yet).
 */
static bool is_beginning(const struct cursor *at, uint64_t sp)
{
	uint64_t above = at->stack->top - sp - at->kernel->pt_regs.size;

	if (above == 0 || at->kernel->orc.layout < KC_ORC_V3)
		return above == 0;
	return above == kc_arch()->top_padding || above == at->kernel->inactive.size ||
	       above == kc_arch()->top_padding + at->kernel->inactive.size;
}

/* The caller's registers out of a struct pt_regs; false at the end of the stack. */
static bool enter_regs(struct cursor *at, const struct kc_cfi_row *row, uint64_t regs,
		       enum kc_unwind_end *ret_end)
{
	const struct kc_pt_regs *layout = &at->kernel->pt_regs;
	struct kc_frame caller = { .bp = at->frame.bp, .exact = true };
	uint64_t mode;

	/* A partial frame is the same struct with only its upper end filled in. */
	if (row->caller == KC_CALLER_REGS_PARTIAL)
		regs -= layout->pc;
	if (!kc_stack_word_as_was(at->stack, regs + layout->pc, &caller.pc) ||
	    !kc_stack_word_as_was(at->stack, regs + layout->mode, &mode) ||
	    !kc_stack_word_as_was(at->stack, regs + layout->sp, &caller.sp)) {
		*ret_end = KC_UNWIND_LEAVES_STACK;
		return false;
	}
	if (kc_arch()->from_user(mode)) {
		*ret_end = is_at_top(at, regs) ? KC_UNWIND_COMPLETE : KC_UNWIND_EARLY;
		return false;
	}
	if (row->caller == KC_CALLER_REGS &&
	    !kc_stack_word_as_was(at->stack, regs + layout->bp, &caller.bp)) {
		*ret_end = KC_UNWIND_LEAVES_STACK;
		return false;
	}
	at->frame = caller;
	return true;
}

/* What it means that the tables know no caller. */
static enum kc_unwind_end end_of(const struct cursor *at, const struct kc_cfi_row *row)
{
	switch (row->caller) {
	case KC_CALLER_NONE:
		return is_beginning(at, at->frame.sp) ? KC_UNWIND_COMPLETE : KC_UNWIND_EARLY;
	case KC_CALLER_UNDEFINED:
		return KC_UNWIND_UNDEFINED;
	default:
		return KC_UNWIND_BAD_TABLE;
	}
}

/* What the tables say of the frame; false: no rule, with the reason. */
static bool find_row(const struct cursor *at, struct kc_cfi_row *ret_row,
		     enum kc_unwind_end *ret_end)
{
	struct kc_orc orc;

	*ret_end = KC_UNWIND_NO_TABLE;
	if (!kc_kernel_orc(at->kernel, kc_frame_site(&at->frame), &orc))
		return false;
	*ret_row = kc_cfi_of_orc(&orc);
	if (ret_row->caller < KC_CALLER_NONE)
		return true;
	*ret_end = end_of(at, ret_row);
	return false;
}

/* The frame at the place in text where the code goes on. */
static bool go_on(struct cursor *at, const struct kc_cfi_row *row, uint64_t target)
{
	struct kc_frame there = { .pc = target, .exact = true, .displaced = true };

	if (find_cfa(at, row, &there.sp) != KC_UNWIND_COMPLETE || there.sp < at->frame.sp ||
	    there.sp > at->stack->top || (there.sp & 7) ||
	    find_bp(at, row, there.sp, &there.bp) != KC_UNWIND_COMPLETE)
		return false;
	at->frame = there;
	return true;
}

/* Code is asked from here on: where the tables led to, and why no further. */
static void lead_by_code(struct cursor *at, const struct kc_frame *last, enum kc_unwind_end end)
{
	if (at->led_by_code)
		return;
	at->led_by_code = true;
	at->tables_end = end;
	at->tables_last = *last;
}

/* Ways through code without tables that lead on to more of it. */
#define MAX_HOPS 4

/*
 * The rule for the frame: the tables', or where they know none, what the code goes on to do.
 * From there on `at` is marked as led by that.
 */
static bool find_any_row(struct cursor *at, struct kc_cfi_row *ret_row, enum kc_unwind_end *ret_end)
{
	const struct kc_frame first = at->frame;
	struct kc_ahead ahead;
	enum kc_unwind_end end;

	if (find_row(at, ret_row, ret_end))
		return true;
	for (size_t i = 0; i < MAX_HOPS; i++) {
		if ((*ret_end != KC_UNWIND_NO_TABLE && *ret_end != KC_UNWIND_UNDEFINED &&
		     *ret_end != KC_UNWIND_EARLY) ||
		    !kc_plans_ahead(at->plans, at->frame.pc, &ahead))
			break;
		lead_by_code(at, &first, *ret_end);
		*ret_row = kc_cfi_of_ahead(&ahead);
		if (!ahead.target)
			return true;
		if (!go_on(at, ret_row, ahead.target))
			break;
		if (find_row(at, ret_row, &end))
			return true;
	}
	at->frame = first;
	return false;
}

/*
 * Complete the frame (its CFA) by its rule and go on to its caller. False when it was the
 * last, with the reason.
 */
static bool step(struct cursor *at, const struct kc_cfi_row *row, struct kc_frame *ret_done,
		 enum kc_unwind_end *ret_end)
{
	struct kc_frame *frame = &at->frame;
	struct kc_frame caller = {};
	uint64_t cfa;

	*ret_end = find_cfa(at, row, &cfa);
	if (*ret_end != KC_UNWIND_COMPLETE)
		return false;
	if (cfa <= frame->sp || cfa > at->stack->top || (cfa & 7)) {
		*ret_end = cfa <= frame->sp ? KC_UNWIND_NO_PROGRESS : KC_UNWIND_LEAVES_STACK;
		if (row->caller == KC_CALLER_AT_CFA || cfa != frame->sp)
			return false;
	}
	ret_done->cfa = cfa;
	if (row->caller != KC_CALLER_AT_CFA) {
		if (!enter_regs(at, row, cfa, ret_end))
			return false;
		if (at->frame.sp <= ret_done->sp) {
			*ret_end = KC_UNWIND_NO_PROGRESS;
			return false;
		}
		return true;
	}
	*ret_end = find_bp(at, row, cfa, &caller.bp);
	if (*ret_end != KC_UNWIND_COMPLETE)
		return false;
	if (!kc_stack_word_as_was(at->stack, kc_return_slot(cfa), &caller.pc)) {
		*ret_end = KC_UNWIND_LEAVES_STACK;
		return false;
	}
	caller.sp = cfa;
	*frame = caller;
	return true;
}

bool kc_may_jump_by_return(struct kc_plans *plans, const struct kc_ksyms *ksyms,
			   const struct kc_frame *frame, uint64_t to)
{
	const struct kc_sym *sym;

	/* Asked of each frame: symbols are looked up for few. */
	if (!kc_frame_is_bare(frame))
		return false;
	sym = kc_ksyms_find(ksyms, to);
	return sym && sym->addr == to && kc_plans_at(plans, frame->pc)->reason == KC_PLAN_UNGUARDED;
}

/* What kc_plans_above() is to be asked of; 0: nothing can be said of it. */
static uint64_t place_below(const struct cursor *at)
{
	const struct kc_frame *below = at->below;

	/* A task that runs may be on another function's frame; that is for the verdict to say. */
	if (!at->is_switched)
		return 0;
	if (!below)
		return KC_BELOW_SWITCH;
	if (kc_frame_is_bare(below))
		return 0;
	/* How code that is made at run time was entered, no text tells. */
	return kc_kernel_is_text(at->kernel, kc_frame_site(below)) ? kc_frame_site(below) : 0;
}

/* Can the call before this return address have made the frame below? */
static enum kc_unwind_end judge_call(struct cursor *at)
{
	enum kc_site_kind kind;

	if (at->frame.exact)
		return KC_UNWIND_COMPLETE;
	kind = kc_plans_above(at->plans, at->frame.pc, place_below(at));
	at->frame.unsettled = kind == KC_SITE_NOT_NOW;
	switch (kind) {
	case KC_SITE_NO_CALL:
		return KC_UNWIND_NOT_CALLED;
	case KC_SITE_ELSEWHERE:
		return KC_UNWIND_ELSEWHERE;
	default:
		return KC_UNWIND_COMPLETE;
	}
}

/*
 * What stops us from taking pc for an address in a frame's function. Code without tables may
 * be followed all the same.
 */
static enum kc_unwind_end judge_pc(struct cursor *at)
{
	const struct kc_kernel *kernel = at->kernel;
	const struct kc_frame *frame = &at->frame;
	enum kc_unwind_end replaced = kc_trampoline_end(kernel, frame->pc);

	if (replaced)
		return replaced;
	if (kc_kernel_is_text(kernel, kc_frame_site(frame)))
		return judge_call(at);
	return frame->pc >= KC_TEXT_HALF && kc_kernel_may_be_code(kernel, kc_frame_site(frame))
		       ? KC_UNWIND_NO_TABLE
		       : KC_UNWIND_NOT_TEXT;
}

/* The innermost frame of a task that is not running. */
static bool sleeping_frame(const struct kc_kernel *kernel, const struct kc_stack *stack,
			   struct kc_frame *ret_frame)
{
	const struct kc_sym *sym;

	*ret_frame = (struct kc_frame){ .sp = stack->sp + kernel->inactive.size };
	if (!kc_stack_word_as_was(stack, stack->sp + kernel->inactive.bp, &ret_frame->bp) ||
	    !kc_stack_word_as_was(stack, stack->sp + kernel->inactive.ret_addr, &ret_frame->pc))
		return false;
	/* A new task "returns" to the very start of ret_from_fork. */
	sym = kc_ksyms_find(kernel->ksyms, ret_frame->pc);
	ret_frame->exact = sym && sym->addr == ret_frame->pc;
	return true;
}

/* Up to where it ends; ret_by_tables: how many frames, before code was first asked. */
static enum kc_unwind_end unwind(struct cursor *at, struct kc_unwound *unwound,
				 size_t *ret_by_tables)
{
	enum kc_unwind_end end, why;
	struct kc_frame *last = NULL;
	struct kc_cfi_row row;
	bool was_led, has_row;

	do {
		end = judge_pc(at);
		/*
		 * A call may happen to end where the function begins that is jumped to: one that
		 * does not return stands at the end of many.
		 */
		if ((end == KC_UNWIND_NOT_CALLED || end == KC_UNWIND_COMPLETE) &&
		    !at->frame.exact && last &&
		    kc_may_jump_by_return(at->plans, at->kernel->ksyms, last, at->frame.pc)) {
			if (!at->led_by_code)
				*ret_by_tables = unwound->count;
			lead_by_code(at, last,
				     end == KC_UNWIND_COMPLETE ? KC_UNWIND_ELSEWHERE : end);
			at->frame.exact = true;
			end = KC_UNWIND_COMPLETE;
		}
		if (end != KC_UNWIND_COMPLETE && end != KC_UNWIND_NO_TABLE)
			return end;
		if (unwound->count == KC_MAX_FRAMES)
			return KC_UNWIND_TOO_DEEP;
		was_led = at->led_by_code;
		has_row = find_any_row(at, &row, &why);
		if (!was_led && at->led_by_code)
			*ret_by_tables = unwound->count + (end == KC_UNWIND_COMPLETE);
		if (!has_row && end == KC_UNWIND_NO_TABLE)
			return end;
		last = &unwound->frames[unwound->count++];
		*last = at->frame;
		at->below = last;
		end = why;
	} while (has_row && step(at, &row, last, &end));
	return end;
}

/*
 * What code was seen to do ahead proves nothing by itself. A stack that ends where stacks end,
 * with a call before every return address, is as the code said; of any other, only what the
 * tables alone lead to is told, and their end.
 */
void kc_unwind(const struct kc_kernel *kernel, struct kc_plans *plans, const struct kc_stack *stack,
	       const struct kc_frame *from, struct kc_unwound *ret_unwound)
{
	struct cursor at = {
		.kernel = kernel, .plans = plans, .stack = stack, .is_switched = !from
	};
	size_t by_tables = 0;

	memset(ret_unwound, 0, offsetof(struct kc_unwound, frames));
	ret_unwound->end = KC_UNWIND_LEAVES_STACK;
	if (from)
		at.frame = *from;
	else if (!sleeping_frame(kernel, stack, &at.frame))
		return;
	ret_unwound->end = unwind(&at, ret_unwound, &by_tables);
	ret_unwound->end_pc = at.led_by_code ? at.tables_last.pc : at.frame.pc;
	ret_unwound->through_code = at.led_by_code && ret_unwound->end == KC_UNWIND_COMPLETE;
	if (!at.led_by_code || ret_unwound->through_code)
		return;
	ret_unwound->end = at.tables_end;
	ret_unwound->count = by_tables;
	if (by_tables && kc_kernel_is_text(kernel, kc_frame_site(&at.tables_last)))
		ret_unwound->frames[by_tables - 1] = at.tables_last;
}
