// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/probes.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "probes.skel.h"
#include "util/array.h"
#include "util/log.h"

/* What keeps probes attached: a perf event, or the BPF link that holds one or many. */
struct holder {
	int fd;
	bool multi;
};

/* Where a point is, and what keeps it attached. */
struct place {
	bool taken;
	uint64_t addr;
	int fd;	       /* of its holder */
	uint32_t next; /* of those that belong together */
};

struct kc_probes {
	struct probes_bpf *skel;
	struct ring_buffer *ring;
	struct kc_probe_facts facts;
	int kprobe_type; /* of perf's "kprobe" PMU */
	struct holder *holders;
	size_t nr_holders, capacity;
	size_t detached;		    /* of the holders, in the order of nth_to_go() */
	uint64_t missed_detached;	    /* what those had missed */
	bool missed_unknown;		    /* the kernel did not say of one of them */
	struct place places[KC_MAX_POINTS]; /* by point */
	size_t nr_points;
	struct {
		struct kc_event event;
		uint64_t words[KC_STACK_WORDS];
	} next;				  /* the event that was handed out last */
	struct kc_deep deep[KC_MAX_CPUS]; /* as of the last look */
	unsigned int nr_cpus;
	uint32_t pid; /* whose events are wanted; 0: all */
};
_Static_assert(offsetof(struct kc_probes, next.words) ==
		       offsetof(struct kc_probes, next.event) + sizeof(struct kc_event),
	       "the words follow the event");

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

/*
 * Take one event. libbpf hands out all that there are, until this fails; the event that
 * it fails for is consumed all the same (ringbuf_process_ring() in libbpf 1.1).
 */
static int on_sample(void *arg, void *data, size_t size)
{
	struct kc_probes *probes = arg;
	const struct kc_event *event = data;

	/* The ring buffer rounds sizes up. */
	if (size < sizeof(*event) || event->task.size > size ||
	    !kc_event_is_whole(event, event->task.size) || event->index >= KC_MAX_POINTS)
		return -EPROTO;
	memcpy(&probes->next, event, event->task.size);
	return -ECANCELED;
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
	probes->pid = options->pid;
	probes->nr_cpus = libbpf_num_possible_cpus();
	if (probes->nr_cpus > KC_MAX_CPUS)
		probes->nr_cpus = KC_MAX_CPUS; /* also of an error's number */
	err = load(probes);
	if (err)
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, err,
			       "the kernel refused the live probes' BPF programs: %s",
			       kc_strerror(err));
	probes->ring =
		ring_buffer__new(bpf_map__fd(probes->skel->maps.events), on_sample, probes, NULL);
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
	config->by_thread = options->by_thread;
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
	kc_probes_detach(probes, probes->nr_holders);
	free(probes->holders);
	ring_buffer__free(probes->ring);
	probes_bpf__destroy(probes->skel);
	free(probes);
}

/*
 * What the kernel says of a link, as far as it is needed. The layout is UAPI; the
 * headers that we are built with may be too old for it.
 */
struct link_info {
	uint32_t type, id, prog_id;
	union {
		struct {
			uint64_t addrs;
			uint32_t count, flags;
			uint64_t missed;
		} multi;
		struct {
			uint32_t type, pad;
			uint64_t name;
			uint32_t name_len, offset;
			uint64_t addr, missed;
		} kprobe;
	};
};
_Static_assert(offsetof(struct link_info, multi.missed) == 32 &&
		       offsetof(struct link_info, kprobe.missed) == 48,
	       "bpf_link_info layout");

/* Hits that the kernel kept from the program, since another probe was being handled. */
static bool read_missed(const struct kc_probes *probes, const struct holder *holder,
			uint64_t *ret_missed)
{
	struct link_info info = {};
	uint32_t len = sizeof(info);

	*ret_missed = 0;
	if (!probes->facts.tells_missed || bpf_obj_get_info_by_fd(holder->fd, &info, &len))
		return false;
	*ret_missed = holder->multi ? info.multi.missed : info.kprobe.missed;
	return true;
}

