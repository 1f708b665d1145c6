// SPDX-License-Identifier: GPL-2.0-only
/*
 * Live probes: kprobes on chosen instructions of running tasks.
 *
 *	entry of a function    depth and headroom of the stack
 *	load before a check    slot = task canary = this CPU's guard?
 *	return instruction     the return address, and where it is, as at the entry?
 *	entry of panic()       the tripwire, for the stack protector's panics only
 *
 * What differs goes into the ring buffer with a scrubbed copy of the stack. Where
 * the kernel is about to panic, the CPU is then held, for a bounded time, until
 * user space has written the event out.
 */
#include "kc.bpf.h"

#define SCRATCH_HEAD struct kc_event event
#include "check.bpf.h"
#include "scratch.bpf.h"
#include "slots.bpf.h"
#include "word.bpf.h"

#define PF_KTHREAD 0x00200000

/* Of so much time a CPU is held once: a flood of events must not stop the host. */
#define HOLD_SLICE_NS 2000000000ULL

char LICENSE[] SEC("license") = "GPL";

__u64 lost;		 /* events that found no room in the ring buffer */
__u64 done[KC_MAX_CPUS]; /* written by user space: the event that it has written out */

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KC_MAX_DEPTHS);
	__type(key, __u32);
	__type(value, struct kc_depth);
} depths SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} events SEC(".maps");

/* Where a thread entered a function, and to where it must return. */
struct frame_key {
	__u64 sp;
	__u32 tid;
	__u32 depth;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, struct frame_key);
	__type(value, __u64);
} returns SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KC_MAX_THREADS);
	__type(key, __u32); /* tid */
	__type(value, struct kc_deepest);
} threads SEC(".maps");

/* The time slices in which a CPU was held; whoever enters one first may hold. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 64);
	__type(key, __u64);
	__type(value, __u64);
} holds SEC(".maps");

struct told_key {
	__u64 start_ns;
	__u32 tid;
	__u32 depth;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KC_MAX_THREADS);
	__type(key, struct told_key);
	__type(value, __u64);
} told SEC(".maps");

static __always_inline void read_regs(struct pt_regs *ctx, struct here *here)
{
	/* The breakpoint, or the jump in its place, has moved ip by one byte. */
	here->site = ctx->ip - 1;
	here->sp = ctx->sp;
	here->bp = ctx->bp;
	barrier_var(here->sp);
	barrier_var(here->bp);
}

/* Find the task's stack. False if SP is not on it. */
static __always_inline bool locate(struct task_struct *task, struct here *here)
{
	here->stack = task_stack(task);
	here->top = here->stack + config.thread_size;
	return here->sp > here->stack && here->sp < here->top;
}

static __always_inline void fill_task(struct task_struct *task, const struct here *here,
				      struct kc_record *head)
{
	struct task_struct *leader;
	__u32 flags = 0;

	__builtin_memset(head, 0, sizeof(*head));
	bpf_core_read(&head->pid, sizeof(head->pid), &task->tgid);
	bpf_core_read(&head->tid, sizeof(head->tid), &task->pid);
	bpf_core_read(&head->start_ns, sizeof(head->start_ns), &task->start_boottime);
	bpf_core_read(head->comm, sizeof(head->comm), &task->comm);
	bpf_core_read(&leader, sizeof(leader), &task->group_leader);
	bpf_core_read(head->leader_comm, sizeof(head->leader_comm), &leader->comm);
	bpf_core_read(&flags, sizeof(flags), &task->flags);
	if (flags & PF_KTHREAD)
		head->flags |= KC_RECORD_KTHREAD;
	head->sp = here->sp;
	head->top = here->top;
	head->boot_ns = bpf_ktime_get_boot_ns();
}

/*
 * The system call, out of the registers that user mode left at the stack's top.
 * Kernels that can use FRED leave 16 bytes above them (TOP_OF_KERNEL_STACK_PADDING,
 * Linux commit 65c9cc9e2c14 ("x86/fred: Reserve space for the FRED stack frame"),
 * v6.9): what looks like user mode's segments there is taken for them.
 */
#define FRED_PADDING 16

static __always_inline bool read_user_regs(__u64 at, struct pt_regs *regs)
{
	return !bpf_probe_read_kernel(regs, sizeof(*regs), (void *)at) && (regs->cs & 3) == 3 &&
	       (regs->ss & 3) == 3 && regs->cs < 0x100 && regs->ss < 0x100;
}

