// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/attach.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/overlay.h"
#include "util/array.h"
#include "util/log.h"
#include "util/time.h"

/* Placing and removing that take longer are told. */
#define LONG 2.0 /* seconds */

/* What its probes are about, in the order of kinds_of(). */
enum { ENTRY, CHECKS, RETURNS, KINDS };

struct attached {
	char name[128], instead_of[128];
	struct kc_points entry, checks, returns;
	char module[64]; /* "": vmlinux */
	uint64_t module_id;
	bool gone;
	uint64_t tried;	   /* the loading of the module in which it could not be placed again */
	uint32_t reloads;  /* after which its probes were placed again */
	bool entry_probed; /* now, or until its module went */
	struct kc_point_count before[KINDS]; /* what probes had counted that went with a module */
};

struct kc_attach {
	struct kc_session *session;
	const struct kc_choices *choices;
	struct kc_sinks *sinks;
	struct kc_probes *probes;
	struct attached *functions;
	size_t nr_functions;
	struct kc_points tripwire, pulse; /* pulse: of a function that we call ourselves */
	bool dead;			  /* the last call was not seen ... */
	uint64_t deaths;		  /* ... which came so often */
	size_t failed, ended;		  /* points; ended: with their module */
	size_t barred;			  /* of the failed: for want of files or of rights ... */
	int barred_by;			  /* ... the last -errno */
	bool detached;
	struct kc_depths depths;
	struct kc_function_depth *function_depths;
	struct kc_deep_thread deep_threads[KC_DEEP_THREADS];
};

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
static uint64_t read_module_id(const char *module)
{
	char path[96];
	struct stat status;

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return stat(path, &status) ? 0 : status.st_ino;
}

static void name_function(struct attached *attached, const struct kc_choice *choice,
			  const struct kc_ksyms *ksyms)
{
	const char *module = choice->refused ? NULL : kc_sym_module(ksyms, choice->plan->sym);

	memcpy(attached->name, choice->name, sizeof(attached->name));
	memcpy(attached->instead_of, choice->instead_of, sizeof(attached->instead_of));
	if (!module)
		return;
	snprintf(attached->module, sizeof(attached->module), "%s", module);
	attached->module_id = read_module_id(module);
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
			  struct attached *attached)
{
	int err = kc_probes_checks(attach->probes, choice->plan, &attached->checks);

	if (err)
		note_failure(attach, choice->name, "a check", err);
}

/* The struct kc_point.call of its entry and returns; 0: not at all of them. */
static uint32_t attach_returns(struct kc_attach *attach, const struct kc_choice *choice,
			       uint32_t depth)
{
	struct attached *attached = &attach->functions[depth];
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
		struct attached *attached = &attach->functions[entries[i].depth];

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

		name_function(&attach->functions[i], choice, attach->session->kernel->ksyms);
		if (*choice->alias)
			note_alias(attach, choice);
		if (choice->refused)
			note_refusal(attach, choice);
		else if (choice->plan->reason == KC_PLAN_OK)
			attach_checks(attach, choice, &attach->functions[i]);
	}
	for (size_t i = 0; i < choices->count; i++) {
		const struct kc_choice *choice = &choices->choices[i];

		if (!choice->refused)
			entries[*attach->functions[i].module ? --module : count++] =
				(struct kc_entry){
					.addr = choice->plan->sym->addr,
					.depth = i,
					.call = attach_returns(attach, choice, i),
				};
	}
	attach_entries(attach, entries, count, true);
	attach_entries(attach, entries + module, choices->count - module, false);
	kc_probes_arm(attach->probes, true);
	return 0;
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
	attach->functions = calloc(count + 1, sizeof(*attach->functions));
	attach->function_depths = calloc(count + 1, sizeof(*attach->function_depths));
	if (!attach->functions || !attach->function_depths)
		return kc_fail_nomem(ret_failure);
	attach->nr_functions = count;
	err = kc_probes_new(
		&(struct kc_probe_options){
			.kernel = attach->session->kernel,
			.pid = options->pid,
			.by_thread = options->by_thread,
			.headroom = options->headroom,
		},
		ret_failure, &attach->probes);
	if (err)
		return err;
	*ret_attach = kc_take(attach);
	return 0;
}

