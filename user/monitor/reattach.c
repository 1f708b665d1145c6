// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Probes go with their module, and come back with it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "monitor/attached.h"
#include "util/log.h"

bool kc_attached_learned(const struct kc_kernel *kernel, const char *module, uint64_t *ret_load)
{
	for (size_t i = 0; i < kernel->nr_modules; i++) {
		if (strcmp(kernel->modules[i].name, module) != 0)
			continue;
		*ret_load = kernel->modules[i].load;
		return true;
	}
	return false;
}

/* Do we know the symbols and the text of this loading of the module? */
static bool is_learned(const struct kc_kernel *kernel, const char *module, uint64_t id)
{
	uint64_t load;

	return kc_attached_learned(kernel, module, &load) && (!load || load == id);
}

/*
 * Its module is there again, and so are its probes. Calls before this were not seen: the
 * probes that went stay counted as failed.
 */
static int come_back(struct kc_attach *attach, size_t i, uint64_t id)
{
	struct kc_attached *attached = &attach->functions[i];
	struct kc_choice choice;
	char text[320];
	int err = kc_choose_again(attach->session, attached->name, &choice);

	/* Keys are set right after a module is loaded: text in the middle of that is no answer. */
	if (!err && choice.refused && kc_plan_may_change(choice.plan))
		return 0;
	attached->tried = id;
	if (err || choice.refused) {
		snprintf(text, sizeof(text), "not probed again: %s: %s", attached->name,
			 !err		  ? choice.refused
			 : err == -ENOENT ? "its module was loaded again without it"
					  : kc_strerror(err));
		return kc_sinks_notice(attach->sinks, text);
	}
	kc_attach_again(attach, &choice, i);
	if (!kc_attached_points(attached)) {
		snprintf(text, sizeof(text), "not probed again: %s: no probe could be placed",
			 attached->name);
		return kc_sinks_notice(attach->sinks, text);
	}
	attached->module_id = id;
	attached->gone = false;
	snprintf(text, sizeof(text),
		 "probed again: %s: its module was loaded again; calls before this were not seen",
		 attached->name);
	return kc_sinks_notice(attach->sinks, text);
}

/* Its module went and its probes with it: what they had counted is kept, and what held them not. */
static int let_go(struct kc_attach *attach, struct kc_attached *attached)
{
	char text[320];

	attached->gone = true;
	attach->ended += kc_attached_points(attached);
	kc_attached_count(attach, attached, attached->before);
	kc_probes_remove(attach->probes, &attached->checks);
	kc_probes_remove(attach->probes, &attached->returns);
	kc_probes_remove(attach->probes, &attached->entry);
	snprintf(text, sizeof(text), "no longer probed: %s: its module was unloaded",
		 attached->name);
	return kc_sinks_notice(attach->sinks, text);
}

/* As which loading it is there again, and may be probed; 0: it may not. */
static uint64_t id_of_return(const struct kc_attach *attach, const struct kc_attached *attached)
{
	uint64_t id =
		attached->gone && !attach->detached ? kc_attached_module(attached->module) : 0;

	return id != attached->tried && is_learned(attach->session->kernel, attached->module, id)
		       ? id
		       : 0;
}

int kc_attach_check_gone(struct kc_attach *attach)
{
	int err = 0;

	for (size_t i = 0; !err && i < attach->nr_functions; i++) {
		struct kc_attached *attached = &attach->functions[i];

		if (*attached->module && kc_attached_points(attached) &&
		    kc_attached_module(attached->module) != attached->module_id)
			err = let_go(attach, attached);
	}
	return err;
}

/*
 * All go before any comes back: its place may have been another's. And it may be another's when
 * they are placed.
 */
int kc_attach_check_modules(struct kc_attach *attach)
{
	int spare[SPARE], err = kc_attach_check_gone(attach);
	bool aside = false;

	for (size_t i = 0; !err && i < attach->nr_functions; i++) {
		uint64_t id = id_of_return(attach, &attach->functions[i]);

		if (!id)
			continue;
		if (!aside)
			kc_attach_set_aside(spare);
		aside = true;
		err = come_back(attach, i, id);
	}
	if (aside)
		kc_attach_give_back(spare);
	kc_attach_note_barred(attach);
	return err ?: aside ? kc_attach_check_gone(attach) : 0;
}
