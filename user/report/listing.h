/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A function's listing, written out:
 *
 *	  +0x37    movq %gs:0x28, %rax
 *	  +0x40    movq %rax, 0x48(%rsp)      <- seal: slot is CFA-0x20
 *	| +0x45    xorl %eax, %eax
 *	  ...
 *	| +0x9e    callq do_nanosleep         <- here
 *	| +0xa7    movq 0x48(%rsp), %rax      <- check: loads the slot
 *	| +0xac    subq %gs:0x28, %rax        <- check: compares
 *	  +0xb5    jne +0x160                 <- to __stack_chk_fail
 */
#ifndef KC_REPORT_LISTING_H
#define KC_REPORT_LISTING_H

#include <stdio.h>

#include "guard/listing.h"

/* As kc_listing(), which it asks; errors of writing show on the stream. */
int kc_print_listing(const struct kc_kernel *kernel, const struct kc_plan *plan, uint64_t here,
		     enum kc_listing_scope scope, FILE *out);

#endif
