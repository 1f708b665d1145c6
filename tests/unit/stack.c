// SPDX-License-Identifier: GPL-2.0-only
/* Unwinding and checking made-up stacks through the functions of text.S. */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "fake.h"
#include "kc_record.h"
#include "stack/rule.h"
#include "word.bpf.h"

static __always_inline bool is_user_mode(__kc_u64 cs)
{
	return (cs & 3) == 3;
}

#include "frames.bpf.h"

#define BASE  0xffffc90000103000ULL
#define WORDS 1024 /* top at BASE + 0x2000 */

extern const char simple_call[], simple_check[], realigned_pushed[], ambiguous_call[],
	behind_key_call[], interrupt_call[], unguarded_call[], end_marked_call[], thunk_inside[],
	thunk_return[], detour_inside[], far_detour_inside[], roomy_check[], pushes_inside[],
	pushes_check[], made_program_inside[], made_guarded[], return_to_handler[],
	above_the_switch[], above_is_traced[], is_traced[], above_leads_on[], above_leads_nowhere[],
	arch_rethook_trampoline[];

static uint64_t words[WORDS];
static struct kc_stack stack;
static struct kc_seen seen;

static size_t nr_rules; /* of this picture */
static size_t walked;

/* Where the next word pushed from the bottom of the picture goes. */
static size_t at;

static void push(uint64_t word)
{
	words[at++] = word;
}

/* An inactive_task_frame that returns to pc, with bp. */
static void begin(uint64_t pc, uint64_t bp)
{
	nr_rules = 0;
	memset(words, 0, sizeof(words));
	stack = (struct kc_stack){ .sp = BASE, .top = BASE + sizeof(words), .words = words };
	at = 0;
	for (int i = 0; i < 5; i++)
		push(0);
	push(bp);
	push(pc);
}

/* The same, and what was learned of other pictures is known. */
static void begin_another(uint64_t pc, uint64_t bp)
{
	size_t known = nr_rules;

	begin(pc, bp);
	nr_rules = known;
}

/* After `call other` in simple: five bytes of call. */
#define RETURN_TO(label) ((uint64_t)(label) + 5)

/* The frame of simple() at its call: three words, the slot is the last. */
static void frame_of_simple(uint64_t slot, uint64_t caller)
{
	push(1);
	push(2);
	push(slot);
	push(caller);
}

/* What the kernel side is told, and what it makes of the same stack: see bpf/walk.bpf.h. */
struct kc_walk_config walking;

static struct {
	uint64_t key;
	struct kc_rule rule;
} rules[KC_MAX_FRAMES];

static bool read_word(uint64_t addr, uint64_t *ret_word)
{
	return kc_stack_word(&stack, addr, ret_word);
}

static bool is_code_half(uint64_t pc)
{
	return pc >> 32 == (uint64_t)simple_call >> 32;
}

static const struct kc_rule *rule_of(uint64_t key)
{
	for (size_t i = 0; i < nr_rules; i++)
		if (rules[i].key == key)
			return &rules[i].rule;
	return NULL;
}

static void learn_rules(const struct kc_checked_stack *checked)
{
	for (size_t i = 0; i < checked->count; i++) {
		uint64_t key;

		if (kc_rule_of(&fake->kernel, checked, i, &key, &rules[nr_rules].rule) &&
		    !rule_of(key))
			rules[nr_rules++].key = key;
	}
}

static enum walk_end walk(struct walk *it)
{
	enum walk_end end = WALK_GOES_ON;

	*it = (struct walk){
		.from = stack.sp,
		.top = stack.top,
		.sp = stack.sp + walking.inactive_size,
		.canary = KC_CANARY_MARK,
	};
	read_word(stack.sp + walking.inactive_bp, &it->bp);
	read_word(stack.sp + walking.inactive_ret, &it->pc);
	for (uint32_t i = 0; i < KC_MAX_FRAMES && end == WALK_GOES_ON; i++)
		end = walk_on(it, i);
	return end;
}

/* Complete is a walk of which user space says so, with the same slots; and each of those is. */
static void compare_walk(const struct kc_checked_stack *checked)
{
	bool whole = checked->end == KC_UNWIND_COMPLETE && !checked->through_code;
	enum walk_end end;
	struct walk it;

	for (size_t i = 0; i < KC_BLIND_NR; i++)
		whole &= !checked->blind[i];
	walking = kc_walk_config_of(&fake->kernel);
	if (whole)
		learn_rules(checked);
	end = walk(&it);
	assert_int_equal(end == WALK_COMPLETE, whole);
	if (!whole)
		return;
	assert_int_equal(it.slots, checked->intact + checked->damaged);
	assert_int_equal(it.slot != 0, checked->damaged > 0);
	walked++;
}

static struct kc_checked_stack check(void)
{
	struct kc_checked_stack checked;

	kc_check_stack(&fake->kernel, fake->plans, &seen, &stack, NULL, &checked);
	compare_walk(&checked);
	return checked;
}

/* The same of a task that runs, from this frame on. */
static struct kc_checked_stack check_from(uint64_t pc, uint64_t sp)
{
	const struct kc_frame from = { .pc = pc, .sp = sp, .exact = true };
	struct kc_checked_stack checked;

	kc_check_stack(&fake->kernel, fake->plans, &seen, &stack, &from, &checked);
	return checked;
}

