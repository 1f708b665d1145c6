// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "source/process.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arch/arch.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/time.h"

/* include/linux/sched.h: I am a kernel thread. */
#define PF_KTHREAD 0x00200000

/* /proc/PID/task/TID/NAME as a string; "" if it can't be read. */
static void read_file(uint32_t pid, uint32_t tid, const char *name, char *buf, size_t size)
{
	kc_auto_file FILE *file = NULL;
	char path[96];

	snprintf(path, sizeof(path), "/proc/%u/task/%u/%s", pid, tid, name);
	file = fopen(path, "re");
	buf[file ? fread(buf, 1, size - 1, file) : 0] = '\0';
}

bool kc_process_in_cgroup(const struct kc_process *process, const char *path)
{
	const char *own = process->cgroup;

	for (;;) {
		size_t len;

		path += strspn(path, "/");
		own += strspn(own, "/");
		len = strcspn(path, "/");
		if (!len)
			return true;
		if (strncmp(own, path, len) != 0 || (own[len] != '/' && own[len] != '\0'))
			return false;
		path += len;
		own += len;
	}
}

static bool ends_with(const char *text, size_t len, const char *end)
{
	return len > strlen(end) && !memcmp(text + len - strlen(end), end, strlen(end));
}

/* "docker-", "cri-containerd-": a scope's name before its container's number. */
static void copy_runtime(const char *part, size_t len, struct kc_process *process)
{
	bool named = len > 1 && part[len - 1] == '-' && len <= sizeof(process->runtime);

	for (size_t i = 0; named && i + 1 < len; i++)
		named = isalnum((unsigned char)part[i]) || part[i] == '-';
	process->runtime[0] = '\0';
	if (named)
		snprintf(process->runtime, sizeof(process->runtime), "%.*s", (int)len - 1, part);
}

/* "pod", and a UUID, whose dashes are underscores where systemd has made the name. */
static void find_pod(const char *part, size_t len, struct kc_process *process)
{
	const size_t size = sizeof(process->pod_uid) - 1;

	for (size_t start = 0; start + 3 + size <= len; start++) {
		const char *uid = part + start + 3;
		bool is_uid = !memcmp(part + start, "pod", 3);

		for (size_t i = 0; is_uid && i < size; i++)
			is_uid = i == 8 || i == 13 || i == 18 || i == 23
					 ? uid[i] == '-' || uid[i] == '_'
					 : isxdigit((unsigned char)uid[i]);
		if (!is_uid)
			continue;
		for (size_t i = 0; i < size; i++)
			process->pod_uid[i] = uid[i] == '_' ? '-' : uid[i];
		process->pod_uid[size] = '\0';
		return;
	}
}

static void find_container_id(const char *part, size_t len, struct kc_process *process)
{
	for (size_t start = 0; start + 64 <= len; start++) {
		size_t digits = 0;

		while (start + digits < len && isxdigit((unsigned char)part[start + digits]))
			digits++;
		if (digits == 64) {
			memcpy(process->container_id, part + start, 64);
			process->container_id[64] = '\0';
			copy_runtime(part, start, process);
			return;
		}
		start += digits;
	}
}

void kc_process_parse_cgroup(const char *path, struct kc_process *process)
{
	size_t size = sizeof(process->cgroup);

	process->unit[0] = '\0';
	process->container_id[0] = '\0';
	process->runtime[0] = '\0';
	process->pod_uid[0] = '\0';
	if ((size_t)snprintf(process->cgroup, size, "%s", path) >= size) {
		memcpy(process->cgroup + size - sizeof("..."), "...", sizeof("..."));
		return;
	}
	while (*path) {
		size_t len = strcspn(path, "/");

		/* A name is no longer than NAME_MAX. */
		if ((ends_with(path, len, ".service") || ends_with(path, len, ".scope")) &&
		    len < sizeof(process->unit)) {
			memcpy(process->unit, path, len);
			process->unit[len] = '\0';
		}
		find_container_id(path, len, process);
		find_pod(path, len, process);
		path += len + (path[len] == '/');
	}
}

/* Lines are "7:freezer:/path"; the unified hierarchy's is "0::/path". */
char *kc_process_cgroup(uint32_t pid, uint32_t tid, const char *controllers)
{
	kc_auto_free char *line = NULL;
	kc_auto_file FILE *file = NULL;
	size_t line_size = 0, len = strlen(controllers);
	char path[96];

	snprintf(path, sizeof(path), "/proc/%u/task/%u/cgroup", pid, tid);
	file = fopen(path, "re");
	while (file && getline(&line, &line_size, file) > 0) {
		const char *names = strchr(line, ':');

		line[strcspn(line, "\n")] = '\0';
		if (names && !strncmp(names + 1, controllers, len) && names[1 + len] == ':')
			return strdup(names + 1 + len + 1);
	}
	return NULL;
}

