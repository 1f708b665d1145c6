/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One instruction, reduced to what the slot finder asks of it. The only file
 * that includes the disassembler's header is insn.c.
 */
#ifndef KC_GUARD_INSN_H
#define KC_GUARD_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/kernel.h"

enum kc_gpr {
	KC_RAX,
	KC_RCX,
	KC_RDX,
	KC_RBX,
	KC_RSP,
	KC_RBP,
	KC_RSI,
	KC_RDI,
	KC_R8,
	KC_R9,
	KC_R10,
	KC_R11,
	KC_R12,
	KC_R13,
	KC_R14,
	KC_R15,
	KC_NO_GPR = 255,
};

/* Registers that a called function may change: all but rbx, rsp, rbp, r12-r15. */
#define KC_CALL_CLOBBERS 0x0fc7

/* Where control goes after it. */
enum kc_control {
	KC_FLOW_NEXT,
	KC_FLOW_CALL,	/* comes back */
	KC_FLOW_JUMP,	/* does not */
	KC_FLOW_BRANCH, /* may go to target */
	KC_FLOW_STOP,	/* return, trap, halt */
};

/* What it does to the guard, to a stack word, or to SP. */
enum kc_effect {
	KC_EFFECT_NONE,
	KC_EFFECT_GUARD_LOAD,  /* reg = guard */
	KC_EFFECT_GUARD_CHECK, /* compare reg with the guard */
	KC_EFFECT_GUARD_OTHER, /* touches the guard in some other way */
	KC_EFFECT_STORE,       /* [base + disp] = reg, 8 bytes */
	KC_EFFECT_LOAD,	       /* reg = [base + disp], 8 bytes */
	KC_EFFECT_COMPARE,     /* compare reg with [base + disp], 8 bytes */
	KC_EFFECT_SP_ADD,      /* rsp += disp */
	KC_EFFECT_SP_LOST,     /* rsp becomes something we do not follow */
};

struct kc_insn {
	uint64_t addr;
	uint64_t target; /* of a direct call, jump or branch; else 0 */
	int32_t disp;
	uint16_t writes; /* bit n: register n (enum kc_gpr) changes */
	uint8_t len;
	uint8_t flow;	/* enum kc_control */
	uint8_t effect; /* enum kc_effect */
	uint8_t reg;	/* enum kc_gpr */
	uint8_t base;	/* KC_RSP or KC_RBP */
};

struct kc_decoder;

int kc_decoder_new(const struct kc_guard *guard, struct kc_decoder **ret_decoder);
void kc_decoder_free(struct kc_decoder *decoder);
KC_DEFINE_AUTO(decoder, struct kc_decoder, kc_decoder_free)

/*
 * Decode the instruction at bytes[0], which is at kernel address addr.
 * False if the bytes are no instruction that Capstone knows.
 */
bool kc_decode(struct kc_decoder *decoder, const uint8_t *bytes, size_t len, uint64_t addr,
	       struct kc_insn *ret_insn);

/* Its text, "movq %gs:0x28, %rax"; valid until the next call. */
const char *kc_decode_text(struct kc_decoder *decoder, const uint8_t *bytes, size_t len,
			   uint64_t addr);

/*
 * Offset of the first byte sequence in `bytes` that could refer to the guard,
 * or len. Fast, with no misses for 64-bit moves and compares; a hit may be
 * something else.
 */
size_t kc_guard_scan(const struct kc_guard *guard, const uint8_t *bytes, size_t len, uint64_t addr);

#endif