static __always_inline void fill_syscall(struct kc_event *event)
{
	__u64 at = event->task.top - sizeof(struct pt_regs);
	struct pt_regs regs = {};

	event->syscall = -1;
	if ((event->task.flags & KC_RECORD_KTHREAD) || config.regs_size != sizeof(regs))
		return;
	if (!read_user_regs(at, &regs) && !read_user_regs(at - FRED_PADDING, &regs))
		return;
	event->syscall = regs.orig_ax;
	event->args[0] = regs.di;
	event->args[1] = regs.si;
	event->args[2] = regs.dx;
	event->args[3] = regs.r10;
	event->args[4] = regs.r8;
	event->args[5] = regs.r9;
}

/*
 * Wait until user space has written the event out, or the time is up. Interrupts
 * may be off here. Nested loops in global functions: the verifier looks into each
 * once, and 5.10 has no bpf_loop().
 */
#define SPINS 1000

__attribute__((noinline)) int spin(__u32 cpu, __u64 id, __u64 until)
{
	for (__u32 i = 0; i < SPINS; i++) {
		if (cpu >= KC_MAX_CPUS || *(volatile __u64 *)&done[cpu] == id ||
		    bpf_ktime_get_ns() >= until)
			return 1;
	}
	return 0;
}

__attribute__((noinline)) int spin_long(__u32 cpu, __u64 id, __u64 until)
{
	for (__u32 i = 0; i < SPINS; i++)
		if (spin(cpu, id, until))
			return 1;
	return 0;
}

/* A panic comes once and always may; of the rest one, on one CPU, in a slice of time. */
static __always_inline bool may_hold(__u32 kind, __u64 now)
{
	__u64 slice = now / HOLD_SLICE_NS;

	if (!config.hold_ns)
		return false;
	return kind == KC_EVENT_PANIC || !bpf_map_update_elem(&holds, &slice, &now, BPF_NOEXIST);
}

static __always_inline void hold(const struct kc_event *event, __u64 until)
{
	for (__u32 i = 0; i < 100; i++)
		if (spin_long(event->cpu, event->id, until))
			return;
}

/*
 * Send out->event, with a copy of the task's stack if SP is on it. Its kind, index
 * and what belongs to the kind are filled in. hold_cpu: this kernel is about to panic.
 */
static __always_inline void emit(struct task_struct *task, struct scratch *out,
				 const struct here *here, bool hold_cpu)
{
	struct kc_own_stack own = { here->stack, config.thread_size };
	struct kc_event *event = &out->event;
	__u64 now = bpf_ktime_get_ns(), bytes, len;

	fill_task(task, here, &event->task);
	fill_syscall(event);
	event->site = here->site;
	/* Any register may hold the guard; what unwinding needs of this one is an address. */
	event->bp = kc_scrub(here->bp, here->canary, &own);
	event->headroom = here->sp - here->stack;
	event->cpu = bpf_get_smp_processor_id();
	event->id = now << 10 | (event->cpu & (KC_MAX_CPUS - 1));
	event->lost = lost;
	bytes = read_stack(out, here->sp, here->top);
	scrub_stack(bytes, here->canary, here->stack, config.thread_size);
	event->task.count = bytes / sizeof(__u64);
	if (!bytes)
		event->task.top = event->task.sp;
	hold_cpu = hold_cpu && may_hold(event->kind, now);
	if (hold_cpu)
		event->flags |= KC_EVENT_HELD;
	barrier_var(bytes);
	if (bytes > sizeof(out->words))
		return;
	len = sizeof(*event) + bytes;
	event->task.size = len;
	if (bpf_ringbuf_output(&events, out, len, BPF_RB_FORCE_WAKEUP))
		__sync_fetch_and_add(&lost, 1);
	else if (hold_cpu)
		hold(event, now + config.hold_ns);
}

/* An event of this kind, cleared but for the words. NULL: cannot be. */
static __always_inline struct scratch *new_event(enum kc_event_kind kind,
						 const struct kc_point *point)
{
	struct scratch *out;
	__u32 zero = 0;

	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!out)
		return NULL;
	__builtin_memset(&out->event, 0, sizeof(out->event));
	out->event.kind = kind;
	out->event.index = point->index;
	return out;
}

