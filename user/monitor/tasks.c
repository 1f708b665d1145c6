// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/tasks.h"

#include <errno.h>
#include <string.h>

#include "stack/place.h"
#include "util/array.h"

/* Passes at most: a task that ran while it was read is looked at again. */
#define MAX_PASSES 4

/* The row of a task; a new one if it was not seen before. */
static struct kc_task_row *row_of(struct kc_tasks *tasks, uint32_t tid, bool seen_some)
{
	for (size_t i = 0; seen_some && i < tasks->count; i++)
		if (tasks->rows[i].task.tid == tid)
			return &tasks->rows[i];
	if (kc_grow(tasks->rows, tasks->capacity, tasks->count + 1))
		return NULL;
	return &tasks->rows[tasks->count++];
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
		kc_frame_text(kernel, &checked->frames[i].frame, place);
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

static int add_row(struct kc_tasks *tasks, const struct kc_record *record,
		   const struct kc_checked_stack *checked, bool seen_some)
{
	struct kc_task_row *row = row_of(tasks, record->tid, seen_some);

	if (!row)
		return -ENOMEM;
	*row = (struct kc_task_row){ .task = *record, .verified = checked->intact };
	find_blind(checked, row);
	find_place(tasks->session->kernel, checked, row->place);
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

int kc_tasks_look(struct kc_tasks *tasks, struct kc_passes *passes, struct kc_desk *desk)
{
	int err;

	kc_passes_observe(passes, first_look, tasks);
	err = kc_passes_run(passes);
	kc_passes_observe(passes, later_look, tasks);
	for (int i = 1; !err && i < MAX_PASSES && kc_passes_last(passes)->moved; i++)
		err = kc_passes_run(passes);
	for (size_t i = 0; i < tasks->count; i++)
		tasks->rows[i].findings = kc_desk_findings_of(desk, tasks->rows[i].task.tid);
	return err;
}

void kc_tasks_free(struct kc_tasks *tasks)
{
	free(tasks->rows);
	*tasks = (struct kc_tasks){};
}

enum kc_exit kc_tasks_exit(const struct kc_tasks *tasks, const struct kc_pass *last,
			   const struct kc_coverage *coverage)
{
	uint64_t not_seen =
		coverage->sweep.unproven + coverage->sweep.stale + last->moved + last->unreadable;
	uint64_t verified = 0;

	not_seen += kc_losses_that_blind(coverage->sweep.losses);
	for (size_t i = 0; i < tasks->count; i++) {
		verified += tasks->rows[i].verified;
		not_seen += tasks->rows[i].not_verifiable;
	}
	return kc_exit_of(coverage->told.findings, not_seen, verified);
}
