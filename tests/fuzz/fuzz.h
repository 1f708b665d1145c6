/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel out of fuzzer's bytes. Memory is three windows at fixed addresses,
 * whose contents the target chooses; everything else can't be read.
 */
#ifndef KC_FUZZ_H
#define KC_FUZZ_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/kernel.h"

#define TEXT   0xffffffff81000000ULL
#define ORC_IP 0xffffffff82000000ULL
#define ORC    0xffffffff82800000ULL

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define require(condition)                                                              \
	do {                                                                            \
		if (!(condition)) {                                                     \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                        \
		}                                                                       \
	} while (0)

struct window {
	uint64_t addr;
	const void *bytes;
	size_t len;
};

struct fuzz {
	struct kc_mem mem;
	struct window windows[3];
	struct kc_kernel kernel;
};

static inline int fuzz_read(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	const struct fuzz *fuzz = (const struct fuzz *)mem;

	for (size_t i = 0; i < 3; i++) {
		const struct window *window = &fuzz->windows[i];

		if (window->len && addr >= window->addr && addr - window->addr < window->len &&
		    len <= window->len - (addr - window->addr)) {
			memcpy(buf, (const char *)window->bytes + (addr - window->addr), len);
			return 0;
		}
	}
	return -EFAULT;
}

/* One function `f` of `len` bytes at TEXT, `g` behind it, and the usual layouts. */
static inline void fuzz_begin(struct fuzz *fuzz, size_t len)
{
	char text[256];
	FILE *file;

	memset(fuzz, 0, sizeof(*fuzz));
	fuzz->mem.read = fuzz_read;
	fuzz->mem.name = "fuzz";
	snprintf(text, sizeof(text), "%llx T f\n%llx T g\n%llx T __stack_chk_fail\n%llx T _etext\n",
		 TEXT, TEXT + len, TEXT + len + 16, TEXT + len + 32);
	file = fmemopen(text, strlen(text), "r");
	require(file && !kc_ksyms_parse(file, &fuzz->kernel.ksyms));
	fclose(file);
	fuzz->kernel.mem = &fuzz->mem;
	fuzz->kernel.text = TEXT;
	fuzz->kernel.text_end = TEXT + len + 32;
	fuzz->kernel.guard.addr = 0x28;
	fuzz->kernel.inactive = (struct kc_inactive_frame){ .bp = 40, .ret_addr = 48, .size = 56 };
	fuzz->kernel.pt_regs =
		(struct kc_pt_regs){ .bp = 32, .pc = 128, .mode = 136, .sp = 152, .size = 168 };
}

/* ORC rows from `raw`, spread evenly over the text. */
static inline void fuzz_orc(struct fuzz *fuzz, const struct kc_orc_raw *raw, size_t count,
			    enum kc_orc_layout layout)
{
	uint64_t span = fuzz->kernel.text_end - TEXT;
	struct kc_orc_table *table = &fuzz->kernel.orc;

	*table = (struct kc_orc_table){ .ip_addr = ORC_IP, .count = count, .layout = layout };
	table->ip = malloc(count * sizeof(*table->ip) + 1);
	table->entries = malloc(count * sizeof(*table->entries) + 1);
	require(table->ip && table->entries);
	for (size_t i = 0; i < count; i++)
		table->ip[i] = (int64_t)(TEXT + span * i / count) - (int64_t)(ORC_IP + 4 * i);
	memcpy(table->entries, raw, count * sizeof(*raw));
}

static inline void fuzz_end(struct fuzz *fuzz)
{
	kc_ksyms_free(fuzz->kernel.ksyms);
	kc_orc_table_free(&fuzz->kernel.orc);
	free(fuzz->kernel.edges);
}

#endif
