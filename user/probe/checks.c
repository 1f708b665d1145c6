// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/checks.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.skel.h"
#include "util/array.h"
#include "util/log.h"

struct attached {
	const struct kc_plan *plan;
	int fd;
};

struct kc_checks {
	struct check_bpf *skel;
	int kprobe_type; /* of perf's "kprobe" PMU */
	struct attached *attached;
	size_t count, capacity;
};

static int read_kprobe_type(void)
{
	kc_auto_file FILE *file = fopen("/sys/bus/event_source/devices/kprobe/type", "re");
	int type;

	return file && fscanf(file, "%d", &type) == 1 ? type : -ENOENT;
}

int kc_checks_new(char ret_reason[static 160], struct kc_checks **ret_checks)
{
	struct kc_checks *checks kc_auto(kc_cleanup_checks) = calloc(1, sizeof(*checks));

	if (!checks) {
		snprintf(ret_reason, 160, "out of memory");
		return -ENOMEM;
	}
	checks->kprobe_type = read_kprobe_type();
	if (checks->kprobe_type < 0) {
		snprintf(ret_reason, 160, "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)");
		return -ENOTSUP;
	}
	checks->skel = check_bpf__open_and_load();
	if (!checks->skel) {
		int err = -errno;

		snprintf(ret_reason, 160, "the kernel refused the check probes' BPF program: %s",
			 kc_strerror(err));
		return err;
	}
	*ret_checks = kc_take(checks);
	return 0;
}

void kc_checks_free(struct kc_checks *checks)
{
	if (!checks)
		return;
	for (size_t i = 0; i < checks->count; i++)
		close(checks->attached[i].fd);
	free(checks->attached);
	check_bpf__destroy(checks->skel);
	free(checks);
}

/*
 * A kprobe at an address: by name is refused for names that several functions
 * share. The event ends with its file descriptor, whatever becomes of us.
 */
static int open_kprobe(const struct kc_checks *checks, uint64_t addr)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = checks->kprobe_type,
		.config1 = 0,	 /* no name ... */
		.config2 = addr, /* ... but an address */
	};
	int program = bpf_program__fd(checks->skel->progs.kc_check);
	int fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, program) || ioctl(fd, PERF_EVENT_IOC_ENABLE, 0)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int attach_one(struct kc_checks *checks, const struct kc_plan *plan,
		      const struct kc_check *check)
{
	struct kc_check_point point = {
		.index = checks->count,
		.base = check->through_bp ? KC_CHECK_BASE_BP : KC_CHECK_BASE_SP,
		.disp = check->disp,
	};
	int err, fd;

	if (checks->count == KC_MAX_CHECKS)
		return -ENOSPC;
	err = kc_grow(checks->attached, checks->capacity, checks->count + 1);
	if (err)
		return err;
	if (bpf_map_update_elem(bpf_map__fd(checks->skel->maps.points), &check->load, &point,
				BPF_ANY))
		return -errno;
	fd = open_kprobe(checks, check->load);
	if (fd < 0)
		return fd;
	checks->attached[checks->count++] = (struct attached){ plan, fd };
	return 0;
}

int kc_checks_attach(struct kc_checks *checks, const struct kc_plan *plan)
{
	int attached = 0;

	for (size_t i = 0; i < plan->nr_checks; i++) {
		int err;

		if (!plan->checks[i].load)
			continue;
		err = attach_one(checks, plan, &plan->checks[i]);
		if (err && !attached)
			return err;
		attached += !err;
	}
	return attached;
}

int kc_checks_read(struct kc_checks *checks, const struct kc_plan *plan,
		   struct kc_check_count *ret_count)
{
	int cpus = libbpf_num_possible_cpus();
	kc_auto_free struct kc_check_count *counts = NULL;
	struct kc_check_count total = {};

	if (cpus <= 0)
		return cpus ?: -EINVAL;
	counts = calloc(cpus, sizeof(*counts));
	if (!counts)
		return -ENOMEM;
	for (uint32_t i = 0; i < checks->count; i++) {
		if (checks->attached[i].plan != plan)
			continue;
		if (bpf_map_lookup_elem(bpf_map__fd(checks->skel->maps.counts), &i, counts))
			return -errno;
		for (int cpu = 0; cpu < cpus; cpu++) {
			total.hits += counts[cpu].hits;
			total.mismatches += counts[cpu].mismatches;
			total.unreadable += counts[cpu].unreadable;
		}
	}
	*ret_count = total;
	return 0;
}

size_t kc_checks_attached(const struct kc_checks *checks)
{
	return checks->count;
}
