// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/lookers.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "util/log.h"
#include "util/rights.h"

#define STACK_SIZE (512 * 1024)

/* All of them together look so often in a hold-off, and each at least once; each look costs a
 * wake-up. */
#define LOOKS 5

#define IDLE_MS 200 /* if no CPU is ever held */

struct looker {
	struct kc_lookers *lookers;
	unsigned int nth;
	pthread_t thread;
};

struct kc_lookers {
	struct kc_looking looking;
	unsigned int period; /* ms, of each */
	_Atomic bool stop;
	struct looker threads[KC_LOOKERS];
	unsigned int wanted, nr_threads;
};

/* CPUs that we may run on. */
static unsigned int count_cpus(void)
{
	cpu_set_t all;

	/* A host may have more than fit into that. */
	return sched_getaffinity(0, sizeof(all), &all) ? sysconf(_SC_NPROCESSORS_ONLN)
						       : CPU_COUNT(&all);
}

/* The nth of them, from 0. */
static bool nth_cpu(unsigned int n, cpu_set_t *ret_set)
{
	cpu_set_t all;

	if (sched_getaffinity(0, sizeof(all), &all))
		return false;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && n-- == 0) {
			CPU_ZERO(ret_set);
			CPU_SET(cpu, ret_set);
			return true;
		}
	return false;
}

bool kc_lookers_are_possible(void)
{
	return count_cpus() >= 2;
}

/* Milliseconds to this thread's next turn, from 1 to the period. */
static int until_turn(const struct looker *looker)
{
	unsigned int period = looker->lookers->period;
	struct timespec time;
	uint64_t ms;

	clock_gettime(CLOCK_MONOTONIC, &time);
	ms = time.tv_sec * UINT64_C(1000) + time.tv_nsec / 1000000;
	return period - (ms + looker->nth * period / looker->lookers->wanted) % period;
}

void kc_lookers_urgency(void)
{
	struct sched_param param = { .sched_priority = 1 };

	if (pthread_setschedparam(pthread_self(), SCHED_FIFO, &param))
		kc_debug("no raised priority for the thread that writes events");
}

/*
 * What is done while a CPU is held must not wait for memory or for a turn. By the thread itself,
 * and first: on PREEMPT_RT the timer of who has no such priority waits for a thread of the CPU that
 * it was set on.
 */
static void make_urgent(const struct looker *looker)
{
	cpu_set_t cpu;

	/* Spread over all there are: what is bound to CPUs is often bound to the first ones. */
	if (nth_cpu(looker->nth * count_cpus() / looker->lookers->wanted, &cpu))
		pthread_setaffinity_np(pthread_self(), sizeof(cpu), &cpu);
	kc_lookers_urgency();
}

static void *look(void *arg)
{
	struct looker *looker = arg;
	struct kc_lookers *lookers = looker->lookers;
	struct pollfd fd = { .fd = lookers->looking.fd, .events = POLLIN };

	if (lookers->looking.hold_off)
		make_urgent(looker);
	while (!lookers->stop) {
		poll(&fd, 1, until_turn(looker));
		/* Events that the other one is at would wake us again and again. */
		if (!lookers->looking.look(lookers->looking.arg, looker->nth))
			poll(NULL, 0, until_turn(looker));
	}
	return NULL;
}

int kc_lookers_thread(pthread_t *ret_thread, void *(*run)(void *arg), void *arg)
{
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	err = -pthread_create(ret_thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	return err;
}

static int start(struct kc_lookers *lookers)
{
	int err = 0;

	for (unsigned int i = 0; !err && i < lookers->wanted; i++) {
		struct looker *looker = &lookers->threads[i];

		*looker = (struct looker){ .lookers = lookers, .nth = i };
		err = kc_lookers_thread(&looker->thread, look, looker);
		if (err)
			break;
		lookers->nr_threads++;
	}
	return err;
}

static void lock_memory(void)
{
	bool later;
	int err = kc_lock_memory(&later);

	if (err || !later)
		kc_info("%s memory can't be kept from being swapped out (%s): a record of a panic "
			"may come late",
			err ? "our" : "all of our",
			err ? kc_strerror(err) : "no CAP_IPC_LOCK, and a limit");
}

static unsigned int count_wanted(void)
{
	unsigned int cpus = count_cpus();

	return cpus < 2 ? 2 : cpus < KC_LOOKERS ? cpus : KC_LOOKERS;
}

int kc_lookers_start(const struct kc_looking *looking, struct kc_lookers **ret_lookers)
{
	struct kc_lookers *lookers kc_auto(kc_cleanup_lookers) = calloc(1, sizeof(*lookers));
	int err;

	if (!lookers)
		return -ENOMEM;
	lookers->looking = *looking;
	lookers->wanted = count_wanted();
	lookers->period = looking->hold_off ? looking->hold_off * lookers->wanted / LOOKS : IDLE_MS;
	if (!lookers->period)
		lookers->period = 1;
	if (looking->hold_off)
		lock_memory();
	err = start(lookers);
	if (err)
		return err;
	*ret_lookers = kc_take(lookers);
	return 0;
}

void kc_lookers_free(struct kc_lookers *lookers)
{
	if (!lookers)
		return;
	lookers->stop = true;
	for (unsigned int i = 0; i < lookers->nr_threads; i++)
		pthread_join(lookers->threads[i].thread, NULL);
	free(lookers);
}
