// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "report/views.h"

#include "report/listing.h"
#include "stack/place.h"

/* Words shown below SP's side and above the CFA of the damaged frame. */
#define WORDS_ABOVE 4
#define MAX_WORDS   96

static const char *status_text(const struct kc_checked_frame *frame)
{
	switch (frame->status) {
	case KC_CHECK_UNGUARDED:
		return "not guarded";
	case KC_CHECK_NOT_LIVE:
		return "slot not live here";
	case KC_CHECK_INTACT:
		return "intact";
	case KC_CHECK_DAMAGED:
		return "DAMAGED";
	case KC_CHECK_UNKNOWN:
		return frame->blind == KC_BLIND_NO_PLAN ? kc_plan_reason_text(frame->plan->reason)
							: kc_blind_text(frame->blind);
	}
	return "";
}

void kc_view_backtrace(const struct kc_kernel *kernel, const struct kc_finding *finding, FILE *out)
{
	const struct kc_checked_stack *checked = finding->checked;
	char place[160], rule[24];

	for (size_t i = 0; i < checked->count; i++) {
		const struct kc_checked_frame *frame = &checked->frames[i];
		bool slot = frame->status == KC_CHECK_INTACT || frame->status == KC_CHECK_DAMAGED;

		fprintf(out, "#%-2zu ", i);
		if (frame->frame.sp) /* not known where there is no copy */
			fprintf(out, "depth 0x%-5lx ", finding->stack.top - frame->frame.sp);
		fprintf(out, "%-44s %s%s%s\n", kc_frame_text(kernel, &frame->frame, place),
			status_text(frame), slot ? ", slot " : "",
			slot ? kc_slot_rule_text(&frame->rule, rule) : "");
	}
	if (checked->end != KC_UNWIND_COMPLETE)
		fprintf(out, "... %s\n", kc_unwind_end_text(checked->end));
}

/* A stack word told as what it is: a raw address is nobody's business. */
static void print_word(const struct kc_kernel *kernel, const struct kc_stack *stack, uint64_t word,
		       const struct kc_pointed_word *pointed, FILE *out)
{
	char place[160];

	if (pointed)
		fprintf(out, "(%s)", kc_pointed_text(pointed, place));
	else if (word == KC_CANARY_MARK)
		fprintf(out, "(canary)");
	else if (kc_kernel_is_text(kernel, word))
		fprintf(out, "%s", kc_place_text(kernel, word, place));
	else if (word >= stack->sp && word < stack->top)
		fprintf(out, "(stack, depth 0x%lx)", stack->top - word);
	else if (word < 0x10000)
		fprintf(out, "0x%lx", word);
	else if (kc_hidden_arg(word))
		fprintf(out, "(argument %u of the system call)", kc_hidden_arg(word));
	else if (kc_hidden_class(word) == KC_HIDDEN_USER)
		fprintf(out, "(user address or data)");
	else if (kc_hidden_class(word) == KC_HIDDEN_KERNEL || word >= KC_TEXT_HALF)
		fprintf(out, "(kernel address)");
	else if (kc_hidden_class(word) == KC_HIDDEN_DATA)
		fprintf(out, "(data)");
	else
		fprintf(out, "(ascii)");
}

/* The frame that the word at addr is the return address to, or NULL. */
static const struct kc_frame *returned_to(const struct kc_checked_stack *checked, uint64_t addr)
{
	for (size_t i = 0; i + 1 < checked->count; i++)
		if (kc_return_slot(checked->frames[i].frame.cfa) == addr &&
		    !checked->frames[i + 1].frame.exact)
			return &checked->frames[i + 1].frame;
	return NULL;
}

/* At a panic it may hold the canary: then it was not the slot that changed. */
static void show_slot(const struct kc_finding *finding, const struct kc_pointed_word *pointed,
		      FILE *out)
{
	char text[160];
	bool intact = finding->anomaly == KC_ANOMALY_PANIC && finding->compared &&
		      !finding->damage.changed_bits;

	if (intact)
		fprintf(out, "(canary)  <- slot");
	else
		fprintf(out, "(%s)  <- slot, DAMAGED", kc_found_name(finding->damage.found));
	if (pointed)
		fprintf(out, ", %s", kc_pointed_text(pointed, text));
}

/* Does the word hold what the slot holds, and all words between them? */
static bool is_beside_slot(const struct kc_finding *finding, uint64_t addr)
{
	const struct kc_damage *damage = &finding->damage;

	return finding->anomaly == KC_ANOMALY_SLOT && addr != damage->slot &&
	       addr + 8 * damage->same_below >= damage->slot &&
	       addr <= damage->slot + 8 * damage->same_above;
}

/* Of each return address that has changed, whichever of them the finding is about. */
static void print_was(const struct kc_kernel *kernel, const struct kc_checked_stack *checked,
		      uint64_t addr, FILE *out)
{
	char place[160];

	for (size_t i = 0; i < checked->nr_bad; i++)
		if (checked->bad[i].slot == addr && checked->bad[i].was)
			fprintf(out, ", was %s", kc_place_text(kernel, checked->bad[i].was, place));
}

void kc_view_stack(const struct kc_kernel *kernel, const struct kc_finding *finding, FILE *out)
{
	const struct kc_checked_stack *checked = finding->checked;
	const struct kc_frame *damaged = &checked->frames[finding->frame].frame;
	uint64_t returns = kc_return_slot(damaged->cfa);
	uint64_t overwritten = finding->bad_return ? finding->bad_return->slot : returns;
	uint64_t from = damaged->sp, to = damaged->cfa + 8 * WORDS_ABOVE, word;
	const struct kc_frame *caller;
	char place[160];

	if (to - from > 8 * MAX_WORDS)
		from = to - 8 * MAX_WORDS;
	if (kc_finding_of_switch(finding)) {
		from = overwritten;
		to = damaged->sp + 8 * WORDS_ABOVE;
	}
	for (uint64_t addr = from; addr < to; addr += 8) {
		const struct kc_pointed_word *pointed =
			kc_pointed_at(finding->pointed, finding->stack.top - addr);

		if (!kc_stack_word(&finding->stack, addr, &word))
			break;
		fprintf(out, "depth 0x%-5lx ", finding->stack.top - addr);
		caller = returned_to(checked, addr);
		if ((finding->anomaly == KC_ANOMALY_SLOT || finding->anomaly == KC_ANOMALY_PANIC) &&
		    addr == finding->damage.slot)
			show_slot(finding, pointed, out);
		else if (caller && caller->pc == word)
			fprintf(out, "%s", kc_frame_text(kernel, caller, place));
		else
			print_word(kernel, &finding->stack, word, pointed, out);
		if (is_beside_slot(finding, addr))
			fprintf(out, "  = the slot's");
		if (addr == damaged->sp)
			fprintf(out, "  <- SP");
		if (addr == returns || addr == overwritten)
			fprintf(out, "  <- return address%s",
				finding->anomaly == KC_ANOMALY_RETURN && addr == overwritten
					? ", OVERWRITTEN"
					: "");
		print_was(kernel, checked, addr, out);
		fprintf(out, "\n");
	}
}

void kc_view_disassembly(const struct kc_kernel *kernel, const struct kc_finding *finding,
			 FILE *out)
{
	const struct kc_checked_frame *frame = &finding->checked->frames[finding->frame];

	if (kc_print_listing(kernel, frame->plan, kc_frame_site(&frame->frame), KC_LISTING_AROUND,
			     out))
		fprintf(out, "(the function's text can't be read)\n");
}
