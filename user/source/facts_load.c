// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* A kernel out of what a tape says of it. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "kernel/edges.h"
#include "source/facts.h"
#include "source/facts_layout.h"
#include "util/array.h"

struct piece {
	uint64_t addr, len;
	const uint8_t *bytes;
	const struct kc_tape_entry *entry;
};

/* As many as user/kernel/modules.c reads. */
#define MAX_MODULES 8192

/* All that was loaded. */
struct loaded {
	struct kc_mem mem;
	struct piece *pieces;
	size_t nr_pieces, pieces_capacity;
	const struct kc_tape_entry *until;
	struct kc_ksyms_row *syms;
	size_t nr_syms, syms_capacity;
	struct kc_orc_row *rows;
	size_t nr_rows, rows_capacity;
	struct kc_module *modules;
	size_t nr_modules, modules_capacity;
	struct kc_edge *edges;
	size_t nr_edges, edges_capacity;
};

/*
 * Of two that cover addr? Pieces of generated code may overlap, each as it was read from its start
 * on: see write_code_piece(). Of a function's texts, the last one that was read by then.
 */
static bool is_rather(const struct loaded *loaded, const struct piece *piece,
		      const struct piece *found, uint64_t addr)
{
	if (!found)
		return true;
	if ((piece->addr == addr) != (found->addr == addr))
		return piece->addr == addr;
	return piece->entry < loaded->until;
}

static const struct piece *find_piece(const struct loaded *loaded, uint64_t addr)
{
	const struct piece *found = NULL;

	for (size_t i = 0; i < loaded->nr_pieces; i++) {
		const struct piece *piece = &loaded->pieces[i];

		if (addr - piece->addr < piece->len && is_rather(loaded, piece, found, addr))
			found = piece;
	}
	return found;
}

static int loaded_read(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	const struct loaded *loaded = (const struct loaded *)mem;

	while (len) {
		const struct piece *piece = find_piece(loaded, addr);
		size_t here;

		if (!piece)
			return -EFAULT;
		here = piece->len - (addr - piece->addr);
		here = here < len ? here : len;
		memcpy(buf, piece->bytes + (addr - piece->addr), here);
		buf = (uint8_t *)buf + here;
		addr += here;
		len -= here;
	}
	return 0;
}

static int load_symbol(struct loaded *loaded, const struct kc_tape_entry *entry)
{
	const struct tape_sym *head = entry->data;
	const char *name, *module, *end;

	if (entry->len < sizeof(*head) + 2 || ((const char *)entry->data)[entry->len - 1])
		return -EBADMSG;
	name = (const char *)(head + 1);
	end = (const char *)entry->data + entry->len;
	module = name + strlen(name) + 1;
	if (module >= end || kc_grow(loaded->syms, loaded->syms_capacity, loaded->nr_syms + 1))
		return -EBADMSG;
	loaded->syms[loaded->nr_syms++] =
		(struct kc_ksyms_row){ head->addr, head->size, head->type, name, module };
	return 0;
}

static int load_text(struct loaded *loaded, const struct kc_tape_entry *entry)
{
	struct piece piece;

	if (entry->len < sizeof(piece.addr))
		return -EBADMSG;
	memcpy(&piece.addr, entry->data, sizeof(piece.addr));
	piece.bytes = (const uint8_t *)entry->data + sizeof(piece.addr);
	piece.len = entry->len - sizeof(piece.addr);
	piece.entry = entry;
	if (kc_grow(loaded->pieces, loaded->pieces_capacity, loaded->nr_pieces + 1))
		return -ENOMEM;
	loaded->pieces[loaded->nr_pieces++] = piece;
	return 0;
}

static int load_module(struct loaded *loaded, const struct kc_tape_entry *entry)
{
	const struct tape_module *head = entry->data;
	struct kc_module *module;

	if (entry->len != sizeof(*head) || head->text_end <= head->text || !head->text ||
	    head->name[sizeof(head->name) - 1])
		return -EBADMSG;
	if (loaded->nr_modules == MAX_MODULES)
		return -EBADMSG;
	if (kc_grow(loaded->modules, loaded->modules_capacity, loaded->nr_modules + 1))
		return -ENOMEM;
	module = &loaded->modules[loaded->nr_modules++];
	*module = (struct kc_module){
		.text = head->text,
		.text_end = head->text_end,
		.load = head->load,
	};
	memcpy(module->name, head->name, sizeof(module->name));
	return 0;
}

#define keep(loaded, entry, items, count, capacity)                                              \
	({                                                                                       \
		int err = -EBADMSG;                                                              \
		if ((entry)->len == sizeof(*(loaded)->items))                                    \
			err = kc_grow((loaded)->items, (loaded)->capacity, (loaded)->count + 1); \
		if (!err)                                                                        \
			memcpy(&(loaded)->items[(loaded)->count++], (entry)->data,               \
			       sizeof(*(loaded)->items));                                        \
		err;                                                                             \
	})

