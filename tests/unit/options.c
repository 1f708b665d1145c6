// SPDX-License-Identifier: GPL-2.0-only
/* The command line: what help says is what the fields hold, and wrong values are refused. */
#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/common.h"
#include "cli/output.h"
#include "util/array.h"
#include "util/cleanup.h"

typedef void (*row_fn)(const struct kc_command *command, const struct kc_bound *bound);

/* Call fn for each row of each command. */
static void each_row(row_fn fn)
{
	for (const struct kc_command *const *command = kc_commands; *command; command++) {
		kc_auto_free struct kc_bound *bound = NULL;
		size_t count;

		assert_int_equal(
			kc_options_bind((*command)->rows, (*command)->defaults, &bound, &count), 0);
		assert_true(count > 0 || *command == &kc_cmd_schema);
		for (size_t i = 0; i < count; i++)
			fn(*command, &bound[i]);
	}
}

static void *field_of(const struct kc_bound *bound, const void *options)
{
	return (char *)options + bound->base + bound->row->field;
}

static void *defaults_of(const struct kc_command *command)
{
	void *options = malloc(command->size);

	assert_non_null(options);
	memcpy(options, command->defaults, command->size);
	return options;
}

/* All that rows promise each other and argp. */
static void row_is_sound(const struct kc_command *command, const struct kc_bound *bound)
{
	const struct kc_option *row = bound->row;
	bool takes_value = row->kind == KC_OPTION_NUMBER || row->kind == KC_OPTION_TEXT ||
			   row->kind == KC_OPTION_TEXTS;

	assert_true(bound->base + row->field < command->size);
	assert_int_equal(row->arg != NULL, takes_value);
	assert_true(row->name == NULL || row->help != NULL);
	assert_true(strlen(bound->help) < sizeof(bound->help) - 1); /* not cut */
	if (row->kind == KC_OPTION_NUMBER)
		assert_true(row->min < row->max);
	if (row->kind == KC_OPTION_TEXTS)
		assert_non_null(row->many);
	if (!row->name) /* an argument */
		assert_int_equal(row->kind, KC_OPTION_TEXT);
}

static void rows_are_sound(void **state)
{
	(void)state;
	each_row(row_is_sound);
}

/* Nobody writes a default into a text: the struct would not know. */
static void default_is_the_fields(const struct kc_command *command, const struct kc_bound *bound)
{
	const struct kc_option *row = bound->row;
	const void *field = field_of(bound, command->defaults);
	char expected[128] = "default ";

	if (row->help)
		assert_null(strstr(row->help, "default"));
	if (row->kind == KC_OPTION_NUMBER && *(const unsigned int *)field) {
		unsigned int value = *(const unsigned int *)field;

		assert_in_range(value, row->min, row->max);
		snprintf(expected, sizeof(expected), "default %u", value);
	} else if (row->kind == KC_OPTION_TEXT && *(const char *const *)field) {
		snprintf(expected, sizeof(expected), "default %s", *(const char *const *)field);
	} else if (row->kind != KC_OPTION_TEXTS) {
		assert_null(strstr(bound->help, "default"));
		return;
	}
	assert_non_null(strstr(bound->help, expected));
}

static void defaults_are_the_fields(void **state)
{
	(void)state;
	each_row(default_is_the_fields);
}

/* Another default, another help. */
static void help_follows_the_field(const struct kc_command *command, const struct kc_bound *bound)
{
	kc_auto_free struct kc_bound *again = NULL;
	kc_auto_free void *options = NULL;
	size_t count, i = 0;

	if (bound->row->kind != KC_OPTION_NUMBER && bound->row->kind != KC_OPTION_TEXT)
		return;
	options = defaults_of(command);
	if (bound->row->kind == KC_OPTION_NUMBER)
		*(unsigned int *)field_of(bound, options) = 7654321;
	else
		*(const char **)field_of(bound, options) = "7654321";
	assert_int_equal(kc_options_bind(command->rows, options, &again, &count), 0);
	while (again[i].row != bound->row)
		i++;
	assert_non_null(strstr(again[i].help, "default 7654321"));
}

