/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a watch can't do with the capabilities it has. */
#ifndef KC_CLI_RIGHTS_H
#define KC_CLI_RIGHTS_H

#include <stdbool.h>

/* One line on stderr for each part that will be missing; `probes`: they are wanted. */
void kc_tell_rights(bool probes);

#endif
