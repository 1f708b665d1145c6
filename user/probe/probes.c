// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probes.skel.h"
#include "util/array.h"
#include "util/log.h"

/* Of endbr64, which a kernel with IBT has before the place that is really probed. */
#define ENDBR_SIZE 4

struct kc_probes {
	struct probes_bpf *skel;
	struct ring_buffer *ring;
	int kprobe_type; /* of perf's "kprobe" PMU */
	int *fds;	 /* one per point */
	size_t count, capacity;
	size_t detached;
	kc_event_fn fn; /* while events are handed out */
	void *arg;
};

static int read_kprobe_type(void)
{
	kc_auto_file FILE *file = fopen("/sys/bus/event_source/devices/kprobe/type", "re");
	int type;

	return file && fscanf(file, "%d", &type) == 1 ? type : -ENOENT;
}

/*
 * Where each CPU keeps its guard: its per-CPU offset plus the symbol, which at
 * %gs:40 is 40 (fixed_percpu_data lies at the start of the per-CPU area).
 */
static void find_guards(const struct kc_kernel *kernel, uint64_t *guards)
{
	uint64_t offsets = kc_ksyms_data(kernel->ksyms, "__per_cpu_offset"), offset;
	int cpus = libbpf_num_possible_cpus();

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

static int on_sample(void *arg, void *data, size_t size)
{
	struct kc_probes *probes = arg;
	const struct kc_event *event = data;

	if (size < sizeof(*event) || event->task.size > size ||
	    event->task.size != sizeof(*event) + event->task.count * sizeof(uint64_t) ||
	    event->task.top - event->task.sp != event->task.count * sizeof(uint64_t) ||
	    event->index >= probes->count)
		return -EPROTO;
	probes->fn(event, probes->arg);
	return 0;
}

int kc_probes_new(const struct kc_probe_options *options, char ret_reason[static 160],
		  struct kc_probes **ret_probes)
{
	struct kc_probes *probes kc_auto(kc_cleanup_probes) = calloc(1, sizeof(*probes));
	struct kc_probe_config *config;
	int err;

	if (!probes) {
		snprintf(ret_reason, 160, "out of memory");
		return -ENOMEM;
	}
	probes->kprobe_type = read_kprobe_type();
	if (probes->kprobe_type < 0) {
		snprintf(ret_reason, 160, "this kernel has no kprobes (CONFIG_KPROBE_EVENTS)");
		return -ENOTSUP;
	}
	probes->skel = probes_bpf__open_and_load();
	if (!probes->skel) {
		err = -errno;
		snprintf(ret_reason, 160, "the kernel refused the live probes' BPF programs: %s",
			 kc_strerror(err));
		return err;
	}
	probes->ring =
		ring_buffer__new(bpf_map__fd(probes->skel->maps.events), on_sample, probes, NULL);
	if (!probes->ring) {
		err = -errno;
		snprintf(ret_reason, 160, "cannot map the ring buffer: %s", kc_strerror(err));
		return err;
	}
	config = &probes->skel->bss->config;
	config->thread_size = options->kernel->thread_size;
	config->text_start = options->kernel->text;
	config->text_end = options->kernel->text_end;
	config->headroom = options->headroom;
	config->hold_ns = options->hold_ns;
	config->pid = options->pid;
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
	kc_probes_detach(probes, probes->count);
	free(probes->fds);
	ring_buffer__free(probes->ring);
	probes_bpf__destroy(probes->skel);
	free(probes);
}

size_t kc_probes_detach(struct kc_probes *probes, size_t count)
{
	for (; count && probes->detached < probes->count; count--)
		close(probes->fds[probes->detached++]);
	return probes->count - probes->detached;
}

/*
 * A kprobe at an address: by name is refused for names that several functions
 * share. The event ends with its file descriptor, whatever becomes of us.
 */
static int open_kprobe(const struct kc_probes *probes, const struct bpf_program *program,
		       uint64_t addr)
{
	struct perf_event_attr attr = {
		.size = sizeof(attr),
		.type = probes->kprobe_type,
		.config1 = 0,	 /* no name ... */
		.config2 = addr, /* ... but an address */
	};
	int fd = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(program)) ||
	    ioctl(fd, PERF_EVENT_IOC_ENABLE, 0)) {
		err = -errno;
		close(fd);
		return err;
	}
	return fd;
}

static int describe(struct kc_probes *probes, uint64_t addr, const struct kc_point *point)
{
	return bpf_map_update_elem(bpf_map__fd(probes->skel->maps.points), &addr, point, BPF_ANY)
		       ? -errno
		       : 0;
}

/* Attach one point; its index is filled in here. */
static int attach(struct kc_probes *probes, const struct bpf_program *program, uint64_t addr,
		  struct kc_point point, struct kc_points *points)
{
	int err, fd;

	if (probes->count == KC_MAX_POINTS)
		return -ENOSPC;
	err = kc_grow(probes->fds, probes->capacity, probes->count + 1);
	if (err)
		return err;
	point.index = probes->count;
	err = describe(probes, addr, &point);
	/* At a function's entry the kernel may put the probe behind an endbr64. */
	if (!err && (point.kind == KC_POINT_ENTRY || point.kind == KC_POINT_PANIC))
		err = describe(probes, addr + ENDBR_SIZE, &point);
	if (err)
		return err;
	fd = open_kprobe(probes, program, addr);
	if (fd < 0)
		return fd;
	if (!points->count)
		points->first = point.index;
	points->count++;
	probes->fds[probes->count++] = fd;
	return 0;
}

int kc_probes_checks(struct kc_probes *probes, const struct kc_plan *plan,
		     struct kc_points *ret_points)
{
	int first_err = 0;

