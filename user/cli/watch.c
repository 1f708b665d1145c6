// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/monitor.h"

#define STATS_EVERY 10.0 /* seconds */

struct watch_options {
	uint32_t pid;
	const char *comm;
	const char *output;
	unsigned int duration; /* s; 0: until a signal */
	unsigned int period;   /* ms */
	unsigned int verbose;
	bool json;
};

static const struct argp_option argp_options[] = {
	{ "pid", 'p', "PID", 0, "watch this process only", 0 },
	{ "comm", 'n', "COMM", 0, "watch threads of this name, and processes of this name", 0 },
	{ "duration", 'd', "SECONDS", 0, "end after this time", 0 },
	{ "sweep", 's', "MS", 0, "time from one pass to the next (default 1000, at least 10)", 0 },
	{ "json", 'j', NULL, 0, "JSON lines instead of text", 0 },
	{ "output", 'o', "FILE", 0,
	  "append there instead of writing to stdout; findings are synced", 0 },
	{ "verbose", 'v', NULL, 0, "say more on stderr; twice: libbpf's words too", 0 },
	{},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct watch_options *options = state->input;

	switch (key) {
	case 'p':
		options->pid = kc_parse_number(state, "PID", arg, 1, 4194304);
		return 0;
	case 'n':
		if (!*arg)
			argp_error(state, "COMM must not be empty");
		options->comm = arg;
		return 0;
	case 'd':
		options->duration = kc_parse_number(state, "SECONDS", arg, 1, 1 << 30);
		return 0;
	case 's':
		options->period = kc_parse_number(state, "MS", arg, 10, 3600 * 1000);
		return 0;
	case 'j':
		options->json = true;
		return 0;
	case 'o':
		options->output = arg;
		return 0;
	case 'v':
		options->verbose++;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "unexpected argument '%s'", arg);
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_option,
	.doc = "Watch for damaged kernel stack frames of tasks that sleep."
	       "\vEvery pass looks at all threads (or those chosen) that are not running, finds the "
	       "canary slot of each guarded frame on their kernel stacks, and compares it with the "
	       "task's canary, in the kernel. A difference becomes a finding only after it was read "
	       "again while the task provably did not run.\n\n"
	       "Findings go to stdout, everything else to stderr. Ctrl-C ends the watch with a "
	       "summary of what was verified.\n\n"
	       "Examples:\n"
	       "  kcanary watch                     all tasks, once a second\n"
	       "  kcanary watch -n App01 --sweep 100\n"
	       "  kcanary watch -j -o /var/log/kcanary.json -d 3600",
};

/* Wait until `until`; true if a signal asks us to end. */
static bool wait_or_signal(const sigset_t *signals, const struct timespec *until)
{
	struct timespec now, left;
	int signal;

	for (;;) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		left.tv_sec = until->tv_sec - now.tv_sec;
		left.tv_nsec = until->tv_nsec - now.tv_nsec;
		if (left.tv_nsec < 0) {
			left.tv_sec--;
			left.tv_nsec += 1000000000;
		}
		if (left.tv_sec < 0)
			left = (struct timespec){};
		signal = sigtimedwait(signals, NULL, &left);
		if (signal > 0)
			return true;
		if (errno != EINTR)
			return false;
	}
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

static int notice_no_match(const struct watch_options *options, struct kc_report *report)
{
	char text[160];

	if (options->comm)
		snprintf(text, sizeof(text),
			 "no thread or process is named '%s' yet; watching for it", options->comm);
	else
		snprintf(text, sizeof(text), "there is no process %u yet; watching for it",
			 options->pid);
	return kc_report_notice(report, text);
}

