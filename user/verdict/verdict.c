// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdarg.h>
#include <stdio.h>

#include "util/array.h"
#include "verdict/finding.h"

static const char *const class_names[] = {
	[KC_CLASS_UNKNOWN] = "unknown",
	[KC_CLASS_LINEAR_OVERFLOW] = "linear-overflow",
	[KC_CLASS_STRAY_WRITE] = "stray-write",
	[KC_CLASS_BIT_FLIP] = "bit-flip",
	[KC_CLASS_DECREMENT] = "decrement",
	[KC_CLASS_RETURN_ADDRESS] = "return-address",
	[KC_CLASS_GUARD_CHANGED] = "guard-changed",
	[KC_CLASS_ALIEN_FRAME] = "alien-frame",
	[KC_CLASS_EXHAUSTED] = "exhausted",
	[KC_CLASS_WIDESPREAD] = "widespread",
};
_Static_assert(kc_countof(class_names) == KC_CLASS_NR, "a name for each class");

const char *kc_class_name(enum kc_class class)
{
	return class_names[class];
}

const char *kc_anomaly_name(enum kc_anomaly anomaly)
{
	static const char *const names[] = {
		[KC_ANOMALY_SLOT] = "slot",	      [KC_ANOMALY_RETURN] = "return-address",
		[KC_ANOMALY_STACK_END] = "stack-end", [KC_ANOMALY_GUARD] = "guard",
		[KC_ANOMALY_HEADROOM] = "headroom",   [KC_ANOMALY_PANIC] = "panic",
	};
	_Static_assert(kc_countof(names) == KC_ANOMALY_NR, "a name for each anomaly");

	return names[anomaly];
}

const char *kc_found_name(enum kc_found found)
{
	static const char *const names[] = {
		[KC_FOUND_OTHER] = "other",
		[KC_FOUND_ZERO] = "zero",
		[KC_FOUND_ASCII] = "ascii",
		[KC_FOUND_USER] = "user-address",
		[KC_FOUND_STACK] = "own-stack-address",
		[KC_FOUND_KERNEL] = "kernel-address",
		[KC_FOUND_TEXT] = "kernel-text-address",
		[KC_FOUND_SMALL] = "small-number",
	};

	return names[found];
}

const char *kc_bits_name(enum kc_bits bits)
{
	static const char *const names[] = {
		"0",
		[KC_BITS_ONE] = "1",
		[KC_BITS_TWO] = "2",
		[KC_BITS_3_TO_8] = "3-8",
		[KC_BITS_MORE] = "more",
	};

	return names[bits];
}

__attribute__((format(printf, 2, 3))) static void because(struct kc_verdict *verdict,
							  const char *format, ...)
{
	va_list args;

	if (verdict->nr_why == KC_MAX_WHY)
		return;
	va_start(args, format);
	vsnprintf(verdict->why[verdict->nr_why++], sizeof(verdict->why[0]), format, args);
	va_end(args);
}

/*
 * How far up from the slot's lowest byte a write from below came: 1..7, or 0 if
 * the changed bytes are no such run. The canary's lowest byte is zero, so a zero
 * written there does not show.
 */
static unsigned int changed_prefix(uint8_t mask)
{
	for (unsigned int n = 1; n < 8; n++)
		if (mask && (mask | 1) == (1u << n) - 1)
			return n;
	return 0;
}

/* What a write that went over the slot has left in the words beside it. */
struct run {
	unsigned int below, above; /* words; below: at most KC_BELOW */
	bool text;		   /* they hold text, as the slot does, and not the same */
	bool to_return;		   /* the frame's return address is among them */
};

static bool is_text_at(const struct kc_finding *finding, uint64_t addr)
{
	uint64_t word;

	return kc_stack_word(&finding->stack, addr, &word) &&
	       kc_classify_copied(&finding->stack, word) == KC_FOUND_ASCII;
}

/*
 * A repeated word is compared in the kernel. Of text, which changes from word to word, the copy
 * tells as much: that it is text, from the frame's lowest word to its return address.
 */
