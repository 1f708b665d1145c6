// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "util/array.h"
#include "util/log.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv, struct kc_failure *ret_failure, enum kc_exit *ret_status);
	const char *summary;
} commands[] = {
	{ "watch", kc_cmd_watch,
	  "watch for damaged stack frames: sleeping tasks, hot functions, panic" },
	{ "audit", kc_cmd_audit, "look at every sleeping task once: a table" },
	{ "functions", kc_cmd_functions, "where this kernel's functions keep their canaries" },
	{ "explain", kc_cmd_explain, "one function: annotated listing, slot, checks" },
	{ "prove", kc_cmd_prove, "compare slots and canaries at checks as the kernel runs" },
};

static void print_help(FILE *out)
{
	fprintf(out, "Usage: kcanary COMMAND [OPTION...]\n"
		     "Find damaged kernel stack frames while the kernel still runs.\n\n");
	for (size_t i = 0; i < kc_countof(commands); i++)
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
	fprintf(out, "\n'kcanary COMMAND --help' tells more. Start with: sudo kcanary watch\n"
		     "Exit status: 0 clean, 1 findings, 2 usage, 3 cannot run on this host,\n"
		     "4 nothing found but not everything could be verified, 5 failure.\n");
}

/* Run the command that argv[1] names. */
static int run(int argc, char **argv, struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	char name[64];

	for (size_t i = 0; i < kc_countof(commands); i++) {
		if (strcmp(commands[i].name, argv[1]))
			continue;
		snprintf(name, sizeof(name), "kcanary %s", commands[i].name);
		argv[1] = name;
		return commands[i].run(argc - 1, argv + 1, ret_failure, ret_status);
	}
	return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL,
		       "unknown command '%s'; 'kcanary --help' lists them", argv[1]);
}

int main(int argc, char **argv)
{
	struct kc_failure failure;
	enum kc_exit status;

	if (argc < 2) {
		print_help(stderr);
		return KC_EXIT_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
		print_help(stdout);
		return KC_EXIT_CLEAN;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V")) {
		printf("kcanary " KC_VERSION "\n");
		return KC_EXIT_CLEAN;
	}
	if (run(argc, argv, &failure, &status)) {
		kc_error("%s", failure.text);
		return failure.exit;
	}
	return status;
}
