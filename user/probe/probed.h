/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What live probes are made of: points and what holds them (points.c), what they have counted
 * (counts.c), what they have sent (ring.c). Private to user/probe.
 */
#ifndef KC_PROBE_PROBED_H
#define KC_PROBE_PROBED_H

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stddef.h>

#include "probe/probes.h"
#include "probe/shared.h"
#include "probes.skel.h"

/* What keeps probes attached: a perf event, or the BPF link that holds one or many. */
struct kc_holder {
	int fd;
	bool multi;
};

/* Where a point is, and what keeps it attached. */
struct kc_place {
	bool taken;
	uint64_t addr;
	int fd;	       /* of its holder */
	uint32_t next; /* of those that belong together */
};

struct kc_probes {
	struct probes_bpf *skel;
	struct ring_buffer *ring;
	struct kc_probe_facts facts;
	int kprobe_type; /* of perf's "kprobe" PMU */
	struct kc_holder *holders;
	size_t nr_holders, capacity;
	size_t detached;		       /* of the holders, in the order of nth_to_go() */
	uint64_t missed_detached;	       /* what those had missed */
	bool missed_unknown;		       /* the kernel did not say of one of them */
	struct kc_place places[KC_MAX_POINTS]; /* by point */
	size_t nr_points;
	struct kc_arrived next;
	struct kc_deep deep[KC_MAX_CPUS]; /* as of the last look */
	unsigned int nr_cpus;
	uint32_t pid; /* whose events are wanted; 0: all */
};
/* Hits that the kernel kept from the program, since another probe was being handled. False: it does
 * not say. */
bool kc_holder_missed(const struct kc_probes *probes, const struct kc_holder *holder,
		      uint64_t *ret_missed);

/* In the order in which they are detached. */
const struct kc_holder *kc_holder_to_go(const struct kc_probes *probes, size_t n);

#endif
