/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The loaded modules, read from the kernel's own list. */
#ifndef KC_KERNEL_MODULES_H
#define KC_KERNEL_MODULES_H

#include "kernel/kernel.h"

struct kc_btf;

/*
 * Walk the list `modules`; live modules only. One that is unloaded while it
 * is read is left out, or comes without an ORC table. -ENOENT: BTF lacks
 * struct module's members; -EBADMSG: the list has no end.
 */
int kc_modules_read(const struct kc_mem *mem, struct kc_btf *btf, uint64_t list_head,
		    enum kc_orc_layout orc_layout, struct kc_module **ret_modules,
		    size_t *ret_count);
void kc_modules_free(struct kc_module *modules, size_t count);

#endif
