// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "cli/filter.h"
#include "cli/monitor.h"
#include "cli/probing.h"

#define STATS_EVERY  10.0 /* seconds */
#define MIN_HOLD_OFF 5	  /* ms: time to look, and to write */
#define MAX_HOLD_OFF 1000 /* the hard lockup detector's time is 10 s */

#define MAX_FUNCTIONS 64 /* -f options */

struct watch_options {
	struct kc_filter filter;
	const char *output;
	unsigned int duration; /* s; 0: until a signal */
	unsigned int period;   /* ms */
	unsigned int max_cpu;  /* percent of one CPU that passes may take */
	unsigned int verbose;
	bool json;
	bool no_probes, dry_run;
	const char *functions[MAX_FUNCTIONS];
	const char *preset;
	size_t nr_functions;
	unsigned int max_probes;
	struct kc_probing_options probing;
};

enum {
	OPTION_MAX_CPU = 0x100,
	OPTION_PRESET,
	OPTION_MAX_PROBES,
	OPTION_DRY_RUN,
	OPTION_NO_PROBES,
	OPTION_HEADROOM,
	OPTION_HOLD_OFF,
	OPTION_KMSG,
};

static const struct argp_option argp_options[] = {
	KC_FILTER_OPTIONS,
	{ "function", 'f', "FUNC|GLOB", 0,
	  "put live probes on these functions (repeatable; default hrtimer_nanosleep, "
	  "do_nanosleep and do_futex)",
	  2 },
	{ "preset", OPTION_PRESET, "NAME", 0, "... on these: futex, sleep, io, net, all-blocking",
	  2 },
	{ "max-probes", OPTION_MAX_PROBES, "COUNT", 0, "refuse to place more (default 64)", 2 },
	{ "dry-run", OPTION_DRY_RUN, NULL, 0, "only show what would be probed", 2 },
	{ "no-probes", OPTION_NO_PROBES, NULL, 0, "no live probes, no tripwire: the sweep alone",
	  2 },
	{ "headroom", OPTION_HEADROOM, "BYTES", 0,
	  "tell of less stack left at a probed function's entry (default 2048, 0: never)", 2 },
	{ "hold-off", OPTION_HOLD_OFF, "MS", 0,
	  "hold a CPU that is about to panic until the finding is written out, at most this "
	  "long (default 50, 0: never)",
	  2 },
	{ "kmsg", OPTION_KMSG, NULL, 0, "a line to the kernel's log for findings of live probes",
	  2 },
	{ "duration", 'd', "SECONDS", 0, "end after this time", 0 },
	{ "sweep", 's', "MS", 0, "time from one pass to the next (default 1000, at least 10)", 0 },
	{ "max-cpu", OPTION_MAX_CPU, "PERCENT", 0,
	  "of one CPU that passes may take before they are made less often (default 5)", 0 },
	{ "json", 'j', NULL, 0, "JSON lines instead of text", 0 },
	{ "output", 'o', "FILE", 0,
	  "append there instead of writing to stdout; findings are synced", 0 },
	{ "verbose", 'v', NULL, 0, "say more on stderr; twice: libbpf's words too", 0 },
	{},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct watch_options *options = state->input;

	if (kc_filter_option(key, arg, state, &options->filter))
		return 0;
	switch (key) {
	case 'd':
		options->duration = kc_parse_number(state, "SECONDS", arg, 1, 1 << 30);
		return 0;
	case 's':
		options->period = kc_parse_number(state, "MS", arg, 10, 3600 * 1000);
		return 0;
	case 'f':
		if (options->nr_functions == MAX_FUNCTIONS)
			argp_error(state, "at most %d functions or globs", MAX_FUNCTIONS);
		options->functions[options->nr_functions++] = arg;
		return 0;
	case OPTION_PRESET:
		options->preset = arg;
		return 0;
	case OPTION_MAX_PROBES:
		options->max_probes = kc_parse_number(state, "COUNT", arg, 1, KC_MAX_POINTS);
		return 0;
	case OPTION_DRY_RUN:
		options->dry_run = true;
		return 0;
	case OPTION_NO_PROBES:
		options->no_probes = true;
		return 0;
	case OPTION_HEADROOM:
		options->probing.headroom = kc_parse_number(state, "BYTES", arg, 0, 1 << 20);
		return 0;
	case OPTION_HOLD_OFF:
		options->probing.hold_off = kc_parse_number(state, "MS", arg, 0, MAX_HOLD_OFF);
		if (options->probing.hold_off && options->probing.hold_off < MIN_HOLD_OFF)
			argp_error(state, "MS must be 0, or at least %d: nothing is written sooner",
				   MIN_HOLD_OFF);
		return 0;
	case OPTION_KMSG:
		options->probing.kmsg = true;
		return 0;
	case OPTION_MAX_CPU:
		options->max_cpu = kc_parse_number(state, "PERCENT", arg, 1, 100);
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
	.doc = "Watch for damaged kernel stack frames: of tasks that sleep, in hot functions as they "
	       "run, and at the panic."
	       "\vEvery pass looks at all threads (or those chosen) that are not running, finds the "
	       "canary slot of each guarded frame on their kernel stacks, and compares it with the "
	       "task's canary, in the kernel. A difference becomes a finding only after it was read "
	       "again while the task provably did not run.\n\n"
	       "Live probes look at chosen functions of running tasks: the depth of the stack at "
	       "their entry, slot, canary and guard at each check, and in functions without a canary "
	       "the return address. A tripwire on panic() tells of stack-protector panics, whoever "
	       "found them. Each probe costs every call of its function: see --dry-run.\n\n"
	       "Findings go to stdout, everything else to stderr. Ctrl-C ends the watch with a "
	       "summary of what was verified.\n\n"
	       "Examples:\n"
	       "  kcanary watch                     all tasks, once a second\n"
	       "  kcanary watch -n App01 --sweep 100\n"
	       "  kcanary watch -c /system.slice/app01.service\n"
	       "  kcanary watch --preset futex --dry-run\n"
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

static int notice_no_match(const struct kc_filter *filter, struct kc_report *report)
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
	return kc_report_notice(report, text);
}

/* A pass may be dear once: modules came and the kernel was learned again, new tasks. */
#define PATIENCE 3

/*
 * How often to look. When the cheapest of the last PATIENCE passes costs more than its
 * share of the period, the next one comes later, so that the share holds.
 */
struct pace {
	const struct watch_options *options;
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

static int adjust(struct pace *pace, const struct kc_stats *stats, struct kc_report *report)
{
	const struct watch_options *options = pace->options;
	bool was_slow = pace->slow;
	double cost, wanted;
	char text[160];

	pace->costs[stats->passes % PATIENCE] = stats->pass_cpu * 1000;
	cost = cheapest(pace); /* 0 until there were that many */
	wanted = cost * 100 / options->max_cpu;
	pace->slow = wanted > options->period;
	pace->period = !pace->slow ? options->period : wanted < 3600000 ? wanted : 3600000;
	if (pace->slow == was_slow)
		return 0;
	if (pace->slow)
		snprintf(
			text, sizeof(text),
			"a pass takes %.1f ms of CPU, more than %u %% of %u ms: looking every %u ms "
			"for now",
			cost, options->max_cpu, options->period, pace->period);
	else
		snprintf(text, sizeof(text), "a pass takes %.1f ms of CPU now: back to every %u ms",
			 cost, options->period);
	return kc_report_notice(report, text);
}

/* Everything seen so far, by the sweep and by live probes (NULL: none). */
static struct kc_stats total(struct kc_monitor *monitor, struct kc_probing *probing)
{
	struct kc_stats stats = *kc_monitor_stats(monitor);

	if (probing)
		kc_probing_stats(probing, &stats.probes);
	stats.findings += stats.probes.findings;
	stats.repeated += stats.probes.repeated;
	return stats;
}

/* Pass, wait, pass ... until a signal, the time is up, or something fails. */
static int loop(const struct watch_options *options, const sigset_t *signals,
		struct kc_monitor *monitor, struct kc_probing *probing, struct kc_report *report,
		const char **ret_why)
{
	struct pace pace = { .options = options, .period = options->period };
	double next_stats = STATS_EVERY;
	const struct kc_stats *stats;
	struct timespec next, now, end;
	struct kc_stats all;
	int err;

	clock_gettime(CLOCK_MONOTONIC, &next);
	end = next;
	end.tv_sec += options->duration;
	for (;;) {
		err = kc_monitor_pass(monitor);
		if (err)
			return err;
		stats = kc_monitor_stats(monitor);
		if (stats->passes == 1 && !stats->tasks && kc_filter_is_set(&options->filter))
			err = notice_no_match(&options->filter, report);
		if (!err)
			err = adjust(&pace, stats, report);
		if (!err && probing)
			err = kc_probing_check_modules(probing);
		if (err)
			return err;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (options->duration && !is_before(&now, &end)) {
			*ret_why = "time is up";
			return 0;
		}
		if (stats->seconds >= next_stats) {
			next_stats += STATS_EVERY;
			all = total(monitor, probing);
			err = kc_report_stats(report, &all);
			if (err)
				return err;
		}
		/* A pass that took longer than the period: no burst to catch up. */
		next = after_ms(next, pace.period);
		if (is_before(&next, &now))
			next = now;
		if (options->duration && is_before(&end, &next))
			next = end;
		if (wait_or_signal(signals, &next)) {
			*ret_why = "stopped";
			return 0;
		}
	}
}

static enum kc_exit conclude(struct kc_monitor *monitor, struct kc_probing *probing,
			     struct kc_report *report, int err, const char *why)
{
	struct kc_stats stats;
	int written = 0;

	if (probing && !err)
		err = kc_probing_check_modules(probing);
	if (probing)
		kc_probing_stop(probing);
	stats = total(monitor, probing);
	if (!err && probing && kc_probing_output_failed(probing))
		err = -EIO;
	if (!err || !kc_monitor_output_failed(monitor))
		written =
			kc_report_stop(report, &stats, probing ? kc_probing_depths(probing) : NULL,
				       err ? "failed" : why);
	if (err)
		kc_error("the watch ended: %s", kc_strerror(err));
	if (written)
		kc_error("the report could not be written: %s", kc_strerror(written));
	if (err || written)
		return KC_EXIT_FAILED;
	if (stats.findings)
		return KC_EXIT_FINDINGS;
	/* Nothing found by looking at nothing is not clean. */
	return kc_stats_is_blind(&stats) || !stats.frames_verified ? KC_EXIT_BLIND : KC_EXIT_CLEAN;
}

/* What to probe, and that it is not too much. */
static enum kc_exit choose(const struct watch_options *options, struct kc_session *session,
			   struct kc_choices *ret_choices)
{
	const struct kc_wish wish = {
		.globs = options->functions,
		.nr_globs = options->nr_functions,
		.preset = options->preset,
	};
	enum kc_exit status;

	*ret_choices = (struct kc_choices){};
	if (options->no_probes)
		return KC_EXIT_CLEAN;
	status = kc_choose(session, &wish, ret_choices);
	if (status == KC_EXIT_CLEAN && ret_choices->points > options->max_probes &&
	    !options->dry_run) {
		kc_error(
			"%zu functions would take %zu probes, more than --max-probes %u; each costs "
			"every call, and the kernel some 10 ms to remove",
			ret_choices->count, ret_choices->points, options->max_probes);
		kc_choices_free(ret_choices);
		return KC_EXIT_USAGE;
	}
	return status;
}

static void print_choices(const struct kc_choices *choices)
{
	printf("%-40s %6s %7s  %s\n", "FUNCTION", "CHECKS", "RETURNS", "");
	for (size_t i = 0; i < choices->count; i++) {
		const struct kc_choice *choice = &choices->choices[i];

		printf("%-40s %6zu %7zu  %s%s%s\n", choice->name, choice->nr_checks,
		       choice->nr_returns,
		       choice->refused	     ? "refused: "
		       : *choice->instead_of ? "guarded in the place of "
		       : !choice->nr_checks  ? "not guarded: return address checked"
					     : "",
		       choice->refused ?: "", choice->refused ? "" : choice->instead_of);
	}
	printf("%zu probes, an entry's for each function among them; and the tripwire on panic\n",
	       choices->points);
}

static int report_start(const struct watch_options *options, const struct kc_choices *choices,
			const struct kc_probing *probing, struct kc_report *report)
{
	kc_auto_free struct kc_probed *probed = calloc(choices->count + 1, sizeof(*probed));
	struct kc_start start = {
		.filter = &options->filter,
		.period = options->period,
		.probed = probed,
	};

	if (!probed)
		return -ENOMEM;
	if (probing) {
		start.nr_probed = kc_probing_probed(probing, probed);
		start.tripwire = kc_probing_has_tripwire(probing);
	}
	return kc_report_start(report, &start);
}

static enum kc_exit watch(const struct watch_options *options, struct kc_session *session,
			  const struct kc_choices *choices)
{
	struct kc_monitor *monitor kc_auto(kc_cleanup_monitor) = NULL;
	struct kc_report *report kc_auto(kc_cleanup_report) = NULL;
	struct kc_told *told kc_auto(kc_cleanup_told) = NULL;
	struct kc_probing *probing kc_auto(kc_cleanup_probing) = NULL;
	struct kc_probing_options wanted = options->probing;
	const char *why = "failed";
	enum kc_exit status;
	sigset_t signals;
	int err;

	/* Before there are threads, which inherit it. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	if (kc_told_new(&told))
		return KC_EXIT_FAILED;
	status = kc_open_report(options->output, options->json, &report);
	if (status == KC_EXIT_CLEAN)
		status = kc_monitor_new(&(struct kc_monitor_options){ .filter = options->filter },
					session, report, told, &monitor);
	wanted.filter = options->filter;
	if (status == KC_EXIT_CLEAN && !options->no_probes)
		status = kc_probing_new(&wanted, choices, session, report, told, &probing);
	if (status != KC_EXIT_CLEAN)
		return status;
	err = report_start(options, choices, probing, report);
	if (!err)
		err = loop(options, &signals, monitor, probing, report, &why);
	return conclude(monitor, probing, report, err, why);
}

enum kc_exit kc_cmd_watch(int argc, char **argv)
{
	struct watch_options options = {
		.period = 1000,
		.max_cpu = 5,
		.max_probes = 64,
		.probing = { .headroom = 2048, .hold_off = 50 },
	};
	struct kc_choices choices;
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
	status = choose(&options, &session, &choices);
	if (status == KC_EXIT_CLEAN && options.dry_run)
		print_choices(&choices);
	else if (status == KC_EXIT_CLEAN)
		status = watch(&options, &session, &choices);
	kc_choices_free(&choices);
	kc_session_close(&session);
	return status;
}
