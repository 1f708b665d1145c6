/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How a watch lies on a tape: for record.c, which writes it, and replay.c. */
#ifndef KC_MONITOR_ONRECORD_H
#define KC_MONITOR_ONRECORD_H

#include "monitor/sink.h"
#include "source/taped.h"

/* Where every task's stack ends on a tape. */
#define KC_TAPE_TOP 0xffffc90000200000ULL

/* Its filter's comm and cgroup follow, each with its NUL; empty: not set. */
struct kc_tape_start {
	struct kc_when when;
	uint32_t pid, tid, period;
	uint8_t tripwire, gate, sample_hz, pad;
};

/* Function and instead_of follow, each with its NUL. */
struct kc_tape_probed {
	uint64_t checks, returns;
};

/* What a watch has counted, but for what passes and desk count, which a replay does again. */
struct kc_tape_counts {
	struct kc_when when;
	struct kc_probe_counts probes;
	uint64_t sweep_losses[KC_LOSS_NR];
	double cpu_seconds, first_pass_cpu, pass_cpu, seconds;
	uint64_t findings; /* a replay must come to as many */
};

struct kc_tape_deep {
	uint32_t tid, pad;
	uint64_t depth;
};

#endif
