// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <signal.h>

#include "cli/command.h"
#include "cli/common.h"
#include "cli/output.h"
#include "monitor/record.h"
#include "monitor/replay.h"
#include "report/report.h"
#include "util/log.h"

struct replay_options {
	const char *file;
	struct kc_output output;
	unsigned int verbose;
};

static const struct replay_options defaults = { .output = KC_OUTPUT_DEFAULTS };

static const struct kc_option rows[] = {
	{ .arg = "FILE", KC_TEXT(struct replay_options, file), .required = true },
	{ KC_ROWS(struct replay_options, output, struct kc_output, kc_output_rows) },
	KC_ROW_VERBOSE(struct replay_options, "say more on stderr"),
	{},
};

static int tell_again(const struct replay_options *options, struct kc_replay *replay,
		      struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	struct kc_sinks sinks kc_auto(kc_sinks_free) = {};
	struct kc_replayed replayed;
	struct kc_report *report;
	struct kc_host host;
	int err;

	kc_replay_host(replay, &host);
	err = kc_open_report(&options->output, &host, ret_failure, &report);
	if (err)
		return err;
	kc_sinks_add(&sinks, kc_report_sink(report));
	err = kc_replay_run(replay, &sinks, &replayed);
	if (err)
		return kc_fail(ret_failure, KC_EXIT_FAILED, err, "the replay ended: %s",
			       kc_strerror(err));
	*ret_status = kc_coverage_exit(&replayed.coverage);
	if (!replayed.damage)
		return 0;
	kc_warn("%s is not whole: %s; told was what came before", options->file, replayed.damage);
	if (*ret_status == KC_EXIT_CLEAN)
		*ret_status = KC_EXIT_BLIND;
	return 0;
}

static int run_replay(const void *given, struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	const struct replay_options *options = given;
	struct kc_tape *tape kc_auto(kc_cleanup_tape) = NULL;
	struct kc_replay *replay kc_auto(kc_cleanup_replay) = NULL;
	int err;

	kc_set_verbosity(options->verbose);
	signal(SIGPIPE, SIG_IGN); /* a reader that left is an error we report */
	err = kc_tape_open(options->file, kc_recorder_layouts(), ret_failure, &tape);
	if (!err)
		err = kc_replay_new(tape, ret_failure, &replay);
	return err ?: tell_again(options, replay, ret_failure, ret_status);
}

const struct kc_command kc_cmd_replay = {
	.name = "replay",
	.summary = "tell again what 'kcanary record' has written down",
	.doc = "Unwind, check and judge again what a recording holds, and report it as the watch "
	       "did."
	       "\vNeeds no privilege, and no Linux of that version. A file that was cut or changed is "
	       "used up to there: then the status is 4 if nothing was found until then.",
	.rows = rows,
	.defaults = &defaults,
	.size = sizeof(defaults),
	.run = run_replay,
};
