/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Live probes, placed and removed:
 *
 *	new (programs loaded) ─► place (all probes) ─► activate (CPUs may be held) ─► stop
 */
#ifndef KC_MONITOR_ATTACH_H
#define KC_MONITOR_ATTACH_H

#include "monitor/choice.h"
#include "monitor/sink.h"
#include "probe/gate.h"
#include "probe/probes.h"

struct kc_attach;

/* All borrowed until kc_attach_free(). */
struct kc_attach_options {
	struct kc_session *session;
	const struct kc_choices *choices;
	struct kc_sinks *sinks;		/* what could not be placed is told there, and counted */
	const struct kc_filter *filter; /* whom to tell of; borrowed for as long as attach lives */
	unsigned int headroom;		/* bytes; less at an entry is told; 0: never */
	struct kc_sweep *sweep;		/* whose rules a gate goes by; NULL: no gate */
};

/* Load the programs; nothing is placed yet. 0, or -errno and why. */
int kc_attach_new(const struct kc_attach_options *options, struct kc_failure *ret_failure,
		  struct kc_attach **ret_attach);

/* Tripwire first, then checks, returns, entries. 0 or -ENOMEM. */
int kc_attach_place(struct kc_attach *attach);

/* The gate, if there is to be one; once somebody looks at events. 0, or -errno and why. */
int kc_attach_gate(struct kc_attach *attach, struct kc_failure *ret_failure);

/* From here on a CPU that is about to panic is held; ms as in struct kc_hold; 0: none is. */
void kc_attach_activate(struct kc_attach *attach, unsigned int hold_off, unsigned int hold_max);

/* Remove all probes; says so first if it will take long. Counts stay. */
void kc_attach_stop(struct kc_attach *attach);
void kc_attach_free(struct kc_attach *attach);
KC_DEFINE_AUTO(attach, struct kc_attach, kc_attach_free)

/* For the events; owned by attach. */
struct kc_probes *kc_attach_probes(struct kc_attach *attach);

/* The functions that probes are on; room for as many as were chosen. Names are attach's. */
size_t kc_attach_probed(const struct kc_attach *attach, struct kc_probed *ret_probed);

/* Is panic() probed? */
bool kc_attach_has_tripwire(const struct kc_attach *attach);

/*
 * Probes end with the module that they are in, and nobody says so: look, tell once, and
 * count them as not placed. When it is loaded again, and the session has learned it, they are
 * placed anew and that is told; what was called before is not seen, so those that ended stay
 * counted. 0 or a sink's error.
 */
int kc_attach_check_modules(struct kc_attach *attach);

/* The first half of it alone: nothing is placed. */
int kc_attach_check_gone(struct kc_attach *attach);

/* Is there a probe that kc_attach_check_alive() can tell by? */
bool kc_attach_has_pulse(const struct kc_attach *attach);

/*
 * Does the kernel run probes at all? Told when that changes, and counted. 0 or a sink's error.
 */
int kc_attach_check_alive(struct kc_attach *attach);

/* With a cgroup filter: look up what its path names now. */
void kc_attach_find_cgroup(struct kc_attach *attach);

/* What the probes have counted; events that were not proved are counted by events.h. */
void kc_attach_counts(struct kc_attach *attach, struct kc_probe_counts *ret_counts);

/* Guards that are not compared, and what the gate has counted; its losses are among the probes'. */
void kc_attach_watch_counts(const struct kc_attach *attach, struct kc_watch_counts *counts);

/* Depths at entries, by function and of the deepest threads; owned by attach. */
const struct kc_depths *kc_attach_depths(struct kc_attach *attach);

#endif
