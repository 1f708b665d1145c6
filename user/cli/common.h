/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The options of several commands: the same letters and names everywhere. */
#ifndef KC_CLI_COMMON_H
#define KC_CLI_COMMON_H

#include "cli/option.h"
#include "monitor/session.h"
#include "probe/sweep.h"

#define KC_MAX_PID 4194304 /* PID_MAX_LIMIT of 64-bit kernels */

/* Which tasks: -p -t -n -c. */
extern const struct kc_option kc_filter_rows[];

/* What the rows have taken down, as all others understand it: see kc_cgroup_below_root(). */
void kc_filter_settle(struct kc_filter *filter);

/* A kernel file instead of this kernel: --vmlinux --kallsyms --kcore. */
extern const struct kc_option kc_origin_rows[];

/* A file without its symbols can't be read, nor this kernel with those of a file. */
int kc_origin_check(const struct kc_origin *origin, struct kc_failure *ret_failure);

/* One row each: what differs is the struct, whose fields have these names, and some words. */
#define KC_ROW_JSON(type, what)                                                                \
	{                                                                                      \
		"json", 'j', NULL, KC_FLAG(type, json), .help = "JSON lines instead of " what, \
	}
#define KC_ROW_DURATION(type, most, what)                                                     \
	{                                                                                     \
		"duration", 'd', "SECONDS", KC_NUMBER(type, duration, 1, most), .help = what, \
	}
#define KC_ROW_VERBOSE(type, what)                                           \
	{                                                                    \
		"verbose", 'v', NULL, KC_COUNT(type, verbose), .help = what, \
	}

/* -v so many times. */
void kc_set_verbosity(unsigned int verbose);

#endif