/*
 * Probes can be switched off behind our back, all of them: kprobes/enabled in debugfs, the
 * sysctl kernel.ftrace_enabled. Nobody says so; one on a function that we call ourselves tells.
 */
static int place_pulse(struct kc_attach *attach)
{
	struct kc_entry entry = { .depth = KC_MAX_CHOSEN };
	const struct kc_sym *sym;

	if (kc_ksyms_by_name(attach->session->kernel->ksyms, kc_arch()->getsid, &sym, 1) < 1)
		return -ENOENT;
	entry.addr = sym->addr;
	kc_probes_entries(attach->probes, &entry, 1, false);
	attach->pulse = entry.points;
	return entry.err;
}

static void attach_pulse(struct kc_attach *attach)
{
	char text[200];
	int err = place_pulse(attach);

	if (!err)
		return;
	attach->failed++;
	snprintf(text, sizeof(text),
		 "no probe on %s, a call of our own (%s): probes that somebody "
		 "switches off will not be noticed",
		 kc_arch()->getsid, kc_strerror(err));
	kc_sinks_notice(attach->sinks, text);
}

static bool is_off(const char *path)
{
	kc_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char first;

	return fd >= 0 && read(fd, &first, 1) == 1 && first == '0';
}

/* The pulse is at an entry, where ftrace calls the probes; those at checks are breakpoints. */
static const char *dead_text(void)
{
	if (is_off("/proc/sys/kernel/ftrace_enabled"))
		return "the kernel runs no probes at entries: the sysctl kernel.ftrace_enabled is 0; "
		       "what is probed within functions and the sweep go on";
	if (is_off("/sys/kernel/debug/kprobes/enabled"))
		return "the kernel runs no probes: /sys/kernel/debug/kprobes/enabled is 0; the sweep "
		       "goes on";
	return "the kernel runs no probes, at entries at least, and does not say why; the sweep goes "
	       "on";
}

static uint64_t count_pulse(const struct kc_attach *attach)
{
	struct kc_point_count count = {};

	kc_probes_count(attach->probes, attach->pulse, &count);
	return count.hits;
}

int kc_attach_check_alive(struct kc_attach *attach)
{
	bool was_dead = attach->dead;
	uint64_t before;

	if (!attach->pulse.count || attach->detached)
		return 0;
	before = count_pulse(attach);
	attach->dead = true;
	/* One call may be missed: another program ran on the CPU. */
	for (int i = 0; attach->dead && i < 3; i++) {
		getsid(0);
		attach->dead = count_pulse(attach) == before;
	}
	if (attach->dead == was_dead)
		return 0;
	attach->deaths += attach->dead;
	return kc_sinks_notice(attach->sinks,
			       attach->dead ? dead_text() : "the kernel runs probes again");
}

/* What stands in the way of one probe so does in that of all others. */
static void note_barred(struct kc_attach *attach)
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

/* Descriptors that probes must leave for what is opened after them. */
#define SPARE 16

static void set_aside(int spare[static SPARE])
{
	for (size_t i = 0; i < SPARE; i++)
		spare[i] = eventfd(0, EFD_CLOEXEC);
}

static void give_back(const int spare[static SPARE])
{
	for (size_t i = 0; i < SPARE; i++)
		if (spare[i] >= 0)
			close(spare[i]);
}

int kc_attach_place(struct kc_attach *attach)
{
	double start = kc_seconds_of(CLOCK_MONOTONIC);
	int spare[SPARE], err;

	if (!kc_probes_compare_guard(attach->probes))
		kc_sinks_notice(attach->sinks, "this kernel's per-CPU guards can't be found: slots "
					       "are compared with the task's canary alone");
	for (size_t i = 0; i < attach->choices->count; i++)
		keep_text(attach->session, &attach->choices->choices[i]);
	attach_tripwire(attach);
	attach_pulse(attach);
	set_aside(spare);
	err = attach_all(attach, attach->choices);
	give_back(spare);
	note_barred(attach);
	if (kc_seconds_of(CLOCK_MONOTONIC) - start > LONG)
		kc_info("placing the probes took %.0f s", kc_seconds_of(CLOCK_MONOTONIC) - start);
	return err;
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
	kc_probes_arm(attach->probes, false);
	detach(attach->probes);
}

