/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A watch out of what monitor/record.h wrote down: the same findings, told the same way. */
#ifndef KC_MONITOR_REPLAY_H
#define KC_MONITOR_REPLAY_H

#include "monitor/sink.h"
#include "source/tape.h"

struct kc_replay;

/*
 * Read all of the tape, which stays borrowed. -EBADMSG and why, if nothing of it can be
 * used.
 */
int kc_replay_new(struct kc_tape *tape, struct kc_failure *ret_failure,
		  struct kc_replay **ret_replay);
void kc_replay_free(struct kc_replay *replay);
KC_DEFINE_AUTO(replay, struct kc_replay, kc_replay_free)

/* Of which host. */
void kc_replay_host(const struct kc_replay *replay, struct kc_host *ret_host);

/* What became of it. */
struct kc_replayed {
	struct kc_coverage coverage; /* as told at the end */
	const char *damage;	     /* what is wrong with the recording, or NULL */
};

/* Tell it to the sinks. 0 or a sink's error. */
int kc_replay_run(struct kc_replay *replay, struct kc_sinks *sinks,
		  struct kc_replayed *ret_replayed);

#endif
