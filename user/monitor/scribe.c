// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/scribe.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "monitor/lookers.h"
#include "util/log.h"

struct kc_scribe {
	void (*write)(void *arg);
	void *arg;
	bool urgent;
	_Atomic bool stop;
	int wake;
	_Atomic pid_t tid; /* 0: not running yet */
	pthread_t thread;
};

static void *scribble(void *arg)
{
	struct kc_scribe *scribe = arg;
	uint64_t count;
	bool stop;

	scribe->tid = gettid();
	if (scribe->urgent)
		kc_lookers_urgency();
	do {
		if (read(scribe->wake, &count, sizeof(count)) < 0)
			kc_debug("the scribe's eventfd: %s", kc_strerror(errno));
		stop = scribe->stop; /* before the last look for what is left */
		scribe->write(scribe->arg);
	} while (!stop);
	return NULL;
}

int kc_scribe_start(void (*write)(void *arg), void *arg, bool urgent, struct kc_scribe **ret_scribe)
{
	struct kc_scribe *scribe = calloc(1, sizeof(*scribe));
	int err;

	if (!scribe)
		return -ENOMEM;
	*scribe = (struct kc_scribe){ .write = write, .arg = arg, .urgent = urgent };
	scribe->wake = eventfd(0, EFD_CLOEXEC);
	err = scribe->wake < 0 ? -errno : kc_lookers_thread(&scribe->thread, scribble, scribe);
	if (err) {
		if (scribe->wake >= 0)
			close(scribe->wake);
		free(scribe);
		return err;
	}
	*ret_scribe = scribe;
	return 0;
}

void kc_scribe_wake(struct kc_scribe *scribe)
{
	const uint64_t one = 1;

	if (write(scribe->wake, &one, sizeof(one)) < 0)
		kc_debug("the scribe's eventfd: %s", kc_strerror(errno));
}

void kc_scribe_leave(struct kc_scribe *scribe, unsigned int cpu)
{
	pid_t tid = scribe->tid;
	cpu_set_t others;

	/* The main thread is not pinned. */
	if (!tid || cpu >= CPU_SETSIZE || sched_getaffinity(getpid(), sizeof(others), &others))
		return;
	CPU_CLR(cpu, &others);
	if (CPU_COUNT(&others) && sched_setaffinity(tid, sizeof(others), &others))
		kc_debug("the scribe can't leave CPU %u", cpu);
}

void kc_scribe_free(struct kc_scribe *scribe)
{
	if (!scribe)
		return;
	scribe->stop = true;
	kc_scribe_wake(scribe);
	pthread_join(scribe->thread, NULL);
	close(scribe->wake);
	free(scribe);
}
