/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A file for node exporter's textfile collector, written anew with every `stats` and finding, and
 * renamed whole: the counters of coverage.h, and the findings by class.
 */
#ifndef KC_REPORT_METRICS_H
#define KC_REPORT_METRICS_H

#include "monitor/sink.h"

/*
 * The sink; it has written the file once. NULL and -errno: it can't be written. What fails later is
 * said once, and counted as unwritten.
 */
int kc_metrics_new(const char *path, struct kc_sink **ret_sink);

#endif
