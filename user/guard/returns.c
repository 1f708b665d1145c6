// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "guard/returns.h"

#include <string.h>

#include "arch/insn.h"
#include "kernel/text.h"

enum way {
	WAY_ON,	     /* stays in the function */
	WAY_OUT,     /* leaves it, the return address being at SP */
	WAY_UNKNOWN, /* may do so */
};

/* Where a jump out of the function leads: a return thunk, or the beginning of another one. */
static enum way jump_out(const struct kc_kernel *kernel, uint64_t to)
{
	const struct kc_sym *target = kc_ksyms_find(kernel->ksyms, to);
	const char *name = target ? kc_sym_name(kernel->ksyms, target) : "";

	if (strstr(name, kc_arch()->return_thunk))
		return WAY_OUT;
	if (kc_sym_cold_stem(name))
		return WAY_ON;
	return target && target->addr == to && !strstr(name, kc_arch()->jump_thunk) ? WAY_OUT
										    : WAY_UNKNOWN;
}

static enum way way_of(const struct kc_kernel *kernel, const struct kc_sym *sym,
		       const struct kc_insn *insn)
{
	bool inside = insn->target - sym->addr < sym->size;

	switch (insn->flow) {
	case KC_FLOW_RETURN:
		return WAY_OUT;
	case KC_FLOW_JUMP:
		return inside	      ? WAY_ON
		       : insn->target ? jump_out(kernel, insn->target)
				      : WAY_UNKNOWN;
	case KC_FLOW_BRANCH:
		return inside || jump_out(kernel, insn->target) == WAY_ON ? WAY_ON : WAY_UNKNOWN;
	default:
		return WAY_ON;
	}
}

size_t kc_return_sites(const struct kc_kernel *kernel, const struct kc_sym *sym,
		       uint64_t *ret_sites, size_t max, bool *ret_all)
{
	struct kc_decoder *decoder kc_auto(kc_cleanup_decoder) = NULL;
	kc_auto_free uint8_t *bytes = malloc(sym->size);
	struct kc_insn insn;
	size_t count = 0;

	*ret_all = false;
	if (!bytes || !sym->size || kc_text_read(kernel, sym->addr, bytes, sym->size) ||
	    kc_decoder_new(&kernel->guard, &decoder))
		return 0;
	*ret_all = true;
	for (size_t at = 0; at < sym->size; at += insn.len) {
		enum way way;

		if (!kc_decode(decoder, bytes + at, sym->size - at, sym->addr + at, &insn)) {
			*ret_all = false;
			break;
		}
		way = way_of(kernel, sym, &insn);
		if (way == WAY_UNKNOWN || (way == WAY_OUT && count == max))
			*ret_all = false;
		else if (way == WAY_OUT)
			ret_sites[count++] = sym->addr + at;
	}
	return count;
}
