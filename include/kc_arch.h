/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The processor's address space, as both sides of the border must know it: x86-64. What
 * one side alone knows of the processor is in user/arch and bpf/arch.bpf.h.
 */
#ifndef KC_ARCH_H
#define KC_ARCH_H

/* Addresses of user space have no other bits. (Five-level paging: 56, given only on request.) */
#define KC_USER_BITS 47

/* In kernel addresses all bits above these are set, with five-level paging; with four, more are. */
#define KC_KERNEL_BITS 56

/* Likewise in addresses of kernel text, modules and generated code; with KASLR and without. */
#define KC_TEXT_BITS 31
#define KC_TEXT_HALF (~0ULL << KC_TEXT_BITS)

#endif
