/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses of kernel code as if there were no KASLR: vmlinux at its linked place, modules and
 * generated code at one of ours. Distances within each stay as they are.
 */
#ifndef KC_KERNEL_REBASE_H
#define KC_KERNEL_REBASE_H

#include "kernel/kernel.h"

struct kc_rebase {
	uint64_t text, modules;	      /* where vmlinux begins, and the modules' area */
	uint64_t text_by, modules_by; /* taken off, modulo 2^64 */
};

struct kc_rebase kc_rebase_of(const struct kc_kernel *kernel);

/* An address of code or of its module's data; of anything else it is a number, and stays. */
uint64_t kc_rebase(const struct kc_rebase *rebase, uint64_t addr);

/*
 * What stands for a number that somebody found: moved only if it is text or has a symbol. A
 * constant that happens to look like an address would tell how far addresses are moved: of
 * those, only of what kind they are stays.
 */
uint64_t kc_rebase_found(const struct kc_rebase *rebase, const struct kc_kernel *kernel,
			 uint64_t number);

#endif
