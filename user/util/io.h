/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KC_UTIL_IO_H
#define KC_UTIL_IO_H

#include <errno.h>
#include <stddef.h>
#include <unistd.h>

/*
 * Write all of it, through interruptions. 0 or -errno; *ret_done, unless NULL, is how many bytes
 * were written, also if it failed. Takes no lock but the kernel's.
 */
static inline int kc_write_all(int fd, const void *data, size_t len, size_t *ret_done)
{
	size_t done = 0;
	int err = 0;

	while (!err && done < len) {
		ssize_t wrote = write(fd, (const char *)data + done, len - done);

		if (wrote > 0)
			done += wrote;
		else if (wrote < 0 && errno != EINTR)
			err = -errno;
	}
	if (ret_done)
		*ret_done = done;
	return err;
}

#endif
