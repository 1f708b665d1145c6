/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What this kernel is: everything that the later stages need to know of it,
 * learned from the kernel itself and never from its version.
 */
#ifndef KC_KERNEL_KERNEL_H
#define KC_KERNEL_KERNEL_H

#include <stdbool.h>

#include "arch/arch.h"
#include "kernel/kprobes.h"
#include "kernel/ksyms.h"
#include "kernel/mem.h"
#include "kernel/orc.h"
#include "util/cleanup.h"
#include "util/error.h"

/* Offsets in what a task that is not running has left at its thread.sp. */
struct kc_inactive_frame {
	uint32_t bp, ret_addr, size;
};

/* Offsets in struct pt_regs; mode: see kc_arch()->from_user. */
struct kc_pt_regs {
	uint32_t pc, sp, bp, mode, size;
};

struct kc_module {
	char name[64];
	uint64_t load; /* its number among all loads since boot; 0: not known */
	uint64_t text, text_end;
	uint64_t jump_entries, nr_jump_entries; /* static keys */
	uint64_t fixups, nr_fixups;		/* exception table */
	uint64_t bugs, nr_bugs;			/* bug table */
	uint64_t static_calls, nr_static_calls; /* sites; none before v5.10 */
	struct kc_orc_table orc;		/* count 0: none, its frames can't be unwound */
};

/*
 * Control flow that the instruction at `code` does not show: a static key may
 * patch it between a nop and a jump, an exception there ends at a fixup, it
 * is the trap of a WARN(), after which the code goes on, or a static call (or jump), which may lead
 * to another function than before, or to none.
 */
struct kc_edge {
	uint64_t code;
	uint64_t target; /* or one of these: */
};

#define KC_EDGE_NEXT 0 /* the instruction after it */
#define KC_EDGE_AWAY 1 /* some function, some time */

/* Where struct bug_entry keeps its flags; it grew over time. */
struct kc_bug_entry {
	uint32_t size, flags;
};

/* What this kernel's live probes can do, by its BTF. */
struct kc_probe_facts {
	bool multi;	   /* one link for many entries: kprobe.multi, v5.18, CONFIG_FPROBE */
	bool tells_missed; /* hits that ran no program: bpf_link_info, v6.7 */
	bool ring_sleeps;  /* kc_btf_ring_sleeps() */
};

struct kc_kernel {
	const struct kc_mem *mem; /* borrowed */
	struct kc_ksyms *ksyms;
	struct kc_orc_table orc;
	struct kc_module *modules;
	size_t nr_modules;
	struct kc_edge *edges; /* sorted by code */
	size_t nr_edges;
	struct kc_guard guard;
	struct kc_inactive_frame inactive;
	struct kc_pt_regs pt_regs;
	struct kc_probe_facts probes;
	struct kc_kprobe_table kprobes;
	bool freezes_in_place;	       /* the freezer, v6.1: see user/respond/holder.c */
	struct kc_bug_entry bug_entry; /* size 0: not known */
	uint32_t thread_size;	       /* bytes */
	uint64_t text, text_end;
	uint64_t modules_start; /* of the area for modules and generated code, or below it */
	uint8_t *found_edges;	/* for a recording: see kc_kernel_note(); else NULL */
};

/*
 * Learn a kernel. mem is borrowed and must outlive it. On failure the errno
 * says what kind (-ENOENT: the kernel lacks something we need, -EPERM: not
 * allowed, -EBADMSG: inconsistent data); the status is always KC_EXIT_CANNOT_RUN.
 */
int kc_kernel_load(const struct kc_mem *mem, const char *kallsyms_path, const char *btf_path,
		   struct kc_failure *ret_failure, struct kc_kernel **ret_kernel);
void kc_kernel_free(struct kc_kernel *kernel);
KC_DEFINE_AUTO(kernel, struct kc_kernel, kc_kernel_free)

/* vmlinux's data lies behind its text, in no more than this. */
#define KC_MAX_DATA (64 << 20)

/* Where modules and generated code may be: above all of vmlinux, wherever KASLR put it. */
uint64_t kc_modules_start(const struct kc_ksyms *ksyms);

/*
 * For a recording: from here on remember which symbols, ORC entries and edges were found, and
 * read text through mem. 0 or -ENOMEM.
 */
int kc_kernel_note(struct kc_kernel *kernel, const struct kc_mem *mem);

/* As kc_ksyms_noted(), of edges. */
bool kc_kernel_noted_edge(const struct kc_kernel *kernel, size_t *cursor, struct kc_edge *ret_edge);

/* The ORC entry of a text address, of vmlinux or a module. */
bool kc_kernel_orc(const struct kc_kernel *kernel, uint64_t pc, struct kc_orc *ret_orc);

/* The edges that start at exactly this address: how many, and the first. */
size_t kc_kernel_edges(const struct kc_kernel *kernel, uint64_t code,
		       const struct kc_edge **ret_first);

/* The module in whose text addr lies, or NULL. */
const struct kc_module *kc_kernel_module(const struct kc_kernel *kernel, uint64_t addr);

/* Is addr in kernel or module text? */
bool kc_kernel_is_text(const struct kc_kernel *kernel, uint64_t addr);

/*
 * May there be code at addr, though we have no tables of it: initialization code,
 * generated code, or a module or generated code that came since the symbols were
 * read? If not, nothing can return to there. True when in doubt.
 */
bool kc_kernel_may_be_code(const struct kc_kernel *kernel, uint64_t addr);

#endif
