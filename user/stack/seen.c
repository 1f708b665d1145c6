// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "stack/seen.h"

#include <errno.h>
#include <stdlib.h>

#include "util/array.h"

struct kc_seen_site {
	uint64_t site; /* 0: free */
	uint64_t intact, led_on;
};

#define MIN_CAPACITY 1024

void kc_seen_free(struct kc_seen *seen)
{
	free(seen->sites);
	*seen = (struct kc_seen){};
}

/* Where the site is, or would be put; at least half of the hash is free. */
static struct kc_seen_site *find_site(const struct kc_seen *seen, uint64_t site)
{
	size_t i = kc_spread(site) & (seen->capacity - 1);

	while (seen->sites[i].site && seen->sites[i].site != site)
		i = (i + 1) & (seen->capacity - 1);
	return &seen->sites[i];
}

static int grow(struct kc_seen *seen)
{
	struct kc_seen grown = {
		.count = seen->count,
		.capacity = seen->capacity ? 2 * seen->capacity : MIN_CAPACITY,
	};

	grown.sites = calloc(grown.capacity, sizeof(*grown.sites));
	if (!grown.sites)
		return -ENOMEM;
	for (size_t i = 0; i < seen->capacity; i++)
		if (seen->sites[i].site)
			*find_site(&grown, seen->sites[i].site) = seen->sites[i];
	free(seen->sites);
	*seen = grown;
	return 0;
}

/* NULL: out of memory. */
static struct kc_seen_site *find_or_add(struct kc_seen *seen, uint64_t site)
{
	struct kc_seen_site *entry;

	if (2 * (seen->count + 1) > seen->capacity && grow(seen))
		return NULL;
	entry = find_site(seen, site);
	seen->count += !entry->site;
	entry->site = site;
	return entry;
}

void kc_seen_add(struct kc_seen *seen, uint64_t site, bool intact, bool led_on)
{
	struct kc_seen_site *entry;

	if (!site || !(intact || led_on))
		return;
	entry = find_or_add(seen, site);
	if (!entry)
		return;
	entry->intact += intact;
	entry->led_on += led_on;
}

bool kc_seen_led_on(const struct kc_seen *seen, uint64_t site)
{
	return seen->capacity && find_site(seen, site)->led_on;
}

uint64_t kc_seen_intact(const struct kc_seen *seen, const struct kc_plan *plan)
{
	uint64_t intact = 0;

	for (size_t i = 0; i < seen->capacity; i++) {
		const struct kc_seen_site *entry = &seen->sites[i];

		if (entry->site - plan->sym->addr < plan->sym->size ||
		    entry->site - plan->cold < plan->cold_end - plan->cold)
			intact += entry->intact;
	}
	return intact;
}

static bool is_same_code(const struct kc_kernel *before, const struct kc_kernel *now, uint64_t site)
{
	const struct kc_module *old, *new;

	if (site >= now->text && site < now->text_end)
		return true;
	old = kc_kernel_module(before, site);
	new = kc_kernel_module(now, site);
	return old && new && old->load && old->load == new->load;
}

void kc_seen_follow(struct kc_seen *seen, const struct kc_kernel *before,
		    const struct kc_kernel *now)
{
	struct kc_seen kept = {};

	for (size_t i = 0; i < seen->capacity; i++) {
		const struct kc_seen_site *entry = &seen->sites[i];
		struct kc_seen_site *copy = entry->site && is_same_code(before, now, entry->site)
						    ? find_or_add(&kept, entry->site)
						    : NULL;

		if (copy)
			*copy = *entry;
	}
	kc_seen_free(seen);
	*seen = kept;
}
