/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What `kcanary doctor` has tried, as a table or as JSON lines. */
#ifndef KC_REPORT_CHECKUP_H
#define KC_REPORT_CHECKUP_H

#include <stdbool.h>
#include <stdio.h>

#include "monitor/doctor.h"

/* 0, or -errno if it could not be written. */
int kc_checkup_print(const struct kc_checkup *checkup, bool json, FILE *out);

#endif
