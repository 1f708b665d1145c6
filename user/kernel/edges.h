/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Collects kernel->edges: static keys, exception fixups, WARN() traps, static calls. */
#ifndef KC_KERNEL_EDGES_H
#define KC_KERNEL_EDGES_H

#include "kernel/kernel.h"

/*
 * Read the tables of vmlinux and of kernel->modules. A table that can't be
 * read is warned about and costs edges only: the code behind them stays "not
 * reached", which is never taken for checked.
 */
void kc_edges_load(struct kc_kernel *kernel);

/* As kc_kernel_edges() wants them: by code. */
void kc_edges_sort(struct kc_edge *edges, size_t count);

#endif
