/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Functions as compilers make them, for the slot finder to look at; never
 * called. FUNC also writes the symbol and the first ORC row, CFA one more row.
 */
	.macro CFA reg, offset
	.pushsection kc_rows, "aw"
	.quad 661f
	.short \offset
	.byte \reg
	.byte 2			/* call */
	.popsection
661:
	.endm

	/* From here on a struct pt_regs lies at RSP. */
	.macro REGS
	.pushsection kc_rows, "aw"
	.quad 663f
	.short 0
	.byte SP
	.byte 3			/* regs */
	.popsection
663:
	.endm

	/* From here on the tables say that the stack ends. */
	.macro END
	.pushsection kc_rows, "aw"
	.quad 664f
	.short 0
	.byte 0
	.byte 1			/* end of stack */
	.popsection
664:
	.endm

	.macro FUNC name
	.balign 16
	.pushsection kc_names, "aw"
	.quad \name
	.quad 662f
	.popsection
	.pushsection .rodata.str1.1, "aMS", @progbits, 1
662:	.string "\name"
	.popsection
	.globl \name
\name:
	CFA SP, 8
	.endm

	/* Numbers of KC_ORC_V3's registers. */
	.set BP, 4
	.set SP, 5
	.set BP_INDIRECT, 8

	.section kc_text, "ax"

FUNC __stack_chk_fail
	ud2

FUNC other			/* whose callers may be above any frame */
	ret
	jmp	*%rax

FUNC simple			/* the common case: slot CFA-0x10 */
	sub	$0x18, %rsp
	CFA SP, 0x20
	mov	%gs:0x28, %rax
	mov	%rax, 0x10(%rsp)
	xor	%eax, %eax
	.globl	simple_call
simple_call:
	call	other
	.globl	simple_check
simple_check:
	mov	0x10(%rsp), %rdx
	sub	%gs:0x28, %rdx
	jne	1f
	add	$0x18, %rsp
	CFA SP, 8
	ret
1:	CFA SP, 0x20
	.globl	simple_fails
simple_fails:
	call	__stack_chk_fail

FUNC traced			/* the same, with room for a tracer's call */
	endbr64
	.globl	traced_room
traced_room:
	.byte	0x0f, 0x1f, 0x44, 0x00, 0x00
	sub	$0x18, %rsp
	CFA SP, 0x20
	mov	%gs:0x28, %rax
	mov	%rax, 0x10(%rsp)
	call	other
	mov	0x10(%rsp), %rdx
	sub	%gs:0x28, %rdx
	jne	1f
	add	$0x18, %rsp
	CFA SP, 8
	ret
1:	CFA SP, 0x20
	call	__stack_chk_fail

FUNC several_ways_out		/* not guarded: two returns, a tail call */
	test	%edi, %edi
	je	1f
	js	2f
	.globl	first_way_out
first_way_out:
	ret
	.globl	second_way_out
1:
second_way_out:
	jmp	other
2:	call	other
	jmp	1b
	.globl	third_way_out
third_way_out:
	ret	$8

FUNC unknown_ways_out
	test	%edi, %edi
	je	1f
	ret
1:	jmp	*%rax

FUNC through_rbp		/* frame pointer: slot CFA-0x28 */
	push	%rbp
	CFA SP, 16
	mov	%rsp, %rbp
	CFA BP, 16
	push	%rbx
	sub	$0x18, %rsp
	mov	%gs:0x28, %rax
	mov	%rax, -0x18(%rbp)
	call	other
	mov	-0x18(%rbp), %rax
	xor	%gs:0x28, %rax
	jne	1f
	mov	-8(%rbp), %rbx
	leave
	CFA SP, 8
	ret
1:	CFA BP, 16
	call	__stack_chk_fail

