// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/ksyms.h"

#include <ctype.h>
#include <string.h>

#include "arch/arch.h"
#include "kernel/found.h"
#include "util/array.h"

/* The symbols other than functions that somebody asks for. */
static const char *const kept[] = {
	/* in strcmp()'s order */
	"__end_init_stack",
	"__end_init_task",
	"__per_cpu_end",
	"__per_cpu_offset",
	"__per_cpu_start",
	"__start___bug_table",
	"__start___ex_table",
	"__start___jump_table",
	"__start_orc_header",
	"__start_orc_unwind",
	"__start_orc_unwind_ip",
	"__start_static_call_sites",
	"__stop___bug_table",
	"__stop___ex_table",
	"__stop___jump_table",
	"__stop_orc_header",
	"__stop_orc_unwind",
	"__stop_orc_unwind_ip",
	"__stop_static_call_sites",
	"_einittext",
	"_etext",
	"_sinittext",
	"_stext",
	"freezer_active",
	"init_stack",
	"kprobe_table",
	"modules",
	"nr_vmap_nodes",
	"page_offset_base",
	"vmalloc_base",
	"vmap_area_root",
	"vmap_nodes",
	"vmap_zone_size",
	"vmemmap_base",
};
#define GUARD kc_countof(kept) /* index of its address: whatever this processor calls it */

struct alias {
	uint32_t name;
	uint32_t sym; /* index after sorting */
};

/*
 * Behind the last symbol of a section lies what has no name; farther into one than this nobody
 * points with a reason.
 */
#define MAX_DATUM (64 * 1024)

/* A symbol that is no function. */
struct datum {
	uint64_t addr;
	uint32_t size; /* to the next symbol */
	uint32_t name;
	uint16_t module;
};

struct kc_ksyms {
	struct kc_sym *syms;
	size_t count, capacity;
	struct alias *by_name; /* sorted by name: every name of every text symbol */
	size_t nr_names, names_capacity;
	struct datum *places; /* sorted by address; of several names the first */
	size_t nr_places, places_capacity;
	char *pool;
	size_t pool_len, pool_capacity;
	uint32_t *modules; /* pool offsets */
	size_t nr_modules, modules_capacity;
	uint64_t data[kc_countof(kept) + 1];
	uint8_t *found_syms, *found_names; /* see found.h */
};

/* What parsing needs and nobody else: symbols before they are made unique. */
struct raw {
	uint64_t addr;
	uint32_t name;
	uint16_t module;
	char type;
	bool ends_only; /* bounds its predecessor, is nobody's function */
};

static int intern(struct kc_ksyms *ksyms, const char *text, uint32_t *ret_offset)
{
	size_t len = strlen(text) + 1;
	int err = kc_grow(ksyms->pool, ksyms->pool_capacity, ksyms->pool_len + len);

	if (err)
		return err;
	*ret_offset = ksyms->pool_len;
	memcpy(ksyms->pool + ksyms->pool_len, text, len);
	ksyms->pool_len += len;
	return 0;
}

static int intern_module(struct kc_ksyms *ksyms, const char *name, uint16_t *ret_module)
{
	int err;

	/* kallsyms lists a module's symbols together: look at the latest first. */
	for (size_t i = ksyms->nr_modules; i-- > 0;) {
		if (!strcmp(ksyms->pool + ksyms->modules[i], name)) {
			*ret_module = i;
			return 0;
		}
	}
	if (ksyms->nr_modules == UINT16_MAX)
		return -E2BIG;
	err = kc_grow(ksyms->modules, ksyms->modules_capacity, ksyms->nr_modules + 1);
	if (!err)
		err = intern(ksyms, name, &ksyms->modules[ksyms->nr_modules]);
	if (err)
		return err;
	*ret_module = ksyms->nr_modules++;
	return 0;
}

static int compare_raw(const void *a, const void *b)
{
	const struct raw *x = a, *y = b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	if (x->ends_only != y->ends_only)
		return x->ends_only - y->ends_only;
	/*
	 * Names lie in the pool in kallsyms' order, of which the kernel prints the first
	 * (get_symbol_pos() in kernel/kallsyms.c, find_kallsyms_symbol() of modules).
	 */
	return x->name < y->name ? -1 : x->name > y->name;
}

