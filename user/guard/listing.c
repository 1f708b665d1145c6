// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "guard/listing.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "guard/flow.h"
#include "kernel/text.h"
#include "util/array.h"

/* Instructions shown on either side of something that matters. */
#define AROUND 2

struct line {
	struct kc_insn insn;
	struct kc_listing_row row;
	bool shown;
};

struct listing {
	const struct kc_kernel *kernel;
	const struct kc_plan *plan;
	uint64_t here;
	struct line *lines;
	size_t count, capacity;
};

static bool calls_fail(const struct listing *listing, uint64_t addr)
{
	const struct line *line = NULL;
	const struct kc_sym *sym;

	for (size_t i = 0; i < listing->count && !line; i++)
		if (listing->lines[i].insn.addr == addr)
			line = &listing->lines[i];
	if (!line || line->insn.flow != KC_FLOW_CALL || !line->insn.target)
		return false;
	sym = kc_ksyms_find(listing->kernel->ksyms, line->insn.target);
	return sym && !strcmp(kc_sym_name(listing->kernel->ksyms, sym), "__stack_chk_fail");
}

/* An address told as what it is: it would tell where KASLR put the kernel. */
static const char *address_text(const struct listing *listing, uint64_t addr, char text[static 96])
{
	const struct kc_ksyms *ksyms = listing->kernel->ksyms;
	const struct kc_sym *sym = kc_ksyms_find(ksyms, addr);

	if (!sym)
		snprintf(text, 96, "(kernel address)");
	else if (addr == sym->addr)
		snprintf(text, 96, "%s", kc_sym_name(ksyms, sym));
	else
		snprintf(text, 96, "%s+0x%lx", kc_sym_name(ksyms, sym), addr - sym->addr);
	return text;
}

/* Replace a branch's absolute target by +offset or a symbol. */
static void name_target(const struct listing *listing, struct line *line)
{
	const struct kc_sym *own = listing->plan->sym;
	uint64_t target = line->insn.target;
	size_t mnemonic = strcspn(line->row.text, " ");
	char text[96];

	if (target - own->addr < own->size)
		snprintf(text, sizeof(text), "+0x%lx", target - own->addr);
	else
		address_text(listing, target, text);
	snprintf(line->row.text + mnemonic, sizeof(line->row.text) - mnemonic, " %s", text);
}

static bool is_vmlinux(const struct kc_kernel *kernel, uint64_t addr)
{
	return addr >= kernel->text && addr < kernel->text_end + KC_MAX_DATA;
}

static bool is_address(const struct kc_kernel *kernel, uint64_t value)
{
	/* The lower half of one, which a 32-bit operand may hold; wherever the kernel lies. */
	if (value >= KC_HALF_LOW && value < KC_HALF_HIGH)
		return true;
	/*
	 * Above the modules' area lie only addresses that are the same in every boot, and small
	 * negative numbers.
	 */
	return (value >= kc_arch()->kernel_half && value < kc_arch()->modules_end) ||
	       is_vmlinux(kernel, value) || kc_kernel_is_text(kernel, value);
}

/*
 * What to print for an operand that is relative to the next instruction. A distance within vmlinux
 * is the same in every boot and stays; any other tells where the instruction lies, as that of a
 * per-CPU variable does whose address is a small number. NULL: leave it as it is.
 */
static const char *relative_text(const struct listing *listing, uint64_t target,
				 char text[static 96])
{
	const struct kc_ksyms *ksyms = listing->kernel->ksyms;
	/* KASLR may put vmlinux right below the modules, so by its name, not by where it lies. */
	bool from_vmlinux = !*kc_sym_module(ksyms, listing->plan->sym);

	if (kc_ksyms_find(ksyms, target) || is_address(listing->kernel, target)) {
		address_text(listing, target, text);
		return text[0] == '(' && from_vmlinux && is_vmlinux(listing->kernel, target) ? NULL
											     : text;
	}
	if (target < 1ULL << 32)
		snprintf(text, 96, "0x%lx", target);
	else
		snprintf(text, 96, "(address)");
	return text;
}

/* Replace the operands that are addresses: numbers, displacements, distances. */
static void name_operands(const struct listing *listing, struct line *line)
{
	uint64_t next = line->insn.addr + line->insn.len;
	char out[sizeof(line->row.text)] = "", named[96];
	const char *relative = kc_arch()->pc_operand, *in = line->row.text, *number;
	size_t len = 0;

	while ((number = strstr(in, "0x")) && len < sizeof(out)) {
		bool negative = number > in && number[-1] == '-';
		const char *text = NULL;
		uint64_t value;
		char *end;

		value = strtoull(number, &end, 16);
		if (negative) {
			number--;
			value = -value;
		}
		if (!strncmp(end, relative, strlen(relative)))
			text = relative_text(listing, next + value, named);
		else if (is_address(listing->kernel, value))
			text = address_text(listing, value, named);
		len += snprintf(out + len, sizeof(out) - len, "%.*s",
				(int)((text ? number : end) - in), in);
		if (text && len < sizeof(out))
			len += snprintf(out + len, sizeof(out) - len, "%s", text);
		/* A per-CPU variable's address is no displacement. */
		if (text && text[0] == '0')
			end += strlen(relative);
		in = end;
	}
	if (len < sizeof(out))
		snprintf(out + len, sizeof(out) - len, "%s", in);
	memcpy(line->row.text, out, sizeof(out));
}

