/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel made of this program: the functions of text.S are its text, its
 * ORC rows are the rows written beside them.
 */
#ifndef KC_TESTS_FAKE_H
#define KC_TESTS_FAKE_H

#include "guard/plan.h"
#include "kernel/kernel.h"

struct fake {
	struct kc_mem mem;
	struct kc_kernel kernel;
	struct kc_plans *plans;
	struct kc_edge edge;
};

/* The guard is %gs:0x28, or fake_guard(%rip). Aborts on failure. */
struct fake *fake_new(bool rip_relative);
void fake_free(struct fake *fake);

/* Changes what was read of its text, as patches would; NULL: nothing does. */
extern void (*fake_on_read)(uint64_t addr, uint8_t *bytes, size_t len);
/* That is a breakpoint of somebody who patches it, at this place; up to fake_on_read = NULL. */
void fake_tear(const char *place);

/* One that kc_kernel_free() frees, for a session to own. */
struct kc_kernel *fake_kernel(void);

/* The one that a group of tests shares: for cmocka_run_group_tests(). */
extern struct fake *fake;
int fake_setup(void **state);
int fake_teardown(void **state);

/* Parse text as if it were /proc/kallsyms. */
int fake_ksyms(const char *text, struct kc_ksyms **ret_ksyms);

/* The plan of a function of text.S, by name. */
const struct kc_plan *fake_plan(struct fake *fake, const char *name);

/* Where code of text.S that was made at run time can be read, and a place in it. */
#define FAKE_MADE 0xffffffffc0300000ULL
uint64_t fake_made(const char *label);

/* Its tables anew, as V2 or V3. */
void fake_orc_layout(struct fake *it, enum kc_orc_layout layout);

#endif
