// SPDX-License-Identifier: GPL-2.0-only
/* Which of a live probe's events its copy of the stack bears out. */
#include "unit.h"

#include <string.h>

#include "fake.h"
#include "verdict/event.h"

#define BASE 0xffffc90000103000ULL

/* simple()'s frame: three words, of which the last is the slot, and whereto it returns. */
#define SLOT (BASE + 16)

extern const char simple_check[], simple_call[], simple_fails[], __stack_chk_fail[];

static struct {
	struct kc_event event;
	uint64_t words[8];
} sent;
static struct kc_checked_stack checked;
static struct kc_finding finding;
static struct kc_seen seen;

/* An event of simple() before its check, with the slot as told. */
static void send(enum kc_event_kind kind, uint64_t slot)
{
	memset(&sent, 0, sizeof(sent));
	sent.event.kind = kind;
	sent.event.site = (uint64_t)simple_check;
	sent.event.task.sp = BASE;
	sent.event.task.top = BASE + sizeof(sent.words);
	sent.event.task.count = 8;
	sent.event.lost = 3;
	sent.event.damage.slot = SLOT;
	sent.event.damage.changed_bytes = slot == KC_CANARY_MARK ? 0 : 0xff;
	sent.words[2] = slot;
	sent.words[3] = 0x1234;
}

static bool is_proved(void)
{
	return kc_event_prove(&fake->kernel, fake->plans, &seen, &sent.event, &checked, &finding);
}

static void damaged_slot(void **state)
{
	(void)state;
	send(KC_EVENT_CHECK, 0x4141414141414141);
	assert_true(is_proved());
	assert_int_equal(finding.anomaly, KC_ANOMALY_SLOT);
	assert_int_equal(finding.frame, 0);
	assert_string_equal(finding.engine, "probe");
	assert_int_equal(finding.lost_before, 3);
	assert_int_equal(checked.frames[0].slot, SLOT);
	assert_int_equal(finding.seen_intact, 0);

	/* Once another frame's was seen to be intact. */
	send(KC_EVENT_CHECK, KC_CANARY_MARK);
	assert_false(is_proved());
	send(KC_EVENT_CHECK, 0x4141414141414141);
	assert_true(is_proved());
	assert_int_equal(finding.seen_intact, 1);
}

static void slot_not_borne_out(void **state)
{
	(void)state;
	/* The copy, made a moment later, holds the canary. */
	send(KC_EVENT_CHECK, 0x4141414141414141);
	sent.words[2] = KC_CANARY_MARK;
	assert_false(is_proved());
	/* Another place was compared than the one that the plan tells. */
	send(KC_EVENT_CHECK, 0x4141414141414141);
	sent.event.damage.slot = SLOT + 8;
	assert_false(is_proved());
	/* Nothing was copied: it ran on an interrupt's stack. */
	send(KC_EVENT_CHECK, 0x4141414141414141);
	sent.event.task.top = BASE;
	sent.event.task.count = 0;
	assert_false(is_proved());
}

static void guard_alone(void **state)
{
	(void)state;
	send(KC_EVENT_CHECK, KC_CANARY_MARK);
	sent.event.flags = KC_EVENT_GUARD_DIFFERS;
	assert_true(is_proved());
	assert_int_equal(finding.anomaly, KC_ANOMALY_GUARD);
	sent.event.flags = 0;
	assert_false(is_proved());
}

static void little_headroom(void **state)
{
	(void)state;
	send(KC_EVENT_EXHAUSTED, KC_CANARY_MARK);
	sent.event.headroom = fake->kernel.thread_size - sizeof(sent.words);
	assert_true(is_proved());
	assert_int_equal(finding.anomaly, KC_ANOMALY_HEADROOM);
	assert_int_equal(finding.headroom, sent.event.headroom);
	sent.event.headroom -= 8; /* SP is elsewhere */
	assert_false(is_proved());
	/* Too little to copy the stack. */
	sent.event.task.count = sent.event.task.sp = sent.event.task.top = 0;
	assert_true(is_proved());
	sent.event.headroom = KC_HEADROOM_UNKNOWN;
	assert_false(is_proved());
}