/* simple called from simple, then out of text: two slots. */
static void two_frames(void **state)
{
	struct kc_checked_stack checked;

	(void)state;
	begin(RETURN_TO(simple_call), 0);
	frame_of_simple(KC_CANARY_MARK, RETURN_TO(simple_call));
	frame_of_simple(KC_CANARY_MARK, 0x1234);
	checked = check();
	assert_int_equal(checked.count, 2);
	assert_int_equal(checked.intact, 2);
	assert_int_equal(checked.damaged, 0);
	assert_int_equal(checked.frames[0].slot, BASE + 56 + 16);
	assert_int_equal(checked.frames[1].slot, BASE + 56 + 32 + 16);
	/* 0x1234 is no text: bad data, and said so. */
	assert_int_equal(checked.end, KC_UNWIND_NOT_TEXT);
	assert_int_equal(checked.blind[KC_BLIND_UNWIND], 1);
}

static void damage_in_the_outer_frame(void **state)
{
	struct kc_checked_stack checked;

	(void)state;
	begin(RETURN_TO(simple_call), 0);
	frame_of_simple(KC_CANARY_MARK, RETURN_TO(simple_call));
	frame_of_simple(0x4141414141414141, 0x1234);
	/* Copies of the canary elsewhere in the frame are not the slot. */
	words[8] = KC_CANARY_MARK;
	checked = check();
	assert_int_equal(checked.intact, 1);
	assert_int_equal(checked.damaged, 1);
	assert_int_equal(checked.frames[1].status, KC_CHECK_DAMAGED);
}

/* What is no caller of the frame below takes the ground from all that would follow. */
static void called_by_another_function(void **state)
{
	struct kc_checked_stack checked;

	(void)state;
	begin((uint64_t)above_the_switch, 0);
	push(RETURN_TO(simple_call));
	frame_of_simple(KC_CANARY_MARK, (uint64_t)above_leads_on);
	push(0x1234);
	checked = check();
	assert_int_equal(checked.count, 3);
	assert_int_equal(checked.end, KC_UNWIND_NOT_TEXT);

	begin((uint64_t)above_the_switch, 0);
	push(RETURN_TO(simple_call));
	frame_of_simple(KC_CANARY_MARK, (uint64_t)above_leads_nowhere);
	push(0x1234);
	checked = check();
	assert_int_equal(checked.count, 2);
	assert_int_equal(checked.end, KC_UNWIND_ELSEWHERE);
	assert_int_equal(checked.end_pc, (uint64_t)above_leads_nowhere);
	assert_int_equal(checked.blind[KC_BLIND_UNWIND], 1);
	assert_int_equal(checked.nr_bad, 0);
	assert_int_equal(checked.intact, 1);

	/* A task that runs may have come to another function's frame: that is told otherwise. */
	begin((uint64_t)above_the_switch, 0);
	frame_of_simple(KC_CANARY_MARK, (uint64_t)above_leads_nowhere);
	push(0x1234);
	checked = check_from((uint64_t)simple_call, BASE + 56);
	assert_int_equal(checked.count, 2);
	assert_int_equal(checked.end, KC_UNWIND_NOT_TEXT);

	/* Nor does a switched task go on behind any other call. */
	begin((uint64_t)above_leads_nowhere, 0);
	push(RETURN_TO(simple_call));
	frame_of_simple(KC_CANARY_MARK, 0x1234);
	checked = check();
	assert_int_equal(checked.count, 0);
	assert_int_equal(checked.end, KC_UNWIND_ELSEWHERE);
}

/* Nops in the place of the call in ambiguous(). */
static void no_ambiguous_call(uint64_t addr, uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < 5; i++)
		if ((uint64_t)ambiguous_call + i - addr < len)
			bytes[(uint64_t)ambiguous_call + i - addr] = 0x90;
}

/* The same of the call in simple(), which cannot be read at all. */
static int unreadable_simple_call(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	(void)mem;
	if ((uint64_t)simple_call - addr < len)
		return -EFAULT;
	return kc_mem_read(&fake->mem, addr, buf, len);
}

/* "Not called" rests on the text as it is when that is looked at once more. */
static void not_called_by_old_text(void **state)
{
	struct kc_checked_stack checked;

	(void)state;
	begin(RETURN_TO(simple_call), 0);
	frame_of_simple(KC_CANARY_MARK, RETURN_TO(ambiguous_call));
	push(0x1234);
	fake_on_read = no_ambiguous_call;
	kc_plans_renew_site(fake->plans, RETURN_TO(ambiguous_call));
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_NOT_CALLED);
	assert_int_equal(checked.end_pc, RETURN_TO(ambiguous_call));
	assert_int_equal(checked.nr_bad, 1);
	/* It is so. */
	kc_renew_stack(&fake->kernel, fake->plans, &stack, NULL);
	checked = check();
	assert_int_equal(checked.nr_bad, 1);
	/* It was so only while it was read. */
	fake_on_read = NULL;
	kc_renew_stack(&fake->kernel, fake->plans, &stack, NULL);
	checked = check();
	assert_int_not_equal(checked.end, KC_UNWIND_NOT_CALLED);
	assert_true(checked.count > 1);
	assert_int_equal(checked.nr_bad, 0);
}

/* As check(), after an earlier look at the same sleep that saw these return addresses. */
static struct kc_checked_stack check_again(const uint64_t (*known)[2], uint32_t count)
{
	struct kc_returns returns = { .count = count, .high = (uint64_t)simple_call >> 32 };
	struct kc_checked_stack checked;
	struct kc_stack again = stack;

	for (uint32_t i = 0; i < count; i++) {
		returns.at[i] = (stack.top - known[i][0]) / 8;
		returns.was[i] = known[i][1];
	}
	again.returns = &returns;
	kc_check_stack(&fake->kernel, fake->plans, &seen, &again, NULL, &checked);
	return checked;
}

/* In the half of the address space that the fake kernel's text is in. */
#define NO_TEXT (((uint64_t)simple_call & ~0xffffffffULL) + 0x1234)