bool kc_process_parse_stat(const char *text, struct kc_process_stat *ret_stat)
{
	const char *fields = strrchr(text, ')');
	struct kc_process_stat stat = {};
	unsigned int flags;

	/* Flags are field 9, the start is field 22. */
	if (!fields || sscanf(fields + 1,
			      " %*c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			      "%*d %*d %llu",
			      &flags, &stat.start_ticks) != 2)
		return false;
	stat.kernel_thread = flags & PF_KTHREAD;
	*ret_stat = stat;
	return true;
}

bool kc_process_parse_uid(const char *text, uint32_t *ret_uid)
{
	/* A name's newline is written as an escape there. */
	const char *line = strstr(text, "\nUid:");

	return line && sscanf(line, "\nUid: %" SCNu32, ret_uid) == 1;
}

bool kc_process_takes_fd(const char *syscall)
{
	static const char *const names[] = {
		"accept",      "accept4",      "bind",	     "connect",
		"epoll_pwait", "epoll_pwait2", "epoll_wait", "fallocate",
		"fcntl",       "fdatasync",    "flock",	     "fsync",
		"ftruncate",   "getdents",     "getdents64", "io_uring_enter",
		"ioctl",       "listen",       "lseek",	     "pread64",
		"preadv",      "preadv2",      "pwrite64",   "pwritev",
		"pwritev2",    "read",	       "readv",	     "recvfrom",
		"recvmmsg",    "recvmsg",      "sendmmsg",   "sendmsg",
		"sendto",      "shutdown",     "splice",     "sync_file_range",
		"syncfs",      "write",	       "writev",
	};

	for (size_t i = 0; syscall && i < kc_countof(names); i++)
		if (!strcmp(syscall, names[i]))
			return true;
	return false;
}

static void read_link(const char *path, char *buf, size_t size)
{
	ssize_t len = readlink(path, buf, size - 1);

	buf[len < 0 ? 0 : len] = '\0';
}

/* Of the thread's own table: not all threads of a process need to share one. */
static void read_fd(uint32_t pid, uint32_t tid, struct kc_process *process)
{
	char path[64];

	/* Descriptors are ints, whatever the upper half of the register holds. */
	snprintf(path, sizeof(path), "/proc/%u/task/%u/fd/%d", pid, tid, (int)process->args[0]);
	read_link(path, process->fd_target, sizeof(process->fd_target));
}

void kc_process_parse_syscall(const char *text, struct kc_process *process)
{
	uint64_t args[KC_SYSCALL_ARGS], sp, pc;
	long nr;

	process->in_syscall = false;
	if (sscanf(text,
		   "%ld %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64
		   " %" SCNx64 " %" SCNx64,
		   &nr, &args[0], &args[1], &args[2], &args[3], &args[4], &args[5], &sp,
		   &pc) != 9 ||
	    nr < 0 || !pc)
		return;
	process->in_syscall = true;
	process->syscall_nr = nr;
	memcpy(process->args, args, sizeof(args));
}

/* Of this thread, and not of another that has got its number. */
static bool read_stat(uint32_t pid, uint32_t tid, uint64_t start_ns,
		      struct kc_process_stat *ret_stat)
{
	char text[4096];

	read_file(pid, tid, "stat", text, sizeof(text));
	return kc_process_parse_stat(text, ret_stat) &&
	       ret_stat->start_ticks ==
		       (start_ns + kc_boot_offset_ns()) / (1000000000 / sysconf(_SC_CLK_TCK));
}

bool kc_process_is(uint32_t pid, uint32_t tid, uint64_t start_ns)
{
	struct kc_process_stat stat;

	return read_stat(pid, tid, start_ns, &stat);
}

void kc_process_read(uint32_t pid, uint32_t tid, uint64_t start_ns, bool asleep, bool compat,
		     struct kc_process *ret_process)
{
	kc_auto_free char *cgroup = NULL;
	struct kc_process_stat stat;
	char path[64], text[4096];

	*ret_process = (struct kc_process){};
	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	read_link(path, ret_process->executable, sizeof(ret_process->executable));
	cgroup = kc_process_cgroup(pid, tid, "");
	if (cgroup)
		kc_process_parse_cgroup(cgroup, ret_process);
	if (asleep) {
		read_file(pid, tid, "syscall", text, sizeof(text));
		kc_process_parse_syscall(text, ret_process);
		if (ret_process->in_syscall && !compat &&
		    kc_process_takes_fd(kc_arch()->syscall_name(ret_process->syscall_nr, false)))
			read_fd(pid, tid, ret_process);
	}
	read_file(pid, tid, "status", text, sizeof(text));
	ret_process->has_uid = kc_process_parse_uid(text, &ret_process->uid);
	/* Asked last: if the number was given to another meanwhile, nothing of it stays. */
	if (!read_stat(pid, tid, start_ns, &stat))
		*ret_process = (struct kc_process){};
	else if (stat.kernel_thread)
		ret_process->in_syscall = false;
}
