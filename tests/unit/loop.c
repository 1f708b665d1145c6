// SPDX-License-Identifier: GPL-2.0-only
/* Pass, wait, pass: how a watch goes on, and how it ends. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
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
static struct kc_start start;
static sigset_t signals, reopening;
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
	sigset_t blocked;

	fake_time_stands(true);
	fake_watch_setup(state);
	fake_cpu_is_used(0);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigemptyset(&reopening);
	sigaddset(&reopening, SIGHUP);
	sigorset(&blocked, &signals, &reopening);
	sigaddset(&blocked, SIGCONT);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	sigtimedwait(&blocked, NULL, &(struct timespec){}); /* of the test before */
	filter = (struct kc_filter){};
	loop = (struct kc_loop){
		.filter = &filter,
		.period = 10,
		.max_cpu = 50,
		.signals = &signals,
		.reopen = reopening,
		.start = &start,
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
	fake_time_stands(false);
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

static void stop_after_2_seconds(void)
{
	fake_time_passes(2);
	kill(getpid(), SIGTERM);
}

/* In the middle of the first pass, which may take long: not all was seen. */
static void ends_within_a_pass(void **state)
{
	struct kc_coverage coverage;

	(void)state;
	in_pass = stop_after_2_seconds;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(why, "stopped");
	kc_loop_coverage(&loop, &coverage);
	assert_int_equal(coverage.sweep.passes, 0);
	assert_int_equal(coverage.sweep.verified, 1);
	assert_int_equal(coverage.watch.cut, 1);
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_BLIND);
}

/* What was seen until then is looked at again, and told. */
static void finds_within_a_pass(void **state)
{
	(void)state;
	threads[0].words[SLOT] = 0;
	in_pass = stop_after_2_seconds;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(why, "stopped");
	assert_int_equal(seen.findings, 1);
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
	assert_int_equal(loop.pace.counts.gaps, 1); /* those two hours */
}

