// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/kernel.h"

#include <errno.h>
#include <string.h>

#include "kernel/btf.h"
#include "kernel/edges.h"
#include "kernel/found.h"
#include "kernel/modules.h"
#include "util/array.h"
#include "util/log.h"

#define fail(ret_failure, err, ...) kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, err, __VA_ARGS__)

static int load_inactive(struct kc_kernel *kernel, struct kc_btf *btf)
{
	struct kc_inactive_frame *at = &kernel->inactive;
	const char *type = kc_arch()->inactive.type;

	return kc_btf_size(btf, type, &at->size) ?:
	       kc_btf_offset(btf, type, kc_arch()->inactive.bp, &at->bp) ?:
	       kc_btf_offset(btf, type, kc_arch()->inactive.ret_addr, &at->ret_addr);
}

static int load_regs(struct kc_kernel *kernel, struct kc_btf *btf)
{
	struct kc_pt_regs *at = &kernel->pt_regs;
	const char *type = kc_arch()->regs.type;

	return kc_btf_size(btf, type, &at->size) ?:
	       kc_btf_offset(btf, type, kc_arch()->regs.pc, &at->pc) ?:
	       kc_btf_offset(btf, type, kc_arch()->regs.sp, &at->sp) ?:
	       kc_btf_offset(btf, type, kc_arch()->regs.bp, &at->bp) ?:
	       kc_btf_offset(btf, type, kc_arch()->regs.mode, &at->mode);
}

static int load_layouts(struct kc_kernel *kernel, struct kc_btf *btf,
			struct kc_failure *ret_failure)
{
	if (!kc_btf_has(btf, "task_struct", "stack_canary"))
		return fail(ret_failure, -ENOENT,
			    "this kernel's BTF has no task_struct.stack_canary: built without the "
			    "stack protector,");
	if (load_regs(kernel, btf))
		return fail(ret_failure, -ENOENT, "this kernel's BTF has no struct %s",
			    kc_arch()->regs.type);
	if (load_inactive(kernel, btf))
		return fail(ret_failure, -ENOENT, "this kernel's BTF has no struct %s",
			    kc_arch()->inactive.type);
	if (kc_btf_size(btf, "bug_entry", &kernel->bug_entry.size) ||
	    kc_btf_offset(btf, "bug_entry", "flags", &kernel->bug_entry.flags) ||
	    !kc_btf_has(btf, "bug_entry", "bug_addr_disp"))
		kernel->bug_entry.size = 0;
	kc_kprobe_table_learn(btf, &kernel->kprobes);
	kernel->probes.multi = kc_btf_has(btf, "bpf_kprobe_multi_link", "link");
	kernel->probes.tells_missed = kc_btf_has(btf, "bpf_link_info", "perf_event.kprobe.missed");
	kernel->probes.ring_sleeps = kc_btf_ring_sleeps(btf);
	return 0;
}

/*
 * THREAD_SIZE: BTF has no type that carries it (nothing refers to union
 * thread_union), but vmlinux.lds lays out the first task's stack with it.
 * __end_init_task became __end_init_stack in Linux commit 8f69cba096b5 ("x86:
 * Rename __{start,end}_init_task to __{start,end}_init_stack"), v6.10.
 */
static int load_thread_size(struct kc_kernel *kernel, struct kc_failure *ret_failure)
{
	uint64_t start = kc_ksyms_data(kernel->ksyms, "init_stack");
	uint64_t end = kc_ksyms_data(kernel->ksyms, "__end_init_stack");
	uint64_t size;

	if (!end)
		end = kc_ksyms_data(kernel->ksyms, "__end_init_task");
	if (!start || !end)
		return fail(
			ret_failure, -ENOENT,
			"the kernel's symbols lack %s, from which the size of its stacks is "
			"told: built without CONFIG_KALLSYMS_ALL, they are functions alone, and "
			"such a kernel can't be watched yet",
			start ? "__end_init_stack" : "init_stack");
	size = end - start;
	if (end <= start || size > 1 << 20 || (size & (size - 1)))
		return fail(ret_failure, -ENOENT, "cannot tell the size of this kernel's stacks");
	kernel->thread_size = size;
	return 0;
}

static int load_guard(struct kc_kernel *kernel, struct kc_btf *btf, struct kc_failure *ret_failure)
{
	const struct kc_arch *arch = kc_arch();
	uint64_t symbol = kc_ksyms_data(kernel->ksyms, arch->guard.symbol);
	uint32_t offset;

	if (symbol) {
		kernel->guard = (struct kc_guard){ .pc_relative = true, .addr = symbol };
		return 0;
	}
	if (!kc_btf_offset(btf, arch->guard.type, arch->guard.member, &offset)) {
		kernel->guard = (struct kc_guard){ .addr = offset };
		return 0;
	}
	return fail(ret_failure, -ENOENT,
		    "neither %s nor %s.%s exists: cannot tell where code finds the guard",
		    arch->guard.symbol, arch->guard.type, arch->guard.member);
}

