/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What was told already: the same corruption is reported once, then counted. */
#ifndef KC_VERDICT_TOLD_H
#define KC_VERDICT_TOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kc_record.h"
#include "util/cleanup.h"
#include "verdict/finding.h"

struct kc_told;

/* May be used by several threads. */
int kc_told_new(struct kc_told **ret_told);
void kc_told_free(struct kc_told *told);
KC_DEFINE_AUTO(told, struct kc_told, kc_told_free)

/* What was damaged, and where on the task's stack. A panic is about a slot. */
struct kc_told_what {
	enum kc_anomaly anomaly;
	uint64_t addr;
};

/*
 * Was it told of? Of a task asleep (by_sleep): in this very sleep; of a running one:
 * ever.
 */
bool kc_told_has(struct kc_told *told, const struct kc_record *task, struct kc_told_what what,
		 bool by_sleep);

/*
 * Its number, from 1, is the finding's. 0, -ENOMEM, or -ENOSPC after KC_MAX_TOLD: by
 * then everybody knows, and what comes is counted only; a panic is always told.
 */
#define KC_MAX_TOLD 4096

int kc_told_add(struct kc_told *told, const struct kc_record *task, struct kc_told_what what,
		uint64_t *ret_seq);

/* Findings about one thread; other threads that there were findings about. */
size_t kc_told_of(struct kc_told *told, uint32_t tid);
size_t kc_told_others(struct kc_told *told, uint32_t tid);

#endif
