// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a watch's probes have counted. */
#include <stdlib.h>
#include <string.h>

#include "monitor/attached.h"
#include "util/array.h"

size_t kc_attached_points(const struct kc_attached *attached)
{
	return attached->entry.count + attached->checks.count + attached->returns.count;
}

static void kinds_of(const struct kc_attached *attached, struct kc_points ret_kinds[KINDS])
{
	ret_kinds[ENTRY] = attached->entry;
	ret_kinds[CHECKS] = attached->checks;
	ret_kinds[RETURNS] = attached->returns;
}

static void add_count(struct kc_point_count *sum, const struct kc_point_count *count)
{
	sum->hits += count->hits;
	sum->unreadable += count->unreadable;
	sum->unmatched += count->unmatched;
	sum->early += count->early;
	sum->other_stack += count->other_stack;
	sum->replaced += count->replaced;
}

void kc_attached_count(const struct kc_attach *attach, const struct kc_attached *attached,
		       struct kc_point_count ret_counts[KINDS])
{
	struct kc_points kinds[KINDS];

	kinds_of(attached, kinds);
	for (size_t kind = 0; kind < KINDS; kind++) {
		struct kc_point_count count;

		ret_counts[kind] = attached->before[kind];
		if (!kc_probes_count(attach->probes, kinds[kind], &count))
			add_count(&ret_counts[kind], &count);
	}
}

void kc_attach_counts(struct kc_attach *attach, struct kc_probe_counts *ret_counts)
{
	struct kc_probes *probes = attach->probes;
	struct kc_probe_counts counts = {
		.attached = kc_probes_attached(probes) - attach->pulse.count,
		.failed = attach->failed + attach->ended,
		.too_deep = kc_probes_too_deep(probes),
		.dead = attach->deaths,
	};

	counts.tells_missed = kc_probes_missed(probes, &counts.missed);
	if (attach->gate)
		counts.missed += kc_gate_missed(attach->gate);
	for (size_t i = 0; i < KC_LOSS_NR; i++)
		counts.losses[i] = kc_probes_loss(probes, i) +
				   (attach->gate ? kc_gate_loss(attach->gate, i) : 0);
	counts.lost = counts.losses[KC_LOSS_RING];
	for (size_t i = 0; i < attach->nr_functions; i++) {
		const struct kc_attached *at = &attach->functions[i];
		uint64_t *hits[KINDS] = { &counts.entries, &counts.comparisons, &counts.returns };
		struct kc_point_count count[KINDS];
		struct kc_depth depth;

		kc_attached_count(attach, at, count);
		for (size_t kind = 0; kind < KINDS; kind++) {
			*hits[kind] += count[kind].hits;
			counts.unreadable += count[kind].unreadable;
			counts.unmatched += count[kind].unmatched;
			counts.early += count[kind].early;
			counts.other_stack += count[kind].other_stack;
			counts.replaced += count[kind].replaced;
		}
		if (!kc_probes_depth(probes, i, &depth) && depth.max > counts.max_depth) {
			counts.max_depth = depth.max;
			memcpy(counts.deepest, at->name, sizeof(counts.deepest));
		}
	}
	*ret_counts = counts;
}

void kc_attach_watch_counts(const struct kc_attach *attach, struct kc_watch_counts *counts)
{
	struct kc_gate_count gated;

	counts->guards_unread = kc_probes_guards_unread(attach->probes);
	if (!attach->gate)
		return;
	gated = kc_gate_counts(attach->gate);
	counts->gate_verified = gated.verified;
	counts->gate_slots = gated.slots;
	counts->gate_no_rule = gated.no_rule;
	counts->gate_odd = gated.odd;
	counts->gate_paused = gated.paused;
	counts->gate_again = gated.again;
	counts->gate_deep = gated.deep;
}

static int by_depth(const void *a, const void *b)
{
	const struct kc_thread_depth *x = a, *y = b;

	return x->max > y->max ? -1 : x->max < y->max;
}

static size_t deepest_threads(struct kc_attach *attach)
{
	kc_auto_free struct kc_thread_depth *threads = calloc(KC_MAX_THREADS, sizeof(*threads));
	size_t all = threads ? kc_probes_threads(attach->probes, threads, KC_MAX_THREADS) : 0;
	size_t count = 0;

	/* Our own calls of the pulse's function are nobody's depth. */
	for (size_t i = 0; i < all; i++)
		if (threads[i].depth != KC_MAX_CHOSEN)
			threads[count++] = threads[i];
	if (count)
		qsort(threads, count, sizeof(*threads), by_depth);
	if (count > KC_DEEP_THREADS)
		count = KC_DEEP_THREADS;
	for (size_t i = 0; i < count; i++)
		attach->deep_threads[i] = (struct kc_deep_thread){
			.tid = threads[i].tid,
			.depth = threads[i].max,
			.function = threads[i].depth < attach->nr_functions
					    ? attach->functions[threads[i].depth].name
					    : "",
		};
	return count;
}

const struct kc_depths *kc_attach_depths(struct kc_attach *attach)
{
	size_t count = 0;

	for (size_t i = 0; i < attach->nr_functions; i++) {
		struct kc_function_depth *depth = &attach->function_depths[count];

		if (!attach->functions[i].entry_probed)
			continue;
		depth->function = attach->functions[i].name;
		kc_probes_depth(attach->probes, i, &depth->depth);
		count++;
	}
	attach->depths = (struct kc_depths){
		.functions = attach->function_depths,
		.nr_functions = count,
		.threads = attach->deep_threads,
		.nr_threads = deepest_threads(attach),
	};
	return &attach->depths;
}
