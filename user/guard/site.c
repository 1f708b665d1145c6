// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "guard/site.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

#include "util/array.h"

/* Lengths that a call instruction can have: `call *%rax` to `call *disp32(,%r8,8)`. */
#define CALL_MIN 2
#define CALL_MAX 8

struct kc_sites {
	const struct kc_kernel *kernel;
	struct kc_decoder *decoder;
	void *tree; /* of struct kc_site, by pc */
};

int kc_sites_new(const struct kc_kernel *kernel, struct kc_decoder *decoder,
		 struct kc_sites **ret_sites)
{
	struct kc_sites *sites = calloc(1, sizeof(*sites));

	if (!sites)
		return -ENOMEM;
	sites->kernel = kernel;
	sites->decoder = decoder;
	*ret_sites = sites;
	return 0;
}

void kc_sites_free(struct kc_sites *sites)
{
	if (!sites)
		return;
	tdestroy(sites->tree, free);
	free(sites);
}

static int compare_sites(const void *a, const void *b)
{
	const struct kc_site *x = a, *y = b;

	return x->pc < y->pc ? -1 : x->pc > y->pc;
}

/* What a patched call looks like; `end` is the return address, CALL_MAX bytes lie before. */
static bool may_be_patched(const uint8_t *end)
{
	static const uint8_t patches[][5] = {
		{ 0x0f, 0x1f, 0x44, 0x00, 0x00 }, /* nop */
		{ 0x66, 0x66, 0x66, 0x66, 0x90 }, /* nop, as older kernels have it for some CPUs */
		{ 0x66, 0x66, 0x90, 0x66, 0x90 },
		{ 0x2e, 0x2e, 0x2e, 0x31, 0xc0 }, /* return 0, since v5.18 */
		{ 0x66, 0x66, 0x48, 0x31, 0xc0 }, /* and before */
	};

	if (end[-5] == 0xe9)
		return true;
	for (size_t i = 0; i < kc_countof(patches); i++)
		if (!memcmp(end - 5, patches[i], 5))
			return true;
	for (int len = CALL_MIN; len <= CALL_MAX; len++)
		if (end[-len] == 0xcc)
			return true;
	return false;
}

static enum kc_site_kind kind_of(const struct kc_sites *sites, uint64_t pc)
{
	uint8_t bytes[CALL_MAX];
	struct kc_insn insn;

	if (kc_mem_read(sites->kernel->mem, pc - CALL_MAX, bytes, sizeof(bytes)))
		return KC_SITE_UNREADABLE;
	for (int len = CALL_MIN; len <= CALL_MAX; len++)
		if (kc_decode(sites->decoder, bytes + CALL_MAX - len, len, pc - len, &insn) &&
		    insn.len == len && insn.flow == KC_FLOW_CALL)
			return KC_SITE_CALL;
	return may_be_patched(bytes + CALL_MAX) ? KC_SITE_PATCHED : KC_SITE_NO_CALL;
}

struct kc_site *kc_sites_at(struct kc_sites *sites, uint64_t pc)
{
	struct kc_site key = { .pc = pc }, *site, **found;

	found = tfind(&key, &sites->tree, compare_sites);
	if (found)
		return *found;
	site = calloc(1, sizeof(*site));
	if (!site)
		return NULL;
	site->pc = pc;
	site->kind = kind_of(sites, pc);
	if (!tsearch(site, &sites->tree, compare_sites)) {
		free(site);
		return NULL;
	}
	return site;
}