/* Frames are those that there were, whatever is there now; each return address is one's. */
static void changed_return_addresses(void **state)
{
	const uint64_t known[][2] = {
		{ BASE + fake->kernel.inactive.ret_addr, RETURN_TO(simple_call) },
		{ BASE + 56 + 24, RETURN_TO(simple_call) },
		{ BASE + 56 + 32 + 24, NO_TEXT },
	};
	struct kc_checked_stack checked;

	(void)state;
	for (size_t count = 0; count <= 2; count++) {
		begin(count > 0 ? RETURN_TO(unguarded_call) : RETURN_TO(simple_call), 0);
		frame_of_simple(KC_CANARY_MARK,
				count > 1 ? RETURN_TO(unguarded_call) : RETURN_TO(simple_call));
		frame_of_simple(0, NO_TEXT);
		checked = check_again(known, 3);
		assert_int_equal(checked.count, 2);
		assert_int_equal(checked.intact, 1);
		assert_int_equal(checked.damaged, 1);
		assert_int_equal(checked.nr_bad, count);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(checked.bad[i].frame, 0);
			assert_int_equal(checked.bad[i].slot, known[i][0]);
			assert_int_equal(checked.bad[i].was, known[i][1]);
			assert_int_equal(checked.bad[i].found, KC_FOUND_ASCII); /* user's text */
		}
	}
}

/*
 * Return addresses lie elsewhere than they did: a word has changed that frames hang on. What is
 * not as it was up to there is told, of what lies above nothing, and that it is so is counted.
 */
static void frames_that_there_were_not(void **state)
{
	const uint64_t known[][2] = {
		{ BASE + fake->kernel.inactive.ret_addr, RETURN_TO(simple_call) },
		{ BASE + 56 + 24, RETURN_TO(simple_call) },
		{ BASE + 56 + 40, RETURN_TO(simple_call) },
	};
	struct kc_checked_stack checked;

	(void)state;
	begin(RETURN_TO(simple_call), 0);
	frame_of_simple(KC_CANARY_MARK, RETURN_TO(unguarded_call));
	frame_of_simple(0, 0x1234);
	checked = check_again(known, 3);
	assert_int_equal(checked.end, KC_UNWIND_CHANGED);
	assert_int_equal(checked.count, 1);
	assert_int_equal(checked.damaged, 0);
	assert_int_equal(checked.nr_bad, 1);
	assert_int_equal(checked.blind[KC_BLIND_UNWIND], 1);
	/* From the first frame on: there is none then that a return address could be of. */
	begin(RETURN_TO(unguarded_call), 0);
	frame_of_simple(KC_CANARY_MARK, 0x1234);
	checked = check_again(
		(const uint64_t[][2]){ { known[0][0], known[0][1] }, { known[2][0], known[2][1] } },
		2);
	assert_int_equal(checked.end, KC_UNWIND_CHANGED);
	assert_int_equal(checked.count, 0);
	assert_int_equal(checked.nr_bad, 0);
}

/* What could not be read is no call site, and proves nothing of the frame that led there. */
static void unreadable_call_site(void **state)
{
	struct kc_mem blind = { .read = unreadable_simple_call, .name = "blind" };
	struct kc_checked_stack checked;

	(void)state;
	begin(RETURN_TO(simple_call), 0);
	frame_of_simple(KC_CANARY_MARK, RETURN_TO(simple_call));
	frame_of_simple(KC_CANARY_MARK, 0x1234);
	checked = check();
	assert_true(checked.frames[0].led_on);
	fake->kernel.mem = &blind;
	kc_plans_renew_site(fake->plans, RETURN_TO(simple_call));
	checked = check();
	assert_int_equal(checked.count, 2);
	assert_false(checked.frames[0].led_on);
	fake->kernel.mem = &fake->mem;
	kc_plans_renew_site(fake->plans, RETURN_TO(simple_call));
}

/* Only a frame that provably lies where we say may have its return address blamed. */
static void overwritten_return_address(void **state)
{
	struct kc_checked_stack checked;

	(void)state;
	begin(RETURN_TO(simple_call), 0);
	frame_of_simple(KC_CANARY_MARK, RETURN_TO(simple_call));
	frame_of_simple(KC_CANARY_MARK, KC_HIDDEN_USER);
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_NOT_TEXT);
	assert_int_equal(checked.nr_bad, 1);
	assert_int_equal(checked.bad[0].found, KC_FOUND_USER);
	assert_int_equal(checked.bad[0].slot, BASE + 56 + 32 + 24);

	/* The slot is damaged too: that is what there is to tell. */
	words[13] = 0;
	checked = check();
	assert_int_equal(checked.frames[1].status, KC_CHECK_DAMAGED);
	assert_int_equal(checked.nr_bad, 0);

	/* Text, but nobody called from there; what lies behind is not looked at. */
	begin(RETURN_TO(simple_call), 0);
	frame_of_simple(KC_CANARY_MARK, (uint64_t)simple_call);
	frame_of_simple(0, 0x1234);
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_NOT_CALLED);
	assert_int_equal(checked.count, 1);
	assert_int_equal(checked.damaged, 0);
	assert_int_equal(checked.nr_bad, 1);
	assert_int_equal(checked.bad[0].found, KC_FOUND_ASCII); /* this text is user space's */
}

static struct kc_checked_stack returns_to(uint64_t pc)
{
	begin(RETURN_TO(simple_call), 0);
	frame_of_simple(KC_CANARY_MARK, pc);
	return check();
}