FUNC realigned			/* slot relative to SP, pushes move it */
	push	%rbp
	CFA SP, 16
	mov	%rsp, %rbp
	CFA BP, 16
	and	$-32, %rsp
	sub	$0x40, %rsp
	mov	%gs:0x28, %rax
	mov	%rax, 0x38(%rsp)
	.globl	realigned_call
realigned_call:
	call	other
	push	$1
	push	$2
	.globl	realigned_pushed
realigned_pushed:
	call	other
	add	$16, %rsp
	mov	0x38(%rsp), %rax
	sub	%gs:0x28, %rax
	jne	1f
	leave
	CFA SP, 8
	ret
1:	CFA BP, 16
	call	__stack_chk_fail

FUNC early_exit			/* leaves before it seals, shared epilogue */
	sub	$0x18, %rsp
	CFA SP, 0x20
	test	%rdi, %rdi
	je	1f
	mov	%gs:0x28, %rcx
	mov	%rcx, 8(%rsp)
	call	other
	mov	8(%rsp), %rcx
	sub	%gs:0x28, %rcx
	jne	2f
	.globl	early_exit_shared
early_exit_shared:
1:	add	$0x18, %rsp
	CFA SP, 8
	ret
2:	CFA SP, 0x20
	call	__stack_chk_fail

FUNC two_checks			/* and a tail call after the second */
	sub	$0x28, %rsp
	CFA SP, 0x30
	mov	%gs:0x28, %rax
	mov	%rax, 0x20(%rsp)
	call	other
	test	%eax, %eax
	je	1f
	mov	0x20(%rsp), %rax
	cmp	%gs:0x28, %rax
	jne	2f
	add	$0x28, %rsp
	CFA SP, 8
	ret
1:	CFA SP, 0x30
	mov	0x20(%rsp), %rax
	sub	%gs:0x28, %rax
	jne	2f
	add	$0x28, %rsp
	CFA SP, 8
	jmp	other
2:	CFA SP, 0x30
	call	__stack_chk_fail

FUNC clang_check		/* guard in a register, slot as memory operand */
	sub	$0x18, %rsp
	CFA SP, 0x20
	mov	%gs:0x28, %rax
	mov	%rax, 0x10(%rsp)
	call	other
	mov	%gs:0x28, %rax
	cmp	0x10(%rsp), %rax
	jne	1f
	add	$0x18, %rsp
	CFA SP, 8
	ret
1:	CFA SP, 0x20
	call	__stack_chk_fail

FUNC wrong_slot			/* the check reads another word: no plan */
	sub	$0x18, %rsp
	CFA SP, 0x20
	mov	%gs:0x28, %rax
	mov	%rax, 0x10(%rsp)
	call	other
	mov	8(%rsp), %rax
	sub	%gs:0x28, %rax
	jne	1f
	add	$0x18, %rsp
	CFA SP, 8
	ret
1:	CFA SP, 0x20
	call	__stack_chk_fail

FUNC overwritten		/* the register no longer holds the guard at the store */
	sub	$0x18, %rsp
	CFA SP, 0x20
	mov	%gs:0x28, %rax
	mov	%edi, %eax
	mov	%rax, 0x10(%rsp)
	add	$0x18, %rsp
	CFA SP, 8
	ret

FUNC before_a_jump		/* the next function begins where this call would return to */
	sub	$0x18, %rsp
	CFA SP, 0x20
	.fill	7, 1, 0x90
	call	__stack_chk_fail

FUNC jumped_to
	ret

FUNC unguarded
	.globl	unguarded_call
unguarded_call:
	call	other
	sub	$8, %rsp
	CFA SP, 16
	call	simple
	add	$8, %rsp
	CFA SP, 8
	ret

FUNC leads_on			/* tail calls */
	test	%edi, %edi
	je	simple
	jmp	leads_in_circles

FUNC leads_in_circles
	test	%edi, %edi
	jne	leads_on
	jmp	falls_on

FUNC falls_on			/* filled up with what does nothing */
	mov	%edi, %eax

