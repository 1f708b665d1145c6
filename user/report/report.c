// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/format.h"

int kc_report_new(const char *path, bool json, struct kc_report **ret_report)
{
	struct kc_report *report kc_auto(kc_cleanup_report) = calloc(1, sizeof(*report));
	struct stat status;
	int fd;

	if (!report)
		return -ENOMEM;
	report->format = json ? &kc_format_json : &kc_format_text;
	pthread_mutex_init(&report->lock, NULL);
	kc_host_read(&report->host);
	/* Findings name processes and kernel internals: for root's eyes. */
	fd = path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)
		  : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	report->regular = !fstat(fd, &status) && S_ISREG(status.st_mode);
	report->out = fdopen(fd, "w");
	if (!report->out) {
		close(fd);
		return -ENOMEM;
	}
	*ret_report = kc_take(report);
	return 0;
}

void kc_report_free(struct kc_report *report)
{
	if (!report)
		return;
	if (report->out)
		fclose(report->out);
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

int kc_report_sync(struct kc_report *report)
{
	return report->regular && fdatasync(fileno(report->out)) ? -errno : 0;
}

static void begin(struct kc_report *report)
{
	pthread_mutex_lock(&report->lock);
	errno = 0;
}

int kc_report_start(struct kc_report *report, const struct kc_start *start)
{
	begin(report);
	report->format->start(report, start);
	return commit(report);
}

int kc_report_finding(struct kc_report *report, const struct kc_kernel *kernel,
		      const struct kc_finding *finding)
{
	begin(report);
	report->format->finding(report, kernel, finding);
	return commit(report);
}

int kc_report_rehearse(struct kc_report *report, const struct kc_kernel *kernel,
		       const struct kc_finding *finding)
{
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

int kc_report_audit(struct kc_report *report, const struct kc_audit *audit)
{
	begin(report);
	report->format->audit(report, audit);
	return commit(report) ?: kc_report_sync(report);
}

int kc_report_notice(struct kc_report *report, const char *text)
{
	begin(report);
	report->format->notice(report, text);
	return commit(report);
}

int kc_report_stats(struct kc_report *report, const struct kc_stats *stats)
{
	begin(report);
	report->format->stats(report, stats);
	return commit(report);
}

int kc_report_stop(struct kc_report *report, const struct kc_stats *stats,
		   const struct kc_depths *depths, const char *why)
{
	begin(report);
	report->format->stop(report, stats, depths ?: &(struct kc_depths){}, why);
	return commit(report) ?: kc_report_sync(report);
}

uint64_t kc_stats_not_verifiable(const struct kc_stats *stats)
{
	uint64_t sum = stats->unreadable + stats->unproven + stats->stale;

	for (size_t i = 0; i < KC_BLIND_NR; i++)
		sum += stats->blind[i];
	return sum;
}

bool kc_stats_is_blind(const struct kc_stats *stats)
{
	const struct kc_probe_stats *probes = &stats->probes;

	return kc_stats_not_verifiable(stats) || probes->failed || probes->unreadable ||
	       probes->lost || probes->missed || probes->unproven;
}
