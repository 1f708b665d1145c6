// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <stdarg.h>
#include <stdio.h>

#include "util/array.h"
#include "verdict/judge.h"

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
	[KC_CLASS_WRONG_STACK] = "wrong-stack",
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

void kc_because(struct kc_verdict *verdict, const char *format, ...)
{
	va_list args;

	if (verdict->nr_why == KC_MAX_WHY)
		return;
	va_start(args, format);
	vsnprintf(verdict->why[verdict->nr_why++], sizeof(verdict->why[0]), format, args);
	va_end(args);
}

static void judge_return(struct kc_finding *finding)
{
	const struct kc_checked_stack *checked = finding->checked;
	const struct kc_bad_return *bad = finding->bad_return;
	bool intact = checked->frames[finding->frame].status == KC_CHECK_INTACT;
	struct kc_verdict *verdict = &finding->verdict;

	verdict->class = KC_CLASS_RETURN_ADDRESS;
	if (finding->was_return) {
		verdict->confidence = "high";
		kc_because(verdict,
			   "the function was entered with another return address at this place");
		kc_because(verdict, "found in its place: %s", kc_found_name(finding->damage.found));
		return;
	}
	verdict->confidence = intact || bad->was ? "high" : "medium";
	kc_because(
		verdict, "%s",
		bad->was
			? "it is not what it was at an earlier pass, and the task has not run since"
		: checked->end == KC_UNWIND_NOT_CALLED
			? "no call instruction precedes the place this frame returns to"
			: "this frame returns to what is no kernel text");
	kc_because(verdict, "found in the place of the return address: %s",
		   kc_found_name(bad->found));
	if (kc_finding_of_switch(finding))
		kc_because(verdict, "it is what the switch back to the task returns to, below "
				    "its innermost frame");
	else if (intact)
		kc_because(verdict,
			   "the frame's own canary is intact: not a plain overflow from below");
	else if (!bad->was)
		kc_because(verdict,
			   "other frames at the same instruction led to a caller, so the frame "
			   "lies where it is said to");
}

static void judge_stack_end(struct kc_finding *finding)
{
	finding->verdict.class = KC_CLASS_EXHAUSTED;
	finding->verdict.confidence = "medium";
	kc_because(&finding->verdict,
		   "the lowest word of the stack is not STACK_END_MAGIC any more: the "
		   "stack was used to its end, or something wrote there");
}

static void judge_guard(struct kc_finding *finding)
{
	finding->verdict.class = KC_CLASS_GUARD_CHANGED;
	finding->verdict.confidence = "high";
	kc_because(&finding->verdict,
		   "the slot holds the task's canary, and this CPU's guard is another "
		   "value: the kernel will blame a frame that is intact");
}

static void judge_headroom(struct kc_finding *finding)
{
	finding->verdict.class = KC_CLASS_EXHAUSTED;
	finding->verdict.confidence = "high";
	kc_because(&finding->verdict, "%lu bytes of the stack were left", finding->headroom);
	if (finding->frame_bytes)
		kc_because(&finding->verdict, "the function's own frame takes %u",
			   finding->frame_bytes);
}

static void judge_spread(struct kc_finding *finding, size_t damaged_tasks)
{
	size_t others = finding->checked->damaged - (finding->anomaly == KC_ANOMALY_SLOT);

	if (damaged_tasks < 2 && !others)
		return;
	/* All frames of a stack that another thread was on hold its canary. */
	if (finding->verdict.class != KC_CLASS_WRONG_STACK)
		finding->verdict.class = KC_CLASS_WIDESPREAD;
	kc_because(
		&finding->verdict,
		"%zu other frames of this stack are damaged, and since the start %zu other tasks",
		others, damaged_tasks);
}

void kc_judge(struct kc_finding *finding, size_t damaged_tasks)
{
	struct kc_verdict *verdict = &finding->verdict;

	*verdict = (struct kc_verdict){ .class = KC_CLASS_UNKNOWN, .confidence = "low" };
	switch (finding->anomaly) {
	case KC_ANOMALY_SLOT:
		kc_judge_slot(finding);
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
		kc_judge_slot(finding);
		break;
	}
	if (!finding->running)
		kc_because(verdict, "read again while the task provably did not run");
	if (finding->anomaly == KC_ANOMALY_SLOT && finding->seen_intact)
		kc_because(verdict, "the same slot of this function was intact in %lu other frames",
			   finding->seen_intact);
}
