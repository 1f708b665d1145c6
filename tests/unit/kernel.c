// SPDX-License-Identifier: GPL-2.0-only
/* Kernel facts: kallsyms, ORC's bits and tables. */
#include "unit.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake.h"
#include "kernel/btf.h"
#include "kernel/overlay.h"

static void ksyms_sizes_and_names(void **state)
{
	struct kc_ksyms *ksyms;
	const struct kc_sym *sym, *both[2];

	(void)state;
	assert_int_equal(fake_ksyms("ffffffff81000000 T _stext\n"
				    "ffffffff81000000 T alias\n"
				    "ffffffff81000090 T __pfx_foo\n"
				    "ffffffff810000a0 t foo\n"
				    "ffffffff81000100 t foo.cold\n"
				    "ffffffff81000180 t foo\n"
				    "ffffffff81000200 D some_data\n"
				    "ffffffff81000300 T last\n"
				    "ffffffffc0000000 t init_it\t[mod]\n"
				    "ffffffffc0000040 r note\t[mod]\n",
				    &ksyms),
			 0);
	sym = kc_ksyms_find(ksyms, 0xffffffff8100008f);
	assert_string_equal(kc_sym_name(ksyms, sym), "_stext");
	assert_int_equal(sym->size, 0x90); /* ends at the padding of foo */
	assert_null(kc_ksyms_find(ksyms, 0xffffffff81000095));
	assert_string_equal(kc_sym_name(ksyms, kc_ksyms_find(ksyms, 0xffffffff810000a0)), "foo");
	assert_null(kc_ksyms_find(ksyms, 0xffffffff81000200)); /* data ends a function */
	assert_int_equal(kc_ksyms_find(ksyms, 0xffffffffc0000000)->size, 0x40);
	assert_string_equal(kc_sym_module(ksyms, kc_ksyms_find(ksyms, 0xffffffffc0000000)), "mod");
	assert_int_equal(kc_ksyms_by_name(ksyms, "alias", &sym, 1), 1);
	assert_int_equal(sym->addr, 0xffffffff81000000);
	assert_int_equal(kc_ksyms_by_name(ksyms, "foo", both, 2), 2);
	assert_int_equal(kc_ksyms_by_name(ksyms, "__pfx_foo", both, 2), 0);
	assert_int_equal(kc_ksyms_by_name(ksyms, "nothing", both, 2), 0);
	assert_int_equal(kc_ksyms_data(ksyms, "_stext"), 0xffffffff81000000);
	kc_ksyms_free(ksyms);
}

static bool has_place(const struct kc_ksyms *ksyms, uint64_t addr, const char *want)
{
	char text[40] = "";
	bool has = kc_ksyms_place(ksyms, addr, text, sizeof(text));

	assert_string_equal(text, want ?: "");
	return has;
}

/* Data is found by address, a module's too; functions, and what lies behind the last, are not. */
static void ksyms_of_data(void **state)
{
	struct kc_ksyms *ksyms;

	(void)state;
	assert_int_equal(fake_ksyms("0000000000000000 A per_cpu_first\n"
				    "0000000000000040 A per_cpu_last\n"
				    "0000000000000080 A per_cpu_end\n"
				    "ffffffff81000000 T _stext\n"
				    "ffffffff81000200 D some_data\n"
				    "ffffffff81000200 D same_data\n"
				    "ffffffff81000280 b more\n"
				    "ffffffff81000300 T function\n"
				    "ffffffffc0000000 t init_it\t[mod]\n"
				    "ffffffffc0000040 d note\t[mod]\n"
				    "ffffffffc0000048 b last\t[mod]\n",
				    &ksyms),
			 0);
	assert_true(has_place(ksyms, 0x48, "per_cpu_last+0x8"));
	assert_true(has_place(ksyms, 0xffffffff81000210, "some_data+0x10"));
	assert_true(has_place(ksyms, 0xffffffff810002ff, "more+0x7f"));
	assert_false(has_place(ksyms, 0xffffffff81000300, NULL));
	assert_false(has_place(ksyms, 0xffffffff81000100, NULL));
	assert_true(has_place(ksyms, 0xffffffffc0000047, "note+0x7 [mod]"));
	assert_false(has_place(ksyms, 0xffffffffc0000048, NULL));
	kc_ksyms_free(ksyms);
}