/* The tripwire, which is placed first, goes last: it costs nobody anything. */
static const struct holder *nth_to_go(const struct kc_probes *probes, size_t n)
{
	return &probes->holders[(n + 1) % probes->nr_holders];
}

size_t kc_probes_detach(struct kc_probes *probes, size_t count)
{
	for (; count && probes->detached < probes->nr_holders; count--) {
		const struct holder *holder = nth_to_go(probes, probes->detached++);
		uint64_t missed;

		probes->missed_unknown |= !read_missed(probes, holder, &missed);
		probes->missed_detached += missed;
		close(holder->fd);
	}
	return probes->nr_holders - probes->detached;
}

static int add_holder(struct kc_probes *probes, struct holder holder)
{
	int err = kc_grow(probes->holders, probes->capacity, probes->nr_holders + 1);

	if (err)
		close(holder.fd);
	else
		probes->holders[probes->nr_holders++] = holder;
	return err;
}

/* Have the program run by the event. A link is asked for where it can tell of misses. */
static int set_program(const struct kc_probes *probes, const struct bpf_program *program, int event)
{
	int link;

	if (!probes->facts.tells_missed) {
		if (ioctl(event, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(program)))
			return -errno;
		return event;
	}
	link = bpf_link_create(bpf_program__fd(program), event, BPF_PERF_EVENT, NULL);
	return link < 0 ? -errno : link;
}

/*
 * A kprobe at an address: by name is refused for names that several functions
 * share. It ends with the file descriptor that is returned, whatever becomes of us.
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
	int event = syscall(SYS_perf_event_open, &attr, -1, 0, -1, PERF_FLAG_FD_CLOEXEC);
	int err, fd;

	if (event < 0)
		return -errno;
	fd = set_program(probes, program, event);
	err = fd < 0 ? fd : ioctl(event, PERF_EVENT_IOC_ENABLE, 0) ? -errno : 0;
	if (fd != event)
		close(event); /* a link holds it */
	if (err && fd >= 0)
		close(fd);
	return err ?: fd;
}

/* Say no more what to do at an address, unless another point is there by now. */
static void forget_point(struct kc_probes *probes, uint64_t addr, uint32_t index)
{
	int fd = bpf_map__fd(probes->skel->maps.points);
	uint64_t addrs[] = { addr, addr + kc_arch()->landing_pad };
	struct kc_point point;

	for (size_t i = 0; i < kc_countof(addrs); i++)
		if (!bpf_map_lookup_elem(fd, &addrs[i], &point) && point.index == index)
			bpf_map_delete_elem(fd, &addrs[i]);
}

/* Say what to do at this address; the point gets its index here. */
static int describe_point(struct kc_probes *probes, uint64_t addr, struct kc_point *point)
{
	int fd = bpf_map__fd(probes->skel->maps.points);

	point->index = 0;
	while (point->index < KC_MAX_POINTS && probes->places[point->index].taken)
		point->index++;
	if (point->index == KC_MAX_POINTS)
		return -ENOSPC;
	if (bpf_map_update_elem(fd, &addr, point, BPF_ANY))
		return -errno;
	/* At a function's entry the kernel may put the probe behind the landing pad. */
	addr += kc_arch()->landing_pad;
	if ((point->kind == KC_POINT_ENTRY || point->kind == KC_POINT_PANIC) &&
	    bpf_map_update_elem(fd, &addr, point, BPF_ANY))
		return -errno;
	return 0;
}

/* The point was described; fd: of its holder, if it has one of its own. */
static void add_point(struct kc_probes *probes, const struct kc_point *point, uint64_t addr, int fd,
		      struct kc_points *points)
{
	probes->places[point->index] = (struct place){ true, addr, fd, points->first };
	points->first = point->index;
	points->count++;
	probes->nr_points++;
}

