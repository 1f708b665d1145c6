/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a stack copy to checked slots: every frame of a sleeping task is
 * verified, found damaged, has nothing to verify, or can't be told - with the
 * reason. There is no fifth outcome.
 */
#ifndef KC_STACK_CHECK_H
#define KC_STACK_CHECK_H

#include "guard/plan.h"
#include "kc_record.h"
#include "stack/seen.h"
#include "stack/unwind.h"

enum kc_check_status {
	KC_CHECK_UNGUARDED, /* the function has no canary */
	KC_CHECK_NOT_LIVE,  /* it has one, but not at this instruction */
	KC_CHECK_INTACT,
	KC_CHECK_DAMAGED, /* in this copy; a finding only after it was confirmed */
	KC_CHECK_UNKNOWN, /* see blind */
};

/* Why a frame could not be verified. */
enum kc_blind {
	KC_BLIND_NO_PLAN = 0,	/* the plan's own reason says more */
	KC_BLIND_AMBIGUOUS = 1, /* sealed on one way to this instruction, not on another */
	KC_BLIND_UNREACHED = 2, /* no known control flow leads to this instruction */
	KC_BLIND_NO_FRAME = 3,	/* the frame's CFA is not known: unwinding ended in it */
	KC_BLIND_OUTSIDE = 4,	/* the slot would lie outside of its frame */
	KC_BLIND_UNWIND = 5,	/* the frames beyond a premature end: at least one */
	KC_BLIND_PATCHED = 6,	/* the call behind a return address may have been patched away */
	KC_BLIND_NR = 7,
};

const char *kc_blind_text(enum kc_blind blind);

struct kc_checked_frame {
	struct kc_frame frame;
	const struct kc_sym *sym; /* NULL if none covers pc */
	const struct kc_plan *plan;
	bool led_on; /* its tables led to a caller that is a call site */
	enum kc_check_status status;
	enum kc_blind blind; /* if KC_CHECK_UNKNOWN */
	struct kc_slot_rule rule;
	uint64_t slot; /* address, if INTACT or DAMAGED */
};

/*
 * A return address that is not what it was at an earlier look at this sleep. Or that unwinding
 * ended at, because it is none, and the frame lies where we say: its own slot is intact, or its
 * tables led to a caller before.
 */
struct kc_bad_return {
	size_t frame;  /* that it is of; what the switch itself returns to is of the innermost */
	uint64_t slot; /* where it lies */
	uint64_t was;  /* at the earlier look; 0: there was none */
	enum kc_found found; /* instead */
};

struct kc_checked_stack {
	enum kc_unwind_end end;
	bool through_code; /* as in struct kc_unwound */
	uint64_t end_pc;
	size_t count;
	struct kc_checked_frame frames[KC_MAX_FRAMES];
	struct kc_bad_return bad[KC_TASK_SLOTS + 1]; /* return addresses, ... */
	size_t nr_bad;				     /* ... so many */
	size_t intact, damaged;
	size_t blind[KC_BLIND_NR];
};

/* What kind of word this is, of a scrubbed copy. */
enum kc_found kc_classify_copied(const struct kc_stack *stack, uint64_t word);

/*
 * Check a copy in which kc_scrub() has put KC_CANARY_MARK for the canary; `from` as
 * in kc_unwind(). What is seen to be as it must be is added to *seen. Return addresses that are not
 * as they were are told, and frames looked for as if they were; where those are not the ones that
 * there were, other words have changed as well: nothing beyond is looked at, and the end is
 * KC_UNWIND_CHANGED.
 */
void kc_check_stack(const struct kc_kernel *kernel, struct kc_plans *plans, struct kc_seen *seen,
		    const struct kc_stack *stack, const struct kc_frame *from,
		    struct kc_checked_stack *ret_checked);

/*
 * Derive anew what this stack is judged by: plans and call sites, from text as it is now. A
 * difference that a plan has made which was read in the middle of a patch goes away with it. True:
 * some of it is not what it was.
 */
bool kc_renew_stack(const struct kc_kernel *kernel, struct kc_plans *plans,
		    const struct kc_stack *stack, const struct kc_frame *from);

#endif
