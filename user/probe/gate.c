// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/gate.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/membarrier.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "gate.skel.h"
#include "probe/shared.h"
#include "util/log.h"

struct kc_gate {
	struct gate_bpf *skel;
	struct bpf_link *link;
	struct kc_sweep *sweep;
	unsigned int nr_cpus;
};

static int load_gate(struct kc_gate *gate, struct kc_probes *probes)
{
	int err;

	gate->skel = gate_bpf__open();
	if (!gate->skel)
		return -errno;
	err = bpf_map__reuse_fd(gate->skel->maps.rules, kc_sweep_rules(gate->sweep));
	if (!err)
		err = bpf_map__reuse_fd(gate->skel->maps.events, kc_probes_ring(probes));
	return err ?: gate_bpf__load(gate->skel);
}

static int attach_gate(struct kc_gate *gate, const struct kc_kernel *kernel)
{
	struct kc_gate_config *config = &gate->skel->bss->config;

	kc_sweep_share(gate->sweep, &config->wanted, &gate->skel->bss->walking);
	config->on = 1;
	config->thread_size = kernel->thread_size;
	config->text_start = kernel->text;
	config->text_end = kernel->text_end;
	config->regs_size = kernel->pt_regs.size;
	gate->link = bpf_program__attach(gate->skel->progs.kc_gate);
	return gate->link ? 0 : -errno;
}

/*
 * Before Linux commit ff40e51043af ("bpf, lockdown, audit: Fix buggy SELinux lockdown permission
 * checks"), v5.13 and stable kernels after, each read of kernel memory asked SELinux about the
 * current task, and a denial woke up the audit daemon: not with a run queue's lock held.
 */
static bool selinux_may_lock_up(void)
{
	kc_auto_file FILE *file = fopen("/proc/filesystems", "re");
	unsigned int major, minor;
	struct utsname name;
	bool enabled = !file; /* its file system is there, mounted or not */
	char line[128];

	while (file && fgets(line, sizeof(line), file))
		enabled |= strstr(line, "selinuxfs") != NULL;
	return enabled && !uname(&name) && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
	       (major < 5 || (major == 5 && minor < 13));
}

int kc_gate_new(struct kc_sweep *sweep, struct kc_probes *probes, const struct kc_kernel *kernel,
		struct kc_failure *ret_failure, struct kc_gate **ret_gate)
{
	struct kc_gate *gate;
	int err;

	if (selinux_may_lock_up())
		return kc_fail(
			ret_failure, KC_EXIT_CANNOT_RUN, -ENOTSUP,
			"no gate on a kernel before v5.13 with SELinux: reading a stack there "
			"asks SELinux, which must not be asked at a switch");
	gate = calloc(1, sizeof(*gate));
	if (!gate)
		return kc_fail_nomem(ret_failure);
	gate->sweep = sweep;
	gate->nr_cpus = kc_bss_cpus();
	err = load_gate(gate, probes);
	if (!err)
		err = attach_gate(gate, kernel);
	if (err) {
		kc_gate_free(gate);
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, err,
			       "the kernel refused the gate's BPF program at sched_switch: %s",
			       kc_strerror(err));
	}
	kc_sweep_set_gate(sweep, gate);
	*ret_gate = gate;
	return 0;
}

void kc_gate_close(struct kc_gate *gate)
{
	bpf_link__destroy(gate->link);
	gate->link = NULL;
	kc_sweep_set_gate(gate->sweep, NULL);
}

void kc_gate_free(struct kc_gate *gate)
{
	if (!gate)
		return;
	kc_gate_close(gate);
	gate_bpf__destroy(gate->skel);
	free(gate);
}

struct kc_gate_count kc_gate_counts(const struct kc_gate *gate)
{
	const struct kc_gate_count *of_cpus = gate->skel->bss->gated;
	struct kc_gate_count sum = {};

	for (size_t i = 0; i < gate->nr_cpus; i++) {
		const volatile struct kc_gate_count *one = &of_cpus[i];

		sum.verified += one->verified;
		sum.slots += one->slots;
		sum.no_rule += one->no_rule;
		sum.odd += one->odd;
		sum.paused += one->paused;
		sum.again += one->again;
		sum.deep += one->deep;
	}
	return sum;
}

uint64_t kc_gate_loss(const struct kc_gate *gate, enum kc_loss loss)
{
	return __atomic_load_n(&gate->skel->bss->losses[loss], __ATOMIC_RELAXED);
}

uint64_t kc_gate_missed(const struct kc_gate *gate)
{
	uint64_t missed;

	kc_program_missed(bpf_program__fd(gate->skel->progs.kc_gate), &missed);
	return missed;
}

void kc_gate_set_cgroup(struct kc_gate *gate, uint64_t id)
{
	__atomic_store_n(&gate->skel->bss->config.wanted.cgroup, id, __ATOMIC_RELAXED);
}

void kc_gate_stop(struct kc_gate *gate)
{
	__atomic_store_n(&gate->skel->bss->config.on, 0, __ATOMIC_SEQ_CST);
}

/* Long enough for what runs with interrupts off, where the kernel can't be asked to wait. */
#define GRACE_S 1

/*
 * An element that was deleted may be another's at once, under a walk's hands. Programs at
 * tracepoints are RCU's readers, and this barrier is synchronize_rcu() (kernel/sched/membarrier.c);
 * it is refused where some CPUs are free of the tick (nohz_full).
 */
void kc_gate_pause(struct kc_gate *gate)
{
	const struct timespec grace = { .tv_sec = GRACE_S };

	kc_gate_stop(gate);
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0))
		nanosleep(&grace, NULL);
}

void kc_gate_go_on(struct kc_gate *gate)
{
	__atomic_store_n(&gate->skel->bss->config.on, 1, __ATOMIC_SEQ_CST);
}
