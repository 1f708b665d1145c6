/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Hold the victim: a sink that has threads frozen where they sleep as soon as a damaged frame of
 * theirs is proved, and says what came of it. The host then lives on until somebody releases them.
 */
#ifndef KC_RESPOND_HOLDER_H
#define KC_RESPOND_HOLDER_H

#include "monitor/sink.h"
#include "respond/freezer.h"

/*
 * NULL: freezing does not wake the thread; or why it is not to be frozen. Whatever wakes it makes
 * it return through its damaged frame.
 */
const char *kc_not_holdable(const struct kc_kernel *kernel, const struct kc_finding *finding);

/*
 * The freezer is taken over; the sinks, to which it tells, are those that it is about to be added
 * to. NULL: memory is out.
 */
struct kc_sink *kc_holder_new(struct kc_freezer *freezer, unsigned int most,
			      struct kc_sinks *sinks);

#endif
