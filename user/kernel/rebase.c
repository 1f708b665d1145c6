// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/rebase.h"

#include "kc_arch.h"

/* Where modules are put: so far above the area's start that nothing falls below it. */
#define MODULES_AT (64 << 20)

/* All that is in the modules' area came after one random distance from its start. */
static uint64_t lowest_module(const struct kc_kernel *kernel)
{
	for (size_t i = 0; i < kc_ksyms_count(kernel->ksyms); i++)
		if (kc_ksyms_at(kernel->ksyms, i)->addr >= kernel->modules_start)
			return kc_ksyms_at(kernel->ksyms, i)->addr & ~0xfffULL;
	return 0;
}

struct kc_rebase kc_rebase_of(const struct kc_kernel *kernel)
{
	uint64_t lowest = lowest_module(kernel);

	return (struct kc_rebase){
		.text = kernel->text,
		.modules = kernel->modules_start,
		.text_by = kernel->text - kc_arch()->linked_text,
		.modules_by = lowest ? lowest - kernel->modules_start - MODULES_AT : 0,
	};
}

uint64_t kc_rebase(const struct kc_rebase *rebase, uint64_t addr)
{
	if (addr < KC_TEXT_HALF || addr >= kc_arch()->modules_end)
		return addr;
	/* A number that is no address: below where vmlinux is put, too. */
	if (addr < rebase->text)
		return KC_TEXT_HALF + (addr & (kc_arch()->linked_text - KC_TEXT_HALF - 1));
	return addr - (addr < rebase->modules ? rebase->text_by : rebase->modules_by);
}
