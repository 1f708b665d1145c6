/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the BPF programs count as lost, by name. */
#ifndef KC_PROBE_LOSS_H
#define KC_PROBE_LOSS_H

#include "kc_record.h"

/* One word, as in a JSON key. NULL: there is no such loss. */
const char *kc_loss_name(enum kc_loss loss);

#endif
