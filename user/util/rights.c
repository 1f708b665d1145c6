// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "util/rights.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <malloc.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "util/cleanup.h"

bool kc_has_right(unsigned int cap)
{
	kc_auto_file FILE *file = fopen("/proc/self/status", "re");
	char line[256];
	uint64_t caps;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "CapEff: %" SCNx64, &caps) == 1)
			return caps >> cap & 1;
	return true;
}

void kc_want_files(size_t count)
{
	struct rlimit limit, more;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= count)
		return;
	more.rlim_cur = count;
	more.rlim_max = limit.rlim_max < count ? count : limit.rlim_max;
	if (!setrlimit(RLIMIT_NOFILE, &more))
		return;
	limit.rlim_cur = limit.rlim_max; /* more takes CAP_SYS_RESOURCE */
	setrlimit(RLIMIT_NOFILE, &limit);
}

void kc_keep_memory(void)
{
	mallopt(M_MMAP_MAX, 0);
	mallopt(M_TRIM_THRESHOLD, -1);
	mallopt(M_ARENA_MAX, 1);
}

/* With a limit, an allocation that goes beyond it would fail: worse than memory that is swapped. */
int kc_lock_memory(bool *ret_later)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &limit);
	*ret_later = kc_has_right(CAP_IPC_LOCK) ||
		     (!getrlimit(RLIMIT_MEMLOCK, &limit) && limit.rlim_cur == RLIM_INFINITY);
	return mlockall(*ret_later ? MCL_CURRENT | MCL_FUTURE : MCL_CURRENT) ? -errno : 0;
}
