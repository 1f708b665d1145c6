// SPDX-License-Identifier: GPL-2.0-only
/* Text under others' probes, and text in the middle of being patched. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fake.h"
#include "fake_host.h"
#include "kernel/overlay.h"
#include "kernel/text.h"

extern const char simple[], simple_call[], simple_check[], simple_fails[], through_rbp[],
	traced_room[];

/* The kernel's heap, with the table at its beginning. Structs lie as this says. */
#define HEAP  0xffff888000000000ULL
#define PROBE 256 /* bytes for each */
#define MAX   16

static const struct kc_kprobe_table layout = {
	.addr = HEAP,
	.hlist = 8,
	.probe = 40,
	.opcode = 80,
	.flags = 100,
	.size = 112,
	.copied = 136,
	.detour = 144,
};

static uint8_t heap[64 * 8 + MAX * PROBE];
static struct kc_mem base, *mem;
static struct kc_plans *plans;
static size_t text_reads, heap_reads;
static bool no_heads; /* they can't be read */
static void (*on_text_read)(uint64_t addr, uint8_t *bytes, size_t len);

/* What lies in text instead of what was compiled. */
static struct patch {
	uint64_t addr;
	uint8_t bytes[5];
	size_t len;
} patches[4];

static int read_base(const struct kc_mem *it, uint64_t addr, void *buf, size_t len)
{
	int err;

	(void)it;
	if (addr == HEAP && no_heads)
		return -EFAULT;
	if (addr - HEAP < sizeof(heap) && len <= sizeof(heap) - (addr - HEAP)) {
		memcpy(buf, heap + (addr - HEAP), len);
		heap_reads++;
		return 0;
	}
	err = kc_mem_read(&fake->mem, addr, buf, len);
	for (size_t i = 0; !err && i < 4; i++)
		for (size_t n = 0; n < patches[i].len; n++)
			if (patches[i].addr + n - addr < len)
				((uint8_t *)buf)[patches[i].addr + n - addr] = patches[i].bytes[n];
	if (!err && on_text_read)
		on_text_read(addr, buf, len);
	text_reads++;
	return err;
}

static void keep_base(struct kc_mem *it)
{
	(void)it;
}

static int setup(void **state)
{
	fake_setup(state);
	memset(heap, 0, sizeof(heap));
	memset(patches, 0, sizeof(patches));
	on_text_read = NULL;
	base = (struct kc_mem){ .read = read_base, .destroy = keep_base, .name = "base" };
	assert_int_equal(kc_overlay_new(&base, &mem), 0);
	assert_int_equal(kc_overlay_learn(mem, &layout), 0);
	fake->kernel.mem = mem;
	assert_int_equal(kc_plans_new(&fake->kernel, &plans), 0);
	return 0;
}

static int teardown(void **state)
{
	kc_plans_free(plans);
	kc_mem_destroy(mem);
	return fake_teardown(state);
}

static uint64_t node(size_t i)
{
	return HEAP + 64 * 8 + i * PROBE + layout.hlist;
}

static void put(size_t i, uint32_t offset, const void *value, size_t size)
{
	memcpy(heap + 64 * 8 + i * PROBE + offset, value, size);
}

static void put_number(size_t i, uint32_t offset, uint64_t number)
{
	put(i, offset, &number, sizeof(number));
}

static void head(size_t bucket, uint64_t first)
{
	memcpy(heap + bucket * 8, &first, sizeof(first));
}

/* Probe i of the heap, at addr; the list goes on at `next`. */
static void describe(size_t i, uint64_t addr, uint64_t next)
{
	put_number(i, layout.hlist, next);
	put_number(i, layout.probe, addr);
	put(i, layout.opcode, (const void *)addr, 1);
}

static void patch(size_t i, uint64_t addr, const void *bytes, size_t len)
{
	patches[i] = (struct patch){ .addr = addr, .len = len };
	memcpy(patches[i].bytes, bytes, len);
}

static void breakpoint(size_t i, uint64_t addr)
{
	patch(i, addr, "\xcc", 1);
}

