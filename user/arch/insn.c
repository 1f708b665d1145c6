// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "arch/insn.h"

#include <capstone/capstone.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* General registers as instructions number them. */
enum {
	RAX,
	RCX,
	RDX,
	RBX,
	RSP = KC_REG_SP,
	RBP = KC_REG_BP,
	RSI,
	RDI,
	R8,
	R9,
	R10,
	R11,
	R12,
	R13,
	R14,
	R15,
};

/* Registers that a called function may change: all but rbx, rsp, rbp, r12-r15. */
#define CALL_CLOBBERS 0x0fc7

struct kc_decoder {
	csh handle;
	csh text_handle; /* AT&T order would turn the operands of `handle` around */
	cs_insn *insn;
	struct kc_guard guard;
	char text[256];
};

int kc_decoder_new(const struct kc_guard *guard, struct kc_decoder **ret_decoder)
{
	struct kc_decoder *decoder = calloc(1, sizeof(*decoder));

	if (!decoder)
		return -ENOMEM;
	decoder->guard = *guard;
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &decoder->handle) != CS_ERR_OK) {
		free(decoder);
		return -ENOMEM;
	}
	if (cs_open(CS_ARCH_X86, CS_MODE_64, &decoder->text_handle) != CS_ERR_OK) {
		kc_decoder_free(decoder);
		return -ENOMEM;
	}
	cs_option(decoder->handle, CS_OPT_DETAIL, CS_OPT_ON);
	cs_option(decoder->text_handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
	decoder->insn = cs_malloc(decoder->handle);
	if (!decoder->insn) {
		kc_decoder_free(decoder);
		return -ENOMEM;
	}
	*ret_decoder = decoder;
	return 0;
}

void kc_decoder_free(struct kc_decoder *decoder)
{
	if (!decoder)
		return;
	if (decoder->insn)
		cs_free(decoder->insn, 1);
	cs_close(&decoder->handle);
	if (decoder->text_handle)
		cs_close(&decoder->text_handle);
	free(decoder);
}

/* The 64-bit register that a register is a part of. */
/* clang-format off */
static uint8_t gpr_of(x86_reg reg)
{
	switch (reg) {
#define PARTS(r, a, b, c, d) case a: case b: case c: case d: return r
	PARTS(RAX, X86_REG_RAX, X86_REG_EAX, X86_REG_AX, X86_REG_AL);
	PARTS(RCX, X86_REG_RCX, X86_REG_ECX, X86_REG_CX, X86_REG_CL);
	PARTS(RDX, X86_REG_RDX, X86_REG_EDX, X86_REG_DX, X86_REG_DL);
	PARTS(RBX, X86_REG_RBX, X86_REG_EBX, X86_REG_BX, X86_REG_BL);
	PARTS(RSP, X86_REG_RSP, X86_REG_ESP, X86_REG_SP, X86_REG_SPL);
	PARTS(RBP, X86_REG_RBP, X86_REG_EBP, X86_REG_BP, X86_REG_BPL);
	PARTS(RSI, X86_REG_RSI, X86_REG_ESI, X86_REG_SI, X86_REG_SIL);
	PARTS(RDI, X86_REG_RDI, X86_REG_EDI, X86_REG_DI, X86_REG_DIL);
	PARTS(R8, X86_REG_R8, X86_REG_R8D, X86_REG_R8W, X86_REG_R8B);
	PARTS(R9, X86_REG_R9, X86_REG_R9D, X86_REG_R9W, X86_REG_R9B);
	PARTS(R10, X86_REG_R10, X86_REG_R10D, X86_REG_R10W, X86_REG_R10B);
	PARTS(R11, X86_REG_R11, X86_REG_R11D, X86_REG_R11W, X86_REG_R11B);
	PARTS(R12, X86_REG_R12, X86_REG_R12D, X86_REG_R12W, X86_REG_R12B);
	PARTS(R13, X86_REG_R13, X86_REG_R13D, X86_REG_R13W, X86_REG_R13B);
	PARTS(R14, X86_REG_R14, X86_REG_R14D, X86_REG_R14W, X86_REG_R14B);
	PARTS(R15, X86_REG_R15, X86_REG_R15D, X86_REG_R15W, X86_REG_R15B);
#undef PARTS
	case X86_REG_AH: return RAX;
	case X86_REG_BH: return RBX;
	case X86_REG_CH: return RCX;
	case X86_REG_DH: return RDX;
	default: return KC_NO_REG;
	}
}
/* clang-format on */