static int compare_alias(const void *a, const void *b, void *pool)
{
	const struct alias *x = a, *y = b;
	int order = strcmp((char *)pool + x->name, (char *)pool + y->name);

	return order ? order : (int)(x->sym > y->sym) - (int)(x->sym < y->sym);
}

static int add_alias(struct kc_ksyms *ksyms, uint32_t name, size_t sym)
{
	int err = kc_grow(ksyms->by_name, ksyms->names_capacity, ksyms->nr_names + 1);

	if (!err)
		ksyms->by_name[ksyms->nr_names++] = (struct alias){ .name = name, .sym = sym };
	return err;
}

/*
 * The linker's marks around sections: what lies behind one, up to the next symbol, is padding
 * or code that has lost its name, and no function of that name.
 */
static bool is_mark(const char *name)
{
	static const char *const ends[] = { "_text_start", "_text_end", "_thunk_start",
					    "_thunk_end" };
	size_t len = strlen(name);

	for (size_t i = 0; !strncmp(name, "__", 2) && i < kc_countof(ends); i++)
		if (len > strlen(ends[i]) && !strcmp(name + len - strlen(ends[i]), ends[i]))
			return true;
	return false;
}

struct text {
	uint64_t start, end, init_start, init_end;
};

static struct text text_bounds(const struct kc_ksyms *ksyms)
{
	return (struct text){
		.start = kc_ksyms_data(ksyms, "_stext"),
		.end = kc_ksyms_data(ksyms, "_etext"),
		.init_start = kc_ksyms_data(ksyms, "_sinittext"),
		.init_end = kc_ksyms_data(ksyms, "_einittext"),
	};
}

static bool is_between(uint64_t addr, uint64_t start, uint64_t end)
{
	return addr >= start && addr < end;
}

/* Since v7.0 or so much of the kernel's data has the letters of text. */
static bool is_in_text(const struct text *text, const struct raw *raw)
{
	return raw->module || !text->start || !text->end ||
	       is_between(raw->addr, text->start, text->end) ||
	       is_between(raw->addr, text->init_start, text->init_end);
}

/*
 * To the next symbol of the module. What would be larger than any function is followed by a gap
 * (sections are aligned to 2 MiB): it ends with its page, if not before.
 */
static uint32_t size_of(const struct raw *raw, const struct raw *next)
{
	uint64_t size = next && next->module == raw->module ? next->addr - raw->addr : 0;

	return size > KC_MAX_FUNCTION ? 4096 - raw->addr % 4096 : size;
}

/* Sorted raw symbols -> what lies between functions. */
static int build_places(struct kc_ksyms *ksyms, const struct raw *raws, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t end = i + 1;
		int err;

		while (end < count && raws[end].addr == raws[i].addr)
			end++;
		if (!raws[i].ends_only || !raws[i].name || end == count ||
		    (i && raws[i - 1].addr == raws[i].addr))
			continue;
		err = kc_grow(ksyms->places, ksyms->places_capacity, ksyms->nr_places + 1);
		if (err)
			return err;
		ksyms->places[ksyms->nr_places++] = (struct datum){
			.addr = raws[i].addr,
			.size = raws[end].addr - raws[i].addr < UINT32_MAX
					? raws[end].addr - raws[i].addr
					: 0,
			.name = raws[i].name,
			.module = raws[i].module,
		};
	}
	return 0;
}

