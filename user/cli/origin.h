/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The options that let a command look at a kernel file instead of this kernel. */
#ifndef KC_CLI_ORIGIN_H
#define KC_CLI_ORIGIN_H

#include "monitor/session.h"

enum {
	KC_OPTION_VMLINUX = 0x100,
	KC_OPTION_KALLSYMS,
	KC_OPTION_KCORE,
};

#define KC_ORIGIN_OPTIONS                                                                   \
	{ "vmlinux",                                                                        \
	  KC_OPTION_VMLINUX,                                                                \
	  "FILE",                                                                           \
	  0,                                                                                \
	  "look at this kernel (an ELF file) instead of the running one",                   \
	  10 },                                                                             \
		{ "kallsyms",                                                               \
		  KC_OPTION_KALLSYMS,                                                       \
		  "FILE",                                                                   \
		  0,                                                                        \
		  "with --vmlinux: its symbols, a copy of /proc/kallsyms under 'nokaslr'",  \
		  10 },                                                                     \
	{                                                                                   \
		"kcore", KC_OPTION_KCORE, NULL, 0,                                          \
			"read this kernel through /proc/kcore instead of a BPF program", 10 \
	}

static inline bool kc_origin_option(int key, char *arg, struct kc_origin *source)
{
	if (key == KC_OPTION_VMLINUX)
		source->vmlinux = arg;
	else if (key == KC_OPTION_KALLSYMS)
		source->kallsyms = arg;
	else if (key == KC_OPTION_KCORE)
		source->kcore = true;
	else
		return false;
	return true;
}

#endif
