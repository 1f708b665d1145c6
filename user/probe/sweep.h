/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The sweep's user side: load it, run passes, keep its cache of slots. */
#ifndef KC_PROBE_SWEEP_H
#define KC_PROBE_SWEEP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "kc_record.h"
#include "util/cleanup.h"
#include "util/error.h"

struct kc_sweep;

/* Which tasks: all conditions that are set must hold. */
struct kc_filter {
	uint32_t pid;	    /* 0: all processes */
	uint32_t tid;	    /* 0: all threads */
	const char *comm;   /* NULL: all; else a thread's name or its process's */
	const char *cgroup; /* NULL: all; else a path in the unified hierarchy */
};

static inline bool kc_filter_is_set(const struct kc_filter *filter)
{
	return filter->pid || filter->tid || filter->comm || filter->cgroup;
}

struct kc_sweep_options {
	struct kc_filter filter;
	bool high_water; /* look how deep each stack has ever been */
	uint32_t thread_size;
	uint64_t text, text_end;
	enum kc_walk_how walk;
	struct kc_walk_config walking;
};

/*
 * Load and attach. On failure the errno is -EPERM without the rights and -ENOTSUP
 * where the kernel lacks something; the status is always KC_EXIT_CANNOT_RUN.
 */
int kc_sweep_new(const struct kc_sweep_options *options, struct kc_failure *ret_failure,
		 struct kc_sweep **ret_sweep);
void kc_sweep_free(struct kc_sweep *sweep);
KC_DEFINE_AUTO(sweep, struct kc_sweep, kc_sweep_free)

/*
 * With a cgroup filter: the id that the path has now, the inode number of the
 * cgroup's folder; 0: none. A service that restarts gets a new cgroup.
 */
void kc_sweep_set_cgroup(struct kc_sweep *sweep, uint64_t id);

/* What this sleep's return addresses were, borrowed; NULL: that is not known. */
static inline const struct kc_returns *kc_record_returns(const struct kc_record *record)
{
	const uint64_t *words = (const uint64_t *)(record + 1);

	return record->kind == KC_RECORD_STACK && record->flags & KC_RECORD_RETURNS
		       ? (const void *)(words + record->count)
		       : NULL;
}

/* Is a record's payload what its kind says? `size`: bytes that there are, its own head among them.
 */
static inline bool kc_record_is_whole(const struct kc_record *record, size_t size)
{
	bool stack = record->kind == KC_RECORD_STACK;
	size_t each = stack				 ? sizeof(uint64_t)
		      : record->kind == KC_RECORD_DAMAGE ? sizeof(struct kc_damage)
							 : 0;
	size_t more = record->flags & KC_RECORD_RETURNS ? sizeof(struct kc_returns) : 0;

	if (record->kind == KC_RECORD_RAN)
		return !record->count && record->size == size && size == sizeof(*record);
	return each && record->size == size && (stack || !more) &&
	       size == sizeof(*record) + record->count * each + more &&
	       (!stack || record->count * each == record->top - record->sp) &&
	       (!more || kc_record_returns(record)->count - 1 < KC_TASK_SLOTS);
}

/*
 * Called for each record of a pass; it is valid during the call. Nonzero ends the pass; after
 * -EINTR and -EPIPE those that were read already are still handed out.
 */
typedef int (*kc_record_fn)(const struct kc_record *record, void *arg);

/*
 * One pass over all threads, or over one (only_tid != 0). Returns 0, what the
 * callback returned, or -errno; -EPROTO if the kernel side sent a record that
 * makes no sense.
 */
int kc_sweep_pass(struct kc_sweep *sweep, uint32_t only_tid, kc_record_fn fn, void *arg,
		  struct kc_pass *ret_pass);

/* What the program could not do in all passes so far; kc_loss_name() says what it is. */
uint64_t kc_sweep_loss(const struct kc_sweep *sweep, enum kc_loss loss);

/* What is to stay as it is while a task sleeps: addresses on its stack. */
struct kc_sleep_facts {
	const uint64_t *slots; /* each holds the canary */
	size_t nr_slots;
	bool intact; /* it does, and so it is with all of the stack: kc_record.intact_ns */
	const uint64_t *returns; /* each holds a return address, from the innermost outwards: ... */
	const uint64_t *words;	 /* ... this one */
	size_t nr_returns;
};

/*
 * Let later passes verify these by themselves, as long as the task sleeps as in
 * `record`. Without return addresses those stay that are remembered of this sleep. Returns -E2BIG
 * if there are more than KC_TASK_SLOTS of a kind, a return address is none of the kernel's, or the
 * cache is full: the task is then copied in every pass.
 */
int kc_sweep_cache(struct kc_sweep *sweep, const struct kc_record *record,
		   const struct kc_sleep_facts *facts);

/* Have the stack copied again in the next pass; its return addresses stay remembered. */
void kc_sweep_uncache(struct kc_sweep *sweep, uint32_t tid);

/* Copy this thread's stack in every pass over all of them. */
void kc_sweep_follow(struct kc_sweep *sweep, uint32_t tid);

/*
 * From here on stacks are walked by this rule, too. 0 or -errno. A rule that there is already
 * costs next to nothing; where there are too many, those of places where something was interrupted
 * are forgotten.
 */
int kc_sweep_learn(struct kc_sweep *sweep, uint64_t key, const struct kc_rule *rule);

/*
 * Rely on no rule and no slot from the next pass over all tasks on: the plans behind them may no
 * longer hold. What return addresses were stays remembered: no text changes what was pushed. Waits
 * for nobody: a CPU may be held meanwhile.
 */
void kc_sweep_flush(struct kc_sweep *sweep);

/* Once many were entered: drop what no pass has used for a while. */
void kc_sweep_trim(struct kc_sweep *sweep);

#endif