static const char *name_at(const struct kc_ksyms *ksyms, uint64_t addr)
{
	const struct kc_sym *sym = kc_ksyms_find(ksyms, addr);

	return sym ? kc_sym_name(ksyms, sym) : "";
}

/* The first in kallsyms' order is the one that the kernel prints, whatever its letter. */
static void ksyms_aliases(void **state)
{
	const struct kc_sym *sym;
	struct kc_ksyms *ksyms;

	(void)state;
	assert_int_equal(fake_ksyms("ffffffff81000000 t __do_sys_fork\n"
				    "ffffffff81000000 T __ia32_sys_fork\n"
				    "ffffffff81000000 T __x64_sys_fork\n"
				    "ffffffff81000040 W weak\n"
				    "ffffffff81000040 T strong\n"
				    "ffffffff81000080 D data\n",
				    &ksyms),
			 0);
	assert_string_equal(name_at(ksyms, 0xffffffff81000010), "__do_sys_fork");
	assert_string_equal(name_at(ksyms, 0xffffffff81000040), "weak");
	assert_int_equal(kc_ksyms_by_name(ksyms, "__x64_sys_fork", &sym, 1), 1);
	assert_string_equal(kc_sym_name(ksyms, sym), "__do_sys_fork");
	assert_int_equal(kc_ksyms_names(ksyms), 5);
	assert_string_equal(kc_ksyms_name(ksyms, 1, &sym), "__ia32_sys_fork");
	assert_int_equal(sym->addr, 0xffffffff81000000);
	kc_ksyms_free(ksyms);
}

/* Behind a section's end and in the gap to the next one there is no function's code. */
static void ksyms_unnamed_code(void **state)
{
	struct kc_ksyms *ksyms;

	(void)state;
	assert_int_equal(fake_ksyms("ffffffff81000000 T _stext\n"
				    "ffffffff81000100 T last_of_section\n"
				    "ffffffff81000180 T __entry_text_end\n"
				    "ffffffff81200000 T __sched_text_start\n"
				    "ffffffff81200000 T behind_the_gap\n"
				    "ffffffff81400000 T thunk_before_a_gap\n"
				    "ffffffff82000000 T _etext\n"
				    "ffffffff83000000 T init_stack\n"
				    "ffffffff83004000 T __end_init_stack\n"
				    "ffffffff84000000 T _sinittext\n"
				    "ffffffff84000000 t early\n"
				    "ffffffff84001000 T _einittext\n"
				    "ffffffffc0000000 t first\t[mod]\n"
				    "ffffffffc0000040 t last\t[mod]\n"
				    "ffffffffc0002000 t first\t[other]\n",
				    &ksyms),
			 0);
	assert_string_equal(name_at(ksyms, 0xffffffff8100017f), "last_of_section");
	assert_string_equal(name_at(ksyms, 0xffffffff81000180), "");
	assert_string_equal(name_at(ksyms, 0xffffffff811fffff), "");
	assert_string_equal(name_at(ksyms, 0xffffffff81200010), "behind_the_gap");
	assert_string_equal(name_at(ksyms, 0xffffffff81400004), "thunk_before_a_gap");
	assert_string_equal(name_at(ksyms, 0xffffffff81401000), "");
	/* Data is data under any letter. */
	assert_string_equal(name_at(ksyms, 0xffffffff83000010), "");
	assert_int_equal(kc_ksyms_data(ksyms, "init_stack"), 0xffffffff83000000);
	assert_string_equal(name_at(ksyms, 0xffffffff84000010), "_sinittext");
	/* A module's last function ends with its text, which kallsyms does not tell. */
	assert_string_equal(name_at(ksyms, 0xffffffffc0000050), "");
	kc_ksyms_end(ksyms, 0xffffffffc0000000, 0xffffffffc0001000);
	assert_string_equal(name_at(ksyms, 0xffffffffc0000050), "last");
	assert_string_equal(name_at(ksyms, 0xffffffffc0001000), "");
	/* Also if the module's next symbol is farther away, in another section. */
	kc_ksyms_end(ksyms, 0xffffffffc0000000, 0xffffffffc0000060);
	assert_string_equal(name_at(ksyms, 0xffffffffc000005f), "last");
	assert_string_equal(name_at(ksyms, 0xffffffffc0000060), "");
	assert_string_equal(name_at(ksyms, 0xffffffffc0000010), "first");
	kc_ksyms_free(ksyms);
}

