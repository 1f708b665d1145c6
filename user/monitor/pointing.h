/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the words of a damaged stack point to: which of them to ask for. */
#ifndef KC_MONITOR_POINTING_H
#define KC_MONITOR_POINTING_H

#include "source/source.h"
#include "stack/check.h"

/*
 * Of the words of the innermost frame that is damaged, and of those above it, up to KC_MAX_WORDS.
 * also: the finding's frame, if the check of the stack does not call it damaged, and its slot; or
 * NULL.
 */
void kc_point(struct kc_source *source, const struct kc_kernel *kernel,
	      const struct kc_stack *stack, const struct kc_checked_stack *checked,
	      const struct kc_checked_frame *also, struct kc_pointed_words *ret_pointed);

#endif