/* The end comes before the next pass would: one more pass, then. */
static void ends_within_a_period(void **state)
{
	(void)state;
	fake_time_stands(false);
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
	seen.notice_err = -ENOMEM;
	assert_int_equal(kc_loop_run(&loop, &why), -ENOMEM);
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

static void dear_then_calm(void)
{
	fake_cpu_is_used(passed <= 8 ? 125 : 1);
	if (passed > 8)
		fake_time_passes(1);
	if (passed == 90)
		kill(getpid(), SIGTERM);
}

/* Told when three passes in a row were dear, and when none was for a minute; not in between. */
static void dear_passes(void **state)
{
	static const char *const slow = "a pass takes 125.0 ms of CPU, more than 100 % of 10 "
					"ms: looking every 125 ms for now";

	(void)state;
	loop.max_cpu = 100;
	loop.period = 10;
	in_pass = dear_then_calm;
	seen.notice_err = -ENOMEM;
	assert_int_equal(kc_loop_run(&loop, &why), -ENOMEM);
	assert_string_equal(seen.notice, slow);
	assert_int_equal(seen.notices, 1);
	seen.notice_err = 0;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(why, "stopped");
	assert_int_equal(passed, 90);
	assert_string_equal(seen.notice, "a pass takes 1.0 ms of CPU now: back to every 10 ms");
	/* The first one again, and the end. */
	assert_int_equal(seen.notices, 3);
	assert_true(loop.pace.counts.slowed_ms > 0);
}

/* Dear or not: what is longer than ten seconds is a gap. Each counts, the first is told. */
static void put_off_for_long(void **state)
{
	struct kc_pace pace;

	(void)state;
	kc_pace_init(&pace, 100, 5, &sinks);
	pace.period = 8000;
	pace.cost = 0.4;
	fake_time_passes(8);
	assert_int_equal(kc_pace_begin(&pace), 0);
	assert_int_equal(pace.counts.gaps, 0);
	pace.period = 15000;
	for (size_t i = 1; i <= 2; i++) {
		fake_time_passes(15);
		assert_int_equal(kc_pace_begin(&pace), 0);
		assert_int_equal(pace.counts.gaps, i);
		assert_int_equal(pace.counts.gap_ms, i * 5000);
		assert_int_equal(seen.notices, 1);
	}
	assert_non_null(strstr(seen.notice, "passes take more CPU than --max-cpu allows them"));
	/* Another cause is told. */
	fake_time_passes(40);
	assert_int_equal(kc_pace_begin(&pace), 0);
	assert_int_equal(seen.notices, 2);
}

/* On the edge, for ten minutes: each change would be a line. */
static void dear_in_turns(void)
{
	fake_cpu_is_used(passed / 10 % 2 ? 9 : 4);
	fake_time_passes(1);
	if (passed == 600)
		kill(getpid(), SIGTERM);
}

static void on_the_edge(void **state)
{
	(void)state;
	loop.max_cpu = 60;
	in_pass = dear_in_turns;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_int_equal(seen.notices, 1);
}

/* A back-off that goes on growing is told again and again, each time it has doubled. */
static void dearer_and_dearer(void)
{
	fake_cpu_is_used(passed < 6 ? 4 : passed < 12 ? 10 : passed < 18 ? 15 : 40);
	if (passed == 24)
		kill(getpid(), SIGTERM);
}

static void growing_back_off(void **state)
{
	(void)state;
	in_pass = dearer_and_dearer;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(seen.notice, "a pass takes 40.0 ms of CPU, more than 50 % of 10 ms: "
					 "looking every 80 ms for now");
	assert_int_equal(seen.notices, 2);
}

static void (*in_gap)(void);

static void gap_at_3(void)
{
	if (passed == 3) {
		fake_time_passes(30);
		if (in_gap)
			in_gap();
	}
	if (passed == 30)
		kill(getpid(), SIGTERM);
}

static void be_stopped(void)
{
	kill(getpid(), SIGCONT);
}

static void wait_for_output(void)
{
	seen.waited = 20;
}

static void check_gap(const char *cause)
{
	struct kc_coverage coverage;
	char text[320];

	in_pass = gap_at_3;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_int_equal(passed, 30);
	snprintf(
		text, sizeof(text),
		"no pass for 30.0 s, 30.0 s longer than promised: %s; what slept meanwhile was not "
		"looked at",
		cause);
	assert_string_equal(seen.notice, text);
	assert_int_equal(seen.notices, 1);
	assert_int_equal(seen.stats, 1); /* and not three */
	kc_loop_coverage(&loop, &coverage);
	assert_int_equal(coverage.watch.gaps, 1);
	assert_in_range(coverage.watch.gap_ms, 29900, 30000);
	assert_true(coverage.sweep.verified > 0);
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_BLIND);
}

static void gap_of_a_stop(void **state)
{
	(void)state;
	in_gap = be_stopped;
	check_gap("kcanary was stopped by a signal");
}

static void gap_of_the_output(void **state)
{
	(void)state;
	in_gap = wait_for_output;
	check_gap("the output took that long, a disk or whoever reads it");
}

static void place_probes(void)
{
	kc_pace_probed(&loop.pace, 20);
}

static void gap_of_probes(void **state)
{
	(void)state;
	in_gap = place_probes;
	check_gap("modules came or went, and probes with them");
}

static void gap_of_something(void **state)
{
	(void)state;
	in_gap = NULL;
	check_gap("the cause is not known");
}

/* Its signal came while nothing was looked at: told all the same. */
static void gap_and_end(void)
{
	fake_time_passes(30);
	kill(getpid(), SIGTERM);
}

static void gap_at_the_end(void **state)
{
	(void)state;
	in_pass = gap_and_end;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_int_equal(passed, 1);
	assert_int_equal(loop.pace.counts.gaps, 1);
	assert_int_equal(seen.notices, 1);
}

/* The negative twin: a second late, a long period, a pass that has so much to do. */
static void no_gaps(void)
{
	if (passed == 2)
		fake_time_passes(1);
	if (passed == 4) {
		fake_time_passes(30);
		fake_cpu_is_used(30000);
		kill(getpid(), SIGCONT);
	}
	if (passed == 6) {
		fake_time_passes(10);
		seen.stats_err = -EPIPE;
	}
}

static void late_is_no_gap(void **state)
{
	struct kc_coverage coverage;

	(void)state;
	in_pass = no_gaps;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(why, "nobody reads any more");
	kc_loop_coverage(&loop, &coverage);
	assert_int_equal(coverage.watch.gaps, 0);
	assert_int_equal(passed, 6);
	assert_int_equal(seen.notices, 0);
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_CLEAN);
}

