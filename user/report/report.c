// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "report/format.h"
#include "util/log.h"
#include "util/printable.h"
#include "util/time.h"

static struct kc_report *report_of(struct kc_sink *sink)
{
	return (struct kc_report *)sink;
}

struct kc_sink *kc_report_sink(struct kc_report *report)
{
	return &report->sink;
}

static void report_free(struct kc_sink *sink)
{
	struct kc_report *report = report_of(sink);

	if (report->out)
		fclose(report->out);
	free(report->text);
	if (report->opened)
		kc_outlet_close(&report->outlet);
	free(report);
}

static const char *output_name(const struct kc_report *report)
{
	return report->outlet.path ?: "stdout";
}

/* What the format has written goes out as one piece, and counts as written when all of it has. */
static int write_out(struct kc_report *report)
{
	int err = fflush(report->out) ? -errno : 0;
	double began = kc_seconds_of(CLOCK_MONOTONIC);

	kc_make_printable(report->text, report->len);
	if (!err && report->len)
		err = kc_outlet_write(&report->outlet, report->text, report->len);
	report->waited += kc_seconds_of(CLOCK_MONOTONIC) - began;
	rewind(report->out);
	return err;
}

/* Into the report itself, too: who reads it later must know of the hole. */
static int tell_recovered(struct kc_report *report)
{
	const struct kc_when when = kc_sinks_now(&(struct kc_sinks){});
	char text[320];
	int err;

	snprintf(text, sizeof(text),
		 "writing to %s works again: %" PRIu64
		 " pieces of the report could not be written, "
		 "%" PRIu64 " findings among them",
		 output_name(report), report->missing.lines, report->missing.findings);
	report->format->note(report, &when, text);
	err = write_out(report);
	if (err)
		return err;
	report->missing = (struct kc_unwritten){};
	kc_warn("%s", text);
	return 0;
}

/*
 * A watch goes on when its disk is full: told once, counted, and told when there is room again. A
 * reader that has left misses nothing but findings.
 */
static int endure(struct kc_report *report, int err, bool finding)
{
	if (err != -EPIPE || finding) {
		report->unwritten.lines++;
		report->unwritten.findings += finding;
	}
	if (!report->endures || !kc_outlet_may_recover(&report->outlet, err))
		return err;
	if (!report->missing.lines)
		kc_warn("cannot write to %s: %s; the watch goes on, and counts what could not be "
			"written",
			output_name(report), kc_strerror(err));
	report->missing.lines++;
	report->missing.findings += finding;
	return 0;
}

static int commit_as(struct kc_report *report, bool finding)
{
	bool empty = !ftell(report->out);
	int err = write_out(report);

	if (err)
		return endure(report, err, finding);
	if (empty || !report->missing.lines)
		return 0;
	err = tell_recovered(report);
	return err ? endure(report, err, false) : 0;
}

static int commit(struct kc_report *report)
{
	return commit_as(report, false);
}

static int report_sync(struct kc_sink *sink)
{
	struct kc_report *report = report_of(sink);
	double began = kc_seconds_of(CLOCK_MONOTONIC);
	int err = kc_outlet_sync(&report->outlet);

	report->waited += kc_seconds_of(CLOCK_MONOTONIC) - began;
	return err ? endure(report, err, false) : 0;
}

static int report_start(struct kc_sink *sink, const struct kc_when *when,
			const struct kc_start *start)
{
	struct kc_report *report = report_of(sink);

	report->format->start(report, when, start);
	return commit(report);
}

static int report_finding(struct kc_sink *sink, const struct kc_kernel *kernel,
			  const struct kc_finding *finding)
{
	struct kc_report *report = report_of(sink);

	uint64_t unwritten = report->unwritten.findings;
	char text[320];
	int err;

	report->format->finding(report, kernel, finding);
	err = commit_as(report, true);
	/* Beside a file there is a line for each finding anyway: see glance.c. */
	if (report->unwritten.findings != unwritten && !report->outlet.path)
		kc_warn("not written: FINDING %" PRIu64 ": %s", finding->seq,
			kc_finding_text(kernel, finding, text));
	return err;
}

static void report_word_evidence(struct kc_sink *sink, const struct kc_kernel *kernel,
				 const struct kc_evidence *evidence)
{
	struct kc_report *report = report_of(sink);
	struct kc_line *line = &report->urgent[evidence->writer];

	line->len = 0;
	report->format->evidence(report, kernel, evidence, line);
	kc_make_printable(line->text, line->len);
}

