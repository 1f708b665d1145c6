// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/pointing.h"

static void add_frame(struct kc_words_at *at, uint64_t *slots, const struct kc_checked_frame *frame)
{
	slots[at->nr_slots++] = frame->slot;
	if (!at->from || frame->frame.sp < at->from)
		at->from = frame->frame.sp;
}

void kc_point(struct kc_source *source, const struct kc_kernel *kernel,
	      const struct kc_stack *stack, const struct kc_checked_stack *checked,
	      const struct kc_checked_frame *also, struct kc_pointed_words *ret_pointed)
{
	uint64_t slots[KC_MAX_FRAMES + 1];
	struct kc_words_at at = { .top = stack->top, .slots = slots };

	ret_pointed->count = 0;
	if (checked->nr_bad)
		at.from = checked->frames[checked->bad[0].frame].frame.sp;
	for (size_t i = 0; i < checked->count; i++)
		if (checked->frames[i].status == KC_CHECK_DAMAGED)
			add_frame(&at, slots, &checked->frames[i]);
	if (also)
		add_frame(&at, slots, also);
	if (at.from < stack->sp || at.from >= stack->top || at.from & 7)
		return;
	at.count = (stack->top - at.from) / 8;
	if (at.count > KC_MAX_WORDS)
		at.count = KC_MAX_WORDS;
	kc_source_words(source, kernel, &at, stack->words + (at.from - stack->sp) / 8, ret_pointed);
}
