// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "stack/cfi.h"

static const uint8_t callers[] = {
	[KC_ORC_UNDEFINED] = KC_CALLER_UNDEFINED,
	[KC_ORC_END_OF_STACK] = KC_CALLER_NONE,
	[KC_ORC_CALL] = KC_CALLER_AT_CFA,
	[KC_ORC_REGS] = KC_CALLER_REGS,
	[KC_ORC_REGS_PARTIAL] = KC_CALLER_REGS_PARTIAL,
	[KC_ORC_BAD] = KC_CALLER_BAD,
};

struct kc_cfi_row kc_cfi_of_orc(const struct kc_orc *orc)
{
	struct kc_cfi_row row = {
		.caller = callers[orc->type],
		.signal = orc->signal,
		.cfa_offset = orc->sp_offset,
		.bp_offset = orc->bp_offset,
	};

	switch (orc->sp_reg) {
	case KC_ORC_REG_SP:
		row.cfa = KC_CFA_SP;
		break;
	case KC_ORC_REG_BP:
		row.cfa = KC_CFA_BP;
		break;
	case KC_ORC_REG_BP_INDIRECT:
		row.cfa = KC_CFA_AT_BP;
		break;
	case KC_ORC_REG_SP_INDIRECT:
		row.cfa = KC_CFA_AT_SP_PLUS;
		break;
	case KC_ORC_REG_OTHER:
		row.cfa = KC_CFA_UNSAVED;
		break;
	default:
		if (row.caller != KC_CALLER_NONE && row.caller != KC_CALLER_UNDEFINED)
			row.caller = KC_CALLER_BAD;
	}
	switch (orc->bp_reg) {
	case KC_ORC_REG_UNDEFINED:
		row.bp = KC_BP_SAME;
		break;
	case KC_ORC_REG_PREV_SP:
		row.bp = KC_BP_AT_CFA;
		break;
	case KC_ORC_REG_BP:
		row.bp = KC_BP_AT_BP;
		break;
	default:
		row.bp = KC_BP_BAD;
	}
	return row;
}

static const uint8_t ahead_bps[] = {
	[KC_AHEAD_BP_SAME] = KC_BP_SAME,
	[KC_AHEAD_BP_AT_CFA] = KC_BP_AT_CFA,
	[KC_AHEAD_BP_AT_BP] = KC_BP_AT_BP,
};

struct kc_cfi_row kc_cfi_of_ahead(const struct kc_ahead *ahead)
{
	return (struct kc_cfi_row){
		.cfa = ahead->from_bp ? KC_CFA_BP : KC_CFA_SP,
		.caller = KC_CALLER_AT_CFA,
		.bp = ahead_bps[ahead->bp],
		.cfa_offset = ahead->cfa_offset,
		.bp_offset = ahead->bp_offset,
	};
}
