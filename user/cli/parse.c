// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Rows handed to argp, and what argp found handed back to the rows. */
#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/command.h"
#include "util/cleanup.h"
#include "util/log.h"

struct parser {
	const struct kc_command *command;
	const struct kc_bound *bound;
	size_t count;
	void *options;
};

/* The row of the argument that is no option; NULL: the command takes none. */
static const struct kc_bound *argument_of(const struct parser *parser)
{
	for (size_t i = 0; i < parser->count; i++)
		if (!parser->bound[i].row->name)
			return &parser->bound[i];
	return NULL;
}

static const char *argument_given(const struct parser *parser, const struct kc_bound *argument)
{
	return *(const char **)((char *)parser->options + argument->base + argument->row->field);
}

static int set_argument(const struct parser *parser, const char *arg,
			struct kc_failure *ret_failure)
{
	const struct kc_bound *argument = argument_of(parser);

	if (!argument)
		return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL, "unexpected argument '%s'",
			       arg);
	if (argument_given(parser, argument))
		return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL, "one %s, please",
			       argument->row->arg);
	return kc_option_set(argument, arg, parser->options, ret_failure);
}

static int check_all(const struct parser *parser, struct kc_failure *ret_failure)
{
	const struct kc_bound *argument = argument_of(parser);

	if (argument && argument->row->required && !argument_given(parser, argument))
		return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL, "which %s?",
			       argument->row->arg);
	return parser->command->check ? parser->command->check(parser->options, ret_failure) : 0;
}

/* 1: the key is none of ours. */
static int take(const struct parser *parser, int key, const char *arg,
		struct kc_failure *ret_failure)
{
	if (key == ARGP_KEY_ARG)
		return set_argument(parser, arg, ret_failure);
	if (key == ARGP_KEY_END)
		return check_all(parser, ret_failure);
	for (size_t i = 0; i < parser->count; i++)
		if (parser->bound[i].row->name && parser->bound[i].key == key)
			return kc_option_set(&parser->bound[i], arg, parser->options, ret_failure);
	return 1;
}

static error_t on_key(int key, char *arg, struct argp_state *state)
{
	struct kc_failure failure;
	int err = take(state->input, key, arg, &failure);

	if (err < 0)
		argp_error(state, "%s", failure.text); /* does not return */
	return err ? ARGP_ERR_UNKNOWN : 0;
}

static void fill(const struct parser *parser, struct argp_option *options)
{
	for (size_t i = 0; i < parser->count; i++) {
		const struct kc_bound *bound = &parser->bound[i];

		if (!bound->row->name)
			continue;
		*options++ = (struct argp_option){
			.name = bound->row->name,
			.key = bound->key,
			.arg = bound->row->arg,
			.doc = bound->help,
			.group = bound->row->group,
		};
	}
}

static int parse(struct parser *parser, int argc, char **argv, struct kc_failure *ret_failure)
{
	kc_auto_free struct argp_option *options = calloc(parser->count + 1, sizeof(*options));
	const struct kc_bound *argument = argument_of(parser);
	struct argp argp = {
		.options = options,
		.parser = on_key,
		.doc = parser->command->doc,
	};
	char args[64];
	int err;

	if (!options)
		return kc_fail_nomem(ret_failure);
	fill(parser, options);
	if (argument) {
		snprintf(args, sizeof(args), argument->row->required ? "%s" : "[%s]",
			 argument->row->arg);
		argp.args_doc = args;
	}
	argp_err_exit_status = KC_EXIT_USAGE;
	err = argp_parse(&argp, argc, argv, 0, NULL, parser);
	if (err)
		return kc_fail(ret_failure, KC_EXIT_USAGE, -err, "cannot read the options: %s",
			       kc_strerror(err));
	return 0;
}

int kc_parse(const struct kc_command *command, int argc, char **argv,
	     struct kc_failure *ret_failure, void **ret_options)
{
	kc_auto_free void *options = malloc(command->size);
	kc_auto_free struct kc_bound *bound = NULL;
	struct parser parser = { .command = command, .options = options };
	int err;

	if (!options || kc_options_bind(command->rows, command->defaults, &bound, &parser.count))
		return kc_fail_nomem(ret_failure);
	memcpy(options, command->defaults, command->size);
	parser.bound = bound;
	err = parse(&parser, argc, argv, ret_failure);
	if (!err)
		*ret_options = kc_take(options);
	return err;
}
