// SPDX-License-Identifier: GPL-2.0-only
/*
 * The live probes' object with programs that do nothing under the names that are
 * attached: what a probe costs by itself.
 */
#define kc_check       kc_check_whole
#define kc_entry       kc_entry_whole
#define kc_entry_multi kc_entry_multi_whole
#define kc_return      kc_return_whole
#include "../../bpf/probes.bpf.c"
#undef kc_check
#undef kc_entry
#undef kc_entry_multi
#undef kc_return

SEC("kprobe")
int kc_check(struct pt_regs *ctx)
{
	(void)ctx;
	return 0;
}

SEC("kprobe")
int kc_entry(struct pt_regs *ctx)
{
	(void)ctx;
	return 0;
}

SEC("kprobe.multi")
int kc_entry_multi(struct pt_regs *ctx)
{
	(void)ctx;
	return 0;
}

SEC("kprobe")
int kc_return(struct pt_regs *ctx)
{
	(void)ctx;
	return 0;
}
