// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/pace.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/resource.h>

#include "util/cleanup.h"
#include "util/log.h"
#include "util/time.h"

/* Later than this, and than one period, is a gap. */
#define TOLERANCE 1.0 /* seconds */

/* Back to what was asked for when no pass was dear for so long: nobody wants to hear of each
 * change. */
#define CALM 60.0 /* seconds */

#define MAX_PERIOD 3600000.0 /* ms */

/*
 * How long this thread has waited for a CPU, runnable: the second number of schedstat, ns. It is 0
 * without CONFIG_SCHED_INFO.
 */
static double read_queued(void)
{
	kc_auto_file FILE *file = fopen("/proc/thread-self/schedstat", "re");
	uint64_t ns;

	return file && fscanf(file, "%*u %" SCNu64, &ns) == 1 ? ns / 1e9 : 0;
}

/* It comes when somebody lets us go on, and stays pending: it is blocked. */
static bool was_stopped(void)
{
	const struct timespec no_time = {};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCONT);
	return sigtimedwait(&set, NULL, &no_time) == SIGCONT;
}

void kc_pace_init(struct kc_pace *pace, unsigned int asked, unsigned int max_cpu,
		  struct kc_sinks *sinks)
{
	*pace = (struct kc_pace){
		.asked = asked,
		.max_cpu = max_cpu,
		.sinks = sinks,
		.period = asked,
		.began = kc_seconds_of(CLOCK_MONOTONIC),
		.queued = read_queued(),
	};
}

/*
 * So that a fork bomb can't keep this thread from running: its share of a CPU is then that of 87
 * others. It stays a share, and --max-cpu bounds what is taken of it; a real-time thread would have
 * a CPU for as long as it likes, when modules come and the kernel is learned again for seconds.
 * Nor before the first pass is over, which is as dear.
 */
static void raise_priority(void)
{
	if (setpriority(PRIO_PROCESS, 0, -20)) /* on Linux of this thread alone */
		kc_debug("no raised priority for passes: %s", kc_strerror(errno));
}

/* What took more than half of the time that was too long. */
static const char *cause(double late, bool stopped, double queued, double waited, double probing)
{
	if (stopped)
		return "kcanary was stopped by a signal";
	if (queued > late / 2)
		return "other tasks had the CPUs";
	if (waited > late / 2)
		return "the output took that long, a disk or whoever reads it";
	if (probing > late / 2)
		return "modules came or went, and probes with them";
	return "the cause is not known";
}

static int tell_gap(struct kc_pace *pace, double took, double late, const char *why)
{
	char text[200];

	snprintf(
		text, sizeof(text),
		"no pass for %.1f s, %.1f s longer than promised: %s; what slept meanwhile was not "
		"looked at",
		took, late, why);
	return kc_sinks_notice(pace->sinks, text);
}

/* Seconds from pass to pass, however dear they are: what is longer is a gap, too. */
#define LONGEST 10.0

int kc_pace_begin(struct kc_pace *pace)
{
	struct kc_unwritten unwritten;
	double queued = read_queued(), waited = kc_sinks_count(pace->sinks, &unwritten);
	double time = kc_seconds_of(CLOCK_MONOTONIC), took = time - pace->began,
	       asked = pace->asked / 1000.0, most = asked < LONGEST ? LONGEST : asked,
	       period = pace->period / 1000.0, kept = period < most ? period : most,
	       promised = kept, late;
	bool stopped = was_stopped(), dear;
	int err = 0;

	/* A pass that is long because it has that much to do is looking all the time. */
	if (promised < pace->cost)
		promised = pace->cost;
	late = took - promised;
	dear = period - kept > late / 2;
	if (late > TOLERANCE && late > asked) {
		pace->counts.gaps++;
		pace->counts.gap_ms += late * 1000;
		if (!dear || !pace->dear_told) /* of those there will be one after each pass */
			err = tell_gap(pace, took, late,
				       dear ? "passes take more CPU than --max-cpu allows them"
					    : cause(late, stopped, queued - pace->queued,
						    waited - pace->waited, pace->probing));
		pace->dear_told |= dear;
	}
	pace->began = time;
	pace->queued = queued;
	pace->waited = waited;
	pace->probing = 0;
	return err;
}

void kc_pace_cut(struct kc_pace *pace, double cpu)
{
	if (pace->cost < cpu)
		pace->cost = cpu;
}

void kc_pace_probed(struct kc_pace *pace, double seconds)
{
	pace->probing += seconds;
}

static double cheapest(const struct kc_pace *pace)
{
	double least = pace->costs[0];

	for (size_t i = 1; i < KC_PACE_PATIENCE; i++)
		least = pace->costs[i] < least ? pace->costs[i] : least;
	return least;
}

/* Told when it begins, when it has become much more than was told, and when it is over. */
static int tell_pace(struct kc_pace *pace, double cost)
{
	bool over = pace->told && kc_seconds_of(CLOCK_MONOTONIC) - pace->last_dear >= CALM;
	char text[160];

	if (pace->period > (pace->told ? 2 * pace->told : pace->asked)) {
		pace->told = pace->period;
		snprintf(text, sizeof(text),
			 "a pass takes %.1f ms of CPU, more than %u %% of %u ms: looking every %u "
			 "ms for now",
			 cost, pace->max_cpu, pace->asked, pace->period);
	} else if (over) {
		pace->told = 0;
		pace->dear_told = false;
		snprintf(text, sizeof(text), "a pass takes %.1f ms of CPU now: back to every %u ms",
			 cost, pace->asked);
	} else {
		return 0;
	}
	return kc_sinks_notice(pace->sinks, text);
}

/*
 * When the cheapest of the last passes costs more than its share of the period, the next one comes
 * later, so that the share holds.
 */
int kc_pace_end(struct kc_pace *pace, const struct kc_coverage *coverage)
{
	double cost, wanted;

	if (coverage->sweep.passes == 1)
		raise_priority();
	pace->cost = coverage->pass_cpu;
	pace->costs[coverage->sweep.passes % KC_PACE_PATIENCE] = coverage->pass_cpu * 1000;
	cost = cheapest(pace); /* 0 until there were that many */
	wanted = cost * 100 / pace->max_cpu;
	pace->period = wanted <= pace->asked ? pace->asked
		       : wanted < MAX_PERIOD ? wanted
					     : MAX_PERIOD;
	if (pace->period > pace->asked) {
		pace->last_dear = kc_seconds_of(CLOCK_MONOTONIC);
		pace->counts.slowed_ms += pace->period - pace->asked;
	}
	return tell_pace(pace, cost);
}
