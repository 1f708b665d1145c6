/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every sleeping task once: the rows of an audit. */
#ifndef KC_MONITOR_TASKS_H
#define KC_MONITOR_TASKS_H

#include "monitor/pass.h"

/* One sleeping task. */
struct kc_task_row {
	struct kc_record task;
	uint64_t verified;	 /* frames whose slot holds the canary */
	uint64_t not_verifiable; /* frames, and an unwinding that ended early */
	const char *why_not;	 /* the first reason, or NULL */
	uint64_t findings;
	char place[160]; /* where it sleeps: the innermost frame that is not the scheduler's */
};

/* Its depth, top of the stack minus SP, in bytes. */
static inline uint64_t kc_task_depth(const struct kc_record *task)
{
	return task->top - task->sp;
}

/* The deepest it has ever been; 0: was not looked for. */
static inline uint64_t kc_task_high_water(const struct kc_record *task)
{
	return task->high_water ? task->top - task->high_water : 0;
}

struct kc_tasks {
	const struct kc_session *session; /* borrowed; its kernel may be another after a pass */
	struct kc_task_row *rows;
	size_t count, capacity;
};

/*
 * Run passes until each task was seen in one sleep, or it has been tried a few times.
 * 0 or -errno; the rows are there in any case.
 */
int kc_tasks_look(struct kc_tasks *tasks, struct kc_passes *passes, struct kc_desk *desk);
void kc_tasks_free(struct kc_tasks *tasks);

/* By what the rows say, and the last pass: see kc_exit_of(). */
enum kc_exit kc_tasks_exit(const struct kc_tasks *tasks, const struct kc_pass *last,
			   const struct kc_coverage *coverage);

#endif