/* In the kernel's upper half, but nothing can be called from there. */
static void return_address_where_no_code_can_be(void **state)
{
	static const uint64_t values[] = { -1, -22, 0xffffffffff600000, 0xffffffff90000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct kc_checked_stack checked = returns_to(values[i]);

		assert_int_equal(checked.end, KC_UNWIND_NOT_TEXT);
		assert_int_equal(checked.nr_bad, 1);
		assert_int_equal(checked.bad[0].found, KC_FOUND_KERNEL);
	}
}

/* Where modules and generated code are, or may have come to, nothing is proved. */
static void return_address_where_code_may_be(void **state)
{
	static const uint64_t values[] = {
		0xffffffffc0201234, /* generated */
		0xffffffffc0202345, /* the last one: nobody knows where it ends */
		0xffffffffc0123456, /* new, in a gap */
		0xffffffffc2000000, /* new, behind all others */
		0xffffffff98968a10, /* a symbol outside of the text: initialization */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct kc_checked_stack checked = returns_to(values[i]);

		assert_int_equal(checked.end, KC_UNWIND_NO_TABLE);
		assert_int_equal(checked.nr_bad, 0);
	}
}

/* The frame of an unguarded function counts as located once its like led to a caller. */
static void return_address_of_an_unguarded_frame(void **state)
{
	struct kc_checked_stack checked;

	(void)state;
	begin(RETURN_TO(unguarded_call), 0);
	push(0x1234);
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_NOT_TEXT);
	assert_int_equal(checked.nr_bad, 0);

	begin(RETURN_TO(unguarded_call), 0);
	push(RETURN_TO(simple_call));
	frame_of_simple(KC_CANARY_MARK, 0x1234);
	checked = check();
	assert_int_equal(checked.count, 2);

	begin(RETURN_TO(unguarded_call), 0);
	push(0x1234);
	checked = check();
	assert_int_equal(checked.nr_bad, 1);
}

/* The fake kernel's text as a module's that was loaded as this number. */
static struct kc_kernel loaded_as(uint64_t load, struct kc_module *module)
{
	struct kc_kernel kernel = fake->kernel;

	*module = (struct kc_module){
		.text = kernel.text,
		.text_end = kernel.text_end,
		.load = load,
		.orc = kernel.orc,
	};
	kernel.text = kernel.text_end = 0xffffffff81000000;
	kernel.modules = module;
	kernel.nr_modules = 1;
	return kernel;
}

/* An unguarded frame that leads to simple()'s, whose slot is intact. */
static void see_two_frames(const struct kc_kernel *kernel)
{
	struct kc_checked_stack checked;

	begin(RETURN_TO(unguarded_call), 0);
	push(RETURN_TO(simple_call));
	frame_of_simple(KC_CANARY_MARK, 0x1234);
	kc_check_stack(kernel, fake->plans, &seen, &stack, NULL, &checked);
	assert_int_equal(checked.intact, 1);
}

static void assert_seen(uint64_t intact, bool led_on)
{
	assert_int_equal(kc_seen_intact(&seen, fake_plan(fake, "simple")), intact);
	assert_int_equal(kc_seen_led_on(&seen, (uint64_t)unguarded_call + 4), led_on);
}

/* Evidence about code that is still there when the kernel was learned again. */
static void evidence_survives_a_reload(void **state)
{
	struct kc_kernel again = fake->kernel, before, now;
	struct kc_module module, other;

	(void)state;
	kc_seen_free(&seen);
	assert_seen(0, false);
	see_two_frames(&fake->kernel);
	see_two_frames(&fake->kernel);
	assert_seen(2, true);
	kc_seen_follow(&seen, &fake->kernel, &again);
	assert_seen(2, true);

	kc_seen_free(&seen);
	before = loaded_as(7, &module);
	now = loaded_as(7, &other);
	see_two_frames(&before);
	kc_seen_follow(&seen, &before, &now);
	assert_seen(1, true);
}

/* Whatever is loaded at the place of a module that went. */
static void evidence_is_not_inherited(void **state)
{
	struct kc_module module, other;
	struct kc_kernel before = loaded_as(7, &module), now = loaded_as(8, &other);
	struct kc_checked_stack checked;

	(void)state;
	kc_seen_free(&seen);
	see_two_frames(&before);
	assert_seen(1, true);
	kc_seen_follow(&seen, &before, &now);
	assert_seen(0, false);
	begin(RETURN_TO(unguarded_call), 0);
	push(0x1234);
	kc_check_stack(&now, fake->plans, &seen, &stack, NULL, &checked);
	assert_int_equal(checked.end, KC_UNWIND_NOT_TEXT);
	assert_int_equal(checked.nr_bad, 0);

	/* Nothing there, and no number known. */
	see_two_frames(&now);
	before = fake->kernel;
	before.text = before.text_end;
	kc_seen_follow(&seen, &now, &before);
	assert_seen(0, false);
	before = loaded_as(0, &module);
	now = loaded_as(0, &other);
	see_two_frames(&before);
	kc_seen_follow(&seen, &before, &now);
	assert_seen(0, false);
}

/* The hash, grown some times. */
static void evidence_of_many_sites(void **state)
{
	const uint64_t text = 0xffffffff81000000;
	const struct kc_sym sym = { .addr = text, .size = 16 * 5000 };
	const struct kc_plan plan = { .sym = &sym,
				      .cold = text + 16 * 9000,
				      .cold_end = text + 16 * 9010 };

	(void)state;
	kc_seen_free(&seen);
	for (uint64_t i = 0; i < 10000; i++) {
		kc_seen_add(&seen, text + 16 * i, true, i % 2);
		kc_seen_add(&seen, text + 16 * i, i % 3 == 0, false);
		kc_seen_add(&seen, text + 16 * i + 1, false, false);
	}
	assert_int_equal(seen.count, 10000);
	assert_int_equal(kc_seen_intact(&seen, &plan), 5000 + 1667 + 10 + 4);
	for (uint64_t i = 0; i < 10000; i++)
		assert_int_equal(kc_seen_led_on(&seen, text + 16 * i), i % 2);
	assert_false(kc_seen_led_on(&seen, 0));
}

