/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ORC, layer one and two: the bits of an entry, and tables of them.
 *
 * The kernel's unwind tables say for every text address how to find the CFA
 * and the caller's BP (arch/x86/include/asm/orc_types.h). One entry is
 * { s16 sp_offset; s16 bp_offset; u16 bits }. The bits, lowest first:
 *
 *	layout       0-3     4-7     8 ...
 *	KC_ORC_V1    sp_reg  bp_reg  type:2 end:1
 *	KC_ORC_V2    sp_reg  bp_reg  type:2 signal:1 end:1
 *	KC_ORC_V3    sp_reg  bp_reg  type:3 signal:1
 *	KC_ORC_V4    as V3, registers renumbered
 *
 * V1: Linux commit ee9f8fce9964 ("x86/unwind: Add the ORC unwinder"), v4.14.
 * V2: Linux commit ffb1b4a41016 ("x86/unwind/orc: Add 'signal' field to ORC
 *     metadata"), v6.3.
 * V3: Linux commit fb799447ae29 ("x86,objtool: Split UNWIND_HINT_EMPTY in
 *     two"), v6.4: "end" became a type.
 * V4: Linux commit 1735858caa4b ("objtool/x86: Reorder ORC register
 *     numbering"), v7.1.
 *
 * Since v6.4 a hash of the format's header tells which it is (.orc_header);
 * before, the members of struct orc_entry in BTF do. An unknown hash is
 * refused: guessing here would mean wrong slots.
 *
 * These layouts are x86's, and it is not in arch/ all the same: ORC is one of the kernel's
 * tables, read like the others, and what is decoded names SP, BP and no other register.
 */
#ifndef KC_KERNEL_ORC_H
#define KC_KERNEL_ORC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/mem.h"

struct kc_btf;

enum kc_orc_layout {
	KC_ORC_UNKNOWN = 0,
	KC_ORC_V1 = 1,
	KC_ORC_V2 = 2,
	KC_ORC_V3 = 3,
	KC_ORC_V4 = 4,
};

#define KC_ORC_HEADER_SIZE 20

enum kc_orc_reg {
	KC_ORC_REG_UNDEFINED,
	KC_ORC_REG_PREV_SP, /* for bp: relative to the CFA */
	KC_ORC_REG_BP,
	KC_ORC_REG_SP,
	KC_ORC_REG_BP_INDIRECT, /* *(bp + offset) */
	KC_ORC_REG_SP_INDIRECT, /* *sp + offset; before V3 *(sp + offset) */
	KC_ORC_REG_OTHER,	/* one that no frame saves */
	KC_ORC_REG_BAD,
};

enum kc_orc_type {
	KC_ORC_UNDEFINED,    /* no unwinding from here */
	KC_ORC_END_OF_STACK, /* nothing below */
	KC_ORC_CALL,	     /* return address right below the CFA */
	KC_ORC_REGS,	     /* struct pt_regs at the CFA */
	KC_ORC_REGS_PARTIAL, /* only ip, cs, flags, sp, ss are valid in it */
	KC_ORC_BAD,
};

struct kc_orc {
	int16_t sp_offset;
	int16_t bp_offset;
	uint8_t sp_reg; /* enum kc_orc_reg */
	uint8_t bp_reg;
	uint8_t type; /* enum kc_orc_type */
	bool signal;  /* the pc is exact, not a return address */
};

/* One entry as it lies in memory, little-endian. */
struct kc_orc_raw {
	int16_t sp_offset;
	int16_t bp_offset;
	uint16_t bits;
} __attribute__((packed));

/* Never fails: what the layout does not define becomes _BAD. */
struct kc_orc kc_orc_decode(const struct kc_orc_raw *raw, enum kc_orc_layout layout);

/* From .orc_header's bytes; KC_ORC_UNKNOWN if the hash is not a known one. */
enum kc_orc_layout kc_orc_layout_of_header(const uint8_t header[KC_ORC_HEADER_SIZE]);

/* From struct orc_entry's members; KC_ORC_UNKNOWN if they are not understood. */
enum kc_orc_layout kc_orc_layout_of_btf(struct kc_btf *btf);

/* Table of one object: vmlinux or a module. */
struct kc_orc_table {
	uint64_t ip_addr; /* kernel address of ip[0] */
	size_t count;
	enum kc_orc_layout layout;
	int32_t *ip; /* pc(i) = ip_addr + 4 * i + ip[i], ascending */
	struct kc_orc_raw *entries;
	uint8_t *found; /* for a recording: see kc_orc_noted(); else NULL */
};

/*
 * Read a table of `count` entries. -EFAULT if it can't be read, -EBADMSG if
 * the addresses do not ascend or count is absurd, -ENOMEM. ret_table owns
 * what it points to: kc_orc_table_free().
 */
int kc_orc_table_read(const struct kc_mem *mem, uint64_t ip_addr, uint64_t entries_addr,
		      uint64_t count, enum kc_orc_layout layout, struct kc_orc_table *ret_table);
void kc_orc_table_free(struct kc_orc_table *table);

/*
 * For a recording: the entries that were found since the table got its `found`, each once: its
 * range and its bits. Cursor as in kc_ksyms_noted().
 */
struct kc_orc_row {
	uint64_t start, end; /* 0: to the end of the table's object */
	struct kc_orc_raw raw;
};
bool kc_orc_noted(const struct kc_orc_table *table, size_t *cursor, struct kc_orc_row *ret_row);

/* A table of rows, which are sorted; what lies between them is not covered. 0 or -errno. */
int kc_orc_table_make(const struct kc_orc_row *rows, size_t count, enum kc_orc_layout layout,
		      struct kc_orc_table *ret_table);

/* The entry that covers pc; false if pc lies before the table. */
bool kc_orc_find(const struct kc_orc_table *table, uint64_t pc, struct kc_orc *ret_orc);

#endif
