// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "guard/flow.h"

#include <errno.h>
#include <string.h>

#include "kernel/text.h"
#include "util/array.h"

static int add_piece(struct kc_flow *flow, uint64_t start, size_t len, uint8_t *bytes)
{
	int32_t *index = malloc(len * sizeof(*index));

	if (!index)
		return -ENOMEM;
	memset(index, 0xff, len * sizeof(*index));
	flow->pieces[flow->nr_pieces++] = (struct kc_piece){ start, len, bytes, index };
	return 0;
}

/* Is addr in our own .cold part? gcc names it after the function. */
static struct kc_piece *enter_cold(struct kc_flow *flow, uint64_t addr)
{
	const struct kc_ksyms *ksyms = flow->kernel->ksyms;
	const struct kc_sym *cold = kc_ksyms_find(ksyms, addr);
	const char *name = kc_sym_name(ksyms, flow->sym);
	size_t stem = cold ? kc_sym_cold_stem(kc_sym_name(ksyms, cold)) : 0;
	uint8_t *bytes;
	int err;

	if (!stem || flow->nr_pieces == 2 || strlen(name) != stem ||
	    memcmp(name, kc_sym_name(ksyms, cold), stem) != 0)
		return NULL;
	bytes = malloc(cold->size);
	if (!bytes) {
		flow->err = -ENOMEM;
		return NULL;
	}
	err = kc_text_read(flow->kernel, cold->addr, bytes, cold->size);
	if (err) {
		flow->torn |= err == -EAGAIN;
		free(bytes);
		return NULL;
	}
	flow->err = flow->err ?: add_piece(flow, cold->addr, cold->size, bytes);
	if (flow->err) {
		free(bytes);
		return NULL;
	}
	return &flow->pieces[1];
}

static struct kc_piece *piece_at(struct kc_flow *flow, uint64_t addr)
{
	for (size_t i = 0; i < flow->nr_pieces; i++)
		if (addr - flow->pieces[i].start < flow->pieces[i].len)
			return &flow->pieces[i];
	return enter_cold(flow, addr);
}

static bool same_slot(const struct kc_flow_state *state, const struct kc_slot_rule *rule)
{
	return state->live == KC_LIVE_SEALED && state->base == rule->base &&
	       state->offset == rule->offset;
}

/* Merge what arrives into what is known; true if that changed anything. */
static bool merge(struct kc_flow_state *into, const struct kc_flow_state *from)
{
	struct kc_flow_state old = *into;

	if (into->live != from->live || into->base != from->base || into->offset != from->offset) {
		into->live = KC_LIVE_UNKNOWN;
		into->base = 0;
		into->offset = 0;
	}
	into->guard_regs &= from->guard_regs;
	into->slot_regs &= from->slot_regs;
	if (into->slot_load != from->slot_load)
		into->slot_load = 0;
	if (into->depth != from->depth)
		into->depth = 0;
	return memcmp(&old, into, sizeof(old)) != 0;
}

static void enqueue(struct kc_flow *flow, uint32_t i)
{
	if (flow->insns[i].queued)
		return;
	flow->err = flow->err ?: kc_grow(flow->queue, flow->queue_capacity, flow->queued + 1);
	if (flow->err)
		return;
	flow->insns[i].queued = true;
	flow->queue[flow->queued++] = i;
}

/* Control arrives at addr with this state. */
static void arrive(struct kc_flow *flow, uint64_t addr, const struct kc_flow_state *state)
{
	struct kc_piece *piece = piece_at(flow, addr);
	struct kc_insn insn;
	size_t at;

	if (!piece)
		return;
	at = addr - piece->start;
	if (piece->index[at] >= 0) {
		if (merge(&flow->insns[piece->index[at]].in, state))
			enqueue(flow, piece->index[at]);
		return;
	}
	flow->torn |= kc_text_is_torn(piece->bytes + at, piece->len - at);
	if (!kc_decode(flow->decoder, piece->bytes + at, piece->len - at, addr, &insn)) {
		flow->undecodable = true;
		return;
	}
	flow->err = flow->err ?: kc_grow(flow->insns, flow->capacity, flow->count + 1);
	if (flow->err)
		return;
	flow->insns[flow->count] = (struct kc_flow_insn){ .insn = insn, .in = *state };
	piece->index[at] = flow->count;
	enqueue(flow, flow->count++);
}

