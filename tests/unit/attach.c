// SPDX-License-Identifier: GPL-2.0-only
/* The ladder of the live probes: new, place, activate, stop; and what they count. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake_host.h"
#include "fake_watch.h"
#include "kernel/overlay.h"
#include "monitor/attach.h"
#include "util/array.h"

extern const char other[], simple[], several_ways_out[], unknown_ways_out[], through_rbp[],
	realigned[], first_way_out[], third_way_out[], __stack_chk_fail[];

static struct kc_choice choice[4];
static struct kc_choices choices;
static struct kc_attach *attach;
static char notices[1024]; /* all of them, a line each */

static int keep_notice(struct kc_sink *sink, const struct kc_when *when, const char *text)
{
	size_t len = strlen(notices);

	(void)sink;
	(void)when;
	snprintf(notices + len, sizeof(notices) - len, "%s\n", text);
	return seen.notice_err;
}

static void forget(struct kc_sink *sink)
{
	(void)sink;
}

static struct kc_sink noticed = {
	.ops = &(const struct kc_sink_ops){ .notice = keep_notice, .free = forget },
};

/*
 * panic() is a symbol, several_ways_out() is a module's; a function ends at the next one of
 * the same module.
 */
static void rename_symbols(struct kc_kernel *kernel)
{
	char text[1024];

	snprintf(text, sizeof(text),
		 "%lx T __stack_chk_fail\n%lx T other\n%lx T simple\n%lx T behind_simple\n"
		 "%lx t several_ways_out\t[fakemod]\n%lx t behind_several\t[fakemod]\n"
		 "%lx T unknown_ways_out\n%lx t through_rbp.isra.0\n%lx T panic\n",
		 (uint64_t)__stack_chk_fail, (uint64_t)other, (uint64_t)simple,
		 (uint64_t)several_ways_out - 1, (uint64_t)several_ways_out,
		 (uint64_t)unknown_ways_out - 1, (uint64_t)unknown_ways_out, (uint64_t)through_rbp,
		 (uint64_t)realigned);
	kc_ksyms_free(kernel->ksyms);
	assert_int_equal(fake_ksyms(text, &kernel->ksyms), 0);
	/* Plans know some symbols from their beginning on. */
	kc_plans_free(session.plans);
	assert_int_equal(kc_plans_new(kernel, &session.plans), 0);
}

static struct kc_choice choose(const char *name)
{
	struct kc_choice it = {};
	const struct kc_sym *sym;

	assert_int_equal(kc_ksyms_by_name(session.kernel->ksyms, name, &sym, 1), 1);
	it.plan = kc_plans_of(session.plans, sym);
	it.nr_checks = it.plan->nr_checks;
	it.all_returns = true;
	snprintf(it.name, sizeof(it.name), "%s", name);
	return it;
}

/* A guarded function, a module's with two returns, one that is refused, one with a return. */
static void make_choices(void)
{
	choice[0] = choose("simple");
	choice[1] = choose("several_ways_out");
	choice[1].returns[0] = (uint64_t)first_way_out;
	choice[1].returns[1] = (uint64_t)third_way_out;
	choice[1].nr_returns = 2;
	choice[2] = (struct kc_choice){ .name = "gone", .refused = "nobody has it" };
	choice[3] = choose("unknown_ways_out");
	choice[3].returns[0] = (uint64_t)other;
	choice[3].nr_returns = 1;
	choice[3].all_returns = false;
	choices = (struct kc_choices){ .choices = choice, .count = 4 };
}

static void keep_base(struct kc_mem *mem)
{
	(void)mem;
}

static int setup(void **state)
{
	static struct kc_mem base;
	struct kc_kernel *kernel;

	fake_watch_setup(state);
	kernel = session.kernel;
	rename_symbols(kernel);
	base = *kernel->mem;
	base.destroy = keep_base;
	assert_int_equal(kc_overlay_new(&base, &session.mem), 0);
	kernel->mem = session.mem;
	make_choices();
	fake_module_is(7);
	notices[0] = '\0';
	kc_sinks_add(&sinks, &noticed);
	return 0;
}

static int teardown(void **state)
{
	kc_attach_free(attach);
	attach = NULL;
	return fake_watch_teardown(state);
}

