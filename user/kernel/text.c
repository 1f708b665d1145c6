// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Pairs of reads that may differ in a row. */
#define PAIRS 8

int kc_text_read(const struct kc_kernel *kernel, uint64_t addr, uint8_t *bytes, size_t len)
{
	kc_auto_free uint8_t *again = malloc(len);
	int err = again ? kc_mem_read(kernel->mem, addr, bytes, len) : -ENOMEM;

	for (int i = 0; !err && i < PAIRS; i++) {
		err = kc_mem_read(kernel->mem, addr, again, len);
		if (err || !memcmp(bytes, again, len))
			return err;
		memcpy(bytes, again, len);
	}
	return err ?: -EAGAIN;
}

bool kc_text_is_torn(const uint8_t *bytes, size_t len)
{
	if (!len || !kc_arch()->is_breakpoint(bytes[0]))
		return false;
	for (size_t i = 1; i < len; i++)
		if (!kc_arch()->is_breakpoint(bytes[i]))
			return true;
	return false;
}

void kc_text_wait(void)
{
	const struct timespec nap = { .tv_nsec = 1000000 };

	nanosleep(&nap, NULL);
}
