// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "guard/site.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>

#include "guard/leads.h"
#include "kernel/text.h"
#include "util/array.h"

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

static void free_site(void *data)
{
	struct kc_site *site = data;

	free(site->leads);
	free(site);
}

void kc_sites_free(struct kc_sites *sites)
{
	if (!sites)
		return;
	tdestroy(sites->tree, free_site);
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

/* *ret_torn: it may be another one in a moment. *ret_target: of a direct call; else 0. */
static enum kc_site_kind look_before(const struct kc_sites *sites, uint64_t pc,
				     uint64_t *ret_target, bool *ret_torn)
{
	const struct kc_arch *arch = kc_arch();
	uint32_t max = arch->call_max;
	uint8_t bytes[KC_MAX_CALL];
	struct kc_insn insn;
	size_t calls = 0;
	int err = kc_text_read(sites->kernel, pc - max, bytes, max);

	*ret_target = 0;
	*ret_torn = err == -EAGAIN;
	if (err)
		return *ret_torn ? KC_SITE_PATCHED : KC_SITE_UNREADABLE;
	for (uint32_t len = arch->call_min; len <= max; len++)
		if (kc_decode(sites->decoder, bytes + max - len, len, pc - len, &insn) &&
		    insn.len == len && insn.flow == KC_FLOW_CALL)
			*ret_target = !calls++ || *ret_target == insn.target ? insn.target : 0;
	/* The end of one call may read as another, shorter one. */
	if (calls)
		return KC_SITE_CALL;
	if (!arch->may_be_patched_call(bytes + max))
		return KC_SITE_NO_CALL;
	*ret_torn = has_breakpoint(bytes, max);
	return KC_SITE_PATCHED;
}

static enum kc_site_kind kind_before(const struct kc_sites *sites, uint64_t pc, int tries,
				     uint64_t *ret_target)
{
	bool torn;
	enum kc_site_kind kind = look_before(sites, pc, ret_target, &torn);

	while (torn && --tries) {
		kc_text_wait();
		kind = look_before(sites, pc, ret_target, &torn);
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
	uint64_t target;

	site->kind = kind_before(sites, site->pc, tries, &target);
	site->looked = pass;
	return site->kind != before;
}

static struct kc_site *site_at(struct kc_sites *sites, uint64_t pc, unsigned int pass)
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

const struct kc_site *kc_sites_at(struct kc_sites *sites, uint64_t pc, unsigned int pass)
{
	return site_at(sites, pc, pass);
}

/* One that leads to another function from time to time. */
static bool was_static_call(const struct kc_sites *sites, uint64_t pc)
{
	const struct kc_edge *edges;
	size_t count = kc_kernel_edges(sites->kernel, pc - kc_arch()->patch_len, &edges);

	for (size_t i = 0; i < count; i++)
		if (edges[i].target == KC_EDGE_AWAY)
			return true;
	return false;
}

/* Where does the call lead, as it is now? */
static enum kc_leads ask(const struct kc_sites *sites, struct kc_site *site,
			 const struct kc_sym *below)
{
	uint64_t target;
	enum kc_leads leads = KC_LEADS_NOT_NOW;

	if (was_static_call(sites, site->pc))
		leads = KC_LEADS_ANYWHERE;
	else if (kind_before(sites, site->pc, KC_TEXT_TRIES, &target) == KC_SITE_CALL)
		leads = kc_leads(sites->kernel, sites->decoder, target, below);
	if (leads == KC_LEADS_ANYWHERE)
		site->anywhere = true;
	else if (!kc_grow(site->leads, site->capacity, site->nr_leads + 1))
		site->leads[site->nr_leads++] = (struct kc_lead){ below, leads };
	return leads;
}

/* What holds for a moment's text alone is asked again in the next pass. */
static void forget_leads(struct kc_site *site, unsigned int pass)
{
	size_t left = 0;

	if (site->asked == pass)
		return;
	for (size_t i = 0; i < site->nr_leads; i++)
		if (site->leads[i].leads == KC_LEADS_THERE)
			site->leads[left++] = site->leads[i];
	site->nr_leads = left;
	site->asked = pass;
}

static enum kc_site_kind kind_by(enum kc_leads leads)
{
	switch (leads) {
	case KC_LEADS_ELSEWHERE:
		return KC_SITE_ELSEWHERE;
	case KC_LEADS_NOT_NOW:
		return KC_SITE_NOT_NOW;
	default:
		return KC_SITE_CALL;
	}
}

enum kc_site_kind kc_sites_above(struct kc_sites *sites, uint64_t pc, uint64_t below,
				 unsigned int pass)
{
	struct kc_site *site = site_at(sites, pc, pass);
	const struct kc_sym *sym;

	if (!site)
		return KC_SITE_UNREADABLE;
	if (site->kind != KC_SITE_CALL || site->anywhere)
		return site->kind;
	forget_leads(site, pass);
	for (size_t i = 0; i < site->nr_leads; i++)
		if (below - site->leads[i].below->addr < site->leads[i].below->size)
			return kind_by(site->leads[i].leads);
	sym = kc_ksyms_find(sites->kernel->ksyms, below);
	return sym ? kind_by(ask(sites, site, sym)) : KC_SITE_CALL;
}

bool kc_sites_renew(struct kc_sites *sites, uint64_t pc, unsigned int pass)
{
	struct kc_site *site = known_site(sites, pc);
	const struct kc_sym *elsewhere = NULL;
	bool changed;

	if (!site)
		return false;
	for (size_t i = 0; i < site->nr_leads; i++)
		if (site->leads[i].leads == KC_LEADS_ELSEWHERE)
			elsewhere = site->leads[i].below;
	site->nr_leads = 0;
	site->anywhere = false;
	changed = look(sites, site, KC_TEXT_TRIES, pass);
	if (elsewhere && site->kind == KC_SITE_CALL)
		changed |= ask(sites, site, elsewhere) != KC_LEADS_ELSEWHERE;
	return changed;
}
