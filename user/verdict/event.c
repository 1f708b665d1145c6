// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "verdict/event.h"

#include <string.h>

#include "stack/rule.h"
#include "util/array.h"

/* The function that panic() was called for: the innermost frame that is not its own. */
static size_t victim_of(const struct kc_kernel *kernel, const struct kc_checked_stack *checked)
{
	static const char *const own[] = { "panic", "vpanic", "__stack_chk_fail" };
	size_t i = 0;

	for (; i + 1 < checked->count; i++) {
		const struct kc_sym *sym = checked->frames[i].sym;
		bool is_own = false;

		for (size_t n = 0; sym && n < kc_countof(own); n++)
			is_own |= !strcmp(kc_sym_name(kernel->ksyms, sym), own[n]);
		if (!is_own)
			break;
	}
	return i;
}

/*
 * Do two words of the copy hold the same? Of two hidden ones of a class the lower one tells, if
 * the kernel has compared.
 */
static bool holds_same(uint64_t lower, uint64_t upper)
{
	if (kc_hidden_class(lower) < KC_HIDDEN_USER || kc_hidden_class(lower) > KC_HIDDEN_ASCII)
		return lower == upper;
	return kc_hidden_class(lower) == kc_hidden_class(upper) && lower & KC_HIDDEN_SAME_ABOVE;
}

/* How many words beside addr, at most max, hold the same as it does; step: 8 or -8. */
static unsigned int count_same(const struct kc_stack *stack, uint64_t addr, int step,
			       unsigned int max)
{
	unsigned int count = 0;
	uint64_t word, next;

	while (count < max && kc_stack_word(stack, addr, &word) &&
	       kc_stack_word(stack, addr + step, &next) &&
	       (step > 0 ? holds_same(word, next) : holds_same(next, word))) {
		addr += step;
		count++;
	}
	return count;
}

/* How it differs from the canary, as the kernel has compared it. */
static void compare_slot(uint64_t word, struct kc_damage *damage)
{
	if (word == KC_CANARY_MARK || kc_hidden_near(word, damage))
		return;
	damage->changed_bits = KC_BITS_MORE; /* or it would be near */
}

/* What a stack-protector panic leaves to see of the slot: its place, a class, how far it is off. */
static void find_slot(const struct kc_kernel *kernel, const struct kc_event *event,
		      struct kc_finding *finding)
{
	const struct kc_checked_frame *frame = &finding->checked->frames[finding->frame];
	const struct kc_slot_rule *rule = &frame->plan->rule;
	struct kc_damage *damage = &finding->damage;
	uint64_t word, base = rule->base == KC_SLOT_CFA	 ? frame->frame.cfa
			      : rule->base == KC_SLOT_SP ? frame->frame.sp
							 : 0;

	if (frame->plan->reason != KC_PLAN_OK || !base ||
	    !kc_stack_word(&finding->stack, base + rule->offset, &word))
		return;
	damage->slot = base + rule->offset;
	damage->found = kc_classify_copied(&finding->stack, word);
	finding->compared = event->flags & KC_EVENT_COMPARED;
	finding->guard_differs = event->flags & KC_EVENT_GUARD_DIFFERS;
	if (finding->compared)
		compare_slot(word, damage);
	/* In text's half lies much that is no text: all ones, for one. */
	if (damage->found == KC_FOUND_TEXT && !kc_kernel_is_text(kernel, word))
		damage->found = KC_FOUND_OTHER;
	damage->same_below = count_same(&finding->stack, damage->slot, -8, KC_BELOW);
	damage->same_above = count_same(&finding->stack, damage->slot, 8, KC_ABOVE);
}

