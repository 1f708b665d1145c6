// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "guard/plan.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "guard/flow.h"
#include "kernel/text.h"
#include "util/array.h"

/* A plan, and those of the same function that were made of other text: handed out, so kept. */
struct made {
	struct kc_plan plan;
	unsigned int pass;
	struct made *before;
};

struct kc_plans {
	const struct kc_kernel *kernel;
	struct kc_decoder *decoder;
	struct kc_sites *sites;
	struct made **by_sym; /* index of ksyms -> plan, or NULL: not made yet */
	unsigned int pass;
	uint64_t switch_to; /* the function that tasks are switched by; 0: not known */
	struct kc_plan no_symbol, no_memory;
	pthread_mutex_t lock; /* of all above; recursive: a cold part asks for its parent */
};

static const char *const reason_texts[] = {
	[KC_PLAN_OK] = "planned",
	[KC_PLAN_UNGUARDED] = "not guarded",
	[KC_PLAN_NO_SEAL] = "uses the guard but seals no frame with it",
	[KC_PLAN_NOT_COMPILED] = "not a compiled function with a known extent",
	[KC_PLAN_UNREADABLE] = "its text can't be read",
	[KC_PLAN_UNDECODABLE] = "instructions that Capstone can't decode",
	[KC_PLAN_TOO_LARGE] = "too large",
	[KC_PLAN_NO_CFA] = "the seal can't be tied to the frame",
	[KC_PLAN_DISAGREES] = "a check compares something other than the sealed slot",
	[KC_PLAN_COLD_ORPHAN] = "a .cold part that no parent was seen to enter",
	[KC_PLAN_NO_MEMORY] = "out of memory",
	[KC_PLAN_TORN] = "a breakpoint lies in its text that is no kprobe's",
};
_Static_assert(kc_countof(reason_texts) == KC_PLAN_NR_REASONS, "a text for each reason");

const char *kc_plan_reason_text(enum kc_plan_reason reason)
{
	return reason_texts[reason];
}

const char *kc_slot_rule_text(const struct kc_slot_rule *rule, char text[static 24])
{
	static const char *const bases[] = { "?", "CFA", "SP", "BP" };

	snprintf(text, 24, "%s%c0x%x", bases[rule->base], rule->offset < 0 ? '-' : '+',
		 rule->offset < 0 ? -rule->offset : rule->offset);
	return text;
}

int kc_plans_new(const struct kc_kernel *kernel, struct kc_plans **ret_plans)
{
	struct kc_plans *plans kc_auto(kc_cleanup_plans) = calloc(1, sizeof(*plans));
	pthread_mutexattr_t recursive;
	const struct kc_sym *switch_to;
	int err;

	if (!plans)
		return -ENOMEM;
	pthread_mutexattr_init(&recursive);
	pthread_mutexattr_settype(&recursive, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&plans->lock, &recursive);
	plans->kernel = kernel;
	plans->no_symbol.reason = KC_PLAN_NOT_COMPILED;
	plans->no_memory.reason = KC_PLAN_NO_MEMORY;
	if (kc_ksyms_by_name(kernel->ksyms, kc_arch()->switch_to, &switch_to, 1) == 1)
		plans->switch_to = switch_to->addr;
	plans->by_sym = calloc(kc_ksyms_count(kernel->ksyms), sizeof(*plans->by_sym));
	if (!plans->by_sym)
		return -ENOMEM;
	err = kc_decoder_new(&kernel->guard, &plans->decoder);
	if (!err)
		err = kc_sites_new(kernel, plans->decoder, &plans->sites);
	if (err)
		return err;
	*ret_plans = kc_take(plans);
	return 0;
}

static void free_made(struct made *made)
{
	while (made) {
		struct made *before = made->before;

		free(made->plan.seals);
		free(made->plan.checks);
		free(made->plan.ranges);
		free(made->plan.reaches);
		free(made);
		made = before;
	}
}

void kc_plans_free(struct kc_plans *plans)
{
	if (!plans)
		return;
	for (size_t i = 0; plans->by_sym && i < kc_ksyms_count(plans->kernel->ksyms); i++)
		free_made(plans->by_sym[i]);
	free(plans->by_sym);
	kc_sites_free(plans->sites);
	kc_decoder_free(plans->decoder);
	pthread_mutex_destroy(&plans->lock);
	free(plans);
}