static int load(struct kc_failure *ret_failure)
{
	return kc_attach_new(
		&(struct kc_attach_options){
			.session = &session,
			.choices = &choices,
			.sinks = &sinks,
			.filter = &(struct kc_filter){},
		},
		ret_failure, &attach);
}

static void place(void)
{
	struct kc_failure failure;

	assert_int_equal(load(&failure), 0);
	assert_int_equal(kc_attach_place(attach), 0);
}

static struct kc_probe_counts counts(void)
{
	struct kc_probe_counts it;

	kc_attach_counts(attach, &it);
	return it;
}

/* Of what was asked, in the order; forgotten after it. */
static void assert_asked(const char *want)
{
	assert_string_equal(fake_probing.asked, want);
	fake_probing.asked[0] = '\0';
}

/* Held are CPUs only between the last probe placed and the first one removed. */
static void ladder(void **state)
{
	struct kc_failure failure;

	(void)state;
	assert_int_equal(load(&failure), 0);
	assert_asked("new");
	assert_int_equal(kc_attach_place(attach), 0);
	/* Entries last: the kernel's with one link, then the module's. */
	assert_asked(" panic check return return return entry entry+ alone+ arm");
	assert_true(kc_attach_has_tripwire(attach));
	kc_attach_activate(attach, 20, 300);
	assert_asked(" hold:20000000/300000000");
	kc_attach_stop(attach);
	assert_asked(" disarm detach:1 detach:7");
	kc_attach_stop(attach);
	assert_asked("");
	assert_int_equal(counts().attached, 8); /* counts stay */
	kc_attach_free(kc_take(attach));
	assert_asked(" free");
}

/* Whoever gives up in the middle leaves nothing attached, and no CPU held. */
static void given_up_in_the_middle(void **state)
{
	struct kc_failure failure;

	(void)state;
	place();
	kc_attach_activate(attach, 20, 300);
	fake_probing.asked[0] = '\0';
	kc_attach_free(kc_take(attach));
	assert_asked(" disarm detach:1 detach:7 free");

	fake_probing.load_err = -EPERM;
	assert_int_equal(load(&failure), -EPERM);
	assert_null(attach);
	assert_asked("");
}

/* What is refused is told, and counted; what can be placed all the same is. */
static void refused(void **state)
{
	struct kc_probed probed[4];

	(void)state;
	fake_probing.refused = (uint64_t)first_way_out;
	fake_probing.no_guard = true;
	place();
	assert_asked("new panic check return return entry entry+ alone arm");
	assert_string_equal(
		notices, "per-CPU guards of this kernel can't be found: slots are compared with "
			 "the task's canary alone there\n"
			 "no probe on __x64_sys_getsid, a call of our own (No such file or "
			 "directory): probes that somebody switches off will not be noticed\n"
			 "not probed: gone: nobody has it\n"
			 "not probed: a return of several_ways_out: the kernel allows no probe "
			 "there\n"
			 "unknown_ways_out may return in other ways than the 1 probed: there are "
			 "more, or indirect jumps\n");
	assert_int_equal(counts().failed, 3);
	assert_int_equal(counts().attached, 7);
	assert_int_equal(kc_attach_probed(attach, probed), 3);
	assert_string_equal(probed[1].function, "several_ways_out");
	assert_int_equal(probed[1].returns, 1);
	assert_int_equal(probed[0].checks, 1);
}

static void refused_everywhere(void **state)
{
	(void)state;
	fake_probing.refused = choice[0].plan->checks[0].load;
	place();
	assert_non_null(strstr(notices, "not probed: a check of simple: the kernel allows"));
	assert_int_equal(counts().failed, 3);
	kc_attach_free(kc_take(attach));
	fake_probing.asked[0] = notices[0] = '\0';
	fake_probing.refused = (uint64_t)realigned;
	place();
	assert_asked("new check return return return entry entry+ alone+ arm");
	assert_false(kc_attach_has_tripwire(attach));
	assert_non_null(strstr(notices, "not probed: the entry of panic: the kernel allows"));
	assert_int_equal(counts().failed, 3);
	kc_attach_free(kc_take(attach));
	fake_probing.asked[0] = notices[0] = '\0';
	fake_probing.refused = (uint64_t)simple;
	place();
	assert_asked("new panic check return return return entry+ alone+ arm");
	assert_non_null(strstr(notices, "not probed: the entry of simple: the kernel allows"));
	assert_int_equal(counts().failed, 3);
}

