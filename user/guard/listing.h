/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A function's annotated listing: what `dis -rl` shows, with the seal, the
 * accesses to the slot, the checks and the live range marked.
 *
 *	 +0x37   movq %gs:0x28, %rax
 *	 +0x40   movq %rax, 0x48(%rsp)          <- seal: slot is CFA-0x20
 *	|+0x45   xorl %eax, %eax
 *	|+0x9e   callq do_nanosleep             <- here
 *	|+0xa7   movq 0x48(%rsp), %rax          <- check: loads the slot
 *	|+0xac   subq %gs:0x28, %rax            <- check: compares
 *	 +0xb5   jne +0x160                     <- to __stack_chk_fail
 */
#ifndef KC_GUARD_LISTING_H
#define KC_GUARD_LISTING_H

#include <stdio.h>

#include "guard/plan.h"

enum kc_listing_scope {
	KC_LISTING_ALL,
	KC_LISTING_AROUND, /* only near the seal, the checks and `here` */
};

/*
 * Write the listing of a function. plan may be of any reason; here is a PC to
 * mark, or 0. Operands that are kernel addresses are told as symbol+offset or as
 * "(kernel address)": the listing does not tell where the kernel lies. 0, -EFAULT if the text can't
 * be read, -ENOMEM.
 */
int kc_listing(const struct kc_kernel *kernel, const struct kc_plan *plan, uint64_t here,
	       enum kc_listing_scope scope, FILE *out);

#endif