static uint16_t gpr_bit(x86_reg reg)
{
	uint8_t gpr = gpr_of(reg);

	return gpr == KC_NO_REG ? 0 : 1u << gpr;
}

static bool is_guard(const struct kc_guard *guard, const cs_insn *insn, const cs_x86_op *op)
{
	if (op->type != X86_OP_MEM || op->mem.segment != X86_REG_GS ||
	    op->mem.index != X86_REG_INVALID)
		return false;
	if (guard->pc_relative)
		return op->mem.base == X86_REG_RIP &&
		       insn->address + insn->size + op->mem.disp == guard->addr;
	return op->mem.base == X86_REG_INVALID && (uint64_t)op->mem.disp == guard->addr;
}

static bool is_reg64(const cs_x86_op *op)
{
	return op->type == X86_OP_REG && op->size == 8 && gpr_of(op->reg) != KC_NO_REG;
}

/* A whole word at [rsp + disp] or [rbp + disp]. */
static bool is_stack_word(const cs_x86_op *op)
{
	return op->type == X86_OP_MEM && op->size == 8 && op->mem.segment == X86_REG_INVALID &&
	       op->mem.index == X86_REG_INVALID &&
	       (op->mem.base == X86_REG_RSP || op->mem.base == X86_REG_RBP);
}

static void effect_on_guard(const cs_insn *insn, const cs_x86_op *op, struct kc_insn *out)
{
	const cs_x86_op *other = &insn->detail->x86.operands[op == insn->detail->x86.operands];

	out->effect = KC_EFFECT_GUARD_OTHER;
	if (insn->detail->x86.op_count != 2 || !is_reg64(other))
		return;
	out->reg = gpr_of(other->reg);
	if (insn->id == X86_INS_MOV && other < op)
		out->effect = KC_EFFECT_GUARD_LOAD;
	else if (insn->id == X86_INS_CMP ||
		 ((insn->id == X86_INS_SUB || insn->id == X86_INS_XOR) && other < op))
		out->effect = KC_EFFECT_GUARD_CHECK;
}

static void effect_on_word(const cs_insn *insn, const cs_x86_op *word, const cs_x86_op *reg,
			   struct kc_insn *out)
{
	out->reg = gpr_of(reg->reg);
	out->base = gpr_of(word->mem.base);
	out->disp = word->mem.disp;
	if (insn->id == X86_INS_CMP)
		out->effect = KC_EFFECT_COMPARE;
	else if (insn->id == X86_INS_MOV)
		out->effect = word < reg ? KC_EFFECT_STORE : KC_EFFECT_LOAD;
}

static void effect_on_sp(const cs_insn *insn, struct kc_insn *out)
{
	const cs_x86_op *ops = insn->detail->x86.operands;

	out->effect = KC_EFFECT_SP_ADD;
	switch (insn->id) {
	case X86_INS_PUSH:
	case X86_INS_PUSHFQ:
		out->disp = -8;
		return;
	case X86_INS_POP:
	case X86_INS_POPFQ:
		if (insn->id == X86_INS_POP && ops[0].type == X86_OP_REG &&
		    ops[0].reg == X86_REG_RSP)
			break;
		out->disp = 8;
		return;
	case X86_INS_ADD:
	case X86_INS_SUB:
		if (ops[1].type != X86_OP_IMM)
			break;
		out->disp = insn->id == X86_INS_ADD ? ops[1].imm : -ops[1].imm;
		return;
	case X86_INS_LEA:
		if (ops[1].mem.base != X86_REG_RSP || ops[1].mem.index != X86_REG_INVALID)
			break;
		out->disp = ops[1].mem.disp;
		return;
	default:
		break;
	}
	out->effect = KC_EFFECT_SP_LOST;
	out->disp = 0;
}