static void ksyms_bad_input(void **state)
{
	struct kc_ksyms *ksyms = NULL;

	(void)state;
	assert_int_equal(fake_ksyms("0000000000000000 T a\n0000000000000000 T b\n", &ksyms),
			 -EPERM);
	assert_int_equal(fake_ksyms("hello world\n", &ksyms), -EINVAL);
	assert_int_equal(fake_ksyms("ffffffff81000000 T f\nffffffff81000010\n", &ksyms), -EINVAL);
	assert_int_equal(fake_ksyms("ffffffff81000000 D only_data\n", &ksyms), -EINVAL);
	assert_int_equal(kc_ksyms_load("/nonexistent", &ksyms), -ENOENT);
	assert_null(ksyms);
}

static void cold_stems(void **state)
{
	(void)state;
	assert_int_equal(kc_sym_cold_stem("foo.cold"), 3);
	assert_int_equal(kc_sym_cold_stem("foo.isra.0.cold"), 10);
	assert_int_equal(kc_sym_cold_stem("foo.cold.12"), 3);
	assert_int_equal(kc_sym_cold_stem("foo"), 0);
	assert_int_equal(kc_sym_cold_stem("foo.coldish"), 0);
}

static struct kc_orc decode(unsigned int bits, enum kc_orc_layout layout)
{
	struct kc_orc_raw raw = { .sp_offset = 24, .bp_offset = -16, .bits = bits };

	return kc_orc_decode(&raw, layout);
}

/* Entries as the four kernels have them: bits in the order of each layout. */
static void orc_layouts(void **state)
{
	struct kc_orc orc;

	(void)state;
	orc = decode(0x0015, KC_ORC_V1); /* call, sp, bp at CFA */
	assert_int_equal(orc.sp_reg, KC_ORC_REG_SP);
	assert_int_equal(orc.bp_reg, KC_ORC_REG_PREV_SP);
	assert_int_equal(orc.type, KC_ORC_CALL);
	assert_false(orc.signal);
	orc = decode(0x0105, KC_ORC_V1);
	assert_int_equal(orc.type, KC_ORC_REGS);
	assert_true(orc.signal);
	assert_int_equal(decode(0x0400, KC_ORC_V1).type, KC_ORC_END_OF_STACK);
	assert_int_equal(decode(0x0000, KC_ORC_V1).type, KC_ORC_UNDEFINED);

	assert_int_equal(decode(0x0800, KC_ORC_V2).type, KC_ORC_END_OF_STACK);
	assert_true(decode(0x0405, KC_ORC_V2).signal);

	orc = decode(0x0a15, KC_ORC_V3);
	assert_int_equal(orc.type, KC_ORC_CALL);
	assert_true(orc.signal);
	assert_int_equal(decode(0x0100, KC_ORC_V3).type, KC_ORC_END_OF_STACK);
	assert_int_equal(decode(0x0705, KC_ORC_V3).type, KC_ORC_BAD);

	orc = decode(0x0283, KC_ORC_V4); /* v7.1: sp is 3, prev_sp 8 */
	assert_int_equal(orc.sp_reg, KC_ORC_REG_SP);
	assert_int_equal(orc.bp_reg, KC_ORC_REG_PREV_SP);
	assert_int_equal(decode(0x020f, KC_ORC_V4).sp_reg, KC_ORC_REG_BAD);
}

static void orc_header(void **state)
{
	uint8_t header[KC_ORC_HEADER_SIZE] = { 0x13, 0x7c, 0x36, 0xad, 0x76, 0x27, 0xc4,
					       0xdd, 0x55, 0x93, 0x21, 0x76, 0xbb, 0x0e,
					       0xcd, 0xbd, 0x50, 0x41, 0xfc, 0x82 };

	(void)state;
	assert_int_equal(kc_orc_layout_of_header(header), KC_ORC_V4);
	header[19] ^= 1;
	assert_int_equal(kc_orc_layout_of_header(header), KC_ORC_UNKNOWN);
}

struct table_memory {
	struct kc_mem mem;
	int32_t ip[3];
	struct kc_orc_raw entries[3];
};

