/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where all comes from that the monitor takes from a kernel: records of passes, second looks
 * at one thread, what changed of the kernel itself, facts about host and processes, the time of a
 * finding. A live kernel (live.c), one that is written down meanwhile (monitor/record.c), or what
 * was written down (source/taped.h).
 *
 * The main thread calls. An answer that may differ from one call to the next is asked for
 * through here, or a recording can't be replayed.
 */
#ifndef KC_SOURCE_SOURCE_H
#define KC_SOURCE_SOURCE_H

#include <time.h>

#include "kernel/kernel.h"
#include "probe/sweep.h"
#include "probe/words.h"
#include "source/host.h"
#include "source/pointed.h"
#include "source/process.h"
#include "util/error.h"

/* Which thread of which process; start_ns tells it from a later one of the same number. */
struct kc_whose {
	uint32_t pid, tid;
	uint64_t start_ns;
	bool asleep; /* its system call can be asked for ... */
	bool compat; /* ... and is a 32-bit one */
};

/* The first record of an event that a CPU was held for; number 0: there is none. */
struct kc_first {
	uint64_t number;
	struct timespec time; /* CLOCK_REALTIME */
	uint64_t after;	      /* so many things had been told before it: kc_sinks_told() */
};

struct kc_source;

/* See the functions below. */
struct kc_source_ops {
	int (*pass)(struct kc_source *source, uint32_t only_tid, kc_record_fn fn, void *arg,
		    struct kc_pass *ret_pass);
	int (*cache)(struct kc_source *source, const struct kc_record *record,
		     const struct kc_sleep_facts *facts);
	void (*uncache)(struct kc_source *source, uint32_t tid);
	void (*follow)(struct kc_source *source, uint32_t tid);
	int (*learn)(struct kc_source *source, uint64_t key, const struct kc_rule *rule);
	void (*flush)(struct kc_source *source);
	void (*trim)(struct kc_source *source);
	void (*losses)(struct kc_source *source, uint64_t ret_losses[static KC_LOSS_NR]);
	bool (*is_stale)(struct kc_source *source, uint64_t at_ns);
	int (*reload)(struct kc_source *source, struct kc_kernel **ret_kernel);
	void (*adopted)(struct kc_source *source);
	void (*event)(struct kc_source *source, const struct kc_event *event,
		      const struct kc_first *first);
	void (*process)(struct kc_source *source, const struct kc_whose *whose,
			struct kc_process *ret_process);
	void (*words)(struct kc_source *source, const struct kc_kernel *kernel,
		      const struct kc_words_at *at, const uint64_t *copied,
		      struct kc_pointed_words *ret_words);
	void (*host)(struct kc_source *source, struct kc_host *ret_host);
	void (*now)(struct kc_source *source, struct timespec *ret_time);
	uint64_t (*number)(struct kc_source *source, uint64_t next);
	bool (*again)(struct kc_source *source, bool wanted);
	void (*free)(struct kc_source *source);
};

struct kc_source {
	const struct kc_source_ops *ops;
};

/* NULL is fine. */
static inline void kc_source_free(struct kc_source *source)
{
	if (source)
		source->ops->free(source);
}
KC_DEFINE_AUTO(source, struct kc_source, kc_source_free)

/* As kc_sweep_pass(). */
static inline int kc_source_pass(struct kc_source *source, uint32_t only_tid, kc_record_fn fn,
				 void *arg, struct kc_pass *ret_pass)
{
	return source->ops->pass(source, only_tid, fn, arg, ret_pass);
}

/* As the functions of probe/sweep.h that are named like these. */
static inline int kc_source_cache(struct kc_source *source, const struct kc_record *record,
				  const struct kc_sleep_facts *facts)
{
	return source->ops->cache(source, record, facts);
}

static inline void kc_source_uncache(struct kc_source *source, uint32_t tid)
{
	source->ops->uncache(source, tid);
}

static inline void kc_source_follow(struct kc_source *source, uint32_t tid)
{
	source->ops->follow(source, tid);
}

static inline int kc_source_learn(struct kc_source *source, uint64_t key,
				  const struct kc_rule *rule)
{
	return source->ops->learn(source, key, rule);
}

static inline void kc_source_flush(struct kc_source *source)
{
	source->ops->flush(source);
}

static inline void kc_source_trim(struct kc_source *source)
{
	source->ops->trim(source);
}

/* What the sweep could not do so far, by enum kc_loss. */
static inline void kc_source_losses(struct kc_source *source,
				    uint64_t ret_losses[static KC_LOSS_NR])
{
	source->ops->losses(source, ret_losses);
}

/*
 * Have modules come or gone since the kernel was learned? Or was it learned only after at_ns, by
 * CLOCK_BOOTTIME, so that what was seen then may be of other modules? 0: as it is now.
 */
static inline bool kc_source_is_stale(struct kc_source *source, uint64_t at_ns)
{
	return source->ops->is_stale(source, at_ns);
}

/*
 * Learn the kernel again; the new one is the caller's. It counts as not stale once the caller says
 * that it goes on with it. 0 or -errno.
 */
static inline int kc_source_reload(struct kc_source *source, struct kc_kernel **ret_kernel)
{
	return source->ops->reload(source, ret_kernel);
}

static inline void kc_source_adopted(struct kc_source *source)
{
	source->ops->adopted(source);
}

/* A live probe's event is about to be handled. */
static inline void kc_source_event(struct kc_source *source, const struct kc_event *event,
				   const struct kc_first *first)
{
	source->ops->event(source, event, first);
}

/* As kc_process_read(). */
static inline void kc_source_process(struct kc_source *source, const struct kc_whose *whose,
				     struct kc_process *ret_process)
{
	source->ops->process(source, whose, ret_process);
}

/*
 * What these words of a stack point to, as they are now; copied: as a record or an event has them.
 * None if that can't be asked for here.
 */
static inline void kc_source_words(struct kc_source *source, const struct kc_kernel *kernel,
				   const struct kc_words_at *at, const uint64_t *copied,
				   struct kc_pointed_words *ret_words)
{
	source->ops->words(source, kernel, at, copied, ret_words);
}

static inline void kc_source_host(struct kc_source *source, struct kc_host *ret_host)
{
	source->ops->host(source, ret_host);
}

/* CLOCK_REALTIME, for a finding. */
static inline void kc_source_now(struct kc_source *source, struct timespec *ret_time)
{
	source->ops->now(source, ret_time);
}

/* A finding's number: the next one; evidence may have taken others before. */
static inline uint64_t kc_source_number(struct kc_source *source, uint64_t next)
{
	return source->ops->number(source, next);
}

/* Is what is known already proved once more? Some sink may have wanted it. */
static inline bool kc_source_again(struct kc_source *source, bool wanted)
{
	return source->ops->again(source, wanted);
}

#endif