/* Of an instruction that changes SP or BP; the effect is known by now. */
static void find_frame(const cs_insn *insn, struct kc_insn *out)
{
	const cs_x86_op *ops = insn->detail->x86.operands;
	x86_reg to = ops[0].type == X86_OP_REG ? ops[0].reg : X86_REG_INVALID;

	switch (insn->id) {
	case X86_INS_PUSH:
	case X86_INS_PUSHFQ:
		out->frame = KC_FRAME_PUSH;
		out->reg = insn->id == X86_INS_PUSH && is_reg64(&ops[0]) ? gpr_of(to) : KC_NO_REG;
		break;
	case X86_INS_POP:
		if (to == X86_REG_RBP)
			out->frame = KC_FRAME_POP_BP;
		break;
	case X86_INS_LEAVE:
		out->frame = KC_FRAME_LEAVE;
		break;
	case X86_INS_MOV:
		if (to == X86_REG_RBP && ops[1].type == X86_OP_REG && ops[1].reg == X86_REG_RSP)
			out->frame = KC_FRAME_BP_IS_SP;
		else if (to == X86_REG_RSP && ops[1].type == X86_OP_REG &&
			 ops[1].reg == X86_REG_RBP)
			out->frame = KC_FRAME_SP_IS_BP;
		else if (is_reg64(&ops[0]) && ops[1].type == X86_OP_REG &&
			 ops[1].reg == X86_REG_RBP) {
			out->frame = KC_FRAME_COPY_BP;
			out->reg = gpr_of(to);
		}
		break;
	default:
		break;
	}
}

static void find_flow(csh handle, const cs_insn *insn, struct kc_insn *out)
{
	const cs_x86 *x86 = &insn->detail->x86;

	if (cs_insn_group(handle, insn, CS_GRP_CALL))
		out->flow = KC_FLOW_CALL;
	else if (insn->id == X86_INS_JMP || insn->id == X86_INS_LJMP)
		out->flow = KC_FLOW_JUMP;
	else if (cs_insn_group(handle, insn, CS_GRP_JUMP) || insn->id == X86_INS_LOOP ||
		 insn->id == X86_INS_JRCXZ)
		out->flow = KC_FLOW_BRANCH;
	else if (insn->id == X86_INS_RET)
		out->flow = KC_FLOW_RETURN;
	else if (cs_insn_group(handle, insn, CS_GRP_RET) ||
		 cs_insn_group(handle, insn, CS_GRP_IRET) || insn->id == X86_INS_UD2 ||
		 insn->id == X86_INS_UD2B || insn->id == X86_INS_INT3 ||
		 insn->id == X86_INS_SYSRET || insn->id == X86_INS_SYSEXIT)
		out->flow = KC_FLOW_STOP;
	if ((out->flow == KC_FLOW_CALL || out->flow == KC_FLOW_JUMP ||
	     out->flow == KC_FLOW_BRANCH) &&
	    x86->op_count == 1 && x86->operands[0].type == X86_OP_IMM)
		out->target = x86->operands[0].imm;
}

static void find_writes(const cs_insn *insn, struct kc_insn *out)
{
	const cs_detail *detail = insn->detail;

	for (uint8_t i = 0; i < detail->regs_write_count; i++)
		out->writes |= gpr_bit(detail->regs_write[i]);
	for (uint8_t i = 0; i < detail->x86.op_count; i++) {
		const cs_x86_op *op = &detail->x86.operands[i];

		/* Capstone 4 knows no access for some: the first is then a target. */
		if (op->type == X86_OP_REG && ((op->access & CS_AC_WRITE) || (!i && !op->access)))
			out->writes |= gpr_bit(op->reg);
	}
	if (out->flow == KC_FLOW_CALL)
		out->writes = (out->writes | CALL_CLOBBERS) & ~(1u << RSP);
}

