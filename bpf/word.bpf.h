/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Arithmetic on one stack word and the canary it is compared with.
 *
 * Pure functions, compiled three times: into the BPF programs, into the unit
 * tests, and into the benchmark. Nothing here may tell the canary: results are
 * masks, counts and classes.
 */
#ifndef WORD_BPF_H
#define WORD_BPF_H

#include "kc_record.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

#define KC_BYTES_HIGH 0x8080808080808080ULL
#define KC_BYTES_ONE  0x0101010101010101ULL

/* High bit of each byte of the result: that byte of x is zero. Exact. */
static __always_inline __kc_u64 kc_zero_bytes(__kc_u64 x)
{
	__kc_u64 low7 = (x & ~KC_BYTES_HIGH) + ~KC_BYTES_HIGH;

	return ~(low7 | x) & KC_BYTES_HIGH;
}

/* Keep clang from seeing through a mask and making it a branch again. */
#define kc_opaque(x) asm volatile("" : "+r"(x))

/* All ones if the highest bit is set, else zero. */
static __always_inline __kc_u64 kc_mask_if_negative(__kc_u64 x)
{
	__kc_u64 mask = (__kc_u64)((__kc_s64)x >> 63);

	kc_opaque(mask);
	return mask;
}

/* All ones if x is zero, else zero. */
static __always_inline __kc_u64 kc_mask_if_zero(__kc_u64 x)
{
	__kc_u64 negative = -x;

	kc_opaque(negative);
	return ~kc_mask_if_negative(x | negative);
}

/* All ones if all eight bytes of x lie within 0x20..0x7e, else zero. */
static __always_inline __kc_u64 kc_mask_if_ascii(__kc_u64 x)
{
	__kc_u64 low7 = x & ~KC_BYTES_HIGH;
	__kc_u64 not_control = low7 + 0x6060606060606060ULL;
	__kc_u64 is_del = low7 + KC_BYTES_ONE;

	return kc_mask_if_zero((x | ~not_control | is_del) & KC_BYTES_HIGH);
}

/* Bits set in x; BPF has no instruction for it. */
static __always_inline __kc_u64 kc_popcount(__kc_u64 x)
{
	x -= (x >> 1) & 0x5555555555555555ULL;
	x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (x * KC_BYTES_ONE) >> 56;
}

/* The stack that a word lies on; stacks are aligned to their size. */
struct kc_own_stack {
	__kc_u64 start;
	__kc_u64 size; /* a power of two */
};

/* The mark of a word's class. */
static __always_inline __kc_u64 kc_hide(__kc_u64 word)
{
	__kc_u64 is_user = kc_mask_if_zero(word >> KC_USER_BITS);
	__kc_u64 is_kernel = kc_mask_if_zero(~word >> KC_KERNEL_BITS);

	return (KC_HIDDEN_USER & is_user) | (KC_HIDDEN_KERNEL & is_kernel) |
	       (KC_HIDDEN_DATA & ~is_user & ~is_kernel);
}

/*
 * A word of a stack copy as user space may see it; see KC_CANARY_MARK.
 *
 * The canary's lowest byte is always zero (CANARY_MASK, Linux commit
 * 022204048423 ("stackprotector: Increase the per-task stack canary's random
 * range from 32 bits to 64 bits on 64-bit platforms"), v4.12), so seven bytes
 * are secret. A number or a text that shares three or more of them in place may
 * be a damaged copy: the shared bytes are cut out. A copy may also lie shifted by
 * some bytes, as a number of up to seven of them: only two bytes of a number pass,
 * which is more than the saved CS that unwinding needs. Another task's canary is
 * plain data here, and hidden as such.
 *
 * Written without a branch: the verifier of a kernel without bpf_loop() walks
 * through this once per word of the largest stack.
 */
static __always_inline __kc_u64 kc_scrub(__kc_u64 word, __kc_u64 canary,
					 const struct kc_own_stack *stack)
{
	__kc_u64 same = (kc_zero_bytes(word ^ canary) & ~0xffULL) >> 7;
	__kc_u64 shared = (same * KC_BYTES_ONE) >> 56;
	__kc_u64 cut = (same * 0xff) & kc_mask_if_negative(2 - shared);
	__kc_u64 is_canary = kc_mask_if_zero(word ^ canary);
	__kc_u64 is_plain = kc_mask_if_zero(word >> 16) | kc_mask_if_ascii(word);
	/* An address just past the top is a frame's end, and still this stack's. */
	__kc_u64 is_place = kc_mask_if_zero(~word >> KC_TEXT_BITS) |
			    kc_mask_if_zero(((word - 1) ^ stack->start) & ~(stack->size - 1));
	__kc_u64 told = (word & is_place) | (word & ~cut & is_plain & ~is_place) |
			(kc_hide(word) & ~is_place & ~is_plain);

	return (told & ~is_canary) | (KC_CANARY_MARK & is_canary);
}

