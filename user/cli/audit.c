// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/common.h"
#include "cli/output.h"
#include "monitor/tasks.h"
#include "source/live.h"
#include "util/array.h"
#include "util/log.h"

struct audit_options {
	struct kc_filter filter;
	const char *sort;
	struct kc_output output;
	unsigned int verbose;
	bool high_water;
};

static const struct audit_options defaults = { .sort = "tid", .output = KC_OUTPUT_DEFAULTS };

typedef int (*compare_fn)(const void *, const void *);

static int by_tid(const void *a, const void *b)
{
	const struct kc_task_row *x = a, *y = b;

	return x->task.tid < y->task.tid ? -1 : x->task.tid > y->task.tid;
}

static int descending(uint64_t x, uint64_t y)
{
	return x > y ? -1 : x < y;
}

static int by_depth(const void *a, const void *b)
{
	const struct kc_task_row *x = a, *y = b;

	return descending(kc_task_depth(&x->task), kc_task_depth(&y->task)) ?: by_tid(a, b);
}

static int by_high_water(const void *a, const void *b)
{
	const struct kc_task_row *x = a, *y = b;

	return descending(kc_task_high_water(&x->task), kc_task_high_water(&y->task))
		       ?: by_tid(a, b);
}

static const struct {
	const char *name;
	compare_fn compare;
} sort_keys[] = { { "tid", by_tid }, { "depth", by_depth }, { "high-water", by_high_water } };

static compare_fn sort_key(const char *name)
{
	for (size_t i = 0; i < kc_countof(sort_keys); i++)
		if (!strcmp(sort_keys[i].name, name))
			return sort_keys[i].compare;
	return NULL;
}

static int check_sort(const struct kc_option *row, const char *arg, void *options,
		      struct kc_failure *ret_failure)
{
	(void)options;
	if (sort_key(arg))
		return 0;
	return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL,
		       "%s must be tid, depth or high-water, not '%s'", row->arg, arg);
}

static const struct kc_option rows[] = {
	{ KC_ROWS(struct audit_options, filter, struct kc_filter, kc_filter_rows) },
	{ "high-water", 0, NULL, KC_FLAG(struct audit_options, high_water),
	  .help = "tell how deep each stack has ever been: its lowest word that is not zero" },
	{ "sort", 0, "KEY", KC_TEXT(struct audit_options, sort),
	  .help = "by tid, depth or high-water, deepest first", .then = check_sort },
	{ KC_ROWS(struct audit_options, output, struct kc_output, kc_output_rows) },
	KC_ROW_VERBOSE(struct audit_options,
		       "name each frame that could not be verified, on stderr"),
	{},
};

/* What is sorted by must have been looked for. */
static int check_audit(void *given, struct kc_failure *ret_failure)
{
	struct audit_options *options = given;

	(void)ret_failure;
	kc_filter_settle(&options->filter);
	options->high_water |= sort_key(options->sort) == by_high_water;
	return 0;
}

static int audit(const struct audit_options *options, struct kc_session *session,
		 struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	struct kc_host host;
	struct kc_report *report;
	struct kc_source *source kc_auto(kc_cleanup_source) = NULL;
	struct kc_sinks sinks kc_auto(kc_sinks_free) = {};
	struct kc_desk *desk kc_auto(kc_cleanup_desk) = NULL;
	struct kc_passes *passes kc_auto(kc_cleanup_passes) = NULL;
	struct kc_tasks tasks kc_auto(kc_tasks_free) = { .session = session };
	struct kc_coverage coverage = {};
	struct kc_when when;
	int err;

	err = kc_live_new(
		&(struct kc_live_options){
			.filter = options->filter,
			.high_water = options->high_water,
			.mem = session->mem,
			.kernel = session->kernel,
			.modules_hash = session->modules_hash,
		},
		ret_failure, &source);
	if (err)
		return err;
	kc_source_host(source, &host);
	err = kc_open_report(&options->output, &host, ret_failure, &report);
	if (err)
		return err;
	kc_sinks_add(&sinks, kc_report_sink(report));
	if (kc_desk_new(&options->filter, source, &sinks, &desk) ||
	    kc_passes_new(&(struct kc_engine){ session, source, desk, &sinks }, &passes))
		return kc_fail_nomem(ret_failure);
	err = kc_sinks_start(&sinks, &(struct kc_start){ .filter = &options->filter });
	if (!err)
		err = kc_tasks_look(&tasks, passes, desk);
	kc_passes_coverage(passes, &coverage);
	if (tasks.count)
		qsort(tasks.rows, tasks.count, sizeof(*tasks.rows), sort_key(options->sort));
	when = kc_sinks_now(&sinks);
	if (!err)
		err = kc_report_audit(report, &when,
				      &(struct kc_audit){
					      .tasks = &tasks,
					      .high_water = options->high_water,
					      .thread_size = session->kernel->thread_size,
					      .pass = kc_passes_last(passes),
					      .coverage = &coverage,
				      });
	if (!err && options->output.json)
		err = kc_sinks_stop(&sinks, &coverage, NULL, "done");
	if (err)
		return kc_fail(ret_failure, KC_EXIT_FAILED, err, "the audit failed: %s",
			       kc_strerror(err));
	*ret_status = kc_tasks_exit(&tasks, kc_passes_last(passes), &coverage);
	return 0;
}

static int run_audit(const void *given, struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	const struct audit_options *options = given;
	struct kc_session session = {};
	int err;

	kc_set_verbosity(options->verbose);
	signal(SIGPIPE, SIG_IGN); /* a reader that left is an error we report */
	err = kc_session_open(&(struct kc_origin){}, ret_failure, &session);
	if (err)
		return err;
	err = audit(options, &session, ret_failure, ret_status);
	kc_session_close(&session);
	return err;
}

const struct kc_command kc_cmd_audit = {
	.name = "audit",
	.summary = "look at every sleeping task once: a table",
	.doc = "Look once at every task that is not running: unwind its kernel stack, verify the "
	       "canary of each guarded frame, every return address and the stack's end."
	       "\vThe table tells for each task its state (as ps), the depth of its stack in bytes, "
	       "how many frames were verified and how many could not be, and the function it sleeps "
	       "in. Findings come before it, in full. The totals go to stderr.\n\n"
	       "Examples:\n"
	       "  kcanary audit -n App01                  one application\n"
	       "  kcanary audit --sort high-water | head  whose stack was used up most",
	.rows = rows,
	.defaults = &defaults,
	.size = sizeof(defaults),
	.check = check_audit,
	.run = run_audit,
};
