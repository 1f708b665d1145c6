// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/loss.h"

#include <stddef.h>

#include "util/array.h"

static const char *const names[] = {
	[KC_LOSS_RING] = "ring",
	[KC_LOSS_SCRATCH] = "scratch",
	[KC_LOSS_SIZE] = "size",
	[KC_LOSS_STACK] = "stack",
	[KC_LOSS_TASK] = "task",
	[KC_LOSS_POINT] = "point",
	[KC_LOSS_GUARD] = "guard",
	[KC_LOSS_REGS] = "regs",
	[KC_LOSS_BELOW] = "below",
	[KC_LOSS_RETURNS] = "returns",
	[KC_LOSS_THREADS] = "threads",
	[KC_LOSS_TOLD] = "told",
	[KC_LOSS_HOLDS] = "holds",
	[KC_LOSS_STACK_END] = "stack_end",
	[KC_LOSS_HIGH_WATER] = "high_water",
	[KC_LOSS_BUDGET] = "budget",
	[KC_LOSS_CANARY] = "canary",
	[KC_LOSS_REPLACED] = "replaced",
	[KC_LOSS_PLACE] = "place",
	[KC_LOSS_CGROUP] = "cgroup",
};
_Static_assert(kc_countof(names) == KC_LOSS_NR, "each loss has a name");

const char *kc_loss_name(enum kc_loss loss)
{
	return loss < KC_LOSS_NR ? names[loss] : NULL;
}
