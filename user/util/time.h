/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KC_UTIL_TIME_H
#define KC_UTIL_TIME_H

#include <time.h>

/* What a clock shows, in seconds: for differences. */
static inline double kc_seconds_of(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

#endif