static int table_read(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	const struct table_memory *memory = (const struct table_memory *)mem;

	if (addr == 0x1000 && len <= sizeof(memory->ip))
		memcpy(buf, memory->ip, len);
	else if (addr == 0x2000 && len <= sizeof(memory->entries))
		memcpy(buf, memory->entries, len);
	else
		return -EFAULT;
	return 0;
}

static void orc_tables(void **state)
{
	struct table_memory memory = {
		.mem = { .read = table_read },
		.ip = { 0x100, 0x100, 0x100 }, /* pcs 0x1100, 0x1104, 0x1108 */
		.entries = { { 8, 0, 0x0205 }, { 16, 0, 0x0205 }, { 24, 0, 0x0205 } },
	};
	struct kc_orc_table table;
	struct kc_orc orc;

	(void)state;
	assert_int_equal(kc_orc_table_read(&memory.mem, 0x1000, 0x2000, 3, KC_ORC_V3, &table), 0);
	assert_false(kc_orc_find(&table, 0x10ff, &orc));
	assert_true(kc_orc_find(&table, 0x1100, &orc));
	assert_int_equal(orc.sp_offset, 8);
	assert_true(kc_orc_find(&table, 0x1107, &orc));
	assert_int_equal(orc.sp_offset, 16);
	assert_true(kc_orc_find(&table, 0x9999, &orc));
	assert_int_equal(orc.sp_offset, 24);
	kc_orc_table_free(&table);

	/* Truncated, absurd, unsorted, unreadable. */
	assert_int_equal(kc_orc_table_read(&memory.mem, 0x1000, 0x2000, 0, KC_ORC_V3, &table),
			 -EBADMSG);
	assert_int_equal(
		kc_orc_table_read(&memory.mem, 0x1000, 0x2000, 1ULL << 40, KC_ORC_V3, &table),
		-EBADMSG);
	assert_int_equal(kc_orc_table_read(&memory.mem, 0x1000, 0x3000, 3, KC_ORC_V3, &table),
			 -EFAULT);
	memory.ip[1] = 0x10;
	assert_int_equal(kc_orc_table_read(&memory.mem, 0x1000, 0x2000, 3, KC_ORC_V3, &table),
			 -EBADMSG);
}

/* BTF as a file, of this template's name; it is freed. */
static void write_btf(struct btf *btf, char *path)
{
	int fd = mkstemp(path);
	const void *bytes;
	uint32_t size;

	assert_true(fd >= 0);
	bytes = btf__raw_data(btf, &size);
	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
	btf__free(btf);
}

/* struct bpf_ringbuf with this kind of lock, as kernels have it with and without PREEMPT_RT. */
static bool ring_sleeps(bool rt, bool raw)
{
	char path[] = "/tmp/kcanary-btf.XXXXXX";
	struct btf *btf = btf__new_empty();
	struct kc_btf *loaded;
	int word, lock;
	bool sleeps;

	word = btf__add_int(btf, "unsigned int", 4, 0);
	lock = btf__add_struct(btf, rt && !raw ? "rt_mutex_base" : "raw_spinlock", 8);
	btf__add_field(btf, rt && !raw ? "owner" : "raw_lock", word, 0, 0);
	if (!raw) {
		lock = btf__add_struct(btf, "spinlock", 8) - 1;
		btf__add_field(btf, rt ? "lock" : "rlock", lock, 0, 0);
		lock++;
	}
	lock = btf__add_typedef(btf, raw ? "raw_spinlock_t" : "spinlock_t", lock);
	btf__add_struct(btf, "bpf_ringbuf", 64);
	btf__add_field(btf, "spinlock", lock, 0, 0);
	write_btf(btf, path);
	assert_int_equal(kc_btf_load(path, &loaded), 0);
	sleeps = kc_btf_ring_sleeps(loaded);
	kc_btf_free(loaded);
	unlink(path);
	return sleeps;
}

static void ring_that_sleeps(void **state)
{
	(void)state;
	assert_true(ring_sleeps(true, false));
	assert_false(ring_sleeps(true, true));
	assert_false(ring_sleeps(false, false));
	assert_false(ring_sleeps(false, true));
}

