// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "source/facts.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "arch/insn.h"
#include "guard/ahead.h"
#include "kernel/edges.h"
#include "kernel/text.h"
#include "util/array.h"

struct tape_kernel {
	struct kc_guard guard;
	struct kc_inactive_frame inactive;
	struct kc_pt_regs pt_regs;
	uint32_t thread_size, orc_layout;
	uint64_t text, text_end, modules_start;
};

struct tape_module {
	char name[64];
	uint64_t text, text_end, load;
};

struct tape_sym {
	uint64_t addr;
	uint32_t size;
	char type, pad[3];
};

const uint32_t kc_facts_layouts = sizeof(struct tape_kernel) + sizeof(struct tape_module) +
				  sizeof(struct tape_sym) + sizeof(struct kc_orc_row) +
				  sizeof(struct kc_edge);

/* One whose text is on the tape, and the text as it was last. */
struct function {
	uint64_t addr;
	uint8_t *bytes;
	uint8_t *whole; /* as it was last before a patch that bytes are in the middle of */
	size_t len;
};

struct kc_facts {
	struct kc_mem mem; /* first: in the kernel's place, and notes what is read */
	struct kc_mover mover;
	const struct kc_mem *base;
	struct kc_kernel *kernel;
	struct kc_tape *tape;
	struct kc_rebase rebase;
	struct kc_decoder *decoder;
	struct function *functions; /* and pieces of generated code */
	size_t nr_functions, capacity;
};

static const struct kc_facts *facts_of(const struct kc_mover *mover)
{
	return (const struct kc_facts *)((const char *)mover - offsetof(struct kc_facts, mover));
}

static uint64_t move_place(const struct kc_mover *mover, uint64_t addr)
{
	return kc_rebase(&facts_of(mover)->rebase, addr);
}

static uint64_t move_operand(const struct kc_mover *mover, uint64_t number)
{
	const struct kc_facts *facts = facts_of(mover);

	return kc_rebase_found(&facts->rebase, facts->kernel, number);
}

/* NULL: out of memory. */
static struct function *find_function(struct kc_facts *facts, uint64_t addr)
{
	for (size_t i = 0; i < facts->nr_functions; i++)
		if (facts->functions[i].addr == addr)
			return &facts->functions[i];
	if (kc_grow(facts->functions, facts->capacity, facts->nr_functions + 1))
		return NULL;
	facts->functions[facts->nr_functions] = (struct function){ .addr = addr };
	return &facts->functions[facts->nr_functions++];
}

/* What stands for the rest of what can't be moved, be it data or filling: no instruction. */
#define NO_CODE 0xff

/*
 * Bytes of the instruction that is being patched at bytes[at], a breakpoint in its first until
 * the rest is written (Linux: text_poke_bp_batch()), by what was there before. 0: none is.
 */
static size_t patch_len(struct kc_facts *facts, const uint8_t *before, const uint8_t *bytes,
			size_t len, size_t at, uint64_t addr)
{
	struct kc_insn insn;

	if (!before || !kc_arch()->is_breakpoint(bytes[at]) ||
	    kc_arch()->is_breakpoint(before[at]) ||
	    !kc_decode(facts->decoder, before + at, len - at, addr + at, &insn))
		return 0;
	return insn.len;
}

/*
 * Put code in its place on the tape, as far as it is code; an instruction may need `room`. Of one
 * that is being patched only the breakpoint stays. before: as it was, or NULL.
 */
static void move_code(struct kc_facts *facts, const uint8_t *before, uint8_t *bytes, size_t len,
		      size_t room, uint64_t addr)
{
	struct kc_insn insn;
	size_t from = 0, to = 0, patch = 0;

	while (len - to >= room) {
		patch = patch_len(facts, before, bytes, len, to, addr);
		if (!patch && !kc_decode(facts->decoder, bytes + to, len - to, addr + to, &insn))
			break;
		if (!patch) {
			to += insn.len;
			continue;
		}
		if (!kc_move_code(facts->decoder, bytes + from, to - from, addr + from,
				  &facts->mover))
			break;
		from = to += patch;
	}
	if (!kc_move_code(facts->decoder, bytes + from, to - from, addr + from, &facts->mover))
		to = from;
	memset(bytes + to, NO_CODE, len - to);
}

