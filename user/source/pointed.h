/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What words of a stack point to, by names. */
#ifndef KC_SOURCE_POINTED_H
#define KC_SOURCE_POINTED_H

#include <stdint.h>

#include "kc_words.h"

/* Of one word. What else it says goes by its kind: see enum kc_pointed. */
struct kc_pointed_word {
	uint32_t depth; /* where the word lies: bytes below the stack's top */
	uint32_t kind;	/* enum kc_pointed */
	uint32_t pid, tid;
	uint32_t cpu;
	uint32_t pad;
	uint64_t offset;
	char name[72]; /* the cache; the symbol, for STATIC and PERCPU with its offset; who asked */
	char comm[KC_COMM_LEN];
};

/* Those that point anywhere, from the innermost outwards. */
struct kc_pointed_words {
	uint32_t count;
	uint32_t pad;
	struct kc_pointed_word word[KC_MAX_WORDS];
};

/* NULL: nothing is told of that word. words may be NULL. */
const struct kc_pointed_word *kc_pointed_at(const struct kc_pointed_words *words, uint64_t depth);

/* "[kmalloc-64]+0x10", "stack of thread 7, depth 0x5c0". Returns text. */
const char *kc_pointed_text(const struct kc_pointed_word *word, char text[static 160]);

/* For JSON; one for each kind. */
const char *kc_pointed_name(enum kc_pointed kind);

#endif
