/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* How kernel facts lie on a tape: for facts.c, which writes them, and facts_load.c. */
#ifndef KC_SOURCE_FACTS_LAYOUT_H
#define KC_SOURCE_FACTS_LAYOUT_H

#include "kernel/kernel.h"

struct tape_kernel {
	struct kc_guard guard;
	struct kc_inactive_frame inactive;
	struct kc_pt_regs pt_regs;
	uint32_t thread_size, orc_layout;
	uint64_t text, text_end, modules_start;
};

struct tape_module {
	char name[64];
	uint64_t text, text_end, load;
};

struct tape_sym {
	uint64_t addr;
	uint32_t size;
	char type, pad[3];
};

#endif