static void put_text(struct kc_facts *facts, const struct function *function)
{
	uint64_t at = kc_rebase(&facts->rebase, function->addr);
	kc_auto_free uint8_t *moved = malloc(function->len);

	if (!moved)
		return;
	memcpy(moved, function->bytes, function->len);
	move_code(facts, function->whole, moved, function->len, 1, function->addr);
	kc_tape_add(facts->tape, KC_TAPE_TEXT, &at, sizeof(at), moved, function->len);
}

/* Is some of it being patched? What compilers fill up with is behind what does not come back. */
static bool is_torn(struct kc_facts *facts, const uint8_t *bytes, size_t len, uint64_t addr)
{
	struct kc_insn insn = {};
	bool falls = true, behind = false;

	for (size_t at = 0; at < len; at += insn.len) {
		if (falls && kc_text_is_torn(bytes + at, len - at))
			return true;
		if (!kc_decode(facts->decoder, bytes + at, len - at, addr + at, &insn))
			return behind;
		falls = insn.flow == KC_FLOW_NEXT || insn.flow == KC_FLOW_BRANCH ||
			insn.flow == KC_FLOW_CALL;
		behind = kc_arch()->is_breakpoint(bytes[at]);
	}
	return false;
}

/* What of such an instruction is there yet is no code, for whoever reads it as for the tape. */
static void blank_patches(struct kc_facts *facts, const uint8_t *before, uint8_t *bytes, size_t len,
			  uint64_t addr)
{
	struct kc_insn insn;
	size_t patch;

	for (size_t at = 0; at < len; at += patch) {
		patch = patch_len(facts, before, bytes, len, at, addr);
		if (patch) {
			memset(bytes + at + 1, NO_CODE, patch - 1);
			continue;
		}
		if (!kc_decode(facts->decoder, bytes + at, len - at, addr + at, &insn))
			return;
		patch = insn.len;
	}
}

/* What lies in both goes into the one that was read: it is what the tape tells. */
static void copy_common(uint64_t addr, uint8_t *buf, size_t len, uint64_t from,
			const uint8_t *bytes, size_t size)
{
	uint64_t start = addr > from ? addr : from;
	uint64_t end = addr + len < from + size ? addr + len : from + size;

	if (start < end)
		memcpy(buf + (start - addr), bytes + (start - from), end - start);
}

/* One that was never read whole is worth the wait. */
static bool read_function(struct kc_facts *facts, const struct kc_sym *sym,
			  const struct function *function, uint8_t *bytes, bool *ret_torn)
{
	for (int tries = KC_TEXT_TRIES;; kc_text_wait()) {
		if (kc_mem_read(facts->base, sym->addr, bytes, sym->size))
			return false;
		*ret_torn = is_torn(facts, bytes, sym->size, sym->addr);
		if (!*ret_torn || function->bytes || !--tries)
			return true;
	}
}

/*
 * The whole function that covers `at`, part of what was read: operands can't be told apart in a
 * part of it. Once, and whenever it has been patched.
 */
