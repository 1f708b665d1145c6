// SPDX-License-Identifier: GPL-2.0-only
/* The slot finder on text of any content. */
#include "fuzz.h"

#include "guard/listing.h"

#define ROWS 4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kc_plans *plans;
	const struct kc_plan *plan;
	struct fuzz fuzz;
	struct kc_listing listing;

	if (size < ROWS * sizeof(struct kc_orc_raw) + 8 || size > 4096)
		return 0;
	fuzz_begin(&fuzz, size - ROWS * sizeof(struct kc_orc_raw));
	fuzz_orc(&fuzz, (const struct kc_orc_raw *)data, ROWS, KC_ORC_V3);
	data += ROWS * sizeof(struct kc_orc_raw);
	size -= ROWS * sizeof(struct kc_orc_raw);
	fuzz.windows[0] = (struct window){ TEXT, data, size };
	/* Any static key: from somewhere in the text to somewhere else. */
	fuzz.kernel.edges = malloc(sizeof(struct kc_edge));
	fuzz.kernel.edges[0] = (struct kc_edge){ TEXT + data[0] % size, TEXT + data[1] };
	fuzz.kernel.nr_edges = 1;

	require(!kc_plans_new(&fuzz.kernel, &plans));
	plan = kc_plans_at(plans, TEXT);
	require(plan->reason < KC_PLAN_NR_REASONS);
	require(plan->reason != KC_PLAN_OK || plan->nr_seals);
	for (size_t i = 0; i < plan->nr_ranges; i++) {
		const struct kc_range *range = &plan->ranges[i];

		require(range->start < range->end && range->start >= TEXT);
		require(range->rule.live != KC_LIVE_SEALED || range->rule.base);
		require(kc_plan_rule_at(plan, range->start).live <= KC_LIVE_UNREACHED);
	}
	for (size_t i = 0; i < plan->nr_checks; i++)
		require(kc_plan_rule_at(plan, plan->checks[i].compare).live != KC_LIVE_UNREACHED);
	if (!kc_listing(&fuzz.kernel, plan, TEXT + 5, KC_LISTING_AROUND, &listing))
		kc_listing_free(&listing);
	kc_plans_free(plans);
	fuzz_end(&fuzz);
	return 0;
}
