/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Unwinding, layer three: rules. One ORC entry, or what code was seen to do ahead, becomes
 * one row that says how to compute the frame's CFA, the caller's PC and the caller's BP, with
 * nothing ORC-specific left in it.
 */
#ifndef KC_STACK_CFI_H
#define KC_STACK_CFI_H

#include <stdint.h>

#include "guard/ahead.h"
#include "kernel/orc.h"

enum kc_cfa_kind {
	KC_CFA_SP,	   /* sp + offset */
	KC_CFA_BP,	   /* bp + offset */
	KC_CFA_AT_BP,	   /* *(bp + offset) */
	KC_CFA_AT_SP_PLUS, /* *sp + offset: another stack's saved pointer */
	KC_CFA_UNSAVED,	   /* in a register that nobody saved: can't be known */
};

enum kc_caller_kind {
	KC_CALLER_AT_CFA,	/* return address: kc_return_slot(), caller's SP is the CFA */
	KC_CALLER_REGS,		/* struct pt_regs at the CFA */
	KC_CALLER_REGS_PARTIAL, /* only what the processor saved of it are there */
	KC_CALLER_NONE,		/* end of the stack */
	KC_CALLER_UNDEFINED,	/* the tables say: no unwinding from here */
	KC_CALLER_BAD,		/* the entry makes no sense */
};

enum kc_bp_kind {
	KC_BP_SAME,   /* the function has not touched it */
	KC_BP_AT_CFA, /* *(CFA + offset) */
	KC_BP_AT_BP,  /* *(bp + offset) */
	KC_BP_BAD,
};

struct kc_cfi_row {
	uint8_t cfa;	/* enum kc_cfa_kind */
	uint8_t caller; /* enum kc_caller_kind */
	uint8_t bp;	/* enum kc_bp_kind */
	bool signal;	/* the PC of this row's frame is exact */
	int32_t cfa_offset;
	int32_t bp_offset;
};

struct kc_cfi_row kc_cfi_of_orc(const struct kc_orc *orc);

/* Of code that is followed ahead: of one that goes on elsewhere, the CFA is SP there. */
struct kc_cfi_row kc_cfi_of_ahead(const struct kc_ahead *ahead);

#endif
