// SPDX-License-Identifier: GPL-2.0-only
/*
 * traps: do what has fooled stack checkers before, for SECONDS.
 *
 *	usage: traps SECONDS
 *
 * Threads and processes that end while they are looked at and whose stacks and
 * numbers go to the next one; exec; sleepers in page faults and signal handlers;
 * the stopped, the traced and the frozen; more runnable threads than CPUs. Each at least
 * ENOUGH times, however slow the machine is. Prints how often each was done.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static time_t end;

#define ENOUGH	 4
#define PATIENCE 120 /* seconds more */

static void nap(long us)
{
	struct timespec time = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	nanosleep(&time, NULL);
}

static void *end_at_once(void *arg)
{
	return arg;
}

static void *sleep_a_little(void *arg)
{
	nap(200);
	return arg;
}

/* Threads and processes that end at once: stacks and numbers are used again. */
static unsigned long churn(void)
{
	pthread_t threads[8];
	unsigned long count = 0;

	for (int i = 0; i < 8; i++)
		if (!pthread_create(&threads[count], NULL, i & 1 ? end_at_once : sleep_a_little,
				    NULL))
			count++;
	for (unsigned long i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	return count;
}

/* A small fork bomb: 2^5 processes, reaped by init or by nobody for a while. */
static unsigned long fork_bomb(void)
{
	pid_t pid = fork();

	if (!pid) {
		for (int i = 0; i < 5; i++)
			if (fork() < 0)
				break;
		nap(500);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	return 32;
}

/* An exec while another thread sleeps: that one is killed, the stack stays. */
static unsigned long execs(void)
{
	pid_t pid = fork();
	pthread_t thread;

	if (!pid) {
		pthread_create(&thread, NULL, sleep_a_little, NULL);
		execl("/bin/busybox", "sleep", "0.01", NULL);
		_exit(1);
	}
	waitpid(pid, NULL, 0);
	return 1;
}

/* A zombie that nobody reaps for a while: a task without a stack. */
static unsigned long zombies(void)
{
	pid_t pid = fork();

	if (!pid)
		_exit(0);
	nap(20000);
	waitpid(pid, NULL, 0);
	return 1;
}

static void *touch(void *page)
{
	*(volatile char *)page = 1;
	return NULL;
}

/* A thread that sleeps in the page fault handler until its page is given. */
static unsigned long page_faults(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_register area = {
		.range = { (uintptr_t)page, 4096 },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_zeropage zero = { .range = area.range };
	pthread_t thread;

	if (fd < 0 || ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &area))
		return 0;
	pthread_create(&thread, NULL, touch, page);
	nap(30000);
	ioctl(fd, UFFDIO_ZEROPAGE, &zero);
	pthread_join(thread, NULL);
	close(fd);
	munmap(page, 4096);
	return 1;
}

static void sleep_in_handler(int signal)
{
	(void)signal;
	nap(30000);
}

static unsigned long signal_handlers(void)
{
	pid_t pid = fork();

	if (!pid) {
		signal(SIGUSR1, sleep_in_handler);
		signal(SIGUSR2, sleep_in_handler);
		raise(SIGUSR1); /* and in it, from outside, SIGUSR2 */
		_exit(0);
	}
	nap(10000);
	kill(pid, SIGUSR2);
	waitpid(pid, NULL, 0);
	return 1;
}

static unsigned long stopped(void)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	kill(pid, SIGSTOP);
	waitpid(pid, NULL, WUNTRACED);
	nap(30000);
	kill(pid, SIGCONT);
	nap(5000);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 1;
}

/* Stopped at each system call, its registers read and written. */
static unsigned long traced(void)
{
	unsigned long stops = 0;
	pid_t pid = fork();
	int status;

	if (!pid) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		for (int i = 0; i < 5; i++)
			nap(100);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	while (!WIFEXITED(status) && !WIFSIGNALED(status)) {
		stops++;
		nap(1000);
		ptrace(PTRACE_SYSCALL, pid, 0, 0);
		if (waitpid(pid, &status, 0) < 0)
			break;
	}
	return stops;
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		fprintf(stderr, "traps: %s: %s\n", path, strerror(errno));
	close(fd);
}

/* Through the cgroup freezer, where one is mounted. */
static unsigned long frozen(void)
{
	char text[16];
	pid_t pid;

	if (access("/sys/fs/cgroup/frozen/cgroup.freeze", W_OK))
		return 0;
	pid = fork();
	if (!pid)
		for (;;)
			nap(1000);
	snprintf(text, sizeof(text), "%d", pid);
	write_file("/sys/fs/cgroup/frozen/cgroup.procs", text);
	write_file("/sys/fs/cgroup/frozen/cgroup.freeze", "1");
	nap(50000);
	write_file("/sys/fs/cgroup/frozen/cgroup.freeze", "0");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return 1;
}

/* Never sleeps of its own will: preempted anywhere, also in the kernel. */
static unsigned long spin(void)
{
	static char buffer[1 << 16];
	int zero = open("/dev/zero", O_RDONLY);
	time_t until = time(NULL) + 1;
	unsigned long count = 0;

	for (; time(NULL) < until; count++)
		if (read(zero, buffer, sizeof(buffer)) < 0 || getppid() < 0)
			break;
	close(zero);
	return count;
}

static const struct {
	const char *name;
	unsigned long (*run)(void);
} traps[] = {
	{ "threads ended", churn },
	{ "processes of fork bombs", fork_bomb },
	{ "execs", execs },
	{ "zombies", zombies },
	{ "page faults", page_faults },
	{ "signal handlers", signal_handlers },
	{ "stopped", stopped },
	{ "ptrace stops", traced },
	{ "frozen", frozen },
	{ "rounds of spinning", spin },
	{ "rounds of spinning", spin },
};

#define NR_TRAPS (sizeof(traps) / sizeof(traps[0]))

int main(int argc, char **argv)
{
	unsigned long *counts =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (argc != 2 || counts == MAP_FAILED) {
		fprintf(stderr, "usage: traps SECONDS\n");
		return 2;
	}
	end = time(NULL) + atoi(argv[1]);
	for (size_t i = 0; i < NR_TRAPS; i++)
		if (!fork()) {
			prctl(PR_SET_NAME, "trap");
			while (time(NULL) < end ||
			       (counts[i] < ENOUGH && time(NULL) < end + PATIENCE))
				counts[i] += traps[i].run();
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	for (size_t i = 0; i < NR_TRAPS; i++)
		printf("%s: %lu\n", traps[i].name, counts[i]);
	return 0;
}
