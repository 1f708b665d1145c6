// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/attached.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/overlay.h"
#include "probe/cgroup.h"
#include "stack/rule.h"
#include "util/array.h"
#include "util/log.h"
#include "util/time.h"

/* Placing and removing that take longer are told. */
#define LONG 2.0 /* seconds */

static void note_failure(struct kc_attach *attach, const char *name, const char *what, int err)
{
	char text[320];

	attach->failed++;
	if (err == -EMFILE || err == -EACCES || err == -EPERM) {
		attach->barred++; /* told once, of all of them */
		attach->barred_by = err;
		return;
	}
	snprintf(text, sizeof(text), "not probed: %s of %s: %s", what, name,
		 err == -EINVAL ? "the kernel allows no probe there" : kc_strerror(err));
	kc_sinks_notice(attach->sinks, text);
}

/* The text as it is now, under all that attach() will patch. */
static void keep_text(struct kc_session *session, const struct kc_choice *choice)
{
	if (choice->refused)
		return;
	kc_overlay_keep(session->mem, session->kernel, choice->plan->sym->addr);
	kc_overlay_keep(session->mem, session->kernel,
			choice->plan->sym->addr + kc_arch()->landing_pad);
	for (size_t i = 0; i < choice->plan->nr_checks; i++)
		if (choice->plan->checks[i].load)
			kc_overlay_keep(session->mem, session->kernel,
					choice->plan->checks[i].load);
	for (size_t i = 0; i < choice->nr_returns; i++)
		kc_overlay_keep(session->mem, session->kernel, choice->returns[i]);
}

/* Which loading of a module this is: sysfs numbers its folders anew. 0: not loaded. */
uint64_t kc_attached_module(const char *module)
{
	char path[96];
	struct stat status;

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return stat(path, &status) ? 0 : status.st_ino;
}

static void name_function(struct kc_attached *attached, const struct kc_choice *choice,
			  const struct kc_kernel *kernel)
{
	const char *module =
		choice->refused ? NULL : kc_sym_module(kernel->ksyms, choice->plan->sym);

	memcpy(attached->name, choice->name, sizeof(attached->name));
	memcpy(attached->instead_of, choice->instead_of, sizeof(attached->instead_of));
	if (!module)
		return;
	snprintf(attached->module, sizeof(attached->module), "%s", module);
	if (!kc_attached_learned(kernel, module, &attached->module_id) || !attached->module_id)
		attached->module_id = kc_attached_module(module);
	attached->gone = kc_attached_module(module) != attached->module_id;
}

static void note_gone(struct kc_attach *attach, const struct kc_choice *choice)
{
	char text[320];

	snprintf(text, sizeof(text),
		 "not probed: %s: its module was unloaded since the kernel was learned",
		 choice->name);
	kc_sinks_notice(attach->sinks, text);
	attach->failed++;
}

/* Findings and the kernel's own words will have the other name. */
static void note_alias(struct kc_attach *attach, const struct kc_choice *choice)
{
	char text[320];

	snprintf(text, sizeof(text), "%s is another name of %s, which is the one shown",
		 choice->alias, choice->name);
	kc_sinks_notice(attach->sinks, text);
}

static void note_refusal(struct kc_attach *attach, const struct kc_choice *choice)
{
	char text[320];

	snprintf(text, sizeof(text), "not probed: %s: %s", choice->name, choice->refused);
	kc_sinks_notice(attach->sinks, text);
	attach->failed++;
}

static void attach_checks(struct kc_attach *attach, const struct kc_choice *choice,
			  struct kc_attached *attached)
{
	int err = kc_probes_checks(attach->probes, choice->plan, &attached->checks);

	if (err)
		note_failure(attach, choice->name, "a check", err);
}

/* The struct kc_point.call of its entry and returns; 0: not at all of them. */
static uint32_t attach_returns(struct kc_attach *attach, const struct kc_choice *choice,
			       uint32_t depth)
{
	struct kc_attached *attached = &attach->functions[depth];
	uint32_t call = 1 + depth + attached->reloads * KC_MAX_DEPTHS;
	bool all = choice->nr_returns > 0;
	char text[320];

	for (size_t i = 0; i < choice->nr_returns; i++) {
		int err = kc_probes_return(attach->probes, choice->returns[i], call,
					   &attached->returns);

		if (err) {
			note_failure(attach, choice->name, "a return", err);
			all = false;
		}
	}
	if (choice->plan->reason == KC_PLAN_UNGUARDED && !choice->all_returns) {
		snprintf(text, sizeof(text),
			 "%s may return in other ways than the %zu probed: there are more, or "
			 "indirect jumps",
			 choice->name, choice->nr_returns);
		kc_sinks_notice(attach->sinks, text);
	}
	return all ? call : 0;
}

