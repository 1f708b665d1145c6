// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/format.h"

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
	pthread_mutex_destroy(&report->lock);
	free(report);
}

/* An event counts as written when the kernel has all of it. */
static int commit(struct kc_report *report)
{
	int err = 0;

	if (fflush(report->out) || ferror(report->out))
		err = errno ? -errno : -EIO;
	pthread_mutex_unlock(&report->lock);
	return err;
}

static struct kc_report *begin(struct kc_sink *sink)
{
	struct kc_report *report = report_of(sink);

	pthread_mutex_lock(&report->lock);
	errno = 0;
	return report;
}

static int report_sync(struct kc_sink *sink)
{
	const struct kc_report *report = report_of(sink);

	return report->regular && fdatasync(fileno(report->out)) ? -errno : 0;
}

static int report_start(struct kc_sink *sink, const struct kc_start *start)
{
	struct kc_report *report = begin(sink);

	report->format->start(report, start);
	return commit(report);
}

static int report_finding(struct kc_sink *sink, const struct kc_kernel *kernel,
			  const struct kc_finding *finding)
{
	struct kc_report *report = begin(sink);

	report->format->finding(report, kernel, finding);
	return commit(report);
}

static int report_rehearse(struct kc_sink *sink, const struct kc_kernel *kernel,
			   const struct kc_finding *finding)
{
	const struct kc_report *report = report_of(sink);
	struct kc_report rehearsal = { .format = report->format, .host = report->host };
	kc_auto_free char *text = NULL;
	size_t len;

	rehearsal.out = open_memstream(&text, &len);
	if (!rehearsal.out)
		return -ENOMEM;
	rehearsal.format->finding(&rehearsal, kernel, finding);
	fclose(rehearsal.out);
	return 0;
}

static int report_notice(struct kc_sink *sink, const char *text)
{
	struct kc_report *report = begin(sink);

	report->format->notice(report, text);
	return commit(report);
}

static int report_stats(struct kc_sink *sink, const struct kc_coverage *coverage)
{
	struct kc_report *report = begin(sink);

	report->format->stats(report, coverage);
	return commit(report);
}

static int report_stop(struct kc_sink *sink, const struct kc_coverage *coverage,
		       const struct kc_depths *depths, const char *why)
{
	struct kc_report *report = begin(sink);

	report->format->stop(report, coverage, depths, why);
	return commit(report) ?: report_sync(sink);
}

int kc_report_audit(struct kc_report *report, const struct kc_audit *audit)
{
	begin(&report->sink)->format->audit(report, audit);
	return commit(report) ?: report_sync(&report->sink);
}

static const struct kc_sink_ops report_ops = {
	.start = report_start,
	.finding = report_finding,
	.rehearse = report_rehearse,
	.notice = report_notice,
	.stats = report_stats,
	.stop = report_stop,
	.sync = report_sync,
	.free = report_free,
};

int kc_report_new(const char *path, bool json, struct kc_report **ret_report)
{
	struct kc_report *report = calloc(1, sizeof(*report));
	struct stat status;
	int fd, err;

	if (!report)
		return -ENOMEM;
	report->sink.ops = &report_ops;
	report->format = json ? &kc_format_json : &kc_format_text;
	pthread_mutex_init(&report->lock, NULL);
	kc_host_read(&report->host);
	/* Findings name processes and kernel internals: for root's eyes. */
	fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
		  : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0) {
		err = -errno;
		report_free(&report->sink);
		return err;
	}
	report->regular = !fstat(fd, &status) && S_ISREG(status.st_mode);
	report->out = fdopen(fd, "w");
	if (!report->out) {
		close(fd);
		report_free(&report->sink);
		return -ENOMEM;
	}
	*ret_report = report;
	return 0;
}