/*
 * Instructions that kernels use and Capstone 4 does not know; the code behind
 * them would not be reached. RDSSP names its register in the last byte's low bits.
 */
static const struct unknown {
	const char *text;
	uint8_t len;
	uint8_t bytes[5];
	uint8_t last_mask;
	uint16_t writes;
} unknown[] = {
	{ "rdpkru", 3, { 0x0f, 0x01, 0xee }, 0xff, 1u << RAX | 1u << RDX },
	{ "wrpkru", 3, { 0x0f, 0x01, 0xef }, 0xff, 0 },
	{ "serialize", 3, { 0x0f, 0x01, 0xe8 }, 0xff, 0 },
	{ "invlpgb", 3, { 0x0f, 0x01, 0xfe }, 0xff, 0 },
	{ "tlbsync", 3, { 0x0f, 0x01, 0xff }, 0xff, 0 },
	{ "rmpadjust", 4, { 0xf3, 0x0f, 0x01, 0xfe }, 0xff, 1u << RAX },
	{ "rmpupdate", 4, { 0xf2, 0x0f, 0x01, 0xfe }, 0xff, 1u << RAX },
	{ "psmash", 4, { 0xf3, 0x0f, 0x01, 0xff }, 0xff, 1u << RAX },
	{ "pvalidate", 4, { 0xf2, 0x0f, 0x01, 0xff }, 0xff, 1u << RAX },
	{ "rdsspq", 5, { 0xf3, 0x48, 0x0f, 0x1e, 0xc8 }, 0xf8, 0xffff & ~(1u << RSP) },
};

static const struct unknown *find_unknown(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		const struct unknown *one = &unknown[i];

		if (len >= one->len && !memcmp(bytes, one->bytes, one->len - 1) &&
		    (bytes[one->len - 1] & one->last_mask) == one->bytes[one->len - 1])
			return one;
	}
	return NULL;
}

/*
 * UD1 (0f b9 /r) has operands, which Capstone 4 takes for what comes after it. They
 * are those of IMUL (0f af /r), which it knows: make that of it. False: it is no UD1.
 */
static bool as_imul(const uint8_t *bytes, size_t len, uint8_t ret_imul[static KC_MAX_INSN])
{
	static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64,
					    0x65, 0x66, 0x67, 0xf2, 0xf3 };
	size_t at = 0;

	while (at < len && memchr(prefixes, bytes[at], sizeof(prefixes)))
		at++;
	if (at < len && (bytes[at] & 0xf0) == 0x40) /* REX */
		at++;
	if (at + 2 > len || at + 2 > KC_MAX_INSN || bytes[at] != 0x0f || bytes[at + 1] != 0xb9)
		return false;
	memcpy(ret_imul, bytes, len < KC_MAX_INSN ? len : KC_MAX_INSN);
	ret_imul[at + 1] = 0xaf;
	return true;
}

/*
 * "ud1 (%edx), %rdi" stands where a WARN() that has arguments calls __WARN_trap: the
 * kernel patches the call (arch/x86/kernel/static_call.c, seen on 7.2). The code goes
 * on after it, and no table says so: the bug table's entry, handed over in RDI, names
 * another address. Any other UD1 is an end, unless the bug table has its address.
 */
static const uint8_t ud1_warn[] = { 0x67, 0x48, 0x0f, 0xb9, 0x3a };

static bool decode_ud1(struct kc_decoder *decoder, const uint8_t *bytes, size_t len,
		       const uint8_t *imul, struct kc_insn *out)
{
	size_t imul_len = len < KC_MAX_INSN ? len : KC_MAX_INSN;
	uint64_t next = out->addr;

	if (!cs_disasm_iter(decoder->handle, &imul, &imul_len, &next, decoder->insn))
		return false;
	out->len = decoder->insn->size;
	out->flow = len >= sizeof(ud1_warn) && !memcmp(bytes, ud1_warn, sizeof(ud1_warn))
			    ? KC_FLOW_NEXT
			    : KC_FLOW_STOP;
	return true;
}

