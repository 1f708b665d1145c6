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

/* Who a task is; flags as enum kc_record_flag. Not 0: some of it could not be read. */
static __always_inline long read_thread(struct task_struct *task, __u64 *start_ns, char *comm,
					char *leader_comm, __u32 *ret_flags)
{
	struct task_struct *leader = NULL;
	__u32 flags = 0;
	long failed;

	failed = bpf_core_read(start_ns, sizeof(*start_ns), &task->start_boottime);
	failed |= bpf_core_read(comm, KC_COMM_LEN, &task->comm);
	failed |= bpf_core_read(&leader, sizeof(leader), &task->group_leader);
	failed |= bpf_core_read(leader_comm, KC_COMM_LEN, &leader->comm);
	failed |= bpf_core_read(&flags, sizeof(flags), &task->flags);
	*ret_flags = (flags & PF_KTHREAD ? KC_RECORD_KTHREAD : 0) | compat_flag(task);
	return failed;
}

/* Who can't be told apart is told. */
static __always_inline bool has_name(const struct kc_wanted *wanted, struct task_struct *task)
{
	char comm[KC_COMM_LEN] = {}, leader_comm[KC_COMM_LEN] = {};
	__u64 start_ns;
	__u32 flags;

	return read_thread(task, &start_ns, comm, leader_comm, &flags) || comm_is(wanted, comm) ||
	       comm_is(wanted, leader_comm);
}

/* As task_in_cgroup(), which needs a task that the verifier knows. */
static __always_inline bool is_in_cgroup(struct task_struct *task, __u64 id)
{
	struct cgroup_subsys_state *css;
	__u64 of = 0;

	css = (void *)BPF_CORE_READ(task, cgroups, dfl_cgrp);
	if (css)
		css = &((struct cgroup *)css)->self;
	for (__u32 i = 0; i < MAX_CGROUP_LEVELS && css; i++) {
		of = BPF_CORE_READ(css, cgroup, kn, id);
		if (of == id)
			return true;
		css = BPF_CORE_READ(css, parent);
	}
	return false;
}

/*
 * Is the current task one to tell of? What cgroup a path names user space looks up once in a
 * while only: who is not in it may be in the one that has come since, and is user space's to
 * drop; no CPU is held for it, and it takes from no budget but its own.
 */
enum wanted {
	UNWANTED = 0,
	ELSEWHERE = 1,
	WANTED = 2,
};

static __always_inline enum wanted how_current(const struct kc_wanted *wanted)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u64 pid_tgid = bpf_get_current_pid_tgid();

	if ((wanted->pid && pid_tgid >> 32 != wanted->pid) ||
	    (wanted->tid && (__u32)pid_tgid != wanted->tid) ||
	    (wanted->comm_len && !has_name(wanted, task)))
		return UNWANTED;
	return wanted->by_cgroup && !is_in_cgroup(task, wanted->cgroup) ? ELSEWHERE : WANTED;
}

#endif
