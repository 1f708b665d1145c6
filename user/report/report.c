// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/format.h"
#include "util/io.h"
#include "util/log.h"
#include "util/printable.h"

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
	if (report->fd >= 0)
		close(report->fd);
	if (report->urgent_fd >= 0 && report->urgent_fd != report->fd)
		close(report->urgent_fd);
	pthread_mutex_destroy(&report->stream);
	free(report);
}

/*
 * All of it, or -errno. To a file in one piece: the kernel lets no other write in between. What a
 * full disk has cut stays a line of its own: the next text, whoever's, begins another.
 */
static int write_whole(struct kc_report *report, int fd, const char *text, size_t len)
{
	size_t done;
	int err;

	if (atomic_exchange(&report->cut, false) && write(fd, "\n", 1) != 1) {
		report->cut = true;
		return -errno;
	}
	err = kc_write_all(fd, text, len, &done);
	if (err && done)
		report->cut = true;
	return err;
}

/* Signals are blocked in a watch: is one pending that asks us to end? */
static bool is_interrupted(void)
{
	sigset_t pending;

	return !sigpending(&pending) &&
	       (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM));
}

/* How long a looker waits for a pipe or a terminal, and who writes there at that time. */
#define PATIENCE_MS 200

static void until(clockid_t clock, struct timespec *ret_until)
{
	clock_gettime(clock, ret_until);
	ret_until->tv_nsec += PATIENCE_MS * 1000000L;
	if (ret_until->tv_nsec >= 1000000000) {
		ret_until->tv_sec++;
		ret_until->tv_nsec -= 1000000000;
	}
}

static int ms_left(const struct timespec *until)
{
	struct timespec now;
	long ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (until->tv_sec - now.tv_sec) * 1000 + (until->tv_nsec - now.tv_nsec) / 1000000;
	return ms > 0 ? ms : 0;
}

/*
 * To a pipe or a terminal, in pieces that it takes at once when it can be written to. A looker
 * waits until `until`; the main thread (NULL) as long as nobody asks it to end.
 */
static int write_pieces(struct kc_report *report, int fd, const char *text, size_t len,
			const struct timespec *until)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	size_t at = 0;
	int err = 0;

	while (!err && at < len) {
		size_t piece = len - at < PIPE_BUF ? len - at : PIPE_BUF;

		if (poll(&ready, 1, until ? ms_left(until) : PATIENCE_MS) > 0) {
			err = write_whole(report, fd, text + at, piece);
			at += err ? 0 : piece;
		} else if (until) {
			err = -ETIMEDOUT;
		} else if (is_interrupted()) {
			err = -EINTR;
		}
	}
	if (err && at)
		report->cut = true;
	return err;
}

/* What the format has written goes out as one piece, and counts as written when all of it has. */
static int commit(struct kc_report *report)
{
	int err = fflush(report->out) ? -errno : 0;

	kc_make_printable(report->text, report->len);
	if (!err && report->regular) {
		err = write_whole(report, report->fd, report->text, report->len);
	} else if (!err) {
		pthread_mutex_lock(&report->stream);
		err = write_pieces(report, report->fd, report->text, report->len, NULL);
		pthread_mutex_unlock(&report->stream);
	}
	rewind(report->out);
	return err;
}

static int report_sync(struct kc_sink *sink)
{
	const struct kc_report *report = report_of(sink);

	return report->regular && fdatasync(report->fd) ? -errno : 0;
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

	report->format->finding(report, kernel, finding);
	return commit(report);
}

static int write_to_stream(struct kc_report *report, const struct kc_line *line)
{
	struct timespec patience;
	int err;

	/* Mutexes know this clock only, before glibc 2.30 and to the thread sanitizer. */
	until(CLOCK_REALTIME, &patience);
	err = -pthread_mutex_timedlock(&report->stream, &patience);
	if (err)
		return err;
	until(CLOCK_MONOTONIC, &patience);
	err = write_pieces(report, report->urgent_fd, line->text, line->len, &patience);
	pthread_mutex_unlock(&report->stream);
	return err;
}

static void report_word_evidence(struct kc_sink *sink, const struct kc_kernel *kernel,
				 const struct kc_evidence *evidence)
{
	struct kc_report *report = report_of(sink);
	struct kc_line *line = &report->urgent[evidence->looker];

	line->len = 0;
	report->format->evidence(report, kernel, evidence, line);
	kc_make_printable(line->text, line->len);
}

static int report_write_evidence(struct kc_sink *sink, unsigned int looker)
{
	struct kc_report *report = report_of(sink);
	const struct kc_line *line = &report->urgent[looker];
	int err;

	if (!report->regular)
		return write_to_stream(report, line);
	err = write_whole(report, report->urgent_fd, line->text, line->len);
	return err ?: fdatasync(report->urgent_fd) ? -errno : 0;
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

	report->format->stop(report, when, coverage, depths, why);
	return commit(report) ?: report_sync(sink);
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
	.free = report_free,
};

/*
 * A file description of its own for what is written while a CPU is held: a write holds the
 * file description's lock of the position, whoever waits in it.
 */
static int reopen(int fd)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	return again < 0 ? fd : again;
}

/* Whoever may write to a folder may lay links in it; /dev/stdout and the like are links, too. */
static int no_link(const char *path)
{
	return strncmp(path, "/dev/", 5) != 0 && strncmp(path, "/proc/", 6) != 0 ? O_NOFOLLOW : 0;
}

static int open_output(struct kc_report *report, const char *path)
{
	struct stat status;
	bool appends;

	/* Findings name processes and kernel internals: for root's eyes. */
	report->fd =
		path ? open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | no_link(path), 0600)
		     : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (report->fd < 0)
		return -errno;
	report->regular = !fstat(report->fd, &status) && S_ISREG(status.st_mode);
	report->to_file = path != NULL;
	if (path && report->regular && status.st_mode & (S_IRGRP | S_IROTH))
		kc_warn("%s can be read by others than its owner", path);
	appends = fcntl(report->fd, F_GETFL) & O_APPEND;
	report->urgent_fd = appends && report->regular ? reopen(report->fd) : report->fd;
	report->out = open_memstream(&report->text, &report->len);
	return report->out ? 0 : -ENOMEM;
}

int kc_report_new(const char *path, bool json, const struct kc_host *host,
		  struct kc_report **ret_report)
{
	struct kc_report *report = calloc(1, sizeof(*report));
	int err;

	if (!report)
		return -ENOMEM;
	report->sink.ops = &report_ops;
	report->format = json ? &kc_format_json : &kc_format_text;
	report->fd = report->urgent_fd = -1;
	pthread_mutex_init(&report->stream, NULL);
	for (size_t i = 0; i < KC_LOOKERS; i++)
		report->urgent[i] = (struct kc_line){ report->urgent_text[i], KC_LINE_SIZE, 0 };
	report->host = *host;
	err = open_output(report, path);
	if (err) {
		report_free(&report->sink);
		return err;
	}
	*ret_report = report;
	return 0;
}
