/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every place where the kernels that we run on differ, with the commit that
 * made the difference. Asked of the running kernel's BTF, never of its version.
 */
#ifndef CORE_FIXES_BPF_H
#define CORE_FIXES_BPF_H

#include <bpf/bpf_core_read.h>

/*
 * task->state became task->__state in Linux commit 2f064a59a11f ("sched:
 * Change task_struct::state"), v5.14, and changed its type from long.
 */
struct task_struct___pre514 {
	volatile long state;
} __attribute__((preserve_access_index));

struct task_struct___post514 {
	unsigned int __state;
} __attribute__((preserve_access_index));

static __always_inline __u32 task_state(struct task_struct *task)
{
	struct task_struct___post514 *post = (void *)task;
	struct task_struct___pre514 *pre = (void *)task;

	if (bpf_core_field_exists(post->__state))
		return post->__state;
	return pre->state;
}

/* on_cpu exists where CONFIG_SMP is set; without it nothing else runs now. */
static __always_inline bool task_on_cpu(struct task_struct *task)
{
	return bpf_core_field_exists(task->on_cpu) && *(volatile int *)&task->on_cpu;
}

#endif
