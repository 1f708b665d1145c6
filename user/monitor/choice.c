// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/choice.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "guard/callees.h"
#include "guard/returns.h"
#include "kc_record.h"
#include "util/array.h"

#define MAX_SAME_NAME 16
#define MAX_CALLEES   16
#define MAX_NAME      512 /* KSYM_NAME_LEN since v6.1 */

/* Names of several kernels together: those that this one lacks are passed over. */
const char *const kc_default_functions[] = { "hrtimer_nanosleep", "do_nanosleep", "do_futex",
					     NULL };
static const char *const futex_set[] = { "do_futex",   "futex_wait",	"__futex_wait",
					 "futex_wake", "futex_requeue", "futex_lock_pi",
					 NULL };
static const char *const sleep_set[] = { "hrtimer_nanosleep", "do_nanosleep", "schedule_timeout",
					 "schedule_hrtimeout_range_clock", NULL };
static const char *const io_set[] = { "ksys_read",	 "ksys_write",
				      "vfs_read",	 "pipe_read",
				      "anon_pipe_read",	 "pipe_write",
				      "anon_pipe_write", NULL };
static const char *const net_set[] = {
	"__sys_recvfrom", "__sys_sendto",	"____sys_recvmsg",	    "____sys_sendmsg",
	"tcp_recvmsg",	  "tcp_sendmsg_locked", "unix_stream_read_generic", NULL
};
static const char *const poll_set[] = { "do_sys_poll",	 "do_select",	 "core_sys_select",
					"do_epoll_wait", "kernel_wait4", NULL };

static const struct {
	const char *name;
	const char *const *sets[6];
} presets[] = {
	{ "futex", { futex_set } },
	{ "sleep", { sleep_set } },
	{ "io", { io_set } },
	{ "net", { net_set } },
	{ "all-blocking", { futex_set, sleep_set, io_set, net_set, poll_set } },
};

/* What a probe's own program runs through: a probe there would only miss. */
static const char *const own_path[] = {
	"bpf_*",      "__bpf_*",  "trace_call_bpf",	      "*htab_*",    "*array_map_*",
	"*ringbuf_*", "kprobe_*", "copy_from_kernel_nofault", "ktime_get*", "perf_trace_*",
};

static bool is_own_path(const char *name)
{
	for (size_t i = 0; i < kc_countof(own_path); i++)
		if (!fnmatch(own_path[i], name, 0))
			return true;
	return false;
}

/* The kernel's own list: noinstr, NOKPROBE_SYMBOL. "0xSTART-0xEND\tNAME" a line. */
static bool is_blacklisted(uint64_t addr)
{
	kc_auto_file FILE *file = fopen("/sys/kernel/debug/kprobes/blacklist", "re");
	unsigned long start, end;
	char line[256];

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "0x%lx-0x%lx", &start, &end) == 2 && addr >= start && addr < end)
			return true;
	return false;
}

static const char *why_refused(const struct kc_session *session, const struct kc_sym *sym)
{
	const struct kc_ksyms *ksyms = session->kernel->ksyms;

	if (kc_sym_is_generated(ksyms, sym))
		return "generated code";
	if (!kc_kernel_is_text(session->kernel, sym->addr))
		return "no code any more (__init)";
	if (is_own_path(kc_sym_name(ksyms, sym)))
		return "kcanary's own probes run through it";
	if (!strcmp(kc_sym_name(ksyms, sym), "panic") ||
	    !strcmp(kc_sym_name(ksyms, sym), kc_arch()->getsid))
		return "kcanary has a probe of its own there";
	if (is_blacklisted(sym->addr))
		return "the kernel allows no probes there (noinstr, or on its kprobes blacklist)";
	return NULL;
}

static void name_of(const struct kc_session *session, const struct kc_sym *sym, char text[128])
{
	const char *module = kc_sym_module(session->kernel->ksyms, sym);

	snprintf(text, 128, "%s%s%s%s", kc_sym_name(session->kernel->ksyms, sym),
		 *module ? " [" : "", module, *module ? "]" : "");
}

/* Where it would be probed, or why not. */
static void look_into(struct kc_session *session, const struct kc_sym *sym,
		      struct kc_choice *ret_choice)
{
	const struct kc_plan *plan = kc_plans_of(session->plans, sym);
	struct kc_choice *choice = ret_choice;

