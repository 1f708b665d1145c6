/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Return addresses: does the instruction before one call, and may the function that it calls be
 * that of the frame below?
 *
 * Text that is patched at run time can make the question unanswerable: a call
 * may have become a nop or `xor %eax, %eax` (static calls, Linux commit
 * 9183c3f9ed71 ("static_call: Add inline static call infrastructure"), v5.10),
 * or a breakpoint lies there for as long as the patch takes. Only that it is a call is known for
 * good; anything else is looked at again.
 */
#ifndef KC_GUARD_SITE_H
#define KC_GUARD_SITE_H

#include "arch/insn.h"
#include "kernel/kernel.h"

enum kc_site_kind {
	KC_SITE_CALL,	 /* the instruction before it is a call */
	KC_SITE_PATCHED, /* it may have been one */
	KC_SITE_NO_CALL, /* nobody can return here */
	KC_SITE_UNREADABLE,
	KC_SITE_ELSEWHERE, /* it is a call, of another function: see guard/leads.h */
	KC_SITE_NOT_NOW,   /* it is a call; where it leads can't be told at the moment */
};

/* Does a call lead to the function of a frame below? */
struct kc_lead {
	const struct kc_sym *below;
	uint8_t leads; /* enum kc_leads */
};

struct kc_site {
	uint64_t pc;
	enum kc_site_kind kind; /* none of the last two */
	unsigned int looked;	/* in which pass */
	bool anywhere;		/* so much is known: its call may lead to any function */
	struct kc_lead *leads;	/* else, what was asked and found so far */
	size_t nr_leads, capacity;
	unsigned int asked; /* in this pass, all of them but those that it leads to */
};

struct kc_sites;

/* Both are borrowed. */
int kc_sites_new(const struct kc_kernel *kernel, struct kc_decoder *decoder,
		 struct kc_sites **ret_sites);
void kc_sites_free(struct kc_sites *sites);

/* Owned by sites and kept; looked at again if that was in another pass. NULL: out of memory. */
const struct kc_site *kc_sites_at(struct kc_sites *sites, uint64_t pc, unsigned int pass);

/*
 * What is known of the return address pc above a frame at `below` (kc_frame_site()); KC_SITE_CALL
 * also where the call may lead anywhere.
 */
enum kc_site_kind kc_sites_above(struct kc_sites *sites, uint64_t pc, uint64_t below,
				 unsigned int pass);

/* Look again; does that change anything? */
bool kc_sites_renew(struct kc_sites *sites, uint64_t pc, unsigned int pass);

#endif
