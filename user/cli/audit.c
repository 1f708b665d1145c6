// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/filter.h"
#include "monitor/tasks.h"
#include "util/array.h"
#include "util/log.h"

struct audit_options {
	struct kc_filter filter;
	const char *sort;
	const char *output;
	unsigned int verbose;
	bool high_water, json;
};

enum { OPTION_HIGH_WATER = 0x100, OPTION_SORT };

static const struct argp_option argp_options[] = {
	KC_FILTER_OPTIONS,
	{ "high-water", OPTION_HIGH_WATER, NULL, 0,
	  "tell how deep each stack has ever been: its lowest word that is not zero", 0 },
	{ "sort", OPTION_SORT, "KEY", 0, "by tid (default), depth or high-water, deepest first",
	  0 },
	{ "json", 'j', NULL, 0, "JSON lines instead of a table", 0 },
	{ "output", 'o', "FILE", 0, "append there instead of writing to stdout", 0 },
	{ "verbose", 'v', NULL, 0, "name each frame that could not be verified, on stderr", 0 },
	{},
};

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

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct audit_options *options = state->input;

	if (kc_filter_option(key, arg, state, &options->filter))
		return 0;
	switch (key) {
	case OPTION_HIGH_WATER:
		options->high_water = true;
		return 0;
	case OPTION_SORT:
		if (!sort_key(arg))
			argp_error(state, "KEY must be tid, depth or high-water, not '%s'", arg);
		options->sort = arg;
		return 0;
	case 'j':
		options->json = true;
		return 0;
	case 'o':
		options->output = arg;
		return 0;
	case 'v':
		options->verbose++;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'", arg);
		return 0;
	case ARGP_KEY_END:
		options->high_water |= sort_key(options->sort) == by_high_water;
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_option,
	.doc = "Look once at every task that is not running: unwind its kernel stack, verify the "
	       "canary of each guarded frame, every return address and the stack's end."
	       "\vThe table tells for each task its state (as ps), the depth of its stack in bytes, "
	       "how many frames were verified and how many could not be, and the function it sleeps "
	       "in. Findings come before it, in full. The totals go to stderr.\n\n"
	       "Examples:\n"
	       "  kcanary audit -n App01\n"
	       "  kcanary audit --sort high-water | head",
};

static int audit(const struct audit_options *options, struct kc_session *session,
		 struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	struct kc_report *report;
	struct kc_sinks sinks kc_auto(kc_sinks_free) = {};
	struct kc_desk *desk kc_auto(kc_cleanup_desk) = NULL;
	struct kc_passes *passes kc_auto(kc_cleanup_passes) = NULL;
	struct kc_tasks tasks kc_auto(kc_tasks_free) = { .session = session };
	struct kc_coverage coverage = {};
	int err;

	if (kc_desk_new(&options->filter, &sinks, &desk))
		return kc_fail_nomem(ret_failure);
	err = kc_open_report(options->output, options->json, ret_failure, &report);
	if (err)
		return err;
	kc_sinks_add(&sinks, kc_report_sink(report));
	err = kc_passes_new(
		&(struct kc_passes_options){
			.filter = options->filter,
			.high_water = options->high_water,
			.session = session,
			.desk = desk,
			.sinks = &sinks,
		},
		ret_failure, &passes);
	if (err)
		return err;
	err = kc_sinks_start(&sinks, &(struct kc_start){ .filter = &options->filter });
	if (!err)
		err = kc_tasks_look(&tasks, passes, desk);
	kc_passes_coverage(passes, &coverage);
	if (tasks.count)
		qsort(tasks.rows, tasks.count, sizeof(*tasks.rows), sort_key(options->sort));
	if (!err)
		err = kc_report_audit(report, &(struct kc_audit){
						      .tasks = &tasks,
						      .high_water = options->high_water,
						      .thread_size = session->kernel->thread_size,
						      .pass = kc_passes_last(passes),
						      .coverage = &coverage,
					      });
	if (!err && options->json)
		err = kc_sinks_stop(&sinks, &coverage, NULL, "done");
	if (err)
		return kc_fail(ret_failure, KC_EXIT_FAILED, err, "the audit failed: %s",
			       kc_strerror(err));
	*ret_status = kc_tasks_exit(&tasks, kc_passes_last(passes), &coverage);
	return 0;
}

int kc_cmd_audit(int argc, char **argv, struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	struct audit_options options = { .sort = "tid" };
	struct kc_session session = {};
	int err;

	err = kc_parse(&argp, argc, argv, ret_failure, &options);
	if (err)
		return err;
	kc_log_set_level(KC_LOG_INFO + (options.verbose < 2 ? options.verbose : 2));
	signal(SIGPIPE, SIG_IGN); /* a reader that left is an error we report */
	err = kc_session_open(&(struct kc_origin){}, ret_failure, &session);
	if (err)
		return err;
	err = audit(&options, &session, ret_failure, ret_status);
	kc_session_close(&session);
	return err;
}