static struct run find_run(const struct kc_finding *finding)
{
	const struct kc_frame *frame = &finding->checked->frames[finding->frame].frame;
	const struct kc_damage *damage = &finding->damage;
	uint64_t end = frame->cfa ? kc_return_slot(frame->cfa) : damage->slot;
	struct run run = { .below = damage->same_below, .above = damage->same_above };

	if (damage->found == KC_FOUND_ASCII && !run.below && !run.above) {
		while (run.below < KC_BELOW && damage->slot - 8 * run.below > frame->sp &&
		       is_text_at(finding, damage->slot - 8 * (run.below + 1)))
			run.below++;
		while (damage->slot + 8 * run.above < end &&
		       is_text_at(finding, damage->slot + 8 * (run.above + 1)))
			run.above++;
		run.text = run.below || run.above;
	}
	run.to_return = end > damage->slot && damage->slot + 8 * run.above >= end;
	return run;
}

/*
 * Zeros lie about on every stack, and so may text below the slot, in a buffer that is as it must
 * be. Saved registers hold neither a pattern nor text, and a return address is never either.
 */
static const char *confidence_of(const struct kc_damage *damage, const struct run *run)
{
	if (damage->found == KC_FOUND_ZERO)
		return run->to_return ? "medium" : "low";
	return run->text && !run->above ? "medium" : "high";
}

static void explain_run(struct kc_verdict *verdict, const struct run *run)
{
	const char *what = run->text ? "text, too" : "the same pattern";

	if (run->below)
		because(verdict, "%s%u word%s right below the slot hold%s %s",
			run->below == KC_BELOW ? "at least " : "", run->below,
			run->below == 1 ? "" : "s", run->below == 1 ? "s" : "", what);
	if (run->to_return)
		because(verdict, "what lies above it up to the return address holds %s", what);
	else if (run->above)
		because(verdict, "%s%u word%s right above it hold%s %s",
			run->above == KC_ABOVE ? "at least " : "", run->above,
			run->above == 1 ? "" : "s", run->above == 1 ? "s" : "", what);
}

/* Did the frame's return address turn out to be none? */
static bool has_bad_return(const struct kc_finding *finding)
{
	return finding->frame + 1 == finding->checked->count &&
	       (finding->checked->end == KC_UNWIND_NOT_TEXT ||
		finding->checked->end == KC_UNWIND_NOT_CALLED);
}

static bool has_two_depths(const struct kc_finding *finding)
{
	return finding->code_depth && finding->code_depth != finding->found_depth;
}

/* Which arguments of the system call lie in the frame, as far as the kernel has told: "1, 3". */
static bool find_args(const struct kc_finding *finding, char text[static 32])
{
	const struct kc_frame *frame = &finding->checked->frames[finding->frame].frame;
	uint64_t end = frame->cfa < finding->stack.top ? frame->cfa : finding->stack.top, word;
	unsigned int seen = 0;
	size_t len = 0;

	for (uint64_t addr = frame->sp; addr < end; addr += sizeof(word))
		if (kc_stack_word(&finding->stack, addr, &word))
			seen |= 1u << kc_hidden_arg(word);
	for (unsigned int arg = 1; arg <= KC_SYSCALL_ARGS; arg++)
		if (seen & 1u << arg)
			len += snprintf(text + len, 32 - len, "%s%u", len ? ", " : "", arg);
	return len;
}

static const char *whose_frame(bool bp_returns, bool sp_returns)
{
	if (bp_returns == sp_returns)
		return "which of the two is wrong can't be told";
	return bp_returns ? "the frame pointer leads to a return address, and SP to none: the "
			    "function runs on another's frame"
			  : "SP leads to a return address, and the frame pointer to none: the "
			    "frame pointer is wrong";
}

/*
 * The slot was looked for by the frame pointer, in a frame that is not as long as the function
 * makes its own: what was compared may never have been a canary.
 */
static void judge_depths(struct kc_finding *finding)
{
	struct kc_verdict *verdict = &finding->verdict;
	bool bp_returns = finding->frame + 1 < finding->checked->count;
	char args[32];

	verdict->class = KC_CLASS_ALIEN_FRAME;
	verdict->confidence = bp_returns == finding->sp_returns ? "low"
			      : bp_returns			? "high"
								: "medium";
	because(verdict,
		"SP is 0x%lx below the frame's CFA, and the function's code keeps it 0x%x below",
		finding->found_depth, finding->code_depth);
	because(verdict, "%s", whose_frame(bp_returns, finding->sp_returns));
	if (find_args(finding, args))
		because(verdict, "the frame holds arguments of the thread's own system call: %s",
			args);
}

