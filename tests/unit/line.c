// SPDX-License-Identifier: GPL-2.0-only
/* Lines that are made without a lock: as gmtime_r() and json-c would make them. */
#include "unit.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/line.h"
#include "util/time.h"

/* Any 64 bits; the same ones in every run. */
static uint64_t any(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static void assert_as_gmtime(time_t seconds)
{
	char text[64], want[64];
	struct kc_line line = { text, sizeof(text), 0 };
	struct tm tm;

	assert_non_null(gmtime_r(&seconds, &tm));
	snprintf(want, sizeof(want), "%04ld-%02d-%02dT%02d:%02d:%02d", tm.tm_year + 1900L,
		 tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec);
	assert_true(kc_line_add_time(&line, seconds, 'T'));
	assert_string_equal(text, want);
	assert_int_equal(line.len, strlen(want));
}

#define DAY 86400L

static void times(void **state)
{
	/* The epoch, 2000-02-29, 2038, 2100-02-28, 2106, 9999 and after. */
	static const time_t edges[] = {
		0, 951782400, 2147483647, 4107456000, 4294967295, 253402300799, 67767976233532799,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(edges) / sizeof(edges[0]); i++)
		for (long by = -2 * DAY; by <= 2 * DAY; by += DAY / 2 - 1)
			if (edges[i] + by <= edges[6])
				assert_as_gmtime(edges[i] + by);
	/* Every day of 1,200 years, at its first and last second; some are before 1970. */
	for (long day = -800 * 365L; day < 400 * 366L; day++) {
		assert_as_gmtime(day * DAY);
		assert_as_gmtime(day * DAY + DAY - 1);
	}
	for (int i = 0; i < 100000; i++) {
		assert_as_gmtime(any() >> 30);	       /* 500 years */
		assert_as_gmtime((int64_t)any() >> 9); /* a billion, on both sides */
	}
}

/* What json-c reads from it; bytes that are not ASCII come as "\ooo". */
static void assert_as_json(const char *bytes, size_t max)
{
	char text[4096], want[4096];
	struct kc_line line = { text, sizeof(text), 0 };
	struct json_object *read;
	size_t len = 0;

	for (size_t i = 0; i < max && bytes[i]; i++)
		len += snprintf(want + len, sizeof(want) - len,
				(unsigned char)bytes[i] < 0x80 ? "%c" : "\\%03o",
				(unsigned char)bytes[i]);
	want[len] = '\0';
	assert_true(kc_line_add_json(&line, bytes, max));
	assert_int_equal(line.len, strlen(text));
	/* json-c takes control characters as they are; the standard does not. */
	for (const char *at = text; *at; at++)
		assert_true(*at >= ' ' && *at < 0x7f);
	read = json_tokener_parse(text);
	assert_non_null(read);
	assert_true(json_object_is_type(read, json_type_string));
	assert_string_equal(json_object_get_string(read), want);
	json_object_put(read);
}

static void json_strings(void **state)
{
	(void)state;
	assert_as_json("", 0);
	assert_as_json("", 1);
	for (int byte = 0; byte < 256; byte++)
		assert_as_json((const char[]){ byte, 'x', 0 }, 2);
	for (int i = 0; i < 20000; i++) {
		size_t max = any() % 300;
		char *bytes = malloc(max + 1); /* so that ASan sees a byte too far */

		for (size_t n = 0; n < max; n++)
			bytes[n] = any() >> 20;
		if (any() % 2)
			for (size_t n = 0; n < max; n++)
				bytes[n] = "\"\\/\n\x7f\x1f\xff"
					   "abc"[any() % 10];
		bytes = realloc(bytes, max ? max : 1);
		assert_as_json(bytes, max);
		free(bytes);
	}
}

/* One thing of any kind; what it would be if there were room. */
static bool add_something(struct kc_line *line, uint64_t what)
{
	char bytes[16];

	memcpy(bytes, &what, 8);
	memcpy(bytes + 8, &what, 8);
	switch (what % 3) {
	case 0:
		return kc_line_add(line, "%0*lu", (int)(what >> 8 & 15), what >> 40);
	case 1:
		return kc_line_add_time(line, what >> 24, ' ');
	default:
		return kc_line_add_json(line, bytes, sizeof(bytes));
	}
}

/* What fits is there, whole; what does not is not, in no part; and nothing is behind it. */
static void full_lines(void **state)
{
	(void)state;
	for (size_t size = 1; size < 200; size++) {
		char *text = malloc(size), whole[128], want[200] = "";
		struct kc_line line = { text, size, 0 };

		for (int i = 0; i < 40; i++) {
			struct kc_line one = { whole, sizeof(whole), 0 };
			uint64_t what = any();
			bool fits;

			assert_true(add_something(&one, what));
			fits = strlen(want) + one.len < size;
			assert_int_equal(add_something(&line, what), fits);
			if (fits)
				strcat(want, whole);
			assert_int_equal(line.len, strlen(want));
			assert_memory_equal(text, want, line.len);
			assert_int_equal(text[line.len], '\0');
		}
		free(text);
	}
}

/* As /proc/self/timens_offsets has it, with the numbers of time_namespaces(7)'s example. */
static void time_namespaces(void **state)
{
	(void)state;
	assert_int_equal(kc_boot_offset_in("monotonic           0         0\n"
					   "boottime       604800         5\n"),
			 604800000000005);
	assert_int_equal(kc_boot_offset_in("monotonic  7 0\nboottime  -1 500000000\n"), -500000000);
	assert_int_equal(kc_boot_offset_in("monotonic           0         0\n"), 0);
	assert_int_equal(kc_boot_offset_in(""), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times),
		cmocka_unit_test(time_namespaces),
		cmocka_unit_test(json_strings),
		cmocka_unit_test(full_lines),
	};

	return RUN(tests);
}
