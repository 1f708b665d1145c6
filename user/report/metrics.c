// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "probe/loss.h"
#include "util/array.h"
#include "util/io.h"
#include "util/log.h"

struct metrics {
	struct kc_sink sink;  /* first: metrics_of() */
	char *path, *next;    /* the file, and what becomes it */
	bool watching, stale; /* stale: a finding is not in the file yet */
	uint64_t by_class[KC_CLASS_NR];
	struct kc_coverage coverage; /* the last that was told */
	uint64_t unwritten;	     /* times */
};

static struct metrics *metrics_of(struct kc_sink *sink)
{
	return (struct metrics *)sink;
}

/* A metric's head; what follows are its samples. */
static void describe_metric(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP kcanary_%s %s.\n# TYPE kcanary_%s %s\n", name, help, name, type);
}

/* Backslashes, quotes and ends of lines as the format wants them. */
static void print_label(FILE *out, const char *name, const char *value)
{
	fprintf(out, "%s=\"", name);
	for (; *value; value++)
		if (*value == '\n')
			fputs("\\n", out);
		else
			fprintf(out, "%s%c", *value == '"' || *value == '\\' ? "\\" : "", *value);
	fputc('"', out);
}

static void print_gauge(FILE *out, const char *name, double value, const char *help)
{
	describe_metric(out, name, "gauge", help);
	fprintf(out, "kcanary_%s %.6g\n", name, value);
}

/* Of milliseconds the ecosystem wants seconds. */
static void print_counts(FILE *out, const char *table, const struct kc_coverage *coverage,
			 const struct kc_counter *counters, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct kc_counter *counter = &counters[i];
		uint64_t value = kc_counter_value(coverage, counter);
		size_t len = strlen(counter->name);
		bool ms = len > 3 && !strcmp(counter->name + len - 3, "_ms");
		bool total = counter->flags & KC_COUNTER_TOTAL;
		char name[96];

		snprintf(name, sizeof(name), "%s_%.*s%s%s", table, (int)(ms ? len - 3 : len),
			 counter->name, ms ? "_seconds" : "", total ? "_total" : "");
		describe_metric(out, name, total ? "counter" : "gauge",
				ms ? "seconds, of what the same counter of JSON has in ms"
				   : counter->text);
		if (ms)
			fprintf(out, "kcanary_%s %.3f\n", name, value / 1e3);
		else
			fprintf(out, "kcanary_%s %" PRIu64 "\n", name, value);
	}
}

static void print_findings(FILE *out, const struct metrics *metrics)
{
	describe_metric(out, "findings_total", "counter", "findings, by the class of their cause");
	for (size_t i = 0; i < KC_CLASS_NR; i++) {
		fprintf(out, "kcanary_findings_total{");
		print_label(out, "class", kc_class_name(i));
		fprintf(out, "} %" PRIu64 "\n", metrics->by_class[i]);
	}
}

static void print_reasons(FILE *out, const struct kc_coverage *coverage)
{
	struct kc_reason reason;

	describe_metric(
		out, "not_verifiable_total", "counter",
		"frames and stacks of sleeping tasks that could not be verified, by reason");
	for (size_t i = 0; kc_coverage_reason(&coverage->sweep, i, &reason); i++) {
		fprintf(out, "kcanary_not_verifiable_total{");
		print_label(out, "what", reason.what);
		fputc(',', out);
		print_label(out, "reason", reason.text);
		fprintf(out, "} %" PRIu64 "\n", reason.count);
	}
}

static void print_losses_of(FILE *out, const char *programs, const uint64_t *losses)
{
	for (size_t i = 0; i < KC_LOSS_NR; i++) {
		fprintf(out, "kcanary_helper_failures_total{");
		print_label(out, "programs", programs);
		fputc(',', out);
		print_label(out, "what", kc_loss_name(i));
		fprintf(out, "} %" PRIu64 "\n", losses[i]);
	}
}

