/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the judge's parts have in common. Private to user/verdict. */
#ifndef KC_VERDICT_JUDGE_H
#define KC_VERDICT_JUDGE_H

#include "verdict/finding.h"

/* One more reason; beyond KC_MAX_WHY it is dropped. */
void kc_because(struct kc_verdict *verdict, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Of KC_ANOMALY_SLOT and KC_ANOMALY_PANIC: class, confidence and reasons. */
void kc_judge_slot(struct kc_finding *finding);

#endif
