// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What probes have sent, and what the CPU that is held for it is told. */
#include <errno.h>
#include <string.h>

#include "probe/probed.h"
#include "probe/shared.h"
#include "util/time.h"

/*
 * Take one event. libbpf hands out all that there are, until this fails; the event that
 * it fails for is consumed all the same (ringbuf_process_ring() in libbpf 1.1).
 */
static int on_arrival(void *arg, void *data, size_t size)
{
	const struct kc_event *event = data;

	/* The ring buffer rounds sizes up. */
	if (size < sizeof(*event) || event->task.size > size ||
	    !kc_event_is_whole(event, event->task.size) || event->index >= KC_MAX_POINTS)
		return -EPROTO;
	memcpy(arg, event, event->task.size);
	return -ECANCELED;
}

struct ring_buffer *kc_ring_new(int map_fd, struct kc_arrived *arrived)
{
	return ring_buffer__new(map_fd, on_arrival, arrived, NULL);
}

int kc_ring_take(struct ring_buffer *ring)
{
	int err = ring_buffer__consume(ring);

	if (err != -ECANCELED)
		return err < 0 ? err : 0;
	return 1;
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
	uint64_t frame;
	bool told;

	if (__atomic_load_n(&shared->count, __ATOMIC_RELAXED) == known->count ||
	    !read_deep(shared, &now))
		return false;
	told = now.pid_tgid == known->pid_tgid && now.start_ns == known->start_ns &&
	       now.site == known->site;
	*known = now;
	if (told || !probes->skel->bss->config.headroom ||
	    (probes->pid && probes->pid != now.pid_tgid >> 32) ||
	    bpf_map_lookup_elem(bpf_map__fd(probes->skel->maps.points), &now.site, &point))
		return false;
	frame = point.kind == KC_POINT_ENTRY ? point.frame : 0;
	if (now.left >= probes->skel->bss->config.headroom + frame)
		return false;
	probes->next.event = (struct kc_event){
		.task = {
			.size = sizeof(struct kc_event),
			.pid = now.pid_tgid >> 32,
			.tid = (uint32_t)now.pid_tgid,
			.start_ns = now.start_ns,
			.flags = now.flags,
			.boot_ns = kc_boot_ns(),
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
	*ret_event = &probes->next.event;
	for (size_t i = 0; i < probes->nr_cpus; i++)
		if (take_deep(probes, i))
			return 1;
	return kc_ring_take(probes->ring);
}

int kc_probes_fd(const struct kc_probes *probes)
{
	return ring_buffer__epoll_fd(probes->ring);
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