static int attach(struct kc_probes *probes, const struct bpf_program *program, uint64_t addr,
		  struct kc_point point, struct kc_points *points)
{
	int err = describe_point(probes, addr, &point), fd = -1;

	if (!err) {
		fd = open_kprobe(probes, program, addr);
		err = fd < 0 ? fd : add_holder(probes, (struct holder){ .fd = fd });
	}
	if (err)
		forget_point(probes, addr, point.index);
	else
		add_point(probes, &point, addr, fd, points);
	return err;
}

/* Close what holds one point, if it is not closed yet; what it had missed counts on. */
static void close_holder(struct kc_probes *probes, int fd)
{
	uint64_t missed;
	size_t i = 0;

	if (fd < 0 || probes->detached)
		return;
	while (i < probes->nr_holders && probes->holders[i].fd != fd)
		i++;
	if (i == probes->nr_holders)
		return;
	probes->missed_unknown |= !read_missed(probes, &probes->holders[i], &missed);
	probes->missed_detached += missed;
	close(fd);
	memmove(&probes->holders[i], &probes->holders[i + 1],
		(--probes->nr_holders - i) * sizeof(*probes->holders));
}

/* What the next point of this number counts begins at 0. */
static void clear_count(const struct kc_probes *probes, uint32_t index)
{
	int cpus = libbpf_num_possible_cpus();
	kc_auto_free struct kc_point_count *zeros = cpus > 0 ? calloc(cpus, sizeof(*zeros)) : NULL;

	if (zeros)
		bpf_map_update_elem(bpf_map__fd(probes->skel->maps.counts), &index, zeros, BPF_ANY);
}