void kc_attach_free(struct kc_attach *attach)
{
	if (!attach)
		return;
	kc_attach_stop(attach);
	kc_probes_free(attach->probes);
	free(attach->function_depths);
	free(attach->functions);
	free(attach);
}

static size_t count_points(const struct attached *attached)
{
	return attached->entry.count + attached->checks.count + attached->returns.count;
}

size_t kc_attach_probed(const struct kc_attach *attach, struct kc_probed *ret_probed)
{
	size_t count = 0;

	for (size_t i = 0; i < attach->nr_functions; i++) {
		const struct attached *attached = &attach->functions[i];

		if (count_points(attached))
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

static void kinds_of(const struct attached *attached, struct kc_points ret_kinds[KINDS])
{
	ret_kinds[ENTRY] = attached->entry;
	ret_kinds[CHECKS] = attached->checks;
	ret_kinds[RETURNS] = attached->returns;
}

static void add_count(struct kc_point_count *sum, const struct kc_point_count *count)
{
	sum->hits += count->hits;
	sum->unreadable += count->unreadable;
	sum->unmatched += count->unmatched;
	sum->early += count->early;
	sum->other_stack += count->other_stack;
	sum->replaced += count->replaced;
}

/* What its probes have counted, those before a reload included. */
static void count_function(const struct kc_attach *attach, const struct attached *attached,
			   struct kc_point_count ret_counts[KINDS])
{
	struct kc_points kinds[KINDS];

	kinds_of(attached, kinds);
	for (size_t kind = 0; kind < KINDS; kind++) {
		struct kc_point_count count;

		ret_counts[kind] = attached->before[kind];
		if (!kc_probes_count(attach->probes, kinds[kind], &count))
			add_count(&ret_counts[kind], &count);
	}
}

/* Do we know the symbols and the text of this loading of the module? */
static bool is_learned(const struct kc_kernel *kernel, const char *module, uint64_t id)
{
	for (size_t i = 0; i < kernel->nr_modules; i++)
		if (!strcmp(kernel->modules[i].name, module))
			return !kernel->modules[i].load || kernel->modules[i].load == id;
	return false;
}

/* As attach_all(), of one function. */
static void attach_again(struct kc_attach *attach, const struct kc_choice *choice, size_t i)
{
	struct attached *attached = &attach->functions[i];
	struct kc_entry entry = { .addr = choice->plan->sym->addr, .depth = i };

	attached->reloads++;
	keep_text(attach->session, choice);
	if (choice->plan->reason == KC_PLAN_OK)
		attach_checks(attach, choice, attached);
	entry.call = attach_returns(attach, choice, i);
	attach_entries(attach, &entry, 1, false);
	kc_probes_arm_returns(attach->probes, attached->returns);
}

/*
 * Its module is there again, and so are its probes. Calls before this were not seen: the
 * probes that went stay counted as failed.
 */
static int come_back(struct kc_attach *attach, size_t i, uint64_t id)
{
	struct attached *attached = &attach->functions[i];
	struct kc_choice choice;
	char text[320];
	int err = kc_choose_again(attach->session, attached->name, &choice);

	attached->tried = id;
	if (err || choice.refused) {
		snprintf(text, sizeof(text), "not probed again: %s: %s", attached->name,
			 !err		  ? choice.refused
			 : err == -ENOENT ? "its module was loaded again without it"
					  : kc_strerror(err));
		return kc_sinks_notice(attach->sinks, text);
	}
	attach_again(attach, &choice, i);
	if (!count_points(attached)) {
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
static int let_go(struct kc_attach *attach, struct attached *attached)
{
	char text[320];

	attached->gone = true;
	attach->ended += count_points(attached);
	count_function(attach, attached, attached->before);
	kc_probes_remove(attach->probes, &attached->checks);
	kc_probes_remove(attach->probes, &attached->returns);
	kc_probes_remove(attach->probes, &attached->entry);
	snprintf(text, sizeof(text), "no longer probed: %s: its module was unloaded",
		 attached->name);
	return kc_sinks_notice(attach->sinks, text);
}

/* As which loading it is there again, and may be probed; 0: it may not. */
static uint64_t id_of_return(const struct kc_attach *attach, const struct attached *attached)
{
	uint64_t id = attached->gone && !attach->detached ? read_module_id(attached->module) : 0;

	return id != attached->tried && is_learned(attach->session->kernel, attached->module, id)
		       ? id
		       : 0;
}

/* All go before any comes back: its place may have been another's. */
int kc_attach_check_modules(struct kc_attach *attach)
{
	int spare[SPARE], err = 0;
	bool aside = false;

	for (size_t i = 0; !err && i < attach->nr_functions; i++) {
		struct attached *attached = &attach->functions[i];

		if (*attached->module && count_points(attached) &&
		    read_module_id(attached->module) != attached->module_id)
			err = let_go(attach, attached);
	}
	for (size_t i = 0; !err && i < attach->nr_functions; i++) {
		uint64_t id = id_of_return(attach, &attach->functions[i]);

		if (!id)
			continue;
		if (!aside)
			set_aside(spare);
		aside = true;
		err = come_back(attach, i, id);
	}
	if (aside)
		give_back(spare);
	note_barred(attach);
	return err;
}

void kc_attach_counts(struct kc_attach *attach, struct kc_probe_counts *ret_counts)
{
	struct kc_probes *probes = attach->probes;
	struct kc_probe_counts counts = {
		.attached = kc_probes_attached(probes) - attach->pulse.count,
		.failed = attach->failed + attach->ended,
		.lost = kc_probes_loss(probes, KC_LOSS_RING),
		.too_deep = kc_probes_too_deep(probes),
		.dead = attach->deaths,
	};

	counts.tells_missed = kc_probes_missed(probes, &counts.missed);
	for (size_t i = 0; i < KC_LOSS_NR; i++)
		counts.losses[i] = kc_probes_loss(probes, i);
	for (size_t i = 0; i < attach->nr_functions; i++) {
		const struct attached *at = &attach->functions[i];
		uint64_t *hits[KINDS] = { &counts.entries, &counts.comparisons, &counts.returns };
		struct kc_point_count count[KINDS];
		struct kc_depth depth;

		count_function(attach, at, count);
		for (size_t kind = 0; kind < KINDS; kind++) {
			*hits[kind] += count[kind].hits;
			counts.unreadable += count[kind].unreadable;
			counts.unmatched += count[kind].unmatched;
			counts.early += count[kind].early;
			counts.other_stack += count[kind].other_stack;
			counts.replaced += count[kind].replaced;
		}
		if (!kc_probes_depth(probes, i, &depth) && depth.max > counts.max_depth) {
			counts.max_depth = depth.max;
			memcpy(counts.deepest, at->name, sizeof(counts.deepest));
		}
	}
	*ret_counts = counts;
}

static int by_depth(const void *a, const void *b)
{
	const struct kc_thread_depth *x = a, *y = b;

	return x->max > y->max ? -1 : x->max < y->max;
}

static size_t deepest_threads(struct kc_attach *attach)
{
	kc_auto_free struct kc_thread_depth *threads = calloc(KC_MAX_THREADS, sizeof(*threads));
	size_t all = threads ? kc_probes_threads(attach->probes, threads, KC_MAX_THREADS) : 0;
	size_t count = 0;

	/* Our own calls of the pulse's function are nobody's depth. */
	for (size_t i = 0; i < all; i++)
		if (threads[i].depth != KC_MAX_CHOSEN)
			threads[count++] = threads[i];
	if (count)
		qsort(threads, count, sizeof(*threads), by_depth);
	if (count > KC_DEEP_THREADS)
		count = KC_DEEP_THREADS;
	for (size_t i = 0; i < count; i++)
		attach->deep_threads[i] = (struct kc_deep_thread){
			.tid = threads[i].tid,
			.depth = threads[i].max,
			.function = threads[i].depth < attach->nr_functions
					    ? attach->functions[threads[i].depth].name
					    : "",
		};
	return count;
}

const struct kc_depths *kc_attach_depths(struct kc_attach *attach)
{
	size_t count = 0;

	for (size_t i = 0; i < attach->nr_functions; i++) {
		struct kc_function_depth *depth = &attach->function_depths[count];

		if (!attach->functions[i].entry_probed)
			continue;
		depth->function = attach->functions[i].name;
		kc_probes_depth(attach->probes, i, &depth->depth);
		count++;
	}
	attach->depths = (struct kc_depths){
		.functions = attach->function_depths,
		.nr_functions = count,
		.threads = attach->deep_threads,
		.nr_threads = deepest_threads(attach),
	};
	return &attach->depths;
}
