/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What every pass does for every task that still sleeps as it did. Also compiled
 * into the benchmark.
 */
#ifndef SLOTS_BPF_H
#define SLOTS_BPF_H

#include "loss.bpf.h"
#include "word.bpf.h"

static __always_inline __u32 slots_of(const struct kc_task_slots *cached)
{
	return *(volatile __u32 *)&cached->nr_slots;
}

static __always_inline __u32 nr_of(const struct kc_returns *returns)
{
	return *(volatile __u32 *)&returns->count;
}

/* Zero if every return address is as it was; *failed: one could not be read. */
static __always_inline __u64 compare_returns(const struct kc_returns *returns, __u64 top,
					     __u64 *failed)
{
	__u64 differing = 0, word = 0;

	for (__u32 i = 0; i < KC_TASK_SLOTS; i++) {
		if (i >= nr_of(returns))
			break;
		*failed |= bpf_probe_read_kernel(&word, sizeof(word),
						 (void *)(top - 8ULL * returns->at[i]));
		differing |= word ^ kc_return_address(returns, i);
	}
	return differing;
}

/* Zero if they are the same ones. */
static __always_inline __u64 returns_differ(const struct kc_returns *a, const struct kc_returns *b)
{
	__u64 differing = nr_of(a) ^ nr_of(b);

	for (__u32 i = 0; i < KC_TASK_SLOTS; i++) {
		if (i >= nr_of(a))
			break;
		differing |= (a->at[i] ^ b->at[i]) | (a->was[i] ^ b->was[i]);
	}
	return differing;
}

/* Zero if every cached slot holds the canary; *failed: one could not be read. */
static __always_inline __u64 compare_slots(const struct kc_task_slots *cached, __u64 top,
					   __u64 canary, __u64 *failed)
{
	__u64 differing = 0, word = 0;

	for (__u32 i = 0; i < KC_TASK_SLOTS; i++) {
		if (i >= slots_of(cached))
			break;
		*failed |= bpf_probe_read_kernel(&word, sizeof(word),
						 (void *)(top - 8ULL * cached->slot[i]));
		differing |= word ^ canary;
	}
	return differing;
}

/*
 * How many words right below the slot, and right above it up to the stack's top, hold what it
 * holds now; one that can't be read does not.
 */
static __always_inline void count_same(struct kc_damage *damage, __u64 found, __u64 top)
{
	__u64 slot = damage->slot, word, other = 0;
	long failed = 0;
	__u8 count = 0;

	for (__u32 i = 1; i <= KC_BELOW; i++) {
		failed |= bpf_probe_read_kernel(&word, sizeof(word), (void *)(slot - 8 * i));
		other |= (word ^ found) | failed;
		count += kc_mask_if_zero(other) & 1;
	}
	damage->same_below = count;
	lose_if(KC_LOSS_BELOW, failed);
	other = count = failed = 0;
	for (__u32 i = 1; i <= KC_ABOVE && slot + 8 * i < top; i++) {
		failed |= bpf_probe_read_kernel(&word, sizeof(word), (void *)(slot + 8 * i));
		other |= (word ^ found) | failed;
		count += kc_mask_if_zero(other) & 1;
	}
	damage->same_above = count;
	lose_if(KC_LOSS_BELOW, failed);
}

/* What may be told of the word that was found in a slot, and of those beside it. */
static __always_inline void describe_found(__u64 slot, __u64 word, __u64 canary,
					   const struct kc_places *at, struct kc_damage *damage)
{
	damage->slot = slot;
	kc_describe(damage, word, canary, at);
	count_same(damage, word, at->stack_top);
}

#endif
