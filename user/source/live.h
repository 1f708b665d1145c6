/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* This kernel, as it runs. */
#ifndef KC_SOURCE_LIVE_H
#define KC_SOURCE_LIVE_H

#include "source/source.h"

/* All borrowed, the filter's strings included. */
struct kc_live_options {
	struct kc_filter filter;
	enum kc_walk_how walk;		/* not with high_water */
	bool high_water;		/* look how deep each stack has ever been */
	struct kc_mem *mem;		/* an overlay: see kc_overlay_keep(); NULL: none */
	const struct kc_kernel *kernel; /* only during the call */
	uint64_t modules_hash;		/* kc_modules_hash() when the kernel was learned */
};

/* Load the sweep. 0, or -errno and why. */
int kc_live_new(const struct kc_live_options *options, struct kc_failure *ret_failure,
		struct kc_source **ret_source);

/* The sweep of a source that kc_live_new() has made; the source's. */
struct kc_sweep *kc_live_sweep(struct kc_source *source);

/*
 * What tells one set of loaded modules from another; 0: this kernel has none, and never
 * will.
 */
uint64_t kc_modules_hash(void);

#endif
