// SPDX-License-Identifier: GPL-2.0-only
/* Which threads may be frozen where they sleep. */
#include "unit.h"

#include <string.h>

#include "fake.h"
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(in_place, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(never, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(on_its_way_out, setup, fake_teardown),
	};

	return RUN(tests);
}
