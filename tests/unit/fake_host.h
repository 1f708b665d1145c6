/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What stands in the place of the host's clocks and of sysfs, so that no test waits for them:
 * the unit tests are linked with --wrap of each.
 */
#ifndef KC_TESTS_FAKE_HOST_H
#define KC_TESTS_FAKE_HOST_H

#include <stdbool.h>
#include <stdint.h>

/* CLOCK_MONOTONIC is so much later from here on. */
void fake_time_passes(unsigned int seconds);

/* CLOCK_MONOTONIC moves by that alone, however slow this machine is; or by itself again. */
void fake_time_stands(bool stands);

/* CLOCK_PROCESS_CPUTIME_ID: from the first call on it moves by this alone. */
void fake_cpu_is_used(unsigned int ms);
void fake_cpu_is_real(void);

/* What /sys/module/fakemod is; 0: it is not there. */
void fake_module_is(uint64_t inode);

/* How often this program has called nanosleep(). */
uint64_t fake_naps(void);

/* Called once, when a write() could write a part only and before an ftruncate(); and before each
 * fdatasync(). */
extern void (*fake_on_short_write)(void);
extern void (*fake_on_truncate)(void);
extern void (*fake_on_sync)(int fd);

#endif
