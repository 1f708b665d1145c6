// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/loop.h"

#include <errno.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <time.h>

#include "util/array.h"
#include "util/cleanup.h"

#define STATS_EVERY 10.0 /* seconds */

static struct timespec left_until(const struct timespec *until)
{
	struct timespec now, left;

	clock_gettime(CLOCK_MONOTONIC, &now);
	left.tv_sec = until->tv_sec - now.tv_sec;
	left.tv_nsec = until->tv_nsec - now.tv_nsec;
	if (left.tv_nsec < 0) {
		left.tv_sec--;
		left.tv_nsec += 1000000000;
	}
	return left.tv_sec < 0 ? (struct timespec){} : left;
}

/* Handle events until `until`: 0. 1: a signal asks us to end; or -errno of what failed. */
static int wait_and_handle(const struct kc_loop *loop, int signals, const struct timespec *until)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = loop->events ? kc_events_fd(loop->events) : -1, .events = POLLIN },
	};
	int err = 0, ready;

	do {
		struct timespec left = left_until(until);

		ready = ppoll(fds, kc_countof(fds), &left, NULL);
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready > 0 && fds[1].revents)
			err = kc_events_handle(loop->events);
		if (ready > 0 && fds[0].revents)
			return err ?: 1;
	} while (!err && ready);
	return err;
}

static struct timespec after_ms(struct timespec time, unsigned int ms)
{
	time.tv_sec += ms / 1000;
	time.tv_nsec += ms % 1000 * 1000000L;
	if (time.tv_nsec >= 1000000000) {
		time.tv_sec++;
		time.tv_nsec -= 1000000000;
	}
	return time;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static int notice_no_match(const struct kc_filter *filter, struct kc_sinks *sinks)
{
	char text[320];

	if (filter->cgroup)
		snprintf(text, sizeof(text), "no task is in cgroup %s yet; watching for it",
			 filter->cgroup);
	else if (filter->comm)
		snprintf(text, sizeof(text),
			 "no thread or process is named '%s' yet; watching for it", filter->comm);
	else if (filter->tid)
		snprintf(text, sizeof(text), "there is no thread %u yet; watching for it",
			 filter->tid);
	else
		snprintf(text, sizeof(text), "there is no process %u yet; watching for it",
			 filter->pid);
	return kc_sinks_notice(sinks, text);
}

/* A pass may be dear once: modules came and the kernel was learned again, new tasks. */
#define PATIENCE 3

/*
 * How often to look. When the cheapest of the last PATIENCE passes costs more than its
 * share of the period, the next one comes later, so that the share holds.
 */
struct pace {
	const struct kc_loop *loop;
	double costs[PATIENCE]; /* ms of CPU */
	unsigned int period;	/* ms, as it is now */
	bool slow;
};

static double cheapest(const struct pace *pace)
{
	double least = pace->costs[0];

	for (size_t i = 1; i < PATIENCE; i++)
		least = pace->costs[i] < least ? pace->costs[i] : least;
	return least;
}

static int adjust(struct pace *pace, const struct kc_coverage *coverage)
{
	const struct kc_loop *loop = pace->loop;
	bool was_slow = pace->slow;
	double cost, wanted;
	char text[160];

	pace->costs[coverage->sweep.passes % PATIENCE] = coverage->pass_cpu * 1000;
	cost = cheapest(pace); /* 0 until there were that many */
	wanted = cost * 100 / loop->max_cpu;
	pace->slow = wanted > loop->period;
	pace->period = !pace->slow ? loop->period : wanted < 3600000 ? wanted : 3600000;
	if (pace->slow == was_slow)
		return 0;
	if (pace->slow)
		snprintf(
			text, sizeof(text),
			"a pass takes %.1f ms of CPU, more than %u %% of %u ms: looking every %u ms "
			"for now",
			cost, loop->max_cpu, loop->period, pace->period);
	else
		snprintf(text, sizeof(text), "a pass takes %.1f ms of CPU now: back to every %u ms",
			 cost, loop->period);
	return kc_sinks_notice(loop->sinks, text);
}

void kc_loop_coverage(const struct kc_loop *loop, struct kc_coverage *ret_coverage)
{
	*ret_coverage = (struct kc_coverage){};
	kc_passes_coverage(loop->passes, ret_coverage);
	if (loop->attach)
		kc_attach_counts(loop->attach, &ret_coverage->probes);
	if (loop->events)
		kc_events_counts(loop->events, &ret_coverage->probes);
}

/* After a pass: what is worth a word. 0 or a sink's error. */
static int remark(const struct kc_loop *loop, struct pace *pace, double *next_stats)
{
	struct kc_coverage coverage = {};
	int err = 0;

	kc_passes_coverage(loop->passes, &coverage);
	if (coverage.sweep.passes == 1 && !coverage.sweep.tasks && kc_filter_is_set(loop->filter))
		err = notice_no_match(loop->filter, loop->sinks);
	if (!err)
		err = adjust(pace, &coverage);
	if (!err && loop->attach)
		err = kc_attach_check_modules(loop->attach);
	if (!err && loop->attach && (coverage.sweep.passes == 1 || coverage.seconds >= *next_stats))
		err = kc_attach_check_alive(loop->attach);
	if (!err && coverage.seconds >= *next_stats) {
		*next_stats += STATS_EVERY;
		kc_loop_coverage(loop, &coverage);
		err = kc_sinks_stats(loop->sinks, &coverage);
	}
	return err;
}

int kc_loop_run(const struct kc_loop *loop, const char **ret_why)
{
	struct pace pace = { .loop = loop, .period = loop->period };
	double next_stats = STATS_EVERY;
	kc_auto_fd int signals = signalfd(-1, loop->signals, SFD_CLOEXEC);
	struct timespec next, now, end;
	int err;

	if (signals < 0)
		return -errno;
	clock_gettime(CLOCK_MONOTONIC, &next);
	end = next;
	end.tv_sec += loop->duration;
	for (;;) {
		err = kc_passes_run(loop->passes);
		if (err)
			return err;
		if (loop->events)
			err = kc_events_handle(loop->events);
		if (!err)
			err = remark(loop, &pace, &next_stats);
		if (err)
			return err;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (loop->duration && !is_before(&now, &end)) {
			*ret_why = "time is up";
			return 0;
		}
		/* A pass that took longer than the period: no burst to catch up. */
		next = after_ms(next, pace.period);
		if (is_before(&next, &now))
			next = now;
		if (loop->duration && is_before(&end, &next))
			next = end;
		err = wait_and_handle(loop, signals, &next);
		if (err) {
			*ret_why = "stopped";
			return err < 0 ? err : 0;
		}
	}
}