/* realigned() after two pushes: the slot is 0x48 above SP, the CFA hangs on BP. */
static void realigned_frame(void **state)
{
	struct kc_checked_stack checked;
	uint64_t sp = BASE + 56, bp = sp + 0x60;

	(void)state;
	begin(RETURN_TO(realigned_pushed), bp);
	words[(sp + 0x48 - BASE) / 8] = KC_CANARY_MARK;
	words[(bp - BASE) / 8] = 0;	     /* saved bp */
	words[(bp + 8 - BASE) / 8] = 0x1234; /* return address */
	checked = check();
	assert_int_equal(checked.count, 1);
	assert_int_equal(checked.intact, 1);
	assert_int_equal(checked.frames[0].slot, sp + 0x48);
}

/* A struct pt_regs of a task that was interrupted at pc with this SP. */
static void push_regs(uint64_t pc, uint64_t cs, uint64_t sp)
{
	size_t regs = at;

	at += 21;
	words[regs + 4] = 0xb0b;
	words[regs + 16] = pc;
	words[regs + 17] = cs;
	words[regs + 19] = sp;
}

/* Interrupted right at its check: the PC is exact, the slot is still live there. */
static void interrupted_frame(void **state)
{
	struct kc_checked_stack checked;

	(void)state;
	begin(RETURN_TO(interrupt_call), 0);
	push_regs((uint64_t)simple_check, 0x10, BASE + (at + 21) * 8);
	frame_of_simple(KC_CANARY_MARK, 0x1234);
	checked = check();
	assert_int_equal(checked.count, 2);
	assert_true(checked.frames[1].frame.exact);
	assert_int_equal(checked.frames[1].frame.bp, 0xb0b);
	assert_int_equal(checked.intact, 1);

	/* The bit that tells both kinds of keys apart, flipped in either: no walk finds a rule. */
	begin(RETURN_TO(interrupt_call), 0);
	push_regs((uint64_t)simple_check ^ (1ULL << 62), 0x10, BASE + (at + 21) * 8);
	frame_of_simple(KC_CANARY_MARK, 0x1234);
	assert_int_equal(check().intact, 0);
	begin((uint64_t)simple_check ^ (1ULL << 62), 0);
	frame_of_simple(KC_CANARY_MARK, 0x1234);
	assert_int_equal(check().intact, 0);

	/* At the function's first instruction nothing is sealed yet. */
	begin(RETURN_TO(interrupt_call), 0);
	push_regs(fake_plan(fake, "simple")->sym->addr, 0x10, BASE + (at + 21) * 8);
	push(0x1234);
	checked = check();
	assert_int_equal(checked.frames[1].status, KC_CHECK_NOT_LIVE);
	assert_int_equal(checked.damaged, 0);
}

/* Registers of user mode are the end of the stack. */
static void system_call_frame(void **state)
{
	struct kc_checked_stack checked;

	(void)state;
	begin(RETURN_TO(simple_call), 0);
	frame_of_simple(KC_CANARY_MARK, RETURN_TO(interrupt_call));
	push_regs(0x401000, 0x33, 0x7ffd00000000);
	stack.top = BASE + at * 8;
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_COMPLETE);
	assert_int_equal(checked.intact, 1);
	assert_int_equal(checked.blind[KC_BLIND_UNWIND], 0);
	/* Where a kernel has room above them. */
	stack.top += 16;
	assert_int_equal(check().end, KC_UNWIND_COMPLETE);
}

/* To user mode, from a function that is called by the way in. */
static void push_to_the_top(void)
{
	push(RETURN_TO(interrupt_call));
	push_regs(0x401000, 0x33, 0x7ffd00000000);
	stack.top = BASE + at * 8;
}

static struct kc_checked_stack check_to_the_top(void)
{
	push_to_the_top();
	return check();
}

/* Where a call leads can't be told for the moment: this stack is taken, and no other for it. */
static void above_what_is_being_patched(void **state)
{
	struct kc_checked_stack checked;
	struct walk it;

	(void)state;
	begin((uint64_t)above_the_switch, 0);
	push(RETURN_TO(simple_call));
	frame_of_simple(KC_CANARY_MARK, (uint64_t)above_is_traced);
	push_to_the_top();
	fake_tear(is_traced);
	kc_check_stack(&fake->kernel, fake->plans, &seen, &stack, NULL, &checked);
	fake_on_read = NULL;
	assert_int_equal(checked.end, KC_UNWIND_COMPLETE);
	learn_rules(&checked);
	assert_int_equal(nr_rules, checked.count - 1);
	assert_int_equal(walk(&it), WALK_NO_RULE);
	kc_plans_next_pass(fake->plans);
	assert_int_equal(check().end, KC_UNWIND_ELSEWHERE);
}

