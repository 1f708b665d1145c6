// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <string.h>

#include "arch/arch.h"
#include "kc_arch.h"
#include "util/array.h"

/* The privilege level, in the lowest bits of CS. */
static bool from_user(uint64_t cs)
{
	return (cs & 3) == 3;
}

enum {
	INT3 = 0xcc,
	CALL = 0xe8,
	JMP = 0xe9,
	ENDBR_SIZE = 4,
	JMP_SIZE = 5, /* an optimized kprobe's; a breakpoint is one byte of it */
	CALL_MIN = 2, /* call *%rax */
	CALL_MAX = 8, /* call *disp32(,%r8,8) */
};
_Static_assert(CALL_MAX <= KC_MAX_CALL && JMP_SIZE <= KC_MAX_PATCH, "room for the longest");

/* A breakpoint, a jump or a call, as probes and tracers put them. */
static bool is_patch(uint8_t first)
{
	return first == INT3 || first == JMP || first == CALL;
}

static bool is_breakpoint(uint8_t first)
{
	return first == INT3;
}

static void make_jump(uint64_t from, uint64_t to, uint8_t ret_jump[KC_MAX_PATCH])
{
	int32_t distance = to - (from + JMP_SIZE);

	ret_jump[0] = JMP;
	memcpy(ret_jump + 1, &distance, sizeof(distance));
}

static bool may_be_patched_call(const uint8_t *end)
{
	static const uint8_t patches[][5] = {
		{ 0x0f, 0x1f, 0x44, 0x00, 0x00 }, /* nop */
		{ 0x66, 0x66, 0x66, 0x66, 0x90 }, /* nop, as older kernels have it for some CPUs */
		{ 0x66, 0x66, 0x90, 0x66, 0x90 },
		{ 0x2e, 0x2e, 0x2e, 0x31, 0xc0 }, /* return 0, since v5.18 */
		{ 0x66, 0x66, 0x48, 0x31, 0xc0 }, /* and before */
	};

	if (end[-5] == JMP)
		return true;
	for (size_t i = 0; i < kc_countof(patches); i++)
		if (!memcmp(end - 5, patches[i], 5))
			return true;
	for (int len = CALL_MIN; len <= CALL_MAX; len++)
		if (end[-len] == INT3)
			return true;
	return false;
}

static const char *const syscall_names[] = {
#include "syscalls_64.inc"
};

static const char *const compat_names[] = {
#include "syscalls_32.inc"
};

static const char *syscall_name(long nr, bool compat)
{
	size_t count = compat ? kc_countof(compat_names) : kc_countof(syscall_names);

	if (nr < 0 || (size_t)nr >= count)
		return NULL;
	return compat ? compat_names[nr] : syscall_names[nr];
}

const struct kc_arch kc_arch_x86_64 = {
	/*
	 *	%gs:40            fixed_percpu_data.stack_canary
	 *	%gs:disp(%rip)    per-CPU variable __stack_chk_guard, since Linux commit
	 *	                  80d47defddc0 ("x86/stackprotector/64: Convert to normal
	 *	                  per-CPU variable"), v6.15
	 */
	.guard = { "__stack_chk_guard", "fixed_percpu_data", "stack_canary" },
	/* As __switch_to_asm() pushes it (arch/x86/include/asm/switch_to.h). */
	.inactive = { "inactive_task_frame", "bp", "ret_addr" },
	.regs = { "pt_regs", .pc = "ip", .sp = "sp", .bp = "bp", .mode = "cs" },
	.from_user = from_user,
	/* TOP_OF_KERNEL_STACK_PADDING with CONFIG_X86_FRED (asm/thread_info.h); else 0. */
	.top_padding = 16,
	.return_below_cfa = 8, /* the call pushes it, and the CFA is SP before that */
	.modules = 0xffffffffa0000000ULL,
	/* KERNEL_IMAGE_SIZE is 1 GiB then, else 512 MiB (asm/page_64_types.h). */
	.modules_behind_kaslr = 0xffffffffc0000000ULL,
	.linked_text = 0xffffffff81000000ULL, /* CONFIG_PHYSICAL_START is 16 MiB */
	.modules_end = 0xffffffffff000000ULL, /* MODULES_END */
	.kernel_half = ~0ULL << KC_KERNEL_BITS,
	.landing_pad = ENDBR_SIZE,
	.patch_len = JMP_SIZE,
	.is_patch = is_patch,
	.is_breakpoint = is_breakpoint,
	.make_jump = make_jump,
	.call_min = CALL_MIN,
	.call_max = CALL_MAX,
	.may_be_patched_call = may_be_patched_call,
	/* __x86_return_thunk (CONFIG_RETHUNK) and its variants, __x86_indirect_thunk_rax ... */
	.return_thunk = "return_thunk",
	.jump_thunk = "indirect_thunk",
	.pc_operand = "(%rip)",
	/*
	 * Linux commit b34006c425d6 ("x86/jump_table: Use relative references"), v4.20, and
	 * Linux commit 548acf19234d ("x86/mm: Expand the exception table logic to allow new
	 * handling options"), v4.6.
	 */
	.jump_entry_size = 16,
	.fixup_size = 12,
	.switch_to = "__switch_to_asm",
	.getsid = "__x64_sys_getsid",
	.syscall_name = syscall_name,
};
