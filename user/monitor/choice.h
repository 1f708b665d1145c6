/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which functions live probes are put on, and where in them. */
#ifndef KC_MONITOR_CHOICE_H
#define KC_MONITOR_CHOICE_H

#include "monitor/session.h"

#define KC_MAX_CHOSEN  (KC_MAX_DEPTHS - 1) /* the last is pulse.c's own */
#define KC_MAX_RETURNS 16

/* One function. A guarded one is probed at its checks, another at its returns. */
struct kc_choice {
	char name[128];	      /* [module] included */
	char instead_of[128]; /* the unguarded function that was asked for, or "" */
	char alias[128];      /* by which it was asked for, if that is not the name shown; or "" */
	const struct kc_plan *plan;
	size_t nr_checks; /* with a load that can be probed */
	uint64_t returns[KC_MAX_RETURNS];
	size_t nr_returns;
	bool all_returns;    /* false: it may also be left in other ways */
	const char *refused; /* why it is not probed, or NULL */
};

struct kc_choices {
	struct kc_choice *choices;
	size_t count, capacity;
	size_t points; /* probes that they take together */
};

/* What is probed if nobody chooses; NULL behind the last. */
extern const char *const kc_default_functions[];

/*
 * Choose by names, globs and presets ("futex", "sleep", "io", "net",
 * "all-blocking"); none of them: the default set. Guarded callees are taken in the
 * place of unguarded functions. 0, or -errno and why. Plans are the session's, valid
 * until a reload.
 */
struct kc_wish {
	const char *const *globs;
	size_t nr_globs;
	const char *preset;
};

int kc_choose(struct kc_session *session, const struct kc_wish *wish,
	      struct kc_failure *ret_failure, struct kc_choices *ret_choices);

/*
 * The function of a choice once more, by the choice's name, after a reload. -ENOENT: there is none
 * any more; -ENOTUNIQ: several; or -ENOMEM.
 */
int kc_choose_again(struct kc_session *session, const char *name, struct kc_choice *ret_choice);
void kc_choices_free(struct kc_choices *choices);

#endif
