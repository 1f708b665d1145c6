/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The thread that puts on the disk what lookers have no time to wait for: what a gate has said of
 * a task that goes on meanwhile. If all of them waited, or left the CPU that they are pinned to,
 * nobody would be left for the CPU that is held next.
 */
#ifndef KC_MONITOR_SCRIBE_H
#define KC_MONITOR_SCRIBE_H

#include <stdbool.h>

#include "util/cleanup.h"

struct kc_scribe;

/*
 * write(arg) is called by the thread after each kc_scribe_wake(), several of which may be one.
 * urgent: before all that has no real-time priority. 0 or -errno.
 */
int kc_scribe_start(void (*write)(void *arg), void *arg, bool urgent,
		    struct kc_scribe **ret_scribe);

/* By any thread: takes no lock, waits for nothing. */
void kc_scribe_wake(struct kc_scribe *scribe);

/*
 * Have it run on any CPU that the main thread may run on but this one: a task goes on there that
 * may panic, or it is held for one that does, and who is on it or waits for it does not get it
 * again. By any thread: moves it also where it can't do so itself.
 */
void kc_scribe_leave(struct kc_scribe *scribe, unsigned int cpu);

/* Returns when all has been written that it was waked up for. */
void kc_scribe_free(struct kc_scribe *scribe);
KC_DEFINE_AUTO(scribe, struct kc_scribe, kc_scribe_free)

#endif
