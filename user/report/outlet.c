// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "util/array.h"
#include "util/cleanup.h"
#include "util/io.h"
#include "util/log.h"
#include "util/time.h"

/* How long a writer waits for a pipe or a terminal, and who writes where text is taken back. */
#define PATIENCE_MS 200

/* One who writes to a regular file. */
struct turn {
	struct kc_outlet_file *file;
	unsigned int current; /* which one the file is of all there were */
	unsigned int nth;     /* writer of this file */
	bool alone;	      /* at the beginning */
	bool uncertain;	      /* what is written may be cut off by another */
};

static struct kc_outlet_file *file_at(struct kc_outlet *outlet, unsigned int current)
{
	return &outlet->files[current % kc_countof(outlet->files)];
}

/* Who takes its text back looks at the file's end, as 2 * nth, then cuts it off. */
#define CUTTING 1U

/*
 * A first record must not hang on another thread: who waits too long for it forbids it to cut
 * anything off; or, if it is at that, writes all the same and counts on nothing.
 */
static void wait_for_taker(struct turn *turn)
{
	struct kc_outlet_file *file = turn->file;
	unsigned int by;

	for (int ms = 0; file->taking_back && ms < PATIENCE_MS; ms++)
		poll(NULL, 0, 1);
	by = file->taking_back;
	if (by && !(by & CUTTING) && atomic_compare_exchange_strong(&file->taking_back, &by, 0))
		by = 0;
	turn->uncertain = by;
}

/* Who has counted itself while the file was the current one has it until it is done: see
 * exchange().
 */
static struct turn begin_writing(struct kc_outlet *outlet)
{
	struct turn turn = {};

	for (;;) {
		turn.current = outlet->current;
		turn.file = file_at(outlet, turn.current);
		turn.alone = ++turn.file->writers == 1;
		if (turn.current == outlet->current)
			break;
		turn.file->writers--;
	}
	turn.nth = ++turn.file->begun;
	wait_for_taker(&turn);
	return turn;
}

static bool is_last(int fd, size_t done, off_t *ret_end)
{
	struct stat status;

	*ret_end = lseek(fd, 0, SEEK_CUR);
	return *ret_end >= (off_t)done && !fstat(fd, &status) && status.st_size == *ret_end;
}

/*
 * Take the last `done` bytes out of the file again, the beginning of a line that a full disk has
 * cut off. Only if it is certain that they are ours and the file's last ones: nobody else has
 * begun to write since we did, who were alone, it is a file description of our own, the
 * file ends where our write has ended, and nobody has tired of waiting for us.
 */
static bool take_back(const struct turn *turn, int fd, size_t done)
{
	struct kc_outlet_file *file = turn->file;
	unsigned int nobody = 0, us = 2 * turn->nth;
	bool taken = false;
	off_t end;

	if (!turn->alone || !atomic_compare_exchange_strong(&file->taking_back, &nobody, us))
		return false;
	if (file->writers == 1 && file->begun == turn->nth && is_last(fd, done, &end) &&
	    atomic_compare_exchange_strong(&file->taking_back, &us, us | CUTTING)) {
		taken = !ftruncate(fd, end - done) && lseek(fd, end - done, SEEK_SET) >= 0;
		us |= CUTTING;
	}
	atomic_compare_exchange_strong(&file->taking_back, &us, 0);
	return taken;
}

/* Is there half a line in front of what begins here? */
static bool is_within_line(const struct kc_outlet_file *file, off_t start)
{
	char last = '\n';

	return file->read_fd >= 0 && start > 0 && pread(file->read_fd, &last, 1, start - 1) == 1 &&
	       last != '\n';
}

/* What stays cut off is a line of its own: the next text, whoever's, begins another. */
static int end_cut_line(struct kc_outlet_file *file, int fd)
{
	if (!atomic_exchange(&file->cut, false) || write(fd, "\n", 1) == 1)
		return 0;
	file->cut = true;
	return -errno;
}

