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

/*
 * From Linux commit 3ca1032ab7ab ("bpf: Implement get_current_task_btf and RET_PTR_TO_BTF_ID"),
 * v5.11, on members of the current task can be loaded without a helper.
 */
static __always_inline bool has_current_task_btf(void)
{
	return bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_get_current_task_btf);
}

/*
 * on_cpu is an int up to 6.12 and a u8 in 7.2, where a direct load of an int
 * is refused. It exists where CONFIG_SMP is set; without, nothing else runs now.
 * True also if it can't be read: nothing is said of a task that may be running.
 */
static __always_inline bool task_on_cpu(struct task_struct *task)
{
	__u32 on_cpu = 0;
	long failed;

	if (!bpf_core_field_exists(task->on_cpu))
		return false;
	if (bpf_core_field_size(task->on_cpu) == sizeof(__u8))
		failed = bpf_core_read(&on_cpu, sizeof(__u8), &task->on_cpu);
	else
		failed = bpf_core_read(&on_cpu, sizeof(__u32), &task->on_cpu);
	return failed || on_cpu != 0;
}

/*
 * As a number: 7.2's verifier takes a void pointer that was loaded directly for
 * memory, and allows no arithmetic on it. 0: there is none, or it can't be told.
 */
static __always_inline __u64 task_stack(struct task_struct *task)
{
	__u64 stack = 0;

	bpf_core_read(&stack, sizeof(stack), &task->stack);
	return stack;
}

/*
 * Is the task in the cgroup of this id, or in one below it? Of the unified
 * hierarchy only: its id is the inode number of the cgroup's folder. *ret_lost: it is nested
 * deeper than can be followed, and may be.
 */
#define MAX_CGROUP_LEVELS 128

static __always_inline bool task_in_cgroup(struct task_struct *task, __u64 id, bool *ret_lost)
{
	struct cgroup_subsys_state *css = &task->cgroups->dfl_cgrp->self;

	for (__u32 i = 0; i < MAX_CGROUP_LEVELS && css; i++) {
		if (css->cgroup->kn->id == id)
			return true;
		css = css->parent;
	}
	*ret_lost = css;
	return false;
}

#endif
