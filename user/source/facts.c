// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "source/facts.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "arch/insn.h"
#include "guard/ahead.h"
#include "kernel/edges.h"
#include "kernel/text.h"
#include "source/facts_layout.h"
#include "util/array.h"

const uint32_t kc_facts_layouts = sizeof(struct tape_kernel) + sizeof(struct tape_module) +
				  sizeof(struct tape_sym) + sizeof(struct kc_orc_row) +
				  sizeof(struct kc_edge);

/* One whose text is on the tape, and the text as it was last. */
struct function {
	uint64_t addr;
	uint8_t *bytes;
	bool torn;	/* they are in the middle of a patch */
	uint8_t *whole; /* as it was before that; NULL: not known */
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
 * Bytes of what is being patched at bytes[at], where there was code before: a breakpoint in its
 * first until the rest is written (Linux: text_poke_bp_batch()). It is one instruction that becomes
 * another, or several that become a jump, which is seen when something of it is written behind the
 * first. 0: nothing is.
 */
static size_t patch_len(struct kc_facts *facts, const uint8_t *before, const uint8_t *bytes,
			size_t len, size_t at, uint64_t addr)
{
	const size_t patched = kc_arch()->patch_len;
	struct kc_insn insn;
	size_t n = 0;

	if (!before || !kc_arch()->is_breakpoint(bytes[at]) || kc_arch()->is_breakpoint(before[at]))
		return 0;
	do {
		if (!kc_decode(facts->decoder, before + at + n, len - at - n, addr + at + n, &insn))
			return 0;
		n += insn.len;
	} while (n < patched && n < len - at &&
		 memcmp(before + at + n, bytes + at + n,
			patched - n < len - at - n ? patched - n : len - at - n));
	return n;
}

/*
 * Put code in its place on the tape, as far as it is code; an instruction may need `room`. Of what
 * is being patched only the breakpoint stays: see blank_patches(). before: as it was, or NULL.
 */
static void move_code(struct kc_facts *facts, const uint8_t *before, uint8_t *bytes, size_t len,
		      size_t room, uint64_t addr)
{
	struct kc_insn insn;
	size_t from = 0, to = 0;

	while (len - to >= room) {
		size_t patch = patch_len(facts, before, bytes, len, to, addr);

		if (!patch) {
			if (!kc_decode(facts->decoder, bytes + to, len - to, addr + to, &insn))
				break;
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

/* The first `len` bytes of it. */
static void put_text(struct kc_facts *facts, const struct function *function, size_t len)
{
	uint64_t at = kc_rebase(&facts->rebase, function->addr);
	kc_auto_free uint8_t *moved = malloc(len);

	if (!moved || !len)
		return;
	memcpy(moved, function->bytes, len);
	move_code(facts, function->whole, moved, len, 1, function->addr);
	kc_tape_add(facts->tape, KC_TAPE_TEXT, &at, sizeof(at), moved, len);
}

/*
 * Where the first of it is that is being patched; len: nowhere. What compilers fill up with is
 * behind what does not come back, and nothing else follows.
 */
static size_t find_patch(struct kc_facts *facts, const uint8_t *bytes, size_t len, uint64_t addr)
{
	struct kc_insn insn = {};
	bool falls = true, behind = false;

	for (size_t at = 0; at < len; at += insn.len) {
		if (falls && kc_text_is_torn(bytes + at, len - at))
			return at;
		if (!kc_decode(facts->decoder, bytes + at, len - at, addr + at, &insn))
			return behind ? at - 1 : len;
		falls = insn.flow == KC_FLOW_NEXT || insn.flow == KC_FLOW_BRANCH ||
			(insn.flow == KC_FLOW_CALL &&
			 !(kc_is_short_call(&insn) && insn.target < addr + len));
		behind = kc_arch()->is_breakpoint(bytes[at]);
	}
	return len;
}

/*
 * What of a patch is there yet is no code, for whoever reads it as for the tape. How many bytes are
 * for the tape: none from where it can't be told how far a patch goes, since what follows might be
 * taken for something else than it is, and operands stay that are addresses.
 */
static size_t blank_patches(struct kc_facts *facts, const uint8_t *before, uint8_t *bytes,
			    size_t len, uint64_t addr, bool *ret_torn)
{
	struct kc_insn insn;
	size_t patch;

	*ret_torn = false;
	if (!before) {
		patch = find_patch(facts, bytes, len, addr);
		*ret_torn = patch < len;
		return patch;
	}
	for (size_t at = 0; at < len; at += patch) {
		patch = patch_len(facts, before, bytes, len, at, addr);
		if (patch) {
			/* All breakpoints: whoever looks for a call behind it can't tell, either.
			 */
			memset(bytes + at + 1, bytes[at], patch - 1);
			*ret_torn = true;
			continue;
		}
		/* What is no code in both is none on the tape: see move_code(). */
		if (!kc_decode(facts->decoder, bytes + at, len - at, addr + at, &insn))
			return bytes[at] == before[at] ? len : at;
		patch = insn.len;
	}
	return len;
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
			  const struct function *function, uint8_t *bytes)
{
	for (int tries = KC_TEXT_TRIES;; kc_text_wait()) {
		if (kc_mem_read(facts->base, sym->addr, bytes, sym->size))
			return false;
		if (function->bytes || !--tries ||
		    find_patch(facts, bytes, sym->size, sym->addr) == sym->size)
			return true;
	}
}

/* As it is now: `bytes` are the function's from here on. */
static void keep_function(struct function *function, uint8_t *bytes, size_t len, bool torn)
{
	if (!torn || !function->torn) {
		free(function->whole);
		function->whole = torn ? kc_take(function->bytes) : NULL;
	}
	free(function->bytes);
	function->bytes = bytes;
	function->len = len;
	function->torn = torn;
}

/*
 * The whole function that covers `at`, part of what was read: operands can't be told apart in a
 * part of it. Once, and whenever it has been patched.
 */
static void write_text(struct kc_facts *facts, uint64_t at, uint64_t addr, uint8_t *buf,
		       size_t read)
{
	const struct kc_sym *sym = kc_ksyms_find(facts->kernel->ksyms, at);
	kc_auto_free uint8_t *bytes = NULL;
	const uint8_t *before;
	struct function *function;
	size_t len;
	bool torn;

	if (!sym || sym->size > KC_MAX_FUNCTION)
		return;
	bytes = malloc(sym->size);
	function = bytes ? find_function(facts, sym->addr) : NULL;
	if (!function || !read_function(facts, sym, function, bytes))
		return;
	if (function->bytes && function->len == sym->size &&
	    !memcmp(function->bytes, bytes, sym->size)) {
		copy_common(addr, buf, read, sym->addr, bytes, sym->size);
		return;
	}
	before = function->len == sym->size ? function->torn ? function->whole : function->bytes
					    : NULL;
	len = blank_patches(facts, before, bytes, sym->size, sym->addr, &torn);
	copy_common(addr, buf, read, sym->addr, bytes, sym->size);
	if (function->bytes && function->len == sym->size &&
	    !memcmp(function->bytes, bytes, sym->size))
		return;
	keep_function(function, kc_take(bytes), sym->size, torn);
	put_text(facts, function, len);
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
	bool is_moved = addr < facts->rebase.modules || facts->rebase.modules_by;
	struct function *function = is_moved ? find_function(facts, addr) : NULL;
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

/* vmlinux's, under no name: what mends faults, see guard/leads.c. */
static bool has_no_name(const struct kc_facts *facts, uint64_t addr)
{
	return kc_kernel_is_text(facts->kernel, addr) && !kc_ksyms_find(facts->kernel->ksyms, addr);
}

static int facts_read(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	struct kc_facts *facts = (struct kc_facts *)mem;
	int err = kc_mem_read(facts->base, addr, buf, len);

	if (!err && len && (may_be_generated(facts, addr) || has_no_name(facts, addr))) {
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
