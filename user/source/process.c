// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "source/process.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "util/array.h"
#include "util/cleanup.h"

static const char *const syscall_names[] = {
#include "syscalls.inc"
};

const char *kc_syscall_name(long nr)
{
	return nr >= 0 && (size_t)nr < kc_countof(syscall_names) ? syscall_names[nr] : NULL;
}

/* The first line of /proc/PID/task/TID/NAME without its newline; "" if none. */
static void read_line(uint32_t pid, uint32_t tid, const char *name, char *buf, size_t size)
{
	kc_auto_file FILE *file = NULL;
	char path[96];

	buf[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%u/task/%u/%s", pid, tid, name);
	file = fopen(path, "re");
	if (!file || !fgets(buf, size, file))
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

bool kc_process_in_cgroup(const struct kc_process *process, const char *path)
{
	size_t len = strlen(path);
	const char *found;

	while (len > 1 && path[len - 1] == '/')
		len--;
	if (len == 1 && *path == '/')
		return true;
	/* The path may begin with where the hierarchy is mounted. */
	for (found = path; found; found = strchr(found + 1, '/')) {
		size_t rest = len - (found - path);

		if (!strncmp(process->cgroup, found, rest) &&
		    (process->cgroup[rest] == '\0' || process->cgroup[rest] == '/'))
			return true;
	}
	return false;
}

static bool ends_with(const char *text, size_t len, const char *end)
{
	return len > strlen(end) && !memcmp(text + len - strlen(end), end, strlen(end));
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
			return;
		}
		start += digits;
	}
}

void kc_process_parse_cgroup(const char *path, struct kc_process *process)
{
	process->unit[0] = '\0';
	process->container_id[0] = '\0';
	while (*path) {
		size_t len = strcspn(path, "/");

		if ((ends_with(path, len, ".service") || ends_with(path, len, ".scope")) &&
		    len < sizeof(process->unit)) {
			memcpy(process->unit, path, len);
			process->unit[len] = '\0';
		}
		find_container_id(path, len, process);
		path += len + (path[len] == '/');
	}
}

/* The unified hierarchy's line is "0::/path", beside others on a hybrid host. */
static void read_cgroup(uint32_t pid, uint32_t tid, struct kc_process *process)
{
	char path[96], line[sizeof(process->cgroup)]; /* "0::" more than it needs */
	kc_auto_file FILE *file = NULL;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/cgroup", pid, tid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, "0::", 3) != 0)
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(process->cgroup, sizeof(process->cgroup), "%s", line + 3);
		kc_process_parse_cgroup(process->cgroup, process);
	}
}

/*
 * Is the thread of this number still the one that started then? /proc tells
 * the start in ticks, field 22 of stat, behind a name that may hold anything.
 */
static bool is_same_thread(uint32_t pid, uint32_t tid, uint64_t start_ns)
{
	unsigned long long ticks;
	char line[1024], *fields;

	read_line(pid, tid, "stat", line, sizeof(line));
	fields = strrchr(line, ')');
	if (!fields ||
	    sscanf(fields + 1,
		   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
		   "%*d %*d %llu",
		   &ticks) != 1)
		return false;
	return ticks == start_ns / (1000000000 / sysconf(_SC_CLK_TCK));
}

static void read_syscall(uint32_t pid, uint32_t tid, struct kc_process *process)
{
	uint64_t *args = process->args;
	char line[256];

	read_line(pid, tid, "syscall", line, sizeof(line));
	if (sscanf(line, "%ld %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64 " %" SCNx64,
		   &process->syscall_nr, &args[0], &args[1], &args[2], &args[3], &args[4],
		   &args[5]) != 7 ||
	    process->syscall_nr < 0)
		return;
	process->in_syscall = true;
	process->syscall_name = kc_syscall_name(process->syscall_nr);
}

void kc_process_read(uint32_t pid, uint32_t tid, uint64_t start_ns, bool asleep,
		     struct kc_process *ret_process)
{
	char path[64];
	ssize_t len;

	*ret_process = (struct kc_process){};
	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	len = readlink(path, ret_process->executable, sizeof(ret_process->executable) - 1);
	ret_process->executable[len < 0 ? 0 : len] = '\0';
	read_cgroup(pid, tid, ret_process);
	if (asleep)
		read_syscall(pid, tid, ret_process);
	/* Asked last: if the number was given to another meanwhile, nothing of it stays. */
	if (!is_same_thread(pid, tid, start_ns))
		*ret_process = (struct kc_process){};
}
