// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/place.h"

#include <stdio.h>

const char *kc_place_text(const struct kc_kernel *kernel, uint64_t pc, char text[static 160])
{
	const struct kc_sym *sym = kc_ksyms_find(kernel->ksyms, pc);
	const char *module;

	/* A return address may lie just behind its function; a pointer to one may not. */
	if (!sym || sym->addr != pc)
		sym = kc_ksyms_find(kernel->ksyms, pc - 1);
	if (!sym) {
		snprintf(text, 160, "(no symbol)");
		return text;
	}
	module = kc_sym_module(kernel->ksyms, sym);
	snprintf(text, 160, "%s+0x%lx%s%s%s", kc_sym_name(kernel->ksyms, sym), pc - sym->addr,
		 *module ? " [" : "", module, *module ? "]" : "");
	return text;
}
