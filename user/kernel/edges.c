// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/edges.h"

#include <errno.h>
#include <string.h>

#include "util/array.h"
#include "util/log.h"

#define MAX_ENTRIES (1u << 20)

/*
 * Four tables whose entries begin with self-relative addresses of code:
 *
 *	struct jump_entry              { s32 code, target; s64 key; }
 *	struct exception_table_entry   { s32 insn, fixup; s32 type; }
 *	struct bug_entry               { s32 bug_addr_disp, ...; u16 line, flags; }
 *	struct static_call_site        { s32 addr, key; }
 *
 * How long the first two are depends on the processor (kc_arch()); bug_entry: see BTF.
 */
#define BUGFLAG_WARNING 1

#define STATIC_CALL_SIZE (2 * sizeof(int32_t))

enum holds {
	HOLDS_TARGETS,
	HOLDS_BUGS,
	HOLDS_STATIC_CALLS,
};

struct table {
	uint64_t start, count;
	size_t entry_size;
	enum holds holds;
};

static void add_entry(struct kc_kernel *kernel, const struct table *table, const char *raw,
		      uint64_t at)
{
	int32_t relative[2];
	uint16_t flags;
	struct kc_edge edge;

	memcpy(relative, raw, sizeof(relative));
	edge.code = at + (int64_t)relative[0];
	edge.target = at + sizeof(int32_t) + (int64_t)relative[1];
	if (table->holds == HOLDS_STATIC_CALLS)
		edge.target = KC_EDGE_AWAY;
	if (table->holds == HOLDS_BUGS) {
		memcpy(&flags, raw + kernel->bug_entry.flags, sizeof(flags));
		if (!(flags & BUGFLAG_WARNING)) /* BUG(): nothing comes after */
			return;
		edge.target = KC_EDGE_NEXT;
	}
	kernel->edges[kernel->nr_edges++] = edge;
}

static int add_table(struct kc_kernel *kernel, size_t *capacity, const struct table *table)
{
	kc_auto_free char *raw = NULL;
	int err;

	if (!table->start || !table->count || !table->entry_size)
		return 0;
	if (table->count > MAX_ENTRIES)
		return -EBADMSG;
	raw = malloc(table->count * table->entry_size);
	if (!raw)
		return -ENOMEM;
	err = kc_mem_read(kernel->mem, table->start, raw, table->count * table->entry_size);
	if (!err)
		err = kc_grow(kernel->edges, *capacity, kernel->nr_edges + table->count);
	for (uint64_t i = 0; !err && i < table->count; i++)
		add_entry(kernel, table, raw + i * table->entry_size,
			  table->start + i * table->entry_size);
	return err;
}

static int add_section(struct kc_kernel *kernel, size_t *capacity, const char *start_name,
		       const char *stop_name, size_t entry_size, enum holds holds)
{
	struct table table = { .entry_size = entry_size, .holds = holds };
	uint64_t stop = kc_ksyms_data(kernel->ksyms, stop_name);

	table.start = kc_ksyms_data(kernel->ksyms, start_name);
	if (!table.start || stop <= table.start || !entry_size)
		return -ENOENT;
	table.count = (stop - table.start) / entry_size;
	return add_table(kernel, capacity, &table);
}

static int compare_edges(const void *a, const void *b)
{
	const struct kc_edge *x = a, *y = b;

	return x->code < y->code ? -1 : x->code > y->code;
}

void kc_edges_sort(struct kc_edge *edges, size_t count)
{
	if (count)
		qsort(edges, count, sizeof(*edges), compare_edges);
}

static int add_module(struct kc_kernel *kernel, size_t *capacity, const struct kc_module *module)
{
	const struct table tables[] = {
		{ module->jump_entries, module->nr_jump_entries, kc_arch()->jump_entry_size,
		  HOLDS_TARGETS },
		{ module->fixups, module->nr_fixups, kc_arch()->fixup_size, HOLDS_TARGETS },
		{ module->bugs, module->nr_bugs, kernel->bug_entry.size, HOLDS_BUGS },
		{ module->static_calls, module->nr_static_calls, STATIC_CALL_SIZE,
		  HOLDS_STATIC_CALLS },
	};
	int err = 0;

	for (size_t i = 0; i < kc_countof(tables); i++) {
		int one = add_table(kernel, capacity, &tables[i]);

		err = err ?: one;
	}
	return err;
}

void kc_edges_load(struct kc_kernel *kernel)
{
	size_t capacity = 0;
	int err[4], failed;

	err[0] = add_section(kernel, &capacity, "__start___jump_table", "__stop___jump_table",
			     kc_arch()->jump_entry_size, HOLDS_TARGETS);
	err[1] = add_section(kernel, &capacity, "__start___ex_table", "__stop___ex_table",
			     kc_arch()->fixup_size, HOLDS_TARGETS);
	err[2] = add_section(kernel, &capacity, "__start___bug_table", "__stop___bug_table",
			     kernel->bug_entry.size, HOLDS_BUGS);
	err[3] = add_section(kernel, &capacity, "__start_static_call_sites",
			     "__stop_static_call_sites", STATIC_CALL_SIZE, HOLDS_STATIC_CALLS);
	/* A kernel may be built without static calls, or with none. */
	failed = err[0] ?: err[1] ?: err[2] ?: err[3] == -ENOENT ? 0 : err[3];
	for (size_t i = 0; i < kernel->nr_modules; i++) {
		int one = add_module(kernel, &capacity, &kernel->modules[i]);

		failed = failed ?: one;
	}
	if (failed)
		kc_warn("cannot read all static keys and calls, fixups and WARNs (%s): code that "
			"only they lead to will not be verified",
			kc_strerror(failed));
	kc_edges_sort(kernel->edges, kernel->nr_edges);
}
