// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/orc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "kernel/btf.h"
#include "kernel/found.h"
#include "util/array.h"

/* The largest table seen has 503,500 entries (Debian's 7.2). */
#define MAX_ENTRIES (16u << 20)

/*
 * Register numbers before v7.1, and from it on. OTHER are DX, DI, R10, R13; AX, DX and
 * DI, R10, R13.
 */
static const uint8_t registers_v1[] = {
	KC_ORC_REG_UNDEFINED,	KC_ORC_REG_PREV_SP,	KC_ORC_REG_OTHER, KC_ORC_REG_OTHER,
	KC_ORC_REG_BP,		KC_ORC_REG_SP,		KC_ORC_REG_OTHER, KC_ORC_REG_OTHER,
	KC_ORC_REG_BP_INDIRECT, KC_ORC_REG_SP_INDIRECT,
};

static const uint8_t registers_v4[] = {
	KC_ORC_REG_UNDEFINED, KC_ORC_REG_OTHER,	      KC_ORC_REG_OTHER,	      KC_ORC_REG_SP,
	KC_ORC_REG_BP,	      KC_ORC_REG_OTHER,	      KC_ORC_REG_OTHER,	      KC_ORC_REG_OTHER,
	KC_ORC_REG_PREV_SP,   KC_ORC_REG_SP_INDIRECT, KC_ORC_REG_BP_INDIRECT,
};

/*
 * scripts/orc_hash.sh over arch/x86/include/asm/orc_types.h, which the kernel
 * has put into .orc_header since Linux commit b9f174c811e3 ("x86/unwind/orc:
 * Add ELF section with ORC version identifier"), v6.4.
 */
static const struct {
	enum kc_orc_layout layout;
	uint8_t hash[KC_ORC_HEADER_SIZE];
} headers[] = {
	{ KC_ORC_V2, { 0xdb, 0x84, 0xae, 0xd4, 0x10, 0x3b, 0x31, 0xdd, 0x51, 0xe0,
		       0x17, 0xf8, 0xf7, 0x97, 0x83, 0xca, 0x98, 0x5c, 0x2c, 0x51 } },
	{ KC_ORC_V3, { 0xfe, 0x5d, 0x32, 0xbf, 0x58, 0x1b, 0xd6, 0x3b, 0x2c, 0xa9,
		       0xa5, 0xc6, 0x5b, 0xa5, 0xa6, 0x25, 0xea, 0xb3, 0xfe, 0x24 } },
	{ KC_ORC_V4, { 0x13, 0x7c, 0x36, 0xad, 0x76, 0x27, 0xc4, 0xdd, 0x55, 0x93,
		       0x21, 0x76, 0xbb, 0x0e, 0xcd, 0xbd, 0x50, 0x41, 0xfc, 0x82 } },
};

enum kc_orc_layout kc_orc_layout_of_header(const uint8_t header[KC_ORC_HEADER_SIZE])
{
	for (size_t i = 0; i < kc_countof(headers); i++)
		if (!memcmp(headers[i].hash, header, KC_ORC_HEADER_SIZE))
			return headers[i].layout;
	return KC_ORC_UNKNOWN;
}

enum kc_orc_layout kc_orc_layout_of_btf(struct kc_btf *btf)
{
	bool end = kc_btf_has(btf, "orc_entry", "end");
	bool signal = kc_btf_has(btf, "orc_entry", "signal");

	if (!kc_btf_has(btf, "orc_entry", "sp_reg"))
		return KC_ORC_UNKNOWN;
	if (end)
		return signal ? KC_ORC_V2 : KC_ORC_V1;
	/* V4 never comes without a header: it is later than the header. */
	return signal ? KC_ORC_V3 : KC_ORC_UNKNOWN;
}

static uint8_t register_of(unsigned int number, enum kc_orc_layout layout)
{
	if (layout == KC_ORC_V4)
		return number < sizeof(registers_v4) ? registers_v4[number] : KC_ORC_REG_BAD;
	return number < sizeof(registers_v1) ? registers_v1[number] : KC_ORC_REG_BAD;
}

struct kc_orc kc_orc_decode(const struct kc_orc_raw *raw, enum kc_orc_layout layout)
{
	unsigned int bits = raw->bits;
	struct kc_orc orc = {
		.sp_offset = raw->sp_offset,
		.bp_offset = raw->bp_offset,
		.sp_reg = register_of(bits & 0xf, layout),
		.bp_reg = register_of(bits >> 4 & 0xf, layout),
	};
	bool end;

