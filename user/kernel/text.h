/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Kernel text, which the kernel itself changes while we read: static keys and calls, tracers,
 * probes. Whoever draws conclusions from code reads it through here.
 */
#ifndef KC_KERNEL_TEXT_H
#define KC_KERNEL_TEXT_H

#include "kernel/kernel.h"

/*
 * Read until it reads twice the same. -EFAULT: it can't be read; -EAGAIN: it never did; or
 * -ENOMEM. A patch takes longer than two reads: what it leaves in place meanwhile is a breakpoint,
 * see kc_text_is_torn().
 */
int kc_text_read(const struct kc_kernel *kernel, uint64_t addr, uint8_t *bytes, size_t len);

/*
 * Is there a breakpoint at bytes[0] that nobody's probe accounts for? `len` bytes are left of
 * the code that it is in: compilers fill up with breakpoints, but then there is nothing else
 * up to the end.
 */
bool kc_text_is_torn(const uint8_t *bytes, size_t len);

/* How often text that is torn is worth another look at once, and the time that it takes. */
#define KC_TEXT_TRIES 4
void kc_text_wait(void);

#endif
