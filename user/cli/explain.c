// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <string.h>

#include "cli/command.h"
#include "cli/common.h"
#include "guard/callees.h"
#include "report/listing.h"
#include "util/array.h"
#include "util/log.h"

struct explain_options {
	struct kc_origin origin;
	const char *function;
	unsigned int verbose;
};

static const struct explain_options defaults;

static const struct kc_option rows[] = {
	{ .arg = "FUNCTION", KC_TEXT(struct explain_options, function), .required = true },
	KC_ROW_VERBOSE(struct explain_options, "say more on stderr"),
	{ KC_ROWS(struct explain_options, origin, struct kc_origin, kc_origin_rows) },
	{},
};

static int check_explain(void *given, struct kc_failure *ret_failure)
{
	const struct explain_options *options = given;

	return kc_origin_check(&options->origin, ret_failure);
}

static void print_ranges(const struct kc_plan *plan)
{
	static const char *const names[] = { "not live", "live", "ambiguous", "not reached" };
	char rule[24];

	printf("live ranges:\n");
	for (size_t i = 0; i < plan->nr_ranges; i++) {
		const struct kc_range *range = &plan->ranges[i];
		bool cold = range->start >= plan->cold && range->start < plan->cold_end;
		uint64_t base = cold ? plan->cold : plan->sym->addr;

		if (range->rule.live == KC_LIVE_NO)
			continue;
		printf("  %s+0x%lx .. +0x%lx: %s%s%s\n", cold ? "cold" : "", range->start - base,
		       range->end - base, names[range->rule.live],
		       range->rule.live == KC_LIVE_SEALED ? ", slot " : "",
		       range->rule.live == KC_LIVE_SEALED ? kc_slot_rule_text(&range->rule, rule)
							  : "");
	}
}

static void print_callees(struct kc_session *session, const struct kc_sym *sym)
{
	const struct kc_ksyms *ksyms = session->kernel->ksyms;
	struct kc_callee callees[16];
	size_t count = kc_guarded_callees(session->kernel, session->plans, sym, callees,
					  kc_countof(callees));

	if (!count) {
		printf("no guarded function is called from here directly or one call further\n");
		return;
	}
	printf("nearest guarded callees, used in its place:\n");
	for (size_t i = 0; i < count; i++)
		printf("  %s%s%s\n", kc_sym_name(ksyms, callees[i].sym),
		       callees[i].via ? " via " : "",
		       callees[i].via ? kc_sym_name(ksyms, callees[i].via) : "");
}

static void explain_one(struct kc_session *session, const struct kc_sym *sym)
{
	const struct kc_ksyms *ksyms = session->kernel->ksyms;
	const struct kc_plan *plan = kc_plans_of(session->plans, sym);
	const char *module = kc_sym_module(ksyms, sym);
	char rule[24];

	printf("%s%s%s%s, %u bytes: ", kc_sym_name(ksyms, sym), *module ? " [" : "", module,
	       *module ? "]" : "", sym->size);
	if (plan->sym != sym && plan->sym)
		printf("part of %s\n", kc_sym_name(ksyms, plan->sym));
	else if (plan->reason == KC_PLAN_OK)
		printf("guarded, slot %s, %zu checks\n", kc_slot_rule_text(&plan->rule, rule),
		       plan->nr_checks);
	else
		printf("%s\n", kc_plan_reason_text(plan->reason));
	if (plan->reason == KC_PLAN_UNGUARDED)
		print_callees(session, sym);
	if (plan->reason == KC_PLAN_OK)
		print_ranges(plan);
	printf("\n");
	if (plan->sym && kc_print_listing(session->kernel, plan, 0, KC_LISTING_ALL, stdout))
		printf("(its text can't be read)\n");
}

/* All functions of that name. */
static int explain(const struct explain_options *options, struct kc_session *session,
		   struct kc_failure *ret_failure)
{
	const struct kc_sym *syms[16];
	size_t count =
		kc_ksyms_by_name(session->kernel->ksyms, options->function, syms, kc_countof(syms));

	if (!count)
		return kc_fail(ret_failure, KC_EXIT_USAGE, -ENOENT,
			       "no function is named '%s'; 'kcanary functions GLOB' searches",
			       options->function);
	if (count > 1)
		kc_info("%zu functions have this name", count);
	for (size_t i = 0; i < count && i < kc_countof(syms); i++)
		explain_one(session, syms[i]);
	if (fflush(stdout) || ferror(stdout))
		return kc_fail(ret_failure, KC_EXIT_FAILED, -EIO, "cannot write the listing");
	return 0;
}

static int run_explain(const void *given, struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	const struct explain_options *options = given;
	struct kc_session session = {};
	int err;

	kc_set_verbosity(options->verbose);
	err = kc_session_open(&options->origin, ret_failure, &session);
	if (err)
		return err;
	err = explain(options, &session, ret_failure);
	kc_session_close(&session);
	if (!err)
		*ret_status = KC_EXIT_CLEAN;
	return err;
}

const struct kc_command kc_cmd_explain = {
	.name = "explain",
	.summary = "one function: annotated listing, slot, checks",
	.doc = "Show one function's text as it runs, with the canary's slot, the seal, the checks and "
	       "the live range marked."
	       "\vA '|' in the first column marks instructions at which the slot must hold the "
	       "canary, '?' where it depends on the way taken.\n\n"
	       "Examples:\n"
	       "  kcanary explain hrtimer_nanosleep  where its slot is, sealed and checked",
	.rows = rows,
	.defaults = &defaults,
	.size = sizeof(defaults),
	.check = check_explain,
	.run = run_explain,
};