FUNC leads_nowhere
	push	%rbx
	call	simple
	pop	%rbx
	ret
	int3			/* not to be run into */
1:	nopl	0(%rax, %rax)
	jmp	1b

FUNC leads_by_register
	test	%edi, %edi
	jne	leads_nowhere
	jmp	*%rax

FUNC leads_by_thunk
	xor	%eax, %eax
	jmp	__x86_indirect_thunk_rax

FUNC mends_faults		/* of leads_nowhere, and of nobody */
	mov	$-14, %edx
	jmp	leads_nowhere + 6
	.globl	mends_nothing
mends_nothing:
	mov	$-14, %edx
	jmp	*%rdx

FUNC is_traced			/* has room for a tracer's call */
	.byte	0x0f, 0x1f, 0x44, 0x00, 0x00
	ret

FUNC __switch_to_asm
	ret

FUNC calls_other_functions
	call	__switch_to_asm
	.globl	above_the_switch
above_the_switch:
	call	leads_nowhere
	.globl	above_leads_nowhere
above_leads_nowhere:
	call	leads_on
	.globl	above_leads_on
above_leads_on:
	call	is_traced
	.globl	above_is_traced
above_is_traced:
	ret

	.macro LABEL name	/* as FUNC, wherever it comes to lie */
	.pushsection kc_names, "aw"
	.quad \name
	.quad 665f
	.popsection
	.pushsection .rodata.str1.1, "aMS", @progbits, 1
665:	.string "\name"
	.popsection
	.globl \name
\name:
	CFA SP, 8
	.endm

FUNC never_comes_back
	nopw	0(%rax, %rax)
	nopl	0(%rax, %rax)
	call	__stack_chk_fail
FUNC ends_in_a_call
	call	__stack_chk_fail
LABEL behind_the_call
	ret

FUNC ambiguous			/* sealed on one way to a call, not on the other */
	sub	$0x18, %rsp
	CFA SP, 0x20
	test	%edi, %edi
	je	1f
	mov	%gs:0x28, %rax
	mov	%rax, 0x10(%rsp)
1:
	.globl	ambiguous_call
ambiguous_call:
	call	other
	add	$0x18, %rsp
	CFA SP, 8
	ret

FUNC behind_key			/* code that only a static key leads to */
	sub	$0x18, %rsp
	CFA SP, 0x20
	mov	%gs:0x28, %rax
	mov	%rax, 0x10(%rsp)
	.globl	behind_key_nop
behind_key_nop:
	nopl	0(%rax,%rax,1)
1:	mov	0x10(%rsp), %rax
	sub	%gs:0x28, %rax
	jne	2f
	add	$0x18, %rsp
	CFA SP, 8
	ret
	.globl	behind_key_call
behind_key_call:
	CFA SP, 0x20
	call	other
	jmp	1b
2:	call	__stack_chk_fail

FUNC has_cold			/* seals here, checks in its .cold part */
	sub	$0x18, %rsp
	CFA SP, 0x20
	mov	%gs:0x28, %rax
	mov	%rax, 0x10(%rsp)
	test	%edi, %edi
	js	has_cold.cold
	mov	0x10(%rsp), %rax
	sub	%gs:0x28, %rax
	jne	1f
	add	$0x18, %rsp
	CFA SP, 8
	ret
1:	CFA SP, 0x20
	call	__stack_chk_fail

FUNC has_cold.cold
	CFA SP, 0x20
	.globl	cold_call
cold_call:
	call	other
	mov	0x10(%rsp), %rax
	sub	%gs:0x28, %rax
	jne	1f
	add	$0x18, %rsp
	CFA SP, 8
	ret
1:	CFA SP, 0x20
	call	__stack_chk_fail

FUNC orphan.cold		/* whose parent does not exist */
	call	other

FUNC undecodable		/* before it seals */
	sub	$0x18, %rsp
	CFA SP, 0x20
	.byte	0x06		/* push %es: not in 64-bit mode */
	mov	%gs:0x28, %rax
	mov	%rax, 0x10(%rsp)
	ret

