// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "guard/leads.h"

#include <errno.h>
#include <string.h>

#include "kernel/text.h"

/* More functions are not followed: some, as the switch over all system calls, lead to hundreds. */
#define MAX_FUNCTIONS 32

/* A call is to a function's first bytes. */
#define ENTRY_LEN 16

/* Compiled functions begin at multiples of it. */
#define FUNCTION_ALIGN 16

struct walk {
	const struct kc_kernel *kernel;
	const struct kc_sym *below;
	const struct kc_sym *syms[MAX_FUNCTIONS];
	size_t count;
	enum kc_leads leads;
};

static void go_to(struct walk *walk, uint64_t target)
{
	const struct kc_ksyms *ksyms = walk->kernel->ksyms;
	const struct kc_sym *sym = kc_ksyms_find(ksyms, target);

	if (sym == walk->below) {
		walk->leads = KC_LEADS_THERE;
		return;
	}
	if (sym && strstr(kc_sym_name(ksyms, sym), kc_arch()->return_thunk))
		return;
	for (size_t i = 0; i < walk->count; i++)
		if (walk->syms[i] == sym)
			return;
	if (!sym || !sym->size || kc_sym_is_generated(ksyms, sym) || walk->count == MAX_FUNCTIONS ||
	    strstr(kc_sym_name(ksyms, sym), kc_arch()->jump_thunk)) {
		walk->leads = KC_LEADS_ANYWHERE;
		return;
	}
	walk->syms[walk->count++] = sym;
}

/*
 * A tracer's call at the function's entry may come back to another function in its place, as a
 * live patch does. That one is a module's.
 */
static bool may_be_replaced(const struct walk *walk, const struct kc_sym *sym,
			    const struct kc_insn *insn)
{
	return walk->below->module &&
	       (insn->addr == sym->addr || insn->addr == sym->addr + kc_arch()->landing_pad);
}

/* Longer detours are not followed. */
#define MAX_DETOUR_INSNS 8

/* One instruction: no more is read than a recording keeps. False: none, or not now. */
static bool decode_at(struct walk *walk, struct kc_decoder *decoder, uint64_t addr,
		      struct kc_insn *ret_insn)
{
	const struct kc_sym *sym = kc_ksyms_find(walk->kernel->ksyms, addr);
	uint64_t left = sym ? sym->addr + sym->size - addr : KC_MAX_INSN;
	size_t len = left < KC_MAX_INSN ? left : KC_MAX_INSN;
	uint8_t bytes[KC_MAX_INSN];
	int err = kc_text_read(walk->kernel, addr, bytes, len);

	if (err == -EAGAIN || (!err && kc_text_is_torn(bytes, len)))
		walk->leads = KC_LEADS_NOT_NOW;
	return !err && kc_decode(decoder, bytes, len, addr, ret_insn);
}

/*
 * Does what lies there go back to the function, and nowhere else? Up to v5.16 what mends faults
 * lay apart, .fixup, under no name of its own.
 */
static bool is_detour(struct walk *walk, struct kc_decoder *decoder, const struct kc_sym *sym,
		      uint64_t target)
{
	struct kc_insn insn = { .flow = KC_FLOW_NEXT };
	const struct kc_edge *edges;

	if (kc_ksyms_find(walk->kernel->ksyms, target) == walk->below)
		return false;
	for (int i = 0; i < MAX_DETOUR_INSNS && insn.flow == KC_FLOW_NEXT; i++, target += insn.len)
		if (kc_kernel_edges(walk->kernel, target, &edges) ||
		    !decode_at(walk, decoder, target, &insn))
			return false;
	return insn.flow == KC_FLOW_JUMP && insn.target - sym->addr < sym->size;
}

/* Where it may have led when a task went there: see struct kc_edge. */
static void take_edges(struct walk *walk, struct kc_decoder *decoder, const struct kc_sym *sym,
		       const struct kc_insn *insn)
{
	const struct kc_edge *edges;
	size_t count = kc_kernel_edges(walk->kernel, insn->addr, &edges);

	for (size_t i = 0; i < count; i++) {
		uint64_t target = edges[i].target;

		/* One that is a call, or that is left out for now, comes back. */
		if (target == KC_EDGE_AWAY && insn->flow != KC_FLOW_CALL &&
		    insn->flow != KC_FLOW_NEXT)
			walk->leads = KC_LEADS_ANYWHERE;
		else if (target > KC_EDGE_AWAY && target - sym->addr >= sym->size &&
			 !is_detour(walk, decoder, sym, target) &&
			 walk->leads == KC_LEADS_ELSEWHERE)
			go_to(walk, target);
	}
}

