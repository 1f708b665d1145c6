/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where kernel bytes come from. The stages to the right of user/kernel read
 * through this and do not know whether it is a live kernel (user/probe/kmem.c), or an ELF
 * file, /proc/kcore among them (user/kernel/elfmem.c).
 */
#ifndef KC_KERNEL_MEM_H
#define KC_KERNEL_MEM_H

#include <stddef.h>
#include <stdint.h>

struct kc_mem {
	/*
	 * Read len bytes of kernel address addr. 0, or -EFAULT if any of them
	 * can't be read (nothing in buf is valid then), or another -errno.
	 */
	int (*read)(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len);
	void (*destroy)(struct kc_mem *mem);
	const char *name; /* "bpf", "/proc/kcore", ...: for messages */
};

static inline int kc_mem_read(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	return mem->read(mem, addr, buf, len);
}

/* NULL is fine. */
static inline void kc_mem_destroy(struct kc_mem *mem)
{
	if (mem)
		mem->destroy(mem);
}

#endif
