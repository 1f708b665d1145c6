// SPDX-License-Identifier: GPL-2.0-only
/*
 * What words near a damage point to: only what the kernel's own books say of it leaves, by name,
 * and no address.
 *
 *	kc_look    BPF_PROG_RUN: slab, page, per-CPU, vmalloc
 *	kc_owners  then once over all tasks, for what is left: stacks, task_structs, canaries
 *
 * The words' thread sleeps, or its CPU is held: whether it still did afterwards is the caller's to
 * find out. The books are read without their locks: what does not fit together is not known.
 */
#include "kc.bpf.h"

#include "kc_words.h"
#include "word.bpf.h"

char LICENSE[] SEC("license") = "GPL";

#define PAGE_SHIFT 12
#define MAX_DEPTH  64	     /* of the tree of vmalloc areas */
#define MAX_NODES  256	     /* that those are spread over */
#define MAX_OBJECT (1 << 22) /* bytes; slabs are no larger */

struct kc_words_config config;
struct kc_pointee pointees[KC_MAX_WORDS];

static __always_inline __u64 read_u64(__u64 addr)
{
	__u64 value = 0;

	return addr && !bpf_probe_read_kernel(&value, sizeof(value), (void *)addr) ? value : 0;
}

/* The page that a tail page belongs to: the head's, as the books have it. */
static __always_inline __u64 head_of(__u64 page)
{
	__u64 info = compound_info((void *)page), inverse = ~(info & ~1ULL);

	if (!(info & 1))
		return page;
	/* Since v7.1 or so a mask that leads there, where pages' books are a power of two large. */
	return inverse & (inverse + 1) ? info - 1 : page & info;
}

static __always_inline void tell_page(struct kc_pointee *to, __u64 word, __u64 direct, __u64 books)
{
	__u64 each = bpf_core_type_size(struct page), head, base;
	struct kmem_cache *cache;
	__u64 name = 0;
	__u32 size = 0;

	if (!each)
		return;
	head = head_of(books + ((word - direct) >> PAGE_SHIFT) * each);
	if (head < books || !knows_slabs() || !read_u64(head))
		return;
	if (!is_slab((void *)head)) {
		to->kind = KC_POINTED_PAGE;
		return;
	}
	cache = (void *)slab_cache_of((void *)head);
	if (!cache || bpf_core_read(&size, sizeof(size), &cache->size) || !size ||
	    size > MAX_OBJECT || bpf_core_read(&name, sizeof(name), &cache->name))
		return;
	if (bpf_probe_read_kernel_str(to->cache, sizeof(to->cache), (void *)name) <= 1)
		return;
	base = direct + (((head - books) / each) << PAGE_SHIFT);
	to->offset = (word - base) % size;
	to->kind = KC_POINTED_SLAB;
}

/* The area of one tree that the word lies in. */
static __always_inline bool find_area(struct kc_pointee *to, __u64 node, __u64 word)
{
	struct vmap_area *area;
	__u64 start, end, vm;

	for (__u32 i = 0; i < MAX_DEPTH && node; i++) {
		area = (void *)(node - bpf_core_field_offset(struct vmap_area, rb_node));
		start = end = vm = 0;
		if (bpf_core_read(&start, sizeof(start), &area->va_start) ||
		    bpf_core_read(&end, sizeof(end), &area->va_end))
			return false;
		if (word >= start && word < end) {
			if (bpf_core_read(&vm, sizeof(vm), &area->vm) || !vm ||
			    bpf_core_read(&to->caller, sizeof(to->caller),
					  &((struct vm_struct *)vm)->caller))
				return false;
			to->offset = word - start;
			to->kind = KC_POINTED_VMALLOC;
			return true;
		}
		if (word < start
			    ? bpf_core_read(&node, sizeof(node), &((struct rb_node *)node)->rb_left)
			    : bpf_core_read(&node, sizeof(node),
					    &((struct rb_node *)node)->rb_right))
			return false;
	}
	return false;
}

/* The nth word, in one of the trees; once more for each of them: the verifier looks into it once.
 */
__noinline int look_in_tree(__u32 nth, __u64 root)
{
	__u64 word;

	if (nth >= KC_MAX_WORDS)
		return 0;
	word = read_u64(config.from + 8ULL * nth);
	return find_area(&pointees[nth], read_u64(root), word);
}

