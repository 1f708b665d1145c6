// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "guard/ahead.h"

#include <string.h>

#include "util/array.h"

/* The longest BPF programs are longer; most ways out of them are not. */
#define MAX_INSNS 4096

/* Ways not taken yet; backward jumps of one way: to a common way out, but no loops. */
#define MAX_WAYS     16
#define MAX_BACKWARD 2

/* Words of the stack that were written on the way: a trampoline saves all registers. */
#define MAX_WRITTEN 48

/*
 * What is read at once. The rest of an instruction may be missing from the end: none is decoded
 * so near to it. (A recording holds such a piece as it was read.)
 */
#define PIECE 64

/* What a register will hold, told by SP and BP as they are at pc. */
enum kind { LOST, SP, BP, AT_SP, AT_BP }; /* that + offset; the word there */

struct value {
	enum kind kind;
	int32_t offset;
};

struct written {
	struct value where, what;
};

/* One way on. */
struct way {
	uint64_t pc;
	struct value sp, bp;
	struct value copied; /* what BP was when it was copied ... */
	uint16_t copies;     /* ... and bit n: to register n */
	struct written written[MAX_WRITTEN];
	size_t nr_written;
	unsigned int backward;
};

struct search {
	const struct kc_kernel *kernel;
	struct kc_decoder *decoder;
	uint64_t start;
	const struct kc_sym *sym; /* of the start, if it is text */
	uint64_t piece;
	size_t piece_len;
	uint8_t bytes[PIECE];
	unsigned int insns;
	bool guarded;
	struct way ways[MAX_WAYS];
	size_t nr_ways;
	bool has_jump; /* to nobody knows where, as if it had been called from here */
	struct kc_ahead jump;
};

static bool is_same_value(struct value a, struct value b)
{
	return a.kind == b.kind && a.offset == b.offset;
}

static struct value plus(struct value value, int32_t offset)
{
	if (value.kind != SP && value.kind != BP)
		return (struct value){ LOST, 0 };
	value.offset += offset;
	return value;
}

static const struct written *find_written(const struct way *way, struct value where)
{
	for (size_t i = 0; i < way->nr_written; i++)
		if (is_same_value(way->written[i].where, where))
			return &way->written[i];
	return NULL;
}

/* False: too many. */
static bool write_word(struct way *way, struct value where, struct value what)
{
	struct written *written = (struct written *)find_written(way, where);

	if (!written) {
		if (way->nr_written == MAX_WRITTEN)
			return false;
		written = &way->written[way->nr_written++];
		written->where = where;
	}
	written->what = what;
	return true;
}

static struct value read_word(const struct way *way, struct value where)
{
	const struct written *written = find_written(way, where);

	if (written)
		return written->what;
	/* What is below SP was never written. */
	if (where.kind == SP && where.offset >= 0)
		return (struct value){ AT_SP, where.offset };
	return (struct value){ where.kind == BP ? AT_BP : LOST, where.offset };
}

static void pop_bp(struct way *way)
{
	way->bp = read_word(way, way->sp);
	way->sp = plus(way->sp, 8);
}

/* What a register holds that the instruction stores: BP, or a copy of it. */
static struct value stored(const struct way *way, uint8_t reg)
{
	if (reg == KC_REG_BP)
		return way->bp;
	return reg != KC_NO_REG && (way->copies & 1u << reg) ? way->copied : (struct value){};
}