	*ret_points = (struct kc_points){};
	for (size_t i = 0; i < plan->nr_checks; i++) {
		const struct kc_check *check = &plan->checks[i];
		struct kc_point point = {
			.kind = KC_POINT_CHECK,
			.base = check->through_bp ? KC_CHECK_BASE_BP : KC_CHECK_BASE_SP,
			.disp = check->disp,
		};
		int err;

		if (!check->load)
			continue;
		err = attach(probes, probes->skel->progs.kc_check, check->load, point, ret_points);
		if (!first_err)
			first_err = err;
	}
	return first_err;
}

int kc_probes_entry(struct kc_probes *probes, uint64_t addr, uint32_t depth, bool match,
		    struct kc_points *ret_points)
{
	struct kc_point point = { .kind = KC_POINT_ENTRY, .depth = depth, .match = match };

	*ret_points = (struct kc_points){};
	return attach(probes, probes->skel->progs.kc_entry, addr, point, ret_points);
}

int kc_probes_return(struct kc_probes *probes, uint64_t addr, uint32_t depth,
		     struct kc_points *ret_points)
{
	struct kc_point point = { .kind = KC_POINT_RETURN, .depth = depth };

	*ret_points = (struct kc_points){};
	return attach(probes, probes->skel->progs.kc_return, addr, point, ret_points);
}

int kc_probes_panic(struct kc_probes *probes, uint64_t addr, struct kc_points *ret_points)
{
	struct kc_point point = { .kind = KC_POINT_PANIC };

	*ret_points = (struct kc_points){};
	return attach(probes, probes->skel->progs.kc_panic, addr, point, ret_points);
}

size_t kc_probes_attached(const struct kc_probes *probes)
{
	return probes->count;
}

/* A per-CPU array's element, of words only: the sum, but word 0 the maximum if asked for. */
static int sum_words(const struct bpf_map *map, uint32_t index, size_t words, bool max_of_first,
		     uint64_t *ret_sum)
{
	int cpus = libbpf_num_possible_cpus();
	kc_auto_free uint64_t *values = NULL;

	if (cpus <= 0)
		return cpus ?: -EINVAL;
	values = calloc(cpus, words * sizeof(*values));
	if (!values)
		return -ENOMEM;
	if (bpf_map_lookup_elem(bpf_map__fd(map), &index, values))
		return -errno;
	for (int cpu = 0; cpu < cpus; cpu++)
		for (size_t i = 0; i < words; i++) {
			uint64_t value = values[cpu * words + i];

			if (i || !max_of_first)
				ret_sum[i] += value;
			else if (value > ret_sum[i])
				ret_sum[i] = value;
		}
	return 0;
}

int kc_probes_count(struct kc_probes *probes, struct kc_points points,
		    struct kc_point_count *ret_count)
{
	int err = 0;

	*ret_count = (struct kc_point_count){};
	for (uint32_t i = 0; !err && i < points.count; i++)
		err = sum_words(probes->skel->maps.counts, points.first + i,
				sizeof(*ret_count) / sizeof(uint64_t), false,
				(uint64_t *)ret_count);
	return err;
}

int kc_probes_depth(struct kc_probes *probes, uint32_t depth, struct kc_depth *ret_depth)
{
	*ret_depth = (struct kc_depth){};
	return sum_words(probes->skel->maps.depths, depth, sizeof(*ret_depth) / sizeof(uint64_t),
			 true, (uint64_t *)ret_depth);
}

size_t kc_probes_threads(struct kc_probes *probes, struct kc_thread_depth *ret_threads, size_t max)
{
	int fd = bpf_map__fd(probes->skel->maps.threads);
	uint32_t tid, *previous = NULL;
	size_t count = 0;
	struct {
		uint64_t start_ns, max;
		uint32_t depth, pad;
	} value;

	while (count < max && !bpf_map_get_next_key(fd, previous, &tid)) {
		previous = &tid;
		if (!bpf_map_lookup_elem(fd, &tid, &value))
			ret_threads[count++] =
				(struct kc_thread_depth){ tid, value.depth, value.max };
	}
	return count;
}

uint64_t kc_probes_lost(const struct kc_probes *probes)
{
	return *(volatile typeof(probes->skel->bss->lost) *)&probes->skel->bss->lost;
}

uint64_t kc_probes_missed(const struct kc_probes *probes)
{
	const struct bpf_program *programs[] = {
		probes->skel->progs.kc_check,
		probes->skel->progs.kc_entry,
		probes->skel->progs.kc_return,
		probes->skel->progs.kc_panic,
	};
	uint64_t missed = 0;

	for (size_t i = 0; i < kc_countof(programs); i++) {
		struct bpf_prog_info info = {};
		uint32_t len = sizeof(info);

		if (!bpf_obj_get_info_by_fd(bpf_program__fd(programs[i]), &info, &len))
			missed += info.recursion_misses;
	}
	return missed;
}

bool kc_probes_compare_guard(const struct kc_probes *probes)
{
	return probes->skel->bss->config.guard[0] != 0;
}

int kc_probes_consume(struct kc_probes *probes, kc_event_fn fn, void *arg)
{
	probes->fn = fn;
	probes->arg = arg;
	return ring_buffer__consume(probes->ring);
}

int kc_probes_fd(const struct kc_probes *probes)
{
	return ring_buffer__epoll_fd(probes->ring);
}

void kc_probes_hold_no_more(struct kc_probes *probes)
{
	probes->skel->bss->config.hold_ns = 0;
}

void kc_probes_release(struct kc_probes *probes, const struct kc_event *event)
{
	if (event->flags & KC_EVENT_HELD && event->cpu < KC_MAX_CPUS)
		*(volatile typeof(probes->skel->bss->done[0]) *)&probes->skel->bss
			 ->done[event->cpu] = event->id;
}
