/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The desk: every finding is made here, whoever saw the damage.
 *
 *	claimed once ─► whose is it? ─► wanted? ─► judged ─► numbered and written
 *
 * The same damage is told once, then counted: the same anomaly of the same thread at the
 * same address, as long as it was not seen to be mended. That it is seen in another sleep
 * of the thread makes it no other damage.
 *
 * The main thread's alone, but for kc_desk_number().
 */
#ifndef KC_MONITOR_CASE_H
#define KC_MONITOR_CASE_H

#include "monitor/sink.h"
#include "source/source.h"

struct kc_desk;

/* Filter (its strings included), source and sinks are borrowed. 0 or -ENOMEM. */
int kc_desk_new(const struct kc_filter *filter, struct kc_source *source, struct kc_sinks *sinks,
		struct kc_desk **ret_desk);
void kc_desk_free(struct kc_desk *desk);
KC_DEFINE_AUTO(desk, struct kc_desk, kc_desk_free)

/* What is damaged: an anomaly, and its address on the thread's stack. */
struct kc_damaged {
	enum kc_anomaly anomaly;
	uint64_t addr;
};

/* Was this told of the thread asleep, and has nobody seen it mended since? */
bool kc_desk_knows(struct kc_desk *desk, const struct kc_record *task, struct kc_damaged damaged);

/* It was seen again. */
void kc_desk_count_repeated(struct kc_desk *desk);

/*
 * All that is damaged on a stack of a thread that is asleep. What was told of that thread
 * while it slept and is not among it was mended, or the frame has gone: seen again, it is
 * news.
 */
void kc_desk_seen(struct kc_desk *desk, const struct kc_record *task,
		  const struct kc_damaged *damaged, size_t count);

/* All its slots were intact at this time, boot time: what was told of them before is mended. */
void kc_desk_seen_intact(struct kc_desk *desk, const struct kc_record *task, uint64_t boot_ns);

/*
 * The thread was seen whole there as it ran, and differs anew since this time, boot time: what was
 * told of it as it ran before is mended.
 */
void kc_desk_differs_anew(struct kc_desk *desk, const struct kc_record *task,
			  struct kc_damaged damaged, uint64_t boot_ns);

enum kc_filed {
	KC_FILED_WRITTEN,  /* to the sinks; kc_sinks_sync() is the caller's */
	KC_FILED_KNOWN,	   /* counted as seen again, or as one too many */
	KC_FILED_UNWANTED, /* the filter leaves it out */
	KC_FILED_NOBODYS,  /* gone before the filter's cgroup could be looked up */
};

/* The next finding's number, for evidence that may become one. Any thread, without a lock. */
uint64_t kc_desk_number(struct kc_desk *desk);

/*
 * Make a finding of what engine, anomaly, damage, task and frame of *finding say; the
 * rest is filled in, its number too unless there is one: it becomes that of the finding that it
 * is filed as, or was before. event: the live probe's, or NULL for a thread that is asleep.
 * Returns enum kc_filed, or -errno: a sink could not write it, or memory is out.
 */
int kc_desk_file(struct kc_desk *desk, const struct kc_kernel *kernel, const struct kc_event *event,
		 struct kc_damaged damaged, struct kc_finding *finding);

/* How many were told so far, by all engines and by probes and tripwire alone. */
void kc_desk_counts(struct kc_desk *desk, struct kc_told_counts *ret_all,
		    struct kc_told_counts *ret_by_probes);

/* Findings about the threads that ever had this number. */
size_t kc_desk_findings_of(struct kc_desk *desk, uint32_t tid);

/* Findings at most; what comes then is counted only. A panic is always told. */
#define KC_MAX_FINDINGS 4096

#endif