/* Places that were met, above what was met, but not above each other: no walk takes that. */
static void met_above_another_function(void **state)
{
	uint64_t behind_its_call = fake_plan(fake, "leads_nowhere")->sym->addr + 6;

	(void)state;
	begin((uint64_t)above_the_switch, 0);
	push(RETURN_TO(simple_call));
	frame_of_simple(KC_CANARY_MARK, (uint64_t)above_leads_on);
	assert_int_equal(check_to_the_top().end, KC_UNWIND_COMPLETE);

	begin_another((uint64_t)above_the_switch, 0);
	push(RETURN_TO(simple_call));
	frame_of_simple(KC_CANARY_MARK, behind_its_call);
	push((uint64_t)above_leads_nowhere);
	assert_int_equal(check_to_the_top().end, KC_UNWIND_COMPLETE);

	begin_another((uint64_t)above_the_switch, 0);
	push(RETURN_TO(simple_call));
	frame_of_simple(KC_CANARY_MARK, (uint64_t)above_leads_nowhere);
	assert_int_equal(check_to_the_top().end, KC_UNWIND_ELSEWHERE);
}

/* Registers that look like user mode's, and the tables' end mark, but not at the top. */
static void end_in_the_middle(void **state)
{
	static const uint64_t not_at_top[] = { 8, 24, 32, 0x800 };
	struct kc_checked_stack checked;

	(void)state;
	begin(RETURN_TO(simple_call), 0);
	frame_of_simple(KC_CANARY_MARK, RETURN_TO(interrupt_call));
	push_regs(0x401000, 0x33, 0x7ffd00000000);
	for (size_t i = 0; i < sizeof(not_at_top) / sizeof(not_at_top[0]); i++) {
		stack.top = BASE + at * 8 + not_at_top[i];
		checked = check();
		assert_int_equal(checked.end, KC_UNWIND_EARLY);
		assert_int_equal(checked.blind[KC_BLIND_UNWIND], 1);
		assert_int_equal(checked.intact, 1);
		assert_int_equal(checked.nr_bad, 0);
	}

	begin(RETURN_TO(simple_call), 0);
	frame_of_simple(KC_CANARY_MARK, RETURN_TO(end_marked_call));
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_EARLY);
	assert_int_equal(checked.blind[KC_BLIND_UNWIND], 1);
	assert_int_equal(checked.intact, 1);
}

/* A kernel thread's stack begins right below the room for user mode's registers. */
static void kernel_thread(void **state)
{
	static const struct {
		uint64_t above;
		bool is_end, was_end; /* since the mark means nothing else, and before */
	} tops[] = {
		{ 168, true, true },	   { 168 + 16, true, false },
		{ 168 + 56, true, false }, /* an idle task's */
		{ 168 + 72, true, false }, { 160, false, false },
		{ 168 + 8, false, false }, { 168 + 80, false, false },
	};

	(void)state;
	begin(RETURN_TO(simple_call), 0);
	frame_of_simple(KC_CANARY_MARK, RETURN_TO(end_marked_call));
	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++) {
		stack.top = BASE + at * 8 + tops[i].above;
		assert_int_equal(check().end,
				 tops[i].is_end ? KC_UNWIND_COMPLETE : KC_UNWIND_EARLY);
		fake_orc_layout(fake, KC_ORC_V2);
		assert_int_equal(check().end,
				 tops[i].was_end ? KC_UNWIND_COMPLETE : KC_UNWIND_EARLY);
		fake_orc_layout(fake, KC_ORC_V3);
	}
}

/* simple() called from the way in from user mode: words up to the stack's top. */
static void whole_frame_of_simple(uint64_t slot)
{
	frame_of_simple(slot, RETURN_TO(interrupt_call));
	push_regs(0x401000, 0x33, 0x7ffd00000000);
	stack.top = BASE + at * 8;
}

/* A task that was interrupted at pc; what comes next lies at its SP. Its BP is 0xb0b, else bp. */
static void interrupt_at(uint64_t pc, uint64_t bp)
{
	begin(RETURN_TO(interrupt_call), 0);
	push_regs(pc, 0x10, BASE + (at + 21) * 8);
	words[at - 21 + 4] = bp ?: 0xb0b;
}

/* Nothing of what lies beyond the interrupted code is told. */
static void assert_given_up(enum kc_unwind_end end, uint64_t pc, size_t count)
{
	struct kc_checked_stack checked = check();

	assert_int_equal(checked.end, end);
	assert_int_equal(checked.end_pc, pc);
	assert_int_equal(checked.count, count);
	assert_int_equal(checked.blind[KC_BLIND_UNWIND], 1);
	assert_int_equal(checked.intact + checked.damaged, 0);
	assert_int_equal(checked.nr_bad, 0);
	assert_false(checked.through_code);
}

/* Through code that the tables do not know, to a slot beyond it. */
static void through_a_thunk(void **state)
{
	uint64_t thunk = fake_plan(fake, "__x86_indirect_thunk_rax")->sym->addr;
	struct kc_checked_stack checked;

	(void)state;
	for (int damaged = 0; damaged < 2; damaged++) {
		interrupt_at(thunk, 0);
		push(RETURN_TO(simple_call));
		whole_frame_of_simple(damaged ? 0x4141 : KC_CANARY_MARK);
		checked = check();
		assert_int_equal(checked.end, KC_UNWIND_COMPLETE);
		assert_int_equal(checked.count, 4);
		assert_int_equal(checked.intact, !damaged);
		assert_int_equal(checked.damaged, damaged);
		assert_true(checked.through_code);
		assert_int_equal(checked.blind[KC_BLIND_UNWIND] + checked.blind[KC_BLIND_NO_PLAN],
				 0);
	}
	interrupt_at((uint64_t)thunk_inside, 0);
	push((uint64_t)thunk_inside); /* what the call inside of it left */
	push(RETURN_TO(simple_call));
	whole_frame_of_simple(KC_CANARY_MARK);
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_COMPLETE);
	assert_int_equal(checked.intact, 1);

	/* Not up to the stack's top: nothing is proved, not even that there is damage. */
	interrupt_at(thunk, 0);
	push(RETURN_TO(simple_call));
	whole_frame_of_simple(0x4141);
	stack.top += 8;
	assert_given_up(KC_UNWIND_EARLY, thunk, 2);
	/* Nor by a return address that none is. */
	interrupt_at(thunk, 0);
	push((uint64_t)simple_call);
	whole_frame_of_simple(0x4141);
	assert_given_up(KC_UNWIND_EARLY, thunk, 2);
}

