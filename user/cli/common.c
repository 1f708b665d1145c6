// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/common.h"

#include <errno.h>

#include "probe/cgroup.h"
#include "util/log.h"

const struct kc_option kc_filter_rows[] = {
	{ "pid", 'p', "PID", KC_NUMBER(struct kc_filter, pid, 1, KC_MAX_PID),
	  .help = "this process only", .group = 1 },
	{ "tid", 't', "TID", KC_NUMBER(struct kc_filter, tid, 1, KC_MAX_PID),
	  .help = "this thread only" },
	{ "comm", 'n', "COMM", KC_TEXT(struct kc_filter, comm),
	  .help = "threads of this name, and processes of this name", .then = kc_option_not_empty },
	{ "cgroup", 'c', "CGROUP", KC_TEXT(struct kc_filter, cgroup),
	  .help = "tasks of this cgroup and those below it, as /system.slice/app.service: the "
		  "path from the hierarchy's root on, or from where that is mounted",
	  .then = kc_option_not_empty },
	{},
};

const struct kc_option kc_origin_rows[] = {
	{ "vmlinux", 0, "FILE", KC_TEXT(struct kc_origin, vmlinux),
	  .help = "look at this kernel (an ELF file) instead of the running one", .group = 10 },
	{ "kallsyms", 0, "FILE", KC_TEXT(struct kc_origin, kallsyms),
	  .help = "with --vmlinux: its symbols, a copy of /proc/kallsyms under 'nokaslr'" },
	{ "kcore", 0, NULL, KC_FLAG(struct kc_origin, kcore),
	  .help = "read this kernel through /proc/kcore instead of a BPF program" },
	{},
};

void kc_filter_settle(struct kc_filter *filter)
{
	if (filter->cgroup)
		filter->cgroup = kc_cgroup_below_root(filter->cgroup);
}

int kc_origin_check(const struct kc_origin *origin, struct kc_failure *ret_failure)
{
	if (!origin->vmlinux == !origin->kallsyms)
		return 0;
	return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL, "--vmlinux and --kallsyms go together");
}

void kc_set_verbosity(unsigned int verbose)
{
	const unsigned int most = KC_LOG_LIBRARY - KC_LOG_INFO;

	kc_log_set_level(KC_LOG_INFO + (verbose < most ? verbose : most));
}
