/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What was looked at and could not be told: differences not proved, threads that never rest. */
#ifndef KC_MONITOR_UNSEEN_H
#define KC_MONITOR_UNSEEN_H

#include "monitor/sink.h"

/* Looks in a row at which a thread ran, before it counts as not seen: at 1 a second, 16 s. */
#define KC_RESTLESS_LOOKS 16

/* A thread that ran meanwhile in the last looks at it, or was running; never verified since. */
struct kc_restless {
	struct kc_record task;
	unsigned int looks;   /* at which it ran meanwhile */
	uint64_t first, pass; /* the first and the last of them, or at which it was running */
};

struct kc_unseen {
	struct kc_restless *restless;
	size_t count, capacity;
	unsigned int told;	/* notices of differences not proved */
	uint64_t restless_told; /* threads that were told of, or should have been */
};

void kc_unseen_free(struct kc_unseen *unseen);

/* A record of kind KC_RECORD_RAN in this pass. If it is one look too many it is told. 0 or -errno.
 */
int kc_unseen_ran(struct kc_unseen *unseen, struct kc_sinks *sinks, const struct kc_record *record,
		  uint64_t pass);

/*
 * The watch is over: tell of who ran meanwhile from its first pass on, in at least two looks and
 * none that was told. 0 or -errno.
 */
int kc_unseen_end(struct kc_unseen *unseen, struct kc_sinks *sinks);

/* The pass is over: who was verified in it, or is gone, is forgotten. */
void kc_unseen_passed(struct kc_unseen *unseen, uint64_t pass);

/*
 * Tell of a difference that was not proved, of this thread in this function; those that come
 * after the first few are counted only. *told: how many were.
 */
int kc_tell_unproven(struct kc_sinks *sinks, const struct kc_record *task, const char *place,
		     unsigned int *told);

/* With -v: where exactly a stack could not be followed by tables, or a frame not verified. */
void kc_explain_stack(const struct kc_kernel *kernel, const struct kc_record *record,
		      const struct kc_checked_stack *checked);

#endif
