/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What every sub-command opens first: a kernel to read, and its guard plans. */
#ifndef KC_MONITOR_SESSION_H
#define KC_MONITOR_SESSION_H

#include <stdbool.h>

#include "guard/plan.h"
#include "stack/check.h"
#include "util/error.h"

/* Threads that may borrow the kernel, numbered from 0: the lookers and the scribe. */
#define KC_BORROWERS 5

/* The main thread's alone, but for the kernel: see kc_session_borrow(). */
struct kc_session {
	struct kc_mem *mem; /* an overlay: see kc_overlay_keep() */
	struct kc_kernel *kernel;
	struct kc_plans *plans;
	uint64_t modules_hash; /* when the kernel was learned: see kc_modules_hash() */
	struct kc_seen seen;   /* outlives a reload */
	_Atomic(const struct kc_kernel *) lent; /* the kernel, for those who borrow it */
	_Atomic bool borrowed[KC_BORROWERS];
};

/* Where to read from; all NULL: the running kernel. */
struct kc_origin {
	const char *vmlinux;  /* an ELF file instead of live memory */
	const char *kallsyms; /* with it: its symbols, addresses as linked (nokaslr) */
	bool kcore;	      /* the running kernel through /proc/kcore instead of BPF */
};

/* 0, or -errno and why. */
int kc_session_open(const struct kc_origin *source, struct kc_failure *ret_failure,
		    struct kc_session *ret_session);
void kc_session_close(struct kc_session *session);

/*
 * Go on with another kernel, which is the session's from here on, also if that fails: then the
 * old one stays. 0 or -ENOMEM.
 */
int kc_session_adopt(struct kc_session *session, struct kc_kernel *kernel);

/*
 * The kernel's symbols and ranges for another thread than the main one, without a lock: a
 * reload keeps the old facts until nobody has them. Not to be kept for longer than it takes to
 * write a record.
 */
const struct kc_kernel *kc_session_borrow(struct kc_session *session, unsigned int borrower);
void kc_session_return(struct kc_session *session, unsigned int borrower);

/* Unwind and check the copy of a stack that a KC_RECORD_STACK carries; as kc_check_stack(). */
void kc_session_check(struct kc_session *session, const struct kc_record *record,
		      struct kc_checked_stack *ret_checked);

/* As kc_renew_stack(), before it is checked again. */
bool kc_session_renew(struct kc_session *session, const struct kc_record *record);

#endif
