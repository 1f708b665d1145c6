// SPDX-License-Identifier: GPL-2.0-only
#include "fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct row {
	uint64_t pc;
	int16_t offset;
	uint8_t reg;
	uint8_t type;
} __attribute__((packed));

struct name {
	uint64_t addr;
	const char *name;
};

extern const struct row __start_kc_rows[], __stop_kc_rows[];
extern const struct name __start_kc_names[], __stop_kc_names[];
extern const char __start_kc_text[], kc_text_end[], fake_guard[];
extern const char __start_kc_made[], __stop_kc_made[];

void (*fake_on_read)(uint64_t addr, uint8_t *bytes, size_t len);

static uint64_t torn_at;

static void tear_it(uint64_t addr, uint8_t *bytes, size_t len)
{
	if (torn_at - addr < len)
		bytes[torn_at - addr] = 0xcc;
}

void fake_tear(const char *place)
{
	torn_at = (uint64_t)place;
	fake_on_read = tear_it;
}

static int fake_read(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	(void)mem;
	if (addr - FAKE_MADE < (uint64_t)(__stop_kc_made - __start_kc_made) &&
	    len <= (uint64_t)(__stop_kc_made - __start_kc_made) - (addr - FAKE_MADE)) {
		memcpy(buf, __start_kc_made + (addr - FAKE_MADE), len);
		return 0;
	}
	if (addr < (uint64_t)__start_kc_text || addr >= (uint64_t)kc_text_end ||
	    len > (uint64_t)kc_text_end - addr)
		return -EFAULT;
	memcpy(buf, (const void *)addr, len);
	if (fake_on_read)
		fake_on_read(addr, buf, len);
	return 0;
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	return x->pc < y->pc ? -1 : x->pc > y->pc;
}

/* As user/kernel/orc.h has it; register numbers are the same in both. */
static uint16_t type_bits(uint8_t type, enum kc_orc_layout layout)
{
	if (layout == KC_ORC_V3)
		return type << 8;
	return type == KC_ORC_END_OF_STACK ? 1 << 11 : (type - KC_ORC_CALL) << 8;
}

/* Rows in the order of the text, in ORC's own shape. */
static void make_orc(struct kc_orc_table *table, enum kc_orc_layout layout)
{
	size_t count = __stop_kc_rows - __start_kc_rows;
	struct row *rows = malloc(count * sizeof(*rows));

	memcpy(rows, __start_kc_rows, count * sizeof(*rows));
	qsort(rows, count, sizeof(*rows), compare_rows);
	table->count = count;
	table->layout = layout;
	table->ip_addr = (uint64_t)__start_kc_text;
	table->ip = malloc(count * sizeof(*table->ip));
	table->entries = malloc(count * sizeof(*table->entries));
	for (size_t i = 0; i < count; i++) {
		table->ip[i] = rows[i].pc - table->ip_addr - 4 * i;
		table->entries[i] = (struct kc_orc_raw){
			.sp_offset = rows[i].offset,
			.bp_offset = -16,
			.bits = rows[i].reg | type_bits(rows[i].type, layout) |
				(rows[i].reg == 4 ? 1 << 4 : 0), /* bp at CFA-16 */
		};
	}
	free(rows);
}

uint64_t fake_made(const char *label)
{
	return FAKE_MADE + (label - __start_kc_made);
}

void fake_orc_layout(struct fake *it, enum kc_orc_layout layout)
{
	kc_orc_table_free(&it->kernel.orc);
	make_orc(&it->kernel.orc, layout);
}

struct fake *fake;

int fake_ksyms(const char *text, struct kc_ksyms **ret_ksyms)
{
	FILE *file = fmemopen((void *)text, strlen(text), "r");
	int err = kc_ksyms_parse(file, ret_ksyms);

	fclose(file);
	return err;
}

static struct kc_ksyms *make_ksyms(void)
{
	struct kc_ksyms *ksyms;
	size_t len = 0;
	char *text;
	FILE *file = open_memstream(&text, &len);

	for (const struct name *name = __start_kc_names; name < __stop_kc_names; name++)
		fprintf(file, "%016lx T %s\n", name->addr, name->name);
	fprintf(file, "%016lx T _etext\n", (uint64_t)kc_text_end);
	/* Where no text of ours is: what operands may point to. */
	fprintf(file, "ffffffff98968a00 T far_away\nffffffff98968b00 T behind_far_away\n");
	fprintf(file,
		"ffffffffc0201000 t bpf_prog_1\t[bpf]\nffffffffc0202000 t bpf_prog_2\t[bpf]\n");
	fclose(file);
	if (fake_ksyms(text, &ksyms))
		abort();
	free(text);
	return ksyms;
}

static void make_kernel(bool rip_relative, const struct kc_mem *mem, struct kc_kernel *kernel)
{
	*kernel = (struct kc_kernel){
		.mem = mem,
		.ksyms = make_ksyms(),
		.text = (uint64_t)__start_kc_text,
		.text_end = (uint64_t)kc_text_end,
		.modules_start = kc_arch()->modules,
		.thread_size = 16384,
		.inactive = { .bp = 40, .ret_addr = 48, .size = 56 },
		.pt_regs = { .bp = 32, .pc = 128, .mode = 136, .sp = 152, .size = 168 },
		.guard = { .pc_relative = rip_relative,
			   .addr = rip_relative ? (uint64_t)fake_guard : 0x28 },
	};
	make_orc(&kernel->orc, KC_ORC_V3);
}

struct kc_kernel *fake_kernel(void)
{
	static const struct kc_mem mem = { .read = fake_read, .name = "fake" };
	struct kc_kernel *kernel = calloc(1, sizeof(*kernel));

	make_kernel(false, &mem, kernel);
	return kernel;
}

struct fake *fake_new(bool rip_relative)
{
	struct fake *it = calloc(1, sizeof(*it));

	it->mem.read = fake_read;
	it->mem.name = "fake";
	make_kernel(rip_relative, &it->mem, &it->kernel);
	if (kc_plans_new(&it->kernel, &it->plans))
		abort();
	return it;
}

void fake_free(struct fake *it)
{
	kc_plans_free(it->plans);
	kc_ksyms_free(it->kernel.ksyms);
	kc_orc_table_free(&it->kernel.orc);
	free(it);
}

const struct kc_plan *fake_plan(struct fake *it, const char *name)
{
	const struct kc_sym *sym;

	if (kc_ksyms_by_name(it->kernel.ksyms, name, &sym, 1) != 1)
		abort();
	return kc_plans_of(it->plans, sym);
}

int fake_setup(void **state)
{
	(void)state;
	fake = fake_new(false);
	return 0;
}

int fake_teardown(void **state)
{
	(void)state;
	fake_free(fake);
	return 0;
}
