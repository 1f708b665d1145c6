/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a stack is copied to and scrubbed before it may leave: too large for the
 * BPF stack. What goes before the words is the includer's: SCRATCH_HEAD.
 */
#ifndef SCRATCH_BPF_H
#define SCRATCH_BPF_H

#include "loss.bpf.h"
#include "word.bpf.h"

struct scratch {
	SCRATCH_HEAD;
	__u64 words[KC_STACK_WORDS];
	struct kc_returns room; /* they follow the words, however many those are */
};

/* One CPU's is used by one program at a time. */
struct scratch_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct scratch);
};
extern struct scratch_map scratch SEC(".maps");

/*
 * Work on a whole stack is done in pieces, by global functions: the verifier
 * looks into each once and not at every call, and no kernel needs bpf_loop().
 * They take numbers only: before Linux commit e5069b9c23b3 ("bpf: Support pointers in global func
 * args"), v5.12, they had to.
 */
#define PIECE 16 /* words: the verifier walks through each */
_Static_assert(KC_STACK_WORDS % PIECE == 0, "whole pieces");

/* Copy [from, to) of a stack. How many bytes; 0: unreadable, or too many. */
static __always_inline __u64 read_stack(struct scratch *out, __u64 from, __u64 to)
{
	__u64 bytes = to - from;

	barrier_var(bytes);
	if (bytes > sizeof(out->words) || bpf_probe_read_kernel(out->words, bytes, (void *)from))
		return 0;
	return bytes;
}

/* Scrub the first `bytes` of the scratch. Not 0: it was not, none of it may leave. */
extern int scrub_all(__u64 bytes, __u64 canary, __u64 stack, __u64 size);

#endif