/* Each point's hits are a digit of the sums, in the order of attaching. */
static void sums(void **state)
{
	struct kc_probe_counts sum;
	uint64_t digit = 1;

	(void)state;
	for (size_t i = 0; i < 8; i++, digit *= 10)
		fake_probing.counts[i] = (struct kc_point_count){
			.hits = digit,
			.unreadable = 2 * digit,
			.unmatched = 3 * digit,
			.early = 5 * digit,
			.other_stack = 4 * digit,
		};
	for (size_t i = 0; i < KC_LOSS_NR; i++)
		fake_probing.losses[i] = 100 + i;
	fake_probing.missed = 77;
	fake_probing.depths[0].max = 5;
	fake_probing.depths[1].max = 500;
	fake_probing.depths[3].max = 50;
	place();
	sum = counts();
	assert_int_equal(sum.comparisons, 10);
	assert_int_equal(sum.returns, 11100);
	assert_int_equal(sum.entries, 11100000);
	/* All but the tripwire's, which has no function. */
	assert_int_equal(sum.unreadable, 22222220);
	assert_int_equal(sum.unmatched, 33333330);
	assert_int_equal(sum.early, 55555550);
	assert_int_equal(sum.other_stack, 44444440);
	assert_int_equal(sum.lost, 100 + KC_LOSS_RING);
	for (size_t i = 0; i < KC_LOSS_NR; i++)
		assert_int_equal(sum.losses[i], 100 + i);
	assert_int_equal(sum.missed, 77);
	assert_true(sum.tells_missed);
	assert_int_equal(sum.max_depth, 500);
	assert_string_equal(sum.deepest, "several_ways_out");
	/* The same when the probes are gone. */
	kc_attach_stop(attach);
	assert_int_equal(counts().comparisons, 10);
	assert_int_equal(counts().attached, 8);
}

/* More threads than are told, the deepest of them first. */
static void deepest_threads(void **state)
{
	const struct kc_depths *depths;

	(void)state;
	fake_probing.nr_threads = KC_DEEP_THREADS + 3;
	for (size_t i = 0; i < fake_probing.nr_threads; i++)
		fake_probing.threads[i] = (struct kc_thread_depth){ 100 + i, 3, 1000 + i * 7 % 13 };
	fake_probing.threads[12].depth = 99; /* no function's */
	/* kcanary's own, of the function that it calls to see whether probes live. */
	fake_probing.threads[fake_probing.nr_threads++] =
		(struct kc_thread_depth){ 999, KC_MAX_CHOSEN, 5000 };
	place();
	depths = kc_attach_depths(attach);
	assert_int_equal(depths->nr_functions, 3);
	assert_string_equal(depths->functions[2].function, "unknown_ways_out");
	assert_int_equal(depths->nr_threads, KC_DEEP_THREADS);
	for (size_t i = 0; i < depths->nr_threads; i++) {
		const struct kc_deep_thread *thread = &depths->threads[i];

		assert_int_equal(thread->depth, 1012 - i);
		assert_string_equal(thread->function, thread->tid == 112 ? "" : "unknown_ways_out");
	}
}

/* Unloaded, and loaded again, which is not learned: told once, and counted as not placed. */
static void module_goes(void **state)
{
	(void)state;
	place();
	assert_int_equal(counts().failed, 2);
	notices[0] = '\0';
	assert_int_equal(kc_attach_check_modules(attach), 0);
	assert_string_equal(notices, "");
	fake_module_is(0);
	assert_int_equal(kc_attach_check_modules(attach), 0);
	fake_module_is(8);
	assert_int_equal(kc_attach_check_modules(attach), 0);
	assert_string_equal(notices,
			    "no longer probed: several_ways_out: its module was unloaded\n");
	assert_int_equal(counts().attached, 5);
	assert_int_equal(counts().failed, 5);
}

