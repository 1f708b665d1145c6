/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Guard plans: where a function keeps its canary, at every one of its
 * instructions, or the reason why that can't be told.
 *
 *	push %rbx                       .
 *	sub  $0x50,%rsp                 .
 *	mov  %gs:0x28,%rax              .
 *	mov  %rax,0x48(%rsp)    seal    .     slot = CFA - 0x18
 *	...                             │
 *	call do_nanosleep               │ live range: the slot must hold
 *	...                             │ the canary at each of these
 *	mov  0x48(%rsp),%rax            │
 *	sub  %gs:0x28,%rax      check   │
 *	jne  <call __stack_chk_fail>    .
 */
#ifndef KC_GUARD_PLAN_H
#define KC_GUARD_PLAN_H

#include "guard/ahead.h"
#include "guard/site.h"

enum kc_plan_reason {
	KC_PLAN_OK = 0,
	KC_PLAN_UNGUARDED,    /* the code does not refer to the guard: nothing to check */
	KC_PLAN_NO_SEAL,      /* refers to the guard, never stores it in its frame */
	KC_PLAN_NOT_COMPILED, /* no symbol, no size, or generated at run time */
	KC_PLAN_UNREADABLE,   /* its text can't be read */
	KC_PLAN_UNDECODABLE,  /* an instruction before any seal is not understood */
	KC_PLAN_TOO_LARGE,
	KC_PLAN_NO_CFA,	     /* the seal's address can't be tied to the frame */
	KC_PLAN_DISAGREES,   /* a check compares something that is not the sealed slot */
	KC_PLAN_COLD_ORPHAN, /* a .cold part that no parent was seen to enter */
	KC_PLAN_NO_MEMORY,
	KC_PLAN_TORN, /* a breakpoint lies there, of a patch most likely; tried again at the next
			 pass */
	KC_PLAN_NR_REASONS,
};

/* One table for people: what the reason means, as the end of a sentence. */
const char *kc_plan_reason_text(enum kc_plan_reason reason);

/* What the slot's address is relative to. */
enum kc_slot_base {
	KC_SLOT_CFA = 1,
	KC_SLOT_SP = 2, /* SP at this very instruction (frames that realign their stack) */
	KC_SLOT_BP = 3, /* the frame pointer */
};

enum kc_live {
	KC_LIVE_NO,	   /* before the seal, after the check */
	KC_LIVE_SEALED,	   /* the slot must hold the canary */
	KC_LIVE_UNKNOWN,   /* sealed on one way here and not on another */
	KC_LIVE_UNREACHED, /* no known control flow leads here */
};

struct kc_slot_rule {
	uint8_t live; /* enum kc_live */
	uint8_t base; /* enum kc_slot_base, if sealed */
	int32_t offset;
};

struct kc_range {
	uint64_t start, end;
	struct kc_slot_rule rule;
};

struct kc_check {
	uint64_t load;	  /* the instruction that fetches the slot; 0: several do */
	uint64_t compare; /* the one that compares with the guard */
	bool through_bp;  /* `load` fetches [BP + disp], else [SP + disp] */
	int32_t disp;
};

/*
 * How far SP lies below the CFA, by what the code has done to it since the entry: at the loads of
 * checks, and where calls of __stack_chk_fail() would return. Where ORC rules go by the frame
 * pointer, that is a second opinion on where the frame lies.
 */
struct kc_reach {
	uint64_t pc;
	uint32_t depth; /* bytes */
	bool returned;	/* pc is where a call returns to; the instruction there may be another's */
};

struct kc_plan {
	const struct kc_sym *sym;
	enum kc_plan_reason reason;
	struct kc_slot_rule rule; /* at the first seal, for display */
	uint64_t *seals;
	size_t nr_seals;
	struct kc_check *checks;
	size_t nr_checks;
	struct kc_range *ranges; /* ascending; every instruction that is reached */
	size_t nr_ranges;
	struct kc_reach *reaches; /* where it is known */
	size_t nr_reaches;
	uint64_t cold, cold_end; /* its .cold part, if one was entered */
};

struct kc_plans;

/* Is it about one moment's text, and not about the function? Then it is made again. */
bool kc_plan_may_change(const struct kc_plan *plan);

/*
 * The kernel is borrowed. Plans are made on demand and kept, but for what text in the middle of a
 * patch could not tell. Several threads may ask.
 */
int kc_plans_new(const struct kc_kernel *kernel, struct kc_plans **ret_plans);
void kc_plans_free(struct kc_plans *plans);
KC_DEFINE_AUTO(plans, struct kc_plans, kc_plans_free)

/*
 * The plan of the function that covers pc; a .cold part's is its parent's.
 * Never NULL, owned by plans: "no plan" is one with a reason.
 */
const struct kc_plan *kc_plans_at(struct kc_plans *plans, uint64_t pc);
const struct kc_plan *kc_plans_of(struct kc_plans *plans, const struct kc_sym *sym);

/* See kc_ahead(). */
bool kc_plans_ahead(struct kc_plans *plans, uint64_t pc, struct kc_ahead *ret_ahead);

/* What is known of a return address; NULL: out of memory. */
const struct kc_site *kc_plans_site(struct kc_plans *plans, uint64_t pc);

/*
 * What is known of a return address above a frame at `below` (kc_frame_site()): see
 * kc_sites_above(). Above KC_BELOW_SWITCH lies what a task that was switched out goes on at.
 */
#define KC_BELOW_SWITCH 1
enum kc_site_kind kc_plans_above(struct kc_plans *plans, uint64_t pc, uint64_t below);

/* From here on, what could not be read or told is tried again, once. */
void kc_plans_next_pass(struct kc_plans *plans);
/* How often that was said: another number in each pass. */
unsigned int kc_plans_pass(struct kc_plans *plans);

/*
 * Derive anew, from text as it is now: the plan of the function that covers pc; what is known of
 * the return address pc. Does that change anything? Plans that were handed out stay as they are.
 */
bool kc_plans_renew(struct kc_plans *plans, uint64_t pc);
bool kc_plans_renew_site(struct kc_plans *plans, uint64_t pc);

/* What the plan says of the instruction that contains pc. */
struct kc_slot_rule kc_plan_rule_at(const struct kc_plan *plan, uint64_t pc);

/* See struct kc_reach; 0: not known. */
uint32_t kc_plan_depth_at(const struct kc_plan *plan, uint64_t pc, bool returned);

/* "CFA-0x18", "SP+0x48"; at least 24 bytes of text. */
const char *kc_slot_rule_text(const struct kc_slot_rule *rule, char text[static 24]);

#endif
