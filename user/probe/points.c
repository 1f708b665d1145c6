// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Where probes are, and what keeps them there. */
#include <errno.h>
#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "probe/probed.h"
#include "util/array.h"
#include "util/log.h"
#include "util/time.h"

/* The tripwire, which is placed first, goes last: it costs nobody anything. */
const struct kc_holder *kc_holder_to_go(const struct kc_probes *probes, size_t n)
{
	return &probes->holders[(n + 1) % probes->nr_holders];
}

size_t kc_probes_detach(struct kc_probes *probes, size_t count)
{
	for (; count && probes->detached < probes->nr_holders; count--) {
		const struct kc_holder *holder = kc_holder_to_go(probes, probes->detached++);
		uint64_t missed;

		probes->missed_unknown |= !kc_holder_missed(probes, holder, &missed);
		probes->missed_detached += missed;
		close(holder->fd);
	}
	return probes->nr_holders - probes->detached;
}

static int add_holder(struct kc_probes *probes, struct kc_holder holder)
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
	probes->places[point->index] = (struct kc_place){ true, addr, fd, points->first };
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
		err = fd < 0 ? fd : add_holder(probes, (struct kc_holder){ .fd = fd });
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
	probes->missed_unknown |= !kc_holder_missed(probes, &probes->holders[i], &missed);
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
		struct kc_place *place = &probes->places[points->first];

		close_holder(probes, place->fd);
		forget_point(probes, place->addr, points->first);
		clear_count(probes, points->first);
		points->first = place->next;
		*place = (struct kc_place){};
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
		.frame = entry->frame,
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
		err = fd < 0 ? -errno : add_holder(probes, (struct kc_holder){ fd, true });
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

void kc_probes_arm(struct kc_probes *probes, bool armed)
{
	__atomic_store_n(&probes->skel->bss->config.armed_ns, armed ? kc_boot_ns() : 0,
			 __ATOMIC_RELEASE);
}

int kc_probes_arm_returns(struct kc_probes *probes, struct kc_points returns)
{
	int fd = bpf_map__fd(probes->skel->maps.points), first_err = 0;
	uint64_t now = kc_boot_ns();

	for (; returns.count; returns.count--) {
		const struct kc_place *place = &probes->places[returns.first];
		struct kc_point point;

		int err = bpf_map_lookup_elem(fd, &place->addr, &point);

		point.since_ns = now;
		if (!err)
			err = bpf_map_update_elem(fd, &place->addr, &point, BPF_EXIST);
		first_err = first_err ?: err;
		returns.first = place->next;
	}
	return first_err;
}
