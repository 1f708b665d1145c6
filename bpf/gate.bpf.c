// SPDX-License-Identifier: GPL-2.0-only
/*
 * The gate: at each switch to a task that is watched its stack is walked by the sweep's rules. What
 * was damaged while it slept is told before it goes on.
 *
 * The run queue's lock is held here and interrupts are off: the task does not run, on no CPU, and
 * nothing may wait. So no CPU is held here, and what is shared with programs that may be in the
 * middle of something on this CPU (the sweep, probes of kprobe.multi) is the rules and the ring
 * alone. An object of its own: its scratch is.
 */
#include "kc.bpf.h"

#include "arch.bpf.h"
#include "ring.bpf.h"
#define SCRATCH_HEAD struct kc_event event
#include "scrub.bpf.h"
#include "slots.bpf.h"
#include "walk.bpf.h"
#include "wanted.bpf.h"
#include "word.bpf.h"

/* A difference that stays is sent again after so long, then twice as long, up to the other. */
#define AGAIN_NS     1000000000ULL
#define MAX_AGAIN_NS 8000000000ULL

char LICENSE[] SEC("license") = "GPL";

__u64 losses[KC_LOSS_NR];
struct kc_gate_config config;
struct kc_walk_config walking;
struct kc_gate_count gated[KC_MAX_CPUS];
struct kc_budget budgets[KC_MAX_CPUS];
bool told_any;

struct scratch_map scratch SEC(".maps");
struct events_map events SEC(".maps"); /* the probes' */

struct told_thread {
	__u64 start_ns;
	__u32 tid;
	__u32 pad;
};

/* The innermost difference of a thread, as it was told last; boot time. */
struct told {
	__u64 slot;
	__u64 ns, wait_ns;
	__u64 intact_ns; /* when all its slots were last seen intact; 0: never since the first */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct told_thread);
	__type(value, struct told);
} told SEC(".maps");

static __always_inline struct told_thread told_thread(const struct kc_record *head)
{
	return (struct told_thread){ .start_ns = head->start_ns, .tid = head->tid };
}

/* A difference at a place that was told is another one from now on. */
static __always_inline void note_intact(const struct kc_record *head, __u64 since_ns)
{
	struct told_thread key = told_thread(head);
	struct told *last;

	if (!told_any)
		return;
	last = bpf_map_lookup_elem(&told, &key);
	if (last)
		last->intact_ns = since_ns;
}

/* What the slot holds, from a second read. False: the canary, or it can't be read. */
static __always_inline bool describe(const struct kc_record *head, __u64 canary,
				     const struct walked *walked, struct kc_damage *damage)
{
	__u64 word;

	if (bpf_probe_read_kernel(&word, sizeof(word), (void *)walked->slot) || word == canary)
		return false;
	__builtin_memset(damage, 0, sizeof(*damage));
	describe_found(walked->slot, word, canary,
		       &(struct kc_places){
			       .stack = head->top - config.thread_size,
			       .stack_top = head->top,
			       .text = config.text_start,
			       .text_end = config.text_end,
		       },
		       damage);
	return true;
}

/* An event, with a scrubbed copy of the stack. False: it was lost, which is counted. */
static __always_inline bool send(struct task_struct *prev, struct task_struct *next,
				 const struct kc_record *head, const struct walked *walked,
				 const struct kc_damage *damage, const struct told *now)
{
	__u64 stack = head->top - config.thread_size, canary = next->stack_canary, bytes, len;
	struct scratch *out;
	__u32 zero = 0;

	if (!has_budget(budgets, KC_EVENT_GATE))
		return false;
	/* The rest is for who panics: it comes once, and this again. */
	if (bpf_ringbuf_query(&events, BPF_RB_AVAIL_DATA) >
	    bpf_ringbuf_query(&events, BPF_RB_RING_SIZE) / 2) {
		lose(KC_LOSS_RING);
		return false;
	}
	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!out) {
		lose(KC_LOSS_SCRATCH);
		return false;
	}
	__builtin_memset(&out->event, 0, sizeof(out->event));
	out->event.damage = *damage;
	out->event.task = *head;
	name(next, &out->event.task);
	out->event.task.boot_ns = now->ns;
	out->event.kind = KC_EVENT_GATE;
	out->event.bp = now->intact_ns;
	out->event.site = walked->pc;
	out->event.caller = (__u64)prev->tgid << 32 | (__u32)prev->pid;
	out->event.headroom = head->sp - stack;
	out->event.cpu = bpf_get_smp_processor_id();
	out->event.id = bpf_ktime_get_ns();
	out->event.lost = losses[KC_LOSS_RING];
	fill_syscall(&out->event, config.regs_size);
	bytes = read_stack(out, head->sp, head->top);
	if (scrub_all(bytes, canary, stack, config.thread_size))
		bytes = 0;
	barrier_var(bytes);
	if (!bytes || bytes > sizeof(out->words)) {
		lose(KC_LOSS_SIZE);
		return false;
	}
	len = sizeof(out->event) + bytes;
	out->event.task.count = bytes / sizeof(__u64);
	out->event.task.size = len;
	if (bpf_ringbuf_output(&events, out, len, BPF_RB_FORCE_WAKEUP)) {
		lose(KC_LOSS_RING);
		return false;
	}
	return true;
}