static void add_note(struct line *line, const char *note)
{
	size_t len = strlen(line->row.note);

	snprintf(line->row.note + len, sizeof(line->row.note) - len, "%s%s", len ? "; " : "", note);
}

static void annotate(const struct listing *listing, struct line *line)
{
	const struct kc_plan *plan = listing->plan;
	uint64_t addr = line->insn.addr;
	struct kc_slot_rule rule = kc_plan_rule_at(plan, addr), named;
	char text[24], note[64];

	line->row.bar = rule.live == KC_LIVE_SEALED    ? '|'
			: rule.live == KC_LIVE_UNKNOWN ? '?'
						       : ' ';
	for (size_t i = 0; i < plan->nr_seals; i++) {
		if (plan->seals[i] == addr && kc_flow_slot(listing->kernel, &line->insn, &named)) {
			snprintf(note, sizeof(note), "seal: slot is %s",
				 kc_slot_rule_text(&named, text));
			add_note(line, note);
		}
	}
	for (size_t i = 0; i < plan->nr_checks; i++) {
		if (plan->checks[i].load == addr)
			add_note(line, "check: loads the slot");
		if (plan->checks[i].compare == addr)
			add_note(line, "check: compares");
	}
	if (line->insn.flow == KC_FLOW_BRANCH && calls_fail(listing, line->insn.target))
		add_note(line, "to __stack_chk_fail");
	/* `here` is a return address or exact; either way the instruction that holds it. */
	if (listing->here && listing->here - addr < line->insn.len)
		add_note(line, "here");
}

static int read_lines(struct listing *listing, struct kc_decoder *decoder, const uint8_t *bytes)
{
	const struct kc_sym *sym = listing->plan->sym;

	for (size_t at = 0; at < sym->size;) {
		struct line line = {};
		int err;

		if (kc_decode(decoder, bytes + at, sym->size - at, sym->addr + at, &line.insn)) {
			snprintf(line.row.text, sizeof(line.row.text), "%s",
				 kc_decode_text(decoder, bytes + at, sym->size - at,
						sym->addr + at));
			if (line.insn.target)
				name_target(listing, &line);
			else
				name_operands(listing, &line);
		} else {
			line.insn = (struct kc_insn){ .addr = sym->addr + at, .len = 1 };
			snprintf(line.row.text, sizeof(line.row.text), ".byte 0x%02x", bytes[at]);
		}
		at += line.insn.len;
		err = kc_grow(listing->lines, listing->capacity, listing->count + 1);
		if (err)
			return err;
		listing->lines[listing->count++] = line;
	}
	return 0;
}

static void choose_lines(struct listing *listing, enum kc_listing_scope scope)
{
	for (size_t i = 0; i < listing->count; i++) {
		if (scope == KC_LISTING_ALL) {
			listing->lines[i].shown = true;
			continue;
		}
		if (!listing->lines[i].row.note[0])
			continue;
		for (size_t j = i < AROUND ? 0 : i - AROUND; j < listing->count && j <= i + AROUND;
		     j++)
			listing->lines[j].shown = true;
	}
}

static int hand_out(const struct listing *listing, struct kc_listing *ret_listing)
{
	struct kc_listing_row *rows = NULL;
	size_t capacity = 0, count = 0;

	for (size_t i = 0; i < listing->count; i++) {
		const struct line *line = &listing->lines[i];

		if (!line->shown)
			continue;
		if (kc_grow(rows, capacity, count + 1)) {
			free(rows);
			return -ENOMEM;
		}
		rows[count] = line->row;
		rows[count].offset = line->insn.addr - listing->plan->sym->addr;
		rows[count++].more = i + 1 < listing->count && !line[1].shown;
	}
	*ret_listing = (struct kc_listing){ rows, count };
	return 0;
}

int kc_listing(const struct kc_kernel *kernel, const struct kc_plan *plan, uint64_t here,
	       enum kc_listing_scope scope, struct kc_listing *ret_listing)
{
	struct kc_decoder *decoder kc_auto(kc_cleanup_decoder) = NULL;
	struct listing listing = { .kernel = kernel, .plan = plan, .here = here };
	kc_auto_free uint8_t *bytes = NULL;
	int err;

	if (!plan->sym || !plan->sym->size)
		return -EFAULT;
	bytes = malloc(plan->sym->size);
	if (!bytes)
		return -ENOMEM;
	err = kc_text_read(kernel, plan->sym->addr, bytes, plan->sym->size);
	if (!err)
		err = kc_decoder_new(&kernel->guard, &decoder);
	if (!err)
		err = read_lines(&listing, decoder, bytes);
	if (!err) {
		for (size_t i = 0; i < listing.count; i++)
			annotate(&listing, &listing.lines[i]);
		choose_lines(&listing, scope);
		err = hand_out(&listing, ret_listing);
	}
	free(listing.lines);
	return err;
}

void kc_listing_free(struct kc_listing *listing)
{
	free(listing->rows);
}
