/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KC_UTIL_TIME_H
#define KC_UTIL_TIME_H

#include <stdint.h>
#include <time.h>

/* What a clock shows, in seconds: for differences. */
static inline double kc_seconds_of(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/*
 * Since boot as the kernel has it for itself: CLOCK_BOOTTIME and what /proc tells of when a
 * process began are later by an offset in a time namespace (time_namespaces(7), v5.6).
 */
uint64_t kc_boot_ns(void);
int64_t kc_boot_offset_ns(void);

/* The offset in the text of /proc/self/timens_offsets; 0: none is there. */
int64_t kc_boot_offset_in(const char *text);

#endif
