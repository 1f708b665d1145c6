// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/overlay.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "util/array.h"

struct piece {
	uint64_t addr;
	uint8_t bytes[KC_MAX_PATCH];
};

struct overlay {
	struct kc_mem mem;
	struct kc_mem *base;
	struct kc_kprobes *kprobes; /* NULL: where they are is not known */
	struct piece *pieces;
	size_t count, capacity;
};

static int overlay_read(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	const struct overlay *overlay = (const struct overlay *)mem;
	int err = kc_mem_read(overlay->base, addr, buf, len);

	if (!err && overlay->kprobes)
		kc_kprobes_restore(overlay->kprobes, addr, buf, len);
	for (size_t i = 0; !err && i < overlay->count; i++) {
		const struct piece *piece = &overlay->pieces[i];

		for (size_t n = 0; n < kc_arch()->patch_len; n++)
			if (piece->addr + n - addr < len)
				((uint8_t *)buf)[piece->addr + n - addr] = piece->bytes[n];
	}
	return err;
}

static void overlay_destroy(struct kc_mem *mem)
{
	struct overlay *overlay = (struct overlay *)mem;

	kc_kprobes_free(overlay->kprobes);
	kc_mem_destroy(overlay->base);
	free(overlay->pieces);
	free(overlay);
}

int kc_overlay_new(struct kc_mem *base, struct kc_mem **ret_mem)
{
	struct overlay *overlay = calloc(1, sizeof(*overlay));

	if (!overlay) {
		kc_mem_destroy(base);
		return -ENOMEM;
	}
	overlay->mem = (struct kc_mem){ overlay_read, overlay_destroy, base->name };
	overlay->base = base;
	*ret_mem = &overlay->mem;
	return 0;
}

int kc_overlay_learn(struct kc_mem *mem, const struct kc_kprobe_table *table)
{
	struct overlay *overlay = (struct overlay *)mem;

	return kc_kprobes_new(overlay->base, table, &overlay->kprobes);
}

int kc_overlay_keep(struct kc_mem *mem, uint64_t addr)
{
	struct overlay *overlay = (struct overlay *)mem;
	struct piece piece = { .addr = addr };
	int err = kc_mem_read(mem, addr, piece.bytes, kc_arch()->patch_len);

	if (!err)
		err = kc_grow(overlay->pieces, overlay->capacity, overlay->count + 1);
	if (!err)
		overlay->pieces[overlay->count++] = piece;
	return err;
}

static bool is_patched(const struct overlay *overlay, const struct piece *piece)
{
	uint8_t now;

	return !kc_mem_read(overlay->base, piece->addr, &now, 1) && kc_arch()->is_patch(now);
}

void kc_overlay_forget(struct kc_mem *mem, uint64_t start, uint64_t end)
{
	struct overlay *overlay = (struct overlay *)mem;
	size_t kept = 0;

	for (size_t i = 0; i < overlay->count; i++)
		if ((overlay->pieces[i].addr >= start && overlay->pieces[i].addr < end) ||
		    is_patched(overlay, &overlay->pieces[i]))
			overlay->pieces[kept++] = overlay->pieces[i];
	overlay->count = kept;
}
