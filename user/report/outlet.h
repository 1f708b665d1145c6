/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a report's text goes: a file, which may be full for a while and be moved away, or a pipe
 * or terminal, whose reader may leave. Private to user/report.
 *
 * The main thread writes, and lookers do, maybe at once. To a regular file without a lock: the
 * kernel lets no other write in between. What a full disk has cut off in the middle is taken out
 * of the file again; who wants to write waits for that, 200 ms at most. Who finds his text behind
 * half a line of another's writes it again, on a line of its own. Where logs are rotated a second
 * file takes the place of the first: who has begun with one ends with it, and who has written
 * evidence to the old one writes it to the new one, too, which may alone be kept.
 */
#ifndef KC_REPORT_OUTLET_H
#define KC_REPORT_OUTLET_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "monitor/lookers.h"
#include "util/stream.h"

struct kc_outlet_file {
	int fd;			   /* the main thread's */
	int urgent_fd[KC_WRITERS]; /* each a file description of its own, if there can be one */
	int read_fd;		   /* -1: it can't be read, or is not ours alone */
	_Atomic bool cut;
	_Atomic unsigned int writers;	  /* that are at it now ... */
	_Atomic unsigned int begun;	  /* ... and all there were */
	_Atomic unsigned int taking_back; /* by which of those, and how far: see take_back() */
};

struct kc_outlet {
	const char *path; /* borrowed; NULL: stdout */
	bool regular;	  /* a file: synced after each finding */
	/* A regular file, and the one before it as long as somebody is at it: */
	struct kc_outlet_file files[2];
	_Atomic unsigned int current; /* how many there were before it */
	/* What is not: */
	struct kc_stream stream;
	pthread_mutex_t lock;
};

/* path as kc_report_new() has it. 0 or -errno; on failure there is nothing to close. */
int kc_outlet_open(struct kc_outlet *outlet, const char *path);
void kc_outlet_close(struct kc_outlet *outlet);

/*
 * All of the text, which is whole lines, as one piece: 0. -EPIPE: nobody reads there any more;
 * -EINTR: a signal asks us to end, and it could not be written at once; -errno. The main thread's.
 */
int kc_outlet_write(struct kc_outlet *outlet, const char *text, size_t len);

/*
 * A looker's: written and synced within a time that a held CPU has. 0 or -errno; -ETIMEDOUT: it
 * may be there, but that is not certain.
 */
int kc_outlet_write_urgent(struct kc_outlet *outlet, unsigned int writer, const char *text,
			   size_t len);

/* To poll() for errors; another one after kc_outlet_reopen(). */
int kc_outlet_fd(const struct kc_outlet *outlet);

/* 0 when all is on the disk, or there is none. */
int kc_outlet_sync(const struct kc_outlet *outlet);

/* Has somebody removed the file? What is written there is gone with the process. */
bool kc_outlet_is_gone(const struct kc_outlet *outlet);

/* After this error, may it go better later? */
bool kc_outlet_may_recover(const struct kc_outlet *outlet, int err);

/*
 * Open the path again, for whoever rotates logs. 1: what is there is another file now, or an empty
 * one; 0: it is the same, or the output is no regular file with a name; -errno: it can't be
 * opened, and the old one stays. Lookers may be writing meanwhile, to one or the other.
 */
int kc_outlet_reopen(struct kc_outlet *outlet);

#endif
