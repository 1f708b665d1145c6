// SPDX-License-Identifier: GPL-2.0-only
/*
 * calls: make system calls that probed functions serve, and count them.
 *
 *	usage: calls futex|nanosleep|poll|wake SECONDS
 *
 * futex: two threads hand a word to and fro; nanosleep: of 1 ns; poll: nothing, at
 * once; wake: a futex that nobody waits for. One line: "futex 12345 calls a second", and of wake,
 * where nothing depends on a timer or another thread, "at best 440 ns a call".
 */
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

static volatile int stop;
static uint32_t ball;

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void futex(int op, uint32_t value)
{
	struct timespec timeout = { .tv_nsec = 100000000 };

	syscall(SYS_futex, &ball, op, value, &timeout, NULL, 0);
}

/* Wait for our side's turn, then hand the ball over. A wait and a wake each. */
static unsigned long play(uint32_t side)
{
	while (__atomic_load_n(&ball, __ATOMIC_ACQUIRE) != side && !stop)
		futex(FUTEX_WAIT_PRIVATE, !side);
	__atomic_store_n(&ball, !side, __ATOMIC_RELEASE);
	futex(FUTEX_WAKE_PRIVATE, 1);
	return 2;
}

static void *other_side(void *arg)
{
	while (!stop)
		play(1);
	return arg;
}

static unsigned long sleep_shortly(void)
{
	struct timespec time = { .tv_nsec = 1 };

	nanosleep(&time, NULL);
	return 1;
}

static unsigned long poll_nothing(void)
{
	struct pollfd fd = { .fd = 0, .events = POLLPRI };

	poll(&fd, 1, 0);
	return 1;
}

static unsigned long wake_nobody(void)
{
	futex(FUTEX_WAKE_PRIVATE, 1);
	return 1;
}

/* The quickest of many batches: what came between is somebody else's. */
static double quickest_wake(double until)
{
	double best = 1, start, took;

	while (now() < until) {
		start = now();
		for (int i = 0; i < 1000; i++)
			wake_nobody();
		took = (now() - start) / 1000;
		best = took < best ? took : best;
	}
	return best;
}

int main(int argc, char **argv)
{
	unsigned long calls = 0;
	double start = now(), end;
	pthread_t thread;

	if (argc != 3 || !strchr("fnpw", argv[1][0])) {
		fprintf(stderr, "usage: calls futex|nanosleep|poll|wake SECONDS\n");
		return 2;
	}
	end = start + atoi(argv[2]);
	if (argv[1][0] == 'f' && pthread_create(&thread, NULL, other_side, NULL))
		return 1;
	if (argv[1][0] == 'w') {
		printf("wake at best %.0f ns a call\n", quickest_wake(end) * 1e9);
		return 0;
	}
	while (now() < end)
		calls += argv[1][0] == 'f'   ? play(0)
			 : argv[1][0] == 'n' ? sleep_shortly()
					     : poll_nothing();
	stop = 1;
	printf("%s %.0f calls a second\n", argv[1], calls / (now() - start));
	return 0;
}