/* Tell it, unless it was told; what is lost on the way is told at the next switch. */
static __always_inline void differs(struct task_struct *prev, struct task_struct *next,
				    const struct kc_record *head, const struct walked *walked,
				    struct kc_gate_count *count)
{
	struct told_thread key = told_thread(head);
	struct told *last = bpf_map_lookup_elem(&told, &key);
	struct told now = {
		.slot = walked->slot,
		.ns = bpf_ktime_get_boot_ns(),
		.wait_ns = AGAIN_NS,
	};
	struct kc_damage damage;

	if (!describe(head, next->stack_canary, walked, &damage)) {
		count->odd++;
		return;
	}
	if (last) {
		now.intact_ns = last->intact_ns;
		/* Its function may sleep at one call and then at another. */
		if (last->slot == walked->slot && last->intact_ns <= last->ns) {
			if (now.ns - last->ns < last->wait_ns) {
				count->again++;
				return;
			}
			/* What was sent may have been too early to be proved: not ever rarer. */
			now.wait_ns =
				last->wait_ns < MAX_AGAIN_NS ? 2 * last->wait_ns : MAX_AGAIN_NS;
		}
	}
	if (!send(prev, next, head, walked, &damage, &now))
		return;
	if (bpf_map_update_elem(&told, &key, &now, BPF_ANY))
		lose(KC_LOSS_TOLD);
	told_any = true;
}

/*
 * Is the stack that this runs on, of who leaves the CPU, all but used up? The context lies on it
 * (bpf_trace_run4() in kernel/trace/bpf_trace.c; our own frame may not: private stacks, v6.13).
 */
static __always_inline bool is_too_deep(void *ctx, struct task_struct *prev)
{
	__u64 sp = as_number(ctx);

	return !sp || sp - task_stack(prev) < KC_DEEP_LEFT;
}

SEC("tp_btf/sched_switch")
int kc_gate(__u64 *ctx)
{
	/*
	 * preempt, prev, next, and from v5.18.4 on prev_state behind them. v5.18 has it before
	 * (Linux commit 9c2136be0878 ("sched/tracing: Append prev_state to tp args instead")): the
	 * verifier takes no number for a task.
	 */
	struct task_struct *prev = (void *)ctx[1], *next = (void *)ctx[2];
	struct kc_gate_count *count = &gated[bpf_get_smp_processor_id() & (KC_MAX_CPUS - 1)];
	struct kc_record head = {};
	struct walked walked = {};
	enum walk_end end;
	__u64 stack, since_ns = 0;

	head.pid = next->tgid;
	head.tid = next->pid;
	/* No CPU's idle task, which the sweep does not meet either. */
	if (!head.tid || head.pid == config.wanted.self ||
	    !is_task_wanted(&config.wanted, next, &head))
		return 0;
	if (!config.on) {
		count->paused++;
		return 0;
	}
	if (is_too_deep(ctx, prev)) {
		count->deep++;
		return 0;
	}
	stack = task_stack(next);
	head.sp = saved_sp(next);
	head.top = stack + config.thread_size;
	if (!stack || head.sp <= stack || head.sp >= head.top ||
	    (__u64)next == bpf_get_current_task()) {
		count->odd++;
		return 0;
	}
	head.start_ns = next->start_boottime;
	/* Before the walk: what is damaged right behind it is not mended. */
	if (told_any)
		since_ns = bpf_ktime_get_boot_ns();
	end = walk(head.sp, head.top, next->stack_canary, &walked);
	if (walked.slot) {
		head.switches = switches_of(next);
		head.state = task_state(next);
		if (next->flags & PF_KTHREAD)
			head.flags |= KC_RECORD_KTHREAD;
		differs(prev, next, &head, &walked, count);
		return 0;
	}
	count->verified += end == WALK_COMPLETE;
	count->no_rule += end == WALK_NO_RULE;
	count->odd += end == WALK_ODD;
	if (end != WALK_COMPLETE)
		return 0;
	count->slots += walked.slots;
	note_intact(&head, since_ns);
	return 0;
}
