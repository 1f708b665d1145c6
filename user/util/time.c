// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/time.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

int64_t kc_boot_offset_in(const char *text)
{
	const char *line = strstr(text, "boottime");
	int64_t seconds, ns;

	if (!line || sscanf(line, "boottime %" SCNd64 " %" SCNd64, &seconds, &ns) != 2)
		return 0;
	return seconds * 1000000000 + ns;
}

/*
 * /proc tells the offsets of the namespace that children will be in (proc_timens_show_offsets() in
 * kernel/time/namespace.c); it is ours, unless somebody has made it and not forked since.
 */
static bool is_own(void)
{
	char own[64] = "", childrens[64] = "";

	return readlink("/proc/self/ns/time", own, sizeof(own) - 1) > 0 &&
	       readlink("/proc/self/ns/time_for_children", childrens, sizeof(childrens) - 1) > 0 &&
	       !strcmp(own, childrens);
}

static int64_t offset;

/* Of a process with threads it can't change: read before there are any. */
__attribute__((constructor)) static void read_offset(void)
{
	kc_auto_file FILE *file = fopen("/proc/self/timens_offsets", "re");
	char text[256] = "";

	if (file && is_own())
		text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	offset = kc_boot_offset_in(text);
}

int64_t kc_boot_offset_ns(void)
{
	return offset;
}

uint64_t kc_boot_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * UINT64_C(1000000000) + now.tv_nsec - offset;
}
