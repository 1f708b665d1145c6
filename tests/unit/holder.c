// SPDX-License-Identifier: GPL-2.0-only
/* Which threads may be frozen where they sleep, and when that is tried. */
#include "unit.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake.h"
#include "fake_freezer.h"
#include "respond/holder.h"

#define FREEZABLE 0x2001 /* TASK_INTERRUPTIBLE, and TASK_FREEZABLE */

static struct kc_checked_stack checked;
static struct kc_finding finding;

/* A sleeper whose second frame from outside is damaged; v6.1 or later. */
static int setup(void **state)
{
	fake_setup(state);
	fake->kernel.freezes_in_place = true;
	checked = (struct kc_checked_stack){ .count = 5, .damaged = 1 };
	checked.frames[3].status = KC_CHECK_DAMAGED;
	finding = (struct kc_finding){
		.anomaly = KC_ANOMALY_SLOT,
		.task = { .pid = 10, .tid = 11, .state = FREEZABLE },
		.checked = &checked,
		.frame = 3,
	};
	return 0;
}

static bool is_refused(const char *why)
{
	const char *why_not = kc_not_holdable(&fake->kernel, &finding);

	return why_not && strstr(why_not, why);
}

static void in_place(void **state)
{
	(void)state;
	assert_null(kc_not_holdable(&fake->kernel, &finding));
	/* Whichever frame it is. */
	finding.frame = 0;
	assert_null(kc_not_holdable(&fake->kernel, &finding));
	finding.anomaly = KC_ANOMALY_RETURN;
	assert_null(kc_not_holdable(&fake->kernel, &finding));
	finding.task.state = 1;
	assert_true(is_refused("freezing would wake it"));
	/* The flag of older kernels says nothing here. */
	finding.task.flags = KC_RECORD_FREEZER_SKIPS;
	assert_true(is_refused("freezing would wake it"));
}

static void never(void **state)
{
	(void)state;
	finding.task.state |= 8;
	assert_true(is_refused("traced"));
	finding.task.state = FREEZABLE;
	finding.task.pid = 1;
	assert_true(is_refused("init"));
	finding.task.pid = 10;
	finding.task.flags = KC_RECORD_KTHREAD;
	assert_true(is_refused("kernel thread"));
	finding.task.flags = 0;
	finding.running = true;
	assert_true(is_refused("not asleep"));
	finding.running = false;
	finding.by_gate = true;
	assert_true(is_refused("not asleep"));
	finding.by_gate = false;
	finding.anomaly = KC_ANOMALY_STACK_END;
	assert_true(is_refused("does not make it panic"));
	finding.anomaly = KC_ANOMALY_PANIC;
	assert_true(is_refused("does not make it panic"));
}

/* Before v6.1: where it goes to sleep by itself, and what it returns through until it is frozen is
 * whole. */
static void on_its_way_out(void **state)
{
	struct kc_sym sleeper;
	struct kc_ksyms *ksyms;
	const struct kc_sym *sym;
	struct kc_bad_return bad = { .frame = 3 };

	(void)state;
	assert_int_equal(fake_ksyms("ffffffff81000000 T do_nanosleep\n"
				    "ffffffff81000100 T do_sys_poll\n"
				    "ffffffff81000200 T last\n",
				    &ksyms),
			 0);
	kc_ksyms_free(fake->kernel.ksyms);
	fake->kernel.ksyms = ksyms;
	fake->kernel.freezes_in_place = false;
	assert_int_equal(kc_ksyms_by_name(ksyms, "do_nanosleep", &sym, 1), 1);
	sleeper = *sym;
	checked.frames[2].sym = &sleeper;
	assert_true(is_refused("freezing would wake it"));
	finding.task.flags = KC_RECORD_FREEZER_SKIPS;
	assert_null(kc_not_holdable(&fake->kernel, &finding));
	finding.frame = 2;
	assert_null(kc_not_holdable(&fake->kernel, &finding));
	/* The scheduler's own frames are left before. */
	finding.frame = 1;
	assert_true(is_refused("before 6.1"));
	/* ... also if it is not they that this finding is about. */
	finding.frame = 3;
	checked.frames[0].status = KC_CHECK_DAMAGED;
	assert_true(is_refused("before 6.1"));
	checked.frames[0].status = KC_CHECK_INTACT;
	checked.bad[0] = bad;
	checked.nr_bad = 1;
	assert_null(kc_not_holdable(&fake->kernel, &finding));
	checked.bad[0].frame = 1;
	assert_true(is_refused("before 6.1"));
	checked.nr_bad = 0;
	/* Who called schedule() is another. */
	assert_int_equal(kc_ksyms_by_name(ksyms, "do_sys_poll", &sym, 1), 1);
	checked.frames[2].sym = sym;
	assert_true(is_refused("freezing would wake it"));
	checked.count = 2;
	assert_true(is_refused("freezing would wake it"));
}

static struct kc_sinks sinks;
static char told[512];
static pid_t sleeper;

static int remember(struct kc_sink *sink, const struct kc_when *when, const char *text)
{
	(void)sink;
	(void)when;
	snprintf(told, sizeof(told), "%s", text);
	return 0;
}

static void nothing(struct kc_sink *sink)
{
	(void)sink;
}