/* What the instruction does to SP, BP and the stack. False: SP is lost. */
static bool run_insn(struct way *way, const struct kc_insn *insn)
{
	struct value bp = way->bp, base = insn->base == KC_REG_SP ? way->sp : way->bp;
	struct value what = stored(way, insn->reg);

	/* The exceptions come below. */
	if (insn->writes & 1u << KC_REG_BP)
		way->bp = (struct value){};
	way->copies &= ~insn->writes;
	switch (insn->frame) {
	case KC_FRAME_PUSH:
		way->sp = plus(way->sp, -8);
		return write_word(way, way->sp, what);
	case KC_FRAME_POP_BP:
		pop_bp(way);
		return way->sp.kind != LOST;
	case KC_FRAME_BP_IS_SP:
		way->bp = way->sp;
		return true;
	case KC_FRAME_SP_IS_BP:
		way->sp = bp;
		break;
	case KC_FRAME_COPY_BP:
		if (!is_same_value(way->copied, bp))
			way->copies = 0;
		way->copied = bp;
		way->copies |= 1u << insn->reg;
		return true;
	case KC_FRAME_LEAVE:
		way->sp = bp;
		pop_bp(way);
		break;
	default:
		if (insn->effect == KC_EFFECT_SP_ADD)
			way->sp = plus(way->sp, insn->disp);
		else if (insn->effect == KC_EFFECT_SP_LOST)
			return false;
		else if (insn->effect == KC_EFFECT_LOAD && insn->reg == KC_REG_BP)
			way->bp = read_word(way, plus(base, insn->disp));
		else if (insn->effect == KC_EFFECT_STORE)
			return write_word(way, plus(base, insn->disp), what);
	}
	return way->sp.kind == SP || way->sp.kind == BP;
}

/* As the result has it; cfa is where SP will be. False: it can't be told. */
static bool tell_as(const struct way *way, struct value cfa, uint64_t target,
		    struct kc_ahead *ret_ahead)
{
	struct kc_ahead ahead = {
		.from_bp = cfa.kind == BP,
		.cfa_offset = cfa.offset,
		.bp_offset = way->bp.offset,
		.target = target,
	};

	if (cfa.offset & 7 || (cfa.kind == SP && cfa.offset < 0))
		return false;
	switch (way->bp.kind) {
	case BP:
		if (way->bp.offset)
			return false;
		ahead.bp = KC_AHEAD_BP_SAME;
		break;
	case AT_SP:
		if (cfa.kind != SP)
			return false;
		ahead.bp = KC_AHEAD_BP_AT_CFA;
		ahead.bp_offset -= cfa.offset;
		break;
	case AT_BP:
		ahead.bp = KC_AHEAD_BP_AT_BP;
		break;
	default:
		return false;
	}
	*ret_ahead = ahead;
	return true;
}

/*
 * It leaves, and the return address is at SP. Where that was written on the way, the return is
 * a jump to there, and one word further is whom that will return to.
 */
static bool tell_return(const struct way *way, struct kc_ahead *ret_ahead)
{
	return tell_as(way, plus(way->sp, find_written(way, way->sp) ? 16 : 8), 0, ret_ahead);
}

/* The bytes at pc, up to the longest instruction. */
static const uint8_t *fetch(struct search *search, uint64_t pc, size_t *ret_len)
{
	const struct kc_kernel *kernel = search->kernel;
	const struct kc_sym *sym = kc_ksyms_find(kernel->ksyms, pc);
	bool is_text = kc_kernel_is_text(kernel, pc);
	size_t len = PIECE;

	/* Wherever a jump goes: what is no place for code is nobody's code, and not read. */
	if (!kc_kernel_may_be_code(kernel, pc))
		return NULL;
	/* Compiled code without tables, as initialization is, may have a canary. */
	if (is_text ? !sym : sym && !kc_sym_is_generated(kernel->ksyms, sym))
		return NULL;
	if (is_text && sym->addr + sym->size - pc < len)
		len = sym->addr + sym->size - pc;
	if (pc < search->piece || pc - search->piece >= search->piece_len ||
	    search->piece_len - (pc - search->piece) < KC_MAX_INSN) {
		if (kc_mem_read(kernel->mem, pc, search->bytes, len)) {
			len = len < KC_MAX_INSN ? len : KC_MAX_INSN;
			if (kc_mem_read(kernel->mem, pc, search->bytes, len))
				return NULL;
		}
		search->piece = pc;
		search->piece_len = len;
	}
	*ret_len = search->piece_len - (pc - search->piece);
	*ret_len = *ret_len < KC_MAX_INSN ? *ret_len : KC_MAX_INSN;
	return search->bytes + (pc - search->piece);
}

