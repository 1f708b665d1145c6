// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/samples.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe/probes.h"
#include "probe/shared.h"
#include "sample.skel.h"
#include "util/log.h"

/* Each look at a clock interrupts its CPU: so many looks at CPUs are one at clocks. */
#define FOLLOWS 10

/* Room for samples that come while a pass is under way, bytes for each CPU. */
#define ROOM	 (64 * 1024)
#define MIN_ROOM (1 << 20)

struct kc_samples {
	struct sample_bpf *skel;
	struct ring_buffer *ring;
	struct clock {
		struct bpf_link *link; /* NULL: this CPU is not sampled */
		int fd;		       /* the link's */
		uint64_t ns;	       /* that it had counted at the last look, ... */
		uint64_t samples;      /* ... and what it had brought */
	} clocks[KC_MAX_CPUS];
	unsigned int nr_cpus, hz, refused, follows;
	int refused_by;
	struct kc_arrived next;
};

static size_t room_for(unsigned int cpus)
{
	size_t room = MIN_ROOM;

	while (room < (size_t)cpus * ROOM)
		room *= 2;
	return room;
}

static int load_samples(struct kc_samples *samples)
{
	int err;

	samples->skel = sample_bpf__open();
	if (!samples->skel)
		return -errno;
	bpf_map__set_max_entries(samples->skel->maps.events, room_for(samples->nr_cpus));
	err = sample_bpf__load(samples->skel);
	if (err)
		return err;
	samples->ring = kc_ring_new(bpf_map__fd(samples->skel->maps.events), &samples->next);
	return samples->ring ? 0 : -errno;
}

/*
 * The clock runs in an interrupt of its own, on PREEMPT_RT too (perf_swevent_init_hrtimer() in
 * kernel/events/core.c), and what is excluded never gets as far as the program
 * (perf_swevent_hrtimer()).
 */
static int start_clock(struct kc_samples *samples, unsigned int cpu)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.freq = 1,
		.sample_freq = samples->hz,
		.disabled = 1,
		.exclude_user = 1,
		.exclude_idle = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, -1, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC), err;

	if (fd < 0)
		return -errno;
	samples->clocks[cpu] = (struct clock){
		.link = bpf_program__attach_perf_event(samples->skel->progs.kc_sample, fd),
		.fd = fd,
	};
	if (samples->clocks[cpu].link)
		return 0;
	err = -errno;
	close(fd);
	return err;
}

/* A list as "0-3,8"; *ret_beyond: how many have no room. False: it can't be read, or is empty. */
static bool read_online(bool online[static KC_MAX_CPUS], unsigned int *ret_beyond)
{
	kc_auto_file FILE *file = fopen("/sys/devices/system/cpu/online", "re");
	unsigned int first, last;
	bool any = false;
	int next = ',';

	*ret_beyond = 0;
	while (file && next == ',' && fscanf(file, "%u", &first) == 1) {
		last = first;
		next = fgetc(file);
		if (next == '-' && fscanf(file, "%u", &last) == 1)
			next = fgetc(file);
		for (unsigned int cpu = first; cpu <= last && cpu < KC_MAX_CPUS; cpu++)
			any = online[cpu] = true;
		if (last >= KC_MAX_CPUS)
			*ret_beyond += last + 1 - (first > KC_MAX_CPUS ? first : KC_MAX_CPUS);
	}
	return any;
}

static void stop_clock(struct clock *clock)
{
	bpf_link__destroy(clock->link);
	*clock = (struct clock){};
}

/*
 * What was started on a CPU that went away does not go on when that comes back
 * (perf_event_exit_cpu() in kernel/events/core.c), which may have been between two looks, as in
 * each suspend.
 */
static bool has_stopped(struct clock *clock, const volatile struct kc_sample_count *count)
{
	uint64_t before = clock->ns, samples = clock->samples;

	clock->samples = count->taken + count->skipped;
	return clock->samples == samples &&
	       read(clock->fd, &clock->ns, sizeof(clock->ns)) == sizeof(clock->ns) &&
	       clock->ns == before;
}

