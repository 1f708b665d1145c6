// SPDX-License-Identifier: GPL-2.0-only
/* Arithmetic on stack words, bpf/word.bpf.h: what may be told of a canary. */
#include "unit.h"

#include <stdbool.h>

#include "word.bpf.h"

#define CANARY 0x8d3c5f1e77a2b400ULL

static const struct kc_places places = {
	.stack = 0xffffc90000100000,
	.stack_top = 0xffffc90000104000,
	.text = 0xffffffff81000000,
	.text_end = 0xffffffff82000000,
};

static const struct kc_own_stack own = { 0xffffc90000100000, 0x4000 };

static uint64_t scrub(uint64_t word)
{
	return kc_scrub(word, CANARY, &own);
}

static void scrub_marks_the_canary(void **state)
{
	(void)state;
	assert_int_equal(scrub(CANARY), KC_CANARY_MARK);
	/* A word that holds the marker by chance must not pass for the canary. */
	assert_int_equal(scrub(KC_CANARY_MARK), KC_HIDDEN_DATA);
}

static void scrub_keeps_what_unwinding_needs(void **state)
{
	static const uint64_t kept[] = {
		0,
		0x10,
		0xffff,
		0xffffffff81234567,
		0xffffffffc0001000, /* modules */
		0xffffffffffffffff,
		0xffffc90000100001,
		0xffffc90000103ff8,
		0xffffc90000104000, /* the top: a frame may end there */
		0x4141414141414141,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		assert_int_equal(scrub(kept[i]), kept[i]);
}

static void scrub_hides_the_rest(void **state)
{
	(void)state;
	assert_int_equal(scrub(0x10000), KC_HIDDEN_USER);
	assert_int_equal(scrub(0xffffffff), KC_HIDDEN_USER);
	assert_int_equal(scrub(0x100000000), KC_HIDDEN_USER);
	assert_int_equal(scrub(0x00007ffd12345678), KC_HIDDEN_USER);
	assert_int_equal(scrub(0x0000800000000000), KC_HIDDEN_DATA);
	assert_int_equal(scrub(0xffffc90000104008), KC_HIDDEN_KERNEL); /* another stack */
	assert_int_equal(scrub(0xffffc900000ffff8), KC_HIDDEN_KERNEL);
	assert_int_equal(scrub(0xff11000012345678), KC_HIDDEN_KERNEL); /* 5-level */
	assert_int_equal(scrub(0xffffffff7fffffff), KC_HIDDEN_KERNEL);
	/* Another task's canary is data; every mark is. */
	assert_int_equal(scrub(0x71c40a9be05f3300), KC_HIDDEN_DATA);
	assert_int_equal(scrub(KC_HIDDEN_USER), KC_HIDDEN_DATA);
	assert_int_equal(scrub(KC_HIDDEN_KERNEL), KC_HIDDEN_DATA);
}

static uint64_t compared(uint64_t word, uint64_t above)
{
	return kc_scrub_compared(word, above, CANARY, &own);
}

/* Where the canary is about to be lost, a hidden word tells how far it is from it; no more. */
static void scrub_compared_tells_distance(void **state)
{
	static const uint64_t near[] = {
		CANARY ^ 1ULL << 17,
		CANARY ^ 0x8000000000000001,
		CANARY ^ 0xff00,
		CANARY - 1,
		CANARY + 4096,
		CANARY - 4096,
		CANARY & 0xffffffff00000000,
		(CANARY & ~0xffffffffULL) | 0x41414141,
	};
	static const uint64_t far[] = {
		~CANARY, 0x71c40a9be05f3311, 0x00007ffd12345678, 0xffffc90000104008, 0x10000,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(near) / sizeof(near[0]); i++) {
		struct kc_damage found = {}, real = {};
		uint64_t word = compared(near[i], 0);

		kc_describe(&real, near[i], CANARY, &places);
		assert_int_equal(kc_hidden_class(word), KC_HIDDEN_DATA);
		assert_true(kc_hidden_near(word, &found));
		assert_int_equal(found.changed_bytes, real.changed_bytes);
		assert_int_equal(found.changed_bits, real.changed_bits);
		assert_int_equal(found.small_delta, real.small_delta);
	}
	for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
		struct kc_damage found = {};

		assert_int_equal(compared(far[i], 0), scrub(far[i]));
		assert_false(kc_hidden_near(compared(far[i], 0), &found));
	}
	assert_int_equal(compared(CANARY, CANARY), KC_CANARY_MARK);
	assert_int_equal(compared(0x71c40a9be05f3311, 0x71c40a9be05f3311),
			 KC_HIDDEN_DATA | KC_HIDDEN_SAME_ABOVE);
}

