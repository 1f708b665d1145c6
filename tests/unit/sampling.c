// SPDX-License-Identifier: GPL-2.0-only
/* Samples of what runs: two looks at the same damaged frame make a finding, and nothing less. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "fake_host.h"
#include "fake_watch.h"
#include "monitor/sampling.h"
#include "util/time.h"

#define SECOND 1000000000ULL

/* Words of new_event()'s stack. */
enum { ITS_SLOT = 2, ITS_RETURN = 3 };

static const struct kc_filter all;
static struct kc_sampling *sampling;

static int setup(void **state)
{
	fake_watch_setup(state);
	fake_time_stands(true);
	assert_int_equal(
		kc_sampling_new(&(struct kc_engine){ &session, source, desk, &sinks }, &sampling),
		0);
	assert_int_equal(kc_sampling_start(sampling, &all, 11), 0);
	return 0;
}

static int teardown(void **state)
{
	fake_time_stands(false);
	kc_sampling_free(sampling);
	return fake_watch_teardown(state);
}

/* The thread was met in simple(), where its slot holds this; at so many seconds. */
static struct kc_event *sample_of(uint32_t tid, uint64_t slot, double at)
{
	struct kc_event *event = new_event(tid, 1);
	uint64_t *words = (uint64_t *)(event + 1);

	event->kind = KC_EVENT_SAMPLE;
	event->flags = 0;
	event->damage = (struct kc_damage){};
	if (slot != KC_CANARY_MARK && fake_probing.asked_slot)
		event->damage = (struct kc_damage){ .slot = fake_probing.asked_slot,
						    .changed_bytes = 0xfe,
						    .found = KC_FOUND_OTHER };
	event->task.boot_ns = at * SECOND;
	words[ITS_SLOT] = slot;
	return event;
}

static void take(const struct kc_event *event)
{
	assert_int_equal(kc_sampling_take(sampling, event), 0);
}

static struct kc_coverage totals(void)
{
	struct kc_coverage coverage = {};

	kc_sampling_counts(sampling, &coverage);
	return coverage;
}

static void second_look(void **state)
{
	(void)state;
	take(sample_of(7, KC_HIDDEN_DATA, 1));
	assert_int_equal(seen.findings, 0);
	take(sample_of(7, KC_HIDDEN_DATA, 1.1));
	assert_int_equal(seen.findings, 1);
	assert_int_equal(seen.last, KC_ANOMALY_SLOT);
	assert_string_equal(seen.place, "simple");
	assert_int_equal(seen.notices, 0);
	assert_int_equal(kc_sampling_stop(sampling), 0);
	assert_int_equal(seen.notices, 0);
	assert_int_equal(totals().probes.unproven, 0);
}

/* What was on its way when we asked is no second look: the kernel side has not compared. */
static void not_yet_compared(void **state)
{
	struct kc_event *event;

	(void)state;
	take(sample_of(7, KC_HIDDEN_DATA, 1));
	assert_int_equal(fake_probing.asked_slot, new_event(7, 1)->damage.slot);
	event = sample_of(7, KC_HIDDEN_DATA, 1.1);
	event->damage = (struct kc_damage){};
	take(event);
	assert_int_equal(seen.findings, 0);
	take(sample_of(7, KC_HIDDEN_DATA, 1.2));
	assert_int_equal(seen.findings, 1);
	assert_int_equal(kc_sampling_stop(sampling), 0);
	assert_int_equal(fake_probing.asked_slot, 0);
}

static void one_look(void **state)
{
	(void)state;
	take(sample_of(7, KC_HIDDEN_DATA, 1));
	assert_int_equal(kc_sampling_stop(sampling), 0);
	assert_int_equal(seen.findings, 0);
	assert_int_equal(totals().probes.unproven, 1);
	assert_non_null(strstr(seen.notice, "not proved: a difference in simple+0x"));
	assert_non_null(strstr(seen.notice, "tid 7 of process 0"));
}

