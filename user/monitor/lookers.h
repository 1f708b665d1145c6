/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two threads, pinned to two CPUs, that look at the ring buffer in turn: at least one of
 * them is not on the CPU that is held. They do so by the clock, for on that CPU interrupts
 * may be off, and the ring buffer's wake-up with them.
 */
#ifndef KC_MONITOR_LOOKERS_H
#define KC_MONITOR_LOOKERS_H

#include <stdbool.h>

#include "util/cleanup.h"

struct kc_lookers;

/* How many there are, numbered from 0. */
#define KC_LOOKERS 2

struct kc_looking {
	int fd;		       /* readable: look at once */
	unsigned int hold_off; /* ms that a CPU is held: look several times in it; 0: never */
	/* Called by both threads, maybe at once. False: the other one is at it. */
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

#endif
