// SPDX-License-Identifier: GPL-2.0-only
/* Pass, wait, pass: how a watch goes on, and how it ends. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_host.h"
#include "fake_watch.h"
#include "monitor/loop.h"

#define HOUR 3600

static struct kc_loop loop;
static struct kc_filter filter;
static sigset_t signals;
static const char *why;
static unsigned int passed; /* passes */
static void (*in_pass)(void);

/* Each test says what happens in which pass. */
static void count_pass(void)
{
	passed++;
	if (in_pass)
		in_pass();
}

static int setup(void **state)
{
	fake_watch_setup(state);
	fake_cpu_is_used(0);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	filter = (struct kc_filter){};
	loop = (struct kc_loop){
		.filter = &filter,
		.period = 10,
		.max_cpu = 50,
		.signals = &signals,
		.passes = passes,
		.sinks = &sinks,
	};
	passed = 0;
	why = NULL;
	in_pass = NULL;
	fake_on_pass = count_pass;
	return 0;
}

static int teardown(void **state)
{
	const struct timespec no_time = {};

	/* The loop leaves the signal that ended it where it was. */
	sigtimedwait(&signals, NULL, &no_time);
	fake_cpu_is_real();
	return fake_watch_teardown(state);
}

static void stop_at_3(void)
{
	if (passed == 3)
		kill(getpid(), SIGTERM);
}

static void ends_by_signal(void **state)
{
	(void)state;
	in_pass = stop_at_3;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(why, "stopped");
	assert_int_equal(passed, 3);
	assert_int_equal(seen.notices, 0);
}

static void hours_at_4(void)
{
	if (passed == 4)
		fake_time_passes(2 * HOUR);
}

static void ends_by_duration(void **state)
{
	(void)state;
	loop.duration = HOUR;
	in_pass = hours_at_4;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(why, "time is up");
	assert_int_equal(passed, 4);
}

/* The end comes before the next pass would: one more pass, then. */
static void ends_within_a_period(void **state)
{
	(void)state;
	loop.period = HOUR * 1000;
	loop.duration = 1;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(why, "time is up");
	assert_int_equal(passed, 2);
}

static void damage_at_2(void)
{
	if (passed == 2)
		threads[1].words[SLOT] = 0;
}

static void ends_by_a_sink(void **state)
{
	(void)state;
	in_pass = damage_at_2;
	seen.err = -ENOSPC;
	assert_int_equal(kc_loop_run(&loop, &why), -ENOSPC);
	assert_int_equal(passed, 2);
	assert_int_equal(seen.findings, 1);
}

static void dear_until_8(void)
{
	fake_cpu_is_used(passed <= 8 ? 125 : 1);
	if (passed == 20)
		kill(getpid(), SIGTERM);
}

static void ends_by_a_notice(void **state)
{
	(void)state;
	in_pass = dear_until_8;
	seen.notice_err = -EPIPE;
	assert_int_equal(kc_loop_run(&loop, &why), -EPIPE);
	assert_int_equal(passed, 3);
}

/* Statistics come every ten seconds, however many passes that are. */
static void four_seconds_a_pass(void)
{
	fake_time_passes(4);
	seen.stats_err = passed == 8 ? -EIO : 0;
	if (passed > 8)
		kill(getpid(), SIGTERM);
}

static void ends_by_stats(void **state)
{
	(void)state;
	in_pass = four_seconds_a_pass;
	assert_int_equal(kc_loop_run(&loop, &why), -EIO);
	assert_int_equal(passed, 8);
	assert_int_equal(seen.stats, 3);
}

/* Told when three passes in a row were dear, and when one is cheap again; not in between. */
static void dear_passes(void **state)
{
	static const char *const slow = "a pass takes 125.0 ms of CPU, more than 100 % of 10 "
					"ms: looking every 125 ms for now";

	(void)state;
	loop.max_cpu = 100;
	in_pass = dear_until_8;
	seen.notice_err = -EPIPE;
	assert_int_equal(kc_loop_run(&loop, &why), -EPIPE);
	assert_string_equal(seen.notice, slow);
	assert_int_equal(seen.notices, 1);
	seen.notice_err = 0;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(why, "stopped");
	assert_int_equal(passed, 20);
	assert_string_equal(seen.notice, "a pass takes 1.0 ms of CPU now: back to every 10 ms");
	assert_int_equal(seen.notices, 3);
}

