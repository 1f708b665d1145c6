/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a format of output implements; private to user/report. */
#ifndef KC_REPORT_FORMAT_H
#define KC_REPORT_FORMAT_H

#include <stdio.h>

#include "monitor/lookers.h"
#include "report/line.h"
#include "report/outlet.h"
#include "report/report.h"
#include "source/host.h"

struct kc_report {
	struct kc_sink sink; /* first: report_of() */
	const struct kc_format *format;
	FILE *out; /* into memory: `text`, `len` after a flush; an event goes out as one piece */
	char *text;
	size_t len;
	struct kc_outlet outlet;
	enum kc_views views;
	bool opened;		       /* the outlet is */
	bool endures;		       /* a full disk */
	bool reopening;		       /* it could not be opened again, and will be tried */
	struct kc_unwritten unwritten; /* in all ... */
	struct kc_unwritten missing;   /* ... and since writing failed; 0: it works */
	double waited;		       /* seconds in which the main thread wrote */
	_Atomic uint64_t seq;	       /* of the last event written */
	struct kc_host host;
	/* Of the lookers: */
	struct kc_line urgent[KC_WRITERS];
	char urgent_text[KC_WRITERS][KC_LINE_SIZE];
};

/* Each writes one event to report->out, or to the line. */
struct kc_format {
	void (*start)(struct kc_report *report, const struct kc_when *when,
		      const struct kc_start *start);
	void (*finding)(struct kc_report *report, const struct kc_kernel *kernel,
			const struct kc_finding *finding);
	/* Any thread: see struct kc_sink_ops. */
	void (*evidence)(struct kc_report *report, const struct kc_kernel *kernel,
			 const struct kc_evidence *evidence, struct kc_line *line);
	void (*audit)(struct kc_report *report, const struct kc_when *when,
		      const struct kc_audit *audit);
	void (*notice)(struct kc_report *report, const struct kc_when *when, const char *text);
	/* As that, but into the report alone, and not on stderr. */
	void (*note)(struct kc_report *report, const struct kc_when *when, const char *text);
	void (*stats)(struct kc_report *report, const struct kc_when *when,
		      const struct kc_coverage *coverage);
	void (*stop)(struct kc_report *report, const struct kc_when *when,
		     const struct kc_coverage *coverage, const struct kc_depths *depths,
		     const char *why);
};

/* "stray-write (slot) in f+0x1c, thread 7 of process 5": a finding in one line. */
const char *kc_finding_text(const struct kc_kernel *kernel, const struct kc_finding *finding,
			    char text[static 320]);

/*
 * "not all was seen: 3 ...; 2 ...", from kc_coverage_not_seen(); NULL: nothing forbids status 0,
 * or memory is out. The caller's.
 */
char *kc_not_seen_text(const struct kc_coverage *coverage);

/* "R" running or runnable, "S", "D", "T", "t", "I", "P", as ps has them. */
const char *kc_state_text(uint32_t state);

void kc_json_evidence(struct kc_report *report, const struct kc_kernel *kernel,
		      const struct kc_evidence *evidence, struct kc_line *line);
void kc_text_evidence(struct kc_report *report, const struct kc_kernel *kernel,
		      const struct kc_evidence *evidence, struct kc_line *line);

extern const struct kc_format kc_format_text;
extern const struct kc_format kc_format_json;

#endif
