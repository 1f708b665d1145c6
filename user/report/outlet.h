/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where a report's text goes: a file, which may be full for a while and be moved away, or a pipe
 * or terminal, whose reader may leave. Private to user/report.
 *
 * The main thread writes, and lookers do, maybe at once. To a regular file without a lock: the
 * kernel lets no other write in between. What a full disk has cut off in the middle is taken out
 * of the file again; who wants to write waits for that, 200 ms at most.
 */
#ifndef KC_REPORT_OUTLET_H
#define KC_REPORT_OUTLET_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct kc_outlet {
	const char *path; /* borrowed; NULL: stdout */
	/* Descriptors: the numbers stay the same as long as it is open, also when the file is
	 * another. */
	int fd;
	int urgent_fd;		/* the lookers' */
	bool regular;		/* a file: synced after each finding */
	pthread_mutex_t stream; /* of what is not a regular file */
	_Atomic bool cut;	/* the last text that was written is not whole */
	/* Of a regular file: */
	_Atomic unsigned int writers;
	_Atomic bool changing;	      /* its end is taken back, or it becomes another file */
	_Atomic unsigned int changed; /* how often it became another */
};

/* path as kc_report_new() has it. 0 or -errno; on failure there is nothing to close. */
int kc_outlet_open(struct kc_outlet *outlet, const char *path);
void kc_outlet_close(struct kc_outlet *outlet);

/*
 * All of the text, which is whole lines, as one piece: 0. -EPIPE: nobody reads there any more;
 * -EINTR: a signal asks us to end, and it could not be written at once; -errno. The main thread's.
 */
int kc_outlet_write(struct kc_outlet *outlet, const char *text, size_t len);

/* A looker's: written and synced within a time that a held CPU has. 0 or -errno. */
int kc_outlet_write_urgent(struct kc_outlet *outlet, const char *text, size_t len);

/* 0 when all is on the disk, or there is none. */
int kc_outlet_sync(const struct kc_outlet *outlet);

/* After this error, may it go better later? */
bool kc_outlet_may_recover(const struct kc_outlet *outlet, int err);

/*
 * Open the path again, for whoever rotates logs. 1: what is there is another file now, or an empty
 * one; 0: it is the same, or the output is no regular file with a name; -errno: it can't be
 * opened, and the old one stays. Lookers may be writing meanwhile, to one or the other.
 */
int kc_outlet_reopen(struct kc_outlet *outlet);

#endif
