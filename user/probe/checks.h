/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Check probes: compare slot and canary at every check of chosen functions. */
#ifndef KC_PROBE_CHECKS_H
#define KC_PROBE_CHECKS_H

#include "guard/plan.h"
#include "kc_record.h"

struct kc_checks;

int kc_checks_new(char ret_reason[static 160], struct kc_checks **ret_checks);

/*
 * Detaches everything. Slow: the kernel takes some 10 ms for each probe
 * (80-98 ms under emulation), one after the other.
 */
void kc_checks_free(struct kc_checks *checks);
KC_DEFINE_AUTO(checks, struct kc_checks, kc_checks_free)

/*
 * Attach at every check of a planned function whose load is one instruction.
 * Returns how many were attached; -errno if the kernel refused the first one
 * (-EINVAL: the place must not be probed, -ENOSPC: KC_MAX_CHECKS are attached).
 */
int kc_checks_attach(struct kc_checks *checks, const struct kc_plan *plan);

/* Totals of the checks that one kc_checks_attach() call attached. 0 or -errno. */
int kc_checks_read(struct kc_checks *checks, const struct kc_plan *plan,
		   struct kc_check_count *ret_count);

size_t kc_checks_attached(const struct kc_checks *checks);

#endif