/* No copy: a panic on an interrupt's stack, or no stack left to copy it. The function is known. */
static void take_caller(const struct kc_kernel *kernel, struct kc_plans *plans, uint64_t caller,
			struct kc_checked_stack *checked)
{
	checked->count = 1;
	checked->end = KC_UNWIND_OTHER_STACK;
	checked->frames[0] = (struct kc_checked_frame){
		.frame = { .pc = caller },
		.sym = kc_ksyms_find(kernel->ksyms, caller - 1),
		.plan = kc_plans_at(plans, caller - 1),
		.status = KC_CHECK_UNKNOWN,
		.blind = KC_BLIND_NO_FRAME,
	};
}

/*
 * Is the word at SP one that nobody can return to? Return probes and tracers put
 * their own code there, and a record of an earlier call may have stayed: a place that
 * may be right proves nothing.
 */
static bool is_no_return(const struct kc_kernel *kernel, struct kc_plans *plans,
			 const struct kc_stack *stack)
{
	const struct kc_site *site;
	uint64_t word;

	if (!kc_stack_word(stack, stack->sp, &word))
		return false;
	if (word < KC_TEXT_HALF || !kc_kernel_may_be_code(kernel, word))
		return true;
	if (!kc_kernel_is_text(kernel, word) || kc_trampoline_end(kernel, word))
		return false;
	site = kc_plans_site(plans, word);
	return site && site->kind == KC_SITE_NO_CALL;
}

/* Can the word at addr be a return address? */
static bool may_return(struct kc_plans *plans, const struct kc_stack *stack, uint64_t addr)
{
	const struct kc_site *site;
	uint64_t word;

	if (!kc_stack_word(stack, addr, &word))
		return false;
	site = kc_plans_site(plans, word);
	return site && (site->kind == KC_SITE_CALL || site->kind == KC_SITE_PATCHED);
}

/*
 * A frame pointer and the code have each their own way to a frame. Where they lead to two, this
 * function has made neither or its frame pointer is another's.
 */
static void compare_depths(const struct kc_kernel *kernel, struct kc_plans *plans,
			   struct kc_finding *finding)
{
	const struct kc_checked_frame *checked = &finding->checked->frames[finding->frame];
	const struct kc_frame *frame = &checked->frame;
	struct kc_orc orc;

	if (!checked->plan || frame->cfa <= frame->sp || frame->cfa > finding->stack.top ||
	    !kc_kernel_orc(kernel, kc_frame_site(frame), &orc) || orc.type != KC_ORC_CALL ||
	    orc.sp_reg != KC_ORC_REG_BP)
		return;
	finding->code_depth = kc_plan_depth_at(checked->plan, frame->pc, !frame->exact);
	finding->found_depth = frame->cfa - frame->sp;
	if (finding->code_depth && finding->code_depth != finding->found_depth)
		finding->sp_returns = may_return(plans, &finding->stack,
						 kc_return_slot(frame->sp + finding->code_depth));
}

/* The frame whose slot it is. False: there is none, or it is intact. */
static bool find_damaged(const struct kc_checked_stack *checked, uint64_t slot, size_t *ret_frame)
{
	for (size_t i = 0; i < checked->count; i++)
		if (checked->frames[i].status == KC_CHECK_DAMAGED &&
		    checked->frames[i].slot == slot) {
			*ret_frame = i;
			return true;
		}
	return false;
}

