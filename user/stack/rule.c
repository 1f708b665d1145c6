// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "stack/rule.h"

#include "stack/cfi.h"

static const uint8_t cfas[] = {
	[KC_CFA_SP] = KC_RULE_SP, [KC_CFA_BP] = KC_RULE_BP, [KC_CFA_AT_BP] = KC_RULE_AT_BP,
	[KC_CFA_AT_SP_PLUS] = 0,  [KC_CFA_UNSAVED] = 0,
};

static const uint8_t callers[] = {
	[KC_CALLER_AT_CFA] = KC_RULE_RETURN,
	[KC_CALLER_REGS] = KC_RULE_REGS,
	[KC_CALLER_REGS_PARTIAL] = KC_RULE_REGS_PARTIAL,
	[KC_CALLER_NONE] = KC_RULE_END,
	[KC_CALLER_UNDEFINED] = 0,
	[KC_CALLER_BAD] = 0,
};

static const uint8_t bps[] = {
	[KC_BP_SAME] = 0,
	[KC_BP_AT_CFA] = KC_RULE_CFA,
	[KC_BP_AT_BP] = KC_RULE_BP,
};

static const uint8_t slots[] = {
	[KC_SLOT_CFA] = KC_RULE_CFA,
	[KC_SLOT_SP] = KC_RULE_SP,
	[KC_SLOT_BP] = KC_RULE_BP,
};

/* See function_of() in bpf/frames.bpf.h; false: no symbol covers the frame below. */
static bool find_below(const struct kc_checked_stack *stack, size_t nth, uint32_t *ret_below)
{
	const struct kc_checked_frame *below = nth ? &stack->frames[nth - 1] : NULL;

	if (stack->frames[nth].frame.exact)
		*ret_below = KC_BELOW_IS_EXACT;
	else if (!below)
		*ret_below = KC_BELOW_IS_SWITCH;
	else if (kc_frame_is_bare(&below->frame))
		*ret_below = KC_BELOW_IS_ANY;
	else if (below->sym)
		*ret_below = below->sym->addr;
	else
		return false;
	return true;
}

bool kc_rule_of(const struct kc_kernel *kernel, const struct kc_checked_stack *stack, size_t nth,
		uint64_t *ret_key, struct kc_rule *ret_rule)
{
	const struct kc_checked_frame *checked = &stack->frames[nth];
	const struct kc_frame *frame = &checked->frame;
	bool guarded = checked->status == KC_CHECK_INTACT || checked->status == KC_CHECK_DAMAGED;
	struct kc_cfi_row row;
	struct kc_orc orc;
	uint32_t below;

	if (checked->status == KC_CHECK_UNKNOWN || frame->unsettled || !checked->sym ||
	    !find_below(stack, nth, &below) || !kc_kernel_orc(kernel, kc_frame_site(frame), &orc))
		return false;
	row = kc_cfi_of_orc(&orc);
	if (row.bp == KC_BP_BAD)
		return false;
	*ret_rule = (struct kc_rule){
		.cfa_offset = row.cfa_offset,
		.bp_offset = row.bp_offset,
		.cfa = cfas[row.cfa],
		.caller = callers[row.caller],
		.bp = bps[row.bp],
		.begins = frame->exact && checked->sym->addr == frame->pc,
		.function = checked->sym->addr,
	};
	if (guarded) {
		ret_rule->slot = slots[checked->rule.base];
		ret_rule->slot_offset = checked->rule.offset;
	}
	*ret_key = kc_rule_key(frame->pc, below);
	return ret_rule->caller == KC_RULE_END || (ret_rule->caller && ret_rule->cfa);
}

uint32_t kc_frame_bytes(const struct kc_kernel *kernel, const struct kc_plan *plan)
{
	uint32_t most = 0;
	struct kc_orc orc;

	for (size_t i = 0; i < plan->nr_checks; i++) {
		struct kc_cfi_row row;

		if (!kc_kernel_orc(kernel, plan->checks[i].load, &orc))
			continue;
		row = kc_cfi_of_orc(&orc);
		if (row.cfa == KC_CFA_SP && row.cfa_offset > (int32_t)(most + sizeof(uint64_t)))
			most = row.cfa_offset - sizeof(uint64_t);
	}
	return most;
}

struct kc_walk_config kc_walk_config_of(const struct kc_kernel *kernel)
{
	return (struct kc_walk_config){
		.inactive_size = kernel->inactive.size,
		.inactive_bp = kernel->inactive.bp,
		.inactive_ret = kernel->inactive.ret_addr,
		.regs_size = kernel->pt_regs.size,
		.regs_pc = kernel->pt_regs.pc,
		.regs_mode = kernel->pt_regs.mode,
		.regs_sp = kernel->pt_regs.sp,
		.regs_bp = kernel->pt_regs.bp,
		.top_padding = kc_arch()->top_padding,
		.begins_at_regs = kernel->orc.layout < KC_ORC_V3,
	};
}