static int report_write_evidence(struct kc_sink *sink, unsigned int writer)
{
	struct kc_report *report = report_of(sink);
	const struct kc_line *line = &report->urgent[writer];

	return kc_outlet_write_urgent(&report->outlet, writer, line->text, line->len);
}

static int report_notice(struct kc_sink *sink, const struct kc_when *when, const char *text)
{
	struct kc_report *report = report_of(sink);

	report->format->notice(report, when, text);
	return commit(report);
}

static int report_stats(struct kc_sink *sink, const struct kc_when *when,
			const struct kc_coverage *coverage)
{
	struct kc_report *report = report_of(sink);

	report->format->stats(report, when, coverage);
	return commit(report);
}

static int report_stop(struct kc_sink *sink, const struct kc_when *when,
		       const struct kc_coverage *coverage, const struct kc_depths *depths,
		       const char *why)
{
	struct kc_report *report = report_of(sink);

	if (report->reopening)
		kc_warn("%s could not be opened again to the end: what was written since is %s",
			output_name(report),
			kc_outlet_is_gone(&report->outlet) ? "lost with the file that was removed"
							   : "in the file that was there before");
	report->endures = false; /* there is no later */
	report->format->stop(report, when, coverage, depths, why);
	return commit(report) ?: report_sync(sink);
}

static int report_reopen(struct kc_sink *sink, const struct kc_when *when,
			 const struct kc_start *start)
{
	struct kc_report *report = report_of(sink);
	int opened = kc_outlet_reopen(&report->outlet);

	if (opened < 0 && !report->reopening)
		kc_warn("cannot open %s again: %s; it is tried after each pass, and what is written "
			"until then %s",
			output_name(report), kc_strerror(opened),
			kc_outlet_is_gone(&report->outlet)
				? "is lost with the file that was removed"
				: "goes to the file as it was");
	if (opened >= 0 && report->reopening)
		kc_info("%s is open again", output_name(report));
	report->reopening = opened < 0;
	if (opened < 0)
		return -EAGAIN;
	return opened > 0 ? report_start(sink, when, start) : 0;
}

static bool report_gone(struct kc_sink *sink)
{
	return kc_outlet_is_gone(&report_of(sink)->outlet);
}

static void report_count(struct kc_sink *sink, struct kc_unwritten *unwritten, double *waited)
{
	const struct kc_report *report = report_of(sink);

	unwritten->lines += report->unwritten.lines;
	unwritten->findings += report->unwritten.findings;
	*waited += report->waited;
}

static int report_fd(struct kc_sink *sink)
{
	return kc_outlet_fd(&report_of(sink)->outlet);
}

void kc_report_show(struct kc_report *report, enum kc_views views)
{
	report->views = views;
}

void kc_report_endure(struct kc_report *report)
{
	report->endures = true;
}

int kc_report_audit(struct kc_report *report, const struct kc_when *when,
		    const struct kc_audit *audit)
{
	report->format->audit(report, when, audit);
	return commit(report) ?: report_sync(&report->sink);
}

static const struct kc_sink_ops report_ops = {
	.start = report_start,
	.finding = report_finding,
	.word_evidence = report_word_evidence,
	.write_evidence = report_write_evidence,
	.notice = report_notice,
	.stats = report_stats,
	.stop = report_stop,
	.sync = report_sync,
	.reopen = report_reopen,
	.gone = report_gone,
	.count = report_count,
	.fd = report_fd,
	.free = report_free,
};

int kc_report_new(const char *path, bool json, const struct kc_host *host,
		  struct kc_report **ret_report)
{
	struct kc_report *report = calloc(1, sizeof(*report));
	int err;

	if (!report)
		return -ENOMEM;
	report->sink.ops = &report_ops;
	report->format = json ? &kc_format_json : &kc_format_text;
	for (size_t i = 0; i < KC_WRITERS; i++)
		report->urgent[i] = (struct kc_line){ report->urgent_text[i], KC_LINE_SIZE, 0 };
	report->host = *host;
	err = kc_outlet_open(&report->outlet, path);
	if (!err) {
		report->opened = true;
		report->out = open_memstream(&report->text, &report->len);
		err = report->out ? 0 : -ENOMEM;
	}
	if (err) {
		report_free(&report->sink);
		return err;
	}
	*ret_report = report;
	return 0;
}