/* Sorted raw symbols -> one symbol per address, with sizes, and the name index. */
static int build(struct kc_ksyms *ksyms, struct raw *raws, size_t count)
{
	struct text text = text_bounds(ksyms);
	int err;

	if (!count)
		return -EINVAL;
	for (size_t i = 0; i < count; i++)
		raws[i].ends_only |= !is_in_text(&text, &raws[i]);
	qsort(raws, count, sizeof(*raws), compare_raw);
	err = build_places(ksyms, raws, count);
	if (err)
		return err;
	for (size_t i = 0; i < count; i++) {
		size_t end = i + 1;

		if (raws[i].ends_only)
			continue;
		if (ksyms->count && ksyms->syms[ksyms->count - 1].addr == raws[i].addr) {
			err = add_alias(ksyms, raws[i].name, ksyms->count - 1);
			if (err)
				return err;
			continue;
		}
		while (end < count && raws[end].addr == raws[i].addr)
			end++;
		err = kc_grow(ksyms->syms, ksyms->capacity, ksyms->count + 1);
		if (!err)
			err = add_alias(ksyms, raws[i].name, ksyms->count);
		if (err)
			return err;
		ksyms->syms[ksyms->count++] = (struct kc_sym){
			.addr = raws[i].addr,
			.size = size_of(&raws[i], end < count ? &raws[end] : NULL),
			.name = raws[i].name,
			.module = raws[i].module,
			.type = raws[i].type,
		};
	}
	if (!ksyms->count)
		return -EINVAL;
	qsort_r(ksyms->by_name, ksyms->nr_names, sizeof(*ksyms->by_name), compare_alias,
		ksyms->pool);
	return 0;
}

static int compare_kept(const void *name, const void *element)
{
	return strcmp(name, *(const char *const *)element);
}

/* Where the address of a symbol is kept; beyond GUARD: nobody asks for it. */
static size_t kept_index(const char *name)
{
	const char *const *found =
		bsearch(name, kept, kc_countof(kept), sizeof(*kept), compare_kept);

	return found ? (size_t)(found - kept) : GUARD + !!strcmp(name, kc_arch()->guard.symbol);
}

/* "ffffffff81000000 T name\t[module]", the bracket only for modules. */
static int parse_line(struct kc_ksyms *ksyms, char *line, struct raw *ret_raw)
{
	char *end, *name, *module;
	size_t index;
	int err;

	*ret_raw = (struct raw){ .addr = strtoull(line, &end, 16) };
	if (end == line || end[0] != ' ' || !isalpha((unsigned char)end[1]) || end[2] != ' ')
		return -EINVAL;
	ret_raw->type = end[1];
	name = end + 3;
	name[strcspn(name, "\n")] = '\0';
	module = strchr(name, '\t');
	if (module) {
		*module++ = '\0';
		if (*module == '[')
			module++;
		module[strcspn(module, "]")] = '\0';
	}
	err = intern_module(ksyms, module ?: "", &ret_raw->module);
	if (err)
		return err;
	index = module ? GUARD + 1 : kept_index(name);
	if (index <= GUARD)
		ksyms->data[index] = ret_raw->addr;
	ret_raw->ends_only = true;
	if (!strncmp(name, "__pfx_", 6))
		return 0;
	ret_raw->ends_only = !strchr("tTwW", ret_raw->type) || is_mark(name);
	return intern(ksyms, name, &ret_raw->name);
}

int kc_ksyms_parse(FILE *file, struct kc_ksyms **ret_ksyms)
{
	struct kc_ksyms *ksyms kc_auto(kc_cleanup_ksyms) = calloc(1, sizeof(*ksyms));
	kc_auto_free struct raw *raws = NULL;
	size_t count = 0, malformed = 0, capacity = 0, line_size = 0;
	kc_auto_free char *line = NULL;
	bool addresses = false;
	uint16_t vmlinux;
	int err;

	if (!ksyms)
		return -ENOMEM;
	err = intern_module(ksyms, "", &vmlinux);
	if (err)
		return err;
	while (getline(&line, &line_size, file) > 0) {
		err = kc_grow(raws, capacity, count + 1);
		if (!err)
			err = parse_line(ksyms, line, &raws[count]);
		if (err == -EINVAL) {
			malformed++;
			continue;
		}
		if (err)
			return err;
		addresses |= raws[count].addr != 0;
		count++;
	}
	if (malformed > count / 100)
		return -EINVAL;
	if (ferror(file))
		return -EIO;
	if (count && !addresses)
		return -EPERM;
	err = build(ksyms, raws, count);
	if (err)
		return err;
	*ret_ksyms = kc_take(ksyms);
	return 0;
}