static void take_insn(struct walk *walk, const struct kc_sym *sym, const struct kc_insn *insn)
{
	bool inside = insn->target - sym->addr < sym->size;

	switch (insn->flow) {
	case KC_FLOW_CALL:
		/* A retpoline calls its own middle. */
		if (may_be_replaced(walk, sym, insn) || (inside && insn->target != sym->addr))
			walk->leads = KC_LEADS_ANYWHERE;
		break;
	case KC_FLOW_JUMP:
	case KC_FLOW_BRANCH:
		if (!insn->target)
			walk->leads = KC_LEADS_ANYWHERE;
		else if (!inside)
			go_to(walk, insn->target);
		break;
	default:
		break;
	}
}

/* What compilers fill up with is this, too. */
static bool does_nothing(const struct kc_insn *insn)
{
	return insn->flow == KC_FLOW_NEXT && !insn->writes && !insn->effect && !insn->frame;
}

/*
 * Does the function's end run on into what has a name of its own, as in assembly? `last` is the
 * last of its instructions that does something. A call that is the last one comes back in
 * assembly only, which does not align what it goes on with.
 */
static bool runs_on(const struct kc_insn *last, uint64_t end)
{
	return last->flow == KC_FLOW_NEXT || last->flow == KC_FLOW_BRANCH ||
	       (last->flow == KC_FLOW_CALL && end % FUNCTION_ALIGN);
}

static void follow_function(struct walk *walk, struct kc_decoder *decoder, const struct kc_sym *sym)
{
	kc_auto_free uint8_t *bytes = malloc(sym->size);
	struct kc_insn insn = { .flow = KC_FLOW_NEXT }, last = {};
	uint64_t end = sym->addr + sym->size;
	bool behind = false; /* a breakpoint, which may be a patch's */

	if (!bytes || kc_text_read(walk->kernel, sym->addr, bytes, sym->size)) {
		walk->leads = KC_LEADS_NOT_NOW;
		return;
	}
	for (size_t at = 0; at < sym->size && walk->leads == KC_LEADS_ELSEWHERE; at += insn.len) {
		/*
		 * Compilers put breakpoints behind what does not come back; patches, anywhere.
		 * Calls that do not are those of a retpoline's own middle: it has led anywhere by
		 * now.
		 */
		bool goes_on = insn.flow == KC_FLOW_NEXT || insn.flow == KC_FLOW_BRANCH ||
			       insn.flow == KC_FLOW_CALL;

		if (goes_on && kc_text_is_torn(bytes + at, sym->size - at))
			walk->leads = KC_LEADS_NOT_NOW;
		else if (!kc_decode(decoder, bytes + at, sym->size - at, sym->addr + at, &insn))
			walk->leads = behind ? KC_LEADS_NOT_NOW : KC_LEADS_ANYWHERE;
		if (walk->leads != KC_LEADS_ELSEWHERE)
			return;
		behind = kc_arch()->is_breakpoint(bytes[at]);
		take_insn(walk, sym, &insn);
		if (walk->leads == KC_LEADS_ELSEWHERE)
			take_edges(walk, decoder, sym, &insn);
		if (!does_nothing(&insn))
			last = insn;
	}
	if (walk->leads != KC_LEADS_ELSEWHERE || !runs_on(&last, end))
		return;
	go_to(walk, end);
}

enum kc_leads kc_leads(const struct kc_kernel *kernel, struct kc_decoder *decoder, uint64_t target,
		       const struct kc_sym *below)
{
	struct walk walk = { .kernel = kernel, .below = below, .leads = KC_LEADS_ELSEWHERE };
	const struct kc_sym *first = kc_ksyms_find(kernel->ksyms, target);

	if (!first || target - first->addr >= ENTRY_LEN)
		return KC_LEADS_ANYWHERE;
	go_to(&walk, target);
	for (size_t i = 0; i < walk.count && walk.leads == KC_LEADS_ELSEWHERE; i++)
		follow_function(&walk, decoder, walk.syms[i]);
	return walk.leads;
}
