// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Debian's libcapstone.a knows twelve architectures, and a table in it names the
 * entry points of all. Answering for the eleven that are not ours keeps their
 * three megabytes of tables out of a static binary.
 */
#include <stddef.h>

#define CS_ERR_ARCH 2 /* "unsupported architecture" */

#define NOT_OURS(arch)                                           \
	int arch##_global_init(void *handle);                    \
	int arch##_option(void *handle, int type, size_t value); \
	int arch##_global_init(void *handle)                     \
	{                                                        \
		(void)handle;                                    \
		return CS_ERR_ARCH;                              \
	}                                                        \
	int arch##_option(void *handle, int type, size_t value)  \
	{                                                        \
		(void)handle, (void)type, (void)value;           \
		return CS_ERR_ARCH;                              \
	}

NOT_OURS(AArch64)
NOT_OURS(ARM)
NOT_OURS(EVM)
NOT_OURS(M680X)
NOT_OURS(M68K)
NOT_OURS(Mips)
NOT_OURS(PPC)
NOT_OURS(Sparc)
NOT_OURS(SystemZ)
NOT_OURS(TMS320C64x)
NOT_OURS(XCore)
