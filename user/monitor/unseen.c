// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/unseen.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "stack/place.h"
#include "util/array.h"
#include "util/log.h"

#define MAX_TOLD 20

/* Names are arbitrary bytes. */
static const char *thread_text(const struct kc_record *task, char text[static 96])
{
	char name[KC_COMM_LEN + 1] = "";

	for (size_t i = 0; i < KC_COMM_LEN && task->comm[i]; i++)
		name[i] = task->comm[i] < ' ' || task->comm[i] > '~' ? '?' : task->comm[i];
	snprintf(text, 96, "thread %s, tid %u of process %u", name, task->tid, task->pid);
	return text;
}

void kc_unseen_free(struct kc_unseen *unseen)
{
	free(unseen->restless);
}

static struct kc_restless *find_restless(struct kc_unseen *unseen, const struct kc_record *record)
{
	for (size_t i = 0; i < unseen->count; i++)
		if (unseen->restless[i].task.tid == record->tid &&
		    unseen->restless[i].task.start_ns == record->start_ns)
			return &unseen->restless[i];
	return NULL;
}

static int tell_restless(struct kc_sinks *sinks, const struct kc_restless *thread)
{
	char text[256], who[96];

	snprintf(text, sizeof(text),
		 "not seen: %s ran meanwhile at each of %u looks, or was running: no frame of it "
		 "was verified in a whole pass since",
		 thread_text(&thread->task, who), thread->looks);
	return kc_sinks_notice(sinks, text);
}

int kc_unseen_ran(struct kc_unseen *unseen, struct kc_sinks *sinks, const struct kc_record *record,
		  uint64_t pass)
{
	struct kc_restless *thread = find_restless(unseen, record);
	bool running = record->flags & KC_RECORD_RUNNING;

	/* One that is always running is the probes' business: it has no looks. */
	if (!thread) {
		if (kc_grow(unseen->restless, unseen->capacity, unseen->count + 1))
			return -ENOMEM;
		thread = &unseen->restless[unseen->count++];
		*thread = (struct kc_restless){ .task = *record, .first = pass };
	}
	thread->pass = pass;
	thread->looks += !running;
	if (running || thread->looks != KC_RESTLESS_LOOKS)
		return 0;
	unseen->restless_told++;
	return tell_restless(sinks, thread);
}

int kc_unseen_end(struct kc_unseen *unseen, struct kc_sinks *sinks)
{
	int count = 0, err = 0;

	for (size_t i = 0; i < unseen->count; i++) {
		const struct kc_restless *thread = &unseen->restless[i];

		if (thread->first || thread->looks < 2 || thread->looks >= KC_RESTLESS_LOOKS)
			continue;
		unseen->restless_told++;
		if (!err && count++ < MAX_TOLD)
			err = tell_restless(sinks, thread);
	}
	return err;
}

void kc_unseen_passed(struct kc_unseen *unseen, uint64_t pass)
{
	size_t kept = 0;

	for (size_t i = 0; i < unseen->count; i++)
		if (unseen->restless[i].pass == pass)
			unseen->restless[kept++] = unseen->restless[i];
	unseen->count = kept;
}

int kc_tell_unproven(struct kc_sinks *sinks, const struct kc_record *task, const char *place,
		     unsigned int *told)
{
	char text[320], who[96];

	if (*told == MAX_TOLD)
		return 0;
	snprintf(text, sizeof(text), "not proved: a difference in %s, %s%s", place,
		 thread_text(task, who),
		 ++*told == MAX_TOLD ? "; more of this kind are counted only" : "");
	return kc_sinks_notice(sinks, text);
}

void kc_explain_stack(const struct kc_kernel *kernel, const struct kc_record *record,
		      const struct kc_checked_stack *checked)
{
	char place[160], end[160];

	if (kc_log_get_level() < KC_LOG_DEBUG)
		return;
	for (size_t i = 0; i < checked->count; i++)
		if (checked->frames[i].status == KC_CHECK_UNKNOWN)
			kc_debug("tid %u, frame %zu, %s: %s", record->tid, i,
				 kc_frame_text(kernel, &checked->frames[i].frame, place),
				 kc_blind_text(checked->frames[i].blind));
	if (checked->through_code)
		kc_debug("tid %u, followed through code without unwind tables from %s on",
			 record->tid, kc_place_text(kernel, checked->end_pc, end));
	if (checked->end != KC_UNWIND_COMPLETE)
		kc_debug("tid %u, unwinding ended after %zu frames, the last at %s, in %s: %s",
			 record->tid, checked->count,
			 checked->count
				 ? kc_frame_text(kernel, &checked->frames[checked->count - 1].frame,
						 place)
				 : "none",
			 kc_place_text(kernel, checked->end_pc, end),
			 kc_unwind_end_text(checked->end));
}
