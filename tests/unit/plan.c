// SPDX-License-Identifier: GPL-2.0-only
/* The slot finder on the functions of text.S. */
#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "guard/returns.h"
#include "report/listing.h"

extern const char simple_call[], simple_check[], simple_fails[], realigned_call[],
	realigned_pushed[], early_exit_shared[], ambiguous_call[], behind_key_nop[],
	behind_key_call[], cold_call[], first_way_out[], second_way_out[], third_way_out[];

static void assert_planned(const struct kc_plan *plan, int base, int offset, size_t checks)
{
	assert_int_equal(plan->reason, KC_PLAN_OK);
	assert_int_equal(plan->rule.base, base);
	assert_int_equal(plan->rule.offset, offset);
	assert_int_equal(plan->nr_checks, checks);
}

static void assert_live(const struct kc_plan *plan, const char *pc, int live, int offset)
{
	struct kc_slot_rule rule = kc_plan_rule_at(plan, (uint64_t)pc);

	assert_int_equal(rule.live, live);
	if (live == KC_LIVE_SEALED)
		assert_int_equal(rule.offset, offset);
}

static void simple(void **state)
{
	const struct kc_plan *plan = fake_plan(fake, "simple");

	(void)state;
	assert_planned(plan, KC_SLOT_CFA, -0x10, 1);
	assert_int_equal(plan->checks[0].load, (uint64_t)simple_check);
	assert_live(plan, simple_call, KC_LIVE_SEALED, -0x10);
	/* Not before the seal, not after the check, not in the failing call. */
	assert_live(plan, (const char *)plan->sym->addr, KC_LIVE_NO, 0);
	assert_live(plan, (const char *)plan->seals[0], KC_LIVE_NO, 0);
	assert_live(plan, (const char *)plan->checks[0].compare, KC_LIVE_SEALED, -0x10);
	assert_live(plan, (const char *)plan->checks[0].compare + 9, KC_LIVE_NO, 0);
}

static void through_rbp(void **state)
{
	(void)state;
	assert_planned(fake_plan(fake, "through_rbp"), KC_SLOT_CFA, -0x28, 1);
}

/* By what the code does to SP; as ORC has it where that goes by SP, too. */
static void depths(void **state)
{
	const struct kc_plan *plan = fake_plan(fake, "through_rbp");

	(void)state;
	assert_int_equal(plan->nr_reaches, 2); /* its check's load, and behind the failing call */
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(plan->reaches[i].depth, 8 + 8 + 8 + 0x18);
	assert_int_equal(kc_plan_depth_at(plan, plan->checks[0].load, false), 0x30);
	assert_int_equal(kc_plan_depth_at(plan, plan->sym->addr, false), 0);
	plan = fake_plan(fake, "simple");
	assert_int_equal(kc_plan_depth_at(plan, (uint64_t)simple_check, false), 0x20);
	assert_int_equal(kc_plan_depth_at(plan, (uint64_t)simple_fails + 5, true), 0x20);
	assert_int_equal(kc_plan_depth_at(plan, (uint64_t)simple_fails + 5, false), 0);
	/* Once the stack was realigned nobody can tell. */
	assert_int_equal(fake_plan(fake, "realigned")->nr_reaches, 0);
}

static void realigned(void **state)
{
	const struct kc_plan *plan = fake_plan(fake, "realigned");

	(void)state;
	assert_planned(plan, KC_SLOT_SP, 0x38, 1);
	assert_live(plan, realigned_call, KC_LIVE_SEALED, 0x38);
	assert_live(plan, realigned_pushed, KC_LIVE_SEALED, 0x48);
}

static void early_exit(void **state)
{
	const struct kc_plan *plan = fake_plan(fake, "early_exit");

	(void)state;
	assert_planned(plan, KC_SLOT_CFA, -0x18, 1);
	assert_live(plan, early_exit_shared, KC_LIVE_NO, 0);
}

static void several_checks(void **state)
{
	(void)state;
	assert_planned(fake_plan(fake, "two_checks"), KC_SLOT_CFA, -0x10, 2);
}

