// SPDX-License-Identifier: GPL-2.0-only
/* The load before a check: slot = task canary = this CPU's guard? */
#include "check.bpf.h"
#include "emit.bpf.h"
#include "slots.bpf.h"

char LICENSE[] SEC("license") = "GPL";

SEC("kprobe")
int kc_check(struct pt_regs *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct compared compared;
	struct here here = {};
	struct kc_places at;
	struct scratch *out;
	enum wanted how;
	bool own;

	read_regs(ctx, &here);
	if (is_too_deep(&here))
		return 0;
	if (is_sealed(task, &here, &compared))
		return 0;
	own = locate(task, &here);
	how = how_wanted();
	if (how == UNWANTED)
		return 0;
	compared.count->other_stack += !own;
	/* On another stack there is nothing to copy: user space counts it as not proved. */
	out = new_event(KC_EVENT_CHECK, how, compared.point);
	if (!out)
		return 0;
	at = places(&here);
	kc_describe(&out->event.damage, compared.word, here.canary, &at);
	out->event.damage.slot = compared.slot;
	count_same(&out->event.damage, compared.word, own ? here.top : 0);
	if (compared.guard != here.canary)
		out->event.flags |= KC_EVENT_GUARD_DIFFERS;
	emit(task, out, &here, how == WANTED && own && compared.word != compared.guard, false);
	return 0;
}

/* Run on request: is this CPU's guard where read_guard() looks? Returns 0 if so. */
SEC("raw_tp")
int kc_guard_test(struct bpf_raw_tracepoint_args *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	__u32 cpu = bpf_get_smp_processor_id();
	__u64 canary = 0, guard = 0;

	(void)ctx;
	if (cpu >= KC_MAX_CPUS || !config.guard[cpu] ||
	    bpf_core_read(&canary, sizeof(canary), &task->stack_canary) ||
	    bpf_probe_read_kernel(&guard, sizeof(guard), (void *)config.guard[cpu]))
		return 1;
	return guard != canary;
}
