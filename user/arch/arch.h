/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What depends on the processor, in one place. The stages after this one ask kc_arch()
 * and know no register, no instruction and no address of a particular processor
 * (tests/layers looks for them). What one instruction does: arch/insn.h.
 */
#ifndef KC_ARCH_ARCH_H
#define KC_ARCH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where compiled code of this kernel finds the guard. */
struct kc_guard {
	bool pc_relative; /* by the symbol's address, told relative to the instruction */
	uint64_t addr;	  /* of the symbol, if so; else the offset in the per-CPU area */
};

/* Room that the longest of any processor needs, in bytes. */
#define KC_MAX_CALL  8 /* a call instruction */
#define KC_MAX_PATCH 5 /* what a probe overwrites */

struct kc_arch {
	/*
	 * The guard is a per-CPU variable: this symbol where the kernel has it, else this
	 * member of a struct that lies at the beginning of the per-CPU area.
	 */
	struct {
		const char *symbol, *type, *member;
	} guard;

	/*
	 * What a task that is not running has left at thread.sp: a struct and two members, the
	 * frame pointer and the address at which it goes on.
	 */
	struct {
		const char *type, *bp, *ret_addr;
	} inactive;

	/*
	 * Registers that an interrupt or a system call saved: a struct and its members. `mode`
	 * is the one that tells where they came from, see from_user.
	 */
	struct {
		const char *type, *pc, *sp, *bp, *mode;
	} regs;

	/* Does this saved word say that user mode was interrupted? */
	bool (*from_user)(uint64_t mode);

	/* Bytes between the registers that user mode left and a stack's top, where there are any.
	 */
	uint32_t top_padding;

	/* A return address lies so many bytes below its frame's CFA. */
	uint32_t return_below_cfa;

	/*
	 * Modules, BPF programs, probes' and tracers' trampolines share the addresses from
	 * modules up to modules_end. Kernel addresses of any kind begin at kernel_half.
	 */
	uint64_t modules, modules_end, kernel_half;

	/* Where vmlinux's text is linked to, and where modules begin if that can change. */
	uint64_t linked_text, modules_behind_kaslr;

	/* Bytes of the landing pad that may begin a function; a probe at it lies behind. */
	uint32_t landing_pad;

	/* Bytes of text that a probe may overwrite, KC_MAX_PATCH at most. */
	uint32_t patch_len;

	/* Is this the first byte of what probes and tracers put into text? */
	bool (*is_patch)(uint8_t first);

	/* Is it a breakpoint? The instruction has no other byte. */
	bool (*is_breakpoint)(uint8_t first);

	/* The jump from one address to another that a probe may be, patch_len bytes. */
	void (*make_jump)(uint64_t from, uint64_t to, uint8_t ret_jump[KC_MAX_PATCH]);

	/* Lengths that a call instruction can have, KC_MAX_CALL at most. */
	uint32_t call_min, call_max;

	/*
	 * May the code before `end`, a return address, have been a call that was patched at run
	 * time? call_max bytes can be read before `end`.
	 */
	bool (*may_be_patched_call)(const uint8_t *end);

	/*
	 * Parts of the names of functions that stand for one instruction: a jump to the first
	 * kind is a return, one to the second is an indirect jump.
	 */
	const char *return_thunk, *jump_thunk;

	/*
	 * How the text of an instruction ends an operand that is told relative to the
	 * instruction after it.
	 */
	const char *pc_operand;

	/* Bytes of an entry in the tables of static keys and of fixups: kernel/edges.c. */
	uint32_t jump_entry_size, fixup_size;

	/* The function that switches from one task to another, called from the scheduler. */
	const char *switch_to;

	/* The function that getsid(2), which nobody calls often, begins with. */
	const char *getsid;

	/*
	 * A system call's name; compat: of the 32-bit ones, which have numbers of their own. NULL:
	 * there is none of this number, or it is newer than we are.
	 */
	const char *(*syscall_name)(long nr, bool compat);
};

extern const struct kc_arch kc_arch_x86_64;

/* The processor whose kernels we know. */
static inline const struct kc_arch *kc_arch(void)
{
	return &kc_arch_x86_64;
}

/* Where a frame's return address lies. */
static inline uint64_t kc_return_slot(uint64_t cfa)
{
	return cfa - kc_arch()->return_below_cfa;
}

#endif
