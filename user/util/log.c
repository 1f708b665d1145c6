// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/printable.h"

static enum kc_log_level max_level = KC_LOG_INFO;

void kc_log_set_level(enum kc_log_level level)
{
	max_level = level;
}

enum kc_log_level kc_log_get_level(void)
{
	return max_level;
}

void kc_log(enum kc_log_level level, const char *format, ...)
{
	char line[4096]; /* a start line names each probed function */
	va_list args;

	if (level > max_level)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	kc_make_printable(line, strlen(line));
	/* One write, so that lines of two threads or processes do not mix. */
	fprintf(stderr, "kcanary: %s%s\n", level == KC_LOG_WARN ? "warning: " : "", line);
}

const char *kc_strerror(int err)
{
	return strerror(abs(err));
}