/* Of what the second look would have to be within, the first one is too old. */
static void too_far_apart(void **state)
{
	uint64_t now = kc_boot_ns();
	struct kc_event *event;

	(void)state;
	event = sample_of(7, KC_HIDDEN_DATA, 0);
	event->task.boot_ns = now - 2 * SECOND;
	take(event);
	assert_int_equal(kc_sampling_follow(sampling), 0);
	assert_int_equal(totals().probes.unproven, 1);
	event = sample_of(7, KC_HIDDEN_DATA, 0);
	event->task.boot_ns = now;
	take(event);
	assert_int_equal(kc_sampling_follow(sampling), 0);
	assert_int_equal(seen.findings, 0);
	assert_int_equal(totals().probes.unproven, 1);
}

/* Another call has its own damage, at the same place. */
static void another_call(void **state)
{
	(void)state;
	take(sample_of(7, KC_HIDDEN_DATA, 1));
	take(sample_of(7, KC_HIDDEN_DATA, 1.1));
	assert_int_equal(seen.findings, 1);
	take(sample_of(7, KC_CANARY_MARK, 1.2));
	take(sample_of(7, KC_HIDDEN_DATA, 1.3));
	take(sample_of(7, KC_HIDDEN_DATA, 1.4));
	assert_int_equal(seen.findings, 2);
	assert_int_equal(covered().told_by_probes.findings, 0);
	assert_int_equal(totals().probes.unproven, 0);
}

/* Another thread's, one of the same number, another call of the function: each a first look. */
static void looks_at_others(void **state)
{
	struct kc_event *event;

	(void)state;
	take(sample_of(7, KC_HIDDEN_DATA, 1));
	take(sample_of(8, KC_HIDDEN_DATA, 2));
	event = sample_of(7, KC_HIDDEN_DATA, 3);
	event->task.start_ns++;
	take(event);
	event = sample_of(7, KC_HIDDEN_DATA, 4);
	((uint64_t *)(event + 1))[ITS_RETURN] = 0x5678;
	take(event);
	event = sample_of(7, KC_HIDDEN_DATA, 5);
	event->task.sp -= 8;
	event->task.top -= 8;
	take(event);
	assert_int_equal(seen.findings, 0);
}

/* The older of the two may be taken last: it says nothing that the other one did not. */
static void out_of_order(void **state)
{
	(void)state;
	take(sample_of(7, KC_HIDDEN_DATA, 2));
	take(sample_of(7, KC_HIDDEN_DATA, 1));
	take(sample_of(7, KC_HIDDEN_DATA, 2));
	assert_int_equal(seen.findings, 0);
	take(sample_of(7, KC_HIDDEN_DATA, 3));
	assert_int_equal(seen.findings, 1);
}

static void intact_between(void **state)
{
	(void)state;
	take(sample_of(7, KC_HIDDEN_DATA, 1));
	take(sample_of(7, KC_CANARY_MARK, 2));
	assert_int_equal(seen.notices, 1);
	assert_non_null(strstr(seen.notice, "not proved: a difference in simple+"));
	take(sample_of(7, KC_HIDDEN_DATA, 3));
	assert_int_equal(seen.findings, 0);
	/* What was intact before is none of the third's. */
	take(sample_of(7, KC_CANARY_MARK, 2.5));
	take(sample_of(7, KC_HIDDEN_DATA, 4));
	assert_int_equal(seen.findings, 1);
	assert_int_equal(totals().probes.unproven, 1);
	assert_int_equal(totals().watch.sample_slots, 2);
}

/* Nothing differs, and nothing that it may not look at counts. */
static void all_intact(void **state)
{
	struct kc_event *event;

	(void)state;
	for (int i = 0; i < 5; i++)
		take(sample_of(7, KC_CANARY_MARK, i));
	event = sample_of(7, KC_HIDDEN_DATA, 6);
	event->task.count = 0;
	event->task.top = event->task.sp;
	take(event);
	take(event);
	assert_int_equal(seen.findings, 0);
	assert_int_equal(seen.notices, 0);
	assert_int_equal(totals().watch.sample_slots, 5);
	/* It returns to 0x1234. */
	assert_int_equal(totals().watch.sample_unfollowed, 5);
}

static void told_less_often(void **state)
{
	(void)state;
	for (double at = 1; at < 2; at += 0.125)
		take(sample_of(7, KC_HIDDEN_DATA, at));
	assert_int_equal(seen.findings, 1);
	assert_int_equal(totals().watch.sample_again, 6);
	/* One second after, then two seconds. */
	take(sample_of(7, KC_HIDDEN_DATA, 2.25));
	take(sample_of(7, KC_HIDDEN_DATA, 3.5));
	take(sample_of(7, KC_HIDDEN_DATA, 4.5));
	assert_int_equal(seen.findings, 1);
	assert_int_equal(totals().watch.sample_again, 7);
	assert_int_equal(covered().told.repeated, 2);
}

