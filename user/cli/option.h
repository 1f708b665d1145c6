/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An option is a row, bound to a field of its command's options struct: from the row come
 * what argp knows, the parsing, and the help, which shows the default that the struct has.
 *
 *	static const struct kc_option rows[] = {
 *		{ "sweep", 's', "MS", KC_NUMBER(struct watch_options, period, 10, 3600 * 1000),
 *		  .help = "time from one pass to the next" },
 *		{},
 *	};
 */
#ifndef KC_CLI_OPTION_H
#define KC_CLI_OPTION_H

#include <stdbool.h>
#include <stddef.h>

#include "util/error.h"

/* All values of an option that may be repeated. */
struct kc_texts {
	const char *items[64];
	size_t count;
};

enum kc_option_kind {
	KC_OPTION_END,	  /* of the table */
	KC_OPTION_FLAG,	  /* bool */
	KC_OPTION_COUNT,  /* unsigned int: how often it is given */
	KC_OPTION_NUMBER, /* unsigned int, min..max */
	KC_OPTION_TEXT,	  /* const char * */
	KC_OPTION_TEXTS,  /* struct kc_texts */
	KC_OPTION_ROWS,	  /* a struct in the options, with a table of its own */
};

/* Tables give name, letter and arg by position, the rest by name. */
struct kc_option {
	const char *name; /* the long one; NULL: no option, but the command's argument */
	char letter;	  /* or 0 */
	const char *arg;  /* what the help and errors call the value; NULL: takes none */
	const char *help; /* without the default, which is put behind it */
	const char *note; /* behind the default: what a special value means; or NULL */
	int group;	  /* argp's; 0: as the row before */
	enum kc_option_kind kind;
	size_t field; /* offset in the struct that the table is for */
	unsigned int min, max;
	bool required;		      /* an argument that must be there */
	const char *const *none;      /* TEXTS: what is taken if none is given */
	const char *many;	      /* TEXTS: what errors call several of them */
	const struct kc_option *rows; /* ROWS */
	/* What is asked of a value once it is stored; `options`: the struct of this table. */
	int (*then)(const struct kc_option *row, const char *arg, void *options,
		    struct kc_failure *ret_failure);
};

/* Offset of a member; does not compile if the member is of another type. */
#define KC_FIELD(type, member, expected) \
	_Generic(&((type *)0)->member, expected * : offsetof(type, member))

#define KC_FLAG(type, member) .kind = KC_OPTION_FLAG, .field = KC_FIELD(type, member, bool)
#define KC_COUNT(type, member) \
	.kind = KC_OPTION_COUNT, .field = KC_FIELD(type, member, unsigned int)
#define KC_NUMBER(type, member, least, most)                                                     \
	.kind = KC_OPTION_NUMBER, .field = KC_FIELD(type, member, unsigned int), .min = (least), \
	.max = (most)
#define KC_TEXT(type, member) .kind = KC_OPTION_TEXT, .field = KC_FIELD(type, member, const char *)
#define KC_TEXTS(type, member) \
	.kind = KC_OPTION_TEXTS, .field = KC_FIELD(type, member, struct kc_texts)
#define KC_ROWS(type, member, member_type, table) \
	.kind = KC_OPTION_ROWS, .field = KC_FIELD(type, member, member_type), .rows = (table)

/* A row in its place in a command's options. */
struct kc_bound {
	const struct kc_option *row;
	size_t base;	/* in the command's options, of the struct that the row's table is for */
	int key;	/* argp's: the letter, or a number that is none */
	char help[256]; /* with the default */
};

/*
 * Bind a command's rows, those of the tables in it too, and tell each default as `defaults`,
 * a struct of the command's options, has it. 0 or -ENOMEM; the array is the caller's to free.
 */
int kc_options_bind(const struct kc_option *rows, const void *defaults, struct kc_bound **ret_bound,
		    size_t *ret_count);

/* Store a value (NULL if it takes none). 0, or -errno and what is wrong with it. */
int kc_option_set(const struct kc_bound *bound, const char *arg, void *options,
		  struct kc_failure *ret_failure);

/* Decimal, of the whole text, and not out of range; else false. */
bool kc_option_number(const char *text, unsigned int min, unsigned int max,
		      unsigned int *ret_value);

/* For `then`. */
int kc_option_not_empty(const struct kc_option *row, const char *arg, void *options,
			struct kc_failure *ret_failure);

#endif
