// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/probes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "probe/probed.h"
#include "probe/shared.h"
#include "util/log.h"

static int read_kprobe_type(void)
{
	kc_auto_file FILE *file = fopen("/sys/bus/event_source/devices/kprobe/type", "re");
	int type;

	return file && fscanf(file, "%d", &type) == 1 ? type : -ENOENT;
}

/*
 * Where each CPU keeps its guard: its per-CPU offset plus the symbol, or plus the
 * member's offset (its struct lies at the start of the per-CPU area).
 */
static void find_guards(const struct kc_kernel *kernel, uint64_t *guards)
{
	uint64_t offsets = kc_ksyms_data(kernel->ksyms, "__per_cpu_offset"), offset;
	int cpus = libbpf_num_possible_cpus();

	if (!offsets) /* no SMP */
		guards[0] = kernel->guard.addr;
	for (int cpu = 0; offsets && cpu < cpus && cpu < KC_MAX_CPUS; cpu++)
		if (!kc_mem_read(kernel->mem, offsets + 8 * cpu, &offset, sizeof(offset)))
			guards[cpu] = offset + kernel->guard.addr;
}

/* Ask the kernel whether this CPU's guard is where we think; else compare none. */
static void test_guards(struct probes_bpf *skel)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts);
	int err = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.kc_guard_test), &opts);

	if (!err && opts.retval == 0)
		return;
	memset(skel->bss->config.guard, 0, sizeof(skel->bss->config.guard));
}

static int load(struct kc_probes *probes)
{
	probes->skel = probes_bpf__open();
	if (!probes->skel)
		return -errno;
	/* Older kernels know neither its attach type nor bpf_get_func_ip(). */
	bpf_program__set_autoload(probes->skel->progs.kc_entry_multi, probes->facts.multi);
	return probes_bpf__load(probes->skel);
}

int kc_probes_new(const struct kc_probe_options *options, struct kc_failure *ret_failure,
		  struct kc_probes **ret_probes)
{
	struct kc_probes *probes kc_auto(kc_cleanup_probes) = calloc(1, sizeof(*probes));
	struct kc_probe_config *config;
	int err;

	if (!probes)
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, -ENOMEM, "out of memory");
	probes->kprobe_type = read_kprobe_type();
	if (probes->kprobe_type < 0)
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, -ENOTSUP,
			       "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)");
	probes->facts = options->kernel->probes;
	if (probes->facts.ring_sleeps)
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, -ENOTSUP,
			       "this kernel (PREEMPT_RT before v6.12) takes a lock that sleeps to "
			       "send an event, which a live probe must not: only the sweep can run "
			       "here (--no-probes)");
	probes->nr_cpus = kc_bss_cpus();
	err = load(probes);
	if (err)
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, err,
			       "the kernel refused the live probes' BPF programs: %s",
			       kc_strerror(err));
	probes->ring = kc_ring_new(bpf_map__fd(probes->skel->maps.events), &probes->next);
	if (!probes->ring) {
		err = -errno;
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, err,
			       "cannot map the ring buffer: %s", kc_strerror(err));
	}
	config = &probes->skel->bss->config;
	config->thread_size = options->kernel->thread_size;
	config->text_start = options->kernel->text;
	config->text_end = options->kernel->text_end;
	config->headroom = options->headroom;
	if (options->filter) {
		probes->pid = options->filter->pid;
		config->wanted = kc_wanted_of(options->filter);
	}
	config->regs_size = options->kernel->pt_regs.size;
	find_guards(options->kernel, config->guard);
	test_guards(probes->skel);
	*ret_probes = kc_take(probes);
	return 0;
}

void kc_probes_free(struct kc_probes *probes)
{
	if (!probes)
		return;
	kc_probes_detach(probes, probes->nr_holders);
	free(probes->holders);
	ring_buffer__free(probes->ring);
	probes_bpf__destroy(probes->skel);
	free(probes);
}

void kc_probes_set_cgroup(struct kc_probes *probes, uint64_t id)
{
	__atomic_store_n(&probes->skel->bss->config.wanted.cgroup, id, __ATOMIC_RELAXED);
}

unsigned int kc_bss_cpus(void)
{
	unsigned int cpus = libbpf_num_possible_cpus();

	return cpus < KC_MAX_CPUS ? cpus : KC_MAX_CPUS; /* also of an error's number */
}

int kc_probes_ring(const struct kc_probes *probes)
{
	return bpf_map__fd(probes->skel->maps.events);
}

size_t kc_probes_guards_unread(const struct kc_probes *probes)
{
	int cpus = libbpf_num_possible_cpus();
	size_t unread = cpus > KC_MAX_CPUS ? cpus - KC_MAX_CPUS : 0;

	for (unsigned int cpu = 0; cpu < probes->nr_cpus; cpu++)
		unread += !probes->skel->bss->config.guard[cpu];
	return unread;
}
