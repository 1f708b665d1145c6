// SPDX-License-Identifier: GPL-2.0-only
/* Code and numbers moved to where no boot has put them: what a recording holds of a kernel. */
#include "unit.h"

#include <string.h>

#include "arch/insn.h"
#include "fake.h"
#include "kc_arch.h"
#include "kernel/rebase.h"
#include "util/array.h"

#define TEXT	0xffffffff9a600000ULL /* where KASLR put it: 0x19600000 further */
#define LINKED	0xffffffff81000000ULL
#define SLIDE	(TEXT - LINKED)
#define MODULES 0xffffffffc0000000ULL
#define MODULE	0xffffffffc0351000ULL

static struct kc_kernel kernel;
static struct kc_module module;
static struct kc_rebase rebase;

static int begin(void **state)
{
	(void)state;
	assert_int_equal(fake_ksyms("ffffffff9a600000 T _stext\nffffffff9a600100 T function\n"
				    "ffffffff9a600200 T behind\nffffffff9b600000 T _etext\n"
				    "ffffffffc0351000 t of_module\t[module]\n"
				    "ffffffffc0351100 t behind_it\t[module]\n",
				    &kernel.ksyms),
			 0);
	kernel.text = TEXT;
	kernel.text_end = TEXT + 0x1000000;
	kernel.modules_start = MODULES;
	module = (struct kc_module){ .text = MODULE, .text_end = MODULE + 0x1000 };
	kernel.modules = &module;
	kernel.nr_modules = 1;
	rebase = kc_rebase_of(&kernel);
	return 0;
}

static int end(void **state)
{
	(void)state;
	kc_ksyms_free(kernel.ksyms);
	return 0;
}

static void numbers(void **state)
{
	(void)state;
	assert_int_equal(kc_rebase(&rebase, TEXT + 0x123), LINKED + 0x123);
	assert_int_equal(kc_rebase_found(&rebase, &kernel, TEXT + 0x123), LINKED + 0x123);
	/* Modules keep their distances, and tell nothing of where they were. */
	assert_int_equal(kc_rebase_found(&rebase, &kernel, MODULE + 0x10) -
				 kc_rebase_found(&rebase, &kernel, MODULE),
			 0x10);
	assert_int_equal(kc_rebase_found(&rebase, &kernel, MODULE) & ~0xfffULL,
			 MODULES + (64 << 20));
	/* What only looks like an address does not tell how far they are moved. */
	assert_int_equal(kc_rebase_found(&rebase, &kernel, 0xffffffffbfffffffULL), KC_TEXT_HALF);
	assert_int_equal(kc_rebase_found(&rebase, &kernel, 0xfffffffff0000000ULL),
			 kc_rebase_found(&rebase, &kernel, 0xfffffffff1000000ULL));
	assert_int_equal(kc_rebase_found(&rebase, &kernel, 0xffff888112345000ULL), KC_TEXT_HALF);
	/* Numbers and user addresses stay. */
	assert_int_equal(kc_rebase_found(&rebase, &kernel, -22ULL), -22ULL);
	assert_int_equal(kc_rebase_found(&rebase, &kernel, 0x7ffd12345678), 0x7ffd12345678);
	assert_int_equal(kc_rebase_found(&rebase, &kernel, 4711), 4711);
}

static uint64_t move(const struct kc_mover *mover, uint64_t addr)
{
	(void)mover;
	return kc_rebase(&rebase, addr);
}

static uint64_t operand(const struct kc_mover *mover, uint64_t number)
{
	(void)mover;
	return kc_rebase_found(&rebase, &kernel, number);
}

static const struct kc_mover mover = { move, operand };

/* `code`, which lies at addr, must become `want`. */
static void check_moved(uint64_t addr, const uint8_t *code, const uint8_t *want, size_t len)
{
	const struct kc_guard guard = { .addr = 0x28 };
	struct kc_decoder *decoder;
	uint8_t bytes[64];

	memcpy(bytes, code, len);
	assert_int_equal(kc_decoder_new(&guard, &decoder), 0);
	assert_true(kc_move_code(decoder, bytes, len, addr, &mover));
	assert_memory_equal(bytes, want, len);
	kc_decoder_free(decoder);
}

#define CHECK(addr, code, want) \
	check_moved(addr, (const uint8_t *)(code), (const uint8_t *)(want), sizeof(code) - 1)

static void operands(void **state)
{
	(void)state;
	/* movq $function, %rdi: as linked. */
	CHECK(TEXT, "\x48\xc7\xc7\x00\x01\x60\x9a", "\x48\xc7\xc7\x00\x01\x00\x81");
	/* Data has no symbol here: of what kind it is, no more. */
	CHECK(TEXT, "\x48\xc7\xc7\x40\x30\x12\x9e", "\x48\xc7\xc7\x00\x00\x00\x80");
	/* andl $0xbfffffff, 0x24(%rdi): a constant, whose place could be told from how far it went.
	 */
	CHECK(TEXT, "\x81\x67\x24\xff\xff\xff\xbf", "\x81\x67\x24\x00\x00\x00\x80");
	/* andq $-0x40000001, %rax: the same of 64 bits. */
	CHECK(TEXT, "\x48\x25\xff\xff\xff\xbf", "\x48\x25\x00\x00\x00\x80");
	/* movabs of the direct map's. */
	CHECK(TEXT, "\x48\xb9\x00\x50\x34\x12\x81\x88\xff\xff",
	      "\x48\xb9\x00\x00\x00\x80\xff\xff\xff\xff");
	/* Small numbers, frame offsets. */
	CHECK(TEXT, "\x48\xc7\xc2\xea\xff\xff\xff", "\x48\xc7\xc2\xea\xff\xff\xff");
	CHECK(TEXT, "\x48\x8b\x95\x78\xfe\xff\xff", "\x48\x8b\x95\x78\xfe\xff\xff");
	/* A WARN() of 7.2, and the instruction behind it: nothing gets out of step. */
	CHECK(TEXT, "\x67\x48\x0f\xb9\x3a\x48\xc7\xc7\x00\x01\x60\x9a",
	      "\x67\x48\x0f\xb9\x3a\x48\xc7\xc7\x00\x01\x00\x81");
}