	*choice = (struct kc_choice){ .plan = plan, .refused = why_refused(session, sym) };
	name_of(session, sym, choice->name);
	if (choice->refused)
		return;
	for (size_t i = 0; i < plan->nr_checks; i++)
		choice->nr_checks += plan->checks[i].load != 0;
	if (plan->reason == KC_PLAN_UNGUARDED)
		choice->nr_returns = kc_return_sites(session->kernel, sym, choice->returns,
						     KC_MAX_RETURNS, &choice->all_returns);
	if (plan->reason != KC_PLAN_UNGUARDED && !choice->nr_checks)
		choice->refused = plan->reason == KC_PLAN_OK
					  ? "no check of it loads the slot in one known place"
					  : kc_plan_reason_text(plan->reason);
}

/* Add one function; the same twice is once. */
static int add(struct kc_session *session, const struct kc_sym *sym, const struct kc_sym *asked,
	       struct kc_choices *choices)
{
	const struct kc_plan *plan = kc_plans_of(session->plans, sym);
	struct kc_choice *choice;

	for (size_t i = 0; i < choices->count; i++)
		if (choices->choices[i].plan == plan)
			return 0;
	if (choices->count == KC_MAX_CHOSEN)
		return -E2BIG;
	if (kc_grow(choices->choices, choices->capacity, choices->count + 1))
		return -ENOMEM;
	choice = &choices->choices[choices->count++];
	look_into(session, sym, choice);
	if (asked)
		name_of(session, asked, choice->instead_of);
	if (!choice->refused)
		choices->points += 1 + choice->nr_checks + choice->nr_returns;
	return 0;
}

/* One function that was asked for by this name, which may be an alias. */
static int add_as(struct kc_session *session, const struct kc_sym *sym, const char *name,
		  struct kc_choices *choices)
{
	size_t before = choices->count;
	int err = add(session, sym, NULL, choices);

	if (!err && choices->count > before &&
	    strcmp(name, kc_sym_name(session->kernel->ksyms, sym)) != 0)
		snprintf(choices->choices[before].alias, sizeof(choices->choices[before].alias),
			 "%s", name);
	return err;
}

/*
 * What stands for a function that has no canary: its return is one more probe at each call, and one
 * that the kernel can't make a jump of.
 */
enum callees {
	CALLEES_NOT,	 /* it does itself */
	CALLEES_TOO,	 /* and so do the guarded ones that it calls */
	CALLEES_INSTEAD, /* they alone, if there are any */
	CALLEES_OF_SET,	 /* those of the set, which are in it anyway */
};

static bool is_in_set(const struct kc_session *session, const struct kc_sym *sym,
		      const char *const *set)
{
	for (; *set; set++)
		if (!strcmp(*set, kc_sym_name(session->kernel->ksyms, sym)))
			return true;
	return false;
}

/* Will a check of it be compared? */
static bool can_stand(struct kc_session *session, const struct kc_sym *sym)
{
	struct kc_choice choice;

	look_into(session, sym, &choice);
	return !choice.refused && choice.nr_checks;
}

/* One function, and what is to stand for it; set: if it is one of a set's. */
static int add_with_callees(struct kc_session *session, const struct kc_sym *sym, const char *name,
			    enum callees how, const char *const *set, struct kc_choices *choices)
{
	bool takes_callees = how != CALLEES_NOT && !why_refused(session, sym) &&
			     kc_plans_of(session->plans, sym)->reason == KC_PLAN_UNGUARDED;
	struct kc_callee callees[MAX_CALLEES];
	size_t found = 0, count = 0, of_set = 0;
	bool replaced;
	int err = 0;

	if (takes_callees)
		found = kc_guarded_callees(session->kernel, session->plans, sym, callees,
					   MAX_CALLEES);
	for (size_t i = 0; i < found; i++)
		if (how == CALLEES_TOO || can_stand(session, callees[i].sym))
			callees[count++] = callees[i];
	for (size_t i = 0; set && i < count; i++)
		of_set += is_in_set(session, callees[i].sym, set);
	replaced = how == CALLEES_OF_SET ? of_set : how == CALLEES_INSTEAD && count;
	if (!replaced)
		err = add_as(session, sym, name, choices);
	for (size_t i = 0; !err && how != CALLEES_OF_SET && i < count; i++)
		err = add(session, callees[i].sym, sym, choices);
	return err;
}

static int add_matching(struct kc_session *session, const char *glob, enum callees how,
			const char *const *set, struct kc_choices *choices)
{
	const struct kc_ksyms *ksyms = session->kernel->ksyms;
	int err = 0, found = 0;

	for (size_t i = 0; !err && i < kc_ksyms_names(ksyms); i++) {
		const struct kc_sym *sym;
		const char *name = kc_ksyms_name(ksyms, i, &sym);

		/* A glob is about functions that can be probed, cold parts are the parent's. */
		if (fnmatch(glob, name, 0) || kc_sym_cold_stem(name) || why_refused(session, sym))
			continue;
		err = add_with_callees(session, sym, name, how, set, choices);
		found++;
	}
	return err ?: found;
}

