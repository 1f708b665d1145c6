// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "source/pointed.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "util/array.h"
#include "util/printable.h"

const struct kc_pointed_word *kc_pointed_at(const struct kc_pointed_words *words, uint64_t depth)
{
	for (uint32_t i = 0; words && i < words->count; i++)
		if (words->word[i].depth == depth)
			return &words->word[i];
	return NULL;
}

const char *kc_pointed_text(const struct kc_pointed_word *word, char text[static 160])
{
	const size_t size = 160;

	switch ((enum kc_pointed)word->kind) {
	case KC_POINTED_SLAB:
		snprintf(text, size, "[%s]+0x%lx", word->name, word->offset);
		break;
	case KC_POINTED_PAGE:
		snprintf(text, size, "a page of memory, no slab's");
		break;
	case KC_POINTED_PERCPU:
		snprintf(text, size, "%s of CPU %u", word->name, word->cpu);
		break;
	case KC_POINTED_VMALLOC:
		snprintf(text, size, "vmalloc area of %s, +0x%lx", word->name, word->offset);
		break;
	case KC_POINTED_STACK:
		snprintf(text, size, "stack of thread %u, depth 0x%lx", word->tid, word->offset);
		break;
	case KC_POINTED_TASK:
		snprintf(text, size, "task_struct of thread %u, +0x%lx", word->tid, word->offset);
		break;
	case KC_POINTED_CANARY:
		snprintf(text, size, "the canary of thread %u", word->tid);
		break;
	case KC_POINTED_STATIC:
		snprintf(text, size, "%s", word->name);
		break;
	case KC_POINTED_NOWHERE:
	case KC_POINTED_NOT_KNOWN:
		snprintf(text, size, "kernel address");
		break;
	}
	/* Whoever makes a slab cache or loads a module names it. */
	text[strcspn(text, "\n\t")] = '\0';
	kc_make_printable(text, strlen(text));
	return text;
}

const char *kc_pointed_name(enum kc_pointed kind)
{
	static const char *const names[] = {
		[KC_POINTED_NOWHERE] = "nowhere", [KC_POINTED_NOT_KNOWN] = "not-known",
		[KC_POINTED_SLAB] = "slab",	  [KC_POINTED_PAGE] = "page",
		[KC_POINTED_PERCPU] = "per-cpu",  [KC_POINTED_VMALLOC] = "vmalloc",
		[KC_POINTED_STACK] = "stack",	  [KC_POINTED_TASK] = "task",
		[KC_POINTED_CANARY] = "canary",	  [KC_POINTED_STATIC] = "static",
	};
	_Static_assert(kc_countof(names) == KC_POINTED_STATIC + 1, "a name for each kind");

	return names[kind];
}