/* A kernel whose BTF lacks what we need: refused, with the name of what is missing. */
static void btf_without_types(void **state)
{
	char path[] = "/tmp/kcanary-btf.XXXXXX";
	struct kc_failure failure;
	struct btf *btf = btf__new_empty();
	struct kc_kernel *kernel = NULL;
	struct kc_mem mem = {};

	(void)state;
	btf__add_struct(btf, "pt_regs", 168);
	write_btf(btf, path);
	assert_int_equal(kc_kernel_load(&mem, "/dev/null", path, &failure, &kernel), -ENOENT);
	assert_non_null(strstr(failure.text, "task_struct.stack_canary"));
	assert_int_equal(kc_kernel_load(&mem, "/dev/null", "/nonexistent", &failure, &kernel),
			 -ENOENT);
	assert_non_null(strstr(failure.text, "CONFIG_DEBUG_INFO_BTF"));
	assert_null(kernel);
	unlink(path);
}

/* Ten bytes from address 100 on, that a test may patch. */
static void ignore(struct kc_mem *mem)
{
	(void)mem;
}

static uint8_t memory[10];

static void put_bytes(void)
{
	for (size_t i = 0; i < sizeof(memory); i++)
		memory[i] = i;
}

static int read_memory(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	(void)mem;
	if (addr < 100 || addr + len > 110)
		return -EFAULT;
	memcpy(buf, memory + addr - 100, len);
	return 0;
}

static void overlay_shows_what_was_there(void **state)
{
	const struct kc_kernel kernel = { .text = 100, .text_end = 110 };
	struct kc_mem base = { .read = read_memory, .name = "test" }, *mem;
	uint8_t bytes[10];

	(void)state;
	base.destroy = ignore;
	put_bytes();
	assert_int_equal(kc_overlay_new(&base, &mem), 0);
	assert_int_equal(kc_overlay_keep(mem, &kernel, 102), 0);
	assert_int_equal(kc_overlay_keep(mem, &kernel, 104), 0);
	assert_int_equal(kc_overlay_keep(mem, &kernel, 108), -EFAULT);
	memset(memory, 0xcc, sizeof(memory));
	assert_int_equal(kc_mem_read(mem, 100, bytes, 10), 0);
	for (int i = 0; i < 10; i++)
		assert_int_equal(bytes[i], i >= 2 && i < 9 ? i : 0xcc);
	assert_int_equal(kc_mem_read(mem, 105, bytes, 2), 0);
	assert_int_equal(bytes[0], 5);
	/* The kernel's own text is the same for ever. */
	kc_overlay_forget(mem, &kernel);
	assert_int_equal(kc_mem_read(mem, 102, bytes, 7), 0);
	for (int i = 0; i < 7; i++)
		assert_int_equal(bytes[i], i + 2);
	kc_mem_destroy(mem);
}

/* What was kept of a module is nothing of its successor's at the same place. */
static void overlay_forgets_modules(void **state)
{
	struct kc_module module = { .load = 7, .text = 100, .text_end = 110 };
	const struct kc_kernel kernel = { .modules = &module, .nr_modules = 1 }, none = {};
	struct kc_mem base = { .read = read_memory, .destroy = ignore, .name = "test" }, *mem;
	uint8_t bytes[10];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		module.load = i == 2 ? 0 : 7;
		put_bytes();
		assert_int_equal(kc_overlay_new(&base, &mem), 0);
		assert_int_equal(kc_overlay_keep(mem, &kernel, 102), 0);
		/* Another one's code, or a probe's that is still there. */
		memory[2] = 0xcc;
		memory[3] = 0x33;
		module.load += i == 1;
		kc_overlay_forget(mem, i == 3 ? &none : &kernel);
		assert_int_equal(kc_mem_read(mem, 102, bytes, 2), 0);
		assert_int_equal(bytes[0], i ? 0xcc : 2);
		assert_int_equal(bytes[1], i ? 0x33 : 3);
		kc_mem_destroy(mem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(overlay_shows_what_was_there),
		cmocka_unit_test(overlay_forgets_modules),
		cmocka_unit_test(ksyms_sizes_and_names),
		cmocka_unit_test(ksyms_of_data),
		cmocka_unit_test(ksyms_aliases),
		cmocka_unit_test(ksyms_unnamed_code),
		cmocka_unit_test(ksyms_bad_input),
		cmocka_unit_test(cold_stems),
		cmocka_unit_test(orc_layouts),
		cmocka_unit_test(orc_header),
		cmocka_unit_test(orc_tables),
		cmocka_unit_test(btf_without_types),
		cmocka_unit_test(ring_that_sleeps),
	};

	return RUN(tests);
}
