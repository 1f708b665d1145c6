/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Text made without a lock and without memory that others allocate too: what a looker
 * writes while a CPU is held. stdio, json-c and gmtime_r() take locks.
 */
#ifndef KC_REPORT_LINE_H
#define KC_REPORT_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define KC_LINE_SIZE (16 * 1024)

struct kc_line {
	char *text;
	size_t size, len;
};

/* What does not fit is left out, whole: false. */
__attribute__((format(printf, 2, 3))) bool kc_line_add(struct kc_line *line, const char *format,
						       ...);

/*
 * Arbitrary bytes up to a NUL or max, as a JSON string with its quotes; what is not ASCII as an
 * octal escape, as ps does.
 */
bool kc_line_add_json(struct kc_line *line, const char *bytes, size_t max);

/* Seconds as "2026-11-25<between>13:39:23", UTC. */
bool kc_line_add_time(struct kc_line *line, time_t seconds, char between);

#endif
