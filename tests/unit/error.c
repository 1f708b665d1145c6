// SPDX-License-Identifier: GPL-2.0-only
/* A failure carries its sentence, its errno and its exit status, and is never 0. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "util/error.h"

static void carries_all(void **state)
{
	struct kc_failure failure;

	(void)state;
	assert_int_equal(kc_fail(&failure, KC_EXIT_USAGE, -E2BIG, "%d of '%s'", 3, "a"), -E2BIG);
	assert_int_equal(failure.err, -E2BIG);
	assert_int_equal(failure.exit, KC_EXIT_USAGE);
	assert_string_equal(failure.text, "3 of 'a'");
	assert_int_equal(kc_fail_nomem(&failure), -ENOMEM);
	assert_int_equal(failure.exit, KC_EXIT_FAILED);
}

/* A library that failed without an errno: still a failure. */
static void is_never_success(void **state)
{
	struct kc_failure failure;

	(void)state;
	assert_int_equal(kc_fail(&failure, KC_EXIT_FAILED, 0, "no reason"), -EIO);
	assert_int_equal(failure.err, -EIO);
}

static void is_cut_not_overrun(void **state)
{
	char text[2 * sizeof((struct kc_failure){}.text)];
	struct kc_failure failure;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	kc_fail(&failure, KC_EXIT_FAILED, -EIO, "%s", text);
	assert_int_equal(strlen(failure.text), sizeof(failure.text) - 1);
}

/* Work goes on when somebody asks to end; what fails then is not hidden by it. */
static void first_error(void **state)
{
	(void)state;
	assert_int_equal(kc_first_error(0, 0), 0);
	assert_int_equal(kc_first_error(0, -EPIPE), -EPIPE);
	assert_int_equal(kc_first_error(-EINTR, 0), -EINTR);
	assert_int_equal(kc_first_error(-EINTR, -EPIPE), -EINTR);
	assert_int_equal(kc_first_error(-EPIPE, -ENOMEM), -ENOMEM);
	assert_int_equal(kc_first_error(-EIO, -ENOMEM), -EIO);
	assert_int_equal(kc_first_error(-EIO, -EINTR), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(first_error),
		cmocka_unit_test(carries_all),
		cmocka_unit_test(is_never_success),
		cmocka_unit_test(is_cut_not_overrun),
	};

	return RUN(tests);
}