static void help_follows_the_fields(void **state)
{
	(void)state;
	each_row(help_follows_the_field);
}

static void texts_of_the_help(void **state)
{
	struct {
		unsigned int number;
		struct kc_texts texts;
		struct kc_filter filter;
	} defaults = { 1000, { { "a", "b" }, 2 }, { .pid = 42 } };
	const struct kc_option rows[] = {
		{ "plain", 0, "N", KC_NUMBER(typeof(defaults), number, 0, 9000), .help = "h" },
		{ "least", 0, "N", KC_NUMBER(typeof(defaults), number, 10, 9000), .help = "h" },
		{ "note", 0, "N", KC_NUMBER(typeof(defaults), number, 0, 9000), .help = "h",
		  .note = "0: never" },
		{ "texts", 0, "T", KC_TEXTS(typeof(defaults), texts), .help = "h", .many = "Ts",
		  .none = (const char *const[]){ "x", "y", "z", NULL } },
		{ KC_ROWS(typeof(defaults), filter, struct kc_filter, kc_filter_rows) },
		{},
	};
	kc_auto_free struct kc_bound *bound = NULL, *none = NULL;
	size_t count;

	(void)state;
	assert_int_equal(kc_options_bind(rows, &defaults, &bound, &count), 0);
	assert_int_equal(count, 8);
	assert_string_equal(bound[0].help, "h (default 1000)");
	assert_string_equal(bound[1].help, "h (default 1000, at least 10)");
	assert_string_equal(bound[2].help, "h (default 1000, 0: never)");
	assert_string_equal(bound[3].help, "h (repeatable; default a and b)");
	assert_string_equal(bound[4].help, "this process only (default 42)");
	defaults = (typeof(defaults)){};
	assert_int_equal(kc_options_bind(rows, &defaults, &none, &count), 0);
	assert_string_equal(none[0].help, "h");
	assert_string_equal(none[2].help, "h (0: never)");
	assert_string_equal(none[3].help, "h (repeatable; default x, y and z)");
}

static void refuse(const struct kc_bound *bound, const char *arg, void *options)
{
	unsigned int before = *(unsigned int *)field_of(bound, options);
	struct kc_failure failure = {};
	char expected[128];

	snprintf(expected, sizeof(expected), "%s must be a number from %u to %u, not '%s'",
		 bound->row->arg, bound->row->min, bound->row->max, arg);
	assert_int_equal(kc_option_set(bound, arg, options, &failure), -EINVAL);
	assert_int_equal(failure.exit, KC_EXIT_USAGE);
	assert_string_equal(failure.text, expected);
	assert_int_equal(*(unsigned int *)field_of(bound, options), before);
}

static void numbers_stay_in_range(const struct kc_command *command, const struct kc_bound *bound)
{
	static const char *const words[] = { "", "x", "5x", "-1", "99999999999999999999" };
	const struct kc_option *row = bound->row;
	kc_auto_free void *options = NULL;
	struct kc_failure failure;
	char number[32];

	if (row->kind != KC_OPTION_NUMBER)
		return;
	options = defaults_of(command);
	for (size_t i = 0; i < kc_countof(words); i++)
		refuse(bound, words[i], options);
	snprintf(number, sizeof(number), "%lu", row->max + 1UL);
	refuse(bound, number, options);
	if (row->min) {
		snprintf(number, sizeof(number), "%u", row->min - 1);
		refuse(bound, number, options);
	}
	for (int i = 0; i < 2; i++) {
		unsigned int edge = i ? row->max : row->min;

		snprintf(number, sizeof(number), "%u", edge);
		assert_int_equal(kc_option_set(bound, number, options, &failure), 0);
		assert_int_equal(*(unsigned int *)field_of(bound, options), edge);
	}
}

static void numbers_out_of_range(void **state)
{
	(void)state;
	each_row(numbers_stay_in_range);
}