/* Interrupted at the return by which a retpoline jumps, called from simple(). */
static void jump_to(uint64_t function)
{
	interrupt_at((uint64_t)thunk_return, 0);
	push(function);
	push(RETURN_TO(simple_call));
	whole_frame_of_simple(KC_CANARY_MARK);
}

/* The return that a retpoline ends in is a jump to the function that it has put there. */
static void jump_by_return(void **state)
{
	uint64_t function = fake_plan(fake, "unguarded")->sym->addr;
	struct kc_checked_stack checked;

	(void)state;
	kc_seen_free(&seen);
	jump_to(function);
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_COMPLETE);
	assert_true(checked.through_code);
	assert_int_equal(checked.count, 5);
	assert_true(checked.frames[2].frame.exact);
	assert_int_equal(checked.intact, 1);

	/* Also where a call happens to stand before that function. */
	jump_to(fake_plan(fake, "jumped_to")->sym->addr);
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_COMPLETE);
	assert_true(checked.frames[2].frame.exact);
	assert_int_equal(checked.intact, 1);
	stack.top += 8;
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_ELSEWHERE);
	assert_int_equal(checked.count, 2);
	assert_int_equal(checked.nr_bad, 0);

	/* Not proved to be one, and no evidence of a bad return address either. */
	jump_to(function);
	kc_seen_add(&seen, (uint64_t)thunk_return, false, true);
	stack.top += 8;
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_NOT_CALLED);
	assert_int_equal(checked.count, 2);
	assert_int_equal(checked.nr_bad, 0);
	/* Into the middle of a function nothing jumps. */
	interrupt_at((uint64_t)thunk_return, 0);
	push((uint64_t)simple_call);
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_NOT_CALLED);
	assert_int_equal(checked.nr_bad, 1);
}

/* A detour is part of the function that it goes on in. */
static void through_a_detour(void **state)
{
	struct kc_checked_stack checked;

	(void)state;
	interrupt_at((uint64_t)detour_inside, 0);
	push(0x1234);
	push(0xb0b);
	whole_frame_of_simple(KC_CANARY_MARK);
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_COMPLETE);
	assert_int_equal(checked.count, 3);
	assert_int_equal(checked.frames[1].frame.pc, (uint64_t)simple_check);
	assert_true(checked.frames[1].frame.exact);
	assert_int_equal(checked.frames[1].frame.bp, 0xb0b);
	/* The seal lies close before that: it may be among what the detour has not run yet. */
	assert_int_equal(checked.intact, 0);
	assert_int_equal(checked.blind[KC_BLIND_AMBIGUOUS], 1);

	interrupt_at((uint64_t)far_detour_inside, 0);
	push(0x1234);
	push(0xb0b);
	whole_frame_of_simple(KC_CANARY_MARK);
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_COMPLETE);
	assert_int_equal(checked.frames[1].frame.pc, (uint64_t)roomy_check);
	assert_int_equal(checked.intact, 1);
}

/* Interrupted between a push and a pop that the tables do not know of: where is its slot? */
static void between_push_and_pop(void **state)
{
	struct kc_checked_stack checked;

	(void)state;
	interrupt_at((uint64_t)pushes_inside, 0);
	push(0x246);
	whole_frame_of_simple(KC_CANARY_MARK);
	checked = check();
	assert_int_equal(checked.damaged, 0);
	assert_int_equal(checked.intact, 0);
	assert_int_equal(checked.blind[KC_BLIND_NO_FRAME], 1);

	interrupt_at((uint64_t)pushes_check, 0);
	whole_frame_of_simple(KC_CANARY_MARK);
	checked = check();
	assert_int_equal(checked.intact, 1);
}

/* Code that was made at run time has no canary, and hides none. */
static void through_generated_code(void **state)
{
	uint64_t program = fake_made(made_program_inside), guarded = fake_made(made_guarded);
	struct kc_checked_stack checked;

	(void)state;
	interrupt_at(program, BASE + (7 + 21 + 3) * 8);
	for (int i = 0; i < 3; i++)
		push(0);
	push(0xb1b); /* saved bp */
	push(RETURN_TO(simple_call));
	whole_frame_of_simple(KC_CANARY_MARK);
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_COMPLETE);
	assert_int_equal(checked.count, 4);
	assert_int_equal(checked.frames[1].status, KC_CHECK_UNGUARDED);
	assert_int_equal(checked.frames[2].frame.bp, 0xb1b);
	assert_int_equal(checked.intact, 1);
	assert_int_equal(checked.blind[KC_BLIND_NO_PLAN], 0);

	interrupt_at(guarded, 0);
	frame_of_simple(KC_CANARY_MARK, RETURN_TO(simple_call));
	whole_frame_of_simple(KC_CANARY_MARK);
	assert_given_up(KC_UNWIND_NO_TABLE, guarded, 1);
}

static void not_verifiable(void **state)
{
	struct kc_checked_stack checked;

	(void)state;
	begin(RETURN_TO(ambiguous_call), 0);
	frame_of_simple(0, 0x1234);
	checked = check();
	assert_int_equal(checked.blind[KC_BLIND_AMBIGUOUS], 1);
	assert_int_equal(checked.damaged, 0);

	begin(RETURN_TO(behind_key_call), 0);
	frame_of_simple(0, 0x1234);
	checked = check();
	assert_int_equal(checked.blind[KC_BLIND_UNREACHED], 1);
	assert_int_equal(checked.damaged, 0);
}