	if (layout >= KC_ORC_V3) {
		unsigned int type = bits >> 8 & 7;

		orc.type = type <= KC_ORC_REGS_PARTIAL ? type : KC_ORC_BAD;
		orc.signal = bits >> 11 & 1;
		return orc;
	}
	/* Up to V2 "undefined" was sp_reg 0, and an end was a bit beside it. */
	end = bits >> (layout == KC_ORC_V2 ? 11 : 10) & 1;
	if (orc.sp_reg == KC_ORC_REG_UNDEFINED)
		orc.type = end ? KC_ORC_END_OF_STACK : KC_ORC_UNDEFINED;
	else
		orc.type = (bits >> 8 & 3) + KC_ORC_CALL;
	orc.signal = layout == KC_ORC_V2 ? (bits >> 10 & 1) : (bits >> 8 & 3) != 0;
	return orc;
}

static uint64_t pc_at(const struct kc_orc_table *table, size_t i)
{
	return table->ip_addr + 4 * i + (int64_t)table->ip[i];
}

int kc_orc_table_read(const struct kc_mem *mem, uint64_t ip_addr, uint64_t entries_addr,
		      uint64_t count, enum kc_orc_layout layout, struct kc_orc_table *ret_table)
{
	struct kc_orc_table table = { .ip_addr = ip_addr, .count = count, .layout = layout };
	int err;

	if (count == 0 || count > MAX_ENTRIES || layout == KC_ORC_UNKNOWN)
		return -EBADMSG;
	table.ip = malloc(count * sizeof(*table.ip));
	table.entries = malloc(count * sizeof(*table.entries));
	err = table.ip && table.entries ? 0 : -ENOMEM;
	if (!err)
		err = kc_mem_read(mem, ip_addr, table.ip, count * sizeof(*table.ip));
	if (!err)
		err = kc_mem_read(mem, entries_addr, table.entries, count * sizeof(*table.entries));
	for (size_t i = 1; !err && i < count; i++)
		if (pc_at(&table, i) < pc_at(&table, i - 1))
			err = -EBADMSG;
	if (err) {
		kc_orc_table_free(&table);
		return err;
	}
	*ret_table = table;
	return 0;
}

void kc_orc_table_free(struct kc_orc_table *table)
{
	if (!table)
		return;
	free(table->ip);
	free(table->entries);
	free(table->found);
	*table = (struct kc_orc_table){};
}

bool kc_orc_find(const struct kc_orc_table *table, uint64_t pc, struct kc_orc *ret_orc)
{
	size_t i = kc_last_at_or_below(table, table->count, pc, pc_at);

	if (i == table->count)
		return false;
	kc_found_note(table->found, i);
	*ret_orc = kc_orc_decode(&table->entries[i], table->layout);
	return true;
}

bool kc_orc_noted(const struct kc_orc_table *table, size_t *cursor, struct kc_orc_row *ret_row)
{
	if (!kc_found_next(table->found, table->count, cursor))
		return false;
	*ret_row = (struct kc_orc_row){
		.start = pc_at(table, *cursor),
		.end = *cursor + 1 < table->count ? pc_at(table, *cursor + 1) : 0,
		.raw = table->entries[*cursor],
	};
	return true;
}

static bool append(struct kc_orc_table *table, uint64_t pc, struct kc_orc_raw raw)
{
	int64_t relative = pc - table->ip_addr - 4 * table->count;

	if (relative != (int32_t)relative)
		return false;
	table->ip[table->count] = relative;
	table->entries[table->count++] = raw;
	return true;
}

int kc_orc_table_make(const struct kc_orc_row *rows, size_t count, enum kc_orc_layout layout,
		      struct kc_orc_table *ret_table)
{
	/* Bits of 0: undefined, in every layout. */
	struct kc_orc_table table = { .layout = layout, .ip_addr = count ? rows[0].start : 0 };
	bool fits = true;

	table.ip = calloc(2 * count + 1, sizeof(*table.ip));
	table.entries = calloc(2 * count + 1, sizeof(*table.entries));
	if (!table.ip || !table.entries) {
		kc_orc_table_free(&table);
		return -ENOMEM;
	}
	for (size_t i = 0; fits && i < count; i++) {
		fits = (!i || rows[i].start > rows[i - 1].start) &&
		       append(&table, rows[i].start, rows[i].raw);
		if (fits && rows[i].end && (i + 1 == count || rows[i].end < rows[i + 1].start))
			fits = append(&table, rows[i].end, (struct kc_orc_raw){});
	}
	if (!fits) {
		kc_orc_table_free(&table);
		return -EBADMSG;
	}
	*ret_table = table;
	return 0;
}