/*
 * An area is in the tree of the node that its start belongs to: it may be large
 * (find_vmap_area() in mm/vmalloc.c).
 */
static __always_inline void tell_vmalloc(__u32 nth, __u64 word)
{
	__u64 nodes = read_u64(config.vmap_nodes), zone = (__u32)read_u64(config.vmap_zone_size);
	__u32 count = read_u64(config.nr_vmap_nodes);
	__u64 first;

	if (config.vmap_area_root) {
		look_in_tree(nth, config.vmap_area_root);
		return;
	}
	if (!nodes || !zone || !count || !has_vmap_nodes())
		return;
	first = word / zone % count;
	for (__u32 i = 0; i < MAX_NODES; i++) {
		if (i >= count)
			break;
		if (look_in_tree(nth, vmap_tree(nodes, (first + count - i) % count)))
			break;
	}
}

/* Does it lie in what a CPU has of its own, and where there? */
static __always_inline bool tell_percpu(struct kc_pointee *to, __u64 word)
{
	__u64 start = config.per_cpu_start, size = config.per_cpu_end - start;

	for (__u32 cpu = 0; cpu < KC_MAX_CPUS; cpu++) {
		__u64 offset;

		if (cpu >= config.cpus)
			break;
		offset = read_u64(config.per_cpu_offset + 8ULL * cpu);
		if (word - offset - start >= size)
			continue;
		to->offset = word - offset;
		to->cpu = cpu;
		to->kind = KC_POINTED_PERCPU;
		return true;
	}
	return false;
}

/* One word. A global function: the verifier looks into it once. */
__noinline int look_at(__u32 nth)
{
	__u64 word, direct, areas, books;
	struct kc_pointee *to;

	if (nth >= KC_MAX_WORDS)
		return 0;
	to = &pointees[nth];
	__builtin_memset(to, 0, sizeof(*to));
	word = read_u64(config.from + 8ULL * nth);
	/* What the copy tells as it is: text and static data, and this very stack. */
	if (~word >> KC_KERNEL_BITS || word >= KC_TEXT_HALF ||
	    config.top - word <= config.thread_size)
		return 0;
	to->kind = KC_POINTED_NOT_KNOWN;
	if (tell_percpu(to, word))
		return 0;
	direct = read_u64(config.page_offset_base);
	areas = read_u64(config.vmalloc_base);
	books = read_u64(config.vmemmap_base);
	if (!direct || !areas || !books)
		return 0;
	if (word >= direct && word < areas)
		tell_page(to, word, direct, books);
	else if (word >= areas && word < books)
		tell_vmalloc(nth, word);
	return 0;
}

SEC("raw_tp")
int kc_look(struct bpf_raw_tracepoint_args *ctx)
{
	(void)ctx;
	for (__u32 i = 0; i < KC_MAX_WORDS; i++) {
		if (i >= config.count)
			break;
		look_at(i);
	}
	return 0;
}

/* Is the nth word this task's? */
static __always_inline void compare_owner(struct task_struct *task, __u64 self, __u64 stack,
					  __u32 nth)
{
	struct kc_pointee *to = &pointees[nth & (KC_MAX_WORDS - 1)];
	__u64 word = read_u64(config.from + 8ULL * nth);

	if (word == task->stack_canary && word) {
		to->kind = KC_POINTED_CANARY;
		to->offset = 0;
	} else if (stack && word - stack < config.thread_size) {
		to->kind = KC_POINTED_STACK;
		to->offset = stack + config.thread_size - word;
	} else if (self && word - self == to->offset &&
		   (to->kind == KC_POINTED_SLAB || to->kind == KC_POINTED_TASK)) {
		/*
		 * Not by the type's size: fewer bytes are allocated of it (arch_task_struct_size),
		 * and the next task's may lie within.
		 */
		to->kind = KC_POINTED_TASK;
	} else {
		return;
	}
	to->pid = task->tgid;
	to->tid = task->pid;
	if (bpf_probe_read_kernel(to->comm, sizeof(to->comm), task->comm))
		to->comm[0] = '\0';
}

SEC("iter/task")
int kc_owners(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	__u64 stack, self;

	if (!task)
		return 0;
	stack = task_stack(task);
	self = as_number(task);
	for (__u32 i = 0; i < KC_MAX_OWNED; i++) {
		if (i >= config.nr_owned)
			break;
		compare_owner(task, self, stack, config.owned[i]);
	}
	return 0;
}