bool kc_decode(struct kc_decoder *decoder, const uint8_t *bytes, size_t len, uint64_t addr,
	       struct kc_insn *ret_insn)
{
	cs_insn *insn = decoder->insn;
	const cs_x86_op *ops = insn->detail->x86.operands;
	struct kc_insn out = { .addr = addr, .reg = KC_NO_REG, .base = KC_NO_REG };
	const struct unknown *one = find_unknown(bytes, len);
	uint8_t count, imul[KC_MAX_INSN];
	uint64_t next = addr;

	decoder->insn->size = 0; /* not from Capstone, until it is */
	if (one) {
		out.len = one->len;
		out.writes = one->writes;
		*ret_insn = out;
		return true;
	}
	if (as_imul(bytes, len, imul)) {
		if (!decode_ud1(decoder, bytes, len, imul, &out))
			return false;
		*ret_insn = out;
		return true;
	}
	if (!cs_disasm_iter(decoder->handle, &bytes, &len, &next, insn))
		return false;
	out.len = insn->size;
	find_flow(decoder->handle, insn, &out);
	find_writes(insn, &out);
	count = insn->detail->x86.op_count;
	for (uint8_t i = 0; i < count; i++) {
		if (is_guard(&decoder->guard, insn, &ops[i])) {
			effect_on_guard(insn, &ops[i], &out);
			*ret_insn = out;
			return true;
		}
	}
	if (count == 2 && is_stack_word(&ops[0]) && is_reg64(&ops[1]))
		effect_on_word(insn, &ops[0], &ops[1], &out);
	else if (count == 2 && is_stack_word(&ops[1]) && is_reg64(&ops[0]))
		effect_on_word(insn, &ops[1], &ops[0], &out);
	if (out.flow == KC_FLOW_NEXT && (out.writes & 1u << RSP) && out.effect == KC_EFFECT_NONE)
		effect_on_sp(insn, &out);
	find_frame(insn, &out);
	*ret_insn = out;
	return true;
}

const char *kc_decode_text(struct kc_decoder *decoder, const uint8_t *bytes, size_t len,
			   uint64_t addr)
{
	const struct unknown *one = find_unknown(bytes, len);
	uint8_t imul[KC_MAX_INSN];
	uint64_t next = addr;
	bool is_ud1;

	if (one)
		return one->text;
	is_ud1 = as_imul(bytes, len, imul);
	if (is_ud1) {
		bytes = imul;
		len = len < KC_MAX_INSN ? len : KC_MAX_INSN;
	}
	if (!cs_disasm_iter(decoder->text_handle, &bytes, &len, &next, decoder->insn))
		return "(bad)";
	snprintf(decoder->text, sizeof(decoder->text), "%s%s%s",
		 is_ud1 ? "ud1" : decoder->insn->mnemonic, decoder->insn->op_str[0] ? " " : "",
		 decoder->insn->op_str);
	return decoder->text;
}

/* A number of 4 or 8 bytes in an instruction, extended to 64 bits. */
static uint64_t get_number(const uint8_t *at, uint8_t size)
{
	int32_t small;
	uint64_t large;

	if (size == sizeof(large)) {
		memcpy(&large, at, sizeof(large));
		return large;
	}
	memcpy(&small, at, sizeof(small));
	return (int64_t)small;
}

/* Told from the next instruction on. */
static bool is_distance(const struct kc_decoder *decoder, bool displacement)
{
	const cs_insn *insn = decoder->insn;
	const cs_x86 *x86 = &insn->detail->x86;

	if (!displacement)
		return cs_insn_group(decoder->handle, insn, CS_GRP_CALL) ||
		       cs_insn_group(decoder->handle, insn, CS_GRP_JUMP);
	for (uint8_t i = 0; i < x86->op_count; i++)
		if (x86->operands[i].type == X86_OP_MEM && x86->operands[i].mem.base == X86_REG_RIP)
			return true;
	return false;
}

