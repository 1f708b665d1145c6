/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sizes and places of kernel types, from the running kernel's BTF. */
#ifndef KC_KERNEL_BTF_H
#define KC_KERNEL_BTF_H

#include <stdbool.h>
#include <stdint.h>

#include "util/cleanup.h"

#define KC_BTF_PATH "/sys/kernel/btf/vmlinux"

struct kc_btf;

/* Raw BTF or an ELF file with a .BTF section. -ENOENT: the kernel has none. */
int kc_btf_load(const char *path, struct kc_btf **ret_btf);
void kc_btf_free(struct kc_btf *btf);
KC_DEFINE_AUTO(btf, struct kc_btf, kc_btf_free)

/* Size in bytes of a struct; -ENOENT if there is no such type. */
int kc_btf_size(struct kc_btf *btf, const char *type, uint32_t *ret_size);

/*
 * Byte offset of a member, "a.b.c" for members of members (anonymous ones are
 * looked through). -ENOENT if the type or the member does not exist.
 */
int kc_btf_offset(struct kc_btf *btf, const char *type, const char *path, uint32_t *ret_offset);

static inline bool kc_btf_has(struct kc_btf *btf, const char *type, const char *path)
{
	uint32_t offset;

	return kc_btf_offset(btf, type, path, &offset) == 0;
}

/*
 * Does a BPF program that sends to a ring buffer wait for a lock that sleeps? On PREEMPT_RT a
 * spinlock_t is an rt_mutex; the ring buffer's became raw with "bpf: Use raw_spinlock_t in
 * ringbuf", v6.12. Probes run where nothing may sleep.
 */
static inline bool kc_btf_ring_sleeps(struct kc_btf *btf)
{
	return kc_btf_has(btf, "bpf_ringbuf", "spinlock.lock.owner");
}

#endif
