/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Probes in kernel text, whoever put them there, as the kernel itself keeps them; and the code
 * that lies under them.
 *
 *	kprobe_table[bucket] ─► struct kprobe { addr, opcode } ─► ...
 *	                        struct optimized_kprobe { kprobe, copied_insn, insn }
 *
 * A breakpoint has replaced one byte, `opcode`. An optimized probe's jump, to its own code at
 * `insn`, has replaced `copied_insn` too. While it comes and goes, its first byte is a breakpoint
 * (arch_optimize_kprobes() and arch_unoptimize_kprobe() in arch/x86/kernel/kprobes/opt.c).
 */
#ifndef KC_KERNEL_KPROBES_H
#define KC_KERNEL_KPROBES_H

#include "kernel/mem.h"
#include "util/cleanup.h"

struct kc_btf;

/* Where the kernel keeps its probes. */
struct kc_kprobe_table {
	uint64_t addr;				    /* of the table; 0: not known */
	uint32_t hlist, probe, opcode, flags, size; /* in struct kprobe; size 0: not known */
	uint32_t copied, detour; /* in struct optimized_kprobe; 0: there is none */
};

/* All but the table's address, which is a symbol's. */
void kc_kprobe_table_learn(struct kc_btf *btf, struct kc_kprobe_table *ret_table);

struct kc_kprobes;

/* mem is borrowed. -ENOENT: where the probes are is not known; or -ENOMEM. */
int kc_kprobes_new(const struct kc_mem *mem, const struct kc_kprobe_table *table,
		   struct kc_kprobes **ret_kprobes);
void kc_kprobes_free(struct kc_kprobes *kprobes);
KC_DEFINE_AUTO(kprobes, struct kc_kprobes, kc_kprobes_free)

/* From here on lists that could not be walked are walked again, once; how often they were not. */
void kc_kprobes_next_pass(struct kc_kprobes *kprobes);
uint64_t kc_kprobes_unwalked(struct kc_kprobes *kprobes);

/*
 * Bytes that were just read at addr: put back what probes have replaced. A jump that begins
 * before addr stays. The kernel may change all of it meanwhile: what is read twice and comes out
 * the same is right.
 */
void kc_kprobes_restore(struct kc_kprobes *kprobes, uint64_t addr, uint8_t *bytes, size_t len);

#endif