static void too_many_texts(const struct kc_command *command, const struct kc_bound *bound)
{
	kc_auto_free void *options = NULL;
	struct kc_failure failure;
	char expected[64];

	if (bound->row->kind != KC_OPTION_TEXTS)
		return;
	options = defaults_of(command);
	for (size_t i = 0; i < kc_countof(((struct kc_texts *)0)->items); i++)
		assert_int_equal(kc_option_set(bound, "a", options, &failure), 0);
	assert_int_equal(kc_option_set(bound, "a", options, &failure), -E2BIG);
	snprintf(expected, sizeof(expected), "at most 64 %s", bound->row->many);
	assert_string_equal(failure.text, expected);
}

static void texts_are_limited(void **state)
{
	(void)state;
	each_row(too_many_texts);
}

/* Letters and names of all commands, as they are met. */
static const struct kc_option *met[128];
static size_t nr_met;

static void means_the_same(const struct kc_command *command, const struct kc_bound *bound)
{
	const struct kc_option *row = bound->row;

	(void)command;
	for (size_t i = 0; row->name && i < nr_met; i++) {
		bool same_name = !strcmp(met[i]->name, row->name);

		if (!same_name && (!row->letter || met[i]->letter != row->letter))
			continue;
		assert_true(same_name);
		assert_int_equal(met[i]->letter, row->letter);
		assert_int_equal(met[i]->kind, row->kind);
	}
	assert_true(nr_met < kc_countof(met));
	if (row->name)
		met[nr_met++] = row;
}

static void letters_mean_the_same(void **state)
{
	(void)state;
	nr_met = 0;
	each_row(means_the_same);
}

/* ... and within a command each is there once. */
static void letters_are_unique(void **state)
{
	(void)state;
	for (const struct kc_command *const *command = kc_commands; *command; command++) {
		kc_auto_free struct kc_bound *bound = NULL;
		size_t count;

		assert_int_equal(
			kc_options_bind((*command)->rows, (*command)->defaults, &bound, &count), 0);
		for (size_t i = 0; i < count; i++)
			for (size_t j = 0; j < i; j++) {
				assert_int_not_equal(bound[i].key, bound[j].key);
				assert_true(!bound[i].row->name || !bound[j].row->name ||
					    strcmp(bound[i].row->name, bound[j].row->name));
			}
	}
}

/* Through argp, into the fields. */
static void parsed(void **state)
{
	struct all {
		struct kc_texts functions;
		unsigned int period, verbose;
		const char *glob;
		struct kc_output output;
		struct kc_filter filter; /* not at offset 0 */
	};
	static const struct all defaults = { .period = 1000, .output = KC_OUTPUT_DEFAULTS };
	const struct kc_option rows[] = {
		{ KC_ROWS(struct all, filter, struct kc_filter, kc_filter_rows) },
		{ "function", 'f', "F", KC_TEXTS(struct all, functions), .help = "h" },
		{ "sweep", 0, "MS", KC_NUMBER(struct all, period, 10, 100), .help = "h" },
		{ KC_ROWS(struct all, output, struct kc_output, kc_output_rows) },
		KC_ROW_VERBOSE(struct all, "h"),
		{ .arg = "GLOB", KC_TEXT(struct all, glob) },
		{},
	};
	const struct kc_command command = { .rows = rows,
					    .defaults = &defaults,
					    .size = sizeof(defaults) };
	char *argv[] = { "test", "-n",	     "App01", "-vv", "-f", "a",	   "--sweep", "50",
			 "glob", "--tid=12", "-j",    "-fb", "-o", "file", NULL };
	kc_auto_free void *options = NULL;
	struct kc_failure failure;
	const struct all *all;

	(void)state;
	assert_int_equal(kc_parse(&command, kc_countof(argv) - 1, argv, &failure, &options), 0);
	all = options;
	assert_string_equal(all->filter.comm, "App01");
	assert_int_equal(all->filter.tid, 12);
	assert_int_equal(all->filter.pid, 0);
	assert_int_equal(all->functions.count, 2);
	assert_string_equal(all->functions.items[1], "b");
	assert_int_equal(all->period, 50);
	assert_int_equal(all->verbose, 2);
	assert_string_equal(all->output.path, "file");
	assert_string_equal(all->glob, "glob");
	assert_true(all->output.json);
	assert_int_equal(defaults.period, 1000);
}