/* The slot was replaced, with nothing beside it that shows from where. */
static void judge_replaced(struct kc_finding *finding)
{
	struct kc_verdict *verdict = &finding->verdict;

	verdict->class = KC_CLASS_STRAY_WRITE;
	if (has_bad_return(finding) && finding->running) {
		/* At its check, with nothing to show that a write came up from below. */
		verdict->class = KC_CLASS_ALIEN_FRAME;
	} else if (has_bad_return(finding)) {
		verdict->class = KC_CLASS_LINEAR_OVERFLOW;
		verdict->confidence = "medium";
		because(verdict, "the slot was replaced, and so was the return address above it");
	} else if (finding->damage.found == KC_FOUND_ASCII) {
		/* Few stores of one word write eight letters. */
		verdict->class = KC_CLASS_LINEAR_OVERFLOW;
		because(verdict, "text fills the slot, and no word beside it: as if it went on "
				 "past the end of what lies below");
	} else {
		because(verdict, "the slot was replaced, the words beside it hold something else");
	}
}

static void judge_slot(struct kc_finding *finding)
{
	struct kc_verdict *verdict = &finding->verdict;
	const struct kc_damage *damage = &finding->damage;
	unsigned int prefix = changed_prefix(damage->changed_bytes);
	struct run run = find_run(finding);

	if (has_two_depths(finding)) {
		judge_depths(finding);
		return;
	}
	if (prefix == 1) {
		verdict->class = KC_CLASS_LINEAR_OVERFLOW;
		because(verdict,
			"only the slot's lowest byte changed: one byte too many from below, "
			"or a counter that was raised there");
	} else if (damage->changed_bits == KC_BITS_ONE || damage->changed_bits == KC_BITS_TWO) {
		verdict->class = KC_CLASS_BIT_FLIP;
		verdict->confidence = damage->small_delta ? "medium" : "high";
		because(verdict, "%s of the slot's 64 bits changed",
			damage->changed_bits == KC_BITS_ONE ? "one" : "two");
	} else if (damage->small_delta) {
		verdict->class = KC_CLASS_DECREMENT;
		verdict->confidence = "medium";
		because(verdict, "the slot differs from the canary by a small number");
	} else if (run.below || run.to_return || (run.above && damage->found != KC_FOUND_ZERO)) {
		verdict->class = KC_CLASS_LINEAR_OVERFLOW;
		verdict->confidence = confidence_of(damage, &run);
		explain_run(verdict, &run);
	} else if (prefix) {
		verdict->class = KC_CLASS_LINEAR_OVERFLOW;
		verdict->confidence = "medium";
		because(verdict,
			"only the slot's lowest %u bytes changed: a write from below ended there",
			prefix);
	} else {
		judge_replaced(finding);
	}
	because(verdict, "found in the slot: %s", kc_found_name(damage->found));
	if (has_bad_return(finding) && !run.to_return)
		because(verdict, "the frame's return address is none");
}

/*
 * Where the slot lies only user space knows, after the fact. What the kernel has told of each
 * word that it hid makes it a slot as any other; without that, as in a recording of an earlier
 * kcanary, a pattern beside it says enough by itself, and all else is not claimed.
 */
static void judge_panic(struct kc_finding *finding)
{
	struct kc_verdict *verdict = &finding->verdict;
	const struct kc_damage *damage = &finding->damage;

	if (!damage->slot && !has_two_depths(finding)) {
		because(verdict,
			"the kernel's own check failed; the slot itself could not be read");
	} else if (finding->compared && !damage->changed_bits && finding->guard_differs) {
		verdict->class = KC_CLASS_GUARD_CHANGED;
		verdict->confidence = "high";
		because(verdict, "the slot holds the task's canary, and this CPU's guard is "
				 "another value: the kernel blames a frame that is intact");
	} else if (finding->compared && !damage->changed_bits) {
		because(verdict, "the kernel's own check failed, and the slot holds the canary "
				 "again");
	} else if (has_two_depths(finding)) {
		judge_depths(finding);
	} else if (finding->compared ||
		   ((damage->same_below || damage->same_above) && damage->found != KC_FOUND_ZERO)) {
		judge_slot(finding);
	} else {
		because(verdict, "the kernel's own check failed; which of the slot's bits changed "
				 "is not known at panic()");
		because(verdict, "found in the slot: %s", kc_found_name(damage->found));
	}
}

