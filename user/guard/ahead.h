/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What code is about to do to its frame: where its caller's is found when no table tells.
 *
 *	pc ─►  mov  0x20(%sp),%bp        BP = word at SP + 0x20
 *	       add  $0xa8,%sp            SP moves
 *	       ret                       return address: at SP + 0xa8
 *
 * So it is with code that the kernel makes at run time (BPF programs, copies of ftrace's
 * trampolines, kprobes' detours), and with what the tables leave out (retpolines, return thunks).
 * None of it is known by its name or its place: from pc on, instructions are followed until one
 * leaves the frame. What is found so is only as good as what follows from it: see kc_unwind().
 */
#ifndef KC_GUARD_AHEAD_H
#define KC_GUARD_AHEAD_H

#include "arch/insn.h"
#include "kernel/kernel.h"

enum kc_ahead_bp {
	KC_AHEAD_BP_SAME,
	KC_AHEAD_BP_AT_CFA, /* the word at CFA + bp_offset */
	KC_AHEAD_BP_AT_BP,  /* the word at BP + bp_offset */
};

struct kc_ahead {
	bool from_bp; /* the CFA is BP + cfa_offset, else SP + cfa_offset; of pc's registers */
	uint8_t bp;   /* enum kc_ahead_bp: the caller's */
	int32_t cfa_offset;
	int32_t bp_offset;
	/*
	 * 0: it returns. Else: in this very frame it goes on at this place, which is text; for
	 * the CFA read SP, as it will be there.
	 */
	uint64_t target;
};

/* A call so short a way ahead is no call: it jumps over what only speculation runs. */
static inline bool kc_is_short_call(const struct kc_insn *insn)
{
	return insn->flow == KC_FLOW_CALL && insn->target - (insn->addr + insn->len) - 1 < 16;
}

/*
 * False: the way on can't be followed, or leads through a stack-protector check: that is
 * compiled code, whose slot somebody has to look at.
 */
bool kc_ahead(const struct kc_kernel *kernel, struct kc_decoder *decoder, uint64_t pc,
	      struct kc_ahead *ret_ahead);

#endif