/* All of it, on lines of its own. */
static int write_whole(const struct kc_outlet *outlet, const struct turn *turn, int fd,
		       const char *text, size_t len)
{
	const bool own = outlet->path || fd != turn->file->fd; /* a file description */
	size_t done = 0;
	int err = end_cut_line(turn->file, fd) ?: kc_write_all(fd, text, len, &done);

	if (err && done && !(outlet->path && take_back(turn, fd, done)))
		turn->file->cut = true;
	if (err || !own || !is_within_line(turn->file, lseek(fd, 0, SEEK_CUR) - (off_t)len))
		return err;
	/* Ours has ended that line. */
	err = kc_write_all(fd, text, len, &done);
	if (err && done)
		turn->file->cut = true;
	return err;
}

static bool is_nameless(const struct kc_outlet *outlet, int fd)
{
	struct stat status;

	return outlet->path && !fstat(fd, &status) && !status.st_nlink;
}

/*
 * To a regular file. A looker: by its own descriptor, and to the disk. Returns which file it was,
 * of all there were.
 */
static unsigned int write_to_file(struct kc_outlet *outlet, int writer, const char *text,
				  size_t len, int *ret_err)
{
	struct turn turn = begin_writing(outlet);
	int fd = writer < 0 ? turn.file->fd : turn.file->urgent_fd[writer];

	*ret_err = write_whole(outlet, &turn, fd, text, len);
	if (!*ret_err && writer >= 0 && fdatasync(fd))
		*ret_err = -errno;
	if (!*ret_err && turn.uncertain)
		*ret_err = -ETIMEDOUT;
	if (!*ret_err && is_nameless(outlet, fd))
		*ret_err = -ENOENT;
	turn.file->writers--;
	return turn.current;
}

/* Signals are blocked in a watch: is one pending that asks us to end? */
static bool is_interrupted(const struct kc_outlet *outlet)
{
	sigset_t pending;

	return !sigpending(&pending) &&
	       (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) ||
		(!outlet->path && sigismember(&pending, SIGHUP)));
}

/* The main thread has time, as long as nobody asks it to end. */
static int is_asked_to_end(const void *arg)
{
	return is_interrupted(arg) ? -EINTR : 0;
}

static void close_file(struct kc_outlet_file *file)
{
	for (size_t i = 0; i < KC_WRITERS; i++)
		if (file->urgent_fd[i] != file->fd)
			close(file->urgent_fd[i]);
	if (file->read_fd >= 0)
		close(file->read_fd);
	close(file->fd);
	file->fd = -1;
}

/* The file that was exchanged, when nobody is at it any more. False: somebody is. */
static bool retire(struct kc_outlet *outlet)
{
	struct kc_outlet_file *file = file_at(outlet, outlet->current + 1);

	if (file->writers)
		return false;
	if (file->fd >= 0)
		close_file(file);
	return true;
}

int kc_outlet_write(struct kc_outlet *outlet, const char *text, size_t len)
{
	int err;

	if (outlet->regular) {
		retire(outlet);
		write_to_file(outlet, -1, text, len, &err);
		return err;
	}
	pthread_mutex_lock(&outlet->lock);
	err = kc_stream_write(&outlet->stream, text, len, is_asked_to_end, outlet);
	pthread_mutex_unlock(&outlet->lock);
	return err;
}

static int write_to_stream(struct kc_outlet *outlet, const char *text, size_t len)
{
	double late = kc_seconds_of(CLOCK_MONOTONIC) + PATIENCE_MS / 1e3;
	struct timespec patience;
	int err;

	/* Mutexes know this clock only, before glibc 2.30 and to the thread sanitizer. */
	clock_gettime(CLOCK_REALTIME, &patience);
	patience.tv_nsec += PATIENCE_MS * 1000000L;
	patience.tv_sec += patience.tv_nsec / 1000000000;
	patience.tv_nsec %= 1000000000;
	err = -pthread_mutex_timedlock(&outlet->lock, &patience);
	if (err)
		return err;
	err = kc_stream_write(&outlet->stream, text, len, kc_is_late, &late);
	pthread_mutex_unlock(&outlet->lock);
	return err;
}

int kc_outlet_write_urgent(struct kc_outlet *outlet, unsigned int writer, const char *text,
			   size_t len)
{
	int err;

	if (!outlet->regular)
		return write_to_stream(outlet, text, len);
	/* Where logs were rotated meanwhile the file that is kept has it, too. */
	while (write_to_file(outlet, writer, text, len, &err) != outlet->current)
		;
	return err;
}

