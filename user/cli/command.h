/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sub-commands: rows of main.c's table, each with its own typed options. */
#ifndef KC_CLI_COMMAND_H
#define KC_CLI_COMMAND_H

#include <argp.h>

#include "report/report.h"
#include "util/exit.h"

#define KC_VERSION "0.1.0"

/* argv[0] is "kcanary NAME". The status is the program's. */
enum kc_exit kc_cmd_watch(int argc, char **argv);
enum kc_exit kc_cmd_audit(int argc, char **argv);
enum kc_exit kc_cmd_functions(int argc, char **argv);
enum kc_exit kc_cmd_explain(int argc, char **argv);
enum kc_exit kc_cmd_prove(int argc, char **argv);

/* argp_parse with our status for bad usage, and numbers that must be numbers. */
enum kc_exit kc_parse(const struct argp *argp, int argc, char **argv, void *options);
unsigned int kc_parse_number(struct argp_state *state, const char *what, const char *arg,
			     unsigned int min, unsigned int max);

/* kc_report_new(), saying on stderr what went wrong. */
enum kc_exit kc_open_report(const char *path, bool json, struct kc_report **ret_report);

/* All that a watch writes to: the report, to a file or to stdout; the kernel's log, if asked for.
 */
enum kc_exit kc_open_sinks(const char *path, bool json, bool kmsg, struct kc_sinks *sinks);

#endif