/* Two dear passes in a row, again and again. */
static void sometimes_dear(void)
{
	fake_cpu_is_used(passed % 3 ? 40 : 1);
	if (passed == 20)
		kill(getpid(), SIGTERM);
}

static void dear_now_and_then(void **state)
{
	(void)state;
	in_pass = sometimes_dear;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_int_equal(passed, 20);
	assert_int_equal(seen.notices, 0);
}

static void nobody_to_watch(void **state)
{
	(void)state;
	in_pass = stop_at_3;
	filter.comm = "App01";
	fake_threads(threads, 0);
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(seen.notice,
			    "no thread or process is named 'App01' yet; watching for it");
	assert_int_equal(seen.notices, 1);
}

/* While the loop waits for an hour: an event, what becomes of it, then the signal. */
static void *send_and_stop(void *arg)
{
	bool *told = arg;

	fake_send(new_event(1000, 4711));
	for (int naps = 0; naps < 60000 && fake_held(KC_HELD_TOLD) != 4711; naps++)
		nap();
	*told = fake_held(KC_HELD_TOLD) == 4711;
	kill(getpid(), SIGTERM);
	return NULL;
}

static bool told;
static pthread_t sender;

static void send_at_1(void)
{
	if (passed == 1)
		pthread_create(&sender, NULL, send_and_stop, &told);
}

static void events_while_waiting(void **state)
{
	struct kc_events *events = start_events();

	(void)state;
	told = false;
	loop.period = HOUR * 1000;
	loop.events = events;
	in_pass = send_at_1;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	pthread_join(sender, NULL);
	assert_true(told);
	assert_string_equal(why, "stopped");
	assert_int_equal(passed, 1);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(kc_events_stop(events), 0);
	kc_events_free(events);
}

static void event_that_fails(void **state)
{
	struct kc_events *events = start_events();

	(void)state;
	loop.period = HOUR * 1000;
	loop.events = events;
	seen.err = -ENOSPC;
	fake_send(new_event(1001, 4712));
	assert_int_equal(kc_loop_run(&loop, &why), -ENOSPC);
	assert_int_equal(seen.findings, 1);
	assert_int_not_equal(fake_held(KC_HELD_TOLD), 4712);
	kc_events_stop(events);
	kc_events_free(events);
}

/* Sums of passes, probes and events; a module's probes that are gone are told in between. */
static void with_probes(void **state)
{
	struct kc_choice choice = { .name = "gone", .refused = "nobody has it" };
	const struct kc_choices choices = { .choices = &choice, .count = 1 };
	struct kc_coverage coverage;
	struct kc_failure failure;

	(void)state;
	assert_int_equal(kc_attach_new(&(struct kc_attach_options){ .session = &session,
								    .choices = &choices,
								    .sinks = &sinks },
				       &failure, &loop.attach),
			 0);
	assert_int_equal(kc_attach_place(loop.attach), 0);
	loop.events = start_events();
	in_pass = stop_at_3;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	kc_attach_stop(loop.attach);
	assert_int_equal(kc_events_stop(loop.events), 0);
	kc_loop_coverage(&loop, &coverage);
	assert_int_equal(coverage.sweep.passes, 3);
	assert_int_equal(coverage.probes.failed, 2); /* and the tripwire: there is no panic() */
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_BLIND);
	kc_events_free(loop.events);
	kc_attach_free(loop.attach);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ends_by_signal),	    TEST(ends_by_duration),  TEST(ends_within_a_period),
		TEST(ends_by_a_sink),	    TEST(ends_by_a_notice),  TEST(ends_by_stats),
		TEST(dear_passes),	    TEST(dear_now_and_then), TEST(nobody_to_watch),
		TEST(events_while_waiting), TEST(event_that_fails),  TEST(with_probes),
	};

	alarm(300); /* a loop that does not end is a failure, too */
	return RUN(tests);
}