FUNC unknown_to_capstone	/* rdpkru before the check */
	sub	$0x18, %rsp
	CFA SP, 0x20
	mov	%gs:0x28, %rax
	mov	%rax, 0x10(%rsp)
	.byte	0x0f, 0x01, 0xee
	mov	0x10(%rsp), %rax
	sub	%gs:0x28, %rax
	jne	1f
	add	$0x18, %rsp
	CFA SP, 8
	ret
1:	CFA SP, 0x20
	call	__stack_chk_fail

	.macro GUARDED_WITH bytes:vararg
	sub	$0x18, %rsp
	CFA SP, 0x20
	mov	%gs:0x28, %rax
	mov	%rax, 0x10(%rsp)
	call	other
	test	%edi, %edi
	je	1f
	.byte	\bytes
	call	simple
1:	mov	0x10(%rsp), %rax
	sub	%gs:0x28, %rax
	jne	2f
	add	$0x18, %rsp
	CFA SP, 8
	ret
2:	CFA SP, 0x20
	call	__stack_chk_fail
	.endm

FUNC warns			/* ud1 (%edx), %rdi in the place of a call */
	GUARDED_WITH 0x67, 0x48, 0x0f, 0xb9, 0x3a

FUNC traps			/* ud1 0x10(%rsp), %edi: an end, if no table knows better */
	GUARDED_WITH 0x0f, 0xb9, 0x7c, 0x24, 0x10

FUNC rip_relative		/* the guard as 6.15 and later name it */
	sub	$0x18, %rsp
	CFA SP, 0x20
	mov	%gs:fake_guard(%rip), %rax
	mov	%rax, 0x10(%rsp)
	call	other
	mov	0x10(%rsp), %rax
	sub	%gs:fake_guard(%rip), %rax
	jne	1f
	add	$0x18, %rsp
	CFA SP, 8
	ret
1:	CFA SP, 0x20
	call	__stack_chk_fail

FUNC kernel_addresses		/* operands that tell where a kernel lies */
	mov	$-0x676975a0, %rdi	/* far_away+0x60 */
	mov	$-0x676975a0, %esi
	mov	-0x67697600(,%rax,8), %rax
	mov	-0x7e123450(,%rax,8), %rax
	movabs	$0xffff888012345678, %rcx
	movq	$-0x67697600, 8(%rsp)
	call	*-0x7e123450(,%rax,8)
	mov	fake_guard(%rip), %rdx
	mov	%gs:0x1fc80, %rdx
	mov	$-22, %rdx
	mov	-0x188(%rbp), %rdx
	.byte	0xe8		/* call far away, to no symbol */
	.long	0x7fffff00
	ret

FUNC interrupt			/* entry code: saved registers on the stack */
	REGS
	.globl	interrupt_call
interrupt_call:
	call	other
	.globl	interrupt_again
interrupt_again:
	call	other
	ret

FUNC return_to_handler		/* what tracers put in the place of return addresses */
	ret

FUNC arch_rethook_trampoline
	ret

FUNC end_marked			/* where the tables say that the stack ends */
	END
	.globl	end_marked_call
end_marked_call:
	call	other
	ret

FUNC __x86_indirect_thunk_rax	/* a retpoline: no tables */
	END
	call	1f
	.globl	thunk_trap
thunk_trap:
	int3
	.globl	thunk_inside
thunk_inside:
1:	mov	%rax, (%rsp)
	CFA SP, 8
	.globl	thunk_return
thunk_return:
	ret

FUNC safe_ret			/* leaves the frame of its caller, who never goes on */
	END
	lea	8(%rsp), %rsp
	.globl	safe_ret_inside
safe_ret_inside:
	ret

FUNC stuffing			/* fills the processor's return stack */
	END
	call	1f
	int3
1:	call	2f
	int3
2:
	.globl	stuffing_inside
