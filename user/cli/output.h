/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where a command's results go. */
#ifndef KC_CLI_OUTPUT_H
#define KC_CLI_OUTPUT_H

#include "report/report.h"
#include "util/error.h"

/* kc_report_new(), and why it failed. */
int kc_open_report(const char *path, bool json, const struct kc_host *host,
		   struct kc_failure *ret_failure, struct kc_report **ret_report);

/*
 * All that a watch writes to: the report, to a file or to stdout; the kernel's log, if asked
 * for; beside a file, a line for each finding on stderr.
 */
int kc_open_sinks(const char *path, bool json, bool kmsg, struct kc_source *source,
		  struct kc_failure *ret_failure, struct kc_sinks *sinks);

#endif
