// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What probes have counted, and what kept them from counting. */
#include <errno.h>
#include <linux/bpf.h>

#include "probe/probed.h"
#include "probe/shared.h"
#include "util/cleanup.h"

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

bool kc_holder_missed(const struct kc_probes *probes, const struct kc_holder *holder,
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

bool kc_program_missed(int fd, uint64_t *ret_missed)
{
	struct bpf_prog_info info = {};
	uint32_t len = sizeof(info);
	int err = bpf_obj_get_info_by_fd(fd, &info, &len);

	*ret_missed = info.recursion_misses;
	return !err;
}

bool kc_probes_missed(const struct kc_probes *probes, uint64_t *ret_missed)
{
	bool known = probes->facts.tells_missed && !probes->missed_unknown;
	struct bpf_program *program;
	uint64_t missed;

	*ret_missed = probes->missed_detached;
	for (size_t i = probes->detached; i < probes->nr_holders; i++) {
		known &= kc_holder_missed(probes, kc_holder_to_go(probes, i), &missed);
		*ret_missed += missed;
	}
	bpf_object__for_each_program(program, probes->skel->obj)
	{
		int fd = bpf_program__fd(program);

		if (fd < 0)
			continue; /* not loaded */
		known &= kc_program_missed(fd, &missed);
		*ret_missed += missed;
	}
	return known;
}