int kc_ksyms_load(const char *path, struct kc_ksyms **ret_ksyms)
{
	kc_auto_file FILE *file = fopen(path, "re");

	return file ? kc_ksyms_parse(file, ret_ksyms) : -errno;
}

void kc_ksyms_free(struct kc_ksyms *ksyms)
{
	if (!ksyms)
		return;
	free(ksyms->syms);
	free(ksyms->by_name);
	free(ksyms->places);
	free(ksyms->pool);
	free(ksyms->modules);
	free(ksyms->found_syms);
	free(ksyms->found_names);
	free(ksyms);
}

size_t kc_ksyms_count(const struct kc_ksyms *ksyms)
{
	return ksyms->count;
}

const struct kc_sym *kc_ksyms_at(const struct kc_ksyms *ksyms, size_t index)
{
	return &ksyms->syms[index];
}

#define sym_addr(syms, i) ((syms)[i].addr)

const struct kc_sym *kc_ksyms_find(const struct kc_ksyms *ksyms, uint64_t addr)
{
	size_t i = kc_last_at_or_below(ksyms->syms, ksyms->count, addr, sym_addr);

	if (i == ksyms->count || addr - ksyms->syms[i].addr >= ksyms->syms[i].size)
		return NULL;
	kc_found_note(ksyms->found_syms, i);
	return &ksyms->syms[i];
}