static void distances(void **state)
{
	int32_t far = (int64_t)(TEXT + 0x100 - (MODULE + 5)), moved;
	uint8_t call[5] = { 0xe8 }, want[5] = { 0xe8 };

	(void)state;
	/* call function, from vmlinux: they move together. */
	CHECK(TEXT, "\xe8\xfb\x00\x00\x00", "\xe8\xfb\x00\x00\x00");
	/* movq %gs:0x1fc80(%rip), from vmlinux: the variable's number stays. */
	CHECK(LINKED + SLIDE, "\x65\x48\x8b\x05\x78\xfc\xa1\x65",
	      "\x65\x48\x8b\x05\x78\xfc\x01\x7f");
	/* call function, from a module: they do not. */
	moved = LINKED + 0x100 - (kc_rebase(&rebase, MODULE) + 5);
	assert_int_not_equal(moved, far);
	memcpy(call + 1, &far, sizeof(far));
	memcpy(want + 1, &moved, sizeof(moved));
	check_moved(MODULE, call, want, sizeof(call));
}

/* What can't be decoded to its end is not for a tape. */
static void undecodable(void **state)
{
	const struct kc_guard guard = { .addr = 0x28 };
	uint8_t bytes[] = { 0x90, 0x06, 0x90 };
	struct kc_decoder *decoder;

	(void)state;
	assert_int_equal(kc_decoder_new(&guard, &decoder), 0);
	assert_false(kc_move_code(decoder, bytes, sizeof(bytes), TEXT, &mover));
	kc_decoder_free(decoder);
}

/* vmlinux lies across where modules would begin without KASLR: it stays in one piece. */
static void across(void **state)
{
	const uint64_t text = 0xffffffff9f600000, data = 0xffffffffa1234568;
	struct kc_kernel crossing = { .text = text, .text_end = text + 0x1000000 };
	struct kc_rebase moved;

	(void)state;
	assert_int_equal(fake_ksyms("ffffffff9f600000 T _stext\nffffffff9f600100 T below\n"
				    "ffffffffa0300000 T above\nffffffffa0600000 T _etext\n"
				    "ffffffffa1800000 T _sinittext\nffffffffa1900000 T _einittext\n"
				    "ffffffffc0351000 t of_module\t[module]\n"
				    "ffffffffc0351100 t behind_it\t[module]\n",
				    &crossing.ksyms),
			 0);
	crossing.modules_start = kc_modules_start(crossing.ksyms);
	moved = kc_rebase_of(&crossing);
	assert_int_equal(kc_rebase(&moved, crossing.text_end), LINKED + 0x1000000);
	assert_int_equal(kc_rebase_found(&moved, &crossing, 0xffffffffa0300010), LINKED + 0xd00010);
	/* Data is not taken for text there. */
	assert_false(kc_kernel_is_text(&crossing, data));
	assert_int_equal(kc_rebase_found(&moved, &crossing, data), KC_TEXT_HALF);
	assert_int_equal(kc_rebase_found(&moved, &crossing, MODULE), MODULES + (64 << 20));
	kc_ksyms_free(crossing.ksyms);
}

/* The area begins lower where the kernel leaves it room, as it does without KASLR. */
static void areas(void **state)
{
	static const struct {
		const char *symbols;
		uint64_t start;
	} rows[] = {
		{ "ffffffff81000000 T _stext\nffffffff82000000 T _etext\n", 0xffffffffa0000000 },
		/* Up to 64 MiB of data follow. */
		{ "ffffffff9b000000 T _stext\nffffffff9c000000 T _etext\n", 0xffffffffa0000000 },
		{ "ffffffff9b200000 T _stext\nffffffff9c200000 T _etext\n", MODULES },
		{ "ffffffff9f000000 T _stext\nffffffffa0000000 T _etext\n", MODULES },
		{ "ffffffff9f200000 T _stext\nffffffffa0200000 T _etext\n", MODULES },
		{ "ffffffff9e000000 T _stext\nffffffff9f000000 T _etext\n"
		  "ffffffff9fe00000 T _sinittext\nffffffffa0100000 T _einittext\n",
		  MODULES },
		{ "ffffffffa1000000 T _stext\nffffffffa2000000 T _etext\n", MODULES },
	};

	(void)state;
	for (size_t i = 0; i < kc_countof(rows); i++) {
		struct kc_ksyms *ksyms;

		assert_int_equal(fake_ksyms(rows[i].symbols, &ksyms), 0);
		assert_int_equal(kc_modules_start(ksyms), rows[i].start);
		kc_ksyms_free(ksyms);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(numbers, begin, end),
		cmocka_unit_test_setup_teardown(operands, begin, end),
		cmocka_unit_test_setup_teardown(distances, begin, end),
		cmocka_unit_test(undecodable),
		cmocka_unit_test(across),
		cmocka_unit_test(areas),
	};

	return RUN(tests);
}