static int load_fact(struct loaded *loaded, const struct kc_tape_entry *entry)
{
	switch (entry->kind) {
	case KC_TAPE_MODULE:
		return load_module(loaded, entry);
	case KC_TAPE_SYM:
		return load_symbol(loaded, entry);
	case KC_TAPE_TEXT:
		return load_text(loaded, entry);
	case KC_TAPE_ORC:
		return keep(loaded, entry, rows, nr_rows, rows_capacity);
	case KC_TAPE_EDGE:
		return keep(loaded, entry, edges, nr_edges, edges_capacity);
	default:
		return 0;
	}
}

static int compare_orc_rows(const void *a, const void *b)
{
	const struct kc_orc_row *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

#define row_start(rows, i) ((rows)[i].start)

/* How many rows begin below addr. */
static size_t rows_below(const struct loaded *loaded, uint64_t addr)
{
	size_t last = kc_last_at_or_below(loaded->rows, loaded->nr_rows, addr - 1, row_start);

	return last == loaded->nr_rows ? 0 : last + 1;
}

/* The rows of [start, end), which is not empty. */
static int make_table(const struct loaded *loaded, uint64_t start, uint64_t end,
		      enum kc_orc_layout layout, struct kc_orc_table *ret_table)
{
	size_t first = rows_below(loaded, start), last = rows_below(loaded, end);

	return kc_orc_table_make(last ? loaded->rows + first : NULL, last - first, layout,
				 ret_table);
}

/* Offsets are where words of so many bytes are read. */
static bool fits(uint32_t offset, uint32_t size)
{
	return size <= 4096 && offset % 8 == 0 && offset + 8 <= size;
}

static bool is_sound(const struct tape_kernel *head)
{
	const struct kc_pt_regs *at = &head->pt_regs;

	return head->thread_size >= 4096 && head->thread_size <= 1 << 20 &&
	       !(head->thread_size & (head->thread_size - 1)) && head->text &&
	       head->text_end > head->text && head->orc_layout <= KC_ORC_V4 &&
	       fits(head->inactive.bp, head->inactive.size) &&
	       fits(head->inactive.ret_addr, head->inactive.size) && fits(at->pc, at->size) &&
	       fits(at->sp, at->size) && fits(at->bp, at->size) && fits(at->mode, at->size) &&
	       *(const uint8_t *)&head->guard.pc_relative <= 1;
}

static int build_kernel(const struct tape_kernel *head, struct loaded *loaded,
			struct kc_kernel *kernel)
{
	int err;

	if (!is_sound(head))
		return -EBADMSG;
	kernel->guard = head->guard;
	kernel->inactive = head->inactive;
	kernel->pt_regs = head->pt_regs;
	kernel->thread_size = head->thread_size;
	kernel->text = head->text;
	kernel->text_end = head->text_end;
	kernel->modules_start = head->modules_start;
	if (loaded->nr_rows)
		qsort(loaded->rows, loaded->nr_rows, sizeof(*loaded->rows), compare_orc_rows);
	kc_edges_sort(loaded->edges, loaded->nr_edges);
	err = kc_ksyms_make(loaded->syms, loaded->nr_syms, &kernel->ksyms);
	if (!err)
		err = make_table(loaded, head->text, head->text_end, head->orc_layout,
				 &kernel->orc);
	for (size_t i = 0; !err && i < loaded->nr_modules; i++)
		err = make_table(loaded, loaded->modules[i].text, loaded->modules[i].text_end,
				 head->orc_layout, &loaded->modules[i].orc);
	kernel->modules = kc_take(loaded->modules);
	kernel->nr_modules = loaded->nr_modules;
	kernel->edges = kc_take(loaded->edges);
	kernel->nr_edges = loaded->nr_edges;
	return err;
}

static void loaded_destroy(struct kc_mem *mem)
{
	struct loaded *loaded = (struct loaded *)mem;

	free(loaded->pieces);
	free(loaded->syms);
	free(loaded->rows);
	free(loaded->modules);
	free(loaded->edges);
	free(loaded);
}

void kc_facts_until(struct kc_mem *mem, const struct kc_tape_entry *end)
{
	((struct loaded *)mem)->until = end;
}

int kc_facts_load(const struct kc_tape_entry *entries, size_t count, struct kc_kernel **ret_kernel,
		  struct kc_mem **ret_mem)
{
	struct kc_kernel *kernel kc_auto(kc_cleanup_kernel) = calloc(1, sizeof(*kernel));
	struct loaded *loaded = calloc(1, sizeof(*loaded));
	int err = kernel && loaded ? 0 : -ENOMEM;

	if (!err && (!count || entries[0].kind != KC_TAPE_KERNEL ||
		     entries[0].len != sizeof(struct tape_kernel)))
		err = -EBADMSG;
	for (size_t i = 1; !err && i < count && entries[i].kind != KC_TAPE_KERNEL; i++)
		err = load_fact(loaded, &entries[i]);
	if (!err)
		err = build_kernel(entries[0].data, loaded, kernel);
	if (err) {
		if (loaded)
			loaded_destroy(&loaded->mem);
		return err;
	}
	loaded->mem = (struct kc_mem){ loaded_read, loaded_destroy, "recording" };
	kernel->mem = &loaded->mem;
	*ret_mem = &loaded->mem;
	*ret_kernel = kc_take(kernel);
	return 0;
}
