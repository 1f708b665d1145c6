// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "guard/returns.h"

#include <string.h>

#include "guard/insn.h"

static bool is_return(const struct kc_kernel *kernel, const uint8_t *bytes,
		      const struct kc_insn *insn)
{
	const struct kc_sym *target;

	if (insn->flow == KC_FLOW_STOP)
		return bytes[insn->len - 1] == 0xc3 || bytes[0] == 0xc2;
	if (insn->flow != KC_FLOW_JUMP || !insn->target)
		return false;
	target = kc_ksyms_find(kernel->ksyms, insn->target);
	return target && strstr(kc_sym_name(kernel->ksyms, target), "return_thunk");
}

size_t kc_return_sites(const struct kc_kernel *kernel, const struct kc_sym *sym,
		       uint64_t *ret_sites, size_t max)
{
	struct kc_decoder *decoder kc_auto(kc_cleanup_decoder) = NULL;
	kc_auto_free uint8_t *bytes = malloc(sym->size);
	struct kc_insn insn;
	size_t count = 0;

	if (!bytes || !sym->size || kc_mem_read(kernel->mem, sym->addr, bytes, sym->size) ||
	    kc_decoder_new(&kernel->guard, &decoder))
		return 0;
	for (size_t at = 0; at < sym->size && count < max; at += insn.len) {
		if (!kc_decode(decoder, bytes + at, sym->size - at, sym->addr + at, &insn))
			break;
		if (is_return(kernel, bytes + at, &insn))
			ret_sites[count++] = sym->addr + at;
	}
	return count;
}