size_t kc_ksyms_by_name(const struct kc_ksyms *ksyms, const char *name,
			const struct kc_sym **ret_syms, size_t max)
{
	size_t low = 0, high = ksyms->nr_names, found = 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(ksyms->pool + ksyms->by_name[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < ksyms->nr_names; low++) {
		if (strcmp(ksyms->pool + ksyms->by_name[low].name, name))
			break;
		if (found < max)
			ret_syms[found] = &ksyms->syms[ksyms->by_name[low].sym];
		kc_found_note(ksyms->found_syms, ksyms->by_name[low].sym);
		kc_found_note(ksyms->found_names, low);
		found++;
	}
	return found;
}

uint64_t kc_ksyms_data(const struct kc_ksyms *ksyms, const char *name)
{
	size_t index = kept_index(name);

	return index <= GUARD ? ksyms->data[index] : 0;
}

void kc_ksyms_end(struct kc_ksyms *ksyms, uint64_t text, uint64_t end)
{
	size_t i = kc_last_at_or_below(ksyms->syms, ksyms->count, end - 1, sym_addr);
	struct kc_sym *last = i < ksyms->count ? &ksyms->syms[i] : NULL;
	uint64_t left = last ? end - last->addr : 0;

	if (!last || last->addr < text)
		return;
	if (last->size ? left < last->size : left <= KC_MAX_FUNCTION)
		last->size = left;
}

size_t kc_ksyms_names(const struct kc_ksyms *ksyms)
{
	return ksyms->nr_names;
}

const char *kc_ksyms_name(const struct kc_ksyms *ksyms, size_t index, const struct kc_sym **ret_sym)
{
	*ret_sym = &ksyms->syms[ksyms->by_name[index].sym];
	return ksyms->pool + ksyms->by_name[index].name;
}

bool kc_ksyms_place(const struct kc_ksyms *ksyms, uint64_t addr, char *text, size_t size)
{
	size_t i = kc_last_at_or_below(ksyms->places, ksyms->nr_places, addr, sym_addr);
	const struct datum *place = i < ksyms->nr_places ? &ksyms->places[i] : NULL;
	const char *module;

	if (!place || addr - place->addr >= place->size || addr - place->addr >= MAX_DATUM)
		return false;
	module = ksyms->pool + ksyms->modules[place->module];
	snprintf(text, size, "%s+0x%lx%s%s%s", ksyms->pool + place->name, addr - place->addr,
		 *module ? " [" : "", module, *module ? "]" : "");
	return true;
}

const char *kc_sym_name(const struct kc_ksyms *ksyms, const struct kc_sym *sym)
{
	return ksyms->pool + sym->name;
}

const char *kc_sym_module(const struct kc_ksyms *ksyms, const struct kc_sym *sym)
{
	return ksyms->pool + ksyms->modules[sym->module];
}

bool kc_sym_is_generated(const struct kc_ksyms *ksyms, const struct kc_sym *sym)
{
	const char *module = kc_sym_module(ksyms, sym);

	return !strcmp(module, "bpf") || !strncmp(module, "__builtin__", 11);
}

int kc_ksyms_note(struct kc_ksyms *ksyms)
{
	if (!ksyms->found_syms)
		ksyms->found_syms = calloc(ksyms->count, 1);
	if (!ksyms->found_names)
		ksyms->found_names = calloc(ksyms->nr_names, 1);
	return ksyms->found_syms && ksyms->found_names ? 0 : -ENOMEM;
}

bool kc_ksyms_noted(const struct kc_ksyms *ksyms, size_t *cursor, const struct kc_sym **ret_sym,
		    const char **ret_name)
{
	size_t name = *cursor > ksyms->count ? *cursor - ksyms->count : 0;

	if (*cursor < ksyms->count && kc_found_next(ksyms->found_syms, ksyms->count, cursor)) {
		*ret_sym = &ksyms->syms[*cursor];
		*ret_name = ksyms->pool + (*ret_sym)->name;
		return true;
	}
	if (!kc_found_next(ksyms->found_names, ksyms->nr_names, &name))
		return false;
	*cursor = ksyms->count + name;
	*ret_sym = &ksyms->syms[ksyms->by_name[name].sym];
	*ret_name = ksyms->pool + ksyms->by_name[name].name;
	return true;
}

/* By address; of one address in the order given: the first is its name, the others aliases. */
static int compare_rows(const void *a, const void *b)
{
	const struct kc_ksyms_row *x = *(const struct kc_ksyms_row *const *)a;
	const struct kc_ksyms_row *y = *(const struct kc_ksyms_row *const *)b;

	if (x->addr != y->addr)
		return x->addr < y->addr ? -1 : 1;
	return x < y ? -1 : x > y;
}

static int add_symbol_row(struct kc_ksyms *ksyms, const struct kc_ksyms_row *row)
{
	struct kc_sym sym = { .addr = row->addr, .size = row->size, .type = row->type };
	bool alias = ksyms->count && ksyms->syms[ksyms->count - 1].addr == row->addr;
	int err = intern(ksyms, row->name, &sym.name);

	if (!err)
		err = intern_module(ksyms, row->module, &sym.module);
	if (!err && !alias)
		err = kc_grow(ksyms->syms, ksyms->capacity, ksyms->count + 1);
	if (!err && !alias)
		ksyms->syms[ksyms->count++] = sym;
	return err ?: add_alias(ksyms, sym.name, ksyms->count - 1);
}

int kc_ksyms_make(const struct kc_ksyms_row *rows, size_t count, struct kc_ksyms **ret_ksyms)
{
	struct kc_ksyms *ksyms kc_auto(kc_cleanup_ksyms) = calloc(1, sizeof(*ksyms));
	kc_auto_free const struct kc_ksyms_row **sorted = calloc(count + 1, sizeof(*sorted));
	uint16_t vmlinux;
	int err;

	if (!ksyms || !sorted)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		sorted[i] = &rows[i];
	qsort(sorted, count, sizeof(*sorted), compare_rows);
	err = intern_module(ksyms, "", &vmlinux);
	for (size_t i = 0; !err && i < count; i++)
		err = add_symbol_row(ksyms, sorted[i]);
	if (err)
		return err;
	if (ksyms->nr_names)
		qsort_r(ksyms->by_name, ksyms->nr_names, sizeof(*ksyms->by_name), compare_alias,
			ksyms->pool);
	*ret_ksyms = kc_take(ksyms);
	return 0;
}

size_t kc_sym_cold_stem(const char *name)
{
	const char *cold = strstr(name, ".cold");

	return cold && (cold[5] == '\0' || cold[5] == '.') ? (size_t)(cold - name) : 0;
}