static void attach_entries(struct kc_attach *attach, struct kc_entry *entries, size_t count,
			   bool one_link)
{
	kc_probes_entries(attach->probes, entries, count, one_link);
	for (size_t i = 0; i < count; i++) {
		struct kc_attached *attached = &attach->functions[entries[i].depth];

		attached->entry = entries[i].points;
		attached->entry_probed = attached->entry.count;
		if (entries[i].err)
			note_failure(attach, attached->name, "the entry", entries[i].err);
	}
}

/*
 * Checks first, then returns, then entries: between the first return and the last entry,
 * calls return that nobody saw enter.
 */
static int attach_all(struct kc_attach *attach, const struct kc_choices *choices)
{
	kc_auto_free struct kc_entry *entries = calloc(choices->count, sizeof(*entries));
	size_t count = 0;		/* the kernel's, from the front */
	size_t module = choices->count; /* those of modules, from the end */

	if (!entries && choices->count)
		return -ENOMEM;
	for (size_t i = 0; i < choices->count; i++) {
		const struct kc_choice *choice = &choices->choices[i];

		name_function(&attach->functions[i], choice, attach->session->kernel);
		if (*choice->alias)
			note_alias(attach, choice);
		if (choice->refused)
			note_refusal(attach, choice);
		else if (attach->functions[i].gone)
			note_gone(attach, choice);
		else if (choice->plan->reason == KC_PLAN_OK)
			attach_checks(attach, choice, &attach->functions[i]);
	}
	for (size_t i = 0; i < choices->count; i++) {
		const struct kc_choice *choice = &choices->choices[i];

		if (!choice->refused && !attach->functions[i].gone)
			entries[*attach->functions[i].module ? --module : count++] =
				(struct kc_entry){
					.addr = choice->plan->sym->addr,
					.depth = i,
					.call = attach_returns(attach, choice, i),
					.frame = kc_frame_bytes(attach->session->kernel,
								choice->plan),
				};
	}
	attach_entries(attach, entries, count, true);
	attach_entries(attach, entries + module, choices->count - module, false);
	kc_probes_arm(attach->probes, true);
	return 0;
}

/* As attach_all(), of one function. */
void kc_attach_again(struct kc_attach *attach, const struct kc_choice *choice, size_t i)
{
	struct kc_attached *attached = &attach->functions[i];
	struct kc_entry entry = {
		.addr = choice->plan->sym->addr,
		.depth = i,
		.frame = kc_frame_bytes(attach->session->kernel, choice->plan),
	};
	int err;

	attached->reloads++;
	keep_text(attach->session, choice);
	if (choice->plan->reason == KC_PLAN_OK)
		attach_checks(attach, choice, attached);
	entry.call = attach_returns(attach, choice, i);
	attach_entries(attach, &entry, 1, false);
	err = kc_probes_arm_returns(attach->probes, attached->returns);
	if (err)
		note_failure(attach, choice->name, "a return", err);
}

/* panic() on every kernel; where it only hands on to vpanic(), both go through it. */
static void attach_tripwire(struct kc_attach *attach)
{
	const struct kc_sym *sym;
	int err = -ENOENT;

	if (kc_ksyms_by_name(attach->session->kernel->ksyms, "panic", &sym, 1) >= 1)
		err = kc_probes_panic(attach->probes, sym->addr, &attach->tripwire);
	if (err)
		note_failure(attach, "panic", "the entry", err);
}

int kc_attach_new(const struct kc_attach_options *options, struct kc_failure *ret_failure,
		  struct kc_attach **ret_attach)
{
	struct kc_attach *attach kc_auto(kc_cleanup_attach) = calloc(1, sizeof(*attach));
	size_t count = options->choices->count;
	int err;

	if (!attach)
		return kc_fail_nomem(ret_failure);
	attach->session = options->session;
	attach->choices = options->choices;
	attach->sinks = options->sinks;
	attach->sweep = options->sweep;
	attach->cgroup = options->filter->cgroup;
	attach->functions = calloc(count + 1, sizeof(*attach->functions));
	attach->function_depths = calloc(count + 1, sizeof(*attach->function_depths));
	if (!attach->functions || !attach->function_depths)
		return kc_fail_nomem(ret_failure);
	attach->nr_functions = count;
	err = kc_probes_new(
		&(struct kc_probe_options){
			.kernel = attach->session->kernel,
			.filter = options->filter,
			.headroom = options->headroom,
		},
		ret_failure, &attach->probes);
	if (err)
		return err;
	kc_attach_find_cgroup(attach);
	*ret_attach = kc_take(attach);
	return 0;
}

