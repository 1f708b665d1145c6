/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A function's annotated listing: what `dis -rl` shows, with the seal, the
 * accesses to the slot, the checks and the live range marked. report/listing.h
 * has a picture, and writes it out.
 */
#ifndef KC_GUARD_LISTING_H
#define KC_GUARD_LISTING_H

#include "guard/plan.h"

enum kc_listing_scope {
	KC_LISTING_ALL,
	KC_LISTING_AROUND, /* only near the seal, the checks and `here` */
};

/* One instruction. */
struct kc_listing_row {
	uint64_t offset; /* in the function */
	char text[128];
	char note[96]; /* what it does to the slot; "": nothing */
	char bar;      /* '|' the slot is live here, '?' ambiguous, ' ' not */
	bool more;     /* what follows it in the function is left out */
};

struct kc_listing {
	struct kc_listing_row *rows;
	size_t count;
};

/*
 * The listing of a function. plan may be of any reason; here is a PC to mark, or 0.
 * Operands that are kernel addresses are told as symbol+offset or as "(kernel address)":
 * the listing does not tell where the kernel lies. 0, -EFAULT if the text can't
 * be read, -ENOMEM. ret_listing owns its rows.
 */
int kc_listing(const struct kc_kernel *kernel, const struct kc_plan *plan, uint64_t here,
	       enum kc_listing_scope scope, struct kc_listing *ret_listing);
void kc_listing_free(struct kc_listing *listing);

#endif