/* A file of /proc/PID. */
static const char *read_proc(const char *name)
{
	static char text[4096];
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/%s", sleeper, name);
	file = fopen(path, "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return text;
}

static uint64_t number_behind(const char *name)
{
	const char *at = strstr(read_proc("status"), name);

	assert_non_null(at);
	return strtoull(at + strlen(name), NULL, 10);
}

static uint64_t switches(void)
{
	return number_behind("\nvoluntary_ctxt_switches:") +
	       number_behind("nonvoluntary_ctxt_switches:");
}

/* A process of ours that sleeps, with a damaged frame as far as the holder knows. */
static int start_sleeper(void **state)
{
	static const struct kc_sink_ops ops = { .notice = remember, .free = nothing };
	static struct kc_sink listener = { &ops };
	struct kc_process_stat stat;

	setup(state);
	fake_freezer = (struct fake_freezer){};
	told[0] = '\0';
	sleeper = fork();
	if (!sleeper)
		for (;;)
			pause();
	/* Asleep for good: in pause(). */
	while (strncmp(read_proc("syscall"), "34 ", 3))
		;
	assert_true(kc_process_parse_stat(read_proc("stat"), &stat));
	finding.task.pid = finding.task.tid = sleeper;
	finding.task.start_ns = stat.start_ticks * (1000000000 / sysconf(_SC_CLK_TCK));
	finding.task.switches = switches();
	finding.seq = 7;
	sinks = (struct kc_sinks){};
	kc_sinks_add(&sinks, &listener);
	kc_sinks_add(&sinks, kc_holder_new((struct kc_freezer *)&fake_freezer, 2, &sinks));
	return 0;
}

static int end_sleeper(void **state)
{
	kc_sinks_free(&sinks);
	kill(sleeper, SIGKILL);
	waitpid(sleeper, NULL, 0);
	return fake_teardown(state);
}

/* What is told once the finding is on the disk. */
static const char *find(void)
{
	told[0] = '\0';
	assert_int_equal(kc_sinks_finding(&sinks, &fake->kernel, &finding), 0);
	assert_int_equal(kc_sinks_sync(&sinks), 0);
	return told;
}

static const char *find_again(void)
{
	told[0] = '\0';
	assert_int_equal(kc_sinks_again(&sinks, &fake->kernel, &finding), 0);
	assert_int_equal(kc_sinks_sync(&sinks), 0);
	return told;
}

static void held(void **state)
{
	(void)state;
	assert_non_null(strstr(find(), "(finding 7) is held in place: "));
	assert_null(strstr(told, "OOM"));
	assert_int_equal(fake_freezer.last.tid, sleeper);
	assert_int_equal(fake_freezer.last.finding, 7);
	/* Another frame of it, or the same again: it is held already. */
	assert_string_equal(find(), "");
	assert_false(kc_sinks_want_again(&sinks, &finding.task));
	assert_int_equal(fake_freezer.count, 1);
}

static void tried_again(void **state)
{
	(void)state;
	finding.task.switches--;
	assert_non_null(strstr(find(), "is not held: it has run since; tried again"));
	assert_true(kc_sinks_want_again(&sinks, &finding.task));
	/* Said once. */
	assert_string_equal(find_again(), "");
	finding.task.switches++;
	assert_non_null(strstr(find_again(), "is held in place"));
	assert_false(kc_sinks_want_again(&sinks, &finding.task));
	assert_string_equal(find_again(), "");
	assert_int_equal(fake_freezer.count, 1);
}

/* By a probe or a gate, which see a thread that is about to go on. */
static void seen_on_its_way(void **state)
{
	(void)state;
	finding.by_gate = true;
	assert_string_equal(find(), "");
	assert_int_equal(fake_freezer.count, 0);
	assert_true(kc_sinks_want_again(&sinks, &finding.task));
	finding.by_gate = false;
	assert_non_null(strstr(find_again(), "is held in place"));
}

static void another_of_that_number(void **state)
{
	struct kc_record older = finding.task;

	(void)state;
	finding.task.start_ns -= 1000000000;
	assert_non_null(strstr(find(), "is not held: it has run since"));
	assert_int_equal(fake_freezer.count, 0);
	assert_false(kc_sinks_want_again(&sinks, &older));
	/* By a probe: when a pass meets it that is a finding of its own. */
	finding.task = older;
	finding.running = true;
	assert_string_equal(find(), "");
	assert_false(kc_sinks_want_again(&sinks, &older));
	/* Who is gone makes room for others. */
	finding.running = false;
	finding.by_gate = true;
	for (uint32_t i = 0; i < 70; i++) {
		finding.task.tid = sleeper + 1 + i;
		finding.task.start_ns = 1;
		find();
	}
	assert_true(kc_sinks_want_again(&sinks, &finding.task));
}

static void refused(void **state)
{
	(void)state;
	fake_freezer.hold_err = -EPERM;
	assert_non_null(strstr(find(), "the freezer says: Operation not permitted"));
	fake_freezer.hold_err = 0;
	fake_freezer.count = 2;
	assert_non_null(strstr(find(), "2 are, and no more may be (--max-held 2)"));
	assert_false(kc_sinks_want_again(&sinks, &finding.task));
	fake_freezer.count = 0;
	fake_freezer.thawed = true;
	assert_non_null(strstr(find(), "not all that is in the frozen group is frozen"));
	fake_freezer.count = 0;
	fake_freezer.thawed = false;
	fake_freezer.oom_may = true;
	assert_non_null(strstr(find(), "or the OOM killer chooses its process"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_place, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(never, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(on_its_way_out, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(held, start_sleeper, end_sleeper),
		cmocka_unit_test_setup_teardown(tried_again, start_sleeper, end_sleeper),
		cmocka_unit_test_setup_teardown(seen_on_its_way, start_sleeper, end_sleeper),
		cmocka_unit_test_setup_teardown(another_of_that_number, start_sleeper, end_sleeper),
		cmocka_unit_test_setup_teardown(refused, start_sleeper, end_sleeper),
	};

	return RUN(tests);
}