/* argp ends the process: the status it ends with, and what it says. */
static int end_of(const struct kc_command *command, char **argv, char *text, size_t size)
{
	int argc = 0, pipes[2], status;
	size_t used = 0;
	ssize_t got;
	pid_t pid;

	while (argv[argc])
		argc++;
	assert_int_equal(pipe(pipes), 0);
	fflush(NULL); /* the child ends with exit() */
	pid = fork();
	if (!pid) {
		struct kc_failure failure;
		void *options;

		dup2(pipes[1], STDERR_FILENO);
		kc_parse(command, argc, argv, &failure, &options);
		_exit(99);
	}
	close(pipes[1]);
	while ((got = read(pipes[0], text + used, size - 1 - used)) > 0)
		used += got;
	text[used] = '\0';
	close(pipes[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static void wrong_usage(void **state)
{
	static const struct {
		const struct kc_command *command;
		char *argv[6];
		const char *says;
	} uses[] = {
		{ &kc_cmd_watch,
		  { "w", "-s", "x" },
		  "w: MS must be a number from 10 to 3600000, not 'x'\n" },
		{ &kc_cmd_watch,
		  { "w", "--hold-off", "3" },
		  "w: MS must be 0, or at least 5: nothing is written sooner\n" },
		{ &kc_cmd_watch, { "w", "-n", "" }, "w: COMM must not be empty\n" },
		{ &kc_cmd_watch, { "w", "x" }, "w: unexpected argument 'x'\n" },
		{ &kc_cmd_audit,
		  { "a", "--sort", "x" },
		  "a: KEY must be tid, depth or high-water, not 'x'\n" },
		{ &kc_cmd_functions, { "f", "a", "b" }, "f: one GLOB, please\n" },
		{ &kc_cmd_functions,
		  { "f", "--vmlinux", "x" },
		  "f: --vmlinux and --kallsyms go together\n" },
		{ &kc_cmd_explain, { "e" }, "e: which FUNCTION?\n" },
		{ &kc_cmd_replay,
		  { "y", "f", "--views=most" },
		  "y: HOW must be full, brief or none, not 'most'\n" },
		{ &kc_cmd_watch,
		  { "w", "--metrics=/x.txt" },
		  "w: FILE must end in .prom, not '/x.txt': node exporter reads no other\n" },
		{ &kc_cmd_release, { "r" }, "r: which TID?\n" },
		{ &kc_cmd_release,
		  { "r", "4294967525" }, /* 229, if it were cut to 32 bits */
		  "r: TID must be a thread's number, not '4294967525'\n" },
		{ &kc_cmd_release, { "r", "7x" }, "r: TID must be a thread's number, not '7x'\n" },
		{ &kc_cmd_explain,
		  { "e", "f", "--kallsyms", "x" },
		  "e: --vmlinux and --kallsyms go together\n" },
		{ &kc_cmd_prove,
		  { "p", "--seed=4294967296" },
		  "p: NUMBER must be a number from 0 to 4294967295, not '4294967296'\n" },
	};
	char text[1024];

	(void)state;
	for (size_t i = 0; i < kc_countof(uses); i++) {
		char *argv[6];

		memcpy(argv, uses[i].argv, sizeof(argv));
		assert_int_equal(end_of(uses[i].command, argv, text, sizeof(text)), KC_EXIT_USAGE);
		assert_memory_equal(text, uses[i].says, strlen(uses[i].says));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_are_sound),
		cmocka_unit_test(defaults_are_the_fields),
		cmocka_unit_test(help_follows_the_fields),
		cmocka_unit_test(texts_of_the_help),
		cmocka_unit_test(numbers_out_of_range),
		cmocka_unit_test(texts_are_limited),
		cmocka_unit_test(letters_mean_the_same),
		cmocka_unit_test(letters_are_unique),
		cmocka_unit_test(parsed),
		cmocka_unit_test(wrong_usage),
	};

	return RUN(tests);
}
