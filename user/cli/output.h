/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Where a command's results go. */
#ifndef KC_CLI_OUTPUT_H
#define KC_CLI_OUTPUT_H

#include "cli/option.h"
#include "report/report.h"
#include "util/error.h"

/* How, and where to: what the commands have in common that tell of findings. */
struct kc_output {
	const char *path; /* or NULL */
	const char *views;
	bool json;
};

extern const struct kc_option kc_output_rows[];

#define KC_OUTPUT_DEFAULTS      \
	{                       \
		.views = "full" \
	}

/* kc_report_new(), and why it failed. */
int kc_open_report(const struct kc_output *output, const struct kc_host *host,
		   struct kc_failure *ret_failure, struct kc_report **ret_report);

/*
 * All that a watch writes to: the report, to a file or to stdout; the kernel's log, if asked
 * for; beside a file, a line for each finding on stderr.
 */
int kc_open_sinks(const struct kc_output *output, bool kmsg, struct kc_source *source,
		  struct kc_failure *ret_failure, struct kc_sinks *sinks);

#endif