/* An optimized probe's jump; `first`: what its first byte is at the moment. */
static void jump(size_t i, uint64_t addr, uint8_t first)
{
	uint64_t detour = addr + 0x100000;
	uint8_t bytes[KC_MAX_PATCH];

	kc_arch()->make_jump(addr, detour, bytes);
	bytes[0] = first;
	patch(i, addr, bytes, 5);
	put(i, layout.copied, (const void *)(addr + 1), 4);
	put_number(i, layout.detour, detour);
}

static const struct kc_plan *plan_of(const char *name)
{
	const struct kc_sym *sym;

	assert_int_equal(kc_ksyms_by_name(fake->kernel.ksyms, name, &sym, 1), 1);
	return kc_plans_of(plans, sym);
}

static void anew(void)
{
	kc_plans_free(plans);
	assert_int_equal(kc_plans_new(&fake->kernel, &plans), 0);
}

/* As the plan that there is without all of it. */
static void assert_planned(void)
{
	const struct kc_plan *plan = plan_of("simple"), *want;

	fake->kernel.mem = &fake->mem;
	want = fake_plan(fake, "simple");
	fake->kernel.mem = mem;
	assert_int_equal(plan->reason, KC_PLAN_OK);
	assert_int_equal(want->reason, KC_PLAN_OK);
	assert_int_equal(plan->nr_checks, 1);
	assert_int_equal(plan->checks[0].load, want->checks[0].load);
	assert_int_equal(plan->checks[0].compare, want->checks[0].compare);
	assert_int_equal(plan->seals[0], want->seals[0]);
	assert_int_equal(plan->nr_ranges, want->nr_ranges);
}

static void breakpoints(void **state)
{
	uint64_t places[] = { (uint64_t)simple, (uint64_t)simple + 4, (uint64_t)simple_check };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		describe(i, places[i], i == 2 ? 0 : node(i + 1));
		breakpoint(i, places[i]);
	}
	head(63, node(0));
	assert_planned();
	/* The same without knowing them. */
	head(63, 0);
	anew();
	assert_int_equal(plan_of("simple")->reason, KC_PLAN_TORN);
}

/* The call that somebody sleeps in. */
static void on_a_call(void **state)
{
	(void)state;
	describe(0, (uint64_t)simple_call, 0);
	breakpoint(0, (uint64_t)simple_call);
	head(7, node(0));
	assert_int_equal(kc_plans_site(plans, (uint64_t)simple_call + 5)->kind, KC_SITE_CALL);
}

static void jumps(void **state)
{
	uint64_t addr = (uint64_t)simple_check;
	uint8_t bytes[3];

	(void)state;
	describe(0, addr, 0);
	head(5, node(0));
	jump(0, addr, 0xe9);
	assert_planned();
	/* On its way, and on its way back. */
	jump(0, addr, 0xcc);
	anew();
	assert_planned();
	patches[0].len = 1;
	anew();
	assert_planned();
	/* It goes on behind what is read. */
	jump(0, addr, 0xe9);
	assert_int_equal(kc_mem_read(mem, addr - 1, bytes, sizeof(bytes)), 0);
	assert_memory_equal(bytes, (const void *)(addr - 1), sizeof(bytes));
	/* Nobody's jump is left as it is. */
	put_number(0, layout.detour, 0);
	anew();
	assert_int_equal(plan_of("simple")->nr_checks, 0);
}

/* A tracer's, where the function begins: its code comes back. */
static void tracers_jump(void **state)
{
	const uint64_t made = fake->kernel.text_end + 0x100000;
	uint8_t bytes[KC_MAX_PATCH];

	(void)state;
	kc_arch()->make_jump((uint64_t)traced_room, made, bytes);
	patch(0, (uint64_t)traced_room, bytes, 5);
	assert_int_equal(plan_of("traced")->reason, KC_PLAN_OK);
	assert_int_equal(plan_of("traced")->nr_checks, 1);
	/* Not so to compiled code, which is a tail call. */
	kc_arch()->make_jump((uint64_t)traced_room, (uint64_t)simple, bytes);
	patch(0, (uint64_t)traced_room, bytes, 5);
	anew();
	assert_int_equal(plan_of("traced")->reason, KC_PLAN_NO_SEAL);
}

