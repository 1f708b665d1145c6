/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What may not take a text at once, or ever: a pipe, a terminal, a socket. Written to without
 * waiting in the kernel, so that who writes decides how long to be patient.
 */
#ifndef KC_UTIL_STREAM_H
#define KC_UTIL_STREAM_H

#include <stdbool.h>
#include <stddef.h>

struct kc_stream {
	int fd;
	bool is_socket;
	_Atomic bool cut; /* the last text is not whole: the next one begins a line */
};

/*
 * From a descriptor that becomes the stream's own. Where that can be it gets a file description
 * that does not wait, and leaves the one of whoever has given it to us as it is: a terminal's write
 * waits while that is stopped (Ctrl-S), whatever poll() has said, and a pipe's when somebody
 * else has filled it meanwhile.
 */
void kc_stream_open(struct kc_stream *stream, int fd);
void kc_stream_close(struct kc_stream *stream);

/*
 * All of the text, in pieces that are not torn apart. While it is not taken is_over(arg) is asked
 * again and again, 20 ms apart; what is not 0 becomes the result. 0, that, -EPIPE (nobody is there
 * any more) or -errno. One at a time.
 */
int kc_stream_write(struct kc_stream *stream, const char *text, size_t len,
		    int (*is_over)(const void *arg), const void *arg);

/* For is_over: -ETIMEDOUT when CLOCK_MONOTONIC shows more than the seconds (a double) at arg. */
int kc_is_late(const void *arg);

#endif