static int compare_insns(const void *a, const void *b)
{
	const struct kc_flow_insn *x = a, *y = b;

	return x->insn.addr < y->insn.addr ? -1 : x->insn.addr > y->insn.addr;
}

static int add_range(struct kc_plan *plan, size_t *capacity, const struct kc_flow_insn *at)
{
	struct kc_slot_rule rule = { at->in.live, at->in.base, at->in.offset };
	struct kc_range *last = plan->nr_ranges ? &plan->ranges[plan->nr_ranges - 1] : NULL;
	uint64_t end = at->insn.addr + at->insn.len;
	int err;

	if (last && last->end == at->insn.addr && last->rule.live == rule.live &&
	    last->rule.base == rule.base && last->rule.offset == rule.offset) {
		last->end = end;
		return 0;
	}
	err = kc_grow(plan->ranges, *capacity, plan->nr_ranges + 1);
	if (!err)
		plan->ranges[plan->nr_ranges++] = (struct kc_range){ at->insn.addr, end, rule };
	return err;
}

static int add_seal(struct kc_plan *plan, size_t *capacity, const struct kc_flow *flow,
		    const struct kc_flow_insn *at)
{
	struct kc_slot_rule rule;
	int err = kc_grow(plan->seals, *capacity, plan->nr_seals + 1);

	if (err)
		return err;
	if (!kc_flow_slot(flow->kernel, &at->insn, &rule)) {
		plan->reason = KC_PLAN_NO_CFA;
		return 0;
	}
	if (!plan->nr_seals)
		plan->rule = rule;
	plan->seals[plan->nr_seals++] = at->insn.addr;
	return 0;
}

#define insn_addr(insns, i) ((insns)[i].insn.addr)

/* The instruction that fetched the word which the check at `at` compares. */
static const struct kc_flow_insn *load_of(const struct kc_flow *flow, const struct kc_flow_insn *at)
{
	size_t i;

	if (at->insn.effect == KC_EFFECT_COMPARE)
		return at;
	i = kc_last_at_or_below(flow->insns, flow->count, at->in.slot_load, insn_addr);
	return i < flow->count && flow->insns[i].insn.addr == at->in.slot_load ? &flow->insns[i]
									       : NULL;
}

/* The flow's instructions are sorted by now. */
static int add_check(struct kc_plan *plan, size_t *capacity, const struct kc_flow *flow,
		     const struct kc_flow_insn *at)
{
	const struct kc_flow_insn *load = load_of(flow, at);
	int err = kc_grow(plan->checks, *capacity, plan->nr_checks + 1);

	if (err)
		return err;
	/* Where ways meet that do not agree, the check is one more unknown. */
	if (at->in.live == KC_LIVE_UNKNOWN)
		return 0;
	if (!kc_flow_checks_slot(flow, at)) {
		plan->reason = KC_PLAN_DISAGREES;
		return 0;
	}
	plan->checks[plan->nr_checks++] = (struct kc_check){
		.load = load ? load->insn.addr : 0,
		.compare = at->insn.addr,
		.through_bp = load && load->insn.base == KC_REG_BP,
		.disp = load ? load->insn.disp : 0,
	};
	return 0;
}

static int add_reach(struct kc_plan *plan, size_t *capacity, uint64_t pc, bool returned,
		     const struct kc_flow_state *state)
{
	int err = state->depth ? kc_grow(plan->reaches, *capacity, plan->nr_reaches + 1) : 0;

	if (state->depth && !err)
		plan->reaches[plan->nr_reaches++] = (struct kc_reach){ pc, state->depth, returned };
	return err;
}

/* Where SP lies between seal and check at more instructions than elsewhere, if at most of them. */
static int32_t usual_depth(const struct kc_flow *flow)
{
	int32_t usual = 0;
	size_t lead = 0;

	for (size_t i = 0; i < flow->count; i++) {
		const struct kc_flow_state *in = &flow->insns[i].in;

		if (in->live != KC_LIVE_SEALED || !in->depth)
			continue;
		if (!lead)
			usual = in->depth;
		lead += in->depth == usual ? 1 : -1;
	}
	return usual;
}

/*
 * At loads of checks, behind calls that report a failed one, and where SP is not where it mostly
 * is: between a push and its pop.
 */