/*
 * What the compiler made of a function of this name, where no other kept it: name.isra.0,
 * name.constprop.0, name.llvm.123.
 */
static int add_renamed(struct kc_session *session, const char *name, enum callees how,
		       const char *const *set, struct kc_choices *choices)
{
	char glob[MAX_NAME + 2];

	snprintf(glob, sizeof(glob), "%s.*", name);
	return add_matching(session, glob, how, set, choices);
}

/* All functions of one name: how many, or -errno. */
static int add_named(struct kc_session *session, const char *name, enum callees how,
		     const char *const *set, struct kc_choices *choices)
{
	const struct kc_sym *syms[MAX_SAME_NAME];
	size_t count = kc_ksyms_by_name(session->kernel->ksyms, name, syms, MAX_SAME_NAME);
	int err = 0;

	if (count > MAX_SAME_NAME)
		count = MAX_SAME_NAME;
	for (size_t i = 0; !err && i < count; i++)
		err = add_with_callees(session, syms[i], name, how, set, choices);
	if (!count)
		return add_renamed(session, name, how, set, choices);
	return err ?: (int)count;
}

static int add_set(struct kc_session *session, const char *const *set, enum callees how,
		   struct kc_choices *choices)
{
	int err = 0;

	for (const char *const *name = set; *name && err >= 0; name++)
		err = add_named(session, *name, how, set, choices);
	return err < 0 ? err : 0;
}

static int add_wish(struct kc_session *session, const char *wish, struct kc_failure *ret_failure,
		    struct kc_choices *choices)
{
	bool is_glob = strpbrk(wish, "*?[") != NULL;
	int found = is_glob ? add_matching(session, wish, CALLEES_NOT, NULL, choices)
			    : add_named(session, wish, CALLEES_TOO, NULL, choices);

	if (found > 0)
		return 0;
	if (found == 0)
		return kc_fail(ret_failure, KC_EXIT_USAGE, -ENOENT,
			       "no function that can be probed %s '%s'",
			       is_glob ? "matches" : "is named", wish);
	if (found == -E2BIG)
		return kc_fail(ret_failure, KC_EXIT_USAGE, found,
			       "'%s': that makes more than %d functions", wish, KC_MAX_CHOSEN);
	return kc_fail_nomem(ret_failure);
}

static int add_preset(struct kc_session *session, const char *name, struct kc_failure *ret_failure,
		      struct kc_choices *choices)
{
	for (size_t i = 0; i < kc_countof(presets); i++) {
		if (strcmp(presets[i].name, name))
			continue;
		for (const char *const *const *set = presets[i].sets; *set; set++)
			if (add_set(session, *set, CALLEES_OF_SET, choices))
				return kc_fail_nomem(ret_failure);
		return 0;
	}
	return kc_fail(ret_failure, KC_EXIT_USAGE, -ENOENT,
		       "there is no preset '%s'; there are futex, sleep, io, net and all-blocking",
		       name);
}

int kc_choose(struct kc_session *session, const struct kc_wish *wish,
	      struct kc_failure *ret_failure, struct kc_choices *ret_choices)
{
	int err = 0;

	*ret_choices = (struct kc_choices){};
	for (size_t i = 0; !err && i < wish->nr_globs; i++)
		err = add_wish(session, wish->globs[i], ret_failure, ret_choices);
	if (!err && wish->preset)
		err = add_preset(session, wish->preset, ret_failure, ret_choices);
	if (!wish->nr_globs && !wish->preset &&
	    add_set(session, kc_default_functions, CALLEES_INSTEAD, ret_choices))
		err = kc_fail_nomem(ret_failure);
	if (err)
		kc_choices_free(ret_choices);
	return err;
}

int kc_choose_again(struct kc_session *session, const char *name, struct kc_choice *ret_choice)
{
	kc_auto_free char *function = strndup(name, strcspn(name, " "));
	const struct kc_sym *syms[MAX_SAME_NAME], *found = NULL;
	size_t count;
	char text[128];

	if (!function)
		return -ENOMEM;
	count = kc_ksyms_by_name(session->kernel->ksyms, function, syms, MAX_SAME_NAME);
	for (size_t i = 0; i < count && i < MAX_SAME_NAME; i++) {
		name_of(session, syms[i], text);
		if (strcmp(text, name))
			continue;
		if (found)
			return -ENOTUNIQ;
		found = syms[i];
	}
	if (!found)
		return -ENOENT;
	look_into(session, found, ret_choice);
	return 0;
}

void kc_choices_free(struct kc_choices *choices)
{
	free(choices->choices);
	*choices = (struct kc_choices){};
}
