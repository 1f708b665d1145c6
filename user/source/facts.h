/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Kernel facts on a tape: of symbols, ORC entries, edges and text only what somebody asked
 * for, and no address that tells where KASLR put the kernel.
 */
#ifndef KC_SOURCE_FACTS_H
#define KC_SOURCE_FACTS_H

#include "kernel/rebase.h"
#include "source/tape.h"

struct kc_facts;

/*
 * Write down this kernel, and from here on what is asked of it; its memory is read through the
 * facts from then on. Text that was patched meanwhile comes once more: see kc_facts_until().
 * Kernel and tape are borrowed: the facts end before the kernel does.
 * rebase: how the tape's kernel before this one was moved, or NULL. 0 or -ENOMEM.
 */
int kc_facts_begin(struct kc_kernel *kernel, struct kc_tape *tape, const struct kc_rebase *rebase,
		   struct kc_facts **ret_facts);

/* Put what was asked since the last time on the tape. */
void kc_facts_write(struct kc_facts *facts);
const struct kc_rebase *kc_facts_rebase(const struct kc_facts *facts);

/* As kc_rebase_found(); and what is code by what it does, without a symbol, is moved. */
uint64_t kc_facts_move(const struct kc_facts *facts, uint64_t number);
void kc_facts_end(struct kc_facts *facts);

/*
 * A kernel out of what a tape says of it: its entries, from KC_TAPE_KERNEL up to the next one; the
 * rest among them is passed over. The entries stay borrowed. The kernel borrows its memory, which
 * is the caller's to destroy after it. -EBADMSG: they make no sense.
 */
int kc_facts_load(const struct kc_tape_entry *entries, size_t count, struct kc_kernel **ret_kernel,
		  struct kc_mem **ret_mem);

/*
 * Of the memory that kc_facts_load() has made: text is what was read of it last before this
 * entry, from here on; or what was read first.
 */
void kc_facts_until(struct kc_mem *mem, const struct kc_tape_entry *end);

/* Sizes of the structs on the tape, added up. */
extern const uint32_t kc_facts_layouts;

#endif
