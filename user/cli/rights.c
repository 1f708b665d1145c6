// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/rights.h"

#include <linux/capability.h>
#include <stdio.h>

#include "util/array.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/rights.h"

/*
 * Kernels of Debian and others know kernel.perf_event_paranoid 3 and 4, with which CAP_PERFMON is
 * not enough for perf_event_open(), by which kprobes are placed.
 */
static bool perf_is_closed(void)
{
	kc_auto_file FILE *file = fopen("/proc/sys/kernel/perf_event_paranoid", "re");
	int level;

	return file && fscanf(file, "%d", &level) == 1 && level > 2;
}

static bool always(void)
{
	return true;
}

static const struct {
	unsigned int cap;
	const char *name, *without;
	bool (*matters)(void);
	bool for_probes;
} rights[] = {
	{ CAP_SYS_ADMIN, "CAP_SYS_ADMIN",
	  "no live probes and no tripwire, since kernel.perf_event_paranoid is above 2",
	  perf_is_closed, true },
	{ CAP_SYS_PTRACE, "CAP_SYS_PTRACE",
	  "findings tell neither executable nor system call of other users' processes", always,
	  false },
	{ CAP_SYS_NICE, "CAP_SYS_NICE",
	  "no raised priority: a busy host may keep passes from running, which is told then",
	  always, false },
};

void kc_tell_rights(bool probes)
{
	for (size_t i = 0; i < kc_countof(rights); i++)
		if (!kc_has_right(rights[i].cap) && rights[i].matters() &&
		    (probes || !rights[i].for_probes))
			kc_warn("without %s: %s", rights[i].name, rights[i].without);
}