/* Pass, wait, pass ... until a signal, the time is up, or something fails. */
static int loop(const struct watch_options *options, struct kc_monitor *monitor,
		struct kc_report *report, const char **ret_why)
{
	double next_stats = STATS_EVERY;
	const struct kc_stats *stats;
	struct timespec next, now, end;
	sigset_t signals;
	int err;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	clock_gettime(CLOCK_MONOTONIC, &next);
	end = next;
	end.tv_sec += options->duration;
	for (;;) {
		err = kc_monitor_pass(monitor);
		if (err)
			return err;
		stats = kc_monitor_stats(monitor);
		if (stats->passes == 1 && !stats->tasks && (options->comm || options->pid)) {
			err = notice_no_match(options, report);
			if (err)
				return err;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (options->duration && !is_before(&now, &end)) {
			*ret_why = "time is up";
			return 0;
		}
		if (stats->seconds >= next_stats) {
			next_stats += STATS_EVERY;
			err = kc_report_stats(report, stats);
			if (err)
				return err;
		}
		/* A pass that took longer than the period: no burst to catch up. */
		next = after_ms(next, options->period);
		if (is_before(&next, &now))
			next = now;
		if (options->duration && is_before(&end, &next))
			next = end;
		if (wait_or_signal(&signals, &next)) {
			*ret_why = "stopped";
			return 0;
		}
	}
}

static enum kc_exit conclude(struct kc_monitor *monitor, struct kc_report *report, int err,
			     const char *why)
{
	const struct kc_stats *stats = kc_monitor_stats(monitor);
	int written = 0;

	if (!err || !kc_monitor_output_failed(monitor))
		written = kc_report_stop(report, stats, err ? "failed" : why);
	if (err)
		kc_error("the watch ended: %s", kc_strerror(err));
	if (written)
		kc_error("the report could not be written: %s", kc_strerror(written));
	if (err || written)
		return KC_EXIT_FAILED;
	if (stats->findings)
		return KC_EXIT_FINDINGS;
	/* Nothing found by looking at nothing is not clean. */
	return kc_stats_blind(stats) || !stats->frames_verified ? KC_EXIT_BLIND : KC_EXIT_CLEAN;
}

static enum kc_exit watch(const struct watch_options *options, struct kc_session *session)
{
	struct kc_monitor *monitor kc_auto(kc_cleanup_monitor) = NULL;
	struct kc_report *report kc_auto(kc_cleanup_report) = NULL;
	struct kc_sweep *sweep kc_auto(kc_cleanup_sweep) = NULL;
	const char *why = "failed";
	struct kc_host host;
	char reason[160];
	int err;

	err = kc_report_new(options->output, options->json, &report);
	if (err) {
		kc_error("cannot write to %s: %s", options->output ?: "stdout", kc_strerror(err));
		return KC_EXIT_FAILED;
	}
	err = kc_sweep_new(
		&(struct kc_sweep_options){
			.pid = options->pid,
			.comm = options->comm,
			.thread_size = session->kernel->thread_size,
			.text = session->kernel->text,
			.text_end = session->kernel->text_end,
		},
		reason, &sweep);
	if (err) {
		kc_error("%s", reason);
		return KC_EXIT_CANNOT_RUN;
	}
	if (kc_monitor_new(session, sweep, report, &monitor))
		return KC_EXIT_FAILED;
	kc_host_read(&host);
	err = kc_report_start(report, &(struct kc_start){
					      .host = &host,
					      .comm = options->comm,
					      .pid = options->pid,
					      .period = options->period,
				      });
	if (!err)
		err = loop(options, monitor, report, &why);
	return conclude(monitor, report, err, why);
}

enum kc_exit kc_cmd_watch(int argc, char **argv)
{
	struct watch_options options = { .period = 1000 };
	struct kc_session session = {};
	enum kc_exit status;

	status = kc_parse(&argp, argc, argv, &options);
	if (status != KC_EXIT_CLEAN)
		return status;
	kc_log_set_level(KC_LOG_INFO + (options.verbose < 2 ? options.verbose : 2));
	signal(SIGPIPE, SIG_IGN); /* a reader that left is an error we report */
	status = kc_session_open(&(struct kc_source){}, &session);
	if (status != KC_EXIT_CLEAN)
		return status;
	status = watch(&options, &session);
	kc_session_close(&session);
	return status;
}
