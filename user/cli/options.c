// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdlib.h>

#include "cli/command.h"
#include "util/log.h"

int kc_parse(const struct argp *argp, int argc, char **argv, struct kc_failure *ret_failure,
	     void *options)
{
	int err;

	argp_err_exit_status = KC_EXIT_USAGE; /* it exits by itself where the usage is wrong */
	err = -argp_parse(argp, argc, argv, 0, NULL, options);
	if (err)
		kc_fail(ret_failure, KC_EXIT_USAGE, err, "cannot read the options: %s",
			kc_strerror(err));
	return err;
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

int kc_open_report(const char *path, bool json, struct kc_failure *ret_failure,
		   struct kc_report **ret_report)
{
	int err = kc_report_new(path, json, ret_report);

	if (!err)
		return 0;
	return kc_fail(ret_failure, KC_EXIT_FAILED, err, "cannot write to %s: %s", path ?: "stdout",
		       kc_strerror(err));
}

int kc_open_sinks(const char *path, bool json, bool kmsg, struct kc_failure *ret_failure,
		  struct kc_sinks *sinks)
{
	struct kc_report *report;
	int err = kc_open_report(path, json, ret_failure, &report);

	if (err)
		return err;
	/* First what needs no disk: its interrupts may be those of the CPU that is held. */
	if (kmsg)
		kc_sinks_add(sinks, kc_kmsg_new());
	kc_sinks_add(sinks, kc_report_sink(report));
	return 0;
}
