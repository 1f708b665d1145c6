// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <signal.h>
#include <stdio.h>

#include "cli/command.h"
#include "cli/common.h"
#include "cli/rights.h"
#include "report/checkup.h"
#include "util/log.h"

struct doctor_options {
	bool json;
	unsigned int verbose;
};

static const struct doctor_options defaults;

static const struct kc_option rows[] = {
	KC_ROW_JSON(struct doctor_options, "a table"),
	KC_ROW_VERBOSE(struct doctor_options, "say more on stderr; twice: libbpf's words too"),
	{},
};

static int run_doctor(const void *given, struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	const struct doctor_options *options = given;
	struct kc_checkup checkup;
	int err;

	kc_set_verbosity(options->verbose);
	signal(SIGPIPE, SIG_IGN);
	kc_tell_rights(true);
	kc_doctor(&checkup);
	err = kc_checkup_print(&checkup, options->json, stdout);
	if (err)
		return kc_fail(ret_failure, KC_EXIT_FAILED, err, "cannot write: %s",
			       kc_strerror(err));
	*ret_status = kc_checkup_exit(&checkup);
	return 0;
}

const struct kc_command kc_cmd_doctor = {
	.name = "doctor",
	.summary = "can this host be watched, and how completely",
	.doc = "Try on this host what a watch needs, and tell what is missing, what is lost without "
	       "it, and how to get it."
	       "\vEach part is tried as a watch would use it: one pass over all tasks, the default "
	       "probes, a tripwire and a gate placed for a moment and removed, a call of our own that "
	       "must be seen. The last line says it in one sentence. Exit status: 0 it can be "
	       "watched, 3 it can't, 4 not completely.\n\n"
	       "Examples:\n"
	       "  kcanary doctor  before the first watch on a host",
	.rows = rows,
	.defaults = &defaults,
	.size = sizeof(defaults),
	.run = run_doctor,
};
