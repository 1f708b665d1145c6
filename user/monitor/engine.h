/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What passes, confirmation and events work with alike: live, replayed, or made up by a test. */
#ifndef KC_MONITOR_ENGINE_H
#define KC_MONITOR_ENGINE_H

#include "monitor/case.h"
#include "monitor/session.h"
#include "source/source.h"

/* All borrowed; who has a copy of it may outlive the struct, and none of these. */
struct kc_engine {
	struct kc_session *session;
	struct kc_source *source;
	struct kc_desk *desk;
	struct kc_sinks *sinks; /* synced after each finding */
};

#endif
