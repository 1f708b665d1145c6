/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Evidence that was gathered while stacks were checked: that slots lie where plans say,
 * and frames where the tables say. It outlives plans and tables, which are made anew
 * whenever modules come or go, but not the code that it is about.
 */
#ifndef KC_STACK_SEEN_H
#define KC_STACK_SEEN_H

#include "guard/plan.h"

/* The main thread's alone. All zero: nothing was seen yet. */
struct kc_seen {
	struct kc_seen_site *sites; /* a hash */
	size_t count, capacity;	    /* a power of two, or 0 */
};

void kc_seen_free(struct kc_seen *seen);

/*
 * One more frame at this site (kc_frame_site()): its slot was intact, its tables led on to
 * a caller that is a call site. One that can't be remembered for want of memory makes verdicts
 * more careful, no more.
 */
void kc_seen_add(struct kc_seen *seen, uint64_t site, bool intact, bool led_on);

/* Did a frame's tables ever lead from this site to a call site? */
bool kc_seen_led_on(const struct kc_seen *seen, uint64_t site);

/* In how many frames of this function, which has a symbol, the slot was intact. Slow. */
uint64_t kc_seen_intact(const struct kc_seen *seen, const struct kc_plan *plan);

/*
 * The kernel was learned again: keep what is about code that is still there. An address of
 * vmlinux is that. A module's is as long as the module was not loaded anew: what lies there
 * otherwise is another module's, or another build of the same.
 */
void kc_seen_follow(struct kc_seen *seen, const struct kc_kernel *before,
		    const struct kc_kernel *now);

#endif
