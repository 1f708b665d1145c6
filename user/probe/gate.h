/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The gate's user side: a program at each switch to a task that the sweep is about. It walks by
 * the sweep's rules, and what differs comes through the probes' ring buffer (KC_EVENT_GATE).
 */
#ifndef KC_PROBE_GATE_H
#define KC_PROBE_GATE_H

#include "probe/probes.h"
#include "probe/sweep.h"

struct kc_gate;

/*
 * Load and attach. Sweep and probes are borrowed, the kernel during the call only. The sweep tells
 * it before rules are forgotten, until kc_gate_free(). On failure the errno is the kernel's, or
 * -ENOTSUP where it may not be, and the status KC_EXIT_CANNOT_RUN.
 */
int kc_gate_new(struct kc_sweep *sweep, struct kc_probes *probes, const struct kc_kernel *kernel,
		struct kc_failure *ret_failure, struct kc_gate **ret_gate);

/* Detach; counts stay. */
void kc_gate_close(struct kc_gate *gate);
void kc_gate_free(struct kc_gate *gate);

/* Sums over all CPUs. */
struct kc_gate_count kc_gate_counts(const struct kc_gate *gate);

uint64_t kc_gate_loss(const struct kc_gate *gate, enum kc_loss loss);

/* As kc_probes_missed(), which has them where the kernel tells. */
uint64_t kc_gate_missed(const struct kc_gate *gate);

/*
 * For the sweep: the cgroup's id has changed. No rule is looked up from soon on; from now on, for
 * which it waits for walks that are under way; and again.
 */
void kc_gate_set_cgroup(struct kc_gate *gate, uint64_t id);
void kc_gate_stop(struct kc_gate *gate);
void kc_gate_pause(struct kc_gate *gate);
void kc_gate_go_on(struct kc_gate *gate);

#endif
