/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The samples' user side: on each CPU a software clock whose interrupt sends a scrubbed copy of the
 * stack of whom it has met in the kernel, from the interrupted instruction on (KC_EVENT_SAMPLE).
 */
#ifndef KC_PROBE_SAMPLES_H
#define KC_PROBE_SAMPLES_H

#include "kernel/kernel.h"
#include "probe/sweep.h"

struct kc_samples;

/*
 * Load, and start `hz` of them a second on each CPU that is online. Kernel and filter are borrowed
 * during the call. On failure nothing runs, the errno is the kernel's, or -ENOTSUP where it may not
 * be, and the status KC_EXIT_CANNOT_RUN.
 */
int kc_samples_new(const struct kc_kernel *kernel, const struct kc_filter *filter, unsigned int hz,
		   struct kc_failure *ret_failure, struct kc_samples **ret_samples);

/* Stop; counts stay, and so does what is still to be taken. */
void kc_samples_stop(struct kc_samples *samples);
void kc_samples_free(struct kc_samples *samples);
KC_DEFINE_AUTO(samples, struct kc_samples, kc_samples_free)

/* CPUs come and go: start on those that have come. */
void kc_samples_follow_cpus(struct kc_samples *samples);

/* Take every nth alone, and those of threads that something is asked of. */
void kc_samples_thin(struct kc_samples *samples, unsigned int every);

/* As kc_sweep_set_cgroup(). */
void kc_samples_set_cgroup(struct kc_samples *samples, uint64_t id);

/*
 * From now on samples of the thread tell of the slot at this address, instead of another one,
 * whether and how it differs: 0 or -errno. And no more.
 */
int kc_samples_ask(struct kc_samples *samples, uint32_t tid, uint64_t slot);
void kc_samples_ask_no_more(struct kc_samples *samples, uint32_t tid);

/* As kc_probes_next(). */
int kc_samples_next(struct kc_samples *samples, const struct kc_event **ret_event);

/* Poll this for samples. */
int kc_samples_fd(const struct kc_samples *samples);

/* Sums over all CPUs. */
struct kc_sample_count kc_samples_counts(const struct kc_samples *samples);

/* CPUs that are online and not sampled, and the last -errno of why; 0: none. */
unsigned int kc_samples_refused(const struct kc_samples *samples, int *ret_err);

uint64_t kc_samples_loss(const struct kc_samples *samples, enum kc_loss loss);

#endif
