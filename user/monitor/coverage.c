// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/coverage.h"

#include "probe/loss.h"
#include "util/array.h"

#define SWEEP_ROW(field, name, flags, text) \
	{ name, text, offsetof(struct kc_coverage, sweep.field), flags },
#define PROBE_ROW(field, name, flags, text) \
	{ name, text, offsetof(struct kc_coverage, probes.field), flags },
#define WATCH_ROW(field, name, flags, text) \
	{ name, text, offsetof(struct kc_coverage, watch.field), flags },

const struct kc_counter kc_sweep_counters[] = { KC_SWEEP_COUNTERS(SWEEP_ROW) };
const struct kc_counter kc_probe_counters[] = { KC_PROBE_COUNTERS(PROBE_ROW) };
const struct kc_counter kc_watch_counters[] = { KC_WATCH_COUNTERS(WATCH_ROW) };
const size_t kc_nr_sweep_counters = kc_countof(kc_sweep_counters);
const size_t kc_nr_probe_counters = kc_countof(kc_probe_counters);
const size_t kc_nr_watch_counters = kc_countof(kc_watch_counters);

void kc_coverage_add_stack(struct kc_sweep_counts *counts, const struct kc_checked_stack *checked)
{
	counts->verified += checked->intact;
	for (size_t i = 0; i < KC_BLIND_NR; i++)
		counts->blind[i] += checked->blind[i];
	if (checked->end != KC_UNWIND_COMPLETE)
		counts->unwind_ends[checked->end]++;
	for (size_t i = 0; i < checked->count; i++) {
		const struct kc_checked_frame *frame = &checked->frames[i];

		if (frame->status == KC_CHECK_UNKNOWN && frame->blind == KC_BLIND_NO_PLAN)
			counts->plan_blind[frame->plan->reason]++;
	}
}

/* Two of enum kc_blind are told by what lies behind them: the plan, the unwinding's end. */
static bool is_told_by_others(size_t blind)
{
	return blind == KC_BLIND_NO_PLAN || blind == KC_BLIND_UNWIND;
}

bool kc_coverage_reason(const struct kc_sweep_counts *counts, size_t n,
			struct kc_reason *ret_reason)
{
	for (size_t i = 0; i < KC_BLIND_NR; i++)
		if (!is_told_by_others(i) && n-- == 0) {
			*ret_reason =
				(struct kc_reason){ "frames", kc_blind_text(i), counts->blind[i] };
			return true;
		}
	if (n < KC_PLAN_NR_REASONS) {
		*ret_reason = (struct kc_reason){ "frames", kc_plan_reason_text(n),
						  counts->plan_blind[n] };
		return true;
	}
	n -= KC_PLAN_NR_REASONS;
	n++; /* the first end is the complete one */
	if (n >= KC_UNWIND_NR_ENDS)
		return false;
	*ret_reason = (struct kc_reason){ "stacks", kc_unwind_end_text(n), counts->unwind_ends[n] };
	return true;
}

/* The sum of the counters that have this flag. */
static uint64_t sum(const struct kc_coverage *coverage, const struct kc_counter *counters,
		    size_t count, unsigned int flag)
{
	uint64_t total = 0;

	for (size_t i = 0; i < count; i++)
		if (counters[i].flags & flag)
			total += kc_counter_value(coverage, &counters[i]);
	return total;
}

uint64_t kc_coverage_not_verifiable(const struct kc_coverage *coverage)
{
	uint64_t total =
		sum(coverage, kc_sweep_counters, kc_nr_sweep_counters, KC_COUNTER_NOT_VERIFIABLE);

	for (size_t i = 0; i < KC_BLIND_NR; i++)
		total += coverage->sweep.blind[i];
	return total;
}

static const bool blinding[KC_LOSS_NR] = {
	[KC_LOSS_SCRATCH] = true,   [KC_LOSS_SIZE] = true,	 [KC_LOSS_POINT] = true,
	[KC_LOSS_RETURNS] = true,   [KC_LOSS_BUDGET] = true,	 [KC_LOSS_CANARY] = true,
	[KC_LOSS_CGROUP] = true,    [KC_LOSS_HIGH_WATER] = true, [KC_LOSS_GUARD] = true,
	[KC_LOSS_STACK_END] = true, [KC_LOSS_PLACE] = true,
};

uint64_t kc_losses_that_blind(const uint64_t losses[static KC_LOSS_NR])
{
	uint64_t total = 0;

	for (size_t i = 0; i < KC_LOSS_NR; i++)
		total += blinding[i] ? losses[i] : 0;
	return total;
}

enum kc_exit kc_exit_of(uint64_t findings, uint64_t not_seen, uint64_t verified)
{
	if (findings)
		return KC_EXIT_FINDINGS;
	return not_seen || !verified ? KC_EXIT_BLIND : KC_EXIT_CLEAN;
}

/* Every row that may forbid status 0, in order; false: there is no nth. Most counts are 0. */
static bool nth_row(const struct kc_coverage *coverage, size_t n, struct kc_reason *ret_reason)
{
	const struct {
		const struct kc_counter *counters;
		size_t count;
	} lists[] = { { kc_sweep_counters, kc_nr_sweep_counters },
		      { kc_probe_counters, kc_nr_probe_counters },
		      { kc_watch_counters, kc_nr_watch_counters } };
	const uint64_t *losses[] = { coverage->sweep.losses, coverage->probes.losses };

	for (size_t i = 0; i < kc_countof(lists); i++) {
		if (n < lists[i].count) {
			const struct kc_counter *row = &lists[i].counters[n];
			bool blind = row->flags & KC_COUNTER_BLIND;

			*ret_reason =
				(struct kc_reason){ "", row->text,
						    blind ? kc_counter_value(coverage, row) : 0 };
			return true;
		}
		n -= lists[i].count;
	}
	for (size_t i = 0; i < kc_countof(losses); i++) {
		if (n < KC_LOSS_NR) {
			*ret_reason = (struct kc_reason){ "losses", kc_loss_name(n),
							  blinding[n] ? losses[i][n] : 0 };
			return true;
		}
		n -= KC_LOSS_NR;
	}
	return kc_coverage_reason(&coverage->sweep, n, ret_reason);
}

bool kc_coverage_not_seen(const struct kc_coverage *coverage, size_t n,
			  struct kc_reason *ret_reason)
{
	for (size_t row = 0; nth_row(coverage, row, ret_reason); row++)
		if (ret_reason->count && n-- == 0)
			return true;
	if (n || coverage->sweep.verified)
		return false;
	*ret_reason = (struct kc_reason){ "", "frames verified: nothing was there to look at", 0 };
	return true;
}

enum kc_exit kc_coverage_exit(const struct kc_coverage *coverage)
{
	struct kc_reason reason;
	bool not_seen = kc_coverage_not_seen(coverage, 0, &reason);

	return kc_exit_of(coverage->told.findings, not_seen, coverage->sweep.verified);
}
