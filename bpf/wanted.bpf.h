/* SPDX-License-Identifier: GPL-2.0-only */
/* Is this task one to look at? And who it is, from the task itself. */
#ifndef WANTED_BPF_H
#define WANTED_BPF_H

#include "arch.bpf.h"
#include "loss.bpf.h"

static __always_inline __u64 switches_of(struct task_struct *task)
{
	return *(volatile unsigned long *)&task->nvcsw + *(volatile unsigned long *)&task->nivcsw;
}

static __always_inline bool comm_is(const struct kc_wanted *wanted, const char *comm)
{
	for (__u32 i = 0; i < KC_COMM_LEN; i++) {
		if (i >= wanted->comm_len)
			break;
		if (comm[i] != wanted->comm[i])
			return false;
	}
	return true;
}

/* The names, and what else costs as much as the rest of a look at a cached task: when needed. */
static __always_inline void name(struct task_struct *task, struct kc_record *head)
{
	long failed = bpf_probe_read_kernel(head->comm, sizeof(head->comm), task->comm);

	failed |= bpf_probe_read_kernel(head->leader_comm, sizeof(head->leader_comm),
					task->group_leader->comm);
	if (failed) /* no write to what all CPUs share, at each switch of the host */
		lose(KC_LOSS_TASK);
	head->flags |= compat_flag(task);
}

/* Its numbers are in *head already; its names are afterwards, if it takes them to tell. */
static __always_inline bool is_task_wanted(const struct kc_wanted *wanted, struct task_struct *task,
					   struct kc_record *head)
{
	bool lost = false;

	if (wanted->pid && head->pid != wanted->pid)
		return false;
	if (wanted->tid && head->tid != wanted->tid)
		return false;
	if (wanted->by_cgroup && !task_in_cgroup(task, wanted->cgroup, &lost)) {
		if (lost)
			lose(KC_LOSS_CGROUP);
		return false;
	}
	if (!wanted->comm_len)
		return true;
	name(task, head);
	return comm_is(wanted, head->comm) || comm_is(wanted, head->leader_comm);
}

#endif