/*
 * The same where the canary is about to be lost: hidden words also tell how far they are from it,
 * and whether the word above held the same, which is not scrubbed yet. See KC_HIDDEN_NEAR.
 */
static __always_inline __kc_u64 kc_scrub_compared(__kc_u64 word, __kc_u64 above, __kc_u64 canary,
						  const struct kc_own_stack *stack)
{
	__kc_u64 told = kc_scrub(word, canary, stack), ascii = kc_mask_if_ascii(word);
	__kc_u64 mark = (kc_hide(word) & ~ascii) | (KC_HIDDEN_ASCII & ascii);
	__kc_u64 same = kc_zero_bytes(word ^ canary) >> 7; /* bit 8n: byte n is as it was */
	__kc_u64 shared = ((same & ~0xffULL) * KC_BYTES_ONE) >> 56;
	__kc_u64 changed = ~((same * 0x0102040810204080ULL) >> 56) & 0xff;
	__kc_u64 bits = kc_popcount(word ^ canary), delta = word - canary + 4096;
	__kc_u64 small = kc_mask_if_zero(delta >> 13) | kc_mask_if_zero(delta ^ 8192);
	__kc_u64 near = kc_mask_if_negative(2 - shared) | kc_mask_if_negative(bits - 9) | small;
	/* As enum kc_bits. */
	__kc_u64 class = 1 + (kc_mask_if_negative(1 - bits) & 1) +
			 (kc_mask_if_negative(2 - bits) & 1) + (kc_mask_if_negative(8 - bits) & 1);
	__kc_u64 is_mark = (kc_mask_if_zero(told ^ kc_hide(word)) | (ascii & near)) &
			   ~kc_mask_if_zero(word ^ canary);

	mark |= (KC_HIDDEN_SAME_ABOVE & kc_mask_if_zero(word ^ above)) |
		(near & (KC_HIDDEN_NEAR | changed << KC_HIDDEN_BYTES | class << KC_HIDDEN_BITS |
			 (small & 1) << KC_HIDDEN_DELTA));
	return (mark & is_mark) | (told & ~is_mark);
}

/*
 * What to add to a hidden word that is an argument of the system call: which. `told` is the word
 * as user space may see it. Not of one that is near the canary: arguments are printed.
 */
static __always_inline __kc_u64 kc_mark_arg(__kc_u64 told, __kc_u64 word, const __kc_u64 args[6])
{
	__kc_u64 is_mark =
		kc_mask_if_zero((told & 0xffffffff000000f8ULL) ^ (KC_HIDDEN_USER & ~7ULL));
	__kc_u64 arg = 0;

	for (__kc_u64 i = 0; i < 6; i++)
		arg |= (i + 1) & kc_mask_if_zero(word ^ args[i]) & kc_mask_if_zero(arg);
	return (arg << KC_HIDDEN_ARG) & is_mark & kc_mask_if_zero(told & KC_HIDDEN_NEAR);
}

struct kc_places {
	__kc_u64 stack, stack_top; /* this task's stack */
	__kc_u64 text, text_end;   /* kernel text, modules not included */
};

static __always_inline __kc_u8 kc_classify(__kc_u64 word, const struct kc_places *at)
{
	if (word == 0)
		return KC_FOUND_ZERO;
	if (word < 0x10000)
		return KC_FOUND_SMALL;
	if (kc_mask_if_ascii(word))
		return KC_FOUND_ASCII;
	if (word < 1ULL << KC_USER_BITS)
		return KC_FOUND_USER;
	if (word >= at->stack && word < at->stack_top)
		return KC_FOUND_STACK;
	if (word >= at->text && word < at->text_end)
		return KC_FOUND_TEXT;
	if (~word >> KC_KERNEL_BITS == 0)
		return KC_FOUND_KERNEL;
	return KC_FOUND_OTHER;
}

/* Fill in what may be told of a word found where the canary should be. */
static __always_inline void kc_describe(struct kc_damage *damage, __kc_u64 word, __kc_u64 canary,
					const struct kc_places *at)
{
	__kc_u64 diff = word ^ canary;
	__kc_u64 same = kc_zero_bytes(diff) >> 7; /* bit 8n: byte n is as it was */
	__kc_u64 bits = kc_popcount(diff);

	/* Gather bit 8n into bit n. */
	damage->changed_bytes = ~(((same * 0x0102040810204080ULL) >> 56) & 0xff);
	damage->changed_bits = bits == 1   ? KC_BITS_ONE
			       : bits == 2 ? KC_BITS_TWO
			       : bits <= 8 ? KC_BITS_3_TO_8
					   : KC_BITS_MORE;
	damage->found = kc_classify(word, at);
	damage->small_delta = diff && word - canary + 4096 <= 8192;
}

#endif