/* Its struct is where that of one lay that has gone, in the same list: nothing else tells. */
static void same_place(void **state)
{
	(void)state;
	describe(0, (uint64_t)simple, 0);
	breakpoint(0, (uint64_t)simple);
	head(5, node(0));
	assert_planned();
	describe(0, (uint64_t)simple_check, 0);
	breakpoint(0, (uint64_t)simple_check);
	kc_overlay_next_pass(mem);
	anew();
	assert_planned();
}

static void heal(uint64_t addr, uint8_t *bytes, size_t len)
{
	(void)bytes;
	if (fake_naps() && (uint64_t)simple_check - addr < len)
		patches[0].len = 0;
}

/* What is kept under a probe of ours is no one else's patch: it would lie over the text for ever.
 */
static void not_kept_while_patched(void **state)
{
	(void)state;
	breakpoint(0, (uint64_t)simple);
	assert_int_equal(kc_overlay_keep(mem, &fake->kernel, (uint64_t)simple), -EAGAIN);
	patches[0].len = 0;
	assert_planned();
	on_text_read = heal;
	breakpoint(0, (uint64_t)simple_check);
	assert_int_equal(kc_overlay_keep(mem, &fake->kernel, (uint64_t)simple_check), 0);
	anew();
	assert_planned();
}

/* Those of a module that is gone, and ftrace's, have replaced nothing. */
static void flags(void **state)
{
	uint32_t gone = 1, optimized = 4, ftrace = 8;

	(void)state;
	describe(0, (uint64_t)simple_check, 0);
	breakpoint(0, (uint64_t)simple_check);
	head(5, node(0));
	put(0, layout.flags, &gone, sizeof(gone));
	assert_int_equal(plan_of("simple")->reason, KC_PLAN_TORN);
	put(0, layout.flags, &ftrace, sizeof(ftrace));
	anew();
	assert_int_equal(plan_of("simple")->reason, KC_PLAN_TORN);
	put(0, layout.flags, &optimized, sizeof(optimized));
	anew();
	assert_planned();
}

/* Some come, one takes another's place in the middle of a list, some go. */
static void they_change(void **state)
{
	uint64_t addr = (uint64_t)simple_check;

	(void)state;
	describe(1, (uint64_t)through_rbp, 0);
	head(5, node(1));
	assert_planned();
	describe(0, addr, node(1));
	breakpoint(0, addr);
	head(5, node(0));
	anew();
	assert_planned();
	/* Optimized: another struct, not at the list's head, which is the same. */
	describe(2, (uint64_t)through_rbp + 1, node(0));
	head(5, node(2));
	anew();
	assert_planned();
	describe(3, addr, node(1));
	put_number(2, layout.hlist, node(3));
	jump(3, addr, 0xe9);
	patches[0].len = 0;
	anew();
	assert_planned();
	/* Gone, and what is there is the code again. */
	put_number(2, layout.hlist, node(1));
	patches[3].len = 0;
	anew();
	assert_planned();
	/* Gone, and what is there now is not the probe's. */
	breakpoint(0, addr);
	anew();
	assert_int_equal(plan_of("simple")->reason, KC_PLAN_TORN);
}

/* Whatever the lists say, reading comes to its end. */
static void lists_that_are_none(void **state)
{
	const uint64_t bad[] = { node(0), HEAP + 8, HEAP + sizeof(heap), 0x1000, ~7ULL };

	(void)state;
	describe(0, (uint64_t)simple_check, 0);
	breakpoint(0, (uint64_t)simple_check);
	for (size_t i = 0; i < 5; i++) {
		put_number(0, layout.hlist, bad[i]);
		head(5, node(0));
		anew();
		plan_of("simple");
		head(5, bad[i]);
		anew();
		assert_int_not_equal(plan_of("through_rbp")->reason, KC_PLAN_TORN);
	}
}

static void nobody_knows_them(void **state)
{
	struct kc_kprobe_table unknown = layout;
	struct kc_kprobes *kprobes;

	(void)state;
	unknown.addr = 0;
	assert_int_equal(kc_kprobes_new(&base, &unknown, &kprobes), -ENOENT);
	unknown = layout;
	unknown.size = 0;
	assert_int_equal(kc_kprobes_new(&base, &unknown, &kprobes), -ENOENT);
}

static void always_another(uint64_t addr, uint8_t *bytes, size_t len)
{
	(void)addr;
	bytes[len - 1] = text_reads;
}

