// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/modules.h"

#include <errno.h>
#include <string.h>

#include "kernel/btf.h"
#include "util/array.h"

#define MAX_MODULES	  8192
#define MODULE_STATE_LIVE 0

/* Where struct module keeps what we need, all relative to the struct. */
struct layout {
	uint32_t list, name, state;
	uint32_t folder, folder_id; /* of its folder in sysfs; 0: not known */
	uint32_t base, text_size;   /* of the part that holds text */
	uint32_t num_orcs, orc_ip, orc;
	uint32_t jumps, num_jumps;
	uint32_t fixups, num_fixups;
	uint32_t bugs, num_bugs;
	uint32_t static_calls, num_static_calls; /* 0: there are none */
};

static int learn_layout(struct kc_btf *btf, struct layout *ret_layout)
{
	struct layout at = {};
	uint32_t mem, base, size;

	if (kc_btf_offset(btf, "module", "list", &at.list) ||
	    kc_btf_offset(btf, "module", "name", &at.name) ||
	    kc_btf_offset(btf, "module", "state", &at.state) ||
	    kc_btf_offset(btf, "module", "arch.num_orcs", &at.num_orcs) ||
	    kc_btf_offset(btf, "module", "arch.orc_unwind_ip", &at.orc_ip) ||
	    kc_btf_offset(btf, "module", "arch.orc_unwind", &at.orc) ||
	    kc_btf_offset(btf, "module", "jump_entries", &at.jumps) ||
	    kc_btf_offset(btf, "module", "num_jump_entries", &at.num_jumps) ||
	    kc_btf_offset(btf, "module", "extable", &at.fixups) ||
	    kc_btf_offset(btf, "module", "num_exentries", &at.num_fixups) ||
	    kc_btf_offset(btf, "module", "bug_table", &at.bugs) ||
	    kc_btf_offset(btf, "module", "num_bugs", &at.num_bugs))
		return -ENOENT;
	/*
	 * core_layout became mem[MOD_TEXT = 0] in Linux commit ac3b43283923
	 * ("module: replace module_layout with module_memory"), v6.4.
	 */
	if (!kc_btf_offset(btf, "module", "mem", &mem) &&
	    !kc_btf_offset(btf, "module_memory", "base", &base) &&
	    !kc_btf_offset(btf, "module_memory", "size", &size)) {
		at.base = mem + base;
		at.text_size = mem + size;
	} else if (kc_btf_offset(btf, "module", "core_layout.base", &at.base) ||
		   kc_btf_offset(btf, "module", "core_layout.text_size", &at.text_size)) {
		return -ENOENT;
	}
	if (kc_btf_offset(btf, "module", "mkobj.kobj.sd", &at.folder) ||
	    kc_btf_offset(btf, "kernfs_node", "id", &at.folder_id))
		at.folder = 0;
	if (kc_btf_offset(btf, "module", "static_call_sites", &at.static_calls) ||
	    kc_btf_offset(btf, "module", "num_static_call_sites", &at.num_static_calls))
		at.static_calls = 0;
	*ret_layout = at;
	return 0;
}

/*
 * Every load makes a new folder in sysfs, before the module is live, and its number is
 * given out once (64 bits since Linux commit 40430452fd5d ("kernfs: use 64bit inos if
 * ino_t is 64bit"), v5.5). 0: there is none.
 */
static uint64_t read_load(const struct kc_mem *mem, const struct layout *at, uint64_t addr)
{
	uint64_t folder, id;

	if (!at->folder || kc_mem_read(mem, addr + at->folder, &folder, sizeof(folder)) ||
	    !folder || kc_mem_read(mem, folder + at->folder_id, &id, sizeof(id)))
		return 0;
	return id;
}

