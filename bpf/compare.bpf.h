/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * As scrub.bpf.h, of events whose hidden words tell how far they are from the canary: for the one
 * file of each object that defines it.
 */
#ifndef COMPARE_BPF_H
#define COMPARE_BPF_H

#include "emit.bpf.h"
#include "scrub.bpf.h"

/* Upwards: the word above is not scrubbed yet. */
__noinline int compare_piece(__u32 first, __u64 canary, __u64 stack, __u64 size)
{
	struct kc_own_stack own = { stack, size };
	struct scratch *out;
	__u32 zero = 0;

	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!out || first > KC_STACK_WORDS - PIECE)
		return 1;
	for (__u32 i = 0; i < PIECE; i++) {
		__u64 word = out->words[first + i];
		__u64 above = out->words[(first + i + 1) & (KC_STACK_WORDS - 1)];
		__u64 told = kc_scrub_compared(word, above, canary, &own);

		out->words[first + i] = told | kc_mark_arg(told, word, out->event.args);
	}
	return 0;
}

__noinline int compare_all(__u64 bytes, __u64 canary, __u64 stack, __u64 size)
{
	return scrub_by(compare_piece, bytes, canary, stack, size);
}

#endif
