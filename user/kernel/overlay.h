/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Kernel memory as it was before probes patched it, anybody's and our own: a plan, and a
 * listing that is shown, must see the code as it was compiled.
 */
#ifndef KC_KERNEL_OVERLAY_H
#define KC_KERNEL_OVERLAY_H

#include "kernel/kernel.h"
#include "kernel/kprobes.h"

/* base is owned by the overlay from here on, also if this fails (-ENOMEM). */
int kc_overlay_new(struct kc_mem *base, struct kc_mem **ret_mem);

/*
 * Where the kernel keeps its probes: from here on what they have replaced is put back. Only while
 * nobody else reads, and once. As kc_kprobes_new().
 */
int kc_overlay_learn(struct kc_mem *mem, const struct kc_kprobe_table *table);

/* As kc_kprobes_next_pass() and kc_kprobes_unwalked(), if it has learned where they are. */
void kc_overlay_next_pass(struct kc_mem *mem);
uint64_t kc_overlay_unwalked(struct kc_mem *mem);

/*
 * Remember what a probe at addr may replace (a breakpoint, or an optimized probe's
 * jump), as it reads now. Only while nobody else reads. 0 or -errno; -EAGAIN: somebody is patching
 * it, or has put a breakpoint there that is no kprobe's; then it is not kept.
 */
int kc_overlay_keep(struct kc_mem *mem, const struct kc_kernel *kernel, uint64_t addr);

/*
 * The kernel was learned anew: forget what was kept of modules that went, whose place others may
 * have taken, and of those of which it is not known whether they went. As kc_overlay_keep().
 */
void kc_overlay_forget(struct kc_mem *mem, const struct kc_kernel *kernel);

#endif
