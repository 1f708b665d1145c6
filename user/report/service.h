/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * For a service manager, by the protocol of sd_notify(3), which promises to be stable for programs
 * without its library: READY=1 when the watch has begun, WATCHDOG=1 as long as its loop turns,
 * STATUS= what was verified.
 */
#ifndef KC_REPORT_SERVICE_H
#define KC_REPORT_SERVICE_H

#include "monitor/sink.h"

/* NULL: nobody asked for it, by $NOTIFY_SOCKET. */
struct kc_sink *kc_service_new(void);

#endif
