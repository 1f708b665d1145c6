// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/edges.h"

#include <errno.h>

#include "util/array.h"
#include "util/log.h"

#define MAX_ENTRIES (1u << 20)

/*
 * Both tables begin an entry with two self-relative addresses, code and target:
 *
 *	struct jump_entry              { s32 code, target; s64 key; }
 *	struct exception_table_entry   { s32 insn, fixup; s32 type; }
 *
 * jump_entry: Linux commit b34006c425d6 ("x86/jump_table: Use relative
 * references"), v4.20. exception_table_entry: 12 bytes on x86 since Linux
 * commit 548acf19234d ("x86/mm: Expand the exception table logic to allow new
 * handling options"), v4.6.
 */
enum {
	JUMP_SIZE = 16,
	FIXUP_SIZE = 12,
};

static int add_table(struct kc_kernel *kernel, size_t *capacity, uint64_t start, uint64_t count,
		     size_t entry_size)
{
	kc_auto_free char *raw = NULL;
	int err;

	if (!start || !count)
		return 0;
	if (count > MAX_ENTRIES)
		return -EBADMSG;
	raw = malloc(count * entry_size);
	if (!raw)
		return -ENOMEM;
	err = kc_mem_read(kernel->mem, start, raw, count * entry_size);
	if (!err)
		err = kc_grow(kernel->edges, *capacity, kernel->nr_edges + count);
	if (err)
		return err;
	for (uint64_t i = 0; i < count; i++) {
		const int32_t *entry = (const int32_t *)(raw + i * entry_size);
		uint64_t at = start + i * entry_size;

		kernel->edges[kernel->nr_edges++] = (struct kc_edge){
			.code = at + (int64_t)entry[0],
			.target = at + sizeof(int32_t) + (int64_t)entry[1],
		};
	}
	return 0;
}

static int add_section(struct kc_kernel *kernel, size_t *capacity, const char *start_name,
		       const char *stop_name, size_t entry_size)
{
	uint64_t start = kc_ksyms_data(kernel->ksyms, start_name);
	uint64_t stop = kc_ksyms_data(kernel->ksyms, stop_name);

	if (!start || stop <= start)
		return -ENOENT;
	return add_table(kernel, capacity, start, (stop - start) / entry_size, entry_size);
}

static int compare_edges(const void *a, const void *b)
{
	const struct kc_edge *x = a, *y = b;

	return x->code < y->code ? -1 : x->code > y->code;
}

void kc_edges_load(struct kc_kernel *kernel)
{
	size_t capacity = 0;
	int err, first_err;

	first_err = add_section(kernel, &capacity, "__start___jump_table", "__stop___jump_table",
				JUMP_SIZE);
	err = add_section(kernel, &capacity, "__start___ex_table", "__stop___ex_table",
			  FIXUP_SIZE);
	for (size_t i = 0; i < kernel->nr_modules; i++) {
		const struct kc_module *module = &kernel->modules[i];

		first_err = first_err ?: err;
		err = add_table(kernel, &capacity, module->jump_entries, module->nr_jump_entries,
				JUMP_SIZE);
		first_err = first_err ?: err;
		err = add_table(kernel, &capacity, module->fixups, module->nr_fixups, FIXUP_SIZE);
	}
	first_err = first_err ?: err;
	if (first_err)
		kc_warn("cannot read all static keys and exception fixups (%s): code that only they "
			"lead to will not be verified", kc_strerror(first_err));
	qsort(kernel->edges, kernel->nr_edges, sizeof(*kernel->edges), compare_edges);
}
