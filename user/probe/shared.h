/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What sweep, probes and gate have in common. Private to user/probe. */
#ifndef KC_PROBE_SHARED_H
#define KC_PROBE_SHARED_H

#include <stdbool.h>

#include "kc_record.h"

struct kc_filter;
struct kc_gate;
struct kc_probes;
struct kc_sweep;

/* Descriptors of the map of rules and of the ring buffer; theirs. */
int kc_sweep_rules(const struct kc_sweep *sweep);
int kc_probes_ring(const struct kc_probes *probes);

/* CPUs that have an element of their own in the arrays of KC_MAX_CPUS. */
unsigned int kc_bss_cpus(void);

/* Runs that a program was kept from, since one was running on the CPU. False: nobody says. */
bool kc_program_missed(int fd, uint64_t *ret_missed);

/* As the programs ask; kcanary's own process is none. */
struct kc_wanted kc_wanted_of(const struct kc_filter *filter);

/* Which tasks the sweep is about, and how stacks are walked here. */
void kc_sweep_share(const struct kc_sweep *sweep, struct kc_wanted *ret_wanted,
		    struct kc_walk_config *ret_walking);

/* Whom to tell of what changes; NULL: nobody. */
void kc_sweep_set_gate(struct kc_sweep *sweep, struct kc_gate *gate);

#endif
