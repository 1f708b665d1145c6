// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sweep: one pass over all threads, looking at the stacks of those that
 * are not running.
 *
 *	same sleep as when its slots were cached?
 *	  yes: compare each cached slot with task->stack_canary  ─► damage record
 *	  no:  copy thread.sp .. top of stack, scrubbed          ─► stack record
 *
 * The iterator's own buffer carries the records, so a slow reader slows the
 * pass down and nothing can be lost. When the buffer is full the kernel calls
 * the program again for the same task: nothing may be counted before
 * bpf_seq_write() has succeeded.
 */
#include "kc.bpf.h"
#include "word.bpf.h"

#define TASK_DEAD  0x80
#define PF_KTHREAD 0x00200000

char LICENSE[] SEC("license") = "GPL";

struct kc_sweep_config config;
struct kc_pass pass;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, KC_CACHED_TASKS);
	__type(key, __u32); /* tid */
	__type(value, struct kc_task_slots);
} slots SEC(".maps");

struct stack_record {
	struct kc_record head;
	__u64 words[KC_STACK_WORDS];
};

struct damage_record {
	struct kc_record head;
	struct kc_damage damage[KC_TASK_SLOTS];
};

/* Too large for the BPF stack. One pass runs at a time, on one CPU at a time. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct stack_record);
} stack_scratch SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct damage_record);
} damage_scratch SEC(".maps");

static __always_inline __u64 switches_of(struct task_struct *task)
{
	return *(volatile unsigned long *)&task->nvcsw + *(volatile unsigned long *)&task->nivcsw;
}

/*
 * Is this still the sleep that `head` describes, on a stack that is still the
 * task's? The order matters. __schedule() counts the switch before the task
 * leaves the CPU (finish_task() clears on_cpu with release semantics), so:
 * off the CPU now, and then the same count as before the copy, means that the
 * task did not run in between. Reading the count first would accept a task that
 * ran and went back to sleep between the two reads.
 */
static __always_inline bool same_sleep(struct task_struct *task, const struct kc_record *head,
				       __u64 stack)
{
	if (task_on_cpu(task))
		return false;
	return switches_of(task) == head->switches && task->thread.sp == head->sp &&
	       task_stack(task) == stack && !(task_state(task) & TASK_DEAD);
}

static __always_inline bool comm_is(const char *comm)
{
	for (__u32 i = 0; i < KC_COMM_LEN; i++) {
		if (i >= config.comm_len)
			break;
		if (comm[i] != config.comm[i])
			return false;
	}
	return true;
}

static __always_inline bool wanted(const struct kc_record *head)
{
	if (config.only_tid && head->tid != config.only_tid)
		return false;
	if (config.pid && head->pid != config.pid)
		return false;
	return !config.comm_len || comm_is(head->comm) || comm_is(head->leader_comm);
}

static __always_inline void identify(struct task_struct *task, struct kc_record *head)
{
	head->pid = task->tgid;
	head->tid = task->pid;
	head->start_ns = task->start_boottime;
	bpf_probe_read_kernel(head->comm, sizeof(head->comm), task->comm);
	bpf_probe_read_kernel(head->leader_comm, sizeof(head->leader_comm),
			      task->group_leader->comm);
}

static __always_inline __u32 count_of(const struct kc_task_slots *cached)
{
	return *(volatile __u32 *)&cached->count;
}

/*
 * Compare the cached slots of a task that still sleeps as it did, and describe
 * them if one differs, from a second read. Returns 0 when all was said, 1 if
 * the record could not be written yet.
 *
 * Two loops, not one that counts what it finds, and each reads the count anew:
 * the verifier follows every value of a counter through every iteration.
 */
static __always_inline int check_slots(struct seq_file *seq, struct task_struct *task,
				       const struct kc_record *head, struct kc_task_slots *cached,
				       __u64 stack)
{
	__u64 canary = task->stack_canary;
	struct kc_places at = {
		.stack = stack,
		.stack_top = head->top,
		.text = config.text_start,
		.text_end = config.text_end,
	};
	struct damage_record *out;
	__u64 differing = 0, failed = 0, word = 0;
	__u32 zero = 0;

	for (__u32 i = 0; i < KC_TASK_SLOTS; i++) {
		if (i >= count_of(cached))
			break;
		failed |= bpf_probe_read_kernel(&word, sizeof(word), (void *)cached->slot[i]);
		differing |= word ^ canary;
	}
	out = bpf_map_lookup_elem(&damage_scratch, &zero);
	if (differing && out) {
		for (__u32 i = 0; i < KC_TASK_SLOTS; i++) {
			if (i >= count_of(cached))
				break;
			failed |=
				bpf_probe_read_kernel(&word, sizeof(word), (void *)cached->slot[i]);
			out->damage[i].slot = cached->slot[i];
			kc_describe(&out->damage[i], word, canary, &at);
		}
	}
	if (failed || !same_sleep(task, head, stack)) {
		pass.moved++;
		return 0;
	}
	if (differing && out) {
		__u32 count = count_of(cached);
		__u64 len = sizeof(out->head) + count * sizeof(out->damage[0]);

		out->head = *head;
		out->head.kind = KC_RECORD_DAMAGE;
		out->head.count = count;
		out->head.size = len;
		barrier_var(len);
		if (len > sizeof(*out))
			return 0;
		if (bpf_seq_write(seq, out, len))
			return 1;
		pass.damaged++;
	} else {
		pass.cached_slots += count_of(cached);
	}
	cached->pass = config.pass;
	pass.cached++;
	return 0;
}