void kc_probes_remove(struct kc_probes *probes, struct kc_points *points)
{
	for (; points->count; points->count--) {
		struct place *place = &probes->places[points->first];

		close_holder(probes, place->fd);
		forget_point(probes, place->addr, points->first);
		clear_count(probes, points->first);
		points->first = place->next;
		*place = (struct place){};
		probes->nr_points--;
	}
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

static struct kc_point entry_point(const struct kc_entry *entry)
{
	return (struct kc_point){
		.kind = KC_POINT_ENTRY,
		.depth = entry->depth,
		.call = entry->call,
	};
}

/* All with one link, or none. */
static int attach_multi(struct kc_probes *probes, struct kc_entry *entries, size_t count)
{
	const struct bpf_program *program = probes->skel->progs.kc_entry_multi;
	kc_auto_free unsigned long *addrs = calloc(count, sizeof(*addrs));
	LIBBPF_OPTS(bpf_link_create_opts, opts);
	int err = addrs ? 0 : -ENOMEM, fd;

	for (size_t i = 0; i < count; i++)
		entries[i].points = (struct kc_points){};
	for (size_t i = 0; !err && i < count; i++) {
		struct kc_point point = entry_point(&entries[i]);

		err = describe_point(probes, entries[i].addr, &point);
		if (!err)
			add_point(probes, &point, entries[i].addr, -1, &entries[i].points);
		addrs[i] = entries[i].addr;
	}
	if (!err) {
		opts.kprobe_multi.addrs = addrs;
		opts.kprobe_multi.cnt = count;
		fd = bpf_link_create(bpf_program__fd(program), 0, BPF_TRACE_KPROBE_MULTI, &opts);
		err = fd < 0 ? -errno : add_holder(probes, (struct holder){ fd, true });
	}
	for (size_t i = 0; err && i < count; i++) /* nothing hits these */
		kc_probes_remove(probes, &entries[i].points);
	return err;
}

void kc_probes_entries(struct kc_probes *probes, struct kc_entry *entries, size_t count,
		       bool one_link)
{
	int err = -ENOTSUP;

	if (count && one_link && probes->facts.multi) {
		err = attach_multi(probes, entries, count);
		if (err)
			kc_debug("no common link for %zu entries: %s", count, kc_strerror(err));
	}
	for (size_t i = 0; i < count; i++) {
		struct kc_entry *entry = &entries[i];

		entry->err = 0;
		if (!err)
			continue;
		entry->points = (struct kc_points){};
		entry->err = attach(probes, probes->skel->progs.kc_entry, entry->addr,
				    entry_point(entry), &entry->points);
	}
}

int kc_probes_return(struct kc_probes *probes, uint64_t addr, uint32_t call,
		     struct kc_points *points)
{
	struct kc_point point = {
		.kind = KC_POINT_RETURN,
		.call = call,
		.since_ns = probes->skel->bss->config.armed_ns ? KC_NOT_YET : 0,
	};

	return attach(probes, probes->skel->progs.kc_return, addr, point, points);
}

int kc_probes_panic(struct kc_probes *probes, uint64_t addr, struct kc_points *ret_points)
{
	struct kc_point point = { .kind = KC_POINT_PANIC };

	*ret_points = (struct kc_points){};
	return attach(probes, probes->skel->progs.kc_panic, addr, point, ret_points);
}

size_t kc_probes_attached(const struct kc_probes *probes)
{
	return probes->nr_points;
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
	for (; !err && points.count; points.count--) {
		err = sum_words(probes->skel->maps.counts, points.first,
				sizeof(*ret_count) / sizeof(uint64_t), false,
				(uint64_t *)ret_count);
		points.first = probes->places[points.first].next;
	}
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
	struct kc_deepest value;
	size_t count = 0;

	while (count < max && !bpf_map_get_next_key(fd, previous, &tid)) {
		previous = &tid;
		if (!bpf_map_lookup_elem(fd, &tid, &value))
			ret_threads[count++] =
				(struct kc_thread_depth){ tid, value.function, value.max };
	}
	return count;
}

uint64_t kc_probes_loss(const struct kc_probes *probes, enum kc_loss loss)
{
	if (loss >= KC_LOSS_NR)
		return 0;
	return __atomic_load_n(&probes->skel->bss->losses[loss], __ATOMIC_RELAXED);
}

uint64_t kc_probes_too_deep(const struct kc_probes *probes)
{
	uint64_t count = 0;

	for (size_t i = 0; i < probes->nr_cpus; i++)
		count += __atomic_load_n(&probes->skel->bss->deep[i].count, __ATOMIC_RELAXED);
	return count;
}

bool kc_probes_missed(const struct kc_probes *probes, uint64_t *ret_missed)
{
	bool known = probes->facts.tells_missed && !probes->missed_unknown;
	struct bpf_program *program;
	uint64_t missed;

	*ret_missed = probes->missed_detached;
	for (size_t i = probes->detached; i < probes->nr_holders; i++) {
		known &= read_missed(probes, nth_to_go(probes, i), &missed);
		*ret_missed += missed;
	}
	bpf_object__for_each_program(program, probes->skel->obj)
	{
		struct bpf_prog_info info = {};
		uint32_t len = sizeof(info);
		int fd = bpf_program__fd(program);

		if (fd < 0)
			continue; /* not loaded */
		known &= !bpf_obj_get_info_by_fd(fd, &info, &len);
		*ret_missed += info.recursion_misses;
	}
	return known;
}

bool kc_probes_compare_guard(const struct kc_probes *probes)
{
	return probes->skel->bss->config.guard[0] != 0;
}

static uint64_t boot_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/* A note as a whole: false while that CPU is writing it. */
static bool read_deep(const struct kc_deep *shared, struct kc_deep *ret_note)
{
	uint64_t count = __atomic_load_n(&shared->count, __ATOMIC_ACQUIRE);

	*ret_note = *(const volatile struct kc_deep *)shared;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	return __atomic_load_n(&shared->begun, __ATOMIC_RELAXED) == count;
}

/* An event for what the programs had no stack left to send one for; once per thread and site. */
static bool take_deep(struct kc_probes *probes, size_t cpu)
{
	const struct kc_deep *shared = &probes->skel->bss->deep[cpu];
	struct kc_deep *known = &probes->deep[cpu], now;
	struct kc_point point;
	bool told;

	if (__atomic_load_n(&shared->count, __ATOMIC_RELAXED) == known->count ||
	    !read_deep(shared, &now))
		return false;
	told = now.pid_tgid == known->pid_tgid && now.site == known->site;
	*known = now;
	if (told || now.left >= probes->skel->bss->config.headroom ||
	    (probes->pid && probes->pid != now.pid_tgid >> 32) ||
	    bpf_map_lookup_elem(bpf_map__fd(probes->skel->maps.points), &now.site, &point))
		return false;
	probes->next.event = (struct kc_event){
		.task = {
			.size = sizeof(struct kc_event),
			.pid = now.pid_tgid >> 32,
			.tid = (uint32_t)now.pid_tgid,
			.start_ns = now.start_ns,
			.flags = now.flags,
			.boot_ns = boot_ns(),
		},
		.site = now.site,
		.headroom = now.left,
		.kind = KC_EVENT_EXHAUSTED,
		.index = point.index,
		.cpu = cpu,
		.syscall = -1,
	};
	memcpy(probes->next.event.task.comm, now.comm, sizeof(now.comm));
	memcpy(probes->next.event.task.leader_comm, now.leader_comm, sizeof(now.leader_comm));
	return true;
}

int kc_probes_next(struct kc_probes *probes, const struct kc_event **ret_event)
{
	int err;

	*ret_event = &probes->next.event;
	for (size_t i = 0; i < probes->nr_cpus; i++)
		if (take_deep(probes, i))
			return 1;
	err = ring_buffer__consume(probes->ring);

	if (err != -ECANCELED)
		return err < 0 ? err : 0;
	return 1;
}

int kc_probes_fd(const struct kc_probes *probes)
{
	return ring_buffer__epoll_fd(probes->ring);
}

void kc_probes_arm(struct kc_probes *probes, bool armed)
{
	__atomic_store_n(&probes->skel->bss->config.armed_ns, armed ? boot_ns() : 0,
			 __ATOMIC_RELEASE);
}

void kc_probes_arm_returns(struct kc_probes *probes, struct kc_points returns)
{
	int fd = bpf_map__fd(probes->skel->maps.points);
	uint64_t now = boot_ns();

	for (; returns.count; returns.count--) {
		const struct place *place = &probes->places[returns.first];
		struct kc_point point;

		/* If it can't be said, calls are taken for early ones for ever. */
		if (!bpf_map_lookup_elem(fd, &place->addr, &point)) {
			point.since_ns = now;
			bpf_map_update_elem(fd, &place->addr, &point, BPF_EXIST);
		}
		returns.first = place->next;
	}
}

void kc_probes_hold(struct kc_probes *probes, uint64_t ns, uint64_t max_ns)
{
	struct kc_probe_config *config = &probes->skel->bss->config;

	__atomic_store_n(&config->hold_max_ns, max_ns, __ATOMIC_RELEASE);
	__atomic_store_n(&config->hold_ns, ns, __ATOMIC_RELEASE);
}

/* Release: whoever sees the CPU go on sees what was written before. */
void kc_probes_tell(struct kc_probes *probes, const struct kc_event *event,
		    enum kc_held_state state)
{
	struct kc_hold *held = &probes->skel->bss->held[event->cpu & (KC_MAX_CPUS - 1)];
	uint64_t *const words[] = { &held->seen, &held->safe, &held->told };

	uint64_t last = __atomic_load_n(words[state], __ATOMIC_RELAXED);

	/* A later event's CPU is not told of an earlier one; ids grow with time. */
	while (event->flags & KC_EVENT_HELD && last < event->id &&
	       !__atomic_compare_exchange_n(words[state], &last, event->id, true, __ATOMIC_RELEASE,
					    __ATOMIC_RELAXED))
		;
}
