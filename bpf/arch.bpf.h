/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the BPF programs know of the processor, and nothing else of them does: registers
 * at a probe, user mode's registers, the saved stack pointer. user/arch is the other side.
 */
#ifndef ARCH_BPF_H
#define ARCH_BPF_H

#include "loss.bpf.h"

/* The probed address: the breakpoint, or the jump in its place, has moved ip by one byte. */
static __always_inline __u64 probed_site(const struct pt_regs *ctx)
{
	return ctx->ip - 1;
}

/* SP and the frame pointer as the probed instruction finds them. */
static __always_inline __u64 probed_sp(const struct pt_regs *ctx)
{
	return ctx->sp;
}

static __always_inline __u64 probed_bp(const struct pt_regs *ctx)
{
	return ctx->bp;
}

/* The interrupted instruction. */
static __always_inline __u64 interrupted_pc(const struct pt_regs *ctx)
{
	return ctx->ip;
}

/* Of a saved code segment: was it user mode's? */
static __always_inline bool is_user_mode(__u64 cs)
{
	return (cs & 3) == 3;
}

/* A function's first two arguments, at its entry. */
static __always_inline __u64 first_argument(const struct pt_regs *ctx)
{
	return ctx->di;
}

static __always_inline __u64 second_argument(const struct pt_regs *ctx)
{
	return ctx->si;
}

/* Where the stack of a task that is not running was left: kc_arch()->inactive lies there. */
static __always_inline __u64 saved_sp(const struct task_struct *task)
{
	return task->thread.sp;
}

/*
 * Kernels that can use FRED leave 16 bytes above user mode's registers at the stack's top
 * (TOP_OF_KERNEL_STACK_PADDING, Linux commit 65c9cc9e2c14 ("x86/fred: Reserve space for
 * the FRED stack frame"), v6.9): what looks like user mode's segments there is taken for
 * them.
 */
#define FRED_PADDING 16

static __always_inline bool read_user_regs_at(__u64 at, struct pt_regs *regs)
{
	if (bpf_probe_read_kernel(regs, sizeof(*regs), (void *)at)) {
		lose(KC_LOSS_REGS);
		return false;
	}
	/* FRED keeps what it knows of the event in the upper bits. */
	regs->cs &= 0xffff;
	regs->ss &= 0xffff;
	return (regs->cs & 3) == 3 && (regs->ss & 3) == 3 && regs->cs < 0x100 && regs->ss < 0x100;
}

/* The registers that user mode left at the top of this stack. */
static __always_inline bool read_user_regs(__u64 top, struct pt_regs *regs)
{
	__u64 at = top - sizeof(*regs);

	return read_user_regs_at(at, regs) || read_user_regs_at(at - FRED_PADDING, regs);
}

#define TS_COMPAT 2 /* arch/x86/include/asm/thread_info.h */

/*
 * Is the task in a 32-bit system call? 64-bit code can make one, too (int $0x80), so its code
 * segment does not tell. Cleared on the way back to user mode
 * (arch/x86/include/asm/entry-common.h). As enum kc_record_flag.
 */
static __always_inline __u32 compat_flag(struct task_struct *task)
{
	__u32 status = 0;

	if (!bpf_core_field_exists(task->thread_info.status))
		return 0;
	lose_if(KC_LOSS_TASK, bpf_core_read(&status, sizeof(status), &task->thread_info.status));
	return status & TS_COMPAT ? KC_RECORD_COMPAT : 0;
}

#define USER_CS 0x33 /* 64-bit code's */

/*
 * The system call that they ask for. In an interrupt or a fault of user mode it is -1 (idtentry in
 * arch/x86/entry/entry_64.S), and the registers are the program's own business.
 */
static __always_inline void fill_call(const struct pt_regs *regs, struct kc_event *event)
{
	bool compat = event->task.flags & KC_RECORD_COMPAT;
	__s64 call = compat ? (__s32)regs->orig_ax : (__s64)regs->orig_ax;

	if (call < 0 || (!compat && regs->cs != USER_CS))
		return;
	event->syscall = call;
	if (compat) {
		event->args[0] = (__u32)regs->bx;
		event->args[1] = (__u32)regs->cx;
		event->args[2] = (__u32)regs->dx;
		event->args[3] = (__u32)regs->si;
		event->args[4] = (__u32)regs->di;
		event->args[5] = (__u32)regs->bp;
		return;
	}
	event->args[0] = regs->di;
	event->args[1] = regs->si;
	event->args[2] = regs->dx;
	event->args[3] = regs->r10;
	event->args[4] = regs->r8;
	event->args[5] = regs->r9;
}

/*
 * The system call, out of the registers that user mode left at the top of the event's stack. By
 * itself for its stack: those registers are large.
 */
static __attribute__((noinline, unused)) int fill_syscall(struct kc_event *event, __u64 regs_size)
{
	struct pt_regs regs = {};

	event->syscall = -1;
	if ((event->task.flags & KC_RECORD_KTHREAD) || regs_size != sizeof(regs))
		return 0;
	if (read_user_regs(event->task.top, &regs))
		fill_call(&regs, event);
	return 0;
}

#endif