static __always_inline struct kc_places places(const struct here *here)
{
	return (struct kc_places){
		.stack = here->stack,
		.stack_top = here->top,
		.text = config.text_start,
		.text_end = config.text_end,
	};
}

static __always_inline bool is_wanted(struct task_struct *task)
{
	__u32 pid = 0;

	if (!config.pid)
		return true;
	bpf_core_read(&pid, sizeof(pid), &task->tgid);
	return pid == config.pid;
}

SEC("kprobe")
int kc_check(struct pt_regs *ctx)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct compared compared;
	struct here here = {};
	struct kc_places at;
	struct scratch *out;
	bool own;

	read_regs(ctx, &here);
	if (is_sealed(task, &here, &compared))
		return 0;
	own = locate(task, &here);
	compared.count->other_stack += !own;
	if (!is_wanted(task))
		return 0;
	/* On another stack there is nothing to copy: user space counts it as not proved. */
	out = new_event(KC_EVENT_CHECK, compared.point);
	if (!out)
		return 0;
	at = places(&here);
	kc_describe(&out->event.damage, compared.word, here.canary, &at);
	out->event.damage.slot = compared.slot;
	out->event.damage.same_below = same_below(compared.slot, compared.word);
	if (compared.guard != here.canary)
		out->event.flags |= KC_EVENT_GUARD_DIFFERS;
	emit(task, out, &here, own && compared.word != compared.guard);
	return 0;
}

/* Of a depth, which is less than 2^16. */
static __always_inline __u32 log2_of(__u64 value)
{
	__u32 log = (value >= 1 << 8) << 3;

	log += (value >> log >= 1 << 4) << 2;
	log += (value >> log >= 1 << 2) << 1;
	log += value >> log >= 1 << 1;
	return log;
}

/* Remember the thread's deepest entry. Mostly it is the last one again, and was as deep. */
static __always_inline void note_thread(struct task_struct *task, struct kc_point_count *count,
					__u64 depth, __u32 index)
{
	struct kc_deepest entry = {}, *known;
	__u32 tid = (__u32)bpf_get_current_pid_tgid();

	if (count->recent_tid == tid && count->recent_max >= depth)
		return;
	count->recent_tid = tid;
	count->recent_max = depth;
	known = bpf_map_lookup_elem(&threads, &tid);
	if (known && known->max >= depth)
		return;
	bpf_core_read(&entry.start_ns, sizeof(entry.start_ns), &task->start_boottime);
	entry.max = depth;
	entry.function = index;
	bpf_map_update_elem(&threads, &tid, &entry, BPF_ANY);
}

static __always_inline void warn_exhausted(struct task_struct *task, const struct here *here,
					   const struct kc_point *point)
{
	struct told_key key = { .tid = (__u32)bpf_get_current_pid_tgid(), .depth = point->depth };
	struct scratch *out;
	__u64 one = 1;

	bpf_core_read(&key.start_ns, sizeof(key.start_ns), &task->start_boottime);
	if (!is_wanted(task) || bpf_map_lookup_elem(&told, &key))
		return;
	bpf_map_update_elem(&told, &key, &one, BPF_ANY);
	out = new_event(KC_EVENT_EXHAUSTED, point);
	if (out)
		emit(task, out, here, false);
}

static __always_inline int enter(struct here *here)
{
	struct kc_point_count *count;
	struct task_struct *task = (void *)bpf_get_current_task();
	struct kc_point *point;
	bool own;
	struct kc_depth *depths_of;
	struct frame_key key = {};
	__u64 depth, to = 0;

	own = locate(task, here);
	point = point_at(here->site);
	count = point ? bpf_map_lookup_elem(&counts, &point->index) : NULL;
	depths_of = point ? bpf_map_lookup_elem(&depths, &point->depth) : NULL;
	if (!point || !count || !depths_of)
		return 0;
	count->hits++;
	if (!own) {
		count->other_stack++;
		return 0;
	}
	depth = here->top - here->sp;
	if (depth > depths_of->max)
		depths_of->max = depth;
	depths_of->bucket[log2_of(depth) & (KC_DEPTH_BUCKETS - 1)]++;
	note_thread(task, count, depth, point->depth);
	if (point->match) {
		key.sp = here->sp;
		key.tid = (__u32)bpf_get_current_pid_tgid();
		key.depth = point->depth;
		if (bpf_probe_read_kernel(&to, sizeof(to), (void *)here->sp) ||
		    bpf_map_update_elem(&returns, &key, &to, BPF_ANY)) {
			bpf_map_delete_elem(&returns, &key); /* of an earlier call */
			count->unreadable++;
		}
	}
	if (here->sp - here->stack < config.headroom) {
		bpf_core_read(&here->canary, sizeof(here->canary), &task->stack_canary);
		warn_exhausted(task, here, point);
	}
	return 0;
}