static void clang(void **state)
{
	(void)state;
	assert_planned(fake_plan(fake, "clang_check"), KC_SLOT_CFA, -0x10, 1);
}

static void unknown_to_capstone(void **state)
{
	(void)state;
	assert_planned(fake_plan(fake, "unknown_to_capstone"), KC_SLOT_CFA, -0x10, 1);
}

/* Length, and where control goes; bytes that follow are a nop. */
static void assert_insn(const char *bytes, size_t len, enum kc_control flow, const char *text)
{
	struct kc_decoder *decoder;
	uint8_t code[16];
	struct kc_insn insn;

	memset(code, 0x90, sizeof(code));
	memcpy(code, bytes, len);
	assert_int_equal(kc_decoder_new(&fake->kernel.guard, &decoder), 0);
	assert_true(kc_decode(decoder, code, sizeof(code), 0x1000, &insn));
	assert_int_equal(insn.len, len);
	assert_int_equal(insn.flow, flow);
	assert_int_equal(insn.effect, KC_EFFECT_NONE);
	assert_int_equal(insn.writes, 0);
	assert_string_equal(kc_decode_text(decoder, code, sizeof(code), 0x1000), text);
	/* Cut off, it is nothing. */
	assert_false(kc_decode(decoder, code, len - 1, 0x1000, &insn));
	kc_decoder_free(decoder);
}

/* Without these, a whole function has no text in a recording. */
static void unknown_instructions(void **state)
{
	(void)state;
	assert_insn("\x0f\x01\xfe", 3, KC_FLOW_NEXT, "invlpgb");
	assert_insn("\x0f\x01\xff", 3, KC_FLOW_NEXT, "tlbsync");
}

static void ud1(void **state)
{
	struct fake *warned = fake_new(false);
	const struct kc_plan *plan = fake_plan(fake, "warns");
	uint64_t trap;

	(void)state;
	assert_insn("\x67\x48\x0f\xb9\x3a", 5, KC_FLOW_NEXT, "ud1 (%edx), %rdi");
	assert_insn("\x0f\xb9\xc0", 3, KC_FLOW_STOP, "ud1 %eax, %eax");
	assert_insn("\x67\x0f\xb9\x40\x10", 5, KC_FLOW_STOP, "ud1 0x10(%eax), %eax");
	assert_insn("\x0f\xb9\x7c\x24\x10", 5, KC_FLOW_STOP, "ud1 0x10(%rsp), %edi");
	assert_insn("\x4d\x0f\xb9\x84\x24\x44\x33\x22\x11", 9, KC_FLOW_STOP,
		    "ud1 0x11223344(%r12), %r8");

	/* The call behind a WARN() is reached; behind any other trap if the bug table says so. */
	assert_planned(plan, KC_SLOT_CFA, -0x10, 1);
	trap = plan->checks[0].load - 10;
	assert_live(plan, (const char *)trap + 5, KC_LIVE_SEALED, -0x10);
	plan = fake_plan(fake, "traps");
	trap = plan->checks[0].load - 10;
	assert_live(plan, (const char *)trap + 5, KC_LIVE_UNREACHED, 0);
	warned->edge = (struct kc_edge){ trap, KC_EDGE_NEXT };
	warned->kernel.edges = &warned->edge;
	warned->kernel.nr_edges = 1;
	assert_live(fake_plan(warned, "traps"), (const char *)trap + 5, KC_LIVE_SEALED, -0x10);
	fake_free(warned);
}

static void refused(void **state)
{
	(void)state;
	assert_int_equal(fake_plan(fake, "wrong_slot")->reason, KC_PLAN_DISAGREES);
	assert_int_equal(fake_plan(fake, "overwritten")->reason, KC_PLAN_NO_SEAL);
	assert_int_equal(fake_plan(fake, "unguarded")->reason, KC_PLAN_UNGUARDED);
	assert_int_equal(fake_plan(fake, "undecodable")->reason, KC_PLAN_UNDECODABLE);
	assert_int_equal(fake_plan(fake, "orphan.cold")->reason, KC_PLAN_COLD_ORPHAN);
	assert_int_equal(kc_plans_at(fake->plans, 0x1234)->reason, KC_PLAN_NOT_COMPILED);
}