void kc_samples_follow_cpus(struct kc_samples *samples)
{
	bool online[KC_MAX_CPUS] = {}, looks = !(++samples->follows % FOLLOWS);

	if (!read_online(online, &samples->refused)) {
		samples->refused = samples->nr_cpus;
		samples->refused_by = -EIO;
		return;
	}
	if (samples->refused)
		samples->refused_by = -ENOTSUP;
	for (unsigned int cpu = 0; cpu < KC_MAX_CPUS; cpu++) {
		struct clock *clock = &samples->clocks[cpu];
		int err = 0;

		if (clock->link &&
		    (!online[cpu] ||
		     (looks && has_stopped(clock, &samples->skel->bss->sampled[cpu]))))
			stop_clock(clock);
		if (online[cpu] && !clock->link)
			err = start_clock(samples, cpu);
		if (!err || err == -ENODEV) /* it has gone since */
			continue;
		samples->refused++;
		samples->refused_by = err;
	}
}

static int refuse_samples(struct kc_failure *ret_failure, int err)
{
	return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, err,
		       "the kernel refused the samples' BPF program: %s", kc_strerror(err));
}

int kc_samples_new(const struct kc_kernel *kernel, const struct kc_filter *filter, unsigned int hz,
		   struct kc_failure *ret_failure, struct kc_samples **ret_samples)
{
	struct kc_samples *samples kc_auto(kc_cleanup_samples) = NULL;
	struct kc_probe_config *config;
	int err;

	if (kernel->probes.ring_sleeps)
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, -ENOTSUP,
			       "this kernel (PREEMPT_RT before v6.12) takes a lock that sleeps to "
			       "send an event, which an interrupt must not");
	samples = calloc(1, sizeof(*samples));
	if (!samples)
		return kc_fail_nomem(ret_failure);
	samples->nr_cpus = kc_bss_cpus();
	samples->hz = hz;
	err = load_samples(samples);
	if (err)
		return refuse_samples(ret_failure, err);
	config = &samples->skel->bss->config;
	config->thread_size = kernel->thread_size;
	config->text_start = kernel->text;
	config->text_end = kernel->text_end;
	config->wanted = kc_wanted_of(filter);
	config->regs_size = kernel->pt_regs.size;
	kc_samples_follow_cpus(samples);
	*ret_samples = kc_take(samples);
	return 0;
}

void kc_samples_stop(struct kc_samples *samples)
{
	for (size_t cpu = 0; cpu < KC_MAX_CPUS; cpu++)
		if (samples->clocks[cpu].link)
			stop_clock(&samples->clocks[cpu]);
}

void kc_samples_free(struct kc_samples *samples)
{
	if (!samples)
		return;
	kc_samples_stop(samples);
	ring_buffer__free(samples->ring);
	sample_bpf__destroy(samples->skel);
	free(samples);
}

void kc_samples_thin(struct kc_samples *samples, unsigned int every)
{
	__atomic_store_n(&samples->skel->bss->every, every, __ATOMIC_RELAXED);
}

void kc_samples_set_cgroup(struct kc_samples *samples, uint64_t id)
{
	__atomic_store_n(&samples->skel->bss->config.wanted.cgroup, id, __ATOMIC_RELAXED);
}

int kc_samples_ask(struct kc_samples *samples, uint32_t tid, uint64_t slot)
{
	return bpf_map_update_elem(bpf_map__fd(samples->skel->maps.asked), &tid, &slot, BPF_ANY)
		       ? -errno
		       : 0;
}

void kc_samples_ask_no_more(struct kc_samples *samples, uint32_t tid)
{
	bpf_map_delete_elem(bpf_map__fd(samples->skel->maps.asked), &tid);
}

int kc_samples_next(struct kc_samples *samples, const struct kc_event **ret_event)
{
	*ret_event = &samples->next.event;
	return kc_ring_take(samples->ring);
}

int kc_samples_fd(const struct kc_samples *samples)
{
	return ring_buffer__epoll_fd(samples->ring);
}

struct kc_sample_count kc_samples_counts(const struct kc_samples *samples)
{
	const struct kc_sample_count *of_cpus = samples->skel->bss->sampled;
	struct kc_sample_count sum = {};

	for (size_t i = 0; i < samples->nr_cpus; i++) {
		const volatile struct kc_sample_count *one = &of_cpus[i];

		sum.taken += one->taken;
		sum.other_stack += one->other_stack;
		sum.skipped += one->skipped;
	}
	return sum;
}

unsigned int kc_samples_refused(const struct kc_samples *samples, int *ret_err)
{
	*ret_err = samples->refused ? samples->refused_by : 0;
	return samples->refused;
}

uint64_t kc_samples_loss(const struct kc_samples *samples, enum kc_loss loss)
{
	return __atomic_load_n(&samples->skel->bss->losses[loss], __ATOMIC_RELAXED);
}