enum onward { GOES_ON, ENDS, TOLD };

static enum onward jump(struct search *search, struct way *way, uint64_t target,
			struct kc_ahead *ret_ahead)
{
	const struct kc_ksyms *ksyms = search->kernel->ksyms;
	const struct kc_sym *sym = target ? kc_ksyms_find(ksyms, target) : NULL;
	const char *name = sym ? kc_sym_name(ksyms, sym) : "";

	if (strstr(name, kc_arch()->return_thunk))
		return tell_return(way, ret_ahead) ? TOLD : ENDS;
	if (!target || strstr(name, kc_arch()->jump_thunk)) {
		/* A return that is found is better: this may be the way to another program. */
		search->has_jump = search->has_jump || tell_return(way, &search->jump);
		return ENDS;
	}
	if (kc_kernel_is_text(search->kernel, target) && sym != search->sym)
		return tell_as(way, way->sp, target, ret_ahead) ? TOLD : ENDS;
	if (target <= way->pc && ++way->backward > MAX_BACKWARD)
		return ENDS;
	way->pc = target;
	return GOES_ON;
}

static enum onward follow_insn(struct search *search, struct way *way, struct kc_ahead *ret_ahead)
{
	struct kc_insn insn;
	const uint8_t *bytes;
	uint64_t next;
	size_t len;

	bytes = fetch(search, way->pc, &len);
	if (!bytes || !kc_decode(search->decoder, bytes, len, way->pc, &insn))
		return ENDS;
	search->guarded |= insn.effect == KC_EFFECT_GUARD_LOAD ||
			   insn.effect == KC_EFFECT_GUARD_CHECK ||
			   insn.effect == KC_EFFECT_GUARD_OTHER;
	if (search->guarded || !run_insn(way, &insn))
		return ENDS;
	next = way->pc + insn.len;
	switch (insn.flow) {
	case KC_FLOW_RETURN:
		return tell_return(way, ret_ahead) ? TOLD : ENDS;
	case KC_FLOW_STOP:
		return ENDS;
	case KC_FLOW_JUMP:
		return jump(search, way, insn.target, ret_ahead);
	case KC_FLOW_BRANCH:
		/* Loops are left the other way. */
		if (insn.target > way->pc && search->nr_ways < MAX_WAYS) {
			search->ways[search->nr_ways] = *way;
			search->ways[search->nr_ways++].pc = insn.target;
		}
		break;
	case KC_FLOW_CALL:
		if (kc_is_short_call(&insn)) {
			way->sp = plus(way->sp, -8);
			if (!write_word(way, way->sp, (struct value){}))
				return ENDS;
			next = insn.target;
		}
		break;
	}
	way->pc = next;
	return GOES_ON;
}

bool kc_ahead(const struct kc_kernel *kernel, struct kc_decoder *decoder, uint64_t pc,
	      struct kc_ahead *ret_ahead)
{
	struct search search = { .kernel = kernel, .decoder = decoder, .nr_ways = 1 };

	if (kc_kernel_is_text(kernel, pc))
		search.sym = kc_ksyms_find(kernel->ksyms, pc);
	search.ways[0] = (struct way){ .pc = pc, .sp = { SP, 0 }, .bp = { BP, 0 } };
	while (search.nr_ways) {
		struct way way = search.ways[--search.nr_ways];
		enum onward onward = GOES_ON;

		while (onward == GOES_ON && search.insns++ < MAX_INSNS)
			onward = follow_insn(&search, &way, ret_ahead);
		if (search.guarded)
			return false;
		if (onward == TOLD)
			return true;
	}
	if (search.has_jump)
		*ret_ahead = search.jump;
	return search.has_jump;
}