/* The kernel as we know it is not the one that was met. */
static void stale(void **state)
{
	(void)state;
	take(sample_of(7, KC_HIDDEN_DATA, 1));
	changing.stale_at = 0;
	take(sample_of(7, KC_HIDDEN_DATA, 2));
	assert_int_equal(seen.findings, 0);
	assert_int_equal(totals().probes.unproven, 1);
}

/* The rule that says so was read in the middle of a patch: read anew, there is no such slot. */
static void misread_rule(void **state)
{
	struct kc_event *event;

	(void)state;
	misread_slot(0);
	take(sample_of(7, KC_CANARY_MARK, 1));
	assert_int_not_equal(fake_probing.asked_slot, 0);
	fake_on_read = NULL;
	event = sample_of(7, KC_CANARY_MARK, 2);
	event->damage.slot = fake_probing.asked_slot;
	event->damage.changed_bytes = 0xff;
	take(event);
	assert_int_equal(seen.findings, 0);
	assert_int_equal(totals().probes.unproven, 1);
	assert_non_null(strstr(seen.notice, "not proved: a difference in simple+"));
}

static void refused(void **state)
{
	struct kc_sampling *other;
	struct kc_reason reason;
	struct kc_coverage coverage = { .sweep.verified = 1 };

	(void)state;
	assert_int_equal(
		kc_sampling_new(&(struct kc_engine){ &session, source, desk, &sinks }, &other), 0);
	fake_probing.samples_err = -EPERM;
	assert_int_equal(kc_sampling_start(other, &all, 11), 0);
	assert_string_equal(seen.notice, "no samples of running tasks: not here");
	assert_int_equal(kc_sampling_look(other), 0);
	kc_sampling_counts(other, &coverage);
	assert_true(kc_coverage_not_seen(&coverage, 0, &reason));
	assert_true(reason.count >= 1);
	assert_string_equal(reason.text, "CPUs on which no sample can be taken");
	kc_sampling_free(other);

	/* On some of them. */
	fake_probing.unsampled = 3;
	assert_int_equal(kc_sampling_follow(sampling), 0);
	assert_int_equal(kc_sampling_follow(sampling), 0);
	assert_int_equal(seen.notices, 2);
	assert_non_null(strstr(seen.notice, "no samples on 3 CPUs: "));
	assert_int_equal(totals().watch.unsampled, 3);
}

static void queued(void **state)
{
	const struct kc_event *event = sample_of(7, KC_CANARY_MARK, 1);
	struct timespec left = { .tv_sec = 5 };

	(void)state;
	fake_probing.samples[0] = fake_probing.samples[1] = event;
	fake_probing.sampled.taken = 9;
	fake_probing.sample_losses[KC_LOSS_RING] = 4;
	assert_true(kc_sampling_fd(sampling, &left) >= 0);
	assert_int_equal(left.tv_sec, 5);
	assert_int_equal(kc_sampling_look(sampling), 0);
	assert_int_equal(totals().watch.sample_slots, 2);
	assert_int_equal(totals().watch.sampled, 9);
	assert_int_equal(totals().watch.sample_lost, 4);
	/* Whoever has just looked has time. */
	assert_int_equal(kc_sampling_fd(sampling, &left), -1);
	assert_int_equal(left.tv_sec, 0);
	assert_true(left.tv_nsec > 0);
}

/* A second look that is still to be taken when the watch ends. */
static void left_at_the_end(void **state)
{
	struct {
		struct kc_event event;
		uint64_t words[8];
	} last;

	(void)state;
	take(sample_of(7, KC_HIDDEN_DATA, 1));
	assert_int_equal(kc_sampling_look(sampling), 0);
	memcpy(&last, sample_of(7, KC_HIDDEN_DATA, 1.1), sizeof(last));
	fake_probing.samples[0] = &last.event;
	assert_int_equal(kc_sampling_stop(sampling), 0);
	assert_int_equal(seen.findings, 1);
}

