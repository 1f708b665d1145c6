/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KC_UTIL_EXIT_H
#define KC_UTIL_EXIT_H

/* The tool's exit statuses, the same for every sub-command. */
enum kc_exit {
	KC_EXIT_CLEAN = 0,
	KC_EXIT_FINDINGS = 1,
	KC_EXIT_USAGE = 2,
	KC_EXIT_CANNOT_RUN = 3, /* on this host, or without these rights */
	KC_EXIT_BLIND = 4,	/* nothing found, but not everything could be seen */
	KC_EXIT_FAILED = 5,
};

#endif