static void once_another(uint64_t addr, uint8_t *bytes, size_t len)
{
	bytes[0] ^= 1;
	(void)addr;
	(void)len;
	on_text_read = NULL;
}

static void read_twice(void **state)
{
	uint8_t bytes[8];

	(void)state;
	on_text_read = once_another;
	assert_int_equal(kc_text_read(&fake->kernel, (uint64_t)simple, bytes, 8), 0);
	assert_memory_equal(bytes, simple, 8);
	on_text_read = always_another;
	assert_int_equal(kc_text_read(&fake->kernel, (uint64_t)simple, bytes, 8), -EAGAIN);
	assert_int_equal(plan_of("simple")->reason, KC_PLAN_TORN);
	assert_int_equal(kc_plans_site(plans, (uint64_t)simple_call + 5)->kind, KC_SITE_PATCHED);
	assert_int_equal(kc_text_read(&fake->kernel, 0x1000, bytes, 8), -EFAULT);
}

/* No fact for ever: looked at again at the next pass, and not before. */
static void tried_again(void **state)
{
	const struct kc_plan *torn;
	size_t reads;

	(void)state;
	breakpoint(0, (uint64_t)simple_check);
	breakpoint(1, (uint64_t)simple_call);
	torn = plan_of("simple");
	assert_int_equal(torn->reason, KC_PLAN_TORN);
	assert_int_equal(kc_plans_site(plans, (uint64_t)simple_call + 5)->kind, KC_SITE_PATCHED);
	patches[0].len = patches[1].len = 0;
	reads = text_reads;
	assert_ptr_equal(plan_of("simple"), torn);
	assert_int_equal(kc_plans_site(plans, (uint64_t)simple_call + 5)->kind, KC_SITE_PATCHED);
	assert_int_equal(text_reads, reads);
	kc_plans_next_pass(plans);
	assert_planned();
	assert_int_equal(kc_plans_site(plans, (uint64_t)simple_call + 5)->kind, KC_SITE_CALL);
	assert_int_equal(torn->reason, KC_PLAN_TORN); /* whoever has it may read it */
	/* Facts are kept. */
	kc_plans_next_pass(plans);
	reads = text_reads;
	assert_planned();
	assert_int_equal(kc_plans_site(plans, (uint64_t)simple_call + 5)->kind, KC_SITE_CALL);
	assert_int_equal(text_reads, reads);
}

static bool readable;

static int read_if_readable(const struct kc_mem *it, uint64_t addr, void *buf, size_t len)
{
	return readable ? read_base(it, addr, buf, len) : -EFAULT;
}

/* Nor is it one that text could not be read. */
static void read_again(void **state)
{
	const struct kc_plan *unread;

	(void)state;
	base.read = read_if_readable;
	readable = false;
	unread = plan_of("simple");
	assert_int_equal(unread->reason, KC_PLAN_UNREADABLE);
	readable = true;
	assert_ptr_equal(plan_of("simple"), unread);
	kc_plans_next_pass(plans);
	assert_planned();
}

/* All that refers to the guard lies under breakpoints: who could say that nothing does? */
static void guard_under_breakpoints(void **state)
{
	const struct kc_sym *sym = plan_of("simple")->sym;
	size_t count = 0, at = 0;

	(void)state;
	while (at < sym->size) {
		at += kc_guard_scan(&fake->kernel.guard, (const void *)(sym->addr + at),
				    sym->size - at, sym->addr + at);
		if (at < sym->size)
			breakpoint(count++, sym->addr + at++);
	}
	assert_int_equal(count, 2);
	anew();
	assert_int_equal(plan_of("simple")->reason, KC_PLAN_TORN);
	/* Nothing does. */
	assert_int_equal(plan_of("unguarded")->reason, KC_PLAN_UNGUARDED);
	breakpoint(2, plan_of("unguarded")->sym->addr);
	anew();
	assert_int_equal(plan_of("unguarded")->reason, KC_PLAN_UNGUARDED);
}

