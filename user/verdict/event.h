/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a live probe sent: a finding, or nothing that can be proved? */
#ifndef KC_VERDICT_EVENT_H
#define KC_VERDICT_EVENT_H

#include "verdict/finding.h"

/*
 * Does the copy of the stack that came with the event bear it out? Fills in the
 * finding but for the process and the verdict; it borrows the event and *checked.
 *
 *	CHECK      the innermost frame's slot is the one compared, and damaged
 *	EXHAUSTED  nothing to prove: the number is all there is
 *	RETURN     the word can't be a return address: no code, or none behind a call
 *	PANIC      the kernel has proved it; the frame is the first that is not panic()'s
 *	GATE       the slot compared is a frame's, and damaged; the task did not run
 *	SAMPLE     the same; it was interrupted, and the slot differed in a sample before
 */
bool kc_event_prove(const struct kc_kernel *kernel, struct kc_plans *plans, struct kc_seen *seen,
		    const struct kc_event *event, struct kc_checked_stack *checked,
		    struct kc_finding *ret_finding);

/*
 * Derive anew, from text as it is now, what the proof rests on; is it another proof? Of a panic it
 * rests on nothing of the kind.
 */
bool kc_event_renew(const struct kc_kernel *kernel, struct kc_plans *plans,
		    const struct kc_event *event);

/* The copy of the stack that came with the event, borrowed; the frame that it begins in, but for
 * GATE's. */
struct kc_stack kc_event_stack(const struct kc_event *event);
struct kc_frame kc_event_frame(const struct kc_event *event);

/* Which engine's it is, as findings name it. */
static inline const char *kc_event_engine(const struct kc_event *event)
{
	return event->kind == KC_EVENT_PANIC	? "tripwire"
	       : event->kind == KC_EVENT_GATE	? "gate"
	       : event->kind == KC_EVENT_SAMPLE ? "sample"
						: "probe";
}

/* The address that it is about; of a panic, in the function that failed. */
static inline uint64_t kc_event_site(const struct kc_event *event)
{
	return event->kind == KC_EVENT_PANIC ? event->caller : event->site;
}

#endif
