/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Kernel symbols, as /proc/kallsyms lists them.
 *
 * Text symbols are kept sorted by address, one per address, with an extent:
 *
 *	__pfx_foo   foo                   foo.cold ...
 *	├───────────┼─────────────────────┼──
 *	 padding     foo: [addr, addr+size)
 *
 * kallsyms has no sizes. A function ends where the next symbol of the same
 * module begins, whatever that symbol is; "__pfx_" symbols (the call padding
 * before a function, Linux commit 9f2899fe36a6 ("objtool: Add option to
 * generate prefix symbols"), v6.2) end functions and are not functions; nor are the linker's
 * marks ("__entry_text_end"): code that lies behind one has no name.
 *
 * Of several names at one address the first is shown, as the kernel does; the others are
 * aliases by which it can be found.
 *
 * Of the other symbols the ones in `kept` (ksyms.c) can be asked for by name, all by address.
 */
#ifndef KC_KERNEL_KSYMS_H
#define KC_KERNEL_KSYMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "util/cleanup.h"

struct kc_sym {
	uint64_t addr;
	uint32_t size;	 /* bytes to the next symbol; 0: its end is not known */
	uint32_t name;	 /* offset into the string pool */
	uint16_t module; /* 0: vmlinux; index into the module names */
	char type;	 /* kallsyms' letter, upper case for global */
};

/* No function is larger: Debian's largest has some 30 KiB. */
#define KC_MAX_FUNCTION (256 * 1024)

struct kc_ksyms;

#define KC_KALLSYMS_PATH "/proc/kallsyms"

/*
 * Read a file in kallsyms' format. Errors: -EPERM if all addresses are zero
 * (kptr_restrict, or no CAP_SYSLOG), -EINVAL if it holds no text symbols or is
 * in another format, or the errno of reading it. A few lines that make no sense
 * are passed over: a module that is just being loaded shows symbols without a
 * type (seen on 6.1).
 */
int kc_ksyms_load(const char *path, struct kc_ksyms **ret_ksyms);
int kc_ksyms_parse(FILE *file, struct kc_ksyms **ret_ksyms);
void kc_ksyms_free(struct kc_ksyms *ksyms);
KC_DEFINE_AUTO(ksyms, struct kc_ksyms, kc_ksyms_free)

size_t kc_ksyms_count(const struct kc_ksyms *ksyms);
const struct kc_sym *kc_ksyms_at(const struct kc_ksyms *ksyms, size_t index);

/* The text symbol that covers addr, or NULL. */
const struct kc_sym *kc_ksyms_find(const struct kc_ksyms *ksyms, uint64_t addr);

/*
 * Text symbols of this name (an alias counts; static functions may share a
 * name): how many, the first `max` of them in ret_syms.
 */
size_t kc_ksyms_by_name(const struct kc_ksyms *ksyms, const char *name,
			const struct kc_sym **ret_syms, size_t max);

/*
 * All names, aliases too, sorted: how many; the one of this index, and whose it is.
 */
size_t kc_ksyms_names(const struct kc_ksyms *ksyms);
const char *kc_ksyms_name(const struct kc_ksyms *ksyms, size_t index,
			  const struct kc_sym **ret_sym);

/* Text of a module, from `text` on, ends here: so does its last function, wherever the next is. */
void kc_ksyms_end(struct kc_ksyms *ksyms, uint64_t text, uint64_t end);

/* Address of a symbol that is not text, one of ksyms.c's list; 0: not there. */
uint64_t kc_ksyms_data(const struct kc_ksyms *ksyms, const char *name);

/*
 * What of vmlinux's or a module's data addr lies in, as "symbol+0x10 [module]"; per-CPU data by its
 * own addresses. False: no symbol's that is known.
 */
bool kc_ksyms_place(const struct kc_ksyms *ksyms, uint64_t addr, char *text, size_t size);

const char *kc_sym_name(const struct kc_ksyms *ksyms, const struct kc_sym *sym);
/* "" for vmlinux. Generated code has bpf's and ftrace's own names here. */
const char *kc_sym_module(const struct kc_ksyms *ksyms, const struct kc_sym *sym);

/* Made at run time (BPF programs, trampolines): no ORC, no fixed text. */
bool kc_sym_is_generated(const struct kc_ksyms *ksyms, const struct kc_sym *sym);

/*
 * For a recording: from here on remember which symbols, under which names, somebody found.
 * 0 or -ENOMEM.
 */
int kc_ksyms_note(struct kc_ksyms *ksyms);

/*
 * The next one that was found and not handed out yet; false: that was the last so far. From
 * *cursor on, at first 0; who has had all of them begins again later.
 */
bool kc_ksyms_noted(const struct kc_ksyms *ksyms, size_t *cursor, const struct kc_sym **ret_sym,
		    const char **ret_name);

/* One of a set that is not kallsyms': with its own extent. */
struct kc_ksyms_row {
	uint64_t addr;
	uint32_t size;
	char type;
	const char *name, *module;
};

/* Symbols out of rows, in any order; a name twice at one address is an alias. 0 or -errno. */
int kc_ksyms_make(const struct kc_ksyms_row *rows, size_t count, struct kc_ksyms **ret_ksyms);

/* Length of the name without the compiler's ".cold", or 0 if it has none. */
size_t kc_sym_cold_stem(const char *name);

#endif
