/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Kernel bytes out of an ELF file: /proc/kcore, or a vmlinux. */
#ifndef KC_KERNEL_ELFMEM_H
#define KC_KERNEL_ELFMEM_H

#include "kernel/mem.h"

/*
 * Open a 64-bit little-endian ELF file and serve addresses from its PT_LOAD
 * segments. -EINVAL if it is no such file, or the errno of opening it; under
 * lockdown=confidentiality /proc/kcore is -EPERM.
 */
int kc_elfmem_open(const char *path, struct kc_mem **ret_mem);

#endif
