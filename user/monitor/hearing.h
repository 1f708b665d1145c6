/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* An event of a live probe is heard: what its own copy of the stack proves goes to the desk. */
#ifndef KC_MONITOR_HEARING_H
#define KC_MONITOR_HEARING_H

#include "monitor/engine.h"

struct kc_hearing {
	struct kc_engine with;
	unsigned int told; /* notices of events not proved */
	bool is_told; /* the last one is a finding, or is counted as one seen again or too many */
	uint64_t unproven;   /* events that proved nothing, or that nobody could be found for */
	unsigned int healed; /* in which pass what a gate walks by was last looked at anew */
};

/*
 * Make a finding of the event, its words behind it, and sync; or tell why its first record, if
 * there is one, is none. 0, or -errno: a sink failed.
 */
int kc_event_handle(struct kc_hearing *hearing, const struct kc_event *event,
		    const struct kc_first *first);

#endif
