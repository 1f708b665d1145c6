// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "stack/place.h"

#include <stdio.h>

static const char *offset_text(const struct kc_ksyms *ksyms, const struct kc_sym *sym, uint64_t pc,
			       char text[static 160])
{
	const char *module;

	if (!sym) {
		snprintf(text, 160, "(no symbol)");
		return text;
	}
	module = kc_sym_module(ksyms, sym);
	snprintf(text, 160, "%s+0x%lx%s%s%s", kc_sym_name(ksyms, sym), pc - sym->addr,
		 *module ? " [" : "", module, *module ? "]" : "");
	return text;
}

const char *kc_frame_text(const struct kc_kernel *kernel, const struct kc_frame *frame,
			  char text[static 160])
{
	return offset_text(kernel->ksyms, kc_ksyms_find(kernel->ksyms, kc_frame_site(frame)),
			   frame->pc, text);
}

const char *kc_place_text(const struct kc_kernel *kernel, uint64_t pc, char text[static 160])
{
	const struct kc_sym *sym = kc_ksyms_find(kernel->ksyms, pc);

	/* A return address may lie just behind its function; a pointer to one may not. */
	if (!sym || sym->addr != pc)
		sym = kc_ksyms_find(kernel->ksyms, pc - 1);
	return offset_text(kernel->ksyms, sym, pc, text);
}
