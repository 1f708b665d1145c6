// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs that do nothing under the names that are attached, to be linked with the live
 * probes' own under others: what a probe costs by itself.
 */
#include "kc.bpf.h"

char LICENSE[] SEC("license") = "GPL";

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
