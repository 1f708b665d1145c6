/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What sweep, probes and gate have in common. Private to user/probe. */
#ifndef KC_PROBE_SHARED_H
#define KC_PROBE_SHARED_H

#include <stdbool.h>

#include "kc_record.h"

struct kc_arrived;
struct kc_filter;
struct kc_gate;
struct ring_buffer;
struct kc_probes;
struct kc_sweep;

/* A ring buffer of events, each into *arrived (borrowed) when it is taken. NULL and errno. */
struct ring_buffer *kc_ring_new(int map_fd, struct kc_arrived *arrived);

/* 1: one has arrived; 0: there is none; or -errno, -EPROTO: it made no sense and is gone. */
int kc_ring_take(struct ring_buffer *ring);

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