stuffing_inside:
	call	3f
	int3
3:	add	$0x18, %rsp
	ret

FUNC detour			/* saves all, does something, and goes on in simple() */
	END
	push	%rbp
	push	%rax
	.globl	detour_inside
detour_inside:
	call	other
	pop	%rax
	pop	%rbp
	jmp	simple_check

FUNC roomy			/* simple(), its check far behind its seal */
	sub	$0x18, %rsp
	CFA SP, 0x20
	mov	%gs:0x28, %rax
	mov	%rax, 0x10(%rsp)
	.skip	20, 0x90
	.globl	roomy_check
roomy_check:
	mov	0x10(%rsp), %rdx
	sub	%gs:0x28, %rdx
	jne	1f
	add	$0x18, %rsp
	CFA SP, 8
	ret
1:	CFA SP, 0x20
	call	__stack_chk_fail

FUNC far_detour			/* detour(), to there */
	END
	push	%rbp
	push	%rax
	.globl	far_detour_inside
far_detour_inside:
	call	other
	pop	%rax
	pop	%rbp
	jmp	roomy_check

FUNC pushes			/* between seal and check; the tables know nothing of it */
	sub	$0x18, %rsp
	CFA SP, 0x20
	mov	%gs:0x28, %rax
	mov	%rax, 0x10(%rsp)
	pushfq
	.globl	pushes_inside
pushes_inside:
	pop	%rax
	.globl	pushes_check
pushes_check:
	mov	0x10(%rsp), %rdx
	sub	%gs:0x28, %rdx
	jne	1f
	add	$0x18, %rsp
	CFA SP, 8
	ret
1:	CFA SP, 0x20
	call	__stack_chk_fail

FUNC ends_in_call		/* the return address is the next function's start */
	.skip	11, 0x90
	.globl	last_call
last_call:
	call	__stack_chk_fail

FUNC last
	ret

	.globl	kc_text_end
kc_text_end:

	/* What a kernel makes as it runs: no tables, no symbols, read at another place. */
	.section kc_made, "ax"

	.globl	made_trampoline, made_trampoline_inside
made_trampoline:
	sub	$0x28, %rsp
	mov	%rdi, 0x10(%rsp)
	mov	%rbp, %rdx
	mov	%rdx, 8(%rsp)
	call	*%rax
made_trampoline_inside:
	mov	0x10(%rsp), %rdi
	mov	8(%rsp), %rbp
	add	$0x28, %rsp
	ret

	.globl	made_program, made_program_pushed, made_program_inside, made_program_left
made_program:
	nopl	0(%rax,%rax,1)
	push	%rbp
made_program_pushed:
	mov	%rsp, %rbp
	sub	$0x10, %rsp
	push	%rbx
	xor	%ebx, %ebx
1:	test	%edi, %edi
	je	3f
	dec	%edi
	je	2f			/* one way out ... */
made_program_inside:
	call	*%rax
	jmp	1b
2:	pop	%rbx
	leave
made_program_left:
	ret
3:	add	$0x18, %rsp		/* ... and a jump to another program */
	jmp	*%rcx

	.globl	made_jump
made_jump:
	jmp	*%rcx

	.globl	made_guarded, made_endless, made_lost, made_restores_other
made_guarded:			/* a module nobody knows yet: compiled, and has a canary */
	mov	0x10(%rsp), %rdx
	sub	%gs:0x28, %rdx
	add	$0x18, %rsp
	ret
made_endless:
	nop
	jmp	made_endless
made_lost:
	mov	%rax, %rsp
	ret
made_restores_other:		/* BP is not the caller's again */
	mov	%rax, -8(%rsp)
	mov	-8(%rsp), %rbp
	ret
	.globl	kc_made_end
kc_made_end:
	.skip	64, 0xff

	.data
	.globl	fake_guard
fake_guard:
	.quad	0
	.section .note.GNU-stack, "", @progbits
