// SPDX-License-Identifier: GPL-2.0-only
/* Arithmetic on stack words, bpf/word.bpf.h: what may be told of a canary. */
#include "unit.h"

#include "word.bpf.h"

#define CANARY 0x8d3c5f1e77a2b400ULL

static const struct kc_places places = {
	.stack = 0xffffc90000100000,
	.stack_top = 0xffffc90000104000,
	.text = 0xffffffff81000000,
	.text_end = 0xffffffff82000000,
};

static void scrub_marks_the_canary(void **state)
{
	(void)state;
	assert_int_equal(kc_scrub(CANARY, CANARY), KC_CANARY_MARK);
	/* A word that holds the marker by chance must not pass for the canary. */
	assert_int_equal(kc_scrub(KC_CANARY_MARK, CANARY), ~KC_CANARY_MARK);
	assert_int_equal(kc_scrub(0, CANARY), 0);
	assert_int_equal(kc_scrub(0xffffffff81234567, CANARY), 0xffffffff81234567);
}

/* How many of the canary's seven secret bytes a scrubbed word still shows. */
static int shown_bytes(uint64_t word)
{
	int count = 0;

	for (int i = 1; i < 8; i++)
		count += (word >> 8 * i & 0xff) == (CANARY >> 8 * i & 0xff);
	return count;
}

static void scrub_cuts_partial_copies(void **state)
{
	(void)state;
	for (int keep = 0; keep < 128; keep++) {
		uint64_t word = 0x4141414141414141ULL;

		for (int i = 0; i < 7; i++)
			if (keep >> i & 1) {
				word &= ~(0xffULL << 8 * (i + 1));
				word |= CANARY & 0xffULL << 8 * (i + 1);
			}
		if (__builtin_popcount(keep) < 3)
			assert_int_equal(kc_scrub(word, CANARY), word);
		else
			assert_int_equal(shown_bytes(kc_scrub(word, CANARY)), 0);
	}
}

static struct kc_damage describe(uint64_t word)
{
	struct kc_damage damage = {};

	kc_describe(&damage, word, CANARY, &places);
	return damage;
}

static void describe_bytes_and_bits(void **state)
{
	(void)state;
	assert_int_equal(describe(CANARY).changed_bytes, 0);
	for (int bit = 0; bit < 64; bit++) {
		struct kc_damage damage = describe(CANARY ^ 1ULL << bit);

		assert_int_equal(damage.changed_bytes, 1 << bit / 8);
		assert_int_equal(damage.changed_bits, KC_BITS_ONE);
	}
	assert_int_equal(describe(CANARY ^ 0x8000000000000001).changed_bits, KC_BITS_TWO);
	assert_int_equal(describe(CANARY ^ 0x8000000000000001).changed_bytes, 0x81);
	assert_int_equal(describe(CANARY ^ 0xff00).changed_bits, KC_BITS_3_TO_8);
	assert_int_equal(describe(~CANARY).changed_bits, KC_BITS_MORE);
	assert_int_equal(describe(~CANARY).changed_bytes, 0xff);
}

static void describe_small_delta(void **state)
{
	(void)state;
	assert_int_equal(describe(CANARY - 1).small_delta, 1);
	assert_int_equal(describe(CANARY + 4096).small_delta, 1);
	assert_int_equal(describe(CANARY - 4097).small_delta, 0);
	assert_int_equal(describe(CANARY).small_delta, 0);
	assert_int_equal(describe(0).small_delta, 0);
}

static void classes(void **state)
{
	(void)state;
	assert_int_equal(describe(0).found, KC_FOUND_ZERO);
	assert_int_equal(describe(42).found, KC_FOUND_SMALL);
	assert_int_equal(describe(0x4141414141414141).found, KC_FOUND_ASCII);
	assert_int_equal(describe(0x7e20202020202020).found, KC_FOUND_ASCII);
	assert_int_equal(describe(0x7f20202020202020).found, KC_FOUND_OTHER);
	assert_int_equal(describe(0x1f20202020202020).found, KC_FOUND_OTHER);
	assert_int_equal(describe(0x00007f1234567890).found, KC_FOUND_USER);
	assert_int_equal(describe(places.stack + 8).found, KC_FOUND_STACK);
	assert_int_equal(describe(places.stack_top).found, KC_FOUND_KERNEL);
	assert_int_equal(describe(0xff11000012345678).found, KC_FOUND_KERNEL); /* 5-level */
	assert_int_equal(describe(0xffffffff81000001).found, KC_FOUND_TEXT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(scrub_marks_the_canary),
		cmocka_unit_test(scrub_cuts_partial_copies),
		cmocka_unit_test(describe_bytes_and_bits),
		cmocka_unit_test(describe_small_delta),
		cmocka_unit_test(classes),
	};

	return RUN(tests);
}