int kc_outlet_fd(const struct kc_outlet *outlet)
{
	return outlet->regular ? outlet->files[outlet->current % kc_countof(outlet->files)].fd
			       : outlet->stream.fd;
}

int kc_outlet_sync(const struct kc_outlet *outlet)
{
	return outlet->regular && fdatasync(kc_outlet_fd(outlet)) ? -errno : 0;
}

bool kc_outlet_is_gone(const struct kc_outlet *outlet)
{
	return outlet->regular && is_nameless(outlet, kc_outlet_fd(outlet));
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

static void warn_if_public(const char *path, const struct stat *status)
{
	if (!path || !S_ISREG(status->st_mode))
		return;
	if (status->st_mode & (S_IRGRP | S_IROTH))
		kc_warn("%s can be read by others than its owner", path);
	if (status->st_uid != geteuid())
		kc_warn("%s belongs to another user, who can read it", path);
}

/* A FIFO is waited for until somebody reads it, or we are asked to end. */
static int open_output(struct kc_outlet *outlet)
{
	struct stat status;
	int fd = open_path(outlet->path, O_NONBLOCK);

	if (fd != -ENXIO || stat(outlet->path, &status) || !S_ISFIFO(status.st_mode))
		return fd;
	kc_info("waiting for somebody to read %s", outlet->path);
	while (fd == -ENXIO && !is_interrupted(outlet)) {
		poll(NULL, 0, PATIENCE_MS);
		fd = open_path(outlet->path, O_NONBLOCK);
	}
	return fd == -ENXIO ? -EINTR : fd;
}

/* What is there may end within a line, which a panic or a full disk has cut off. */
static void take_file(struct kc_outlet_file *file, int fd, const struct stat *status)
{
	bool appends = fcntl(fd, F_GETFL) & O_APPEND;

	for (size_t i = 0; i < KC_WRITERS; i++)
		file->urgent_fd[i] = appends ? open_urgent(fd) : fd;
	file->read_fd = appends ? open_again(fd, O_RDONLY) : -1;
	file->cut = is_within_line(file, status->st_size);
	file->fd = fd;
}

int kc_outlet_open(struct kc_outlet *outlet, const char *path)
{
	struct stat status = {};
	int fd;

	*outlet = (struct kc_outlet){ .path = path, .files = { { .fd = -1 }, { .fd = -1 } } };
	fd = path ? open_output(outlet) : fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return path ? fd : -errno;
	pthread_mutex_init(&outlet->lock, NULL);
	outlet->regular = !fstat(fd, &status) && S_ISREG(status.st_mode);
	warn_if_public(path, &status);
	if (outlet->regular)
		take_file(&outlet->files[0], fd, &status);
	else
		kc_stream_open(&outlet->stream, fd);
	return 0;
}

/* When no looker is left. */
void kc_outlet_close(struct kc_outlet *outlet)
{
	retire(outlet);
	if (outlet->regular)
		close_file(file_at(outlet, outlet->current));
	else
		kc_stream_close(&outlet->stream);
	pthread_mutex_destroy(&outlet->lock);
}

/*
 * Who writes counts itself and looks whether the file is still the current one; we look whether
 * anybody has, and make another one that: so nobody writes to a file that is closed. The old
 * one is closed later if it is needed for long, as on a network: lookers do not wait for us. False:
 * the one before is needed still.
 */
static bool exchange(struct kc_outlet *outlet, int fd, const struct stat *status)
{
	if (!retire(outlet))
		return false;
	take_file(file_at(outlet, outlet->current + 1), fd, status);
	outlet->current++;
	for (int ms = 0; ms < PATIENCE_MS && !retire(outlet); ms++)
		poll(NULL, 0, 1);
	return true;
}

int kc_outlet_reopen(struct kc_outlet *outlet)
{
	struct stat old, new;
	kc_auto_fd int fd = -1;

	if (!outlet->path || !outlet->regular || fstat(kc_outlet_fd(outlet), &old))
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
	if (!exchange(outlet, fd, &new))
		return -EBUSY;
	fd = -1; /* the outlet's */
	return 1;
}
