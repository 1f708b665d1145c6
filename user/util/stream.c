// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/time.h"

#define TURN_MS 20

void kc_stream_open(struct kc_stream *stream, int fd)
{
	struct stat status = {};
	char path[32];
	int again = -1;

	fstat(fd, &status);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (isatty(fd) || S_ISFIFO(status.st_mode))
		again = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (again >= 0)
		close(fd);
	*stream = (struct kc_stream){
		.fd = again >= 0 ? again : fd,
		.is_socket = S_ISSOCK(status.st_mode),
	};
}

void kc_stream_close(struct kc_stream *stream)
{
	close(stream->fd);
}

/* -EAGAIN: not now. */
static ssize_t put(const struct kc_stream *stream, const char *text, size_t len)
{
	ssize_t done = stream->is_socket ? send(stream->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL)
					 : write(stream->fd, text, len);

	if (done >= 0)
		return done;
	if (errno == EINTR)
		return -EAGAIN;
	return errno == EIO ? -EPIPE : -errno; /* a terminal that is gone */
}

/*
 * How much of the text was written, maybe nothing; or -errno. A pipe takes a piece whole or not at
 * all; the newline of a text that was cut off is in the same one.
 */
static ssize_t put_piece(struct kc_stream *stream, const char *text, size_t len)
{
	char piece[PIPE_BUF] = "\n";
	size_t begun = stream->cut;
	ssize_t done;

	if (len > sizeof(piece) - begun)
		len = sizeof(piece) - begun;
	memcpy(piece + begun, text, len);
	done = put(stream, piece, begun + len);
	if (done <= 0)
		return done == -EAGAIN ? 0 : done;
	stream->cut = false;
	return done - begun;
}

int kc_is_late(const void *arg)
{
	return kc_seconds_of(CLOCK_MONOTONIC) < *(const double *)arg ? 0 : -ETIMEDOUT;
}

int kc_stream_write(struct kc_stream *stream, const char *text, size_t len,
		    int (*is_over)(const void *arg), const void *arg)
{
	struct pollfd fd = { .fd = stream->fd, .events = POLLOUT };
	size_t at = 0;
	int err = 0;

	while (!err && at < len) {
		bool ready = poll(&fd, 1, 0) > 0;
		ssize_t done = ready ? put_piece(stream, text + at, len - at) : 0;

		if (done > 0) {
			at += done;
			continue;
		}
		err = done ?: is_over(arg);
		/* A stopped terminal says that it can be written to. */
		if (!err)
			poll(ready ? NULL : &fd, !ready, TURN_MS);
	}
	if (err && at)
		stream->cut = true;
	return err;
}
