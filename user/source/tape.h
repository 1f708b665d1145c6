/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A recording on disk: entries, packed into blocks that are compressed and checksummed. A file
 * that was cut or changed is good up to the first bad block.
 *
 *	┌────────┐┌──────────────────────────────┐┌──
 *	│ header ││ block: lengths, CRC, entries ││ ...
 *	└────────┘└──────────────────────────────┘└──
 */
#ifndef KC_SOURCE_TAPE_H
#define KC_SOURCE_TAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "util/cleanup.h"
#include "util/error.h"

/* What an entry is; never renumbered. Whose layout changes needs KC_TAPE_VERSION. */
enum kc_tape_kind {
	KC_TAPE_KERNEL = 1,   /* struct kc_tape_kernel: from here on, another kernel */
	KC_TAPE_MODULE = 2,   /* struct kc_tape_module */
	KC_TAPE_SYM = 3,      /* struct kc_tape_sym, name, NUL, module, NUL */
	KC_TAPE_ORC = 4,      /* struct kc_tape_orc */
	KC_TAPE_EDGE = 5,     /* struct kc_edge */
	KC_TAPE_TEXT = 6,     /* address, bytes */
	KC_TAPE_HOST = 7,     /* struct kc_host */
	KC_TAPE_NOW = 8,      /* struct timespec: what kc_source_now() told */
	KC_TAPE_PASS = 9,     /* uint32_t: the one thread, or 0; its records follow ... */
	KC_TAPE_RECORD = 10,  /* struct kc_record and what follows it */
	KC_TAPE_PASSED = 11,  /* struct kc_tape_passed: ... and how it ended */
	KC_TAPE_CACHED = 12,  /* int32_t: what a call of kc_source_cache() returned */
	KC_TAPE_STALE = 13,   /* uint8_t: what kc_source_is_stale() returned */
	KC_TAPE_RELOAD = 14,  /* int32_t: what kc_source_reload() returned; 0: KERNEL follows */
	KC_TAPE_EVENT = 15,   /* struct kc_tape_event, struct kc_event and its words */
	KC_TAPE_PROCESS = 16, /* struct kc_tape_process */
	/* What went to the sinks beside findings, which are found again. */
	KC_TAPE_START = 17,  /* struct kc_tape_start, strings */
	KC_TAPE_PROBED = 18, /* struct kc_tape_probed, strings */
	KC_TAPE_NOTICE = 19, /* text, NUL */
	KC_TAPE_STATS = 20,  /* struct kc_probe_counts */
	KC_TAPE_STOP = 21,   /* struct kc_tape_stop, why, NUL */
	KC_TAPE_DEPTH = 22,  /* struct kc_depth, function, NUL */
	KC_TAPE_DEEP = 23,   /* struct kc_tape_deep, function, NUL */
	KC_TAPE_NUMBER = 24, /* uint64_t: a finding's */
	KC_TAPE_WATCH = 25,  /* struct kc_watch_counts: of the STATS or STOP that follows */
	KC_TAPE_WORDS = 26,  /* struct kc_pointed_words, as far as it was filled */
	KC_TAPE_AGAIN = 27,  /* uint8_t: what kc_source_again() returned */
	KC_TAPE_NR = 28,
};

#define KC_TAPE_VERSION 1

struct kc_tape;

/*
 * Create the file for writing, mode 0600: -EEXIST if there is anything of that name, a symlink
 * too. layouts: the sizes of all structs in it, added up. What would make it larger than max bytes
 * is not written: see kc_tape_is_full().
 */
int kc_tape_create(const char *path, uint32_t layouts, uint64_t max, struct kc_tape **ret_tape);

/*
 * Open one for reading. -EBADMSG and a sentence if it is no recording, or one of another
 * version.
 */
int kc_tape_open(const char *path, uint32_t layouts, struct kc_failure *ret_failure,
		 struct kc_tape **ret_tape);
void kc_tape_free(struct kc_tape *tape);
KC_DEFINE_AUTO(tape, struct kc_tape, kc_tape_free)

/* Add an entry of two parts, the second may be empty. Errors show in kc_tape_flush(). */
void kc_tape_add(struct kc_tape *tape, enum kc_tape_kind kind, const void *head, size_t head_len,
		 const void *more, size_t more_len);

/* Write out what was added. 0 or -errno: of this or of an earlier call. */
int kc_tape_flush(struct kc_tape *tape);
bool kc_tape_is_full(const struct kc_tape *tape);

/* What was flushed, onto the disk; at the disk's leisure if that fails. */
void kc_tape_sync(struct kc_tape *tape);

struct kc_tape_entry {
	enum kc_tape_kind kind;
	const void *data; /* aligned to 8 bytes; the tape's, until it is freed */
	uint32_t len;
};

/* The next entry. False: that was the last; then kc_tape_damage() says if there was more. */
bool kc_tape_next(struct kc_tape *tape, struct kc_tape_entry *ret_entry);

/* NULL, or what is wrong with the file from here on. */
const char *kc_tape_damage(const struct kc_tape *tape);

#endif