/* Met now and then only, never whole: it is the same damage. */
static void told_once(void **state)
{
	uint64_t now = kc_boot_ns();
	struct kc_event *event;

	(void)state;
	for (int burst = 0; burst < 5; burst++) {
		for (int i = 0; i < 2; i++) {
			event = sample_of(7, KC_HIDDEN_DATA, 0);
			event->task.boot_ns = now - (20 - 3 * burst) * SECOND + i * SECOND / 10;
			take(event);
		}
		assert_int_equal(kc_sampling_follow(sampling), 0);
	}
	assert_int_equal(seen.findings, 1);
	assert_int_equal(totals().probes.unproven, 0);
}

/* A pass that took long may be between two samples, and what was called is another's, then. */
static void late_second(void **state)
{
	(void)state;
	take(sample_of(7, KC_HIDDEN_DATA, 1));
	take(sample_of(7, KC_HIDDEN_DATA, 60));
	assert_int_equal(seen.findings, 0);
	assert_int_equal(totals().probes.unproven, 1);
	take(sample_of(7, KC_HIDDEN_DATA, 60.1));
	assert_int_equal(seen.findings, 1);
}

/* What was not filed was not told. */
static void stale_and_then_not(void **state)
{
	(void)state;
	take(sample_of(7, KC_HIDDEN_DATA, 1));
	changing.stale_at = 0;
	take(sample_of(7, KC_HIDDEN_DATA, 1.1));
	changing.stale_at = -1;
	take(sample_of(7, KC_HIDDEN_DATA, 1.2));
	assert_int_equal(seen.findings, 1);
	assert_int_equal(totals().watch.sample_again, 0);
}

/* More than 1 % of a CPU: fewer of them, until they take little. */
static void left_out_when_dear(void **state)
{
	(void)state;
	fake_cpu_is_used(0);
	for (unsigned int second = 0; second < 3; second++) {
		fake_probing.sample_ms = 11;
		assert_int_equal(kc_sampling_look(sampling), 0);
		fake_time_passes(1);
		assert_int_equal(kc_sampling_follow(sampling), 0);
		assert_int_equal(fake_probing.every, 2 << second);
	}
	/* Asked too early; neither much nor little; little. */
	assert_int_equal(kc_sampling_follow(sampling), 0);
	assert_int_equal(fake_probing.every, 8);
	fake_probing.sample_ms = 5;
	assert_int_equal(kc_sampling_look(sampling), 0);
	fake_time_passes(1);
	assert_int_equal(kc_sampling_follow(sampling), 0);
	assert_int_equal(fake_probing.every, 8);
	fake_time_passes(1);
	assert_int_equal(kc_sampling_follow(sampling), 0);
	assert_int_equal(fake_probing.every, 4);
	fake_probing.sampled.skipped = 3;
	assert_int_equal(totals().watch.sample_skipped, 3);
	fake_cpu_is_real();
}

static void depths(void **state)
{
	const struct kc_deep_thread entries[] = { { 7, 40, "an_entry" }, { 8, 300, "another" } };
	const struct kc_depths before = { .threads = entries, .nr_threads = 2 };
	const struct kc_depths *after;

	(void)state;
	take(sample_of(7, KC_CANARY_MARK, 1));
	take(sample_of(8, KC_CANARY_MARK, 1));
	take(sample_of(9, KC_CANARY_MARK, 1));
	after = kc_sampling_depths(sampling, &before);
	assert_int_equal(after->nr_threads, 3);
	assert_int_equal(after->threads[0].tid, 8);
	assert_int_equal(after->threads[0].depth, 300);
	for (int i = 1; i < 3; i++) {
		assert_int_equal(after->threads[i].depth, 64);
		assert_string_equal(after->threads[i].function, "simple");
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(second_look),
		TEST(not_yet_compared),
		TEST(one_look),
		TEST(too_far_apart),
		TEST(another_call),
		TEST(looks_at_others),
		TEST(out_of_order),
		TEST(intact_between),
		TEST(all_intact),
		TEST(told_less_often),
		TEST(stale),
		TEST(misread_rule),
		TEST(refused),
		TEST(queued),
		TEST(left_at_the_end),
		TEST(told_once),
		TEST(late_second),
		TEST(stale_and_then_not),
		TEST(left_out_when_dear),
		TEST(depths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