/* The session has learned the kernel with the module as it was loaded under this number. */
static void learn_module(uint64_t load)
{
	struct kc_kernel *kernel = session.kernel;

	free(kernel->modules);
	kernel->modules = calloc(1, sizeof(*kernel->modules));
	kernel->nr_modules = 1;
	kernel->modules[0] = (struct kc_module){ .name = "fakemod", .load = load };
}

/* Unloaded and loaded again: placed anew when it is known what it is now; the gap stays counted. */
static void module_comes_back(void **state)
{
	(void)state;
	for (size_t i = 0; i < FAKE_POINTS; i++)
		fake_probing.counts[i].hits = 1;
	snprintf(choice[1].name, sizeof(choice[1].name), "several_ways_out [fakemod]");
	learn_module(7);
	place();
	assert_int_equal(counts().attached, 8);
	assert_int_equal(counts().returns, 3);
	fake_probing.asked[0] = notices[0] = '\0';
	fake_module_is(0);
	assert_int_equal(kc_attach_check_modules(attach), 0);
	fake_module_is(8);
	assert_int_equal(kc_attach_check_modules(attach), 0);
	/* What held the old ones is closed, as often as it may go. */
	assert_asked(" remove:2 remove:1");
	assert_int_equal(counts().attached, 5);
	learn_module(8);
	assert_int_equal(kc_attach_check_modules(attach), 0);
	assert_asked(" return return return alone+ arm:3");
	assert_string_equal(
		notices, "no longer probed: several_ways_out [fakemod]: its module was unloaded\n"
			 "several_ways_out [fakemod] may return in other ways than the 3 "
			 "probed: there are more, or indirect jumps\n"
			 "probed again: several_ways_out [fakemod]: its module was loaded again; "
			 "calls before this were not seen\n");
	assert_int_equal(counts().attached, 9);
	assert_int_equal(counts().returns, 6); /* of before, too */
	assert_int_equal(counts().entries, 4);
	assert_int_equal(counts().failed, 5);
	/* It stays so, until it goes once more, between two looks. */
	assert_int_equal(kc_attach_check_modules(attach), 0);
	assert_asked("");
	fake_module_is(9);
	learn_module(9);
	assert_int_equal(kc_attach_check_modules(attach), 0);
	assert_asked(" remove:3 remove:1 return return return alone+ arm:3");
	assert_int_equal(counts().attached, 9);
	assert_int_equal(counts().failed, 9);
	assert_int_equal(counts().returns, 9);
}

/* None can be placed: it is not said that they are there, and the next loading is tried. */
static void module_comes_back_barred(void **state)
{
	(void)state;
	snprintf(choice[1].name, sizeof(choice[1].name), "several_ways_out [fakemod]");
	learn_module(7);
	place();
	fake_module_is(8);
	learn_module(8);
	fake_probing.asked[0] = notices[0] = '\0';
	fake_probing.no_files = true;
	assert_int_equal(kc_attach_check_modules(attach), 0);
	assert_int_equal(kc_attach_check_modules(attach), 0);
	assert_asked(" remove:2 remove:1 arm:0");
	assert_string_equal(
		notices, "no longer probed: several_ways_out [fakemod]: its module was unloaded\n"
			 "several_ways_out [fakemod] may return in other ways than the 3 "
			 "probed: there are more, or indirect jumps\n"
			 "not probed again: several_ways_out [fakemod]: no probe could be placed\n"
			 "not probed: 4 places: Too many open files (RLIMIT_NOFILE, ulimit -n)\n");
	assert_int_equal(counts().attached, 5);
	fake_probing.no_files = false;
	fake_module_is(9);
	learn_module(9);
	assert_int_equal(kc_attach_check_modules(attach), 0);
	assert_asked(" return return return alone+ arm:3");
	assert_non_null(strstr(notices, "probed again: several_ways_out [fakemod]: its module was "
					"loaded again; "));
	assert_int_equal(counts().attached, 9);
}

/* The function is not in it any more: told once for each loading. */
static void module_comes_back_without_it(void **state)
{
	(void)state;
	snprintf(choice[1].name, sizeof(choice[1].name), "once_there [fakemod]");
	place();
	notices[0] = '\0';
	learn_module(8);
	fake_module_is(8);
	assert_int_equal(kc_attach_check_modules(attach), 0);
	assert_int_equal(kc_attach_check_modules(attach), 0);
	assert_string_equal(notices,
			    "no longer probed: once_there [fakemod]: its module was unloaded\n"
			    "not probed again: once_there [fakemod]: its module was loaded again "
			    "without it\n");
	assert_int_equal(counts().failed, 5);
}