static int orc_layout(struct kc_kernel *kernel, struct kc_btf *btf, struct kc_failure *ret_failure,
		      enum kc_orc_layout *ret_layout)
{
	uint64_t start = kc_ksyms_data(kernel->ksyms, "__start_orc_header");
	uint8_t header[KC_ORC_HEADER_SIZE];
	enum kc_orc_layout layout;

	if (start) {
		if (kc_mem_read(kernel->mem, start, header, sizeof(header)))
			return fail(ret_failure, -EFAULT, "cannot read .orc_header through %s",
				    kernel->mem->name);
		layout = kc_orc_layout_of_header(header);
	} else {
		layout = kc_orc_layout_of_btf(btf);
	}
	if (layout == KC_ORC_UNKNOWN)
		return fail(ret_failure, -ENOTSUP,
			    "this kernel's ORC format is newer than kcanary knows; "
			    "refusing to guess where frames are");
	*ret_layout = layout;
	return 0;
}

static int load_orc(struct kc_kernel *kernel, enum kc_orc_layout layout,
		    struct kc_failure *ret_failure)
{
	const struct kc_ksyms *ksyms = kernel->ksyms;
	uint64_t ip = kc_ksyms_data(ksyms, "__start_orc_unwind_ip");
	uint64_t ip_end = kc_ksyms_data(ksyms, "__stop_orc_unwind_ip");
	uint64_t entries = kc_ksyms_data(ksyms, "__start_orc_unwind");
	uint64_t entries_end = kc_ksyms_data(ksyms, "__stop_orc_unwind");
	uint64_t count = (ip_end - ip) / sizeof(int32_t);
	int err;

	if (!ip || !ip_end || !entries || !entries_end)
		return fail(ret_failure, -ENOENT,
			    "this kernel has no ORC unwind tables "
			    "(CONFIG_UNWINDER_ORC, with all symbols in kallsyms)");
	if (ip_end <= ip || entries_end <= entries ||
	    (entries_end - entries) / sizeof(struct kc_orc_raw) != count)
		return fail(ret_failure, -EBADMSG, "the ORC tables' two parts differ in length");
	err = kc_orc_table_read(kernel->mem, ip, entries, count, layout, &kernel->orc);
	if (err)
		return fail(ret_failure, err, "cannot read the ORC tables: %s",
			    err == -EBADMSG ? "not sorted" : kc_strerror(err));
	return 0;
}

uint64_t kc_modules_start(const struct kc_ksyms *ksyms)
{
	uint64_t text_end = kc_ksyms_data(ksyms, "_etext");
	uint64_t init_end = kc_ksyms_data(ksyms, "_einittext");
	uint64_t end = text_end > init_end ? text_end : init_end;

	/* Where modules could be without KASLR there is vmlinux, or its data: there is KASLR. */
	return end + KC_MAX_DATA <= kc_arch()->modules ? kc_arch()->modules
						       : kc_arch()->modules_behind_kaslr;
}

static int load_symbols(struct kc_kernel *kernel, const char *path, struct kc_failure *ret_failure)
{
	int err = kc_ksyms_load(path, &kernel->ksyms);

	if (err == -EPERM)
		return fail(ret_failure, err,
			    "%s shows no addresses (kernel.kptr_restrict, or not root)", path);
	if (err)
		return fail(ret_failure, err, "cannot read symbols from %s: %s", path,
			    err == -EINVAL ? "not in kallsyms' format" : kc_strerror(err));
	kernel->text = kc_ksyms_data(kernel->ksyms, "_stext");
	kernel->text_end = kc_ksyms_data(kernel->ksyms, "_etext");
	kernel->kprobes.addr = kc_ksyms_data(kernel->ksyms, "kprobe_table");
	/* Came with the freezer's rewrite, Linux commit f5d39b020809. */
	kernel->freezes_in_place = kc_ksyms_data(kernel->ksyms, "freezer_active");
	kernel->modules_start = kc_modules_start(kernel->ksyms);
	if (!kernel->text || kernel->text_end <= kernel->text)
		return fail(ret_failure, -ENOENT, "%s does not say where kernel text is", path);
	return 0;
}

int kc_kernel_load(const struct kc_mem *mem, const char *kallsyms_path, const char *btf_path,
		   struct kc_failure *ret_failure, struct kc_kernel **ret_kernel)
{
	struct kc_kernel *kernel kc_auto(kc_cleanup_kernel) = calloc(1, sizeof(*kernel));
	struct kc_btf *btf kc_auto(kc_cleanup_btf) = NULL;
	enum kc_orc_layout layout = KC_ORC_UNKNOWN;
	uint64_t modules;
	int err;

