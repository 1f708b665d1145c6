// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "guard/site.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

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

static enum kc_site_kind kind_before(const struct kc_sites *sites, uint64_t pc)
{
	const struct kc_arch *arch = kc_arch();
	uint32_t max = arch->call_max;
	uint8_t bytes[KC_MAX_CALL];
	struct kc_insn insn;

	if (kc_mem_read(sites->kernel->mem, pc - max, bytes, max))
		return KC_SITE_UNREADABLE;
	for (uint32_t len = arch->call_min; len <= max; len++)
		if (kc_decode(sites->decoder, bytes + max - len, len, pc - len, &insn) &&
		    insn.len == len && insn.flow == KC_FLOW_CALL)
			return KC_SITE_CALL;
	return arch->may_be_patched_call(bytes + max) ? KC_SITE_PATCHED : KC_SITE_NO_CALL;
}

const struct kc_site *kc_sites_at(struct kc_sites *sites, uint64_t pc)
{
	struct kc_site key = { .pc = pc }, *site, **found;

	found = tfind(&key, &sites->tree, compare_sites);
	if (found)
		return *found;
	site = calloc(1, sizeof(*site));
	if (!site)
		return NULL;
	site->pc = pc;
	site->kind = kind_before(sites, pc);
	if (!tsearch(site, &sites->tree, compare_sites)) {
		free(site);
		return NULL;
	}
	return site;
}