static int add_reaches(struct kc_plan *plan, const struct kc_flow *flow)
{
	int32_t usual = usual_depth(flow);
	size_t capacity = 0;
	int err = 0;

	for (size_t i = 0; !err && i < flow->count; i++) {
		const struct kc_flow_insn *at = &flow->insns[i];
		const struct kc_insn *insn = &at->insn;
		const struct kc_flow_insn *load = kc_flow_is_check(at) ? load_of(flow, at) : NULL;

		if (load)
			err = add_reach(plan, &capacity, load->insn.addr, false, &load->in);
		else if (insn->flow == KC_FLOW_CALL && flow->fail && insn->target == flow->fail)
			err = add_reach(plan, &capacity, insn->addr + insn->len, true, &at->in);
		if (!err && at->in.live == KC_LIVE_SEALED && at->in.depth != usual)
			err = add_reach(plan, &capacity, insn->addr, false, &at->in);
	}
	return err;
}

/* Turn the states of all instructions into the plan. */
static int collect(struct kc_plan *plan, struct kc_flow *flow)
{
	size_t ranges = 0, seals = 0, checks = 0;
	int err = 0;

	if (flow->count)
		qsort(flow->insns, flow->count, sizeof(*flow->insns), compare_insns);
	for (size_t i = 0; !err && i < flow->count; i++) {
		const struct kc_flow_insn *at = &flow->insns[i];

		err = add_range(plan, &ranges, at);
		if (!err && kc_flow_is_seal(at))
			err = add_seal(plan, &seals, flow, at);
		if (!err && kc_flow_is_check(at))
			err = add_check(plan, &checks, flow, at);
	}
	err = err ?: add_reaches(plan, flow);
	if (flow->nr_pieces == 2) {
		plan->cold = flow->pieces[1].start;
		plan->cold_end = plan->cold + flow->pieces[1].len;
	}
	if (!err && plan->reason == KC_PLAN_OK && !plan->nr_seals)
		plan->reason = flow->undecodable ? KC_PLAN_UNDECODABLE : KC_PLAN_NO_SEAL;
	return err;
}

static bool refers_to_guard(const struct kc_kernel *kernel, const uint8_t *bytes,
			    const struct kc_sym *sym)
{
	return kc_guard_scan(&kernel->guard, bytes, sym->size, sym->addr) < sym->size;
}

/* Analyse the text as it is now. */
static int look_at(struct kc_plans *plans, struct kc_plan *plan, uint8_t *bytes)
{
	const struct kc_kernel *kernel = plans->kernel;
	const struct kc_sym *sym = plan->sym;
	struct kc_flow flow;
	int err = kc_text_read(kernel, sym->addr, bytes, sym->size);

	if (err == -ENOMEM)
		return err;
	plan->reason = err == -EAGAIN ? KC_PLAN_TORN : err ? KC_PLAN_UNREADABLE : KC_PLAN_OK;
	if (!err && !refers_to_guard(kernel, bytes, sym))
		plan->reason = KC_PLAN_UNGUARDED;
	if (plan->reason != KC_PLAN_OK)
		return 0;
	err = kc_flow_run(kernel, plans->decoder, sym, bytes, &flow);
	if (err)
		return err;
	if (flow.torn)
		plan->reason = KC_PLAN_TORN;
	else
		err = collect(plan, &flow);
	kc_flow_free(&flow);
	return err;
}

static int analyse(struct kc_plans *plans, struct kc_plan *plan, int tries)
{
	const struct kc_kernel *kernel = plans->kernel;
	const struct kc_sym *sym = plan->sym;
	kc_auto_free uint8_t *bytes = NULL;
	int err;

	if (!sym->size || kc_sym_is_generated(kernel->ksyms, sym)) {
		plan->reason = KC_PLAN_NOT_COMPILED;
		return 0;
	}
	if (sym->size > KC_MAX_FUNCTION) {
		plan->reason = KC_PLAN_TOO_LARGE;
		return 0;
	}
	bytes = malloc(sym->size);
	if (!bytes)
		return -ENOMEM;
	err = look_at(plans, plan, bytes);
	while (!err && plan->reason == KC_PLAN_TORN && --tries) {
		kc_text_wait();
		err = look_at(plans, plan, bytes);
	}
	return err;
}

#define MAX_PARENTS 64

/* The functions that a .cold part may be of, by its name: how many. */
static size_t find_parents(const struct kc_ksyms *ksyms, const struct kc_sym *cold, size_t stem,
			   const struct kc_sym *ret_parents[MAX_PARENTS])
{
	kc_auto_free char *name = strndup(kc_sym_name(ksyms, cold), stem);
	size_t count = name ? kc_ksyms_by_name(ksyms, name, ret_parents, MAX_PARENTS) : 0;

	return count > MAX_PARENTS ? 0 : count;
}

