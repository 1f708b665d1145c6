// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int kc_fail(struct kc_failure *ret_failure, enum kc_exit exit, int err, const char *format, ...)
{
	va_list args;

	/* Some library calls fail without an errno; a failure must never look like success. */
	ret_failure->err = err ?: -EIO;
	ret_failure->exit = exit;
	va_start(args, format);
	vsnprintf(ret_failure->text, sizeof(ret_failure->text), format, args);
	va_end(args);
	return ret_failure->err;
}

int kc_fail_nomem(struct kc_failure *ret_failure)
{
	return kc_fail(ret_failure, KC_EXIT_FAILED, -ENOMEM, "out of memory");
}
