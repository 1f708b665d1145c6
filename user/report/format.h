/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a format of output implements; private to user/report. */
#ifndef KC_REPORT_FORMAT_H
#define KC_REPORT_FORMAT_H

#include <pthread.h>

#include "report/report.h"
#include "source/host.h"

struct kc_report {
	struct kc_sink sink; /* first: report_of() */
	const struct kc_format *format;
	FILE *out;
	pthread_mutex_t lock; /* one event at a time */
	bool regular;	      /* a file: synced after each finding */
	uint64_t seq;	      /* of the last event written */
	struct kc_host host;
};

/* Each writes one event to report->out; errors show on the stream. */
struct kc_format {
	void (*start)(struct kc_report *report, const struct kc_start *start);
	void (*finding)(struct kc_report *report, const struct kc_kernel *kernel,
			const struct kc_finding *finding);
	void (*audit)(struct kc_report *report, const struct kc_audit *audit);
	void (*notice)(struct kc_report *report, const char *text);
	void (*stats)(struct kc_report *report, const struct kc_coverage *coverage);
	void (*stop)(struct kc_report *report, const struct kc_coverage *coverage,
		     const struct kc_depths *depths, const char *why);
};

/* "R" running or runnable, "S", "D", "T", "t", "I", "P", as ps has them. */
const char *kc_state_text(uint32_t state);

extern const struct kc_format kc_format_text;
extern const struct kc_format kc_format_json;

#endif