static void ambiguity(void **state)
{
	const struct kc_plan *plan = fake_plan(fake, "ambiguous");

	(void)state;
	assert_int_equal(plan->reason, KC_PLAN_OK);
	assert_live(plan, ambiguous_call, KC_LIVE_UNKNOWN, 0);
}

/* Without the static key's edge the code behind it is not reached: no guess. */
static void static_key(void **state)
{
	struct fake *keyed = fake_new(false);

	(void)state;
	assert_live(fake_plan(fake, "behind_key"), behind_key_call, KC_LIVE_UNREACHED, 0);
	keyed->edge = (struct kc_edge){ (uint64_t)behind_key_nop, (uint64_t)behind_key_call };
	keyed->kernel.edges = &keyed->edge;
	keyed->kernel.nr_edges = 1;
	assert_live(fake_plan(keyed, "behind_key"), behind_key_call, KC_LIVE_SEALED, -0x10);
	fake_free(keyed);
}

static void cold_part(void **state)
{
	const struct kc_plan *plan = fake_plan(fake, "has_cold");

	(void)state;
	assert_planned(plan, KC_SLOT_CFA, -0x10, 2);
	assert_live(plan, cold_call, KC_LIVE_SEALED, -0x10);
	/* Asked for by an address in the cold part, it is the parent's plan. */
	assert_ptr_equal(kc_plans_at(fake->plans, (uint64_t)cold_call), plan);
}

static void rip_relative_guard(void **state)
{
	struct fake *late = fake_new(true);

	(void)state;
	assert_planned(fake_plan(late, "rip_relative"), KC_SLOT_CFA, -0x10, 1);
	/* Each kernel has one form of the guard; the other form is something else. */
	assert_int_equal(fake_plan(late, "simple")->reason, KC_PLAN_UNGUARDED);
	assert_int_equal(fake_plan(fake, "rip_relative")->reason, KC_PLAN_UNGUARDED);
	fake_free(late);
}

static void ways_out(void **state)
{
	const uint64_t expected[] = { (uint64_t)first_way_out, (uint64_t)second_way_out,
				      (uint64_t)third_way_out };
	const struct kc_sym *sym;
	uint64_t sites[3];
	bool all;

	(void)state;
	sym = fake_plan(fake, "several_ways_out")->sym;
	assert_int_equal(kc_return_sites(&fake->kernel, sym, sites, 3, &all), 3);
	assert_true(all);
	assert_memory_equal(sites, expected, sizeof(expected));
	/* No room for all of them. */
	assert_int_equal(kc_return_sites(&fake->kernel, sym, sites, 2, &all), 2);
	assert_false(all);
	/* A jump that may be a switch, or a call. */
	sym = fake_plan(fake, "unknown_ways_out")->sym;
	assert_int_equal(kc_return_sites(&fake->kernel, sym, sites, 3, &all), 1);
	assert_false(all);
}

/* No operand tells where the kernel lies; numbers that are none stay. */
static void listing_hides_addresses(void **state)
{
	static const char expected[] = "movq $far_away+0x60, %rdi\n"
				       "movl $(kernel address), %esi\n" /* may be half of one */
				       "movq far_away(, %rax, 8), %rax\n"
				       "movq (kernel address)(, %rax, 8), %rax\n"
				       "movabsq $(kernel address), %rcx\n"
				       "movq $far_away, 8(%rsp)\n"
				       "callq *(kernel address)(, %rax, 8)\n"
				       "movq DATA(%rip), %rdx\n"
				       "movq %gs:0x1fc80, %rdx\n"
				       "movq $-0x16, %rdx\n"
				       "movq -0x188(%rbp), %rdx\n"
				       "callq (kernel address)\n"
				       "retq\n"; /* and padding */
	char *text, lines[1024] = "";
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(kc_print_listing(&fake->kernel, fake_plan(fake, "kernel_addresses"), 0,
					  KC_LISTING_ALL, out),
			 0);
	fclose(out);
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (strstr(line, "(%rip)")) /* a distance: this program's data is near */
			line = "0123456789 movq DATA(%rip), %rdx";
		snprintf(lines + strlen(lines), sizeof(lines) - strlen(lines), "%s\n", line + 11);
	}
	free(text);
	assert_memory_equal(lines, expected, sizeof(expected) - 1);
}

