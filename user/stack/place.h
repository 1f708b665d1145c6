/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A place in kernel text, as people write it: "hrtimer_nanosleep+0x9e [module]". */
#ifndef KC_STACK_PLACE_H
#define KC_STACK_PLACE_H

#include "stack/unwind.h"

/*
 * Of a frame: of the function that called, even if the call is its last instruction and
 * the return address thus the next function's start. Returns text.
 */
const char *kc_frame_text(const struct kc_kernel *kernel, const struct kc_frame *frame,
			  char text[static 160]);

/* Of a word that may be a return address or a pointer to a function. Returns text. */
const char *kc_place_text(const struct kc_kernel *kernel, uint64_t pc, char text[static 160]);

#endif
