/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every place where the kernels that we run on differ, with the commit that
 * made the difference. Asked of the running kernel's BTF, never of its version.
 */
#ifndef CORE_FIXES_BPF_H
#define CORE_FIXES_BPF_H

#include <bpf/bpf_core_read.h>

/*
 * task->state became task->__state in Linux commit 2f064a59a11f ("sched:
 * Change task_struct::state"), v5.14, and changed its type from long.
 */
struct task_struct___pre514 {
	volatile long state;
} __attribute__((preserve_access_index));

struct task_struct___post514 {
	unsigned int __state;
} __attribute__((preserve_access_index));

static __always_inline __u32 task_state(struct task_struct *task)
{
	struct task_struct___post514 *post = (void *)task;
	struct task_struct___pre514 *pre = (void *)task;

	if (bpf_core_field_exists(post->__state))
		return post->__state;
	return pre->state;
}

/*
 * From Linux commit 3ca1032ab7ab ("bpf: Implement get_current_task_btf and RET_PTR_TO_BTF_ID"),
 * v5.11, on members of the current task can be loaded without a helper.
 */
static __always_inline bool has_current_task_btf(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf);
}

/*
 * on_cpu is an int up to 6.12 and a u8 in 7.2, where a direct load of an int
 * is refused. It exists where CONFIG_SMP is set; without, nothing else runs now.
 * True also if it can't be read: nothing is said of a task that may be running.
 */
static __always_inline bool task_on_cpu(struct task_struct *task)
{
	__u32 on_cpu = 0;
	long failed;

	if (!bpf_core_field_exists(task->on_cpu))
		return false;
	if (bpf_core_field_size(task->on_cpu) == sizeof(__u8))
		failed = bpf_core_read(&on_cpu, sizeof(__u8), &task->on_cpu);
	else
		failed = bpf_core_read(&on_cpu, sizeof(__u32), &task->on_cpu);
	return failed || on_cpu != 0;
}

/*
 * As a number: 7.2's verifier takes a void pointer that was loaded directly for
 * memory, and allows no arithmetic on it. 0: there is none, or it can't be told.
 */
static __always_inline __u64 task_stack(struct task_struct *task)
{
	__u64 stack = 0;

	bpf_core_read(&stack, sizeof(stack), &task->stack);
	return stack;
}

/*
 * Is the task in the cgroup of this id, or in one below it? Of the unified
 * hierarchy only: its id is the inode number of the cgroup's folder. *ret_lost: it is nested
 * deeper than can be followed, and may be.
 */
#define MAX_CGROUP_LEVELS 128

static __always_inline bool task_in_cgroup(struct task_struct *task, __u64 id, bool *ret_lost)
{
	struct cgroup_subsys_state *css = &task->cgroups->dfl_cgrp->self;

	for (__u32 i = 0; i < MAX_CGROUP_LEVELS && css; i++) {
		if (css->cgroup->kn->id == id)
			return true;
		css = css->parent;
	}
	*ret_lost = css;
	return false;
}

/*
 * A page's books: where its head is, whether it is a slab, and of which cache.
 *
 *	v5.17  struct slab has the cache, where struct page had it: Linux commit d122019bf061 ("mm:
 *	       Split slab into its own type")
 *	v6.11  PG_slab became a type of page: PGTY_slab, in the upper byte
 *	v7.1   compound_head became compound_info, which may hold a mask
 */
struct page___any {
	unsigned long compound_head, compound_info;
	struct kmem_cache *slab_cache;
	unsigned int page_type;
} __attribute__((preserve_access_index));

struct page {
	unsigned long flags;
} __attribute__((preserve_access_index));

struct slab {
	struct kmem_cache *slab_cache;
} __attribute__((preserve_access_index));

enum pageflags { PG_slab = 9 };
enum pagetype { PGTY_slab = 0xf5 };

static __always_inline __u64 compound_info(struct page___any *page)
{
	__u64 info = 0;

	if (bpf_core_field_exists(page->compound_head))
		bpf_core_read(&info, sizeof(info), &page->compound_head);
	else if (bpf_core_field_exists(page->compound_info))
		bpf_core_read(&info, sizeof(info), &page->compound_info);
	return info;
}

static __always_inline bool knows_slabs(void)
{
	return bpf_core_enum_value_exists(enum pagetype, PGTY_slab) ||
	       bpf_core_enum_value_exists(enum pageflags, PG_slab);
}

/* Of the head page. False also if it can't be read. */
static __always_inline bool is_slab(struct page___any *page)
{
	__u64 flags = 0;
	__u32 type = 0;

	if (bpf_core_enum_value_exists(enum pagetype, PGTY_slab))
		return !bpf_core_read(&type, sizeof(type), &page->page_type) &&
		       type >> 24 == bpf_core_enum_value(enum pagetype, PGTY_slab);
	/* A page's first word. */
	return !bpf_probe_read_kernel(&flags, sizeof(flags), page) &&
	       flags >> bpf_core_enum_value(enum pageflags, PG_slab) & 1;
}

static __always_inline __u64 slab_cache_of(struct page___any *page)
{
	struct slab *slab = (void *)page;
	__u64 cache = 0;

	if (bpf_core_field_exists(slab->slab_cache))
		bpf_core_read(&cache, sizeof(cache), &slab->slab_cache);
	else if (bpf_core_field_exists(page->slab_cache))
		bpf_core_read(&cache, sizeof(cache), &page->slab_cache);
	return cache;
}

/*
 * vmalloc areas are in one tree up to v6.8, and in that of a node each from Linux commit
 * d093602919ad ("mm: vmalloc: remove global vmap_area_root rb-tree"), v6.9, on.
 */
struct rb_root {
	struct rb_node *rb_node;
} __attribute__((preserve_access_index));

struct rb_list {
	struct rb_root root;
} __attribute__((preserve_access_index));

struct vmap_node {
	struct rb_list busy;
} __attribute__((preserve_access_index));

static __always_inline bool has_vmap_nodes(void)
{
	return bpf_core_type_exists(struct vmap_node);
}

/* Where the address of the nth node's tree's root is kept. */
static __always_inline __u64 vmap_tree(__u64 nodes, __u64 nth)
{
	return nodes + nth * bpf_core_type_size(struct vmap_node) +
	       bpf_core_field_offset(struct vmap_node, busy.root.rb_node);
}

#endif