/* At 0xffffffff81000000: a per-CPU variable at 0x35000, a variable 1 MiB further, ret. */
static int read_far(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	static const uint8_t code[] = { 0x65, 0x48, 0x8b, 0x05, 0xf8, 0x4f, 0x03, 0x7f,
					0x48, 0x8b, 0x05, 0x00, 0x00, 0x10, 0x00, 0xc3 };

	(void)mem;
	assert_true(addr == 0xffffffff81000000 && len == sizeof(code));
	memcpy(buf, code, len);
	return 0;
}

static void listing_names_per_cpu_variables(void **state)
{
	const struct kc_mem mem = { .read = read_far, .name = "far" };
	struct kc_kernel kernel = { .mem = &mem,
				    .guard = { .addr = 0x28 },
				    .text = 0xffffffff81000000,
				    .text_end = 0xffffffff81000010 };
	struct kc_plan plan = {};
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(
		fake_ksyms("ffffffff81000000 T far\nffffffff81000010 T _etext\n", &kernel.ksyms),
		0);
	plan.sym = kc_ksyms_at(kernel.ksyms, 0);
	assert_int_equal(kc_print_listing(&kernel, &plan, 0, KC_LISTING_ALL, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "movq %gs:0x35000, %rax\n"));
	assert_non_null(strstr(text, "movq 0x100000(%rip), %rax\n"));
	free(text);
	kc_ksyms_free(kernel.ksyms);
}

/* A module right behind vmlinux, where KASLR puts that as high as it can. */
static int read_module(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	static const uint8_t code[] = { 0x65, 0x48, 0x8b, 0x05, 0xf8, 0xff, 0x0f, 0xff, 0xc3 };

	(void)mem;
	assert_true(addr == 0xffffffffc0000000 && len == sizeof(code));
	memcpy(buf, code, len);
	return 0;
}

static void listing_hides_how_far_a_module_is(void **state)
{
	const struct kc_mem mem = { .read = read_module, .name = "module" };
	struct kc_kernel kernel = { .mem = &mem,
				    .guard = { .addr = 0x28 },
				    .text = 0xffffffffbd000000,
				    .text_end = 0xffffffffbf000000 };
	struct kc_plan plan = {};
	char *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_int_equal(fake_ksyms("ffffffffbd000000 T first\nffffffffbf000000 T _etext\n"
				    "ffffffffc0000000 t near\t[module]\n",
				    &kernel.ksyms),
			 0);
	kc_ksyms_end(kernel.ksyms, 0xffffffffc0000000, 0xffffffffc0000009);
	plan.sym = kc_ksyms_find(kernel.ksyms, 0xffffffffc0000000);
	assert_int_equal(kc_print_listing(&kernel, &plan, 0, KC_LISTING_ALL, out), 0);
	fclose(out);
	assert_non_null(strstr(text, "movq %gs:(kernel address)(%rip), %rax\n"));
	free(text);
	kc_ksyms_free(kernel.ksyms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(simple),
		cmocka_unit_test(through_rbp),
		cmocka_unit_test(depths),
		cmocka_unit_test(realigned),
		cmocka_unit_test(early_exit),
		cmocka_unit_test(several_checks),
		cmocka_unit_test(clang),
		cmocka_unit_test(refused),
		cmocka_unit_test(unknown_to_capstone),
		cmocka_unit_test(ambiguity),
		cmocka_unit_test(static_key),
		cmocka_unit_test(cold_part),
		cmocka_unit_test(rip_relative_guard),
		cmocka_unit_test(unknown_instructions),
		cmocka_unit_test(ud1),
		cmocka_unit_test(ways_out),
		cmocka_unit_test(listing_hides_addresses),
		cmocka_unit_test(listing_names_per_cpu_variables),
		cmocka_unit_test(listing_hides_how_far_a_module_is),
	};

	return cmocka_run_group_tests(tests, fake_setup, fake_teardown);
}
