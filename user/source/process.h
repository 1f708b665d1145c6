/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Whose frame it is: what /proc says of a thread, best effort. */
#ifndef KC_SOURCE_PROCESS_H
#define KC_SOURCE_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#define KC_SYSCALL_ARGS 6

/* Every field may be empty or false: the thread may be gone, /proc may refuse. */
struct kc_process {
	char executable[256];
	char cgroup[4096];     /* ends with "..." if it was cut: no unit and no id are told then */
	char unit[256];	       /* systemd unit, the last *.service or *.scope in the cgroup */
	char container_id[65]; /* 64 hex digits in the cgroup's path ... */
	char runtime[24];      /* ... and what stands before them: "docker", "cri-containerd" */
	char pod_uid[37];      /* Kubernetes': of the pod */
	char fd_target[256];   /* what the call's file descriptor is: a path, "socket:[7]" */
	uint32_t uid;	       /* the thread's, real */
	bool has_uid;
	bool in_syscall;
	long syscall_nr;
	const char *syscall_name; /* NULL: not known; whoever knows what calls it makes says it */
	uint64_t args[KC_SYSCALL_ARGS];
};

/*
 * start_ns (boot time) tells the thread from a later one of the same number. The system
 * call is read of a thread that is asleep; of another, /proc might wait until it is. Nothing is
 * asked that takes the process's mmap lock, which the thread may hold: no command line.
 */
void kc_process_read(uint32_t pid, uint32_t tid, uint64_t start_ns, bool asleep, bool compat,
		     struct kc_process *ret_process);

/* Is there this thread, and no later one of the same number? */
bool kc_process_is(uint32_t pid, uint32_t tid, uint64_t start_ns);

/*
 * The thread's cgroup in the hierarchy of these controllers ("" is the unified one); the caller's
 * to free. NULL: there is none, or the thread is gone.
 */
char *kc_process_cgroup(uint32_t pid, uint32_t tid, const char *controllers);

/* Is it in the cgroup of this path, from the hierarchy's root on, or below it? */
bool kc_process_in_cgroup(const struct kc_process *process, const char *path);

/* Keep a cgroup path, and its unit and container id (both may end up empty). */
void kc_process_parse_cgroup(const char *path, struct kc_process *process);

/* Of /proc/PID/task/TID/stat. */
struct kc_process_stat {
	unsigned long long start_ticks; /* since boot */
	bool kernel_thread;
};

/* text is the whole file: the name in it may hold anything, newlines too. */
bool kc_process_parse_stat(const char *text, struct kc_process_stat *ret_stat);

/* Of /proc/PID/task/TID/status, the real one. */
bool kc_process_parse_uid(const char *text, uint32_t *ret_uid);

/* Is the first argument of the system call of this name a file descriptor? */
bool kc_process_takes_fd(const char *syscall);

/*
 * Of the whole /proc/PID/task/TID/syscall: is it in a system call? Threads that never
 * were in user mode show whatever is where its registers would be saved.
 */
void kc_process_parse_syscall(const char *text, struct kc_process *process);

#endif
