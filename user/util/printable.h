/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef KC_UTIL_PRINTABLE_H
#define KC_UTIL_PRINTABLE_H

#include <stddef.h>

/*
 * Whatever is neither printable ASCII nor the end of a line becomes '?': names of threads and
 * files are arbitrary bytes, and a recording may say anything. Nothing of it may reach a terminal
 * as an escape sequence, or make JSON that is no UTF-8.
 */
static inline void kc_make_printable(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((text[i] < ' ' || text[i] > '~') && text[i] != '\n' && text[i] != '\t')
			text[i] = '?';
}

#endif
