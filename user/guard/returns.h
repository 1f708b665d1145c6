/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where a function returns: for those without a canary whose return address is checked. */
#ifndef KC_GUARD_RETURNS_H
#define KC_GUARD_RETURNS_H

#include "kernel/kernel.h"

/*
 * Addresses of the return instructions in sym's text, a jump to a return thunk
 * included (CONFIG_RETHUNK): how many were found, at most max. Decoding ends at
 * bytes that are no instruction; what lies behind them is not found.
 */
size_t kc_return_sites(const struct kc_kernel *kernel, const struct kc_sym *sym,
		       uint64_t *ret_sites, size_t max);

#endif
