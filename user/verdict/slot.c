// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What became of a canary's slot: clues, and a table of what they say together.
 */
#include <stdio.h>
#include <string.h>

#include "util/array.h"
#include "verdict/judge.h"

/* What is seen of the slot, the words beside it, and the frame around it. */
enum clue {
	/* At panic(), where user space finds the slot, after the fact. */
	NO_SLOT = 1 << 0,      /* ... or does not */
	NOT_COMPARED = 1 << 1, /* with the canary, as in a recording of an earlier kcanary */
	INTACT = 1 << 2,
	GUARD_DIFFERS = 1 << 3,

	TWO_DEPTHS = 1 << 4, /* the frame pointer and SP do not lead to one frame */
	BP_RETURNS = 1 << 5, /* ... a return address lies where the one has it, */
	SP_RETURNS = 1 << 6, /* ... or the other */

	LOWEST_BYTE = 1 << 7, /* changed, and no other */
	PREFIX = 1 << 8, /* the lowest bytes changed, as by a write from below that ended there */
	ONE_BIT = 1 << 9,
	TWO_BITS = 1 << 10,
	SMALL_DELTA = 1 << 11, /* it differs from the canary by a small number */

	RUN = 1 << 12,	   /* words beside the slot hold what it holds */
	ABOVE = 1 << 13,   /* ... above it, too */
	WHOLE = 1 << 14,   /* ... up to the return address */
	AS_TEXT = 1 << 15, /* ... other letters: a copy tells no more than that it is text */
	ZERO = 1 << 16,	   /* what it holds */
	TEXT = 1 << 17,

	BAD_RETURN = 1 << 18, /* the frame's return address is none, or not what it was */
	RUNNING = 1 << 19,    /* at its check */
	OTHERS = 1 << 20,     /* it holds another thread's canary */
};

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

/* Is the frame's return address another one than at an earlier look? */
static bool has_changed_return(const struct kc_finding *finding)
{
	const struct kc_checked_stack *checked = finding->checked;
	const struct kc_frame *frame = &checked->frames[finding->frame].frame;

	for (size_t i = 0; i < checked->nr_bad; i++)
		if (checked->bad[i].was && checked->bad[i].slot == kc_return_slot(frame->cfa))
			return true;
	return false;
}

/* ... or none? */
static bool has_bad_return(const struct kc_finding *finding)
{
	const struct kc_checked_stack *checked = finding->checked;

	return has_changed_return(finding) ||
	       (finding->frame + 1 == checked->count &&
		(checked->end == KC_UNWIND_NOT_TEXT || checked->end == KC_UNWIND_NOT_CALLED));
}

static void tell_run(struct kc_finding *finding)
{
	struct kc_verdict *verdict = &finding->verdict;
	const struct run run = find_run(finding);
	const char *what = run.text ? "text, too" : "the same pattern";

	if (run.below)
		kc_because(verdict, "%s%u word%s right below the slot hold%s %s",
			   run.below == KC_BELOW ? "at least " : "", run.below,
			   run.below == 1 ? "" : "s", run.below == 1 ? "s" : "", what);
	if (run.to_return)
		kc_because(verdict, "what lies above it up to the return address holds %s", what);
	else if (run.above)
		kc_because(verdict, "%s%u word%s right above it hold%s %s",
			   run.above == KC_ABOVE ? "at least " : "", run.above,
			   run.above == 1 ? "" : "s", run.above == 1 ? "s" : "", what);
}

