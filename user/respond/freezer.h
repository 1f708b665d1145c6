/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Threads held where they sleep, by the freezer of cgroup v1: a group of our own, whose state is
 * FROZEN. What sleeps freezably is frozen in place the moment it is moved there, and neither the
 * end of its sleep nor SIGKILL moves it. (SIGSTOP and cgroup v2's freezer wake it.) Two do: whom
 * the OOM killer chooses is thawed, so the process is made one that it does not choose; and
 * a suspend, even one that fails, thaws all (thaw_processes() in kernel/power/process.c).
 *
 * The hierarchy is reached by a mount that nobody else sees. The group stays while anything is in
 * it, whatever becomes of us: who ends a monitor must not panic the host.
 */
#ifndef KC_RESPOND_FREEZER_H
#define KC_RESPOND_FREEZER_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "util/cleanup.h"
#include "util/error.h"

struct kc_freezer;

/*
 * make: have a frozen group there. -ENOTSUP if this kernel has no such freezer, -EBUSY if another
 * controller is bound to its hierarchy, -EPERM; the status is KC_EXIT_CANNOT_RUN.
 */
int kc_freezer_open(bool make, struct kc_failure *ret_failure, struct kc_freezer **ret_freezer);
void kc_freezer_close(struct kc_freezer *freezer);
KC_DEFINE_AUTO(freezer, struct kc_freezer, kc_freezer_close)

/* What is remembered of a thread that is held, in KC_HELD_FOLDER. */
struct kc_held {
	uint32_t pid, tid;
	uint64_t start_ns; /* boot time */
	uint64_t finding;  /* its number in that watch */
	int64_t since;	   /* CLOCK_REALTIME, seconds */
	int oom_score_adj; /* of its process, before */
	char place[160];   /* where the damaged frame goes on */
	char group[256];   /* of the freezer's hierarchy, that it was in */
};

#define KC_HELD_FOLDER "/run/kcanary/held"

/*
 * Move the thread there, and write down why. 0 or -errno; -EALREADY: it is there. *ret_oom_may: its
 * process could not be made one that the OOM killer never chooses.
 */
int kc_freezer_hold(struct kc_freezer *freezer, const struct kc_held *held, bool *ret_oom_may);

/*
 * Let it go on, whatever its frames hold. 0 or -errno; -ESRCH: it is not held. *ret_frozen: it goes
 * back to a group that somebody else has frozen.
 */
int kc_freezer_release(struct kc_freezer *freezer, uint32_t tid, bool *ret_frozen);

/*
 * Threads that are held: how many, the first `max` of them in ret_tids; -errno. None where there
 * is no group.
 */
int kc_freezer_held(const struct kc_freezer *freezer, uint32_t *ret_tids, int max);

bool kc_freezer_holds(const struct kc_freezer *freezer, uint32_t tid);

/* Are all of them frozen? */
bool kc_freezer_is_frozen(const struct kc_freezer *freezer);

/* What was written down of it; false: nothing, or of an earlier thread of that number. */
bool kc_freezer_why(uint32_t tid, struct kc_held *ret_held);

#endif
