// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tripwire: the entry of panic(). Where the stack protector panics, there was damage
 * that nothing else saw in time.
 */
#include "check.bpf.h"
#include "emit.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* "stack-protector: Kernel stack is corrupted in: %pB", and no other panic. */
SEC("kprobe")
int kc_panic(struct pt_regs *ctx)
{
	static const char wanted[16] = "stack-protector:";
	__u64 format = first_argument(ctx), caller = second_argument(ctx);
	struct kc_point_count *count;
	struct here here = {};
	struct task_struct *task = (void *)bpf_get_current_task();
	struct kc_point *point;
	bool own;
	char text[16] = {};
	struct scratch *out;

	read_regs(ctx, &here);
	own = locate(task, &here);
	if (!find_point(here.site, &point, &count))
		return 0;
	count->hits++;
	if (bpf_probe_read_kernel(text, sizeof(text), (void *)format)) {
		count->unreadable++;
		return 0;
	}
	for (__u32 i = 0; i < sizeof(text); i++)
		if (text[i] != wanted[i])
			return 0;
	count->mismatches++;
	if (!own)
		count->other_stack++;
	out = read_canary(task, &here) ? new_event(KC_EVENT_PANIC, WANTED, point) : NULL;
	if (!out)
		return 0;
	out->event.caller = caller;
	if (read_guard(here.canary) != here.canary)
		out->event.flags |= KC_EVENT_GUARD_DIFFERS;
	/* Where the slot is only user space can tell. */
	emit(task, out, &here, true, true);
	return 0;
}
