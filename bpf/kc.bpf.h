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

/*
 * A pointer that the verifier lets us make no number of: read back from where it was put. 0: it
 * can't be read.
 */
static __always_inline __u64 as_number(void *pointer)
{
	void *volatile kept = pointer;
	__u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), (void *)&kept);
	return number;
}

#define PF_KTHREAD	0x00200000 /* include/linux/sched.h */
#define PF_FREEZER_SKIP 0x40000000 /* ... up to v6.0; says nothing after */

#endif
