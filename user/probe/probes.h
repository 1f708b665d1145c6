/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Live probes' user side: attach at addresses, read counts and events. */
#ifndef KC_PROBE_PROBES_H
#define KC_PROBE_PROBES_H

#include <stdbool.h>

#include "guard/plan.h"
#include "kc_record.h"
#include "probe/sweep.h"

struct kc_probes;

struct kc_probe_options {
	const struct kc_kernel *kernel; /* borrowed during the call */
	const struct kc_filter *filter; /* whom to tell of; NULL: all; borrowed */
	uint64_t headroom;		/* bytes; less at an entry is an event; 0: never */
};

/* Points that belong together, of one struct kc_probes, which knows the others from the first. */
struct kc_points {
	uint32_t first, count;
};

/*
 * Load the programs; nothing is attached yet. On failure the errno is -EPERM, -ENOTSUP or
 * the kernel's, and the status always KC_EXIT_CANNOT_RUN.
 */
int kc_probes_new(const struct kc_probe_options *options, struct kc_failure *ret_failure,
		  struct kc_probes **ret_probes);

/* With a cgroup filter: as kc_sweep_set_cgroup(). */
void kc_probes_set_cgroup(struct kc_probes *probes, uint64_t id);

/*
 * Detaches everything. Slow: the kernel takes some 10 ms for each point, or for all entries
 * with one link (80-98 ms under emulation), one after the other. What is left of a process that is
 * killed the kernel removes by itself.
 */
void kc_probes_free(struct kc_probes *probes);
KC_DEFINE_AUTO(probes, struct kc_probes, kc_probes_free)

/* Detach `count` times, a point or a link each, the first one last; how many are left. Counts stay.
 */
size_t kc_probes_detach(struct kc_probes *probes, size_t count);

/*
 * All entries are probed, until they are about to be removed: a call that returns meanwhile and
 * was not seen to begin was missed.
 */
void kc_probes_arm(struct kc_probes *probes, bool armed);

/*
 * The same of the entry of these returns' function, which were attached while others were armed:
 * of such a one calls that nobody saw begin are early until then.
 */
int kc_probes_arm_returns(struct kc_probes *probes, struct kc_points returns);

/*
 * From here on a CPU that is about to panic is held as struct kc_hold says; 0, as in the
 * beginning: none is.
 */
void kc_probes_hold(struct kc_probes *probes, uint64_t ns, uint64_t max_ns);

/*
 * Attach at every check of a planned function whose load is one instruction; at a
 * function's entry; at a return instruction; at panic()'s entry. `depth` is the
 * caller's number for the function, below KC_MAX_DEPTHS; `call`: see struct kc_point. Returns
 * are attached before their entry, and added to *points.
 *
 * 0, or -errno of the first refusal: -EINVAL: must not be probed, -ENOSPC:
 * KC_MAX_POINTS are attached, -EACCES or -EPERM: not allowed. ret_points tells
 * what was attached in any case.
 */
int kc_probes_checks(struct kc_probes *probes, const struct kc_plan *plan,
		     struct kc_points *ret_points);
int kc_probes_return(struct kc_probes *probes, uint64_t addr, uint32_t call,
		     struct kc_points *points);
int kc_probes_panic(struct kc_probes *probes, uint64_t addr, struct kc_points *ret_points);

/*
 * Attach at the entries of functions: one by one or, if wanted, with one link for all
 * where the kernel has kprobe.multi and takes them all. Such a link keeps the modules
 * that they are in from being unloaded (Linux commit e22061b2d309 ("bpf: Take module
 * reference for kprobe_multi link"), v6.2). err: 0, or why this one was refused.
 */
struct kc_entry {
	uint64_t addr;
	uint32_t depth, call;
	uint32_t frame;		 /* kc_frame_bytes() */
	struct kc_points points; /* filled in, as err is */
	int err;
};
void kc_probes_entries(struct kc_probes *probes, struct kc_entry *entries, size_t count,
		       bool one_link);

/*
 * Forget points of code that is gone: what they hold is closed, their counts are lost, and
 * there is room for others. Not of those with one link.
 */
void kc_probes_remove(struct kc_probes *probes, struct kc_points *points);

/* How many were attached and not removed, also after they were detached. */
size_t kc_probes_attached(const struct kc_probes *probes);

/* Sums over all CPUs. 0 or -errno. */
int kc_probes_count(struct kc_probes *probes, struct kc_points points,
		    struct kc_point_count *ret_count);
int kc_probes_depth(struct kc_probes *probes, uint32_t depth, struct kc_depth *ret_depth);

/* Deepest entry of a thread, by kc_probes_depths(): how many, at most max, any order. */
struct kc_thread_depth {
	uint32_t tid, depth;
	uint64_t max;
};
size_t kc_probes_threads(struct kc_probes *probes, struct kc_thread_depth *ret_threads, size_t max);

/* What the programs could not do, since they were loaded; kc_loss_name() says what it is. */
uint64_t kc_probes_loss(const struct kc_probes *probes, enum kc_loss loss);

/* Hits with so little stack left that nothing was looked at: see struct kc_deep. */
uint64_t kc_probes_too_deep(const struct kc_probes *probes);

/*
 * Hits that ran no program, since another probe or program was running on the CPU, as far
 * as the kernel counts them: ftrace itself drops some uncounted. False: this kernel does
 * not tell (before v6.7).
 */
bool kc_probes_missed(const struct kc_probes *probes, uint64_t *ret_missed);

/* CPUs whose guard is not compared, since its place can't be told. */
size_t kc_probes_guards_unread(const struct kc_probes *probes);

/* An event with room for its words. */
struct kc_arrived {
	struct kc_event event;
	uint64_t words[KC_STACK_WORDS];
};
_Static_assert(sizeof(struct kc_arrived) == sizeof(struct kc_event) + 8 * KC_STACK_WORDS,
	       "the words follow the event");

/* Is an event's payload what its head says? `size`: bytes that there are. */
static inline bool kc_event_is_whole(const struct kc_event *event, size_t size)
{
	return event->task.size == size && event->task.count <= KC_STACK_WORDS &&
	       size == sizeof(*event) + event->task.count * sizeof(uint64_t) &&
	       event->task.top - event->task.sp == event->task.count * sizeof(uint64_t);
}

/*
 * Take the next event that has arrived, or one made of a struct kc_deep: 1 and the event, 0: there
 * is none, or -errno; -EPROTO: it made no sense and is gone. The event, its words behind it, is the
 * probes' own and valid until the next call. One thread at a time.
 */
int kc_probes_next(struct kc_probes *probes, const struct kc_event **ret_event);

/* Poll this for events. The wake-up may come late: interrupts are off where a CPU is held. */
int kc_probes_fd(const struct kc_probes *probes);

/*
 * Tell the CPU that is held for an event how far we are: see struct kc_hold. Takes a copy
 * of the event, too; of an event that no CPU is held for it tells nobody. Any thread.
 */
enum kc_held_state { KC_HELD_SEEN, KC_HELD_SAFE, KC_HELD_TOLD };
void kc_probes_tell(struct kc_probes *probes, const struct kc_event *event,
		    enum kc_held_state state);

#endif
