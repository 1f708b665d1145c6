// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/option.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/array.h"
#include "util/cleanup.h"

#define FIRST_KEY_WITHOUT_LETTER 0x100

static __attribute__((format(printf, 3, 4))) void append(char *text, size_t size,
							 const char *format, ...)
{
	size_t used = strlen(text);
	va_list args;

	va_start(args, format);
	vsnprintf(text + used, size - used, format, args);
	va_end(args);
}

/* "a", "a and b", "a, b and c" */
static void append_list(char *text, size_t size, const char *const *items, size_t count)
{
	for (size_t i = 0; i < count; i++)
		append(text, size, "%s%s", i == 0 ? "" : i + 1 == count ? " and " : ", ", items[i]);
}

static void append_texts(const struct kc_option *row, const struct kc_texts *texts, char *text,
			 size_t size)
{
	size_t count = 0;

	if (texts->count) {
		append_list(text, size, texts->items, texts->count);
		return;
	}
	while (row->none && row->none[count])
		count++;
	append_list(text, size, row->none, count);
}

/* The value that a field has, in words; "" if it is one that says nothing. */
static void describe_value(const struct kc_option *row, const void *field, char *text, size_t size)
{
	*text = '\0';
	switch (row->kind) {
	case KC_OPTION_NUMBER:
	case KC_OPTION_COUNT:
		if (*(const unsigned int *)field)
			append(text, size, "%u", *(const unsigned int *)field);
		break;
	case KC_OPTION_TEXT:
		if (*(const char *const *)field)
			append(text, size, "%s", *(const char *const *)field);
		break;
	case KC_OPTION_TEXTS:
		append_texts(row, field, text, size);
		break;
	case KC_OPTION_FLAG:
		if (*(const bool *)field)
			append(text, size, "on");
		break;
	case KC_OPTION_END:
	case KC_OPTION_ROWS:
		break;
	}
}

/* "HELP (repeatable; default VALUE, at least MIN, NOTE)", as far as there is any. */
static void describe(struct kc_bound *bound, const void *defaults)
{
	const struct kc_option *row = bound->row;
	char more[sizeof(bound->help)] = "", value[sizeof(more)];

	describe_value(row, (const char *)defaults + bound->base + row->field, value,
		       sizeof(value));
	if (*value)
		append(more, sizeof(more), ", default %s", value);
	if (*value && row->min > 1)
		append(more, sizeof(more), ", at least %u", row->min);
	if (row->note)
		append(more, sizeof(more), ", %s", row->note);
	snprintf(bound->help, sizeof(bound->help), "%s", row->help ?: "");
	if (row->kind == KC_OPTION_TEXTS)
		append(bound->help, sizeof(bound->help), " (repeatable%s%s)", *more ? ";" : "",
		       *more ? more + 1 : "");
	else if (*more)
		append(bound->help, sizeof(bound->help), " (%s)", more + 2);
}

struct binding {
	struct kc_bound *bound;
	size_t count, capacity;
};

static int bind(const struct kc_option *rows, size_t base, struct binding *binding)
{
	int err = 0;

	for (; !err && rows->kind != KC_OPTION_END; rows++) {
		if (rows->kind == KC_OPTION_ROWS) {
			err = bind(rows->rows, base + rows->field, binding);
			continue;
		}
		err = kc_grow(binding->bound, binding->capacity, binding->count + 1);
		if (err)
			break;
		binding->bound[binding->count] = (struct kc_bound){
			.row = rows,
			.base = base,
			.key = rows->letter ?: FIRST_KEY_WITHOUT_LETTER + (int)binding->count,
		};
		binding->count++;
	}
	return err;
}

int kc_options_bind(const struct kc_option *rows, const void *defaults, struct kc_bound **ret_bound,
		    size_t *ret_count)
{
	struct binding binding = {};
	int err = bind(rows, 0, &binding);

	if (err) {
		free(binding.bound);
		return err;
	}
	for (size_t i = 0; i < binding.count; i++)
		describe(&binding.bound[i], defaults);
	*ret_bound = binding.bound;
	*ret_count = binding.count;
	return 0;
}

bool kc_option_number(const char *text, unsigned int min, unsigned int max, unsigned int *ret_value)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || end == text || *end || *text == '-' || value < min || value > max)
		return false;
	*ret_value = value;
	return true;
}

static int set_number(const struct kc_option *row, const char *arg, unsigned int *field,
		      struct kc_failure *ret_failure)
{
	if (kc_option_number(arg, row->min, row->max, field))
		return 0;
	return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL,
		       "%s must be a number from %u to %u, not '%s'", row->arg, row->min, row->max,
		       arg);
}

static int add_text(const struct kc_option *row, const char *arg, struct kc_texts *texts,
		    struct kc_failure *ret_failure)
{
	if (texts->count == kc_countof(texts->items))
		return kc_fail(ret_failure, KC_EXIT_USAGE, -E2BIG, "at most %zu %s",
			       kc_countof(texts->items), row->many);
	texts->items[texts->count++] = arg;
	return 0;
}

int kc_option_set(const struct kc_bound *bound, const char *arg, void *options,
		  struct kc_failure *ret_failure)
{
	const struct kc_option *row = bound->row;
	char *base = (char *)options + bound->base;
	void *field = base + row->field;
	int err = 0;

	switch (row->kind) {
	case KC_OPTION_FLAG:
		*(bool *)field = true;
		break;
	case KC_OPTION_COUNT:
		++*(unsigned int *)field;
		break;
	case KC_OPTION_NUMBER:
		err = set_number(row, arg, field, ret_failure);
		break;
	case KC_OPTION_TEXT:
		*(const char **)field = arg;
		break;
	case KC_OPTION_TEXTS:
		err = add_text(row, arg, field, ret_failure);
		break;
	case KC_OPTION_END:
	case KC_OPTION_ROWS:
		break;
	}
	return err || !row->then ? err : row->then(row, arg, base, ret_failure);
}

int kc_option_not_empty(const struct kc_option *row, const char *arg, void *options,
			struct kc_failure *ret_failure)
{
	(void)options;
	return *arg ? 0
		    : kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL, "%s must not be empty",
			      row->arg);
}
