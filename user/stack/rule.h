/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Frame rules, by which stacks are walked in the kernel: see kc_record.h and bpf/walk.bpf.h. */
#ifndef KC_STACK_RULE_H
#define KC_STACK_RULE_H

#include "stack/check.h"

/*
 * The rule of the nth frame of a stack that was checked, of a task that does not run. False: it
 * has none, since only user space can say what to make of it: what its tables or its plan do not
 * say, where somebody patched the call, or where that leads can't be told just now.
 */
bool kc_rule_of(const struct kc_kernel *kernel, const struct kc_checked_stack *stack, size_t nth,
		uint64_t *ret_key, struct kc_rule *ret_rule);

/*
 * Bytes that the planned function takes for its frame, beside the return address: the most that
 * its tables tell of the places where it loads its slot. 0: they don't, or it has no slot.
 */
uint32_t kc_frame_bytes(const struct kc_kernel *kernel, const struct kc_plan *plan);

struct kc_walk_config kc_walk_config_of(const struct kc_kernel *kernel);

#endif
