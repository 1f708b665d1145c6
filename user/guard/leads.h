/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the function that a call names may have gone on: is the frame below a return address one
 * that this call can have made?
 *
 *	ret_addr-5:  call  wait_for_it       named: a direct call
 *	wait_for_it: ...   jmp  wait_long    a tail call: wait_long's frame is the one below
 *
 * Code is followed over jumps from function to function, and over those that static keys and calls
 * make at times. What it says holds for code as it is: a live patch that is gone does not lead to
 * the frame that a task has. So "elsewhere" proves nothing about a return address; it only takes
 * the ground from what was derived from it.
 */
#ifndef KC_GUARD_LEADS_H
#define KC_GUARD_LEADS_H

#include "arch/insn.h"
#include "kernel/kernel.h"

enum kc_leads {
	KC_LEADS_THERE,
	KC_LEADS_ELSEWHERE,
	KC_LEADS_ANYWHERE, /* by an indirect jump, a tracer's call; to what has no name */
	KC_LEADS_NOT_NOW,  /* some of it can't be read, or is being patched */
};

/* A call of `target` and a frame of the function `below`. */
enum kc_leads kc_leads(const struct kc_kernel *kernel, struct kc_decoder *decoder, uint64_t target,
		       const struct kc_sym *below);

#endif
