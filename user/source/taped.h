/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A recording as a source: what was answered when it was made is answered again, in the order in
 * which it was asked.
 */
#ifndef KC_SOURCE_TAPED_H
#define KC_SOURCE_TAPED_H

#include "source/source.h"
#include "source/tape.h"

struct kc_tape_passed {
	struct kc_pass pass;
	int32_t err;
	uint32_t pad;
};

struct kc_tape_event {
	struct kc_first first;
};

struct kc_tape_process {
	struct kc_whose whose;
	struct kc_process process; /* without the pointer in it */
};

struct kc_taped {
	struct kc_source source; /* first */
	struct kc_tape_entry *entries;
	size_t count, capacity;
	size_t at[KC_TAPE_NR];	      /* one place for each kind */
	struct kc_mem *mem, *old_mem; /* of the last kernel, and of the one before */
	uint32_t thread_size;
	const char
		*damage; /* what is wrong with the recording, the first that was found; or NULL */
	bool failed;	 /* a pass did, when it was recorded */
};

/* Read all of the tape, which stays borrowed. 0 or -ENOMEM; to be closed in any case. */
int kc_taped_open(struct kc_taped *taped, struct kc_tape *tape);
void kc_taped_close(struct kc_taped *taped);

/* Note damage. */
void kc_taped_blame(struct kc_taped *taped, const char *what);

/* The next kernel on the tape, the caller's; its memory stays ours. 0 or -errno. */
int kc_taped_kernel(struct kc_taped *taped, struct kc_kernel **ret_kernel);

/* Of which host. */
void kc_taped_host(const struct kc_taped *taped, struct kc_host *ret_host);

/* Is the entry a whole event, with words that lie on a stack? */
bool kc_taped_is_event(const struct kc_taped *taped, const struct kc_tape_entry *entry);

/* Text is what was read of it from this entry up to the next look or event, or before. */
void kc_taped_read_from(struct kc_taped *taped, const struct kc_tape_entry *entry);

#endif
