// SPDX-License-Identifier: GPL-2.0-only
/* Code without tables in text.S: where it leaves its frame. */
#include "unit.h"

#include <string.h>

#include "fake.h"

extern const char thunk_trap[], thunk_inside[], safe_ret_inside[], stuffing_inside[],
	detour_inside[], simple_check[], made_trampoline[], made_trampoline_inside[],
	made_program[], made_program_pushed[], made_program_inside[], made_program_left[],
	made_jump[], made_guarded[], made_endless[], made_lost[], made_restores_other[];

static uint64_t function(const char *name)
{
	return fake_plan(fake, name)->sym->addr;
}

static void assert_ahead(uint64_t pc, bool from_bp, int32_t cfa, enum kc_ahead_bp bp,
			 int32_t bp_offset)
{
	struct kc_ahead ahead;

	assert_true(kc_plans_ahead(fake->plans, pc, &ahead));
	assert_int_equal(ahead.from_bp, from_bp);
	assert_int_equal(ahead.cfa_offset, cfa);
	assert_int_equal(ahead.bp, bp);
	assert_int_equal(ahead.bp_offset, bp_offset);
	assert_int_equal(ahead.target, 0);
}

static void assert_unknown(uint64_t pc)
{
	struct kc_ahead ahead;

	assert_false(kc_plans_ahead(fake->plans, pc, &ahead));
}

static void thunks(void **state)
{
	(void)state;
	/* The return is a jump: to whom it was called by it has not yet returned. */
	assert_ahead(function("__x86_indirect_thunk_rax"), false, 8, KC_AHEAD_BP_SAME, 0);
	assert_ahead((uint64_t)thunk_inside, false, 16, KC_AHEAD_BP_SAME, 0);
	assert_unknown((uint64_t)thunk_trap); /* only speculation goes there */
	assert_ahead(function("safe_ret"), false, 16, KC_AHEAD_BP_SAME, 0);
	assert_ahead((uint64_t)safe_ret_inside, false, 8, KC_AHEAD_BP_SAME, 0);
	assert_ahead(function("stuffing"), false, 8, KC_AHEAD_BP_SAME, 0);
	assert_ahead((uint64_t)stuffing_inside, false, 24, KC_AHEAD_BP_SAME, 0);
}

/* On in the same frame, at another place of the text. */
static void detours(void **state)
{
	struct kc_ahead ahead;

	(void)state;
	assert_true(kc_plans_ahead(fake->plans, (uint64_t)detour_inside, &ahead));
	assert_int_equal(ahead.target, (uint64_t)simple_check);
	assert_false(ahead.from_bp);
	assert_int_equal(ahead.cfa_offset, 16);
	assert_int_equal(ahead.bp, KC_AHEAD_BP_AT_CFA);
	assert_int_equal(ahead.bp_offset, -8);

	assert_true(kc_plans_ahead(fake->plans, function("detour"), &ahead));
	assert_int_equal(ahead.cfa_offset, 0);
	assert_int_equal(ahead.bp, KC_AHEAD_BP_SAME);
}

static void trampolines(void **state)
{
	(void)state;
	assert_ahead(fake_made(made_trampoline), false, 8, KC_AHEAD_BP_SAME, 0);
	assert_ahead(fake_made(made_trampoline_inside), false, 0x30, KC_AHEAD_BP_AT_CFA, -0x28);
}

static void programs(void **state)
{
	(void)state;
	assert_ahead(fake_made(made_program), false, 8, KC_AHEAD_BP_SAME, 0);
	assert_ahead(fake_made(made_program_pushed), false, 16, KC_AHEAD_BP_AT_CFA, -16);
	/* A return is found, though a jump that nobody can follow comes first. */
	assert_ahead(fake_made(made_program_inside), true, 16, KC_AHEAD_BP_AT_BP, 0);
	assert_ahead(fake_made(made_program_left), false, 8, KC_AHEAD_BP_SAME, 0);
	assert_ahead(fake_made(made_jump), false, 8, KC_AHEAD_BP_SAME, 0);
}

static void refused(void **state)
{
	(void)state;
	assert_unknown(fake_made(made_guarded));
	assert_unknown(fake_made(made_endless));
	assert_unknown(fake_made(made_lost));
	assert_unknown(fake_made(made_restores_other));
	assert_unknown(FAKE_MADE - 0x1000);	/* can't be read */
	assert_unknown((uint64_t)simple_check); /* compiled, and checks its slot */
	assert_unknown(0xffffffff98968a10);	/* compiled, and neither text nor generated */
}

/* A jump at the beginning of made code; at its target, `ret`. */
static uint64_t jumps_to;

static int read_with_jump(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	uint8_t jump[KC_MAX_PATCH];

	(void)mem;
	memset(buf, 0x90, len);
	if (addr == jumps_to) {
		*(uint8_t *)buf = 0xc3;
		return 0;
	}
	assert_int_equal(addr, FAKE_MADE);
	kc_arch()->make_jump(addr, jumps_to, jump);
	memcpy(buf, jump, kc_arch()->patch_len);
	return 0;
}

/* Followed to where code can be, and nowhere else is read. */
static void out_of_all_code(void **state)
{
	struct kc_mem mem = { .read = read_with_jump, .name = "jumps" };

	(void)state;
	fake->kernel.mem = &mem;
	jumps_to = FAKE_MADE + 0x100000;
	assert_ahead(FAKE_MADE, false, 8, KC_AHEAD_BP_SAME, 0);
	jumps_to = fake->kernel.modules_start - 0x1000;
	assert_unknown(FAKE_MADE);
	jumps_to = kc_arch()->modules_end;
	assert_unknown(FAKE_MADE);
	fake->kernel.mem = &fake->mem;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thunks),      cmocka_unit_test(detours),
		cmocka_unit_test(trampolines), cmocka_unit_test(programs),
		cmocka_unit_test(refused),     cmocka_unit_test(out_of_all_code),
	};

	return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