static void module_is_loaded_again(void **state)
{
	(void)state;
	place();
	notices[0] = '\0';
	fake_module_is(8); /* between two looks */
	seen.notice_err = -ENOSPC;
	assert_int_equal(kc_attach_check_modules(attach), -ENOSPC);
	assert_int_equal(kc_attach_check_modules(attach), 0);
	assert_int_equal(counts().failed, 5);
}

/* Since the kernel was learned: what we know of it is not what lies there. */
static void module_was_loaded_again(void **state)
{
	struct kc_probed probed[4];

	(void)state;
	snprintf(choice[1].name, sizeof(choice[1].name), "several_ways_out [fakemod]");
	learn_module(6);
	place();
	assert_asked("new panic check return entry entry+ arm");
	assert_non_null(strstr(notices, "not probed: several_ways_out [fakemod]: its module was "
					"unloaded since the kernel was learned\n"));
	assert_int_equal(kc_attach_probed(attach, probed), 2);
	assert_int_equal(counts().failed, 3);
	learn_module(7);
	assert_int_equal(kc_attach_check_modules(attach), 0);
	assert_asked(" return return return alone+ arm:3");
	assert_int_equal(counts().failed, 3);
}

/* ... or while its probes were placed. */
static void module_goes_meanwhile(void **state)
{
	(void)state;
	snprintf(choice[1].name, sizeof(choice[1].name), "several_ways_out [fakemod]");
	fake_probing.module_goes = true;
	learn_module(7);
	place();
	assert_asked("new panic check return entry entry+ arm");
	fake_module_is(7);
	assert_int_equal(kc_attach_check_modules(attach), 0);
	assert_asked(" return return return alone+ arm:3 remove:3 remove:1");
	assert_int_equal(counts().attached, 5);
	/* At the end of a watch nothing is placed. */
	fake_module_is(8);
	learn_module(8);
	assert_int_equal(kc_attach_check_gone(attach), 0);
	assert_asked("");
}

/* Returns that take all calls for early ones are as good as none. */
static void never_armed(void **state)
{
	(void)state;
	snprintf(choice[1].name, sizeof(choice[1].name), "several_ways_out [fakemod]");
	learn_module(7);
	place();
	fake_probing.never_armed = true;
	fake_module_is(8);
	learn_module(8);
	assert_int_equal(kc_attach_check_modules(attach), 0);
	assert_non_null(strstr(notices, "not probed: a return of several_ways_out [fakemod]: "));
	assert_int_equal(counts().failed, 2 + 3 + 1);
}

static size_t choose_by(const char *name)
{
	struct kc_choices found;
	struct kc_failure failure;
	size_t count;

	if (kc_choose(&session, &(struct kc_wish){ .globs = &name, .nr_globs = 1 }, &failure,
		      &found))
		return 0;
	count = found.count;
	if (!strcmp(name, "through_rbp"))
		assert_string_equal(found.choices[0].name, "through_rbp.isra.0");
	kc_choices_free(&found);
	return count;
}

/* A function of which only the compiler's own version is left is meant by its name. */
static void renamed_by_the_compiler(void **state)
{
	(void)state;
	assert_int_equal(choose_by("through_rbp"), 1);
	assert_int_equal(choose_by("through_rbp.isra.0"), 1);
	assert_int_equal(choose_by("through"), 0);
	assert_int_equal(choose_by("simple"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(ladder),
		TEST(given_up_in_the_middle),
		TEST(refused),
		TEST(refused_everywhere),
		TEST(sums),
		TEST(deepest_threads),
		TEST(module_goes),
		TEST(module_is_loaded_again),
		TEST(module_comes_back),
		TEST(module_comes_back_barred),
		TEST(module_comes_back_without_it),
		TEST(module_was_loaded_again),
		TEST(module_goes_meanwhile),
		TEST(never_armed),
		TEST(renamed_by_the_compiler),
	};

	return RUN(tests);
}