static void hang_up_at_2(void)
{
	if (passed == 2)
		kill(getpid(), SIGHUP);
	if (passed == 5)
		kill(getpid(), SIGTERM);
}

static void hang_up_reopens(void **state)
{
	(void)state;
	in_pass = hang_up_at_2;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(why, "stopped");
	assert_int_equal(passed, 5);
	assert_int_equal(seen.reopened, 1);
}

/* Tried after each pass until it can be opened, and not from there on. */
static void hang_up_in_vain(void **state)
{
	(void)state;
	in_pass = hang_up_at_2;
	seen.unopened = 2;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(why, "stopped");
	assert_int_equal(passed, 5);
	assert_int_equal(seen.reopened, 3);
}

/* The file that was moved away is closed, which is no error of the output. */
static void hang_up_twice(void)
{
	if (passed == 2 || passed == 3)
		kill(getpid(), SIGHUP);
	if (passed == 3)
		seen.next_fd = 0;
	if (passed == 5)
		kill(getpid(), SIGTERM);
}

static void other_output(void **state)
{
	(void)state;
	seen.fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	seen.next_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	in_pass = hang_up_twice;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(why, "stopped");
	assert_int_equal(seen.reopened, 2);
	close(seen.fd);
}

static int ends_of_pipe[2];

static void leave_at_2(void)
{
	if (passed == 2)
		close(ends_of_pipe[0]);
}

/* Nothing is written that could fail: it is noticed all the same, and at once. */
static void reader_that_left(void **state)
{
	(void)state;
	assert_int_equal(pipe(ends_of_pipe), 0);
	seen.fd = ends_of_pipe[1];
	in_pass = leave_at_2;
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(why, "nobody reads any more");
	assert_int_equal(passed, 2);
	close(ends_of_pipe[1]);
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

static _Atomic uint64_t next_id;

/* Each event takes a second, and then there is another one; twenty in all. */
static void send_another(void)
{
	struct pollfd handed_over = { .fd = kc_events_fd(loop.events), .events = POLLIN };

	if (++next_id == 20)
		return;
	fake_time_passes(1);
	fake_send(new_event(1000 + next_id, 5000 + next_id));
	poll(&handed_over, 1, -1);
}

static void flood_of_events(void **state)
{
	struct kc_events *events = start_events();

	(void)state;
	next_id = 0;
	loop.period = 500;
	loop.events = events;
	in_pass = stop_at_3;
	seen.on_finding = send_another;
	fake_send(new_event(1000, 5000));
	assert_int_equal(kc_loop_run(&loop, &why), 0);
	assert_string_equal(why, "stopped");
	assert_int_equal(passed, 3);
	assert_in_range(seen.findings, 1, 19);
	seen.on_finding = NULL;
	kc_events_stop(events);
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
	assert_int_equal(
		kc_attach_new(&(struct kc_attach_options){ .session = &session,
							   .choices = &choices,
							   .sinks = &sinks,
							   .filter = &(struct kc_filter){} },
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
	assert_int_equal(coverage.probes.failed, 3); /* no panic() and no getsid() */
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_BLIND);
	kc_events_free(loop.events);
	kc_attach_free(loop.attach);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ends_by_signal),	 TEST(ends_within_a_pass),   TEST(finds_within_a_pass),
		TEST(ends_by_duration),	 TEST(ends_within_a_period), TEST(ends_by_a_sink),
		TEST(ends_by_a_notice),	 TEST(ends_by_stats),	     TEST(dear_passes),
		TEST(dear_now_and_then), TEST(nobody_to_watch),	     TEST(on_the_edge),
		TEST(put_off_for_long),	 TEST(growing_back_off),     TEST(gap_of_a_stop),
		TEST(gap_of_the_output), TEST(gap_of_something),     TEST(gap_of_probes),
		TEST(gap_at_the_end),	 TEST(other_output),	     TEST(late_is_no_gap),
		TEST(hang_up_reopens),	 TEST(hang_up_in_vain),	     TEST(reader_that_left),
		TEST(flood_of_events),	 TEST(events_while_waiting), TEST(event_that_fails),
		TEST(with_probes),
	};

	alarm(300); /* a loop that does not end is a failure, too */
	return RUN(tests);
}
