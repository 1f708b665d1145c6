// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <string.h>

#include "cli/command.h"
#include "cli/origin.h"
#include "guard/callees.h"
#include "report/listing.h"
#include "util/array.h"
#include "util/log.h"

struct explain_options {
	struct kc_origin source;
	const char *function;
	unsigned int verbose;
};

static const struct argp_option argp_options[] = {
	{ "verbose", 'v', NULL, 0, "say more on stderr", 0 },
	KC_ORIGIN_OPTIONS,
	{},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct explain_options *options = state->input;

	if (kc_origin_option(key, arg, &options->source))
		return 0;
	switch (key) {
	case 'v':
		options->verbose++;
		return 0;
	case ARGP_KEY_ARG:
		if (options->function)
			argp_error(state, "one FUNCTION, please");
		options->function = arg;
		return 0;
	case ARGP_KEY_END:
		if (!options->function)
			argp_error(state, "which FUNCTION?");
		if (!options->source.vmlinux != !options->source.kallsyms)
			argp_error(state, "--vmlinux and --kallsyms go together");
		return 0;
	}
	return ARGP_ERR_UNKNOWN;
}

static const struct argp argp = {
	.options = argp_options,
	.parser = parse_option,
	.args_doc = "FUNCTION",
	.doc = "Show one function's text as it runs, with the canary's slot, the seal, the checks and "
	       "the live range marked."
	       "\vA '|' in the first column marks instructions at which the slot must hold the "
	       "canary, '?' where it depends on the way taken.\n\n"
	       "Example: kcanary explain hrtimer_nanosleep",
};

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

static void explain(struct kc_session *session, const struct kc_sym *sym)
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

enum kc_exit kc_cmd_explain(int argc, char **argv)
{
	struct explain_options options = {};
	const struct kc_sym *syms[16];
	struct kc_session session = {};
	enum kc_exit status;
	size_t count;

	status = kc_parse(&argp, argc, argv, &options);
	if (status != KC_EXIT_CLEAN)
		return status;
	kc_log_set_level(KC_LOG_INFO + options.verbose);
	status = kc_session_open(&options.source, &session);
	if (status != KC_EXIT_CLEAN)
		return status;
	count = kc_ksyms_by_name(session.kernel->ksyms, options.function, syms, kc_countof(syms));
	if (!count) {
		kc_error("no function is named '%s'; 'kcanary functions GLOB' searches",
			 options.function);
		status = KC_EXIT_USAGE;
	}
	if (count > 1)
		kc_info("%zu functions have this name", count);
	for (size_t i = 0; i < count && i < kc_countof(syms); i++)
		explain(&session, syms[i]);
	kc_session_close(&session);
	if (fflush(stdout) || ferror(stdout)) {
		kc_error("cannot write the listing");
		return KC_EXIT_FAILED;
	}
	return status;
}
