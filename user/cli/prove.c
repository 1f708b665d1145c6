// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "cli/command.h"
#include "cli/common.h"
#include "monitor/session.h"
#include "probe/probes.h"
#include "util/array.h"
#include "util/log.h"

struct prove_options {
	struct kc_texts globs;
	unsigned int number;
	unsigned int duration;
	unsigned int seed;
	bool seeded;
	unsigned int verbose;
};

static const struct prove_options defaults = { .number = 64, .duration = 10 };

/* Any number is a seed, so that one was given must be known. */
static int note_seed(const struct kc_option *row, const char *arg, void *given,
		     struct kc_failure *ret_failure)
{
	struct prove_options *options = given;

	(void)row, (void)arg, (void)ret_failure;
	options->seeded = true;
	return 0;
}

static const struct kc_option rows[] = {
	{ "function", 'f', "GLOB", KC_TEXTS(struct prove_options, globs),
	  .help = "choose among these functions", .none = (const char *const[]){ "all", NULL },
	  .many = "GLOBs" },
	{ "number", 'N', "COUNT", KC_NUMBER(struct prove_options, number, 1, KC_MAX_POINTS),
	  .help = "how many functions to choose at random" },
	KC_ROW_DURATION(struct prove_options, 1 << 20, "compare for this long"),
	{ "seed", 0, "NUMBER", KC_NUMBER(struct prove_options, seed, 0, UINT32_MAX),
	  .help = "repeat an earlier choice", .then = note_seed },
	KC_ROW_VERBOSE(struct prove_options, "say more on stderr"),
	{},
};

static bool is_wanted(const struct prove_options *options, const char *name)
{
	for (size_t i = 0; i < options->globs.count; i++)
		if (!fnmatch(options->globs.items[i], name, 0))
			return true;
	return !options->globs.count;
}

/* All functions that are wanted, in random order; most of them may have no canary. */
static int choose_functions(const struct prove_options *options, const struct kc_session *session,
			    const struct kc_sym ***ret_syms, size_t *ret_count)
{
	const struct kc_ksyms *ksyms = session->kernel->ksyms;
	kc_auto_free const struct kc_sym **syms = NULL;
	size_t count = 0, capacity = 0;

	for (size_t i = 0; i < kc_ksyms_count(ksyms); i++) {
		const struct kc_sym *sym = kc_ksyms_at(ksyms, i);

		if (!kc_kernel_is_text(session->kernel, sym->addr) ||
		    !is_wanted(options, kc_sym_name(ksyms, sym)))
			continue;
		if (kc_grow(syms, capacity, count + 1))
			return -ENOMEM;
		syms[count++] = sym;
	}
	for (size_t i = count; i > 1; i--) {
		size_t other = random() % i;
		const struct kc_sym *sym = syms[i - 1];

		syms[i - 1] = syms[other];
		syms[other] = sym;
	}
	*ret_syms = kc_take(syms);
	*ret_count = count;
	return 0;
}

static void wait_for(unsigned int seconds)
{
	struct timespec time = { .tv_sec = seconds };
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	sigtimedwait(&signals, NULL, &time);
}

struct proved {
	const struct kc_plan *plan;
	struct kc_points points;
};

static int tell(struct kc_session *session, struct kc_probes *probes, const struct proved *proved,
		size_t count, size_t refused, struct kc_failure *ret_failure,
		enum kc_exit *ret_status)
{
	struct kc_point_count total = {};
	size_t hit = 0;

