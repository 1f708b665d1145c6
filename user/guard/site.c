// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "guard/site.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "kernel/text.h"

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

static bool has_breakpoint(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (kc_arch()->is_breakpoint(bytes[i]))
			return true;
	return false;
}

/* *ret_torn: it may be another one in a moment. */
static enum kc_site_kind look_before(const struct kc_sites *sites, uint64_t pc, bool *ret_torn)
{
	const struct kc_arch *arch = kc_arch();
	uint32_t max = arch->call_max;
	uint8_t bytes[KC_MAX_CALL];
	struct kc_insn insn;
	int err = kc_text_read(sites->kernel, pc - max, bytes, max);

	*ret_torn = err == -EAGAIN;
	if (err)
		return *ret_torn ? KC_SITE_PATCHED : KC_SITE_UNREADABLE;
	for (uint32_t len = arch->call_min; len <= max; len++)
		if (kc_decode(sites->decoder, bytes + max - len, len, pc - len, &insn) &&
		    insn.len == len && insn.flow == KC_FLOW_CALL)
			return KC_SITE_CALL;
	if (!arch->may_be_patched_call(bytes + max))
		return KC_SITE_NO_CALL;
	*ret_torn = has_breakpoint(bytes, max);
	return KC_SITE_PATCHED;
}

static enum kc_site_kind kind_before(const struct kc_sites *sites, uint64_t pc, int tries)
{
	bool torn;
	enum kc_site_kind kind = look_before(sites, pc, &torn);

	while (torn && --tries) {
		kc_text_wait();
		kind = look_before(sites, pc, &torn);
	}
	return kind;
}

static struct kc_site *known_site(const struct kc_sites *sites, uint64_t pc)
{
	struct kc_site key = { .pc = pc }, **found;

	found = tfind(&key, &sites->tree, compare_sites);
	return found ? *found : NULL;
}

static bool look(struct kc_sites *sites, struct kc_site *site, int tries, unsigned int pass)
{
	enum kc_site_kind before = site->kind;

	site->kind = kind_before(sites, site->pc, tries);
	site->looked = pass;
	return site->kind != before;
}

bool kc_sites_renew(struct kc_sites *sites, uint64_t pc, unsigned int pass)
{
	struct kc_site *site = known_site(sites, pc);

	return site && look(sites, site, KC_TEXT_TRIES, pass);
}

const struct kc_site *kc_sites_at(struct kc_sites *sites, uint64_t pc, unsigned int pass)
{
	struct kc_site *site = known_site(sites, pc);

	if (site) {
		if (site->kind != KC_SITE_CALL && site->looked != pass)
			look(sites, site, 1, pass);
		return site;
	}
	site = calloc(1, sizeof(*site));
	if (!site)
		return NULL;
	site->pc = pc;
	look(sites, site, KC_TEXT_TRIES, pass);
	if (!tsearch(site, &sites->tree, compare_sites)) {
		free(site);
		return NULL;
	}
	return site;
}
