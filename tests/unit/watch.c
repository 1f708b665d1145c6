// SPDX-License-Identifier: GPL-2.0-only
/* A whole watch, from its first probe to its status: what it leaves, and what it says last. */
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "fake_host.h"
#include "fake_watch.h"
#include "monitor/watch.h"

static const struct kc_filter filter;
static struct kc_choices nothing; /* but the tripwire, which this kernel has no panic() for */
static struct kc_watch_options options;
static struct kc_failure failure;
static enum kc_exit status;
static sigset_t end, reopening;
static unsigned int passed; /* passes */
static void (*in_third)(void);

static void count_pass(void)
{
	if (++passed != 3)
		return;
	if (in_third)
		in_third();
	kill(getpid(), SIGTERM);
}

static int setup(void **state)
{
	fake_watch_setup(state);
	fake_time_stands(true);
	fake_cpu_is_used(0);
	sigemptyset(&end);
	sigaddset(&end, SIGTERM);
	sigaddset(&end, SIGCONT);
	sigprocmask(SIG_BLOCK, &end, NULL);
	sigdelset(&end, SIGCONT);
	sigemptyset(&reopening);
	options = (struct kc_watch_options){
		.session = &session,
		.source = source,
		.sinks = &sinks,
		.filter = &filter,
		.hold_off = 20,
		.hold_max = 300,
		.period = 10,
		.max_cpu = 100,
		.end = &end,
		.reopen = &reopening,
	};
	memset(&failure, 0, sizeof(failure));
	status = KC_EXIT_USAGE;
	passed = 0;
	in_third = NULL;
	fake_on_pass = count_pass;
	return 0;
}

static int teardown(void **state)
{
	sigtimedwait(&end, NULL, &(struct timespec){}); /* the one that ended it stays pending */
	fake_cpu_is_real();
	fake_time_stands(false);
	return fake_watch_teardown(state);
}

static void clean(void **state)
{
	(void)state;
	assert_int_equal(kc_watch(&options, &failure, &status), 0);
	assert_int_equal(status, KC_EXIT_CLEAN);
	assert_int_equal(seen.starts, 1);
	assert_int_equal(seen.stops, 1);
	assert_string_equal(seen.why, "stopped");
	assert_int_equal(seen.end.sweep.passes, 3);
	assert_int_equal(seen.end.sweep.checked, 9);
	assert_string_equal(fake_probing.asked, "");
}

static void damage(void)
{
	threads[1].words[SLOT] = 0;
}

static void with_a_finding(void **state)
{
	(void)state;
	in_third = damage;
	assert_int_equal(kc_watch(&options, &failure, &status), 0);
	assert_int_equal(status, KC_EXIT_FINDINGS);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(seen.end.told.findings, 1);
}

/* Probes are removed before the totals are told; what could not be placed makes it blind. */
static void with_probes(void **state)
{
	(void)state;
	options.choices = &nothing;
	assert_int_equal(kc_watch(&options, &failure, &status), 0);
	assert_string_equal(fake_probing.asked, "new arm hold:20000000/300000000 disarm free");
	assert_int_equal(seen.end.probes.failed, 2); /* panic(), and the call of our own */
	assert_int_equal(status, KC_EXIT_BLIND);
}

/* The gate comes last, when somebody looks at its events, and goes first. */
static void with_a_gate(void **state)
{
	static struct kc_sweep *sweep = (struct kc_sweep *)&nothing; /* not looked into */

	(void)state;
	options.choices = &nothing;
	options.gated = sweep;
	fake_probing.gated.verified = 9;
	fake_probing.gated.slots = 81;
	fake_probing.gated.no_rule = 3;
	fake_probing.gate_losses[KC_LOSS_RING] = 2;
	assert_int_equal(kc_watch(&options, &failure, &status), 0);
	assert_string_equal(fake_probing.asked,
			    "new arm hold:20000000/300000000 gate no-gate disarm free");
	assert_int_equal(seen.end.watch.gate_verified, 9);
	assert_int_equal(seen.end.watch.gate_slots, 81);
	assert_int_equal(seen.end.watch.gate_no_rule, 3);
	assert_int_equal(seen.end.probes.lost, 2);
}

/* Asked for and refused: no watch that seems to have one. */
static void without_the_gate(void **state)
{
	(void)state;
	options.choices = &nothing;
	options.gated = (struct kc_sweep *)&nothing;
	fake_probing.gate_err = -EPERM;
	assert_int_equal(kc_watch(&options, &failure, &status), -EPERM);
	assert_int_equal(failure.exit, KC_EXIT_CANNOT_RUN);
	assert_string_equal(fake_probing.asked, "new arm hold:20000000/300000000 disarm free");
	assert_int_equal(seen.starts + seen.stops, 0);
}

static void send_event(void)
{
	fake_send(new_event(1000, 7001));
}

/* An event that comes at the very end is handled before the totals are told. */
static void event_at_the_end(void **state)
{
	(void)state;
	options.choices = &nothing;
	in_third = send_event;
	assert_int_equal(kc_watch(&options, &failure, &status), 0);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(seen.end.told_by_probes.findings, 1);
	assert_int_equal(fake_held(KC_HELD_TOLD), 7001);
	assert_int_equal(status, KC_EXIT_FINDINGS);
}

static void not_loaded(void **state)
{
	(void)state;
	options.choices = &nothing;
	fake_probing.load_err = -EPERM;
	assert_int_equal(kc_watch(&options, &failure, &status), -EPERM);
	assert_int_equal(failure.exit, KC_EXIT_CANNOT_RUN);
	assert_string_equal(fake_probing.asked, "");
	assert_int_equal(seen.starts + seen.stops + passed, 0);
}

/* The report fails in the middle: probes go, the end says so, as far as it can. */
static void report_that_fails(void **state)
{
	(void)state;
	options.choices = &nothing;
	in_third = damage;
	seen.err = -EIO;
	assert_int_equal(kc_watch(&options, &failure, &status), -EIO);
	assert_int_equal(failure.exit, KC_EXIT_FAILED);
	assert_string_equal(fake_probing.asked, "new arm hold:20000000/300000000 disarm free");
	assert_string_equal(seen.why, "failed");
	assert_int_equal(seen.end.told.findings, 1);
}

static void end_that_fails(void **state)
{
	(void)state;
	seen.stop_err = -ENOSPC;
	assert_int_equal(kc_watch(&options, &failure, &status), -ENOSPC);
	assert_int_equal(failure.exit, KC_EXIT_FAILED);
	/* Who reads the report has left before its end, which is as good as stopping it. */
	sigtimedwait(&end, NULL, &(struct timespec){});
	passed = 0;
	seen.stop_err = -EPIPE;
	assert_int_equal(kc_watch(&options, &failure, &status), 0);
	assert_int_equal(status, KC_EXIT_CLEAN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(clean),	   TEST(with_a_finding),    TEST(with_probes),
		TEST(with_a_gate), TEST(without_the_gate),  TEST(event_at_the_end),
		TEST(not_loaded),  TEST(report_that_fails), TEST(end_that_fails),
	};

	alarm(60);
	return RUN(tests);
}
