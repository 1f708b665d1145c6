// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report/line.h"

#include <stdarg.h>
#include <stdio.h>

bool kc_line_add(struct kc_line *line, const char *format, ...)
{
	size_t left = line->size - line->len;
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(line->text + line->len, left, format, args);
	va_end(args);
	if (len < 0 || (size_t)len >= left) {
		line->text[line->len] = '\0';
		return false;
	}
	line->len += len;
	return true;
}

static bool add_json_byte(struct kc_line *line, unsigned char byte)
{
	if (byte == '"' || byte == '\\')
		return kc_line_add(line, "\\%c", byte);
	if (byte < ' ' || byte == 0x7f)
		return kc_line_add(line, "\\u%04x", byte);
	return kc_line_add(line, byte < 0x80 ? "%c" : "\\\\%03o", byte);
}

bool kc_line_add_json(struct kc_line *line, const char *bytes, size_t max)
{
	size_t start = line->len;
	bool fits = kc_line_add(line, "\"");

	for (size_t i = 0; fits && i < max && bytes[i]; i++)
		fits = add_json_byte(line, bytes[i]);
	fits = fits && kc_line_add(line, "\"");
	if (!fits) {
		line->len = start;
		line->text[start] = '\0';
	}
	return fits;
}

/*
 * Days since 1970 as a date, in years that begin with March, so that a leap day is the last one:
 * 400 years have 146,097 days.
 */
static void date_of(long days, long *ret_year, unsigned int *ret_month, unsigned int *ret_day)
{
	long since = days + 719468; /* 1 March of the year 0 */
	long era = (since >= 0 ? since : since - 146096) / 146097;
	unsigned int of_era = since - era * 146097;
	unsigned int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned int of_year = of_era - (365 * year + year / 4 - year / 100);
	unsigned int month = (5 * of_year + 2) / 153; /* 0: March */

	*ret_day = of_year - (153 * month + 2) / 5 + 1;
	*ret_month = month < 10 ? month + 3 : month - 9;
	*ret_year = year + era * 400 + (*ret_month <= 2);
}

bool kc_line_add_time(struct kc_line *line, time_t seconds, char between)
{
	long days = seconds / 86400, of_day = seconds % 86400, year;
	unsigned int month, day;

	if (of_day < 0) { /* before 1970: a recording may say so */
		of_day += 86400;
		days--;
	}
	date_of(days, &year, &month, &day);
	return kc_line_add(line, "%04ld-%02u-%02u%c%02ld:%02ld:%02ld", year, month, day, between,
			   of_day / 3600, of_day / 60 % 60, of_day % 60);
}
