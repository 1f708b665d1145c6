// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/printable.h"
#include "util/stream.h"
#include "util/time.h"

#define PATIENCE_MS 200

static enum kc_log_level max_level = KC_LOG_INFO;

/* Of an impatient log: */
static bool impatient;
static struct kc_stream stream;
static uint64_t missing; /* since the last line that was written */
static _Atomic uint64_t unwritten;

void kc_log_set_level(enum kc_log_level level)
{
	max_level = level;
}

enum kc_log_level kc_log_get_level(void)
{
	return max_level;
}

void kc_log_be_impatient(void)
{
	int fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);

	if (fd < 0 || impatient)
		return;
	kc_stream_open(&stream, fd);
	impatient = true;
}

uint64_t kc_log_unwritten(void)
{
	return unwritten;
}

/* Who did not take a line is waited for only when it has taken one again. */
static int write_soon(const char *text)
{
	double late = kc_seconds_of(CLOCK_MONOTONIC) + (missing ? 0 : PATIENCE_MS / 1e3);

	return kc_stream_write(&stream, text, strlen(text), kc_is_late, &late);
}

/* A reader that has left misses nothing. */
static void write_impatiently(const char *line)
{
	char gap[96];
	int err = 0;

	snprintf(gap, sizeof(gap),
		 "kcanary: warning: %" PRIu64 " lines could not be written here\n", missing);
	if (missing)
		err = write_soon(gap);
	if (!err) {
		missing = 0;
		err = write_soon(line);
	}
	if (err && err != -EPIPE) {
		missing++;
		unwritten++;
	}
}

/* Is stderr the journal's? Then a line may begin with its priority (sd-daemon(3)). */
static bool is_journal(void)
{
	const char *given = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat stat;

	return given && sscanf(given, "%llu:%llu", &device, &inode) == 2 &&
	       !fstat(STDERR_FILENO, &stat) && stat.st_dev == device && stat.st_ino == inode;
}

static const char *priority(enum kc_log_level level)
{
	static const char *const texts[] = { "<3>", "<4>", "<6>", "<7>", "<7>" };

	return is_journal() ? texts[level] : "";
}

void kc_log(enum kc_log_level level, const char *format, ...)
{
	char line[4096]; /* a start line names each probed function */
	va_list args;
	size_t len;

	if (level > max_level)
		return;
	len = snprintf(line, sizeof(line), "%skcanary: %s", priority(level),
		       level == KC_LOG_WARN ? "warning: " : "");
	va_start(args, format);
	vsnprintf(line + len, sizeof(line) - 1 - len, format, args);
	va_end(args);
	len = strlen(line);
	kc_make_printable(line, len);
	line[len] = '\n';
	line[len + 1] = '\0';
	/* One write, so that lines of two threads or processes do not mix. */
	if (impatient)
		write_impatiently(line);
	else
		fputs(line, stderr);
}

const char *kc_strerror(int err)
{
	return strerror(abs(err));
}
