/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Some threads, pinned to as many CPUs, that look at the ring buffer in turn: while a CPU is held,
 * another has its own or belongs to somebody's real-time thread, one of them is elsewhere. They
 * look by the clock, for on a held CPU interrupts may be off, and the ring buffer's wake-up and
 * timers with them.
 */
#ifndef KC_MONITOR_LOOKERS_H
#define KC_MONITOR_LOOKERS_H

#include <pthread.h>
#include <stdbool.h>

#include "util/cleanup.h"

struct kc_lookers;

/* How many there are at most, numbered from 0; as many as CPUs, if those are fewer. */
#define KC_LOOKERS 4

/* Who writes evidence: they, and the scribe, whose number is KC_LOOKERS. See scribe.h. */
#define KC_WRITERS (KC_LOOKERS + 1)

struct kc_looking {
	int fd;		       /* readable: look at once */
	unsigned int hold_off; /* ms that a CPU is held: look several times in it; 0: never */
	/* Called by all of them, maybe at once. False: another one is at it. */
	bool (*look)(void *arg, unsigned int looker);
	void *arg;
};

/* Are there two CPUs to run on? With one, nobody could look while it is held. */
bool kc_lookers_are_possible(void);

/* Signals are blocked by the caller. 0 or -errno. */
int kc_lookers_start(const struct kc_looking *looking, struct kc_lookers **ret_lookers);

/* Returns when no thread looks any more. */
void kc_lookers_free(struct kc_lookers *lookers);
KC_DEFINE_AUTO(lookers, struct kc_lookers, kc_lookers_free)

/* For what works beside them: a thread with a small stack, all of it locked. 0 or -errno. */
int kc_lookers_thread(pthread_t *ret_thread, void *(*run)(void *arg), void *arg);

/* Of the calling thread: it runs before all that has no real-time priority. */
void kc_lookers_urgency(void);

#endif