static void returns(void **state)
{
	(void)state;
	send(KC_EVENT_RETURN, KC_CANARY_MARK);
	sent.words[0] = 0x4141414141414141;
	assert_true(is_proved());
	assert_int_equal(finding.anomaly, KC_ANOMALY_RETURN);
	assert_true(finding.was_return);
	/* A tracer's or a return probe's code may lie wherever modules do. */
	sent.words[0] = 0xffffffffc0deca11;
	assert_false(is_proved());
	/* But there is nothing at the very end. */
	sent.words[0] = -22;
	assert_true(is_proved());
}

static void sampled_slot(void **state)
{
	(void)state;
	send(KC_EVENT_SAMPLE, KC_HIDDEN_DATA);
	sent.event.caller = 77;
	assert_true(is_proved());
	assert_int_equal(finding.anomaly, KC_ANOMALY_SLOT);
	assert_string_equal(finding.engine, "sample");
	assert_true(finding.running);
	assert_true(finding.by_sample);
	assert_int_equal(finding.differed_ns, 77);
	assert_int_equal(finding.damage.slot, SLOT);
	assert_int_equal(finding.damage.changed_bytes, 0xff);

	send(KC_EVENT_SAMPLE, KC_CANARY_MARK);
	assert_false(is_proved());
	/* The kernel side, which has read it a moment later, found nothing; or there is no such
	 * slot. */
	send(KC_EVENT_SAMPLE, KC_HIDDEN_DATA);
	sent.event.damage.changed_bytes = 0;
	assert_false(is_proved());
	send(KC_EVENT_SAMPLE, KC_HIDDEN_DATA);
	sent.event.damage.slot = SLOT + 8;
	assert_false(is_proved());
}

/* __stack_chk_fail() was called by simple(): its frame is the damaged one. */
static void panic_names_its_caller(void **state)
{
	(void)state;
	send(KC_EVENT_PANIC, KC_CANARY_MARK);
	sent.event.site = (uint64_t)__stack_chk_fail;
	sent.words[0] = (uint64_t)simple_fails + 5;
	sent.words[3] = 0x4242424242424242;
	sent.words[4] = (uint64_t)simple_call + 5;
	assert_true(is_proved());
	assert_int_equal(finding.anomaly, KC_ANOMALY_PANIC);
	assert_string_equal(finding.engine, "tripwire");
	assert_int_equal(finding.frame, 1);
	assert_int_equal(finding.damage.slot, SLOT + 8);
	assert_int_equal(finding.damage.found, KC_FOUND_ASCII);
}

/* On an interrupt's stack, of which there is no copy: the caller is all there is. */
static void panic_without_a_copy(void **state)
{
	uint64_t depth;

	(void)state;
	send(KC_EVENT_PANIC, KC_CANARY_MARK);
	sent.event.site = (uint64_t)__stack_chk_fail;
	sent.event.task.top = BASE;
	sent.event.task.count = 0;
	sent.event.caller = (uint64_t)simple_fails + 5;
	sent.event.damage.slot = 0;
	assert_true(is_proved());
	assert_int_equal(finding.frame, 0);
	assert_int_equal(checked.frames[0].frame.pc, sent.event.caller);
	assert_int_equal(finding.damage.slot, 0);
	/* No depth is known, and nothing is claimed of words that nobody read. */
	assert_false(kc_finding_depth(&finding, &depth));
	kc_judge(&finding, 0);
	assert_int_equal(finding.verdict.class, KC_CLASS_UNKNOWN);
}

/* At panic() only the class of most words is known: nothing more is claimed. */
static void panic_claims_no_more_than_it_read(void **state)
{
	(void)state;
	send(KC_EVENT_PANIC, KC_HIDDEN_USER);
	sent.event.site = (uint64_t)simple_check;
	sent.words[1] = KC_HIDDEN_USER; /* below it, of the same class */
	assert_true(is_proved());
	assert_int_equal(finding.damage.slot, SLOT);
	assert_int_equal(finding.damage.same_below, 0);
	kc_judge(&finding, 0);
	assert_int_equal(finding.verdict.class, KC_CLASS_UNKNOWN);

	/* All ones: in the half where text is, and no text. */
	send(KC_EVENT_PANIC, ~0ULL);
	sent.event.site = (uint64_t)simple_check;
	assert_true(is_proved());
	assert_int_equal(finding.damage.found, KC_FOUND_OTHER);
	kc_judge(&finding, 0);
	assert_int_equal(finding.verdict.class, KC_CLASS_UNKNOWN);

	/* The same text in the word below: that is a pattern. */
	send(KC_EVENT_PANIC, 0x4141414141414141);
	sent.event.site = (uint64_t)simple_check;
	sent.words[1] = 0x4141414141414141;
	assert_true(is_proved());
	kc_judge(&finding, 0);
	assert_int_equal(finding.verdict.class, KC_CLASS_LINEAR_OVERFLOW);
}

