/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One instruction, reduced to what the slot finder asks of it, in words that fit any
 * processor. The only file that includes the disassembler's header is insn.c.
 */
#ifndef KC_ARCH_INSN_H
#define KC_ARCH_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "util/cleanup.h"

/* A register is the processor's own number for it, below 16. Two have a role. */
enum kc_reg {
	KC_REG_SP = 4,
	KC_REG_BP = 5, /* the frame pointer, in functions that keep one */
	KC_NO_REG = 255,
};

/* Where control goes after it. */
enum kc_control {
	KC_FLOW_NEXT,
	KC_FLOW_CALL,	/* comes back */
	KC_FLOW_JUMP,	/* does not */
	KC_FLOW_BRANCH, /* may go to target */
	KC_FLOW_RETURN, /* to the address that SP points to */
	KC_FLOW_STOP,	/* trap, halt, return to user mode */
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
	KC_EFFECT_SP_ADD,      /* SP += disp */
	KC_EFFECT_SP_LOST,     /* SP becomes something we do not follow */
};

/* What else it does to SP, to BP and to the stack: for guard/ahead.h. */
enum kc_frame_effect {
	KC_FRAME_NONE,
	KC_FRAME_PUSH,	   /* SP -= 8; [SP] = reg, or something else */
	KC_FRAME_POP_BP,   /* BP = [SP]; SP += 8 */
	KC_FRAME_BP_IS_SP, /* BP = SP */
	KC_FRAME_SP_IS_BP, /* SP = BP */
	KC_FRAME_COPY_BP,  /* reg = BP */
	KC_FRAME_LEAVE,	   /* SP = BP, then BP = [SP]; SP += 8 */
};

/* No instruction is longer, in bytes. */
#define KC_MAX_INSN 15

struct kc_insn {
	uint64_t addr;
	uint64_t target; /* of a direct call, jump or branch; else 0 */
	int32_t disp;
	uint16_t writes; /* bit n: register n (enum kc_reg) changes */
	uint8_t len;
	uint8_t flow;	/* enum kc_control */
	uint8_t effect; /* enum kc_effect */
	uint8_t frame;	/* enum kc_frame_effect */
	uint8_t reg;	/* enum kc_reg */
	uint8_t base;	/* KC_REG_SP or KC_REG_BP */
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

/* Its text as assemblers have it, valid until the next call. */
const char *kc_decode_text(struct kc_decoder *decoder, const uint8_t *bytes, size_t len,
			   uint64_t addr);

/*
 * 32-bit operands in [KC_HALF_LOW, KC_HALF_HIGH) may be the lower half of a kernel address. Whether
 * one is can't be told without telling where the kernel lies.
 */
#define KC_HALF_LOW  0x80000000u
#define KC_HALF_HIGH 0xff000000u

struct kc_mover {
	/* Where code at addr, and what it jumps to or tells the distance of, is moved to. */
	uint64_t (*move)(const struct kc_mover *mover, uint64_t addr);
	/* What stands for a number that may be an address. */
	uint64_t (*operand)(const struct kc_mover *mover, uint64_t number);
};

/*
 * Code that lies at addr, whole instructions, as it would look at move(addr). False: it can't
 * be decoded to its end, and what is in bytes is of no use.
 */
bool kc_move_code(struct kc_decoder *decoder, uint8_t *bytes, size_t len, uint64_t addr,
		  const struct kc_mover *mover);

/*
 * Offset of the first byte sequence in `bytes` that could refer to the guard,
 * or len. Fast, with no misses for 64-bit moves and compares, also under a breakpoint if there
 * is no other; a hit may be something else.
 */
size_t kc_guard_scan(const struct kc_guard *guard, const uint8_t *bytes, size_t len, uint64_t addr);

#endif
