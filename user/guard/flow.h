/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The analysis behind a plan: follow a function's control flow from its entry
 * and know at every instruction whether the slot is sealed, and where it is.
 *
 *	          ┌──────────┐  store of the guard   ┌────────┐
 *	entry ──► │ unsealed │ ────────────────────► │ sealed │
 *	          └──────────┘ ◄──────────────────── └────────┘
 *	               │         compare with guard       │
 *	               └────────► unknown ◄───────────────┘
 *	             (two ways meet that do not agree)
 */
#ifndef KC_GUARD_FLOW_H
#define KC_GUARD_FLOW_H

#include "arch/insn.h"
#include "guard/plan.h"

/* A piece of code: the function itself, or its .cold part. */
struct kc_piece {
	uint64_t start;
	size_t len;
	uint8_t *bytes;
	int32_t *index; /* per byte: the instruction that begins there, or -1 */
};

/* State on arrival at an instruction. */
struct kc_flow_state {
	uint8_t live; /* NO, SEALED or UNKNOWN */
	uint8_t base;
	uint16_t guard_regs; /* registers that hold the guard */
	uint16_t slot_regs;  /* registers that hold the slot's word */
	uint16_t pad;
	int32_t offset;
	int32_t depth;	    /* CFA - SP in bytes; 0: not known, or it depends on the way here */
	uint64_t slot_load; /* where the slot's word was last fetched */
};

struct kc_flow_insn {
	struct kc_insn insn;
	struct kc_flow_state in;
	bool queued;
};

struct kc_flow {
	const struct kc_kernel *kernel;
	struct kc_decoder *decoder;
	const struct kc_sym *sym;
	struct kc_piece pieces[2];
	size_t nr_pieces;
	struct kc_flow_insn *insns; /* in order of discovery */
	size_t count, capacity;
	bool undecodable; /* some path ended at bytes that are no instruction */
	bool torn;	  /* some path led to what kc_text_is_torn() */
	uint32_t *queue;
	size_t queued, queue_capacity;
	uint64_t fail; /* __stack_chk_fail: a call of it does not return */
	int err;
};

/*
 * Analyse the function sym, whose text is bytes (borrowed until
 * kc_flow_free()). Its .cold part is read and followed when a jump enters it.
 * On success insns[] holds every instruction that can be reached, with the
 * state on arrival. 0 or -ENOMEM.
 */
int kc_flow_run(const struct kc_kernel *kernel, struct kc_decoder *decoder,
		const struct kc_sym *sym, uint8_t *bytes, struct kc_flow *ret_flow);
void kc_flow_free(struct kc_flow *flow);

/*
 * The word at [base + disp] of this instruction as a slot: CFA-relative where
 * ORC ties that register to the frame. False if it can't be tied.
 */
bool kc_flow_slot(const struct kc_kernel *kernel, const struct kc_insn *insn,
		  struct kc_slot_rule *ret_rule);

/* Does this check compare the slot? Only asked of checks (see kc_flow_is_check). */
bool kc_flow_checks_slot(const struct kc_flow *flow, const struct kc_flow_insn *at);
bool kc_flow_is_check(const struct kc_flow_insn *at);
bool kc_flow_is_seal(const struct kc_flow_insn *at);

#endif
