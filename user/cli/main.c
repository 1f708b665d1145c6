// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cli/command.h"
#include "kc_record.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/rights.h"

static void print_help(FILE *out)
{
	fprintf(out, "Usage: kcanary COMMAND [OPTION...]\n"
		     "Find damaged kernel stack frames while the kernel still runs.\n\n");
	for (const struct kc_command *const *command = kc_commands; *command; command++)
		fprintf(out, "  %-10s %s\n", (*command)->name, (*command)->summary);
	fprintf(out, "\n'kcanary COMMAND --help' tells more. Start with: sudo kcanary watch\n"
		     "Exit status: 0 clean, 1 findings, 2 usage, 3 cannot run on this host,\n"
		     "4 nothing found but not everything could be verified, 5 failure.\n");
}

static const struct kc_command *find(const char *name)
{
	for (const struct kc_command *const *command = kc_commands; *command; command++)
		if (!strcmp((*command)->name, name))
			return *command;
	return NULL;
}

/* Run the command that argv[1] names. */
static int run(int argc, char **argv, struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	const struct kc_command *command = find(argv[1]);
	kc_auto_free void *options = NULL;
	char name[64];
	int err;

	if (!command)
		return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL,
			       "unknown command '%s'; 'kcanary --help' lists them", argv[1]);
	snprintf(name, sizeof(name), "kcanary %s", command->name);
	argv[1] = name; /* argp's words begin with it */
	err = kc_parse(command, argc - 1, argv + 1, ret_failure, &options);
	return err ?: command->run(options, ret_failure, ret_status);
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
	/* One for each probe; maps, programs, outputs and what is read. Too few is told where it
	 * shows. */
	kc_want_files(KC_MAX_POINTS + 256 + 2 * sysconf(_SC_NPROCESSORS_CONF));
	if (run(argc, argv, &failure, &status)) {
		kc_error("%s", failure.text);
		return failure.exit;
	}
	return status;
}