/* The function whose analysis entered this .cold part. */
static const struct kc_plan *parent_of(struct kc_plans *plans, const struct kc_sym *cold,
				       size_t stem)
{
	const struct kc_sym *parents[MAX_PARENTS];
	size_t count = find_parents(plans->kernel->ksyms, cold, stem, parents), unguarded = 0;
	const struct kc_plan *torn = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct kc_plan *plan = kc_plans_of(plans, parents[i]);

		if (plan->cold && cold->addr >= plan->cold && cold->addr < plan->cold_end)
			return plan;
		unguarded += plan->reason == KC_PLAN_UNGUARDED;
		if (plan->reason == KC_PLAN_TORN)
			torn = plan;
	}
	/* Whoever of them it belongs to has no slot. */
	return count && unguarded == count ? kc_plans_of(plans, parents[0]) : torn;
}

static struct made **entry_of(struct kc_plans *plans, const struct kc_sym *sym)
{
	return &plans->by_sym[sym - kc_ksyms_at(plans->kernel->ksyms, 0)];
}

/* NULL: out of memory. */
static struct made *make(struct kc_plans *plans, const struct kc_sym *sym, int tries)
{
	struct made *made = calloc(1, sizeof(*made));

	if (!made)
		return NULL;
	made->pass = plans->pass;
	made->plan.sym = sym;
	if (kc_sym_cold_stem(kc_sym_name(plans->kernel->ksyms, sym)))
		made->plan.reason = KC_PLAN_COLD_ORPHAN;
	else if (analyse(plans, &made->plan, tries))
		made->plan.reason = KC_PLAN_NO_MEMORY;
	return made;
}

static bool same_rule(const struct kc_slot_rule *a, const struct kc_slot_rule *b)
{
	return a->live == b->live && a->base == b->base && a->offset == b->offset;
}

static bool same_check(const struct kc_check *a, const struct kc_check *b)
{
	return a->load == b->load && a->compare == b->compare && a->through_bp == b->through_bp &&
	       a->disp == b->disp;
}

static bool same_plan(const struct kc_plan *a, const struct kc_plan *b)
{
	bool same = a->reason == b->reason && same_rule(&a->rule, &b->rule) &&
		    a->nr_seals == b->nr_seals && a->nr_checks == b->nr_checks &&
		    a->nr_ranges == b->nr_ranges && a->nr_reaches == b->nr_reaches &&
		    a->cold == b->cold && a->cold_end == b->cold_end;

	for (size_t i = 0; same && i < a->nr_seals; i++)
		same = a->seals[i] == b->seals[i];
	for (size_t i = 0; same && i < a->nr_checks; i++)
		same = same_check(&a->checks[i], &b->checks[i]);
	for (size_t i = 0; same && i < a->nr_ranges; i++)
		same = a->ranges[i].start == b->ranges[i].start &&
		       a->ranges[i].end == b->ranges[i].end &&
		       same_rule(&a->ranges[i].rule, &b->ranges[i].rule);
	for (size_t i = 0; same && i < a->nr_reaches; i++)
		same = a->reaches[i].pc == b->reaches[i].pc &&
		       a->reaches[i].returned == b->reaches[i].returned &&
		       a->reaches[i].depth == b->reaches[i].depth;
	return same;
}

/* Make the plan again, if it was made before; is it another one? */
static bool renew(struct kc_plans *plans, const struct kc_sym *sym, int tries)
{
	struct made **entry = entry_of(plans, sym), *fresh;

	if (!*entry)
		return false;
	fresh = make(plans, sym, tries);
	if (!fresh)
		return false;
	if (same_plan(&(*entry)->plan, &fresh->plan)) {
		(*entry)->pass = plans->pass;
		free_made(fresh);
		return false;
	}
	fresh->before = *entry;
	*entry = fresh;
	return true;
}

bool kc_plan_may_change(const struct kc_plan *plan)
{
	return plan->reason == KC_PLAN_TORN || plan->reason == KC_PLAN_UNREADABLE;
}

static const struct kc_plan *find_or_make(struct kc_plans *plans, const struct kc_sym *sym)
{
	const struct kc_ksyms *ksyms = plans->kernel->ksyms;
	size_t stem = kc_sym_cold_stem(kc_sym_name(ksyms, sym));
	const struct kc_plan *parent = stem ? parent_of(plans, sym, stem) : NULL;
	struct made **entry = entry_of(plans, sym);

	if (parent)
		return parent;
	if (!*entry)
		*entry = make(plans, sym, KC_TEXT_TRIES);
	else if (kc_plan_may_change(&(*entry)->plan) && (*entry)->pass != plans->pass)
		renew(plans, sym, 1);
	return *entry ? &(*entry)->plan : &plans->no_memory;
}

