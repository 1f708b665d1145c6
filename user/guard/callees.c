// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "guard/callees.h"

#include "arch/insn.h"
#include "kernel/text.h"
#include "util/array.h"

#define MAX_DIRECT 64

/* Functions whose first instruction sym's text calls or jumps to, each once. */
static size_t direct_callees(const struct kc_kernel *kernel, struct kc_decoder *decoder,
			     const struct kc_sym *sym, const struct kc_sym *ret_syms[MAX_DIRECT])
{
	kc_auto_free uint8_t *bytes = malloc(sym->size);
	struct kc_insn insn;
	size_t count = 0;

	if (!bytes || !sym->size || kc_text_read(kernel, sym->addr, bytes, sym->size))
		return 0;
	for (size_t at = 0; at < sym->size && count < MAX_DIRECT; at += insn.len) {
		const struct kc_sym *callee;
		bool known = false;

		if (!kc_decode(decoder, bytes + at, sym->size - at, sym->addr + at, &insn))
			break;
		if (!insn.target || insn.target - sym->addr < sym->size)
			continue;
		callee = kc_ksyms_find(kernel->ksyms, insn.target);
		for (size_t i = 0; i < count; i++)
			known |= ret_syms[i] == callee;
		if (callee && callee->addr == insn.target && !known)
			ret_syms[count++] = callee;
	}
	return count;
}

static void add_callee(struct kc_callee *callees, size_t *count, size_t max,
		       const struct kc_sym *sym, const struct kc_sym *via)
{
	for (size_t i = 0; i < *count; i++)
		if (callees[i].sym == sym)
			return;
	if (*count < max)
		callees[(*count)++] = (struct kc_callee){ sym, via };
}

size_t kc_guarded_callees(const struct kc_kernel *kernel, struct kc_plans *plans,
			  const struct kc_sym *sym, struct kc_callee *ret_callees, size_t max)
{
	struct kc_decoder *decoder kc_auto(kc_cleanup_decoder) = NULL;
	const struct kc_sym *first[MAX_DIRECT], *second[MAX_DIRECT];
	size_t nr_first, nr_second, count = 0;

	if (kc_decoder_new(&kernel->guard, &decoder))
		return 0;
	nr_first = direct_callees(kernel, decoder, sym, first);
	for (size_t i = 0; i < nr_first; i++)
		if (kc_plans_of(plans, first[i])->reason == KC_PLAN_OK)
			add_callee(ret_callees, &count, max, first[i], NULL);
	for (size_t i = 0; i < nr_first; i++) {
		if (kc_plans_of(plans, first[i])->reason != KC_PLAN_UNGUARDED)
			continue;
		nr_second = direct_callees(kernel, decoder, first[i], second);
		for (size_t j = 0; j < nr_second; j++)
			if (kc_plans_of(plans, second[j])->reason == KC_PLAN_OK)
				add_callee(ret_callees, &count, max, second[j], first[i]);
	}
	return count;
}