/* Whose code stands in the place of a return address, by its name. */
static void replaced_return_addresses(void **state)
{
	struct kc_checked_stack checked;

	(void)state;
	begin(RETURN_TO(simple_call), 0);
	frame_of_simple(KC_CANARY_MARK, (uint64_t)return_to_handler);
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_TRACER);
	assert_non_null(strstr(kc_unwind_end_text(checked.end), "function graph"));
	assert_int_equal(checked.intact, 1);
	assert_int_equal(checked.blind[KC_BLIND_UNWIND], 1);
	assert_int_equal(checked.nr_bad, 0);

	begin(RETURN_TO(simple_call), 0);
	frame_of_simple(KC_CANARY_MARK, (uint64_t)arch_rethook_trampoline);
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_TRAMPOLINE);
}

static void bad_frames(void **state)
{
	struct kc_unwound unwound;

	(void)state;
	/* BP points below: the frame does not lie above its callee's. */
	begin(RETURN_TO(realigned_pushed), BASE - 64);
	kc_unwind(&fake->kernel, fake->plans, &stack, NULL, &unwound);
	assert_int_equal(unwound.end, KC_UNWIND_NO_PROGRESS);
	/* BP points beyond the stack. */
	begin(RETURN_TO(realigned_pushed), BASE + 0x10000);
	kc_unwind(&fake->kernel, fake->plans, &stack, NULL, &unwound);
	assert_int_equal(unwound.end, KC_UNWIND_LEAVES_STACK);
	/* A stack too short for the first frame. */
	stack.top = stack.sp + 40;
	kc_unwind(&fake->kernel, fake->plans, &stack, NULL, &unwound);
	assert_int_equal(unwound.end, KC_UNWIND_LEAVES_STACK);
	assert_int_equal(unwound.count, 0);
	/* Frames without end. */
	begin(RETURN_TO(simple_call), 0);
	while (at + 4 <= 500)
		frame_of_simple(0, RETURN_TO(simple_call));
	stack.top = BASE + 8 * at;
	kc_unwind(&fake->kernel, fake->plans, &stack, NULL, &unwound);
	assert_int_equal(unwound.end, KC_UNWIND_LEAVES_STACK);
	assert_true(unwound.count > 100);
}

static int teardown(void **state)
{
	kc_seen_free(&seen);
	return fake_teardown(state);
}

/* More frames than are kept, the next one in code without tables. */
static void too_many_frames(void **state)
{
	struct kc_checked_stack checked;

	(void)state;
	begin(RETURN_TO(simple_call), 0);
	for (int i = 0; i < 126; i++)
		frame_of_simple(KC_CANARY_MARK, RETURN_TO(simple_call));
	frame_of_simple(KC_CANARY_MARK, RETURN_TO(interrupt_call));
	push_regs((uint64_t)thunk_inside, 0x10, BASE + (at + 21) * 8);
	push((uint64_t)thunk_inside);
	push(RETURN_TO(simple_call));
	frame_of_simple(KC_CANARY_MARK, 0x1234);
	checked = check();
	assert_int_equal(checked.end, KC_UNWIND_TOO_DEEP);
	assert_int_equal(checked.count, KC_MAX_FRAMES);
}

/* Where CFA is told from SP; a frame whose size a register decides has none. */
static void bytes_of_a_frame(void **state)
{
	(void)state;
	assert_int_equal(kc_frame_bytes(&fake->kernel, fake_plan(fake, "simple")), 0x18);
	assert_int_equal(kc_frame_bytes(&fake->kernel, fake_plan(fake, "realigned")), 0);
	assert_int_equal(kc_frame_bytes(&fake->kernel, fake_plan(fake, "unguarded")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_frames),
		cmocka_unit_test(damage_in_the_outer_frame),
		cmocka_unit_test(called_by_another_function),
		cmocka_unit_test(overwritten_return_address),
		cmocka_unit_test(changed_return_addresses),
		cmocka_unit_test(frames_that_there_were_not),
		cmocka_unit_test(not_called_by_old_text),
		cmocka_unit_test(unreadable_call_site),
		cmocka_unit_test(return_address_where_no_code_can_be),
		cmocka_unit_test(return_address_where_code_may_be),
		cmocka_unit_test(return_address_of_an_unguarded_frame),
		cmocka_unit_test(evidence_survives_a_reload),
		cmocka_unit_test(evidence_is_not_inherited),
		cmocka_unit_test(evidence_of_many_sites),
		cmocka_unit_test(realigned_frame),
		cmocka_unit_test(interrupted_frame),
		cmocka_unit_test(system_call_frame),
		cmocka_unit_test(met_above_another_function),
		cmocka_unit_test(above_what_is_being_patched),
		cmocka_unit_test(end_in_the_middle),
		cmocka_unit_test(kernel_thread),
		cmocka_unit_test(through_a_thunk),
		cmocka_unit_test(jump_by_return),
		cmocka_unit_test(through_a_detour),
		cmocka_unit_test(between_push_and_pop),
		cmocka_unit_test(through_generated_code),
		cmocka_unit_test(not_verifiable),
		cmocka_unit_test(replaced_return_addresses),
		cmocka_unit_test(bad_frames),
		cmocka_unit_test(too_many_frames),
		cmocka_unit_test(bytes_of_a_frame),
	};

	return cmocka_run_group_tests(tests, fake_setup, teardown);
}
