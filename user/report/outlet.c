// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/cleanup.h"
#include "util/io.h"
#include "util/log.h"

/* How long a looker waits for a pipe or a terminal, and who writes there at that time. */
#define PATIENCE_MS 200

/*
 * Only one at a time takes text back or exchanges the file; nobody begins to write meanwhile. Who
 * waits too long writes all the same: a first record must not hang on another thread.
 */
static bool try_change(struct kc_outlet *outlet)
{
	bool nobody = false;

	return atomic_compare_exchange_strong(&outlet->changing, &nobody, true);
}

static void begin_writing(struct kc_outlet *outlet)
{
	outlet->writers++;
	for (int ms = 0; outlet->changing && ms < PATIENCE_MS; ms++)
		poll(NULL, 0, 1);
}

/*
 * Take the last `done` bytes out of the file again, the beginning of a line that a full disk has
 * cut off. Only if it is certain that they are ours and the file's last ones: nobody else is at
 * it, it is still the same file, and it ends where our write has ended.
 */
static bool take_back(struct kc_outlet *outlet, int fd, size_t done, unsigned int changed)
{
	struct stat status;
	bool taken = false;
	off_t end;

	if (!try_change(outlet))
		return false;
	end = lseek(fd, 0, SEEK_CUR);
	if (outlet->writers == 1 && outlet->changed == changed && end >= (off_t)done &&
	    !fstat(fd, &status) && status.st_size == end)
		taken = !ftruncate(fd, end - done) && lseek(fd, end - done, SEEK_SET) >= 0;
	outlet->changing = false;
	return taken;
}

/* What stays cut off is a line of its own: the next text, whoever's, begins another. */
static int end_cut_line(struct kc_outlet *outlet, int fd)
{
	if (!atomic_exchange(&outlet->cut, false) || write(fd, "\n", 1) == 1)
		return 0;
	outlet->cut = true;
	return -errno;
}

static int write_to_file(struct kc_outlet *outlet, int fd, const char *text, size_t len)
{
	unsigned int changed;
	size_t done = 0;
	int err;

	begin_writing(outlet);
	changed = outlet->changed;
	err = end_cut_line(outlet, fd) ?: kc_write_all(fd, text, len, &done);
	if (err && done && !take_back(outlet, fd, done, changed))
		outlet->cut = true;
	outlet->writers--;
	return err;
}

/* Signals are blocked in a watch: is one pending that asks us to end? */
static bool is_interrupted(const struct kc_outlet *outlet)
{
	sigset_t pending;

	return !sigpending(&pending) &&
	       (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) ||
		(!outlet->path && sigismember(&pending, SIGHUP)));
}

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

/* Adds what was written to *at. A terminal takes less than a piece, or nothing while it is stopped.
 */
static int write_piece(struct kc_outlet *outlet, int fd, const char *text, size_t len, size_t *at)
{
	size_t done = 0;
	int err = end_cut_line(outlet, fd) ?: kc_write_all(fd, text, len, &done);

	*at += done;
	if (err == -EAGAIN) {
		if (!done)
			poll(NULL, 0, PATIENCE_MS / 10);
		return 0;
	}
	if (err && done)
		outlet->cut = true;
	return err == -EIO ? -EPIPE : err; /* a terminal that is gone */
}

/*
 * To a pipe or a terminal, in pieces that it takes at once when it can be written to. A looker
 * waits until `until`; the main thread (NULL) as long as nobody asks it to end.
 */
static int write_pieces(struct kc_outlet *outlet, int fd, const char *text, size_t len,
			const struct timespec *until)
{
	struct pollfd ready = { .fd = fd, .events = POLLOUT };
	size_t at = 0;
	int err = 0;

	while (!err && at < len) {
		size_t piece = len - at < PIPE_BUF ? len - at : PIPE_BUF, before = at;

		if (poll(&ready, 1, until ? ms_left(until) : PATIENCE_MS) > 0)
			err = write_piece(outlet, fd, text + at, piece, &at);
		/* A stopped terminal says that it can be written to. */
		if (!err && at == before && (until ? !ms_left(until) : is_interrupted(outlet)))
			err = until ? -ETIMEDOUT : -EINTR;
	}
	if (err && at)
		outlet->cut = true;
	return err;
}

int kc_outlet_write(struct kc_outlet *outlet, const char *text, size_t len)
{
	int err;

	if (outlet->regular)
		return write_to_file(outlet, outlet->fd, text, len);
	pthread_mutex_lock(&outlet->stream);
	err = write_pieces(outlet, outlet->fd, text, len, NULL);
	pthread_mutex_unlock(&outlet->stream);
	return err;
}

static int write_to_stream(struct kc_outlet *outlet, const char *text, size_t len)
{
	struct timespec patience;
	int err;

	/* Mutexes know this clock only, before glibc 2.30 and to the thread sanitizer. */
	until(CLOCK_REALTIME, &patience);
	err = -pthread_mutex_timedlock(&outlet->stream, &patience);
	if (err)
		return err;
	until(CLOCK_MONOTONIC, &patience);
	err = write_pieces(outlet, outlet->urgent_fd, text, len, &patience);
	pthread_mutex_unlock(&outlet->stream);
	return err;
}

