/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What went wrong, for people, and the status to end with. Written where it is known,
 * carried up beside a negative errno, printed once: in main().
 *
 *	return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, -ENOENT, "no %s here", what);
 */
#ifndef KC_UTIL_ERROR_H
#define KC_UTIL_ERROR_H

#include <errno.h>
#include <stdbool.h>

#include "util/exit.h"

struct kc_failure {
	enum kc_exit exit;
	int err;	 /* negative */
	char text[1000]; /* one sentence, no newline; as much as a line of the log holds */
};

/* Nothing failed: somebody asks us to end, or who reads has left. */
static inline bool kc_asks_to_end(int err)
{
	return err == -EINTR || err == -EPIPE;
}

/* Of two results, the second of work that went on all the same: the first failure, else an end. */
static inline int kc_first_error(int err, int next)
{
	return !err || (next && kc_asks_to_end(err) && !kc_asks_to_end(next)) ? next : err;
}

/* Returns err, so that a caller can fail in one statement; -EIO if err is 0. */
__attribute__((format(printf, 4, 5))) int kc_fail(struct kc_failure *ret_failure, enum kc_exit exit,
						  int err, const char *format, ...);

/* Where the only reason is memory. Returns -ENOMEM. */
int kc_fail_nomem(struct kc_failure *ret_failure);

#endif