struct scrub_context {
	struct stack_record *out;
	__u64 canary;
};

static long scrub_word(__u32 i, struct scrub_context *ctx)
{
	if (i >= KC_STACK_WORDS)
		return 1;
	ctx->out->words[i] = kc_scrub(ctx->out->words[i], ctx->canary);
	return 0;
}

static __always_inline void scrub(struct stack_record *out, __u64 canary, bool have_bpf_loop)
{
	struct scrub_context ctx = { .out = out, .canary = canary };

	if (have_bpf_loop) {
		bpf_loop(out->head.count, scrub_word, &ctx, 0);
		return;
	}
	for (__u32 i = 0; i < KC_STACK_WORDS; i++) {
		if (i >= *(volatile __u16 *)&out->head.count)
			break;
		out->words[i] = kc_scrub(out->words[i], canary);
	}
}

/* Copy and scrub a stack. The same results as check_slots(). */
static __always_inline int copy_stack(struct seq_file *seq, struct task_struct *task,
				      const struct kc_record *head, __u64 stack, bool have_bpf_loop)
{
	__u64 canary = task->stack_canary;
	__u64 bytes = head->top - head->sp;
	struct stack_record *out;
	__u32 zero = 0;

	out = bpf_map_lookup_elem(&stack_scratch, &zero);
	if (!out)
		return 0;
	barrier_var(bytes);
	if (bytes > sizeof(out->words)) {
		pass.unreadable++;
		return 0;
	}
	if (bpf_probe_read_kernel(out->words, bytes, (void *)head->sp)) {
		/* A stack that vanished is a task that moved on. */
		if (same_sleep(task, head, stack))
			pass.unreadable++;
		else
			pass.moved++;
		return 0;
	}
	if (!same_sleep(task, head, stack)) {
		pass.moved++;
		return 0;
	}
	out->head = *head;
	out->head.kind = KC_RECORD_STACK;
	out->head.count = bytes / sizeof(__u64);
	out->head.size = sizeof(out->head) + bytes;
	scrub(out, canary, have_bpf_loop);
	if (bpf_seq_write(seq, out, sizeof(out->head) + bytes))
		return 1;
	pass.copied++;
	return 0;
}

static __always_inline int sweep(struct bpf_iter__task *ctx, bool have_bpf_loop)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	struct kc_task_slots *cached;
	struct kc_record head = {};
	__u64 stack;

	if (!task)
		return 0;
	identify(task, &head);
	if (head.pid == config.self)
		return 0;
	if (!wanted(&head)) {
		pass.filtered++;
		return 0;
	}

	/* The count before on_cpu: a task that runs between the two is noticed later. */
	head.switches = switches_of(task);
	head.state = task_state(task);
	stack = task_stack(task);
	if (task_on_cpu(task)) {
		pass.tasks++;
		pass.running++;
		return 0;
	}
	if ((head.state & TASK_DEAD) || task->exit_state || !stack) {
		pass.tasks++;
		pass.dead++;
		return 0;
	}
	head.sp = task->thread.sp;
	head.top = stack + config.thread_size;
	head.boot_ns = bpf_ktime_get_boot_ns();
	if (head.sp <= stack || head.sp >= head.top || (head.sp & 7)) {
		pass.tasks++;
		pass.unreadable++;
		return 0;
	}
	if (task->flags & PF_KTHREAD)
		head.flags |= KC_RECORD_KTHREAD;

	cached = bpf_map_lookup_elem(&slots, &head.tid);
	if (cached && cached->start_ns == head.start_ns && cached->switches == head.switches &&
	    cached->sp == head.sp) {
		if (check_slots(seq, task, &head, cached, stack) == 0)
			pass.tasks++;
	} else if (copy_stack(seq, task, &head, stack, have_bpf_loop) == 0) {
		pass.tasks++;
	}
	return 0;
}

/*
 * Two programs, of which one is loaded: bpf_loop() came with Linux commit
 * e6f2dd0f8067 ("bpf: Add bpf_loop helper"), v5.17, and a kernel without it
 * refuses even a dead reference to a callback.
 */
SEC("iter/task")
int kc_sweep(struct bpf_iter__task *ctx)
{
	return sweep(ctx, true);
}

SEC("?iter/task")
int kc_sweep_bounded(struct bpf_iter__task *ctx)
{
	return sweep(ctx, false);
}
