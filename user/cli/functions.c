// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fnmatch.h>
#include <string.h>
#include <time.h>

#include "cli/command.h"
#include "cli/common.h"
#include "report/plans.h"
#include "util/log.h"

struct functions_options {
	struct kc_origin origin;
	const char *glob;
	bool json;
	bool addresses;
	unsigned int verbose;
};

static const struct functions_options defaults;

static const struct kc_option rows[] = {
	{ .arg = "GLOB", KC_TEXT(struct functions_options, glob) },
	{ "addresses", 0, NULL, KC_FLAG(struct functions_options, addresses),
	  .help = "with -j: raw kernel addresses too" },
	KC_ROW_JSON(struct functions_options, "a table"),
	KC_ROW_VERBOSE(struct functions_options, "say more on stderr"),
	{ KC_ROWS(struct functions_options, origin, struct kc_origin, kc_origin_rows) },
	{},
};

static int check_functions(void *given, struct kc_failure *ret_failure)
{
	const struct functions_options *options = given;

	return kc_origin_check(&options->origin, ret_failure);
}

static double seconds_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - start->tv_sec) + (now.tv_nsec - start->tv_nsec) / 1e9;
}

/* Progress on a terminal, for those who have waited a second. */
static void show_progress(const struct timespec *start, size_t done, size_t total, bool *shown)
{
	if (done % 512 || !isatty(STDERR_FILENO) || seconds_since(start) < 1)
		return;
	fprintf(stderr, "\r%zu of %zu symbols ", done, total);
	*shown = true;
}

static int functions(const struct functions_options *options, struct kc_session *session,
		     struct kc_failure *ret_failure)
{
	const struct kc_ksyms *ksyms = session->kernel->ksyms;
	size_t total = kc_ksyms_count(ksyms), listed = 0;
	struct kc_plan_totals totals = {};
	struct timespec start;
	bool progress = false;
	int err = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (size_t i = 0; !err && i < total; i++) {
		const struct kc_sym *sym = kc_ksyms_at(ksyms, i);
		const struct kc_plan *plan;

		show_progress(&start, i, total, &progress);
		if (!kc_kernel_is_text(session->kernel, sym->addr) ||
		    (options->glob && fnmatch(options->glob, kc_sym_name(ksyms, sym), 0)))
			continue;
		plan = kc_plans_of(session->plans, sym);
		if (plan->sym != sym) /* a .cold part: told with its parent */
			continue;
		kc_plan_totals_add(&totals, plan);
		if (plan->reason == KC_PLAN_UNGUARDED || plan->reason == KC_PLAN_NOT_COMPILED)
			continue;
		if (!listed++ && !options->json)
			kc_plans_print_header(stdout);
		err = kc_plans_print(session->kernel, plan, options->json, options->addresses,
				     stdout);
	}
	if (progress)
		fprintf(stderr, "\r                              \r");
	totals.seconds = seconds_since(&start);
	if (!err)
		err = kc_plans_print_totals(&totals, options->json, stdout);
	if (err)
		return kc_fail(ret_failure, KC_EXIT_FAILED, err, "cannot write: %s",
			       kc_strerror(err));
	if (!totals.functions && options->glob)
		return kc_fail(ret_failure, KC_EXIT_USAGE, -ENOENT,
			       "no function is named like '%s'", options->glob);
	return 0;
}

static int run_functions(const void *given, struct kc_failure *ret_failure,
			 enum kc_exit *ret_status)
{
	const struct functions_options *options = given;
	struct kc_session session = {};
	int err;

	kc_set_verbosity(options->verbose);
	err = kc_session_open(&options->origin, ret_failure, &session);
	if (err)
		return err;
	err = functions(options, &session, ret_failure);
	kc_session_close(&session);
	if (!err)
		*ret_status = KC_EXIT_CLEAN;
	return err;
}

const struct kc_command kc_cmd_functions = {
	.name = "functions",
	.summary = "where this kernel's functions keep their canaries",
	.doc = "List the guarded functions of this kernel and its modules: where each keeps its "
	       "canary, or the reason why that can't be told."
	       "\vColumns: size in bytes, slot rule, number of checks, seal and check offsets. A slot "
	       "rule is relative to the CFA (the address just above the return address), or to SP or "
	       "BP at each instruction in functions that realign their stack.\n\n"
	       "Examples:\n"
	       "  kcanary functions 'hrtimer_*'      of these names\n"
	       "  kcanary functions -j > plans.json  all there are, as JSON",
	.rows = rows,
	.defaults = &defaults,
	.size = sizeof(defaults),
	.check = check_functions,
	.run = run_functions,
};