	if (!kernel)
		return fail(ret_failure, -ENOMEM, "out of memory");
	kernel->mem = mem;
	err = kc_btf_load(btf_path, &btf);
	if (err)
		return fail(ret_failure, err,
			    "no type information at %s (%s): kcanary needs a kernel built with "
			    "CONFIG_DEBUG_INFO_BTF",
			    btf_path, kc_strerror(err));
	err = load_layouts(kernel, btf, ret_failure);
	if (!err)
		err = load_symbols(kernel, kallsyms_path, ret_failure);
	if (!err)
		err = load_thread_size(kernel, ret_failure);
	if (!err)
		err = load_guard(kernel, btf, ret_failure);
	if (!err)
		err = orc_layout(kernel, btf, ret_failure, &layout);
	if (!err)
		err = load_orc(kernel, layout, ret_failure);
	if (err)
		return err;
	modules = kc_ksyms_data(kernel->ksyms, "modules");
	if (modules) {
		err = kc_modules_read(mem, btf, modules, layout, &kernel->modules,
				      &kernel->nr_modules);
		if (err)
			kc_warn("cannot read the list of modules (%s): their frames will be "
				"counted as not verifiable",
				kc_strerror(err));
	}
	for (size_t i = 0; i < kernel->nr_modules; i++)
		kc_ksyms_end(kernel->ksyms, kernel->modules[i].text, kernel->modules[i].text_end);
	kc_edges_load(kernel);
	*ret_kernel = kc_take(kernel);
	return 0;
}

void kc_kernel_free(struct kc_kernel *kernel)
{
	if (!kernel)
		return;
	kc_ksyms_free(kernel->ksyms);
	kc_orc_table_free(&kernel->orc);
	kc_modules_free(kernel->modules, kernel->nr_modules);
	free(kernel->edges);
	free(kernel->found_edges);
	free(kernel);
}

static int note_orc(struct kc_orc_table *table)
{
	table->found = table->count ? calloc(table->count, 1) : NULL;
	return table->found || !table->count ? 0 : -ENOMEM;
}

int kc_kernel_note(struct kc_kernel *kernel, const struct kc_mem *mem)
{
	int err = kc_ksyms_note(kernel->ksyms) ?: note_orc(&kernel->orc);

	for (size_t i = 0; !err && i < kernel->nr_modules; i++)
		err = note_orc(&kernel->modules[i].orc);
	if (!err && kernel->nr_edges) {
		kernel->found_edges = calloc(kernel->nr_edges, 1);
		err = kernel->found_edges ? 0 : -ENOMEM;
	}
	if (!err)
		kernel->mem = mem;
	return err;
}

bool kc_kernel_noted_edge(const struct kc_kernel *kernel, size_t *cursor, struct kc_edge *ret_edge)
{
	if (!kc_found_next(kernel->found_edges, kernel->nr_edges, cursor))
		return false;
	*ret_edge = kernel->edges[*cursor];
	return true;
}

const struct kc_module *kc_kernel_module(const struct kc_kernel *kernel, uint64_t addr)
{
	for (size_t i = 0; i < kernel->nr_modules; i++)
		if (addr >= kernel->modules[i].text && addr < kernel->modules[i].text_end)
			return &kernel->modules[i];
	return NULL;
}

bool kc_kernel_orc(const struct kc_kernel *kernel, uint64_t pc, struct kc_orc *ret_orc)
{
	const struct kc_module *module;

	if (pc >= kernel->text && pc < kernel->text_end)
		return kc_orc_find(&kernel->orc, pc, ret_orc);
	module = kc_kernel_module(kernel, pc);
	return module && module->orc.count && kc_orc_find(&module->orc, pc, ret_orc);
}

bool kc_kernel_is_text(const struct kc_kernel *kernel, uint64_t addr)
{
	return (addr >= kernel->text && addr < kernel->text_end) || kc_kernel_module(kernel, addr);
}

/*
 * BPF programs are not in kallsyms everywhere (net.core.bpf_jit_kallsyms), so of a place in
 * the area that they share with modules nothing is proved.
 */
bool kc_kernel_may_be_code(const struct kc_kernel *kernel, uint64_t addr)
{
	return kc_kernel_is_text(kernel, addr) || kc_ksyms_find(kernel->ksyms, addr) ||
	       (addr >= kernel->modules_start && addr < kc_arch()->modules_end);
}

#define edge_code(edges, i) ((edges)[i].code)

size_t kc_kernel_edges(const struct kc_kernel *kernel, uint64_t code,
		       const struct kc_edge **ret_first)
{
	size_t last = kc_last_at_or_below(kernel->edges, kernel->nr_edges, code, edge_code);
	size_t count = 0;

	if (last == kernel->nr_edges)
		return 0;
	while (count <= last && kernel->edges[last - count].code == code)
		count++;
	*ret_first = &kernel->edges[last + 1 - count];
	for (size_t i = 0; i < count; i++)
		kc_found_note(kernel->found_edges, last - i);
	return count;
}