static bool is_proved(const struct kc_kernel *kernel, struct kc_plans *plans,
		      const struct kc_event *event, struct kc_finding *finding)
{
	const struct kc_checked_stack *checked = finding->checked;
	const struct kc_plan *plan;

	if (!checked->count)
		return false;
	plan = checked->frames[0].plan;
	switch (event->kind) {
	case KC_EVENT_CHECK:
		if (!event->damage.changed_bytes) {
			finding->anomaly = KC_ANOMALY_GUARD;
			return event->flags & KC_EVENT_GUARD_DIFFERS;
		}
		finding->anomaly = KC_ANOMALY_SLOT;
		return checked->frames[0].status == KC_CHECK_DAMAGED &&
		       checked->frames[0].slot == event->damage.slot;
	case KC_EVENT_EXHAUSTED:
		finding->anomaly = KC_ANOMALY_HEADROOM;
		finding->headroom = event->headroom;
		finding->frame_bytes = plan ? kc_frame_bytes(kernel, plan) : 0;
		return event->headroom < kernel->thread_size &&
		       (!event->task.count ||
			event->task.sp - event->headroom == event->task.top - kernel->thread_size);
	case KC_EVENT_RETURN:
		finding->anomaly = KC_ANOMALY_RETURN;
		finding->was_return = true;
		return is_no_return(kernel, plans, &finding->stack);
	case KC_EVENT_GATE:
	case KC_EVENT_SAMPLE:
		finding->anomaly = KC_ANOMALY_SLOT;
		return event->damage.changed_bytes &&
		       find_damaged(checked, event->damage.slot, &finding->frame);
	case KC_EVENT_PANIC:
		finding->anomaly = KC_ANOMALY_PANIC;
		finding->frame = victim_of(kernel, checked);
		find_slot(kernel, event, finding);
		return true;
	}
	return false;
}

struct kc_stack kc_event_stack(const struct kc_event *event)
{
	return (struct kc_stack){
		.sp = event->task.sp,
		.top = event->task.top,
		.words = (const uint64_t *)(event + 1),
	};
}

struct kc_frame kc_event_frame(const struct kc_event *event)
{
	return (struct kc_frame){
		.pc = event->site,
		.sp = event->task.sp,
		.bp = event->bp,
		.exact = true,
	};
}

bool kc_event_prove(const struct kc_kernel *kernel, struct kc_plans *plans, struct kc_seen *seen,
		    const struct kc_event *event, struct kc_checked_stack *checked,
		    struct kc_finding *ret_finding)
{
	const struct kc_frame from = kc_event_frame(event);

	*ret_finding = (struct kc_finding){
		.boot_ns = event->task.boot_ns,
		.engine = kc_event_engine(event),
		.running = event->kind != KC_EVENT_GATE,
		.task = event->task,
		.damage = event->damage,
		.lost_before = event->lost,
		.stack = kc_event_stack(event),
		.checked = checked,
		.by_gate = event->kind == KC_EVENT_GATE,
		.by_sample = event->kind == KC_EVENT_SAMPLE,
		.switched_from = event->caller,
		.differed_ns = event->caller,
	};
	/* At a switch the task lies as it was left. */
	kc_check_stack(kernel, plans, seen, &ret_finding->stack,
		       event->kind == KC_EVENT_GATE ? NULL : &from, checked);
	if (event->kind == KC_EVENT_PANIC && !event->task.count)
		take_caller(kernel, plans, event->caller, checked);
	if (event->kind == KC_EVENT_EXHAUSTED && !event->task.count)
		take_caller(kernel, plans, event->site + 1, checked);
	if (!is_proved(kernel, plans, event, ret_finding))
		return false;
	if (event->kind == KC_EVENT_CHECK || event->kind == KC_EVENT_PANIC)
		compare_depths(kernel, plans, ret_finding);
	if (ret_finding->anomaly == KC_ANOMALY_SLOT)
		ret_finding->seen_intact =
			kc_seen_intact(seen, checked->frames[ret_finding->frame].plan);
	return true;
}

bool kc_event_renew(const struct kc_kernel *kernel, struct kc_plans *plans,
		    const struct kc_event *event)
{
	const struct kc_stack stack = kc_event_stack(event);

	const struct kc_frame from = kc_event_frame(event);

	if (event->kind == KC_EVENT_GATE)
		return kc_renew_stack(kernel, plans, &stack, NULL);
	if (event->kind == KC_EVENT_SAMPLE)
		return kc_renew_stack(kernel, plans, &stack, &from);
	if (event->kind == KC_EVENT_CHECK)
		return kc_plans_renew(plans, event->site);
	if (event->kind == KC_EVENT_RETURN && event->task.count)
		return kc_plans_renew_site(plans, *(const uint64_t *)(event + 1));
	return false;
}
