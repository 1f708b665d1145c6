/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Scope guards: who owns a thing is visible where it is declared.
 *
 *	kc_auto_free char *name = strdup(x);	freed when the scope ends
 *	kc_auto_fd int fd = open(...);		closed, if >= 0
 *	kc_auto_file FILE *f = fopen(...);	closed, if not NULL
 *	return kc_take(name);			ownership leaves the scope
 */
#ifndef KC_UTIL_CLEANUP_H
#define KC_UTIL_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void kc_cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void kc_cleanup_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void kc_cleanup_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define kc_auto(destructor) __attribute__((cleanup(destructor)))
#define kc_auto_free	    kc_auto(kc_cleanup_free)
#define kc_auto_fd	    kc_auto(kc_cleanup_fd)
#define kc_auto_file	    kc_auto(kc_cleanup_file)

#define kc_take(pointer)                           \
	({                                         \
		typeof(pointer) taken = (pointer); \
		(pointer) = NULL;                  \
		taken;                             \
	})

/* Define cleanup_NAME(), a guard's destructor for a `type *` freed by `destroy`. */
#define KC_DEFINE_AUTO(name, type, destroy)                 \
	static inline void kc_cleanup_##name(type **object) \
	{                                                   \
		destroy(*object);                           \
	}

#endif
