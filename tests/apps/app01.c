// SPDX-License-Identifier: GPL-2.0-only
/*
 * App01: a stand-in for the incident's application. Its threads sleep in the
 * ways that server threads sleep; after SECONDS all of them return from their
 * waits (through the checks of every guarded frame below them) and it exits 0.
 *
 *	usage: app01 SECONDS
 *
 * One line "NAME TID" per thread on stdout, then "ready" once all of them wait.
 */
#include <errno.h>
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int seconds;
static uint32_t futex_word;
static int pipe_fds[2];
static int socket_fds[2];

static void wait_futex(void)
{
	while (__atomic_load_n(&futex_word, __ATOMIC_ACQUIRE) == 0)
		syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void wait_futex_timeout(void)
{
	static uint32_t word;
	struct timespec timeout = { .tv_sec = seconds };

	syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &timeout, NULL, 0);
}

static void wait_nanosleep(void)
{
	struct timespec left = { .tv_sec = seconds };

	while (nanosleep(&left, &left) < 0 && errno == EINTR)
		;
}

static void wait_poll(void)
{
	struct pollfd fd = { .fd = socket_fds[0], .events = POLLPRI };

	poll(&fd, 1, seconds * 1000);
}

static void wait_select(void)
{
	struct timeval timeout = { .tv_sec = seconds };
	fd_set fds;

	FD_ZERO(&fds);
	FD_SET(socket_fds[0], &fds);
	select(socket_fds[0] + 1, NULL, NULL, &fds, &timeout);
}

static void wait_epoll(void)
{
	struct epoll_event event = { .events = EPOLLPRI };
	int fd = epoll_create1(EPOLL_CLOEXEC);

	epoll_ctl(fd, EPOLL_CTL_ADD, socket_fds[0], &event);
	epoll_wait(fd, &event, 1, seconds * 1000);
	close(fd);
}

static void wait_pipe(void)
{
	char byte;

	while (read(pipe_fds[0], &byte, 1) < 0 && errno == EINTR)
		;
}

static void wait_socket(void)
{
	char byte;

	while (recv(socket_fds[1], &byte, 1, 0) < 0 && errno == EINTR)
		;
}

/* For another program, or every look for App01 by name would find two. */
static void wait_child(void)
{
	char text[16];
	pid_t pid;

	snprintf(text, sizeof(text), "%d", seconds);
	pid = fork();
	if (!pid) {
		execl("/bin/busybox", "sleep", text, NULL);
		_exit(127);
	}
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static const struct {
	const char *name;
	void (*wait)(void);
} waits[] = {
	{ "a01-futex", wait_futex },	 { "a01-futex-t", wait_futex_timeout },
	{ "a01-sleep", wait_nanosleep }, { "a01-poll", wait_poll },
	{ "a01-select", wait_select },	 { "a01-epoll", wait_epoll },
	{ "a01-pipe", wait_pipe },	 { "a01-socket", wait_socket },
	{ "a01-wait", wait_child },
};

#define NR_WAITS (sizeof(waits) / sizeof(waits[0]))

static pthread_barrier_t started;

static void *thread(void *arg)
{
	size_t i = (size_t)(uintptr_t)arg;

	prctl(PR_SET_NAME, waits[i].name);
	printf("%s %ld\n", waits[i].name, syscall(SYS_gettid));
	pthread_barrier_wait(&started);
	waits[i].wait();
	return NULL;
}

static void die(const char *what)
{
	fprintf(stderr, "app01: %s: %s\n", what, strerror(errno));
	exit(1);
}

int main(int argc, char **argv)
{
	pthread_t threads[NR_WAITS];

	seconds = argc == 2 ? atoi(argv[1]) : 0;
	if (seconds <= 0) {
		fprintf(stderr, "usage: app01 SECONDS\n");
		return 2;
	}
	prctl(PR_SET_NAME, "App01");
	if (pipe(pipe_fds) || socketpair(AF_UNIX, SOCK_STREAM, 0, socket_fds))
		die("pipe");
	pthread_barrier_init(&started, NULL, NR_WAITS + 1);
	for (size_t i = 0; i < NR_WAITS; i++) {
		errno = pthread_create(&threads[i], NULL, thread, (void *)(uintptr_t)i);
		if (errno)
			die("pthread_create");
	}
	pthread_barrier_wait(&started);
	printf("ready\n");
	fflush(stdout);

	wait_nanosleep();
	__atomic_store_n(&futex_word, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, &futex_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	if (write(pipe_fds[1], "x", 1) != 1 || write(socket_fds[0], "x", 1) != 1)
		die("write");
	for (size_t i = 0; i < NR_WAITS; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