static void write_text(struct kc_facts *facts, uint64_t at, uint64_t addr, uint8_t *buf, size_t len)
{
	const struct kc_sym *sym = kc_ksyms_find(facts->kernel->ksyms, at);
	kc_auto_free uint8_t *bytes = NULL;
	struct function *function;

	bool torn;

	if (!sym || sym->size > KC_MAX_FUNCTION)
		return;
	bytes = malloc(sym->size);
	function = bytes ? find_function(facts, sym->addr) : NULL;
	if (!function || !read_function(facts, sym, function, bytes, &torn))
		return;
	if (torn)
		blank_patches(facts, function->whole ?: function->bytes, bytes, sym->size,
			      sym->addr);
	copy_common(addr, buf, len, sym->addr, bytes, sym->size);
	if (function->bytes && !memcmp(function->bytes, bytes, sym->size))
		return;
	if (!torn || function->whole)
		free(function->bytes);
	else
		function->whole = function->bytes;
	if (!torn) {
		free(function->whole);
		function->whole = NULL;
	}
	function->bytes = kc_take(bytes);
	function->len = sym->size;
	put_text(facts, function);
}

/* Neither vmlinux's nor a known module's: what the kernel made since it runs, or nothing. */
static bool may_be_generated(const struct kc_facts *facts, uint64_t addr)
{
	return addr >= facts->rebase.modules && addr < kc_arch()->modules_end &&
	       !kc_kernel_is_text(facts->kernel, addr);
}

static bool keep_bytes(struct function *function, const uint8_t *bytes, size_t len)
{
	uint8_t *kept = malloc(len);

	if (!kept)
		return false;
	memcpy(kept, bytes, len);
	free(function->bytes);
	function->bytes = kept;
	function->len = len;
	return true;
}

/*
 * Code that has no extent: what was read of it, from an instruction on and as far as
 * kc_ahead() may decode it; and what lies there later, in the place of the first.
 */
static void write_code_piece(struct kc_facts *facts, uint64_t addr, const uint8_t *read, size_t len)
{
	struct function *function = facts->rebase.modules_by ? find_function(facts, addr) : NULL;
	kc_auto_free uint8_t *bytes = NULL;
	uint64_t at;

	if (!function || (len <= function->len && !memcmp(function->bytes, read, len)))
		return;
	bytes = malloc(len);
	if (!bytes || !keep_bytes(function, read, len))
		return;
	memcpy(bytes, read, len);
	move_code(facts, NULL, bytes, len, KC_MAX_INSN, addr);
	at = kc_rebase(&facts->rebase, addr);
	kc_tape_add(facts->tape, KC_TAPE_TEXT, &at, sizeof(at), bytes, len);
}

static int facts_read(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	struct kc_facts *facts = (struct kc_facts *)mem;
	int err = kc_mem_read(facts->base, addr, buf, len);

	if (!err && len && may_be_generated(facts, addr)) {
		write_code_piece(facts, addr, buf, len);
	} else if (!err && len) {
		write_text(facts, addr, addr, buf, len);
		write_text(facts, addr + len - 1, addr, buf, len);
	}
	return err;
}

static void write_kernel(const struct kc_facts *facts)
{
	const struct kc_kernel *kernel = facts->kernel;
	struct tape_kernel head = {
		.guard = kernel->guard,
		.inactive = kernel->inactive,
		.pt_regs = kernel->pt_regs,
		.thread_size = kernel->thread_size,
		.orc_layout = kernel->orc.layout,
		.text = kc_rebase(&facts->rebase, kernel->text),
		.text_end = kc_rebase(&facts->rebase, kernel->text_end),
		.modules_start = kernel->modules_start,
	};

	head.guard.addr = kc_rebase(&facts->rebase, kernel->guard.addr);
	kc_tape_add(facts->tape, KC_TAPE_KERNEL, &head, sizeof(head), NULL, 0);
	for (size_t i = 0; i < kernel->nr_modules; i++) {
		struct tape_module module = {
			.text = kc_rebase(&facts->rebase, kernel->modules[i].text),
			.text_end = kc_rebase(&facts->rebase, kernel->modules[i].text_end),
			.load = kernel->modules[i].load,
		};

		memcpy(module.name, kernel->modules[i].name, sizeof(module.name));
		kc_tape_add(facts->tape, KC_TAPE_MODULE, &module, sizeof(module), NULL, 0);
	}
}

