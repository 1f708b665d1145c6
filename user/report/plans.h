/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Guard plans as a table or as JSON lines: what `kcanary functions` prints. */
#ifndef KC_REPORT_PLANS_H
#define KC_REPORT_PLANS_H

#include <stdio.h>

#include "guard/plan.h"

struct kc_plan_totals {
	size_t functions;
	size_t by_reason[KC_PLAN_NR_REASONS];
	double seconds;
};

void kc_plan_totals_add(struct kc_plan_totals *totals, const struct kc_plan *plan);

/* 0, or -errno if it could not be written. */
void kc_plans_print_header(FILE *out);
/* addresses: raw ones too, in JSON; they tell where KASLR put the kernel. */
int kc_plans_print(const struct kc_kernel *kernel, const struct kc_plan *plan, bool json,
		   bool addresses, FILE *out);
int kc_plans_print_totals(const struct kc_plan_totals *totals, bool json, FILE *out);

#endif
