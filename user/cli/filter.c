// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/filter.h"

#include "cli/command.h"

#define MAX_PID 4194304 /* PID_MAX_LIMIT of 64-bit kernels */

bool kc_filter_option(int key, char *arg, struct argp_state *state, struct kc_filter *filter)
{
	switch (key) {
	case 'p':
		filter->pid = kc_parse_number(state, "PID", arg, 1, MAX_PID);
		return true;
	case 't':
		filter->tid = kc_parse_number(state, "TID", arg, 1, MAX_PID);
		return true;
	case 'n':
		if (!*arg)
			argp_error(state, "COMM must not be empty");
		filter->comm = arg;
		return true;
	case 'c':
		if (!*arg)
			argp_error(state, "CGROUP must not be empty");
		filter->cgroup = arg;
		return true;
	}
	return false;
}
