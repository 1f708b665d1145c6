/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Unwinding, layer four: policy. From a copy of a sleeping task's stack to its
 * frames, innermost first.
 *
 *	thread.sp ─► ┌─────────────────────┐ low
 *	             │ inactive_task_frame │  bp, return address into __schedule
 *	frame 0 sp ─►├─────────────────────┤
 *	             │ __schedule          │
 *	frame 0 cfa ►├─────────────────────┤◄─ frame 1 sp
 *	             │ schedule            │
 *	             ├─────────────────────┤
 *	             :                     :
 *	             │ struct pt_regs      │  user mode: end of stack
 *	top ───────► └─────────────────────┘ high
 *
 * Complete is what ends there and nowhere else: with user mode's registers, or, in a kernel
 * thread and a task that has not begun, with the tables' end mark right below the room for them.
 * Code in the middle of a stack may have that mark, too: it was all that tables up to v6.3 could
 * say of code that they do not know (UNWIND_HINT_EMPTY in retpolines: Linux commit fb799447ae29
 * ("x86,objtool: Split UNWIND_HINT_EMPTY in two"), v6.4).
 */
#ifndef KC_STACK_UNWIND_H
#define KC_STACK_UNWIND_H

#include "guard/plan.h"
#include "kc_record.h"

/* A copy of [sp, top) of one stack. */
struct kc_stack {
	uint64_t sp;
	uint64_t top;
	const uint64_t *words;		  /* (top - sp) / 8 of them, borrowed */
	const struct kc_returns *returns; /* of its sleep; borrowed; NULL: not known */
};

/* Where the nth return address that is known of the sleep lies, nth below their count. */
static inline uint64_t kc_known_return(const struct kc_stack *stack, uint32_t nth)
{
	return stack->top - stack->returns->at[nth] * sizeof(uint64_t);
}

struct kc_frame {
	uint64_t pc;	/* return address, or exact if `exact` */
	uint64_t sp;	/* SP while at pc; for a call site: before the call pushed */
	uint64_t bp;	/* frame pointer, as far as the tables track it */
	uint64_t cfa;	/* 0: not known (last frame) */
	bool exact;	/* interrupted here, or not yet begun */
	bool displaced; /* exact, but for what lies right before: code that goes on here was it */
	bool unsettled; /* whether the call before pc leads to the frame below can't be told now */
};

/*
 * Interrupted with no more than the return address on its stack: on its way in or out, perhaps in
 * a thunk. Of a frame whose CFA is known.
 */
static inline bool kc_frame_is_bare(const struct kc_frame *frame)
{
	return frame->exact && kc_return_slot(frame->cfa) == frame->sp;
}

/* Three different ends: it was the end; we can't tell; the data is bad. */
enum kc_unwind_end {
	KC_UNWIND_COMPLETE = 0,
	/* can't tell */
	KC_UNWIND_NO_TABLE = 1,	 /* where code may be, without ORC: see kc_kernel_may_be_code() */
	KC_UNWIND_UNDEFINED = 2, /* the tables say that they do not know */
	KC_UNWIND_UNSAVED = 3,	 /* the frame hangs on a register that was not saved */
	KC_UNWIND_OTHER_STACK = 4,
	KC_UNWIND_TRAMPOLINE = 5, /* a return address was replaced by a kretprobe or rethook */
	KC_UNWIND_TOO_DEEP = 6,
	/* bad data */
	KC_UNWIND_LEAVES_STACK = 7,
	KC_UNWIND_NO_PROGRESS = 8,
	KC_UNWIND_NOT_TEXT = 9, /* a return address where no code can be */
	KC_UNWIND_BAD_TABLE = 10,
	KC_UNWIND_NOT_CALLED = 11, /* a return address that no call left behind */
	/* can't tell */
	KC_UNWIND_TRACER = 12, /* replaced, and not by a return probe of old */
	KC_UNWIND_EARLY = 13,  /* it was said to be the end, and is not at the stack's top */
	/* bad data */
	KC_UNWIND_CHANGED = 14, /* a return address is not what it was in this sleep */
	/* can't tell */
	KC_UNWIND_ELSEWHERE = 15, /* the call before a return address is of another function */
	KC_UNWIND_NR_ENDS = 16,
};

const char *kc_unwind_end_text(enum kc_unwind_end end);

#define KC_MAX_FRAMES 128

struct kc_unwound {
	enum kc_unwind_end end;
	bool through_code; /* not by tables alone, and complete */
	uint64_t end_pc;   /* of the frame in which it ended, or the tables did; or what is none */
	size_t count;
	struct kc_frame frames[KC_MAX_FRAMES];
};

/*
 * Unwind a task that is not running, or from a frame that is known (`from`: pc, sp,
 * bp, exact). Frames found before a premature end are valid. Where the tables know no way on,
 * the code is asked (guard/ahead.h); frames beyond that are told only if the stack is complete
 * with them.
 */
void kc_unwind(const struct kc_kernel *kernel, struct kc_plans *plans, const struct kc_stack *stack,
	       const struct kc_frame *from, struct kc_unwound *ret_unwound);

/*
 * May a frame that was interrupted have put `to`, which is where its return address lies, there
 * itself, to go to that function by returning? Retpolines do, and the return thunks that they
 * end in; for those instructions the tables say no more than for any other return.
 */
bool kc_may_jump_by_return(struct kc_plans *plans, const struct kc_ksyms *ksyms,
			   const struct kc_frame *frame, uint64_t to);

/*
 * What puts this in the place of return addresses: KC_UNWIND_TRAMPOLINE, KC_UNWIND_TRACER; or
 * KC_UNWIND_COMPLETE: nothing.
 */
enum kc_unwind_end kc_trampoline_end(const struct kc_kernel *kernel, uint64_t pc);

/* The word at a stack address; false if it lies outside of the copy. */
bool kc_stack_word(const struct kc_stack *stack, uint64_t addr, uint64_t *ret_word);

/* The same; a return address that is known of this sleep, as it was. */
bool kc_stack_word_as_was(const struct kc_stack *stack, uint64_t addr, uint64_t *ret_word);

/* The address whose function and live range a frame is about. */
static inline uint64_t kc_frame_site(const struct kc_frame *frame)
{
	return frame->exact ? frame->pc : frame->pc - 1;
}

#endif