int kc_facts_begin(struct kc_kernel *kernel, struct kc_tape *tape, const struct kc_rebase *rebase,
		   struct kc_facts **ret_facts)
{
	struct kc_facts *facts = calloc(1, sizeof(*facts));
	int err;

	if (!facts)
		return -ENOMEM;
	*facts = (struct kc_facts){
		.mem = { facts_read, NULL, kernel->mem->name },
		.base = kernel->mem,
		.kernel = kernel,
		.tape = tape,
		.mover = { move_place, move_operand },
		.rebase = rebase ? *rebase : kc_rebase_of(kernel),
	};
	err = kc_decoder_new(&kernel->guard, &facts->decoder);
	if (!err)
		err = kc_kernel_note(kernel, &facts->mem);
	if (err) {
		kc_facts_end(facts);
		return err;
	}
	write_kernel(facts);
	*ret_facts = facts;
	return 0;
}

static void write_symbols(struct kc_facts *facts)
{
	const struct kc_ksyms *ksyms = facts->kernel->ksyms;
	const struct kc_sym *sym;
	size_t cursor = 0;
	const char *name;

	while (kc_ksyms_noted(ksyms, &cursor, &sym, &name)) {
		struct tape_sym head = {
			kc_rebase(&facts->rebase, sym->addr), sym->size, sym->type, {}
		};
		const char *module = kc_sym_module(ksyms, sym);
		char names[512];
		int len = snprintf(names, sizeof(names), "%s%c%s", name, '\0', module);

		if (len > 0 && (size_t)len < sizeof(names))
			kc_tape_add(facts->tape, KC_TAPE_SYM, &head, sizeof(head), names, len + 1);
	}
}

static void write_orc(struct kc_facts *facts, const struct kc_orc_table *table)
{
	struct kc_orc_row row;
	size_t cursor = 0;

	while (kc_orc_noted(table, &cursor, &row)) {
		row.start = kc_rebase(&facts->rebase, row.start);
		row.end = kc_rebase(&facts->rebase, row.end);
		kc_tape_add(facts->tape, KC_TAPE_ORC, &row, sizeof(row), NULL, 0);
	}
}

void kc_facts_write(struct kc_facts *facts)
{
	const struct kc_kernel *kernel = facts->kernel;
	struct kc_edge edge;
	size_t cursor = 0;

	write_symbols(facts);
	write_orc(facts, &kernel->orc);
	for (size_t i = 0; i < kernel->nr_modules; i++)
		write_orc(facts, &kernel->modules[i].orc);
	while (kc_kernel_noted_edge(kernel, &cursor, &edge)) {
		edge.code = kc_rebase(&facts->rebase, edge.code);
		edge.target = kc_rebase(&facts->rebase, edge.target);
		kc_tape_add(facts->tape, KC_TAPE_EDGE, &edge, sizeof(edge), NULL, 0);
	}
}

const struct kc_rebase *kc_facts_rebase(const struct kc_facts *facts)
{
	return &facts->rebase;
}

uint64_t kc_facts_move(const struct kc_facts *facts, uint64_t number)
{
	/* Most of what lies there is data, which must not get onto the tape: it is read past us. */
	struct kc_kernel past = *facts->kernel;
	struct kc_ahead ahead;

	past.mem = facts->base;
	if (facts->rebase.modules_by && may_be_generated(facts, number) &&
	    kc_ahead(&past, facts->decoder, number, &ahead))
		return kc_rebase(&facts->rebase, number);
	return kc_rebase_found(&facts->rebase, facts->kernel, number);
}

void kc_facts_end(struct kc_facts *facts)
{
	if (!facts)
		return;
	kc_decoder_free(facts->decoder);
	for (size_t i = 0; i < facts->nr_functions; i++) {
		free(facts->functions[i].bytes);
		free(facts->functions[i].whole);
	}
	free(facts->functions);
	free(facts);
}

/* The other way round. */

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
