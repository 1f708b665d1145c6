// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/filter.h"
#include "cli/monitor.h"
#include "report/views.h"
#include "util/array.h"

/* Passes at most: a task that ran while it was read is looked at again. */
#define MAX_PASSES 4

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

struct rows {
	const struct kc_session *session; /* its kernel may be another after a pass */
	struct kc_task_row *rows;
	size_t count, capacity;
};

/* The row of a task; a new one if it was not seen before. */
static struct kc_task_row *row_of(struct rows *rows, uint32_t tid, bool seen_some)
{
	for (size_t i = 0; seen_some && i < rows->count; i++)
		if (rows->rows[i].task.tid == tid)
			return &rows->rows[i];
	if (kc_grow(rows->rows, rows->capacity, rows->count + 1))
		return NULL;
	return &rows->rows[rows->count++];
}

/* The innermost frame that is not the scheduler's: where the task sleeps. */
static void find_place(const struct kc_kernel *kernel, const struct kc_checked_stack *checked,
		       char place[static 160])
{
	size_t i = 0;

	while (i + 1 < checked->count && checked->frames[i].sym &&
	       strstr(kc_sym_name(kernel->ksyms, checked->frames[i].sym), "schedule"))
		i++;
	if (checked->count)
		kc_place_text(kernel, checked->frames[i].frame.pc, place);
	else
		snprintf(place, 160, "(no frame)");
}

static void find_blind(const struct kc_checked_stack *checked, struct kc_task_row *row)
{
	for (size_t i = 0; i < KC_BLIND_NR; i++) {
		row->not_verifiable += checked->blind[i];
		if (checked->blind[i] && !row->why_not)
			row->why_not = kc_blind_text(i);
	}
	if (checked->end != KC_UNWIND_COMPLETE)
		row->why_not = kc_unwind_end_text(checked->end);
}

static int add_row(struct rows *rows, const struct kc_record *record,
		   const struct kc_checked_stack *checked, bool seen_some)
{
	struct kc_task_row *row = row_of(rows, record->tid, seen_some);

	if (!row)
		return -ENOMEM;
	*row = (struct kc_task_row){ .task = *record, .verified = checked->intact };
	find_blind(checked, row);
	find_place(rows->session->kernel, checked, row->place);
	return 0;
}

static int first_look(const struct kc_record *record, const struct kc_checked_stack *checked,
		      void *arg)
{
	return add_row(arg, record, checked, false);
}

/* What is copied in a later pass was missed, has run since, or can't be cached. */
static int later_look(const struct kc_record *record, const struct kc_checked_stack *checked,
		      void *arg)
{
	return add_row(arg, record, checked, true);
}

static int look(struct kc_monitor *monitor, struct rows *rows)
{
	int err;

	kc_monitor_observe(monitor, first_look, rows);
	err = kc_monitor_pass(monitor);
	kc_monitor_observe(monitor, later_look, rows);
	for (int i = 1; !err && i < MAX_PASSES && kc_monitor_last_pass(monitor)->moved; i++)
		err = kc_monitor_pass(monitor);
	return err;
}

static enum kc_exit conclude(const struct rows *rows, const struct kc_pass *pass,
			     const struct kc_stats *stats)
{
	uint64_t verified = 0,
		 blind = stats->unproven + stats->stale + pass->moved + pass->unreadable;

	if (stats->findings)
		return KC_EXIT_FINDINGS;
	for (size_t i = 0; i < rows->count; i++) {
		verified += rows->rows[i].verified;
		blind += rows->rows[i].not_verifiable;
	}
	return blind || !verified ? KC_EXIT_BLIND : KC_EXIT_CLEAN;
}

static enum kc_exit audit(const struct audit_options *options, struct kc_session *session)
{
	struct kc_monitor *monitor kc_auto(kc_cleanup_monitor) = NULL;
	struct kc_told *told kc_auto(kc_cleanup_told) = NULL;
	struct kc_report *report kc_auto(kc_cleanup_report) = NULL;
	struct rows rows = { .session = session };
	kc_auto_free struct kc_task_row *owned = NULL;
	enum kc_exit status;
	int err;

	if (kc_told_new(&told))
		return KC_EXIT_FAILED;
	status = kc_open_report(options->output, options->json, &report);
	if (status == KC_EXIT_CLEAN)
		status = kc_monitor_new(
			&(struct kc_monitor_options){
				.filter = options->filter,
				.high_water = options->high_water,
			},
			session, report, told, &monitor);
	if (status != KC_EXIT_CLEAN)
		return status;
	err = kc_report_start(report, &(struct kc_start){ .filter = &options->filter });
	if (!err)
		err = look(monitor, &rows);
	owned = rows.rows;
	for (size_t i = 0; i < rows.count; i++)
		rows.rows[i].findings = kc_told_of(told, rows.rows[i].task.tid);
	if (rows.count)
		qsort(rows.rows, rows.count, sizeof(*rows.rows), sort_key(options->sort));
	if (!err)
		err = kc_report_audit(report, &(struct kc_audit){
						      .rows = rows.rows,
						      .count = rows.count,
						      .high_water = options->high_water,
						      .thread_size = session->kernel->thread_size,
						      .pass = kc_monitor_last_pass(monitor),
						      .stats = kc_monitor_stats(monitor),
					      });
	if (!err && options->json)
		err = kc_report_stop(report, kc_monitor_stats(monitor), NULL, "done");
	if (err) {
		kc_error("the audit failed: %s", kc_strerror(err));
		return KC_EXIT_FAILED;
	}
	return conclude(&rows, kc_monitor_last_pass(monitor), kc_monitor_stats(monitor));
}

enum kc_exit kc_cmd_audit(int argc, char **argv)
{
	struct audit_options options = { .sort = "tid" };
	struct kc_session session = {};
	enum kc_exit status;

	status = kc_parse(&argp, argc, argv, &options);
	if (status != KC_EXIT_CLEAN)
		return status;
	kc_log_set_level(KC_LOG_INFO + (options.verbose < 2 ? options.verbose : 2));
	signal(SIGPIPE, SIG_IGN); /* a reader that left is an error we report */
	status = kc_session_open(&(struct kc_source){}, &session);
	if (status != KC_EXIT_CLEAN)
		return status;
	status = audit(&options, &session);
	kc_session_close(&session);
	return status;
}