/* Is an immediate of 4 bytes extended to 8? Else it can hold half of an address at most. */
static bool is_extended(const cs_insn *insn)
{
	const cs_x86 *x86 = &insn->detail->x86;

	for (uint8_t i = 0; i < x86->op_count; i++)
		if (x86->operands[i].type == X86_OP_IMM)
			return x86->operands[i].size == 8 || x86->operands[0].size == 8;
	return false;
}

static void move_number(const struct kc_decoder *decoder, uint8_t *bytes, uint8_t offset,
			uint8_t size, bool displacement, const struct kc_mover *mover)
{
	const cs_insn *insn = decoder->insn;
	uint64_t next = insn->address + insn->size, number;

	if (!offset || (size != 4 && size != 8) || offset + size > insn->size)
		return;
	number = get_number(bytes + offset, size);
	if (is_distance(decoder, displacement))
		number = mover->move(mover, next + number) - mover->move(mover, next);
	else if (size == 8 || displacement || is_extended(insn))
		number = mover->operand(mover, number);
	else if ((uint32_t)number >= KC_HALF_LOW && (uint32_t)number < KC_HALF_HIGH)
		number = KC_HALF_LOW;
	memcpy(bytes + offset, &number, size);
}

bool kc_move_code(struct kc_decoder *decoder, uint8_t *bytes, size_t len, uint64_t addr,
		  const struct kc_mover *mover)
{
	const cs_x86_encoding *encoding = &decoder->insn->detail->x86.encoding;
	struct kc_insn insn;

	for (size_t at = 0; at < len; at += insn.len) {
		if (!kc_decode(decoder, bytes + at, len - at, addr + at, &insn))
			return false;
		/* Those that Capstone does not know have neither kind of operand. */
		if (decoder->insn->address != addr + at || decoder->insn->size != insn.len)
			continue;
		move_number(decoder, bytes + at, encoding->imm_offset, encoding->imm_size, false,
			    mover);
		move_number(decoder, bytes + at, encoding->disp_offset, encoding->disp_size, true,
			    mover);
	}
	return true;
}

/*
 * 65 48|4c 8b|2b|33|3b|39 modrm ..., modrm one of
 *	00 reg 100, SIB 25, disp32	%gs:disp
 *	00 reg 101, disp32		%gs:disp(%rip)
 */
/* `first`: the byte that it begins with. */
static size_t scan(const struct kc_guard *guard, uint8_t first, const uint8_t *bytes, size_t len,
		   uint64_t addr)
{
	size_t shortest = guard->pc_relative ? 8 : 9;

	for (size_t i = 0; i + shortest <= len; i++) {
		const uint8_t *at = memchr(bytes + i, first, len - i - shortest + 1);
		int32_t disp;

		if (!at)
			break;
		i = at - bytes;
		if ((at[1] & 0xfb) != 0x48 || !strchr("\x8b\x2b\x33\x3b\x39", at[2]) || !at[2])
			continue;
		if (guard->pc_relative) {
			memcpy(&disp, at + 4, sizeof(disp));
			if ((at[3] & 0xc7) == 5 && addr + i + 8 + (int64_t)disp == guard->addr)
				return i;
		} else {
			memcpy(&disp, at + 5, sizeof(disp));
			if ((at[3] & 0xc7) == 4 && at[4] == 0x25 && (uint64_t)disp == guard->addr)
				return i;
		}
	}
	return len;
}

size_t kc_guard_scan(const struct kc_guard *guard, const uint8_t *bytes, size_t len, uint64_t addr)
{
	size_t found = scan(guard, 0x65, bytes, len, addr);

	return found < len ? found : scan(guard, 0xcc, bytes, len, addr);
}
