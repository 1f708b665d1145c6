/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Can this host be watched, and how completely? Each part is tried as a watch would use it: one
 * pass over all tasks, the default probes placed for a moment, a gate, a call of our own.
 */
#ifndef KC_MONITOR_DOCTOR_H
#define KC_MONITOR_DOCTOR_H

#include <stddef.h>

#include "util/exit.h"

enum kc_answer {
	KC_ANSWER_YES,
	KC_ANSWER_NO,
	KC_ANSWER_UNKNOWN, /* what it needs was not there, or the host does not tell */
};

const char *kc_answer_name(enum kc_answer answer);

enum kc_weight {
	KC_WEIGHT_VITAL, /* without it nothing can be watched */
	KC_WEIGHT_PART,	 /* without it something is not seen */
	KC_WEIGHT_ASIDE, /* good to have at a panic, or an option */
};

struct kc_exam {
	const char *what;
	enum kc_weight weight;
	const char *without; /* what is lost */
	const char *remedy;  /* how to get it, or "" */
	enum kc_answer answer;
	char found[256]; /* what was seen, or why not */
};

#define KC_MAX_EXAMS 24

struct kc_checkup {
	struct kc_exam exams[KC_MAX_EXAMS];
	size_t count;
};

/* Try everything. Takes seconds; nothing stays in place. */
void kc_doctor(struct kc_checkup *ret_checkup);

/* KC_EXIT_CANNOT_RUN: something vital is missing; KC_EXIT_BLIND: a part; else clean. */
enum kc_exit kc_checkup_exit(const struct kc_checkup *checkup);

/* One sentence: can it be watched, how completely, what is not seen. */
void kc_checkup_sentence(const struct kc_checkup *checkup, char *text, size_t size);

#endif
