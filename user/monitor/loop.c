// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/loop.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <time.h>

#include "kernel/overlay.h"
#include "util/array.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/time.h"

#define STATS_EVERY 10.0 /* seconds */
#define ALIVE_EVERY 1.0

/* Seconds of the watch at which it is time again for ... */
struct due {
	double stats, alive;
};

/* One after a gap, not one for each that fell into it. */
static bool take_turn(double *due, double every, double now)
{
	if (now < *due)
		return false;
	while (*due <= now)
		*due += every;
	return true;
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

static bool is_ahead(const struct timespec *time)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return is_before(&now, time);
}

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

/* What can't be opened for now is tried again after the next pass. */
static int reopen(struct kc_loop *loop)
{
	int err = kc_sinks_reopen(loop->sinks, loop->start);

	loop->reopening = err == -EAGAIN;
	return loop->reopening ? 0 : err;
}

/* 1: one that ends the watch, which stays pending: who writes must know of it. Or a sink's error.
 */
static int take_signal(struct kc_loop *loop)
{
	const struct timespec no_time = {};

	if (sigtimedwait(&loop->reopen, NULL, &no_time) < 0)
		return 1;
	return reopen(loop);
}

/* Handle events until `until`: 0. 1: a signal asks us to end; or -errno of what failed. */
static int wait_and_handle(struct kc_loop *loop, int signals, const struct timespec *until)
{
	struct pollfd fds[] = {
		{ .fd = signals, .events = POLLIN },
		{ .fd = loop->events ? kc_events_fd(loop->events) : -1, .events = POLLIN },
		{}, /* the output: an error is told unasked */
		{ .events = POLLIN },
	};
	struct timespec all, left; /* samples may have us look up earlier */
	int err = 0, ready;

	do {
		all = left = left_until(until);
		fds[2].fd = kc_sinks_fd(loop->sinks); /* another one, once it was opened again */
		fds[3].fd = loop->sampling ? kc_sampling_fd(loop->sampling, &left) : -1;
		ready = ppoll(fds, kc_countof(fds), &left, NULL);
		if (ready < 0 && errno != EINTR)
			return -errno;
		if (ready > 0 && fds[1].revents)
			err = kc_events_handle(loop->events);
		if (!err && ready > 0 && fds[3].revents)
			err = kc_sampling_look(loop->sampling);
		if (!err && ready > 0 && fds[0].revents)
			err = take_signal(loop);
		if (!err && ready > 0 && fds[2].revents)
			err = -EPIPE;
		/* Events without end are no reason not to look at who sleeps. */
	} while (!err && (ready || is_before(&left, &all)) && is_ahead(until));
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

void kc_loop_coverage(const struct kc_loop *loop, struct kc_coverage *ret_coverage)
{
	struct kc_unwritten unwritten;

	*ret_coverage = (struct kc_coverage){};
	kc_passes_coverage(loop->passes, ret_coverage);
	if (loop->attach)
		kc_attach_counts(loop->attach, &ret_coverage->probes);
	if (loop->events)
		kc_events_counts(loop->events, &ret_coverage->probes);
	kc_sinks_count(loop->sinks, &unwritten);
	ret_coverage->watch = loop->pace.counts;
	if (loop->attach)
		kc_attach_watch_counts(loop->attach, &ret_coverage->watch);
	if (loop->sampling)
		kc_sampling_counts(loop->sampling, ret_coverage);
	if (loop->mem)
		ret_coverage->watch.unwalked = kc_overlay_unwalked(loop->mem);
	ret_coverage->watch.unwritten = unwritten.lines + kc_log_unwritten();
	ret_coverage->watch.unwritten_findings = unwritten.findings;
}

static int check_modules(struct kc_loop *loop)
{
	double began = kc_seconds_of(CLOCK_MONOTONIC);
	int err = kc_attach_check_modules(loop->attach);

	kc_pace_probed(&loop->pace, kc_seconds_of(CLOCK_MONOTONIC) - began);
	return err;
}

/* Now and then: do the probes still run, and whom are they about? 0 or a sink's error. */
static int look_after(struct kc_loop *loop)
{
	int err = loop->sampling ? kc_sampling_follow(loop->sampling) : 0;

	kc_sinks_alive(loop->sinks);
	if (!loop->attach)
		return err;
	kc_attach_find_cgroup(loop->attach);
	return err ?: kc_attach_check_alive(loop->attach);
}

/* After a pass: what is worth a word. 0 or a sink's error. */
static int remark(struct kc_loop *loop, struct due *due)
{
	struct kc_coverage coverage = {};
	int err = 0;

	kc_passes_coverage(loop->passes, &coverage);
	if (coverage.sweep.passes == 1 && !coverage.sweep.tasks && kc_filter_is_set(loop->filter))
		err = notice_no_match(loop->filter, loop->sinks);
	if (!err)
		err = kc_pace_end(&loop->pace, &coverage);
	if (!err && loop->attach)
		err = check_modules(loop);
	if (!err && take_turn(&due->alive, ALIVE_EVERY, coverage.seconds))
		err = look_after(loop);
	if (!err && take_turn(&due->stats, STATS_EVERY, coverage.seconds)) {
		kc_loop_coverage(loop, &coverage);
		err = kc_sinks_stats(loop->sinks, &coverage);
	}
	return err;
}

static bool has_signal(void *arg)
{
	const struct kc_loop *loop = arg;
	sigset_t pending;

	return !sigpending(&pending) && !sigandset(&pending, &pending, loop->signals) &&
	       !sigisemptyset(&pending);
}

static int run_passes(struct kc_loop *loop)
{
	int err = kc_passes_run(loop->passes);

	struct kc_coverage coverage;

	if (!err)
		return 0;
	kc_passes_coverage(loop->passes, &coverage);
	loop->pace.counts.cut += !coverage.sweep.passes;
	kc_pace_cut(&loop->pace, coverage.pass_cpu);
	return err;
}

static int look(struct kc_loop *loop, struct due *due)
{
	int err = kc_pace_begin(&loop->pace) ?: run_passes(loop);

	if (!err && loop->events)
		err = kc_events_handle(loop->events);
	if (!err && loop->sampling)
		err = kc_sampling_look(loop->sampling);
	if (!err && (loop->reopening || kc_sinks_gone(loop->sinks)))
		err = reopen(loop);
	return err ?: remark(loop, due);
}

/* As wait_and_handle(), and look after probes, samples and who asks after us now and then. */
static int wait_for_turn(struct kc_loop *loop, int signals, const struct timespec *next)
{
	struct timespec until;
	bool last;
	int err;

	do {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until = after_ms(until, ALIVE_EVERY * 1000);
		last = !is_before(&until, next);
		err = wait_and_handle(loop, signals, last ? next : &until);
		if (!err && !last)
			err = look_after(loop);
	} while (!err && !last);
	return err;
}

/* ret_why as it is if something fails. */
static int look_on(struct kc_loop *loop, int signals, const char **ret_why)
{
	struct due due = { .stats = STATS_EVERY };
	struct timespec next, now, end;
	int err;

	clock_gettime(CLOCK_MONOTONIC, &next);
	end = next;
	end.tv_sec += loop->duration;
	for (;;) {
		err = look(loop, &due);
		if (err)
			return err == -EINTR ? kc_pace_begin(&loop->pace) ?: err : err;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (loop->duration && !is_before(&now, &end)) {
			*ret_why = "time is up";
			return kc_pace_begin(&loop->pace);
		}
		/* A pass that took longer than the period: no burst to catch up. */
		next = after_ms(next, loop->pace.period);
		if (is_before(&next, &now))
			next = now;
		if (loop->duration && is_before(&end, &next))
			next = end;
		err = wait_for_turn(loop, signals, &next);
		if (err == 1) {
			*ret_why = "stopped";
			return kc_pace_begin(&loop->pace);
		}
		if (err)
			return err;
	}
}

int kc_loop_run(struct kc_loop *loop, const char **ret_why)
{
	sigset_t all = *loop->signals;
	kc_auto_fd int signals = -1;
	int err;

	sigorset(&all, &all, &loop->reopen);
	signals = signalfd(-1, &all, SFD_CLOEXEC);
	if (signals < 0)
		return -errno;
	kc_passes_ask(loop->passes, has_signal, loop);
	kc_pace_init(&loop->pace, loop->period, loop->max_cpu, loop->sinks);
	err = kc_sinks_start(loop->sinks, loop->start) ?: look_on(loop, signals, ret_why);
	/* Both are how a person ends it: by the reader's end, or while nobody reads. */
	if (err == -EPIPE)
		*ret_why = "nobody reads any more";
	else if (err == -EINTR)
		*ret_why = "stopped";
	else
		return err;
	return 0;
}