bool kc_flow_slot(const struct kc_kernel *kernel, const struct kc_insn *insn,
		  struct kc_slot_rule *ret_rule)
{
	struct kc_slot_rule rule = { .live = KC_LIVE_SEALED, .offset = insn->disp };
	struct kc_orc orc;

	if (!kc_kernel_orc(kernel, insn->addr, &orc) || orc.type != KC_ORC_CALL)
		return false;
	if ((insn->base == KC_REG_SP && orc.sp_reg == KC_ORC_REG_SP) ||
	    (insn->base == KC_REG_BP && orc.sp_reg == KC_ORC_REG_BP)) {
		rule.base = KC_SLOT_CFA;
		rule.offset -= orc.sp_offset;
	} else if (insn->base == KC_REG_SP) {
		rule.base = KC_SLOT_SP; /* the stack was realigned */
	} else if (orc.sp_reg == KC_ORC_REG_BP_INDIRECT) {
		rule.base = KC_SLOT_BP; /* realigned, caller's frame through a pointer */
	} else {
		return false; /* BP is no frame pointer here */
	}
	*ret_rule = rule;
	return true;
}

/* Does [base + disp] at this instruction name the slot of the state? */
static bool is_slot(const struct kc_flow *flow, const struct kc_flow_insn *at)
{
	struct kc_slot_rule rule;

	return kc_flow_slot(flow->kernel, &at->insn, &rule) && same_slot(&at->in, &rule);
}

static uint16_t bit_of(uint8_t reg)
{
	return reg == KC_NO_REG ? 0 : 1u << reg;
}

bool kc_flow_is_seal(const struct kc_flow_insn *at)
{
	return at->insn.effect == KC_EFFECT_STORE && (at->in.guard_regs & bit_of(at->insn.reg));
}

bool kc_flow_is_check(const struct kc_flow_insn *at)
{
	return at->insn.effect == KC_EFFECT_GUARD_CHECK ||
	       (at->insn.effect == KC_EFFECT_COMPARE && (at->in.guard_regs & bit_of(at->insn.reg)));
}

bool kc_flow_checks_slot(const struct kc_flow *flow, const struct kc_flow_insn *at)
{
	if (at->insn.effect == KC_EFFECT_COMPARE)
		return is_slot(flow, at);
	return at->in.slot_regs & bit_of(at->insn.reg);
}

static void seal(struct kc_flow *flow, const struct kc_insn *insn, struct kc_flow_state *state)
{
	struct kc_slot_rule rule;

	if (!kc_flow_slot(flow->kernel, insn, &rule)) {
		state->live = KC_LIVE_UNKNOWN;
		return;
	}
	state->live = KC_LIVE_SEALED;
	state->base = rule.base;
	state->offset = rule.offset;
}

static void unseal(struct kc_flow_state *state)
{
	state->live = KC_LIVE_NO;
	state->base = 0;
	state->offset = 0;
}

#define MAX_DEPTH (1 << 20) /* more than any stack is long */

/* SP moved by disp: so did the frame's lower end, and a slot is now elsewhere from it. */
static void move_sp(const struct kc_insn *insn, struct kc_flow_state *state)
{
	bool known = state->depth && insn->effect == KC_EFFECT_SP_ADD &&
		     insn->disp < state->depth && insn->disp >= state->depth - MAX_DEPTH;

	state->depth = known ? state->depth - insn->disp : 0;
	if (state->live != KC_LIVE_SEALED || state->base != KC_SLOT_SP)
		return;
	if (insn->effect == KC_EFFECT_SP_ADD)
		state->offset -= insn->disp;
	else
		state->live = KC_LIVE_UNKNOWN;
}

/* The state after an instruction. */
static struct kc_flow_state state_after(struct kc_flow *flow, const struct kc_flow_insn *at)
{
	const struct kc_insn *insn = &at->insn;
	struct kc_flow_state state = at->in;