	for (size_t i = 0; i < count; i++) {
		struct kc_point_count one;

		if (kc_probes_count(probes, proved[i].points, &one))
			return kc_fail(ret_failure, KC_EXIT_FAILED, -EIO,
				       "the probes' counts can't be read");
		hit += one.hits != 0;
		total.hits += one.hits;
		total.mismatches += one.mismatches;
		total.unreadable += one.unreadable;
		if (one.mismatches || one.unreadable)
			printf("%s: %lu mismatches, %lu unreadable in %lu comparisons\n",
			       kc_sym_name(session->kernel->ksyms, proved[i].plan->sym),
			       (unsigned long)one.mismatches, (unsigned long)one.unreadable,
			       (unsigned long)one.hits);
	}
	printf("functions %zu, checks probed %zu, refused %zu, functions hit %zu, comparisons %lu, "
	       "mismatches %lu, unreadable %lu\n",
	       count, kc_probes_attached(probes), refused, hit, (unsigned long)total.hits,
	       (unsigned long)total.mismatches, (unsigned long)total.unreadable);
	if (fflush(stdout) || ferror(stdout))
		return kc_fail(ret_failure, KC_EXIT_FAILED, -EIO, "cannot write to stdout");
	*ret_status = total.mismatches			? KC_EXIT_FINDINGS
		      : !total.hits || total.unreadable ? KC_EXIT_BLIND
							: KC_EXIT_CLEAN;
	return 0;
}

static int prove(const struct prove_options *options, struct kc_session *session,
		 struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	struct kc_probes *probes kc_auto(kc_cleanup_probes) = NULL;
	kc_auto_free const struct kc_sym **syms = NULL;
	kc_auto_free struct proved *proved = NULL;
	size_t available, chosen = 0, refused = 0;
	int err;

	srandom(options->seed);
	if (choose_functions(options, session, &syms, &available))
		return kc_fail_nomem(ret_failure);
	if (!available)
		return kc_fail(ret_failure, KC_EXIT_USAGE, -ENOENT,
			       "no function is named like that");
	proved = calloc(options->number, sizeof(*proved));
	if (!proved)
		return kc_fail_nomem(ret_failure);
	err = kc_probes_new(&(struct kc_probe_options){ .kernel = session->kernel }, ret_failure,
			    &probes);
	if (err)
		return err;
	/* Refused functions make way for others. */
	for (size_t i = 0; i < available && chosen < options->number; i++) {
		const struct kc_plan *plan = kc_plans_of(session->plans, syms[i]);
		struct kc_points points;

		if (plan->sym != syms[i] || plan->reason != KC_PLAN_OK || !plan->nr_checks)
			continue;
		err = kc_probes_checks(probes, plan, &points);
		if (err == -EACCES || err == -EPERM)
			return kc_fail(
				ret_failure, KC_EXIT_CANNOT_RUN, err,
				"not permitted to place kprobes (kernel.perf_event_paranoid, "
				"lockdown): run as root");
		if (err == -ENOSPC)
			break;
		if (!points.count) {
			kc_debug("%s: not probed: %s", kc_sym_name(session->kernel->ksyms, syms[i]),
				 err ? kc_strerror(err) : "no single load");
			refused++;
			continue;
		}
		proved[chosen++] = (struct proved){ plan, points };
	}
	kc_info("seed %u: probing %zu checks of %zu guarded functions, chosen from %zu, for %u s",
		options->seed, kc_probes_attached(probes), chosen, available, options->duration);
	wait_for(options->duration);
	err = tell(session, probes, proved, chosen, refused, ret_failure, ret_status);
	kc_info("removing the probes");
	return err;
}

static int run_prove(const void *given, struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	struct prove_options options = *(const struct prove_options *)given;
	struct kc_session session = {};
	int err;

	kc_set_verbosity(options.verbose);
	if (!options.seeded && getrandom(&options.seed, sizeof(options.seed), 0) < 0)
		options.seed = time(NULL);
	err = kc_session_open(&(struct kc_origin){}, ret_failure, &session);
	if (err)
		return err;
	err = prove(&options, &session, ret_failure, ret_status);
	kc_session_close(&session);
	return err;
}

const struct kc_command kc_cmd_prove = {
	.name = "prove",
	.summary = "compare slots and canaries at checks as the kernel runs",
	.doc = "Prove guard plans by running: probe the checks of functions chosen at random, and "
	       "compare slot and canary each time the kernel is about to."
	       "\vA mismatch means that a plan is wrong or that a frame is damaged. Probes cost a "
	       "breakpoint per call, and the kernel takes some 10 ms to remove each: try a small sample "
	       "first.\n\n"
	       "Examples:\n"
	       "  kcanary prove -N 100 -f 'vfs_*' -d 30  for half a minute",
	.rows = rows,
	.defaults = &defaults,
	.size = sizeof(defaults),
	.run = run_prove,
};
