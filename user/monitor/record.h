/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a watch takes from a kernel, written to a tape: a source that asks another one and notes
 * the answers, and a sink that notes what is told beside findings. monitor/replay.h reads
 * it. What belongs to a report's file alone is not on the tape: the start again where logs were
 * rotated, the line after a full disk, and evidence of whose event nothing more came, but for the
 * notice of it.
 *
 * Copies of stacks are scrubbed already; addresses of stacks and of kernel code are moved to
 * where no boot has put them.
 */
#ifndef KC_MONITOR_RECORD_H
#define KC_MONITOR_RECORD_H

#include "monitor/session.h"
#include "monitor/sink.h"
#include "source/tape.h"

struct kc_recorder;

/*
 * From here on what is asked of the session's kernel is written down: before any plan is made.
 * Session and tape are borrowed; the recorder ends before them. 0 or -errno.
 */
int kc_recorder_new(struct kc_session *session, struct kc_tape *tape,
		    struct kc_recorder **ret_recorder);
void kc_recorder_free(struct kc_recorder *recorder);
KC_DEFINE_AUTO(recorder, struct kc_recorder, kc_recorder_free)

/* What to use in the place of this source, which is borrowed; the recorder's. */
struct kc_source *kc_recorder_source(struct kc_recorder *recorder, struct kc_source *source);

/* To be added to the sinks, which do not own the recorder. */
struct kc_sink *kc_recorder_sink(struct kc_recorder *recorder);

/* Of all structs on the tape: see kc_tape_create(). */
uint32_t kc_recorder_layouts(void);

#endif
