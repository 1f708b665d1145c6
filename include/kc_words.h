/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What words of a stack point to, told by the kernel side without telling the words: as crash's
 * `bt -FF` shows it, from the kernel's own books.
 */
#ifndef KC_WORDS_H
#define KC_WORDS_H

#include "kc_record.h"

#define KC_MAX_WORDS 128 /* looked at in one go */
#define KC_MAX_OWNED 16	 /* of them those that may be some task's */
#define KC_CACHE_LEN 32

enum kc_pointed {
	KC_POINTED_NOWHERE = 0,	  /* no kernel address, or one that the copy tells as it is */
	KC_POINTED_NOT_KNOWN = 1, /* a kernel address, of what can't be told */
	KC_POINTED_SLAB = 2,	  /* an object of this slab cache; offset: in it */
	KC_POINTED_PAGE = 3,	  /* a page of memory that holds no slab's objects */
	KC_POINTED_PERCPU = 4,	  /* offset: as a per-CPU symbol's; cpu */
	KC_POINTED_VMALLOC = 5,	  /* offset: in the area; caller: who asked for it */
	KC_POINTED_STACK = 6,	  /* of this thread; offset: bytes below its top */
	KC_POINTED_TASK = 7,	  /* this thread's task_struct; offset: in it */
	KC_POINTED_CANARY = 8,	  /* nowhere: it is the canary of this thread */
	KC_POINTED_STATIC = 9,	  /* user space's to tell: data of vmlinux or a module */
};

/* Where to look, and where this kernel keeps its books: addresses of variables, 0 if not known. */
struct kc_words_config {
	__kc_u64 from;	/* the first word */
	__kc_u64 top;	/* of the stack that they lie on */
	__kc_u32 count; /* at most KC_MAX_WORDS */
	__kc_u32 nr_owned;
	__kc_u16 owned[KC_MAX_OWNED]; /* what may be some task's: indices, from the first pass */
	__kc_u64 thread_size;
	__kc_u64 page_offset_base, vmalloc_base, vmemmap_base;
	__kc_u64 per_cpu_offset, per_cpu_start, per_cpu_end; /* the latter two as they are */
	__kc_u64 vmap_area_root;			     /* up to v6.8 ... */
	__kc_u64 vmap_nodes, nr_vmap_nodes, vmap_zone_size;  /* ... and after */
	__kc_u32 cpus;
	__kc_u32 pad;
};

struct kc_pointee {
	__kc_u64 offset;
	__kc_u64 caller;
	__kc_u32 kind; /* enum kc_pointed */
	__kc_u32 pid, tid;
	__kc_u32 cpu;
	char cache[KC_CACHE_LEN];
	char comm[KC_COMM_LEN];
};

_Static_assert(sizeof(struct kc_words_config) == 152, "kc_words_config layout");
_Static_assert(sizeof(struct kc_pointee) == 80, "kc_pointee layout");

#endif