static void tell_prefix(struct kc_finding *finding)
{
	kc_because(&finding->verdict,
		   "only the slot's lowest %u bytes changed: a write from below ended there",
		   changed_prefix(finding->damage.changed_bytes));
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

/* What was compared may never have been a canary. */
static void tell_depths(struct kc_finding *finding)
{
	kc_because(&finding->verdict,
		   "SP is 0x%lx below the frame's CFA, and the function's code keeps it 0x%x below",
		   finding->found_depth, finding->code_depth);
}

/*
 * The first row whose clues are all there, and none of those that it forbids, is the verdict; where
 * another one of `of_words` fits it is named, too, unless the first is beyond doubt. Zeros
 * lie about on every stack, and so may text below the slot, in a buffer that is as it must be;
 * saved registers hold neither a pattern nor text, and a return address is never either.
 */
struct rule {
	enum kc_class class;
	const char *confidence;
	unsigned int needs, forbids;
	void (*tell)(struct kc_finding *finding); /* what has numbers; or NULL */
	const char *sentence;			  /* or NULL */
};

/* What forbids to ask further. */
static const struct rule of_frame[] = {
	/* At panic(). */
	{ KC_CLASS_UNKNOWN, "low", NO_SLOT, TWO_DEPTHS, NULL,
	  "the kernel's own check failed; the slot itself could not be read" },
	{ KC_CLASS_GUARD_CHANGED, "high", INTACT | GUARD_DIFFERS, 0, NULL,
	  "the slot holds the task's canary, and this CPU's guard is another value: the kernel "
	  "blames a frame that is intact" },
	{ KC_CLASS_UNKNOWN, "low", INTACT, 0, NULL,
	  "the kernel's own check failed, and the slot holds the canary again" },

	/* The slot was looked for by a frame pointer in a frame that may not be the function's. */
	{ KC_CLASS_ALIEN_FRAME, "high", TWO_DEPTHS | BP_RETURNS, SP_RETURNS, tell_depths,
	  "the frame pointer leads to a return address, and SP to none: the function runs on "
	  "another's frame" },
	{ KC_CLASS_ALIEN_FRAME, "medium", TWO_DEPTHS | SP_RETURNS, BP_RETURNS, tell_depths,
	  "SP leads to a return address, and the frame pointer to none: the frame pointer is "
	  "wrong" },
	{ KC_CLASS_ALIEN_FRAME, "low", TWO_DEPTHS, 0, tell_depths,
	  "which of the two is wrong can't be told" },

	{ KC_CLASS_WRONG_STACK, "high", OTHERS, 0, NULL,
	  "the slot holds the canary of another thread: its stack or its guard was in use here" },

	{ KC_CLASS_UNKNOWN, "low", NOT_COMPARED, 0, NULL,
	  "the kernel's own check failed; which of the slot's bits changed is not known at "
	  "panic()" },
};

static const struct rule of_words[] = {
	/* How it differs. */
	{ KC_CLASS_LINEAR_OVERFLOW, "low", LOWEST_BYTE, 0, NULL,
	  "only the slot's lowest byte changed: one byte too many from below, or a counter that "
	  "was raised there" },
	{ KC_CLASS_BIT_FLIP, "high", ONE_BIT, SMALL_DELTA, NULL,
	  "one of the slot's 64 bits changed" },
	{ KC_CLASS_BIT_FLIP, "medium", ONE_BIT, 0, NULL, "one of the slot's 64 bits changed" },
	{ KC_CLASS_BIT_FLIP, "high", TWO_BITS, SMALL_DELTA, NULL,
	  "two of the slot's 64 bits changed" },
	{ KC_CLASS_BIT_FLIP, "medium", TWO_BITS, 0, NULL, "two of the slot's 64 bits changed" },
	/* The lowest byte is zero: counting down borrows from the others. */
	{ KC_CLASS_DECREMENT, "medium", SMALL_DELTA, LOWEST_BYTE, NULL,
	  "the slot differs from the canary by a small number" },

	/* What lies beside it. */
	{ KC_CLASS_LINEAR_OVERFLOW, "medium", RUN | ZERO | WHOLE, 0, tell_run, NULL },
	{ KC_CLASS_LINEAR_OVERFLOW, "low", RUN | ZERO, 0, tell_run, NULL },
	{ KC_CLASS_LINEAR_OVERFLOW, "medium", RUN | AS_TEXT, ABOVE, tell_run, NULL },
	{ KC_CLASS_LINEAR_OVERFLOW, "high", RUN, 0, tell_run, NULL },
	{ KC_CLASS_LINEAR_OVERFLOW, "medium", PREFIX, 0, tell_prefix, NULL },
};

/* It was replaced, with nothing beside it that shows from where. The last one fits always. */
static const struct rule of_nothing[] = {
	{ KC_CLASS_ALIEN_FRAME, "low", BAD_RETURN | RUNNING, 0, NULL, NULL },
	{ KC_CLASS_LINEAR_OVERFLOW, "medium", BAD_RETURN, 0, NULL,
	  "the slot was replaced, and so was the return address above it" },
	/* Few stores of one word write eight letters. */
	{ KC_CLASS_LINEAR_OVERFLOW, "low", TEXT, 0, NULL,
	  "text fills the slot, and no word beside it: as if it went on past the end of what lies "
	  "below" },
	{ KC_CLASS_STRAY_WRITE, "low", 0, 0, NULL,
	  "the slot was replaced, the words beside it hold something else" },
};

/*
 * Without having compared, a pattern beside the slot says enough by itself, and all else is not
 * claimed.
 */
static unsigned int clues_of_panic(const struct kc_finding *finding)
{
	const struct kc_damage *damage = &finding->damage;
	bool has_pattern =
		(damage->same_below || damage->same_above) && damage->found != KC_FOUND_ZERO;

	if (finding->anomaly != KC_ANOMALY_PANIC)
		return 0;
	if (!damage->slot)
		return NO_SLOT;
	if (!finding->compared)
		return has_pattern ? 0 : NOT_COMPARED;
	return (damage->changed_bits ? 0 : INTACT) | (finding->guard_differs ? GUARD_DIFFERS : 0);
}

static unsigned int clues_of_frame(const struct kc_finding *finding)
{
	unsigned int clues = has_bad_return(finding) ? BAD_RETURN : 0;

	clues |= finding->running && !finding->by_sample ? RUNNING : 0;
	if (!finding->code_depth || finding->code_depth == finding->found_depth)
		return clues;
	return clues | TWO_DEPTHS | (finding->sp_returns ? SP_RETURNS : 0) |
	       (finding->frame + 1 < finding->checked->count ? BP_RETURNS : 0);
}

/* What the word in the slot points to, or NULL. */
static const struct kc_pointed_word *pointed_slot(const struct kc_finding *finding)
{
	return kc_pointed_at(finding->pointed, finding->stack.top - finding->damage.slot);
}

static unsigned int clues_of_slot(const struct kc_finding *finding)
{
	const struct kc_pointed_word *pointed = pointed_slot(finding);
	const struct kc_damage *damage = &finding->damage;
	unsigned int prefix = changed_prefix(damage->changed_bytes), clues = 0;
	struct run run = find_run(finding);
	bool zero = damage->found == KC_FOUND_ZERO;

	clues |= prefix == 1 ? LOWEST_BYTE : prefix ? PREFIX : 0;
	clues |= damage->changed_bits == KC_BITS_ONE ? ONE_BIT : 0;
	clues |= damage->changed_bits == KC_BITS_TWO ? TWO_BITS : 0;
	clues |= damage->small_delta ? SMALL_DELTA : 0;
	clues |= run.below || run.to_return || (run.above && !zero) ? RUN : 0;
	clues |= run.above ? ABOVE : 0;
	clues |= run.to_return ? WHOLE : 0;
	clues |= run.text ? AS_TEXT : 0;
	clues |= zero ? ZERO : 0;
	clues |= pointed && pointed->kind == KC_POINTED_CANARY && pointed->tid != finding->task.tid
			 ? OTHERS
			 : 0;
	return clues | (damage->found == KC_FOUND_ASCII ? TEXT : 0);
}

/* The first that fits, and is of another class than this one; NULL: none does. */
static const struct rule *find_rule(const struct rule *rules, size_t count, unsigned int clues,
				    enum kc_class other_than)
{
	for (const struct rule *rule = rules; rule < rules + count; rule++)
		if ((clues & rule->needs) == rule->needs && !(clues & rule->forbids) &&
		    rule->class != other_than)
			return rule;
	return NULL;
}

#define FIND(rules, clues, other_than) find_rule(rules, kc_countof(rules), clues, other_than)

void kc_judge_slot(struct kc_finding *finding)
{
	struct kc_verdict *verdict = &finding->verdict;
	unsigned int clues =
		clues_of_panic(finding) | clues_of_frame(finding) | clues_of_slot(finding);
	const struct rule *rule = FIND(of_frame, clues, KC_CLASS_NR), *also = NULL;
	const struct kc_pointed_word *pointed;
	char args[32], text[160];

	if (!rule) {
		rule = FIND(of_words, clues, KC_CLASS_NR);
		if (rule && strcmp(rule->confidence, "high") != 0)
			also = FIND(of_words, clues, rule->class);
	}
	rule = rule ?: FIND(of_nothing, clues, KC_CLASS_NR);

	verdict->class = rule->class;
	verdict->confidence = rule->confidence;
	if (rule->tell)
		rule->tell(finding);
	if (rule->sentence)
		kc_because(verdict, "%s", rule->sentence);
	if (also)
		kc_because(verdict, "%s would fit, too%s%s", kc_class_name(also->class),
			   also->sentence ? ": " : "", also->sentence ?: "");
	if (clues & TWO_DEPTHS && !(clues & INTACT)) {
		if (find_args(finding, args))
			kc_because(verdict,
				   "the frame holds arguments of the thread's own system "
				   "call: %s",
				   args);
		return;
	}
	if (clues & (NO_SLOT | INTACT))
		return;
	kc_because(verdict, "found in the slot: %s", kc_found_name(finding->damage.found));
	pointed = pointed_slot(finding);
	if (pointed && pointed->kind != KC_POINTED_NOT_KNOWN)
		kc_because(verdict, "%s %s", clues & OTHERS ? "that is" : "it points to",
			   kc_pointed_text(pointed, text));
	if (clues & BAD_RETURN && !(clues & (WHOLE | NOT_COMPARED)))
		kc_because(verdict, "%s",
			   has_changed_return(finding)
				   ? "the frame's return address is not what it was, either"
				   : "the frame's return address is none");
}
