/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every kcanary BPF program starts from. */
#ifndef KC_BPF_H
#define KC_BPF_H

#include "vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "core_fixes.bpf.h"
#include "kc_record.h"

/*
 * To compare with what the map helpers return, as an int: the upper half is undefined
 * before Linux commit d7ba4cc900bf ("bpf: return long from bpf_map_ops funcs"), v6.4.
 */
#define ENOENT 2
#define EEXIST 17

#define PF_KTHREAD 0x00200000 /* include/linux/sched.h */

#endif