/* simple() failed its check, and its slot and its neighbours are these. */
static enum kc_class tripped(uint64_t below, uint64_t slot, uint64_t above)
{
	send(KC_EVENT_PANIC, slot);
	sent.event.site = (uint64_t)simple_check;
	sent.event.flags = KC_EVENT_COMPARED;
	sent.words[1] = below;
	sent.words[3] = above;
	assert_true(is_proved());
	kc_judge(&finding, 0);
	return finding.verdict.class;
}

#define NEAR(bytes, bits, delta)                                        \
	(KC_HIDDEN_DATA | KC_HIDDEN_NEAR | (bytes) << KC_HIDDEN_BYTES | \
	 (uint64_t)(bits) << KC_HIDDEN_BITS | (uint64_t)(delta) << KC_HIDDEN_DELTA)

/* What the kernel has compared at panic() is judged as any other slot. */
static void panic_that_was_compared(void **state)
{
	const uint64_t back = (uint64_t)simple_call + 5;

	(void)state;
	assert_int_equal(tripped(0, NEAR(0x10, KC_BITS_ONE, 0), back), KC_CLASS_BIT_FLIP);
	assert_string_equal(finding.verdict.confidence, "high");
	assert_int_equal(tripped(0, NEAR(0x03, KC_BITS_3_TO_8, 1), back), KC_CLASS_DECREMENT);
	assert_int_equal(tripped(0, NEAR(0x07, KC_BITS_MORE, 0), back), KC_CLASS_LINEAR_OVERFLOW);
	/* Far off, alone: replaced. Which value, nobody is told. */
	assert_int_equal(tripped(KC_HIDDEN_USER, KC_HIDDEN_USER, back), KC_CLASS_STRAY_WRITE);
	assert_string_equal(finding.verdict.confidence, "low");
	assert_int_equal(tripped(0, ~0ULL, back), KC_CLASS_STRAY_WRITE);
	assert_int_equal(finding.damage.found, KC_FOUND_OTHER);
	/* Two hidden words that the kernel saw to be one and the same. */
	assert_int_equal(tripped(KC_HIDDEN_USER | KC_HIDDEN_SAME_ABOVE, KC_HIDDEN_USER, back),
			 KC_CLASS_LINEAR_OVERFLOW);
	assert_int_equal(finding.damage.same_below, 1);
	assert_int_equal(tripped(0, KC_HIDDEN_DATA | KC_HIDDEN_SAME_ABOVE, KC_HIDDEN_DATA),
			 KC_CLASS_LINEAR_OVERFLOW);
	assert_int_equal(finding.damage.same_above, 1);
	assert_string_equal(finding.verdict.confidence, "high");
	/* The slot is as it must be. */
	assert_int_equal(tripped(0, KC_CANARY_MARK, back), KC_CLASS_UNKNOWN);
	send(KC_EVENT_PANIC, KC_CANARY_MARK);
	sent.event.site = (uint64_t)simple_check;
	sent.event.flags = KC_EVENT_COMPARED | KC_EVENT_GUARD_DIFFERS;
	assert_true(is_proved());
	kc_judge(&finding, 0);
	assert_int_equal(finding.verdict.class, KC_CLASS_GUARD_CHANGED);
}

static int teardown(void **state)
{
	kc_seen_free(&seen);
	return fake_teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(damaged_slot),
		cmocka_unit_test(slot_not_borne_out),
		cmocka_unit_test(guard_alone),
		cmocka_unit_test(little_headroom),
		cmocka_unit_test(returns),
		cmocka_unit_test(sampled_slot),
		cmocka_unit_test(panic_names_its_caller),
		cmocka_unit_test(panic_without_a_copy),
		cmocka_unit_test(panic_claims_no_more_than_it_read),
		cmocka_unit_test(panic_that_was_compared),
	};

	return cmocka_run_group_tests(tests, fake_setup, teardown);
}
