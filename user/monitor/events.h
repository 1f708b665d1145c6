/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Live probes' events, turned into findings:
 *
 *	BPF ─► ring buffer ─► a looker ─► unwind, desk, sync ─┐
 *	 ▲                                                    │
 *	 └─────────── the CPU that is held goes on ◄──────────┘
 */
#ifndef KC_MONITOR_EVENTS_H
#define KC_MONITOR_EVENTS_H

#include "monitor/case.h"
#include "monitor/choice.h"
#include "probe/probes.h"

struct kc_events;

/* All borrowed. */
struct kc_events_options {
	struct kc_session *session;
	struct kc_probes *probes;
	struct kc_desk *desk;
	const struct kc_sinks *sinks;
	unsigned int hold_off; /* ms that a CPU may be held; 0: never */
};

/*
 * Look at events from here on, in two threads. Signals are blocked by the caller. The
 * chosen functions are rehearsed: what a finding in them needs is then in memory.
 * 0 or -errno.
 */
int kc_events_start(const struct kc_events_options *options, const struct kc_choices *choices,
		    struct kc_events **ret_events);

/* When the probes are gone: handle what they have sent until then. */
void kc_events_stop(struct kc_events *events);
void kc_events_free(struct kc_events *events);
KC_DEFINE_AUTO(events, struct kc_events, kc_events_free)

/* Events that their own stack copy did not confirm, or that nobody could be found for. */
uint64_t kc_events_unproven(const struct kc_events *events);

/* Could a finding not be written? */
bool kc_events_output_failed(const struct kc_events *events);

#endif
