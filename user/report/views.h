/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The views of a finding that an engineer would type by hand: bt, bt -r, dis.
 * Each is written line by line; the caller indents or splits it.
 */
#ifndef KC_REPORT_VIEWS_H
#define KC_REPORT_VIEWS_H

#include <stdio.h>

#include "verdict/finding.h"

void kc_view_backtrace(const struct kc_kernel *kernel, const struct kc_finding *finding, FILE *out);

/* The words of the damaged frame and a few around it, each as what it is. */
void kc_view_stack(const struct kc_kernel *kernel, const struct kc_finding *finding, FILE *out);

void kc_view_disassembly(const struct kc_kernel *kernel, const struct kc_finding *finding,
			 FILE *out);

#endif
