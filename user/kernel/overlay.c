// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/overlay.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "kernel/text.h"
#include "util/array.h"

struct piece {
	uint64_t addr;
	uint64_t load; /* of the module that it is in; 0: of none, or not known */
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

void kc_overlay_next_pass(struct kc_mem *mem)
{
	struct overlay *overlay = (struct overlay *)mem;

	if (overlay->kprobes)
		kc_kprobes_next_pass(overlay->kprobes);
}

uint64_t kc_overlay_unwalked(struct kc_mem *mem)
{
	struct overlay *overlay = (struct overlay *)mem;

	return overlay->kprobes ? kc_kprobes_unwalked(overlay->kprobes) : 0;
}

static uint64_t load_at(const struct kc_kernel *kernel, uint64_t addr)
{
	const struct kc_module *module = kc_kernel_module(kernel, addr);

	return module ? module->load : 0;
}

/* While somebody patches it, its first byte is a breakpoint, and what follows may be half done. */
static int read_unpatched(struct kc_mem *mem, uint64_t addr, uint8_t bytes[KC_MAX_PATCH])
{
	size_t len = kc_arch()->patch_len;
	uint8_t again[KC_MAX_PATCH];

	for (int i = 0; i < KC_TEXT_TRIES; i++) {
		int err = kc_mem_read(mem, addr, bytes, len) ?: kc_mem_read(mem, addr, again, len);

		if (err)
			return err;
		if (!memcmp(bytes, again, len) && !kc_arch()->is_breakpoint(bytes[0]))
			return 0;
		kc_text_wait();
	}
	return -EAGAIN;
}

int kc_overlay_keep(struct kc_mem *mem, const struct kc_kernel *kernel, uint64_t addr)
{
	struct overlay *overlay = (struct overlay *)mem;
	struct piece piece = { .addr = addr, .load = load_at(kernel, addr) };
	int err = read_unpatched(mem, addr, piece.bytes);

	if (!err)
		err = kc_grow(overlay->pieces, overlay->capacity, overlay->count + 1);
	if (!err)
		overlay->pieces[overlay->count++] = piece;
	return err;
}

/* Is what lies there now still what it was when the piece was kept? */
static bool still_there(const struct kc_kernel *kernel, const struct piece *piece)
{
	if (piece->addr >= kernel->text && piece->addr < kernel->text_end)
		return true;
	return piece->load && piece->load == load_at(kernel, piece->addr);
}

void kc_overlay_forget(struct kc_mem *mem, const struct kc_kernel *kernel)
{
	struct overlay *overlay = (struct overlay *)mem;
	size_t kept = 0;

	for (size_t i = 0; i < overlay->count; i++)
		if (still_there(kernel, &overlay->pieces[i]))
			overlay->pieces[kept++] = overlay->pieces[i];
	overlay->count = kept;
}
