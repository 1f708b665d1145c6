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
	if (addr < KC_TEXT_HALF || addr < rebase->text || addr >= kc_arch()->modules_end)
		return addr;
	return addr - (addr < rebase->modules ? rebase->text_by : rebase->modules_by);
}

/* Where nothing is, but code might be; and where none can be. */
#define MAY_BE_CODE (0x1000)

uint64_t kc_rebase_found(const struct kc_rebase *rebase, const struct kc_kernel *kernel,
			 uint64_t number)
{
	if (number < kc_arch()->kernel_half || number >= kc_arch()->modules_end)
		return number;
	if (kc_kernel_is_text(kernel, number) || kc_ksyms_find(kernel->ksyms, number))
		return kc_rebase(rebase, number);
	return number >= rebase->modules ? rebase->modules + MAY_BE_CODE : KC_TEXT_HALF;
}