int kc_outlet_write_urgent(struct kc_outlet *outlet, const char *text, size_t len)
{
	int err;

	if (!outlet->regular)
		return write_to_stream(outlet, text, len);
	err = write_to_file(outlet, outlet->urgent_fd, text, len);
	return err ?: fdatasync(outlet->urgent_fd) ? -errno : 0;
}

int kc_outlet_sync(const struct kc_outlet *outlet)
{
	return outlet->regular && fdatasync(outlet->fd) ? -errno : 0;
}

bool kc_outlet_may_recover(const struct kc_outlet *outlet, int err)
{
	return err && (outlet->regular || err == -ENOSPC);
}

/* Another file description of the same file, or -errno. */
static int open_again(int fd, int flags)
{
	char path[32];
	int again;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	again = open(path, flags | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

/*
 * A file description of its own for what is written while a CPU is held: a write holds the
 * file description's lock of the position, whoever waits in it. The same if there can be none.
 */
static int open_urgent(int fd)
{
	int urgent = open_again(fd, O_WRONLY | O_APPEND);

	return urgent < 0 ? fd : urgent;
}

/* Whoever may write to a folder may lay links in it; /dev/stdout and the like are links, too. */
static int no_link(const char *path)
{
	return strncmp(path, "/dev/", 5) != 0 && strncmp(path, "/proc/", 6) != 0 ? O_NOFOLLOW : 0;
}

/* Findings name processes and kernel internals: for root's eyes. */
static int open_path(const char *path, int flags)
{
	int fd =
		open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | no_link(path) | flags, 0600);

	return fd < 0 ? -errno : fd;
}

/* One that a panic or a full disk has cut off. */
static bool ends_within_line(int fd, const struct stat *status)
{
	kc_auto_fd int again = -1;
	char last = '\n';

	if (!S_ISREG(status->st_mode) || !status->st_size)
		return false;
	again = open_again(fd, O_RDONLY);
	return again >= 0 && pread(again, &last, 1, status->st_size - 1) == 1 && last != '\n';
}

static void warn_if_public(const char *path, const struct stat *status)
{
	if (path && S_ISREG(status->st_mode) && status->st_mode & (S_IRGRP | S_IROTH))
		kc_warn("%s can be read by others than its owner", path);
}

/*
 * A terminal's write waits while that is stopped (Ctrl-S), whatever poll() has said: one that
 * does not wait, and leaves the shell's own as it is.
 */
static int open_terminal(int fd)
{
	int again = open_again(fd, O_WRONLY | O_NONBLOCK | O_NOCTTY);

	if (again < 0)
		return fd;
	close(fd);
	return again;
}

int kc_outlet_open(struct kc_outlet *outlet, const char *path)
{
	int fd = path ? open_path(path, 0) : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	struct stat status = {};
	bool appends;

	if (fd < 0)
		return path ? fd : -errno;
	if (isatty(fd))
		fd = open_terminal(fd);
	*outlet = (struct kc_outlet){ .path = path, .fd = fd };
	pthread_mutex_init(&outlet->stream, NULL);
	outlet->regular = !fstat(fd, &status) && S_ISREG(status.st_mode);
	warn_if_public(path, &status);
	outlet->cut = path && ends_within_line(fd, &status);
	appends = fcntl(fd, F_GETFL) & O_APPEND;
	outlet->urgent_fd = appends && outlet->regular ? open_urgent(fd) : fd;
	return 0;
}

void kc_outlet_close(struct kc_outlet *outlet)
{
	if (outlet->urgent_fd != outlet->fd)
		close(outlet->urgent_fd);
	close(outlet->fd);
	pthread_mutex_destroy(&outlet->stream);
}

/*
 * Under the same numbers: dup3() exchanges what stands behind a number at once, so that a write
 * goes to the old file or to the new one, never to none. The old one is closed by the guard of
 * its last number, when nobody waits for us any more: that may take time on a network.
 */
static int exchange(struct kc_outlet *outlet, int fd, bool cut)
{
	kc_auto_fd int old = fcntl(outlet->fd, F_DUPFD_CLOEXEC, 3);
	kc_auto_fd int old_urgent = fcntl(outlet->urgent_fd, F_DUPFD_CLOEXEC, 3);
	int urgent = open_urgent(fd), err;

	while (!try_change(outlet))
		poll(NULL, 0, 1);
	outlet->changed++;
	outlet->cut = cut;
	err = dup3(fd, outlet->fd, O_CLOEXEC) < 0 ? -errno : 0;
	if (!err && outlet->urgent_fd != outlet->fd)
		err = dup3(urgent, outlet->urgent_fd, O_CLOEXEC) < 0 ? -errno : 0;
	outlet->changing = false;
	if (urgent != fd)
		close(urgent);
	return err;
}

int kc_outlet_reopen(struct kc_outlet *outlet)
{
	struct stat old, new;
	kc_auto_fd int fd = -1;

	if (!outlet->path || !outlet->regular || fstat(outlet->fd, &old))
		return 0;
	/* What may have taken its place: opening a FIFO would wait for a reader. */
	fd = open_path(outlet->path, O_NONBLOCK);
	if (fd < 0)
		return fd;
	if (fstat(fd, &new) || !S_ISREG(new.st_mode))
		return -EINVAL;
	warn_if_public(outlet->path, &new);
	if (old.st_dev == new.st_dev && old.st_ino == new.st_ino)
		return new.st_size == 0;
	return exchange(outlet, fd, ends_within_line(fd, &new)) ?: 1;
}