	if (kc_flow_is_seal(at))
		seal(flow, insn, &state);
	else if (kc_flow_is_check(at))
		unseal(&state);
	else if (insn->effect == KC_EFFECT_SP_ADD || insn->effect == KC_EFFECT_SP_LOST)
		move_sp(insn, &state);
	state.guard_regs &= ~insn->writes;
	state.slot_regs &= ~insn->writes;
	if (insn->effect == KC_EFFECT_GUARD_LOAD)
		state.guard_regs |= bit_of(insn->reg);
	if (insn->effect == KC_EFFECT_LOAD && is_slot(flow, at)) {
		state.slot_regs |= bit_of(insn->reg);
		state.slot_load = insn->addr;
	}
	if ((insn->writes & bit_of(KC_REG_BP)) && state.live == KC_LIVE_SEALED &&
	    state.base == KC_SLOT_BP)
		state.live = KC_LIVE_UNKNOWN;
	return state;
}

/*
 * Where a function begins a tracer may have put a jump to code that it has made, which comes
 * back: CONFIG_DYNAMIC_FTRACE_WITH_JMP, v6.19; it was a call before.
 */
static bool comes_back(const struct kc_flow *flow, const struct kc_insn *insn)
{
	return insn->flow == KC_FLOW_JUMP &&
	       (insn->addr == flow->sym->addr ||
		insn->addr == flow->sym->addr + kc_arch()->landing_pad) &&
	       insn->target && !kc_kernel_is_text(flow->kernel, insn->target);
}

static void follow(struct kc_flow *flow, uint32_t i)
{
	struct kc_insn insn = flow->insns[i].insn; /* the array may move below */
	struct kc_flow_state in = flow->insns[i].in;
	struct kc_flow_state out = state_after(flow, &flow->insns[i]);
	bool falls_through = insn.flow == KC_FLOW_NEXT || insn.flow == KC_FLOW_BRANCH;
	const struct kc_edge *edges;
	size_t nr_edges = kc_kernel_edges(flow->kernel, insn.addr, &edges);
	bool has_key = false;

	for (size_t e = 0; e < nr_edges; e++) {
		if (edges[e].target == KC_EDGE_AWAY)
			continue;
		has_key = true;
		arrive(flow,
		       edges[e].target == KC_EDGE_NEXT ? insn.addr + insn.len : edges[e].target,
		       &in);
	}
	if (insn.flow == KC_FLOW_CALL)
		falls_through = !flow->fail || insn.target != flow->fail;
	/* A static key's jump was a nop yesterday and may be one tomorrow. */
	if (insn.flow == KC_FLOW_JUMP && has_key)
		falls_through = true;
	/* What it runs on its way may be ours: a probe's copy of what it has replaced. */
	if (comes_back(flow, &insn)) {
		falls_through = true;
		out.depth = 0;
	}
	if (falls_through)
		arrive(flow, insn.addr + insn.len, &out);
	if ((insn.flow == KC_FLOW_JUMP || insn.flow == KC_FLOW_BRANCH) && insn.target)
		arrive(flow, insn.target, &out);
}

int kc_flow_run(const struct kc_kernel *kernel, struct kc_decoder *decoder,
		const struct kc_sym *sym, uint8_t *bytes, struct kc_flow *ret_flow)
{
	/* The return address lies between CFA and SP. */
	struct kc_flow_state entry = { .live = KC_LIVE_NO, .depth = sizeof(uint64_t) };
	struct kc_flow flow = { .kernel = kernel, .decoder = decoder, .sym = sym };
	const struct kc_sym *fail;

	if (kc_ksyms_by_name(kernel->ksyms, "__stack_chk_fail", &fail, 1))
		flow.fail = fail->addr;
	flow.err = add_piece(&flow, sym->addr, sym->size, bytes);
	if (!flow.err)
		arrive(&flow, sym->addr, &entry);
	while (!flow.err && flow.queued) {
		uint32_t i = flow.queue[--flow.queued];

		flow.insns[i].queued = false;
		follow(&flow, i);
	}
	if (flow.err) {
		kc_flow_free(&flow);
		return flow.err;
	}
	*ret_flow = flow;
	return 0;
}

void kc_flow_free(struct kc_flow *flow)
{
	for (size_t i = 0; i < flow->nr_pieces; i++)
		free(flow->pieces[i].index);
	if (flow->nr_pieces == 2)
		free(flow->pieces[1].bytes);
	free(flow->insns);
	free(flow->queue);
}
