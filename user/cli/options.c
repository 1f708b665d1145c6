// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>

#include "cli/command.h"
#include "util/log.h"

enum kc_exit kc_parse(const struct argp *argp, int argc, char **argv, void *options)
{
	argp_err_exit_status = KC_EXIT_USAGE;
	return argp_parse(argp, argc, argv, 0, NULL, options) ? KC_EXIT_USAGE : KC_EXIT_CLEAN;
}

unsigned int kc_parse_number(struct argp_state *state, const char *what, const char *arg,
			     unsigned int min, unsigned int max)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(arg, &end, 10);
	if (errno || end == arg || *end || *arg == '-' || value < min || value > max)
		argp_error(state, "%s must be a number from %u to %u, not '%s'", what, min, max,
			   arg);
	return value;
}

enum kc_exit kc_open_report(const char *path, bool json, struct kc_report **ret_report)
{
	int err = kc_report_new(path, json, ret_report);

	if (!err)
		return KC_EXIT_CLEAN;
	kc_error("cannot write to %s: %s", path ?: "stdout", kc_strerror(err));
	return KC_EXIT_FAILED;
}

enum kc_exit kc_open_sinks(const char *path, bool json, bool kmsg, struct kc_sinks *sinks)
{
	struct kc_report *report;
	enum kc_exit status = kc_open_report(path, json, &report);

	if (status != KC_EXIT_CLEAN)
		return status;
	/* The disk first: a slow console takes its time over a line of the kernel's log. */
	kc_sinks_add(sinks, kc_report_sink(report));
	if (kmsg)
		kc_sinks_add(sinks, kc_kmsg_new());
	return KC_EXIT_CLEAN;
}
