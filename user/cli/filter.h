/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The options that choose tasks: the same letters in every command. */
#ifndef KC_CLI_FILTER_H
#define KC_CLI_FILTER_H

#include <argp.h>

#include "probe/sweep.h"

#define KC_FILTER_OPTIONS                                                                          \
	{ "pid", 'p', "PID", 0, "this process only", 1 },                                          \
		{ "tid", 't', "TID", 0, "this thread only", 1 },                                   \
		{ "comm", 'n', "COMM", 0, "threads of this name, and processes of this name", 1 }, \
	{                                                                                          \
		"cgroup", 'c', "CGROUP", 0,                                                        \
			"tasks of this cgroup and those below it, as /system.slice/app.service", 1 \
	}

/* Returns true if the key was one of them. */
bool kc_filter_option(int key, char *arg, struct argp_state *state, struct kc_filter *filter);

#endif
