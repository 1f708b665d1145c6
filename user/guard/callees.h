/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The nearest guarded functions below an unguarded one: on 6.1 and later
 * do_futex has no canary, but futex_wait or __futex_wait, which it calls, does.
 */
#ifndef KC_GUARD_CALLEES_H
#define KC_GUARD_CALLEES_H

#include "guard/plan.h"

struct kc_callee {
	const struct kc_sym *sym;
	const struct kc_sym *via; /* the unguarded function in between, or NULL */
};

/*
 * Direct callees (tail calls count) that have a plan; where a callee is itself
 * unguarded, its direct callees. How many were found, at most max; each once.
 */
size_t kc_guarded_callees(const struct kc_kernel *kernel, struct kc_plans *plans,
			  const struct kc_sym *sym, struct kc_callee *ret_callees, size_t max);

#endif
