/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a stack in the scratch is scrubbed: for the one file of each object that defines it. */
#ifndef SCRUB_BPF_H
#define SCRUB_BPF_H

#include "scratch.bpf.h"

/* Scrub one piece of the scratch. Not 0: it was not. */
__noinline int scrub_piece(__u32 first, __u64 canary, __u64 stack, __u64 size)
{
	struct kc_own_stack own = { stack, size };
	struct scratch *out;
	__u32 zero = 0;

	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!out || first > KC_STACK_WORDS - PIECE)
		return 1;
	for (__u32 i = 0; i < PIECE; i++)
		out->words[first + i] = kc_scrub(out->words[first + i], canary, &own);
	return 0;
}

/* Scrub the first `bytes` of the scratch, each piece by this function. Not 0: it was not. */
static __always_inline int scrub_by(int (*piece)(__u32, __u64, __u64, __u64), __u64 bytes,
				    __u64 canary, __u64 stack, __u64 size)
{
	__u32 failed = 0;

	for (__u32 first = 0; first < KC_STACK_WORDS; first += PIECE) {
		if (first * sizeof(__u64) >= bytes)
			break;
		failed |= piece(first, canary, stack, size);
	}
	if (failed)
		lose(KC_LOSS_SCRATCH);
	return failed;
}

__noinline int scrub_all(__u64 bytes, __u64 canary, __u64 stack, __u64 size)
{
	return scrub_by(scrub_piece, bytes, canary, stack, size);
}

#endif
