// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/command.h"
#include "cli/common.h"
#include "monitor/tasks.h"
#include "respond/freezer.h"
#include "source/live.h"
#include "util/log.h"

struct release_options {
	const char *thread;
	unsigned int tid; /* the same */
	bool forced;
	unsigned int verbose;
};

static const struct release_options defaults;

static const struct kc_option rows[] = {
	{ .arg = "TID", KC_TEXT(struct release_options, thread), .required = true },
	{ "i-know-it-may-panic", 0, NULL, KC_FLAG(struct release_options, forced),
	  .help = "do not look at its stack before: a frame that is damaged is the end of this kernel" },
	KC_ROW_VERBOSE(struct release_options, "say more on stderr"),
	{},
};

static int check_release(void *given, struct kc_failure *ret_failure)
{
	struct release_options *options = given;

	if (kc_option_number(options->thread, 1, KC_MAX_PID, &options->tid))
		return 0;
	return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL,
		       "TID must be a thread's number, not '%s'", options->thread);
}

/* One look at the thread. 0: *ret_status is an audit's of it; *ret_why_not: what was in the way. */
static int look_at_thread(uint32_t tid, struct kc_session *session, struct kc_failure *ret_failure,
			  enum kc_exit *ret_status, const char **ret_why_not)
{
	const struct kc_filter filter = { .tid = tid };
	struct kc_source *source kc_auto(kc_cleanup_source) = NULL;
	struct kc_sinks sinks kc_auto(kc_sinks_free) = {};
	struct kc_desk *desk kc_auto(kc_cleanup_desk) = NULL;
	struct kc_passes *passes kc_auto(kc_cleanup_passes) = NULL;
	struct kc_tasks tasks kc_auto(kc_tasks_free) = { .session = session };
	struct kc_coverage coverage = {};
	int err = kc_live_new(&(struct kc_live_options){ .filter = filter,
							 .mem = session->mem,
							 .kernel = session->kernel,
							 .modules_hash = session->modules_hash },
			      ret_failure, &source);

	if (err)
		return err;
	if (kc_desk_new(&filter, source, &sinks, &desk) ||
	    kc_passes_new(&(struct kc_engine){ session, source, desk, &sinks }, &passes))
		return kc_fail_nomem(ret_failure);
	err = kc_tasks_look(&tasks, passes, desk);
	if (err)
		return kc_fail(ret_failure, KC_EXIT_FAILED, err, "cannot look at thread %u: %s",
			       tid, kc_strerror(err));
	kc_passes_coverage(passes, &coverage);
	*ret_status = kc_tasks_exit(&tasks, kc_passes_last(passes), &coverage);
	*ret_why_not = tasks.count ? tasks.rows->why_not : "it could not be looked at";
	return 0;
}

/* That nothing of its stack is damaged: only then it goes on as if nothing had been. */
static int check_thread(uint32_t tid, struct kc_failure *ret_failure)
{
	struct kc_session session = {};
	const char *why_not = NULL;
	enum kc_exit status;
	int err = kc_session_open(&(struct kc_origin){}, ret_failure, &session);

	if (err)
		return err;
	err = look_at_thread(tid, &session, ret_failure, &status, &why_not);
	if (!err && status == KC_EXIT_FINDINGS)
		err = kc_fail(
			ret_failure, status, -EBUSY,
			"thread %u is not released: its stack is still damaged, and this kernel "
			"panics when it goes on (--i-know-it-may-panic)",
			tid);
	else if (!err && status != KC_EXIT_CLEAN)
		err = kc_fail(ret_failure, status, -EBUSY,
			      "thread %u is not released: not all of its stack can be verified: %s "
			      "(--i-know-it-may-panic)",
			      tid, why_not ?: "what differed once was not confirmed");
	kc_session_close(&session);
	return err;
}

static int run_release(const void *given, struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	const struct release_options *options = given;
	struct kc_freezer *freezer kc_auto(kc_cleanup_freezer) = NULL;
	bool frozen;
	int err;

	kc_set_verbosity(options->verbose);
	err = kc_freezer_open(false, ret_failure, &freezer);
	if (!err && !kc_freezer_holds(freezer, options->tid))
		err = kc_fail(ret_failure, KC_EXIT_USAGE, -ESRCH,
			      "thread %u is not held: see 'kcanary held'", options->tid);
	if (!err && !options->forced)
		err = check_thread(options->tid, ret_failure);
	if (err)
		return err;
	err = kc_freezer_release(freezer, options->tid, &frozen);
	if (err)
		return kc_fail(ret_failure, KC_EXIT_FAILED, err,
			       "thread %u could not be released: %s", options->tid,
			       kc_strerror(err));
	printf(frozen ? "thread %u is released, and its own group in the freezer is frozen: it goes on "
			"when that is thawed\n"
		      : "thread %u goes on\n",
	       options->tid);
	*ret_status = KC_EXIT_CLEAN;
	return 0;
}

const struct kc_command kc_cmd_release = {
	.name = "release",
	.summary = "let a thread go on that --hold-victim has frozen",
	.doc = "Let a thread go on that 'kcanary watch --hold-victim' has frozen."
	       "\vIts stack is verified before: while a frame is damaged the thread stays held, since "
	       "this kernel panics when it returns through that. Exit status then: 1, or 4 if not all of "
	       "it can be verified.\n\n"
	       "Examples:\n"
	       "  kcanary held         what is held\n"
	       "  kcanary release 229  one of them",
	.rows = rows,
	.defaults = &defaults,
	.size = sizeof(defaults),
	.check = check_release,
	.run = run_release,
};
