// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>

#include "cli/command.h"
#include "report/schema.h"
#include "util/log.h"

static const struct kc_option rows[] = { {} };

static int run_schema(const void *options, struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	(void)options;
	errno = 0;
	if (fputs(kc_schema_text, stdout) < 0 || fflush(stdout))
		return kc_fail(ret_failure, KC_EXIT_FAILED, -errno,
			       "the schema could not be written: %s", kc_strerror(errno));
	*ret_status = KC_EXIT_CLEAN;
	return 0;
}

const struct kc_command kc_cmd_schema = {
	.name = "schema",
	.summary = "print the contract of all JSON lines",
	.doc = "Print what each line holds that kcanary tells with -j: a JSON schema, draft "
	       "2020-12."
	       "\vLines and members may be added; none changes its meaning or goes, within kcanary/1. "
	       "Whoever reads them passes over what it does not know.",
	.rows = rows,
	.defaults = "",
	.run = run_schema,
};
