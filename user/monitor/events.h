/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Live probes' events, turned into findings:
 *
 *	BPF ─► ring buffer ─► a looker ─► inbox ─► the main thread: prove, desk, sync
 *	 ▲                       │                                        │
 *	 │        first record, synced, made of the event alone           │
 *	 └── safe ───────────────┘                                        │
 *	 └── told ────────────────────────────────────────────────────────┘
 *
 * While a CPU is held, whoever owns a lock may be waiting for that very CPU, and a file of
 * /proc may wait for its thread. So the lookers, of whom at most one is on the CPU that is held,
 * take no lock but each other's, allocate nothing, ask /proc nothing, and decode nothing.
 */
#ifndef KC_MONITOR_EVENTS_H
#define KC_MONITOR_EVENTS_H

#include "monitor/engine.h"
#include "probe/probes.h"

struct kc_events;

/* All borrowed. */
struct kc_events_options {
	struct kc_engine engine;
	struct kc_probes *probes;
	/* ms after which a held CPU that nobody has seen goes on; 0: none is */
	unsigned int hold_off;
};

/* Look at events from here on, in threads of their own. Signals are blocked by the caller. 0 or
 * -errno. */
int kc_events_start(const struct kc_events_options *options, struct kc_events **ret_events);

/* Readable when the inbox has something. */
int kc_events_fd(const struct kc_events *events);

/* Make findings of what is in the inbox. Main thread. 0, or -errno: a sink failed. */
int kc_events_handle(struct kc_events *events);

/* When the probes are gone: handle what they have sent until then. As kc_events_handle(). */
int kc_events_stop(struct kc_events *events);
void kc_events_free(struct kc_events *events);
KC_DEFINE_AUTO(events, struct kc_events, kc_events_free)

/* Add what became of the events to what the probes have counted. */
void kc_events_counts(const struct kc_events *events, struct kc_probe_counts *counts);

#endif
