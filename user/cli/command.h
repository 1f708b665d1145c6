/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sub-commands: rows of main.c's table, each with its own typed options. */
#ifndef KC_CLI_COMMAND_H
#define KC_CLI_COMMAND_H

#include <argp.h>

#include "report/report.h"
#include "util/error.h"

#define KC_VERSION "0.1.0"

/* argv[0] is "kcanary NAME". 0 and the program's status, or -errno and why. */
int kc_cmd_watch(int argc, char **argv, struct kc_failure *ret_failure, enum kc_exit *ret_status);
int kc_cmd_audit(int argc, char **argv, struct kc_failure *ret_failure, enum kc_exit *ret_status);
int kc_cmd_functions(int argc, char **argv, struct kc_failure *ret_failure,
		     enum kc_exit *ret_status);
int kc_cmd_explain(int argc, char **argv, struct kc_failure *ret_failure, enum kc_exit *ret_status);
int kc_cmd_prove(int argc, char **argv, struct kc_failure *ret_failure, enum kc_exit *ret_status);

/* argp_parse with our status for bad usage, and numbers that must be numbers. */
int kc_parse(const struct argp *argp, int argc, char **argv, struct kc_failure *ret_failure,
	     void *options);
unsigned int kc_parse_number(struct argp_state *state, const char *what, const char *arg,
			     unsigned int min, unsigned int max);

/* kc_report_new(), and why it failed. */
int kc_open_report(const char *path, bool json, struct kc_failure *ret_failure,
		   struct kc_report **ret_report);

/* All that a watch writes to: the report, to a file or to stdout; the kernel's log, if asked for.
 */
int kc_open_sinks(const char *path, bool json, bool kmsg, struct kc_failure *ret_failure,
		  struct kc_sinks *sinks);

#endif
