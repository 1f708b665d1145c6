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

static void judge_slot(struct kc_finding *finding)
{
	struct kc_verdict *verdict = &finding->verdict;
	const struct kc_damage *damage = &finding->damage;
	unsigned int prefix = changed_prefix(damage->changed_bytes);

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
	} else if (damage->same_below) {
		/* Zeros lie about on every stack; any other pattern does not. */
		verdict->class = KC_CLASS_LINEAR_OVERFLOW;
		verdict->confidence = damage->found == KC_FOUND_ZERO ? "low" : "high";
		because(verdict, "%s%u word%s right below the slot hold%s the same pattern",
			damage->same_below == KC_BELOW ? "at least " : "", damage->same_below,
			damage->same_below == 1 ? "" : "s", damage->same_below == 1 ? "s" : "");
	} else if (prefix) {
		verdict->class = KC_CLASS_LINEAR_OVERFLOW;
		verdict->confidence = "medium";
		because(verdict,
			"only the slot's lowest %u bytes changed: a write from below ended there",
			prefix);
	} else {
		verdict->class = KC_CLASS_STRAY_WRITE;
		because(verdict,
			"the slot was replaced and the word below it holds something else");
	}
	because(verdict, "found in the slot: %s", kc_found_name(damage->found));
	if (finding->frame + 1 < finding->checked->count ||
	    (finding->checked->end != KC_UNWIND_NOT_TEXT &&
	     finding->checked->end != KC_UNWIND_NOT_CALLED))
		return;
	because(verdict, "the frame's return address is none");
	/* At its check, with nothing to show that a write came up from below. */
	if (finding->running && !damage->same_below && verdict->class == KC_CLASS_STRAY_WRITE)
		verdict->class = KC_CLASS_ALIEN_FRAME;
}

/*
 * At the tripwire the slot was read out of a scrubbed copy: which of its bytes changed is not
 * known, and of numbers and addresses only the class. A pattern that came up through the
 * words below says enough by itself; all else is not claimed.
 */
static void judge_panic(struct kc_finding *finding)
{
	struct kc_verdict *verdict = &finding->verdict;
	const struct kc_damage *damage = &finding->damage;

	if (!damage->slot) {
		because(verdict,
			"the kernel's own check failed; the slot itself could not be read");
		return;
	}
	if (damage->same_below && damage->found != KC_FOUND_ZERO) {
		verdict->class = KC_CLASS_LINEAR_OVERFLOW;
		verdict->confidence = "high";
		because(verdict, "%s%u word%s right below the slot hold%s the same pattern",
			damage->same_below == KC_BELOW ? "at least " : "", damage->same_below,
			damage->same_below == 1 ? "" : "s", damage->same_below == 1 ? "s" : "");
	} else {
		because(verdict, "the kernel's own check failed; which of the slot's bits changed "
				 "is not known at panic()");
	}
	because(verdict, "found in the slot: %s", kc_found_name(damage->found));
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