void kc_attach_find_cgroup(struct kc_attach *attach)
{
	uint64_t id = 0;

	if (!attach->cgroup)
		return;
	kc_cgroup_id(attach->cgroup, &id); /* if it can't be told, nobody is known to be in it */
	kc_probes_set_cgroup(attach->probes, id);
}

/* What stands in the way of one probe so does in that of all others. */
void kc_attach_note_barred(struct kc_attach *attach)
{
	char text[200];

	if (!attach->barred)
		return;
	snprintf(text, sizeof(text), "not probed: %zu places: %s%s", attach->barred,
		 kc_strerror(attach->barred_by),
		 attach->barred_by == -EMFILE ? " (RLIMIT_NOFILE, ulimit -n)" : "");
	kc_sinks_notice(attach->sinks, text);
	attach->barred = 0;
}

void kc_attach_set_aside(int spare[static SPARE])
{
	for (size_t i = 0; i < SPARE; i++)
		spare[i] = eventfd(0, EFD_CLOEXEC);
}

void kc_attach_give_back(const int spare[static SPARE])
{
	for (size_t i = 0; i < SPARE; i++)
		if (spare[i] >= 0)
			close(spare[i]);
}

int kc_attach_place(struct kc_attach *attach)
{
	double start = kc_seconds_of(CLOCK_MONOTONIC);
	int spare[SPARE], err;

	if (kc_probes_guards_unread(attach->probes))
		kc_sinks_notice(attach->sinks,
				"per-CPU guards of this kernel can't be found: slots "
				"are compared with the task's canary alone there");
	for (size_t i = 0; i < attach->choices->count; i++)
		keep_text(attach->session, &attach->choices->choices[i]);
	attach_tripwire(attach);
	kc_attach_pulse(attach);
	kc_attach_set_aside(spare);
	err = attach_all(attach, attach->choices);
	kc_attach_give_back(spare);
	kc_attach_note_barred(attach);
	if (kc_seconds_of(CLOCK_MONOTONIC) - start > LONG)
		kc_info("placing the probes took %.0f s", kc_seconds_of(CLOCK_MONOTONIC) - start);
	if (!err)
		kc_attach_check_gone(attach);
	return err;
}

int kc_attach_gate(struct kc_attach *attach, struct kc_failure *ret_failure)
{
	if (!attach->sweep)
		return 0;
	return kc_gate_new(attach->sweep, attach->probes, attach->session->kernel, ret_failure,
			   &attach->gate);
}

void kc_attach_activate(struct kc_attach *attach, unsigned int hold_off, unsigned int hold_max)
{
	kc_probes_hold(attach->probes, hold_off * 1000000ULL, hold_max * 1000000ULL);
}

struct kc_probes *kc_attach_probes(struct kc_attach *attach)
{
	return attach->probes;
}

/* The first one tells how long the others will take. */
static void detach(struct kc_probes *probes)
{
	double start = kc_seconds_of(CLOCK_MONOTONIC), each;
	size_t left = kc_probes_detach(probes, 1);

	each = kc_seconds_of(CLOCK_MONOTONIC) - start;
	if (left * each > LONG)
		kc_info("removing the probes; the kernel will take some %.0f s for it",
			left * each);
	kc_probes_detach(probes, left);
}

void kc_attach_stop(struct kc_attach *attach)
{
	if (attach->detached || !attach->probes)
		return;
	attach->detached = true;
	if (attach->gate)
		kc_gate_close(attach->gate);
	kc_probes_arm(attach->probes, false);
	detach(attach->probes);
}

void kc_attach_free(struct kc_attach *attach)
{
	if (!attach)
		return;
	kc_attach_stop(attach);
	kc_gate_free(attach->gate);
	kc_probes_free(attach->probes);
	free(attach->function_depths);
	free(attach->functions);
	free(attach);
}

size_t kc_attach_probed(const struct kc_attach *attach, struct kc_probed *ret_probed)
{
	size_t count = 0;

	for (size_t i = 0; i < attach->nr_functions; i++) {
		const struct kc_attached *attached = &attach->functions[i];

		if (kc_attached_points(attached))
			ret_probed[count++] = (struct kc_probed){
				.function = attached->name,
				.instead_of = attached->instead_of,
				.checks = attached->checks.count,
				.returns = attached->returns.count,
			};
	}
	return count;
}

bool kc_attach_has_tripwire(const struct kc_attach *attach)
{
	return attach->tripwire.count;
}
