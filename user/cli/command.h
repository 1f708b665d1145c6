/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sub-commands: each a file with its options struct, its rows and what it does. */
#ifndef KC_CLI_COMMAND_H
#define KC_CLI_COMMAND_H

#include "cli/option.h"

#define KC_VERSION "0.1.0"

struct kc_command {
	const char *name, *summary; /* a line of 'kcanary --help' */
	const char *doc;	    /* its own help: before its options \v and behind them */
	const struct kc_option *rows;
	const void *defaults; /* its options struct before anything is parsed ... */
	size_t size;	      /* ... and how large that is */

	/* What rows demand of each other, once all are parsed; or NULL. */
	int (*check)(void *options, struct kc_failure *ret_failure);

	/* 0 and the program's status, or -errno and why. */
	int (*run)(const void *options, struct kc_failure *ret_failure, enum kc_exit *ret_status);
};

extern const struct kc_command kc_cmd_watch, kc_cmd_audit, kc_cmd_functions, kc_cmd_explain,
	kc_cmd_prove, kc_cmd_record, kc_cmd_replay, kc_cmd_doctor, kc_cmd_schema, kc_cmd_held,
	kc_cmd_release;

/* All of them, NULL behind the last. */
extern const struct kc_command *const kc_commands[];

/*
 * The command's options, malloc'ed, from its defaults and the command line (argv[0] is
 * "kcanary NAME"). Wrong usage and --help end the program, as argp does.
 */
int kc_parse(const struct kc_command *command, int argc, char **argv,
	     struct kc_failure *ret_failure, void **ret_options);

#endif
