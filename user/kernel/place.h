/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A place in kernel text, as people write it. */
#ifndef KC_KERNEL_PLACE_H
#define KC_KERNEL_PLACE_H

#include "kernel/kernel.h"

/* "hrtimer_nanosleep+0x9e [module]"; at least 160 bytes. Returns text. */
const char *kc_place_text(const struct kc_kernel *kernel, uint64_t pc, char text[static 160]);

#endif