/* A list that can't be walked is walked once in a pass, whatever is read, and counted. */
static void walked_once(void **state)
{
	(void)state;
	describe(0, (uint64_t)simple_check, node(0));
	breakpoint(0, (uint64_t)simple_check);
	head(5, node(0));
	assert_int_equal(kc_overlay_unwalked(mem), 0);
	heap_reads = 0;
	assert_int_equal(plan_of("simple")->reason, KC_PLAN_TORN);
	assert_int_equal(kc_overlay_unwalked(mem), 1);
	assert_true(heap_reads > 1000);
	heap_reads = 0;
	anew();
	assert_int_equal(plan_of("simple")->reason, KC_PLAN_TORN);
	assert_int_equal(heap_reads, 0);
	kc_overlay_next_pass(mem);
	anew();
	assert_int_equal(plan_of("simple")->reason, KC_PLAN_TORN);
	assert_true(heap_reads > 1000);
	assert_int_equal(kc_overlay_unwalked(mem), 2);
	/* Not even where it begins can be read. */
	no_heads = true;
	kc_overlay_next_pass(mem);
	anew();
	assert_int_equal(plan_of("simple")->reason, KC_PLAN_TORN);
	assert_int_equal(kc_overlay_unwalked(mem), 3);
	no_heads = false;
	/* It has an end again. */
	describe(0, (uint64_t)simple_check, 0);
	kc_overlay_next_pass(mem);
	anew();
	assert_planned();
	assert_int_equal(kc_overlay_unwalked(mem), 3);
}

/* Most patches are over in a moment. */
static void over_in_a_moment(void **state)
{
	uint64_t naps = fake_naps();

	(void)state;
	breakpoint(0, (uint64_t)simple_check);
	assert_int_equal(plan_of("simple")->reason, KC_PLAN_TORN);
	assert_int_equal(fake_naps() - naps, KC_TEXT_TRIES - 1);
	anew();
	on_text_read = heal;
	assert_planned();
}

/* For ever the same, a moment ago: the same plan, the same memory. */
static void renewed(void **state)
{
	const struct kc_plan *plan = plan_of("simple");
	uint64_t call = (uint64_t)simple_call + 5;

	(void)state;
	assert_false(kc_plans_renew(plans, call));
	assert_ptr_equal(plan_of("simple"), plan);
	assert_int_equal(kc_plans_site(plans, call)->kind, KC_SITE_CALL);
	assert_false(kc_plans_renew_site(plans, call));
	/* Another displacement at the seal and at the check: another slot. */
	patch(0, plan->seals[0] + 4, "\x08", 1);
	patch(1, (uint64_t)simple_check + 4, "\x08", 1);
	patch(2, (uint64_t)simple_call, "\x90\x90\x90\x90\x90", 5);
	assert_true(kc_plans_renew(plans, call));
	assert_true(kc_plans_renew_site(plans, call));
	assert_int_equal(plan_of("simple")->rule.offset, plan->rule.offset - 8);
	assert_int_equal(kc_plans_site(plans, call)->kind, KC_SITE_NO_CALL);
	/* Of what nobody has asked for there is nothing to renew. */
	assert_false(kc_plans_renew(plans, (uint64_t)through_rbp));
	assert_false(kc_plans_renew_site(plans, call + 1));
	assert_false(kc_plans_renew(plans, 0x1000));
}

/* What compilers fill up with is no patch. */
static void filled_up(void **state)
{
	(void)state;
	assert_false(kc_text_is_torn((const uint8_t *)"\xcc\xcc\xcc", 3));
	assert_true(kc_text_is_torn((const uint8_t *)"\xcc\xcc\x90", 3));
	assert_true(kc_text_is_torn((const uint8_t *)"\xcc\x44\x24\x10", 4));
	assert_false(kc_text_is_torn((const uint8_t *)"\x90\xcc", 2));
	assert_false(kc_text_is_torn((const uint8_t *)"", 0));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(breakpoints),
		TEST(on_a_call),
		TEST(jumps),
		TEST(flags),
		TEST(they_change),
		TEST(lists_that_are_none),
		TEST(read_twice),
		TEST(nobody_knows_them),
		TEST(tried_again),
		TEST(renewed),
		TEST(over_in_a_moment),
		TEST(filled_up),
		TEST(read_again),
		TEST(guard_under_breakpoints),
		TEST(walked_once),
		TEST(tracers_jump),
		TEST(same_place),
		TEST(not_kept_while_patched),
	};

	return RUN(tests);
}
