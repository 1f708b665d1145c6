/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which items of a table somebody has found: what a recording must hold of it. A byte each;
 * a table without it (NULL) is not recorded. Several threads may find the same item.
 */
#ifndef KC_KERNEL_FOUND_H
#define KC_KERNEL_FOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { KC_NOT_FOUND, KC_FOUND, KC_FOUND_AND_TOLD };

static inline void kc_found_note(uint8_t *found, size_t i)
{
	if (found && __atomic_load_n(&found[i], __ATOMIC_RELAXED) == KC_NOT_FOUND)
		__atomic_store_n(&found[i], KC_FOUND, __ATOMIC_RELAXED);
}

/*
 * Move *cursor, at first 0, to the next item that was found and not told yet, and count it as
 * told; false: that was the last so far.
 */
static inline bool kc_found_next(uint8_t *found, size_t count, size_t *cursor)
{
	for (; found && *cursor < count; (*cursor)++) {
		uint64_t eight;

		if (*cursor % 8 == 0 && *cursor + 8 <= count) {
			memcpy(&eight, &found[*cursor], sizeof(eight));
			if (!(eight & 0x0101010101010101ULL * KC_FOUND)) {
				*cursor += 7;
				continue;
			}
		}
		if (__atomic_load_n(&found[*cursor], __ATOMIC_RELAXED) == KC_FOUND) {
			__atomic_store_n(&found[*cursor], KC_FOUND_AND_TOLD, __ATOMIC_RELAXED);
			return true;
		}
	}
	return false;
}

#endif
