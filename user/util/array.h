/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Growing arrays, sorted and hashed lookup: what nobody should write again. */
#ifndef KC_UTIL_ARRAY_H
#define KC_UTIL_ARRAY_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define kc_countof(array) (sizeof(array) / sizeof((array)[0]))

/* Fibonacci hashing, of addresses that differ in their low bits only. */
static inline size_t kc_spread(uint64_t addr)
{
	return addr * 0x9e3779b97f4a7c15ULL >> 32;
}

static inline int kc_grow_bytes(void **items, size_t *capacity, size_t need, size_t size)
{
	size_t grown = *capacity ? *capacity : 16;
	void *moved;

	if (need <= *capacity)
		return 0;
	while (grown < need)
		grown *= 2;
	moved = reallocarray(*items, grown, size);
	if (!moved)
		return -ENOMEM;
	*items = moved;
	*capacity = grown;
	return 0;
}

/* Make room for `need` items in a malloc'ed array. 0 or -ENOMEM. */
#define kc_grow(items, capacity, need) \
	kc_grow_bytes((void **)&(items), &(capacity), (need), sizeof(*(items)))

/*
 * Index of the last of `count` ascending keys that is <= key, or count if all
 * are greater. key_at(items, i) reads one key.
 */
#define kc_last_at_or_below(items, count, key, key_at)          \
	({                                                      \
		size_t low = 0, high = (count);                 \
		while (low < high) {                            \
			size_t middle = low + (high - low) / 2; \
			if (key_at((items), middle) <= (key))   \
				low = middle + 1;               \
			else                                    \
				high = middle;                  \
		}                                               \
		low ? low - 1 : (size_t)(count);                \
	})

#endif