const struct kc_plan *kc_plans_of(struct kc_plans *plans, const struct kc_sym *sym)
{
	const struct kc_plan *plan;

	pthread_mutex_lock(&plans->lock);
	plan = find_or_make(plans, sym);
	pthread_mutex_unlock(&plans->lock);
	return plan;
}

const struct kc_plan *kc_plans_at(struct kc_plans *plans, uint64_t pc)
{
	const struct kc_sym *sym = kc_ksyms_find(plans->kernel->ksyms, pc);

	return sym ? kc_plans_of(plans, sym) : &plans->no_symbol;
}

bool kc_plans_ahead(struct kc_plans *plans, uint64_t pc, struct kc_ahead *ret_ahead)
{
	bool is_known;

	pthread_mutex_lock(&plans->lock);
	is_known = kc_ahead(plans->kernel, plans->decoder, pc, ret_ahead);
	pthread_mutex_unlock(&plans->lock);
	return is_known;
}

const struct kc_site *kc_plans_site(struct kc_plans *plans, uint64_t pc)
{
	const struct kc_site *site;

	pthread_mutex_lock(&plans->lock);
	site = kc_sites_at(plans->sites, pc, plans->pass);
	pthread_mutex_unlock(&plans->lock);
	return site;
}

enum kc_site_kind kc_plans_above(struct kc_plans *plans, uint64_t pc, uint64_t below)
{
	enum kc_site_kind kind;

	pthread_mutex_lock(&plans->lock);
	kind = kc_sites_above(plans->sites, pc, below == KC_BELOW_SWITCH ? plans->switch_to : below,
			      plans->pass);
	pthread_mutex_unlock(&plans->lock);
	return kind;
}

unsigned int kc_plans_pass(struct kc_plans *plans)
{
	unsigned int pass;

	pthread_mutex_lock(&plans->lock);
	pass = plans->pass;
	pthread_mutex_unlock(&plans->lock);
	return pass;
}

void kc_plans_next_pass(struct kc_plans *plans)
{
	pthread_mutex_lock(&plans->lock);
	plans->pass++;
	pthread_mutex_unlock(&plans->lock);
}

bool kc_plans_renew(struct kc_plans *plans, uint64_t pc)
{
	const struct kc_ksyms *ksyms = plans->kernel->ksyms;
	const struct kc_sym *sym = kc_ksyms_find(ksyms, pc), *parents[MAX_PARENTS];
	size_t stem = sym ? kc_sym_cold_stem(kc_sym_name(ksyms, sym)) : 0;
	size_t count = stem ? find_parents(ksyms, sym, stem, parents) : 0;
	bool changed = false;

	pthread_mutex_lock(&plans->lock);
	for (size_t i = 0; i < count; i++)
		changed |= renew(plans, parents[i], KC_TEXT_TRIES);
	if (sym && !stem)
		changed = renew(plans, sym, KC_TEXT_TRIES);
	pthread_mutex_unlock(&plans->lock);
	return changed;
}

bool kc_plans_renew_site(struct kc_plans *plans, uint64_t pc)
{
	bool changed;

	pthread_mutex_lock(&plans->lock);
	changed = kc_sites_renew(plans->sites, pc, plans->pass);
	pthread_mutex_unlock(&plans->lock);
	return changed;
}

#define range_start(ranges, i) ((ranges)[i].start)

struct kc_slot_rule kc_plan_rule_at(const struct kc_plan *plan, uint64_t pc)
{
	size_t i = kc_last_at_or_below(plan->ranges, plan->nr_ranges, pc, range_start);

	if (i == plan->nr_ranges || pc >= plan->ranges[i].end)
		return (struct kc_slot_rule){ .live = KC_LIVE_UNREACHED };
	return plan->ranges[i].rule;
}

uint32_t kc_plan_depth_at(const struct kc_plan *plan, uint64_t pc, bool returned)
{
	for (size_t i = 0; i < plan->nr_reaches; i++)
		if (plan->reaches[i].pc == pc && plan->reaches[i].returned == returned)
			return plan->reaches[i].depth;
	return 0;
}