static void judge_return(struct kc_finding *finding)
{
	const struct kc_checked_stack *checked = finding->checked;
	bool intact = checked->frames[finding->frame].status == KC_CHECK_INTACT;
	struct kc_verdict *verdict = &finding->verdict;

	verdict->class = KC_CLASS_RETURN_ADDRESS;
	if (finding->was_return) {
		verdict->confidence = "high";
		because(verdict,
			"the function was entered with another return address at this place");
		because(verdict, "found in its place: %s", kc_found_name(finding->damage.found));
		return;
	}
	verdict->confidence = intact ? "high" : "medium";
	because(verdict, checked->end == KC_UNWIND_NOT_CALLED
				 ? "no call instruction precedes the place this frame returns to"
				 : "this frame returns to what is no kernel text");
	because(verdict, "found in the place of the return address: %s",
		kc_found_name(checked->return_found));
	if (intact)
		because(verdict,
			"the frame's own canary is intact: not a plain overflow from below");
	else
		because(verdict,
			"other frames at the same instruction led to a caller, so the frame "
			"lies where it is said to");
}

static void judge_stack_end(struct kc_finding *finding)
{
	finding->verdict.class = KC_CLASS_EXHAUSTED;
	finding->verdict.confidence = "medium";
	because(&finding->verdict,
		"the lowest word of the stack is not STACK_END_MAGIC any more: the "
		"stack was used to its end, or something wrote there");
}

static void judge_guard(struct kc_finding *finding)
{
	finding->verdict.class = KC_CLASS_GUARD_CHANGED;
	finding->verdict.confidence = "high";
	because(&finding->verdict,
		"the slot holds the task's canary, and this CPU's guard is another "
		"value: the kernel will blame a frame that is intact");
}

static void judge_headroom(struct kc_finding *finding)
{
	finding->verdict.class = KC_CLASS_EXHAUSTED;
	finding->verdict.confidence = "high";
	because(&finding->verdict, "%lu bytes of the stack were left", finding->headroom);
	if (finding->frame_bytes)
		because(&finding->verdict, "the function's own frame takes %u",
			finding->frame_bytes);
}

static void judge_spread(struct kc_finding *finding, size_t damaged_tasks)
{
	size_t others = finding->checked->damaged - (finding->anomaly == KC_ANOMALY_SLOT);

	if (damaged_tasks < 2 && !others)
		return;
	finding->verdict.class = KC_CLASS_WIDESPREAD;
	because(&finding->verdict,
		"%zu other frames of this stack are damaged, and since the start %zu other tasks",
		others, damaged_tasks);
}

void kc_judge(struct kc_finding *finding, size_t damaged_tasks)
{
	struct kc_verdict *verdict = &finding->verdict;

	*verdict = (struct kc_verdict){ .class = KC_CLASS_UNKNOWN, .confidence = "low" };
	switch (finding->anomaly) {
	case KC_ANOMALY_SLOT:
		judge_slot(finding);
		judge_spread(finding, damaged_tasks);
		break;
	case KC_ANOMALY_RETURN:
		judge_return(finding);
		judge_spread(finding, damaged_tasks);
		break;
	case KC_ANOMALY_STACK_END:
		judge_stack_end(finding);
		break;
	case KC_ANOMALY_GUARD:
		judge_guard(finding);
		break;
	case KC_ANOMALY_HEADROOM:
		judge_headroom(finding);
		break;
	case KC_ANOMALY_PANIC:
		judge_panic(finding);
		break;
	}
	if (!finding->running)
		because(verdict, "read again while the task provably did not run");
	if (finding->anomaly == KC_ANOMALY_SLOT && finding->seen_intact)
		because(verdict, "the same slot of this function was intact in %lu other frames",
			finding->seen_intact);
}
