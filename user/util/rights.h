/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What this process may do and have. */
#ifndef KC_UTIL_RIGHTS_H
#define KC_UTIL_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>

/* In effect now; cap is a number of linux/capability.h. True if it can't be told. */
bool kc_has_right(unsigned int cap);

/* This process may have so many files open, or as many as it is allowed to ask for. */
void kc_want_files(size_t count);

/*
 * What is freed from now on stays ours. To give it back is to wait until each CPU that has run us
 * has forgotten it (flush_tlb_mm_range() in arch/x86/mm/tlb.c), with our own CPU in its hands: not
 * while one is held.
 */
void kc_keep_memory(void);

/*
 * Keep memory from being swapped out: all that there is, and if no limit stands against it, what
 * comes later, too. 0 or -errno; *ret_later: what comes later is.
 */
int kc_lock_memory(bool *ret_later);

#endif