static int read_module(const struct kc_mem *mem, const struct layout *at, uint64_t addr,
		       enum kc_orc_layout orc_layout, struct kc_module *ret_module)
{
	struct kc_module module = {};
	uint64_t base, orc_ip, orc;
	uint32_t text_size, num_orcs, state, num_jumps, num_fixups, num_bugs, num_static_calls = 0;

	if (kc_mem_read(mem, addr + at->state, &state, sizeof(state)) ||
	    kc_mem_read(mem, addr + at->name, module.name, sizeof(module.name) - 8) ||
	    kc_mem_read(mem, addr + at->base, &base, sizeof(base)) ||
	    kc_mem_read(mem, addr + at->text_size, &text_size, sizeof(text_size)) ||
	    kc_mem_read(mem, addr + at->num_orcs, &num_orcs, sizeof(num_orcs)) ||
	    kc_mem_read(mem, addr + at->orc_ip, &orc_ip, sizeof(orc_ip)) ||
	    kc_mem_read(mem, addr + at->orc, &orc, sizeof(orc)) ||
	    kc_mem_read(mem, addr + at->jumps, &module.jump_entries, sizeof(uint64_t)) ||
	    kc_mem_read(mem, addr + at->num_jumps, &num_jumps, sizeof(num_jumps)) ||
	    kc_mem_read(mem, addr + at->fixups, &module.fixups, sizeof(uint64_t)) ||
	    kc_mem_read(mem, addr + at->num_fixups, &num_fixups, sizeof(num_fixups)) ||
	    kc_mem_read(mem, addr + at->bugs, &module.bugs, sizeof(uint64_t)) ||
	    kc_mem_read(mem, addr + at->num_bugs, &num_bugs, sizeof(num_bugs)))
		return -EFAULT;
	if (at->static_calls &&
	    (kc_mem_read(mem, addr + at->static_calls, &module.static_calls, sizeof(uint64_t)) ||
	     kc_mem_read(mem, addr + at->num_static_calls, &num_static_calls,
			 sizeof(num_static_calls))))
		return -EFAULT;
	if (state != MODULE_STATE_LIVE)
		return -EAGAIN;
	module.load = read_load(mem, at, addr);
	module.text = base;
	module.text_end = base + text_size;
	module.nr_jump_entries = num_jumps;
	module.nr_fixups = num_fixups;
	module.nr_bugs = num_bugs;
	module.nr_static_calls = num_static_calls;
	/* A module that goes away under us leaves no table; so be it. */
	if (kc_orc_table_read(mem, orc_ip, orc, num_orcs, orc_layout, &module.orc))
		module.orc = (struct kc_orc_table){};
	*ret_module = module;
	return 0;
}

int kc_modules_read(const struct kc_mem *mem, struct kc_btf *btf, uint64_t list_head,
		    enum kc_orc_layout orc_layout, struct kc_module **ret_modules,
		    size_t *ret_count)
{
	struct kc_module *modules = NULL;
	size_t count = 0, capacity = 0;
	struct layout at;
	uint64_t node;
	int err;

	err = learn_layout(btf, &at);
	if (!err)
		err = kc_mem_read(mem, list_head, &node, sizeof(node));
	for (size_t hops = 0; !err && node != list_head; hops++) {
		struct kc_module module;

		if (hops == MAX_MODULES) {
			err = -EBADMSG;
			break;
		}
		if (!read_module(mem, &at, node - at.list, orc_layout, &module)) {
			err = kc_grow(modules, capacity, count + 1);
			if (err)
				kc_orc_table_free(&module.orc);
			else
				modules[count++] = module;
		}
		if (!err)
			err = kc_mem_read(mem, node, &node, sizeof(node));
	}
	if (err) {
		kc_modules_free(modules, count);
		return err;
	}
	*ret_modules = modules;
	*ret_count = count;
	return 0;
}

void kc_modules_free(struct kc_module *modules, size_t count)
{
	for (size_t i = 0; i < count; i++)
		kc_orc_table_free(&modules[i].orc);
	free(modules);
}
