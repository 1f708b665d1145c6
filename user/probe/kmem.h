/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Kernel memory through a BPF program (bpf/kmem.bpf.c). */
#ifndef KC_PROBE_KMEM_H
#define KC_PROBE_KMEM_H

#include "kernel/mem.h"

/*
 * Load the reader. -EPERM without the rights, or the errno of what the kernel
 * refused. Several threads may read.
 */
int kc_kmem_open(struct kc_mem **ret_mem);

#endif