static void print_metrics(FILE *out, const struct metrics *metrics)
{
	const struct kc_coverage *coverage = &metrics->coverage;
	struct kc_reason reason;

	print_gauge(out, "watching", metrics->watching, "1 while a watch runs; 0: it has ended");
	print_gauge(out, "blind", kc_coverage_not_seen(coverage, 0, &reason),
		    "1: not all was seen, which forbids status 0; the summary says what");
	print_findings(out, metrics);
	print_reasons(out, coverage);
	print_counts(out, "sweep", coverage, kc_sweep_counters, kc_nr_sweep_counters);
	print_counts(out, "probe", coverage, kc_probe_counters, kc_nr_probe_counters);
	print_counts(out, "watch", coverage, kc_watch_counters, kc_nr_watch_counters);
	describe_metric(out, "helper_failures_total", "counter",
			"what BPF programs could not do, by what it was");
	print_losses_of(out, "sweep", coverage->sweep.losses);
	print_losses_of(out, "probes", coverage->probes.losses);
	print_gauge(out, "deepest_entry_bytes", coverage->probes.max_depth,
		    "the deepest stack at an entry that is probed, or in a sample");
	print_gauge(out, "pass_cpu_seconds", coverage->pass_cpu, "of CPU that the last pass took");
	describe_metric(out, "cpu_seconds_total", "counter", "of CPU that kcanary took");
	fprintf(out, "kcanary_cpu_seconds_total %.3f\n", coverage->cpu_seconds);
}

/* Whoever reads sees one whole file or the other. */
static int write_metrics(const struct metrics *metrics)
{
	kc_auto_free char *text = NULL;
	kc_auto_fd int fd = -1;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);
	int err;

	if (!memory)
		return -ENOMEM;
	print_metrics(memory, metrics);
	if (fclose(memory))
		return -ENOMEM;
	unlink(metrics->next);
	fd = open(metrics->next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	/* Whoever runs node exporter reads it, whatever our umask is. */
	err = fchmod(fd, 0644) ? -errno : kc_write_all(fd, text, len, NULL);
	if (!err && rename(metrics->next, metrics->path))
		err = -errno;
	if (err)
		unlink(metrics->next);
	return err;
}

/* No reason to end: the report is elsewhere. */
static void write_anew(struct metrics *metrics)
{
	int err = write_metrics(metrics);

	if (err && !metrics->unwritten)
		kc_warn("cannot write %s: %s", metrics->path, kc_strerror(err));
	metrics->unwritten += err != 0;
	metrics->stale &= err != 0;
}

static int metrics_finding(struct kc_sink *sink, const struct kc_kernel *kernel,
			   const struct kc_finding *finding)
{
	struct metrics *metrics = metrics_of(sink);

	(void)kernel;
	metrics->by_class[finding->verdict.class]++;
	metrics->stale = true;
	return 0;
}

/* After a finding, which is on the disk by now. */
static int metrics_sync(struct kc_sink *sink)
{
	if (metrics_of(sink)->stale)
		write_anew(metrics_of(sink));
	return 0;
}

static int metrics_stats(struct kc_sink *sink, const struct kc_when *when,
			 const struct kc_coverage *coverage)
{
	struct metrics *metrics = metrics_of(sink);

	(void)when;
	metrics->coverage = *coverage;
	write_anew(metrics);
	return 0;
}

static int metrics_stop(struct kc_sink *sink, const struct kc_when *when,
			const struct kc_coverage *coverage, const struct kc_depths *depths,
			const char *why)
{
	(void)depths;
	(void)why;
	metrics_of(sink)->watching = false;
	return metrics_stats(sink, when, coverage);
}

static void metrics_count(struct kc_sink *sink, struct kc_unwritten *unwritten, double *waited)
{
	(void)waited;
	unwritten->lines += metrics_of(sink)->unwritten;
}

static void metrics_free(struct kc_sink *sink)
{
	struct metrics *metrics = metrics_of(sink);

	free(metrics->path);
	free(metrics->next);
	free(metrics);
}

int kc_metrics_new(const char *path, struct kc_sink **ret_sink)
{
	static const struct kc_sink_ops ops = {
		.finding = metrics_finding,
		.stats = metrics_stats,
		.stop = metrics_stop,
		.sync = metrics_sync,
		.count = metrics_count,
		.free = metrics_free,
	};
	struct metrics *metrics = calloc(1, sizeof(*metrics));
	int err = -ENOMEM;

	if (!metrics)
		return err;
	*metrics = (struct metrics){ .sink.ops = &ops, .path = strdup(path), .watching = true };
	if (asprintf(&metrics->next, "%s.new", path) >= 0 && metrics->path)
		err = write_metrics(metrics);
	if (err) {
		metrics_free(&metrics->sink);
		return err;
	}
	*ret_sink = &metrics->sink;
	return 0;
}
