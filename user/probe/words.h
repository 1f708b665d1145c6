/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What words of a stack point to, from the kernel's own books (bpf/words.bpf.c). */
#ifndef KC_PROBE_WORDS_H
#define KC_PROBE_WORDS_H

#include "kc_words.h"
#include "kernel/kernel.h"
#include "util/cleanup.h"

struct kc_words;

/* Where the words lie. They are read as they are now: if the thread ran since is the caller's. */
struct kc_words_at {
	uint64_t from; /* the first one's address */
	size_t count;  /* at most KC_MAX_WORDS */
	uint64_t top;  /* of the stack that they lie on */
	/* Damaged ones, which may hold another task's canary: asked first of those that may be a
	 * task's. */
	const uint64_t *slots;
	size_t nr_slots;
};

/* Load. What this kernel does not let us know is never told: KC_POINTED_NOT_KNOWN. 0 or -errno. */
int kc_words_new(const struct kc_kernel *kernel, struct kc_words **ret_words);
void kc_words_free(struct kc_words *words);
KC_DEFINE_AUTO(words, struct kc_words, kc_words_free)

/* Fill ret_pointees[at->count]. One pass over all tasks if there is a reason to. 0 or -errno. */
int kc_words_look(struct kc_words *words, const struct kc_words_at *at,
		  struct kc_pointee *ret_pointees);

#endif