/* Of hidden words alone, and of each which argument: the first that it equals. */
static void hidden_arguments(void **state)
{
	const uint64_t args[6] = { 0x36972d5c, 0x80, 0x15a40f6, 0, 0x15a40f6, CANARY };
	const struct {
		uint64_t word;
		unsigned int arg;
	} words[] = {
		{ 0x36972d5c, 1 }, { 0x80, 0 },	  { 0x15a40f6, 3 },
		{ 0, 0 },	   { CANARY, 0 }, { 0x36972d5d, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		uint64_t told = compared(words[i].word, 0);
		uint64_t marked = told | kc_mark_arg(told, words[i].word, args);

		assert_int_equal(kc_hidden_arg(marked), words[i].arg);
		assert_int_equal(kc_hidden_class(marked), kc_hidden_class(told));
		assert_true(words[i].arg || marked == told);
	}
	/* Of one near the canary it would tell the canary. */
	for (uint64_t near = CANARY ^ 0x100; near; near = near == CANARY + 8 ? 0 : CANARY + 8) {
		const uint64_t its[6] = { near };

		assert_int_equal(kc_mark_arg(compared(near, 0), near, its), 0);
	}
	/* What it tells beside that stays as it was. */
	assert_int_equal(compared(args[0], args[0]) |
				 kc_mark_arg(compared(args[0], args[0]), args[0], args),
			 KC_HIDDEN_USER | KC_HIDDEN_SAME_ABOVE | 1ULL << KC_HIDDEN_ARG);
}

/* What was copied as it is still is, and text near the canary is not even cut. */
static void scrub_compared_keeps_the_rest(void **state)
{
	static const uint64_t kept[] = {
		0, 0x10, 0xffff, 0xffffffff81234567, ~0ULL, 0xffffc90000103ff8, 0x4141414141414141,
	};
	const uint64_t printable = 0x6a3c5f3e77623420;
	struct kc_damage found = {};
	uint64_t word;

	(void)state;
	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		assert_int_equal(compared(kept[i], kept[i]), kept[i]);
	word = kc_scrub_compared(printable ^ 0x0100, 0, printable, &own);
	assert_int_equal(kc_hidden_class(word), KC_HIDDEN_ASCII);
	assert_true(kc_hidden_near(word, &found));
	assert_int_equal(found.changed_bytes, 2);
	assert_int_equal(found.changed_bits, KC_BITS_ONE);
	/* A word that looks like such a mark is data. */
	assert_int_equal(compared(word, 0), KC_HIDDEN_DATA);
}

/* How many of the canary's seven secret bytes a scrubbed word still shows. */
static int shown_bytes(uint64_t word, uint64_t canary)
{
	int count = 0;

	for (int i = 1; i < 8; i++)
		count += (word >> 8 * i & 0xff) == (canary >> 8 * i & 0xff);
	return count;
}

/* A canary that was overwritten in part, by text and by zeros: no three bytes survive. */
static void scrub_cuts_partial_copies(void **state)
{
	static const uint64_t canaries[] = { CANARY, 0x6a3c5f3e77623400 /* all printable */ };
	static const uint64_t writes[] = { 0x4141414141414141, 0 };

	(void)state;
	for (int n = 0; n < 4 * 128; n++) {
		uint64_t canary = canaries[n / 128 & 1], word = writes[n / 256];
		int keep = n & 127;

		for (int i = 0; i < 7; i++)
			if (keep >> i & 1) {
				word &= ~(0xffULL << 8 * (i + 1));
				word |= canary & 0xffULL << 8 * (i + 1);
			}
		assert_true(shown_bytes(kc_scrub(word, canary, &own), canary) < 3);
	}
}

/* Do three consecutive secret bytes of the canary show anywhere in a scrubbed word? */
static bool shows_three(uint64_t word, uint64_t canary)
{
	for (int from = 1; from <= 5; from++)
		for (int at = 0; at <= 5; at++)
			if ((word >> 8 * at & 0xffffff) == (canary >> 8 * from & 0xffffff))
				return true;
	return false;
}

/* A copy that does not lie on a word's border, with zeros beside it. */
static void scrub_hides_shifted_copies(void **state)
{
	static const uint64_t canaries[] = { CANARY, 0x6a3c5f3e77623400 /* all printable */ };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		for (int shift = 1; shift < 8; shift++) {
			uint64_t canary = canaries[i];

			assert_false(
				shows_three(kc_scrub(canary << 8 * shift, canary, &own), canary));
			assert_false(
				shows_three(kc_scrub(canary >> 8 * shift, canary, &own), canary));
		}
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
		cmocka_unit_test(scrub_keeps_what_unwinding_needs),
		cmocka_unit_test(scrub_hides_the_rest),
		cmocka_unit_test(scrub_compared_tells_distance),
		cmocka_unit_test(hidden_arguments),
		cmocka_unit_test(scrub_compared_keeps_the_rest),
		cmocka_unit_test(scrub_cuts_partial_copies),
		cmocka_unit_test(scrub_hides_shifted_copies),
		cmocka_unit_test(describe_bytes_and_bits),
		cmocka_unit_test(describe_small_delta),
		cmocka_unit_test(classes),
	};

	return RUN(tests);
}
