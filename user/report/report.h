/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What leaves kcanary: text for a person, or JSON lines (schema kcanary/1).
 * Every function returns 0, or -errno if the output could not be written: a finding that nobody
 * got is a failure, not a detail; but see kc_report_endure().
 */
#ifndef KC_REPORT_REPORT_H
#define KC_REPORT_REPORT_H

#include <stdbool.h>

#include "monitor/sink.h"
#include "monitor/tasks.h"

#define KC_SCHEMA "kcanary/1"

struct kc_report;

struct kc_audit {
	const struct kc_tasks *tasks;
	bool high_water; /* was looked for */
	uint64_t thread_size;
	const struct kc_pass *pass; /* the last one */
	const struct kc_coverage *coverage;
};

/*
 * path NULL: stdout; a file is appended to, since what it holds may be the last
 * words before a panic; it is made for its owner alone, and a symbolic link is not followed
 * (-ELOOP). json: one object a line. host: whose events these are. -errno if it can't be opened.
 */
int kc_report_new(const char *path, bool json, const struct kc_host *host,
		  struct kc_report **ret_report);

/* How much of a finding is shown beside what is said of it. */
enum kc_views {
	KC_VIEWS_FULL,	/* backtrace, stack, disassembly */
	KC_VIEWS_BRIEF, /* the backtrace alone */
	KC_VIEWS_NONE,
};

/* KC_VIEWS_FULL before. */
void kc_report_show(struct kc_report *report, enum kc_views views);

/*
 * From here to its stop it goes on when it can't be written for now, as on a full disk: told on
 * stderr once, counted, and told when it can be written again.
 */
void kc_report_endure(struct kc_report *report);

/* Its sink, which owns the report. */
struct kc_sink *kc_report_sink(struct kc_report *report);

/* The tables of an audit. */
int kc_report_audit(struct kc_report *report, const struct kc_when *when,
		    const struct kc_audit *audit);

/*
 * One line to the kernel's log for each finding of a live probe: what is written there may
 * survive a panic that the disk does not. NULL: there is no /dev/kmsg to write to.
 */
struct kc_sink *kc_kmsg_new(void);

/*
 * For a report that goes to a file: a line on stderr for each finding; `all`: for notices and the
 * end, too. NULL: out of memory.
 */
struct kc_sink *kc_glance_new(bool all);

#endif
