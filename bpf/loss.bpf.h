/* SPDX-License-Identifier: GPL-2.0-only */
/* What did not work, counted by name; nothing is given up in silence. */
#ifndef LOSS_BPF_H
#define LOSS_BPF_H

#include "kc.bpf.h"
#include "word.bpf.h"

extern __u64 losses[KC_LOSS_NR]; /* by enum kc_loss, of all CPUs */

static __always_inline void lose(enum kc_loss why)
{
	__sync_fetch_and_add(&losses[why], 1);
}

/*
 * If a helper's result is not zero. No branch: in a loop the verifier would follow both
 * ways from each iteration.
 */
static __always_inline void lose_if(enum kc_loss why, long failed)
{
	__sync_fetch_and_add(&losses[why], ~kc_mask_if_zero(failed) & 1);
}

#endif
