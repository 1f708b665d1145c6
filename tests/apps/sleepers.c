// SPDX-License-Identifier: GPL-2.0-only
/*
 * sleepers: many threads that sleep, and the plain way to look at them.
 *
 *	usage: sleepers COUNT       start COUNT threads, print "ready", sleep
 *	       sleepers read PID    read each thread's /proc/PID/task/TID/stack, again
 *	                            and again for 3 s; print microseconds a thread
 *
 * A quarter each waits in nanosleep, futex, poll and a pipe's read.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int pipe_fds[2];

static void *sleeper(void *arg)
{
	struct pollfd fd = { .fd = pipe_fds[0], .events = POLLIN };
	static uint32_t word;
	char byte;

	switch ((uintptr_t)arg % 4) {
	case 0:
		for (;;)
			sleep(1000);
	case 1:
		syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
		break;
	case 2:
		poll(&fd, 1, -1);
		break;
	default:
		if (read(pipe_fds[0], &byte, 1) < 0)
			return NULL;
	}
	return NULL;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* One look at every thread; how many there were. */
static unsigned long read_stacks(const char *pid)
{
	char path[320], buffer[4096];
	unsigned long count = 0;
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		int fd;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/proc/%s/task/%s/stack", pid, entry->d_name);
		fd = open(path, O_RDONLY);
		count += fd >= 0 && read(fd, buffer, sizeof(buffer)) > 0;
		close(fd);
	}
	if (dir)
		closedir(dir);
	return count;
}

int main(int argc, char **argv)
{
	unsigned long threads = 0;
	double start = now();
	pthread_attr_t attr;
	pthread_t thread;

	if (argc == 3 && !strcmp(argv[1], "read")) {
		while (now() - start < 3)
			threads += read_stacks(argv[2]);
		printf("%.2f us a thread\n", (now() - start) * 1e6 / threads);
		return !threads;
	}
	if (argc != 2 || pipe(pipe_fds)) {
		fprintf(stderr, "usage: sleepers COUNT | sleepers read PID\n");
		return 2;
	}
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 65536);
	for (long i = 0; i < atol(argv[1]); i++)
		if (pthread_create(&thread, &attr, sleeper, (void *)i)) {
			perror("sleepers: pthread_create");
			return 1;
		}
	sleep(1);
	printf("ready\n");
	fflush(stdout);
	pause();
	return 0;
}
