// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"
#include "cli/common.h"
#include "respond/freezer.h"
#include "util/array.h"
#include "util/log.h"

struct held_options {
	unsigned int verbose;
};

static const struct held_options defaults;

static const struct kc_option rows[] = {
	KC_ROW_VERBOSE(struct held_options, "say more on stderr"),
	{},
};

static void print_held(uint32_t tid)
{
	struct kc_held held;
	char when[32] = "not known";
	struct tm utc;
	time_t since;

	if (!kc_freezer_why(tid, &held)) {
		printf("%7u %7s %-20s %7s  held, and nobody has written down why\n", tid, "", when,
		       "");
		return;
	}
	since = held.since;
	if (gmtime_r(&since, &utc))
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S", &utc);
	printf("%7u %7u %-20s %7" PRIu64 "  damaged in %s\n", tid, held.pid, when, held.finding,
	       held.place);
}

static int run_held(const void *given, struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	const struct held_options *options = given;
	struct kc_freezer *freezer kc_auto(kc_cleanup_freezer) = NULL;
	uint32_t tids[64];
	int count, err;

	kc_set_verbosity(options->verbose);
	err = kc_freezer_open(false, ret_failure, &freezer);
	if (err)
		return err;
	count = kc_freezer_held(freezer, tids, kc_countof(tids));
	if (count < 0)
		return kc_fail(ret_failure, KC_EXIT_FAILED, count, "cannot tell what is held: %s",
			       kc_strerror(count));
	if (!count)
		printf("nothing is held\n");
	else
		printf("%7s %7s %-20s %7s\n", "TID", "PID", "SINCE (UTC)", "FINDING");
	for (int i = 0; i < count && i < (int)kc_countof(tids); i++)
		print_held(tids[i]);
	if (count && !kc_freezer_is_frozen(freezer))
		printf("not all of them are frozen yet\n");
	*ret_status = KC_EXIT_CLEAN;
	return 0;
}

const struct kc_command kc_cmd_held = {
	.name = "held",
	.summary = "list the threads that a watch has frozen with --hold-victim",
	.doc = "List the threads that 'kcanary watch --hold-victim' has frozen where they sleep, since "
	       "when, and why."
	       "\vThey stay frozen whatever becomes of the watch; 'kcanary release TID' lets one go on.",
	.rows = rows,
	.defaults = &defaults,
	.size = sizeof(defaults),
	.run = run_held,
};
