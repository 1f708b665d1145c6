/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Samples of tasks that run: each copy is checked as a sleeper's is, from the interrupted
 * instruction on. A slot that differs becomes a finding when a later sample meets the same one in
 * the same frame.
 */
#ifndef KC_MONITOR_SAMPLING_H
#define KC_MONITOR_SAMPLING_H

#include "monitor/engine.h"
#include "probe/sweep.h"

#define KC_SAMPLE_HZ 11 /* unless another rate is asked for */

struct kc_sampling;

/* Nothing is sampled yet. The engine (copied) is borrowed. 0 or -ENOMEM. */
int kc_sampling_new(const struct kc_engine *engine, struct kc_sampling **ret_sampling);
void kc_sampling_free(struct kc_sampling *sampling);
KC_DEFINE_AUTO(sampling, struct kc_sampling, kc_sampling_free)

/*
 * Start `hz` of them a second on each CPU, of the filter's tasks (borrowed). Where the kernel
 * refuses, that is told and counted, and nothing is sampled. 0 or a sink's error.
 */
int kc_sampling_start(struct kc_sampling *sampling, const struct kc_filter *filter,
		      unsigned int hz);

/* Are any taken? */
bool kc_sampling_is_on(const struct kc_sampling *sampling);

/* Look at one, its words behind it: what kc_sampling_look() does with each. 0 or a sink's error. */
int kc_sampling_take(struct kc_sampling *sampling, const struct kc_event *event);

/*
 * Readable when there are samples; -1: none are to be waited for, or not yet: then *left, the time
 * that somebody is about to wait, is made no longer than that.
 */
int kc_sampling_fd(const struct kc_sampling *sampling, struct timespec *left);

/* Look at what has come. 0 or a sink's error. */
int kc_sampling_look(struct kc_sampling *sampling);

/* Now and then: which CPUs are there, and which cgroup is meant? 0 or a sink's error. */
int kc_sampling_follow(struct kc_sampling *sampling);

/* No more of them; those that came are looked at. 0 or a sink's error. */
int kc_sampling_stop(struct kc_sampling *sampling);

/* Added to what others have counted. */
void kc_sampling_counts(const struct kc_sampling *sampling, struct kc_coverage *coverage);

/* Threads that samples have met deeper than entries did are put among them. */
const struct kc_depths *kc_sampling_depths(struct kc_sampling *sampling,
					   const struct kc_depths *depths);

#endif
