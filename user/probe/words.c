// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/words.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "words.skel.h"

struct kc_words {
	struct words_bpf *skel;
	struct bpf_link *owners;
};

int kc_words_new(const struct kc_kernel *kernel, struct kc_words **ret_words)
{
	struct kc_words *words kc_auto(kc_cleanup_words) = calloc(1, sizeof(*words));
	const struct kc_ksyms *ksyms = kernel->ksyms;
	int cpus = libbpf_num_possible_cpus();

	if (!words)
		return -ENOMEM;
	words->skel = words_bpf__open_and_load();
	if (!words->skel)
		return -errno;
	words->owners = bpf_program__attach_iter(words->skel->progs.kc_owners, NULL);
	if (!words->owners)
		return -errno;
	words->skel->bss->config = (struct kc_words_config){
		.thread_size = kernel->thread_size,
		.page_offset_base = kc_ksyms_data(ksyms, "page_offset_base"),
		.vmalloc_base = kc_ksyms_data(ksyms, "vmalloc_base"),
		.vmemmap_base = kc_ksyms_data(ksyms, "vmemmap_base"),
		.per_cpu_offset = kc_ksyms_data(ksyms, "__per_cpu_offset"),
		.per_cpu_start = kc_ksyms_data(ksyms, "__per_cpu_start"),
		.per_cpu_end = kc_ksyms_data(ksyms, "__per_cpu_end"),
		.vmap_area_root = kc_ksyms_data(ksyms, "vmap_area_root"),
		.vmap_nodes = kc_ksyms_data(ksyms, "vmap_nodes"),
		.nr_vmap_nodes = kc_ksyms_data(ksyms, "nr_vmap_nodes"),
		.vmap_zone_size = kc_ksyms_data(ksyms, "vmap_zone_size"),
		.cpus = cpus > 0 ? cpus : 0,
	};
	*ret_words = kc_take(words);
	return 0;
}

void kc_words_free(struct kc_words *words)
{
	if (!words)
		return;
	bpf_link__destroy(words->owners);
	words_bpf__destroy(words->skel);
	free(words);
}

static bool is_damaged(const struct kc_words_at *at, size_t nth)
{
	for (size_t i = 0; i < at->nr_slots; i++)
		if (at->slots[i] == at->from + 8 * nth)
			return true;
	return false;
}

/* A stack is an area, or pages; a task_struct an object. */
static bool may_be_owned(const struct kc_pointee *pointee)
{
	return pointee->kind == KC_POINTED_NOT_KNOWN || pointee->kind == KC_POINTED_PAGE ||
	       pointee->kind == KC_POINTED_VMALLOC ||
	       (pointee->kind == KC_POINTED_SLAB && !strcmp(pointee->cache, "task_struct"));
}

static void add_owned(struct words_bpf__bss *bss, const struct kc_words_at *at, bool slots)
{
	struct kc_words_config *config = &bss->config;

	for (size_t i = 0; i < at->count && config->nr_owned < KC_MAX_OWNED; i++)
		if (slots == is_damaged(at, i) && (slots || may_be_owned(&bss->pointees[i])))
			config->owned[config->nr_owned++] = i;
}

/* One pass over all tasks, which has nothing to say. */
static int ask_owners(const struct kc_words *words)
{
	kc_auto_fd int fd = bpf_iter_create(bpf_link__fd(words->owners));
	char nothing[64];
	ssize_t got;

	if (fd < 0)
		return -errno;
	do {
		got = read(fd, nothing, sizeof(nothing));
	} while (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)));
	return got < 0 ? -errno : 0;
}

int kc_words_look(struct kc_words *words, const struct kc_words_at *at,
		  struct kc_pointee *ret_pointees)
{
	struct words_bpf__bss *bss = words->skel->bss;
	uint64_t nothing[1] = {};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = nothing, .ctx_size_in = sizeof(nothing));
	int err = 0;

	bss->config.from = at->from;
	bss->config.top = at->top;
	bss->config.count = at->count;
	bss->config.nr_owned = 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(words->skel->progs.kc_look), &opts))
		return -errno;
	add_owned(bss, at, true);
	add_owned(bss, at, false);
	if (bss->config.nr_owned)
		err = ask_owners(words);
	memcpy(ret_pointees, bss->pointees, at->count * sizeof(*ret_pointees));
	return err;
}
