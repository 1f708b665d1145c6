// SPDX-License-Identifier: GPL-2.0-only
/* What a doctor's exams come to. */
#include "unit.h"

#include <string.h>

#include "monitor/doctor.h"

static struct kc_checkup checkup;

static void exam(enum kc_weight weight, enum kc_answer answer, const char *without,
		 const char *found)
{
	struct kc_exam *it = &checkup.exams[checkup.count++];

	*it = (struct kc_exam){ "it", weight, without, "", answer, "" };
	strcpy(it->found, found);
}

static void begin(void)
{
	checkup = (struct kc_checkup){};
	exam(KC_WEIGHT_VITAL, KC_ANSWER_YES, "all is lost", "well");
	exam(KC_WEIGHT_ASIDE, KC_ANSWER_NO, "no vmcore", "not armed");
	exam(KC_WEIGHT_ASIDE, KC_ANSWER_UNKNOWN, "no log", "not tried");
}

static void assert_says(enum kc_exit status, const char *sentence)
{
	char text[1024];

	assert_int_equal(kc_checkup_exit(&checkup), status);
	kc_checkup_sentence(&checkup, text, sizeof(text));
	assert_string_equal(text, sentence);
}

static void sentences(void **state)
{
	(void)state;
	begin();
	assert_says(KC_EXIT_CLEAN, "This host can be watched.");
	exam(KC_WEIGHT_PART, KC_ANSWER_NO, "no probes", "refused");
	exam(KC_WEIGHT_PART, KC_ANSWER_UNKNOWN, "no tripwire", "not tried");
	assert_says(KC_EXIT_BLIND,
		    "This host can be watched, but not completely: no probes; no tripwire.");
	/* The first is why the second could not be tried. */
	exam(KC_WEIGHT_VITAL, KC_ANSWER_NO, "all is lost", "not root");
	exam(KC_WEIGHT_VITAL, KC_ANSWER_UNKNOWN, "all is lost", "not tried");
	assert_says(KC_EXIT_CANNOT_RUN, "This host can't be watched: not root.");
}

/* However long it would be: it ends where the text does. */
static void cut(void **state)
{
	char text[24];

	(void)state;
	begin();
	exam(KC_WEIGHT_PART, KC_ANSWER_NO, "no probes", "refused");
	kc_checkup_sentence(&checkup, text, sizeof(text));
	assert_string_equal(text, "This host can be watche");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sentences),
		cmocka_unit_test(cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
