/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where a function returns: for those without a canary whose return address is checked. */
#ifndef KC_GUARD_RETURNS_H
#define KC_GUARD_RETURNS_H

#include "kernel/kernel.h"

/*
 * Addresses of the instructions of sym's text by which it is left, the return address
 * being where SP points: returns, jumps to a return thunk (CONFIG_RETHUNK) and to the
 * beginning of another function. How many were found, at most max. Not all: there are
 * more, or indirect and conditional jumps that may be such, or bytes that are no
 * instruction. Of a .cold part it is taken that it comes back.
 */
size_t kc_return_sites(const struct kc_kernel *kernel, const struct kc_sym *sym,
		       uint64_t *ret_sites, size_t max, bool *ret_all);

#endif