SEC("kprobe")
int kc_entry(struct pt_regs *ctx)
{
	struct here here = {};

	read_regs(ctx, &here);
	return enter(&here);
}

/*
 * The same for all entries with one link. ip is wherever ftrace was called from,
 * SP as the caller's call left it (ftrace_caller in arch/x86/kernel/ftrace_64.S).
 */
SEC("kprobe.multi")
int kc_entry_multi(struct pt_regs *ctx)
{
	struct here here = {};

	read_regs(ctx, &here);
	here.site = bpf_get_func_ip(ctx);
	return enter(&here);
}

SEC("kprobe")
int kc_return(struct pt_regs *ctx)
{
	struct kc_point_count *count;
	__u64 *expected, word = 0;
	struct frame_key key = {};
	struct here here = {};
	struct task_struct *task = (void *)bpf_get_current_task();
	struct kc_point *point;
	bool own;
	struct kc_places at;
	struct scratch *out;

	read_regs(ctx, &here);
	own = locate(task, &here);
	point = point_at(here.site);
	count = point ? bpf_map_lookup_elem(&counts, &point->index) : NULL;
	if (!point || !count)
		return 0;
	count->hits++;
	if (!own) {
		count->other_stack++;
		return 0;
	}
	key.sp = here.sp;
	key.tid = (__u32)bpf_get_current_pid_tgid();
	key.depth = point->depth;
	expected = bpf_map_lookup_elem(&returns, &key);
	if (!expected) {
		count->unmatched++;
		return 0;
	}
	if (bpf_probe_read_kernel(&word, sizeof(word), (void *)here.sp)) {
		count->unreadable++;
		return 0;
	}
	if (word == *expected) {
		bpf_map_delete_elem(&returns, &key);
		return 0;
	}
	bpf_map_delete_elem(&returns, &key);
	count->mismatches++;
	out = is_wanted(task) ? new_event(KC_EVENT_RETURN, point) : NULL;
	if (!out)
		return 0;
	bpf_core_read(&here.canary, sizeof(here.canary), &task->stack_canary);
	at = places(&here);
	out->event.damage.slot = here.sp;
	out->event.damage.found = kc_classify(word, &at);
	/* Another place in text is a return probe's or a tracer's, most of the time. */
	emit(task, out, &here, word < KC_TEXT_HALF);
	return 0;
}

/* "stack-protector: Kernel stack is corrupted in: %pB", and no other panic. */
SEC("kprobe")
int kc_panic(struct pt_regs *ctx)
{
	static const char wanted[16] = "stack-protector:";
	__u64 format = ctx->di, caller = ctx->si;
	struct kc_point_count *count;
	struct here here = {};
	struct task_struct *task = (void *)bpf_get_current_task();
	struct kc_point *point;
	bool own;
	char text[16] = {};
	struct scratch *out;

	read_regs(ctx, &here);
	own = locate(task, &here);
	point = point_at(here.site);
	count = point ? bpf_map_lookup_elem(&counts, &point->index) : NULL;
	if (!point || !count)
		return 0;
	count->hits++;
	if (bpf_probe_read_kernel(text, sizeof(text), (void *)format))
		return 0;
	for (__u32 i = 0; i < sizeof(text); i++)
		if (text[i] != wanted[i])
			return 0;
	count->mismatches++;
	if (!own)
		count->other_stack++;
	out = new_event(KC_EVENT_PANIC, point);
	if (!out)
		return 0;
	bpf_core_read(&here.canary, sizeof(here.canary), &task->stack_canary);
	out->event.caller = caller;
	emit(task, out, &here, true);
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
