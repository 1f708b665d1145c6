// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sweep: one pass over all threads, looking at the stacks of those that
 * are not running.
 *
 *	is something remembered of this very sleep?
 *	  no:  walk it by frame rules, remember what was met
 *	  yes, of the kernel's text as it is known now:
 *	       compare return addresses       ─► if one differs: stack record, with what they were
 *	       compare slots                  ─► if one differs: damage record
 *	  yes, but its text may have changed:
 *	       walk it again, by the same return addresses
 *	no rule for a frame, another return address, a slot differs; or something was found of it:
 *	       copy thread.sp .. top of stack, scrubbed ─► stack record
 *
 * The iterator's own buffer carries the records, so a slow reader slows the
 * pass down and nothing can be lost. When the buffer is full the kernel calls
 * the program again for the same task: nothing may be counted before
 * bpf_seq_write() has succeeded.
 */
#include "kc.bpf.h"

#include "arch.bpf.h"
#define SCRATCH_HEAD struct kc_record head
#include "scrub.bpf.h"
#include "slots.bpf.h"
#include "walk.bpf.h"
#include "wanted.bpf.h"
#include "word.bpf.h"

#define TASK_DEAD 0x80

/* What CONFIG_GCC_PLUGIN_STACKLEAK (CONFIG_KSTACK_ERASE) leaves in unused words. */
#define STACK_POISON (-0xBEEFULL)

char LICENSE[] SEC("license") = "GPL";

__u64 losses[KC_LOSS_NR];
struct scratch_map scratch SEC(".maps");

struct kc_sweep_config config;
struct kc_walk_config walking;
struct kc_pass pass;
__u64 kept; /* threads that were entered into `slots` here */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); /* user space sizes it to the host */
	__type(key, __u32);	/* tid */
	__type(value, struct kc_task_slots);
} slots SEC(".maps");

/* Threads that something was found of: what becomes of it only a copy tells. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32); /* tid */
	__type(value, __u32);
} followed SEC(".maps");

struct damage_record {
	struct kc_record head;
	struct kc_damage damage[KC_TASK_SLOTS];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct damage_record);
} damage_scratch SEC(".maps");

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
	return switches_of(task) == head->switches && saved_sp(task) == head->sp &&
	       task_stack(task) == stack && !(task_state(task) & TASK_DEAD);
}

/* A word that can't be read is no evidence. */
static __always_inline bool end_gone(__u64 stack)
{
	__u64 word;

	if (bpf_probe_read_kernel(&word, sizeof(word), (void *)stack)) {
		lose(KC_LOSS_STACK_END);
		return false;
	}
	return word != KC_STACK_END_MAGIC;
}

/* What became of one task in this pass. */
enum outcome {
	SAID,	 /* all there is to say */
	LATER,	 /* the record did not fit into the buffer: the kernel asks again */
	CHANGED, /* not as it was cached: copy the stack */
};

/* It could not be looked at, since it runs or ran: whose that is in every pass is told. */
static __always_inline enum outcome say_ran(struct seq_file *seq, struct task_struct *task,
					    struct kc_record *head, __u64 *count)
{
	name(task, head);
	head->kind = KC_RECORD_RAN;
	head->count = 0;
	head->size = sizeof(*head);
	if (bpf_seq_write(seq, head, sizeof(*head)))
		return LATER;
	*count += 1;
	return SAID;
}

/* What the nth cached slot of a task holds. Not 0: it can't be read, or is not there any more. */
__noinline int describe_slot(__u32 tid, __u32 nth, __u64 canary, __u64 top)
{
	const struct kc_task_slots *cached = bpf_map_lookup_elem(&slots, &tid);
	struct damage_record *out;
	__u64 slot, word = 0;
	__u32 zero = 0;

	out = bpf_map_lookup_elem(&damage_scratch, &zero);
	if (!cached || !out || nth >= KC_TASK_SLOTS)
		return 1;
	slot = top - 8ULL * cached->slot[nth];
	if (bpf_probe_read_kernel(&word, sizeof(word), (void *)slot))
		return 1;
	describe_found(slot, word, canary,
		       &(struct kc_places){
			       .stack = top - config.thread_size,
			       .stack_top = top,
			       .text = config.text_start,
			       .text_end = config.text_end,
		       },
		       &out->damage[nth]);
	return 0;
}

/*
 * Compare the cached slots of a task that still sleeps as it did, and describe
 * them if one differs, from a second read. Where there is no room to describe them the
 * stack is copied instead: user space sees the difference, counts it as not proved as long
 * as no second look bears it out, and no slot is counted as intact.
 *
 * Two loops, not one that counts what it finds, and each reads the count anew:
 * the verifier follows every value of a counter through every iteration.
 */
static __always_inline enum outcome check_slots(struct seq_file *seq, struct task_struct *task,
						struct kc_record *head,
						struct kc_task_slots *cached, __u64 stack)
{
	__u64 canary = task->stack_canary;
	struct damage_record *out;
	__u64 differing, failed = 0;
	__u32 zero = 0;

	/* Of one thread, what was asked for are its slots. */
	if (!config.only_tid && compare_returns(&cached->returns, head->top, &failed)) {
		head->flags |= KC_RECORD_DIFFERED;
		return CHANGED;
	}
	differing = compare_slots(cached, head->top, canary, &failed) |
		    (head->flags & KC_RECORD_END_GONE);
	out = bpf_map_lookup_elem(&damage_scratch, &zero);
	if (!out) {
		lose(KC_LOSS_SCRATCH);
		return CHANGED;
	}
	if (differing) {
		for (__u32 i = 0; i < KC_TASK_SLOTS; i++) {
			if (i >= slots_of(cached))
				break;
			failed |= describe_slot(head->tid, i, canary, head->top);
		}
	}
	if (failed || !same_sleep(task, head, stack))
		return say_ran(seq, task, head, &pass.moved);
	if (differing) {
		__u32 count = slots_of(cached);
		__u64 len = sizeof(out->head) + count * sizeof(out->damage[0]);

		name(task, head);
		out->head = *head;
		out->head.kind = KC_RECORD_DAMAGE;
		out->head.count = count;
		out->head.size = len;
		barrier_var(len);
		if (len > sizeof(*out)) {
			lose(KC_LOSS_SIZE);
			return CHANGED;
		}
		if (bpf_seq_write(seq, out, len))
			return LATER;
		pass.damaged++;
	} else {
		pass.cached_slots += slots_of(cached);
		cached->intact_ns = head->boot_ns;
	}
	pass.cached++;
	return SAID;
}

/* What the last walk has met. */
static __always_inline struct kc_task_slots *find_met(void)
{
	__u32 zero = 0;
	struct walk *at = bpf_map_lookup_elem(&walks, &zero);

	return at ? &at->met : NULL;
}

/* From here on it is compared by itself, until this sleep ends. */
static __always_inline void keep_met(const struct kc_record *head, struct kc_task_slots *met,
				     bool entered)
{
	met->start_ns = head->start_ns;
	met->switches = head->switches;
	met->sp = head->sp;
	met->intact_ns = head->boot_ns;
	met->pass = config.pass;
	met->epoch = config.epoch;
	if (bpf_map_update_elem(&slots, &head->tid, met, BPF_ANY))
		lose(KC_LOSS_RETURNS);
	else
		kept += !entered;
}

/* By frame rules. What does not come out complete and intact is user space's to look at. */
static __always_inline enum outcome walk_stack(struct seq_file *seq, struct task_struct *task,
					       struct kc_record *head, bool entered,
					       const struct kc_task_slots *known, __u64 stack)
{
	bool compared = config.walk == KC_WALK_COMPARED;
	struct kc_task_slots *met;
	struct walked walked = {};
	enum walk_end end;

	end = walk(head->sp, head->top, task->stack_canary, &walked);
	if (compared && end == WALK_COMPLETE)
		head->flags |= KC_RECORD_WALKED | (walked.slot ? KC_RECORD_WALK_DIFFERS : 0);
	met = find_met();
	if (compared || end != WALK_COMPLETE || walked.slot || !met ||
	    (known && returns_differ(&known->returns, &met->returns)))
		return CHANGED;
	if (!same_sleep(task, head, stack))
		return say_ran(seq, task, head, &pass.moved);
	keep_met(head, met, entered);
	pass.cached++;
	pass.cached_slots += walked.slots;
	return SAID;
}

/* Index of the lowest word of the piece that was ever written; PIECE: none. */
__attribute__((noinline)) int lowest_used(__u32 first)
{
	struct scratch *out;
	__u64 lowest = PIECE;
	__u32 zero = 0;

	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!out || first > KC_STACK_WORDS - PIECE) {
		lose(KC_LOSS_HIGH_WATER);
		return PIECE;
	}
	for (__u32 i = 0; i < PIECE; i++) {
		__u64 at = PIECE - 1 - i, word = out->words[first + at];
		__u64 unused = kc_mask_if_zero(word) | kc_mask_if_zero(word ^ STACK_POISON);

		lowest = (lowest & unused) | (at & ~unused);
	}
	return lowest;
}

/* The same of the first `words` of the scratch; `words`: none. */
__noinline int lowest_of(__u32 words)
{
	for (__u32 first = 0; first < KC_STACK_WORDS; first += PIECE) {
		__u32 at;

		if (first >= words)
			break;
		at = lowest_used(first);
		if (at < PIECE)
			return first + at < words ? first + at : words;
	}
	return words;
}

/* Where the deepest word lies that this stack's task has ever written; 0: can't be told. */
static __always_inline __u64 find_high_water(struct scratch *out, __u64 canary, __u64 stack,
					     __u64 sp)
{
	__u64 from = stack + sizeof(__u64); /* above the magic */
	__u64 words = from < sp ? read_stack(out, from, sp) / sizeof(__u64) : 0;
	__u64 found = from + lowest_of(words) * sizeof(__u64);

	if (from < sp && !words)
		return 0;
	/* Old copies of the canary lie there: none may stay in the scratch. */
	scrub_all(words * sizeof(__u64), canary, stack, config.thread_size);
	return found < sp ? found : sp;
}

/* Put behind the copied words what this sleep's return addresses were. Not 0: that is not known. */
__noinline int add_returns(__u32 tid, __u64 bytes)
{
	const struct kc_task_slots *cached = bpf_map_lookup_elem(&slots, &tid);
	struct scratch *out;
	__u32 zero = 0;

	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!cached || !out || bytes > sizeof(out->words))
		return 1;
	__builtin_memcpy((void *)out->words + bytes, &cached->returns, sizeof(cached->returns));
	return 0;
}

/* Copy and scrub a stack; known: return addresses of this sleep are. */
static __always_inline enum outcome copy_stack(struct seq_file *seq, struct task_struct *task,
					       struct kc_record *head, bool known, __u64 stack)
{
	__u64 canary = task->stack_canary, bytes, more = 0, len;
	struct scratch *out;
	__u32 zero = 0;

	out = bpf_map_lookup_elem(&scratch, &zero);
	if (!out) {
		lose(KC_LOSS_SCRATCH);
		return SAID;
	}
	if (config.high_water) {
		head->flags |= KC_RECORD_HIGH_WATER;
		head->high_water = find_high_water(out, canary, stack, head->sp);
	}
	bytes = read_stack(out, head->sp, head->top);
	/* Also if it is not handed out: the scratch must not keep a canary. */
	if (scrub_all(bytes, canary, stack, config.thread_size))
		bytes = 0;
	/* A stack that vanished is a task that moved on. */
	if (!same_sleep(task, head, stack))
		return say_ran(seq, task, head, &pass.moved);
	if (config.high_water && !head->high_water)
		lose(KC_LOSS_HIGH_WATER);
	barrier_var(bytes);
	if (!bytes || bytes > sizeof(out->words)) {
		pass.unreadable++;
		return SAID;
	}
	name(task, head);
	if (known && add_returns(head->tid, bytes)) {
		lose(KC_LOSS_RETURNS);
	} else if (known) {
		head->flags |= KC_RECORD_RETURNS;
		more = sizeof(struct kc_returns);
	}
	out->head = *head;
	out->head.kind = KC_RECORD_STACK;
	out->head.count = bytes / sizeof(__u64);
	len = bytes + more;
	barrier_var(len);
	if (len > sizeof(out->words) + sizeof(out->room)) {
		lose(KC_LOSS_SIZE);
		return SAID;
	}
	out->head.size = sizeof(out->head) + len;
	if (bpf_seq_write(seq, out, sizeof(out->head) + len))
		return LATER;
	pass.copied++;
	return SAID;
}

SEC("iter/task")
int kc_sweep(struct bpf_iter__task *ctx)
{
	struct seq_file *seq = ctx->meta->seq;
	struct task_struct *task = ctx->task;
	enum outcome outcome = CHANGED;
	struct kc_task_slots *entered, *known = NULL;
	struct kc_record head = {};
	__u64 stack;
	bool copied;

	if (!task)
		return 0;
	head.pid = task->tgid;
	head.tid = task->pid;
	head.start_ns = task->start_boottime;
	if (head.pid == config.wanted.self)
		return 0;
	if ((config.only_tid && head.tid != config.only_tid) ||
	    !is_task_wanted(&config.wanted, task, &head)) {
		pass.filtered++;
		return 0;
	}

	/* The count before on_cpu: a task that runs between the two is noticed later. */
	head.switches = switches_of(task);
	head.state = task_state(task);
	stack = task_stack(task);
	if (task_on_cpu(task)) {
		head.flags = KC_RECORD_RUNNING;
		if (say_ran(seq, task, &head, &pass.running) == SAID)
			pass.tasks++;
		return 0;
	}
	if ((head.state & TASK_DEAD) || task->exit_state || !stack) {
		pass.tasks++;
		pass.dead++;
		return 0;
	}
	head.sp = saved_sp(task);
	head.top = stack + config.thread_size;
	head.boot_ns = bpf_ktime_get_boot_ns();
	if (head.sp <= stack || head.sp >= head.top || (head.sp & 7)) {
		pass.tasks++;
		pass.unreadable++;
		return 0;
	}
	if (task->flags & PF_KTHREAD)
		head.flags |= KC_RECORD_KTHREAD;
	if (task->flags & PF_FREEZER_SKIP)
		head.flags |= KC_RECORD_FREEZER_SKIPS;
	if (end_gone(stack))
		head.flags |= KC_RECORD_END_GONE;

	entered = bpf_map_lookup_elem(&slots, &head.tid);
	if (entered && entered->start_ns == head.start_ns && entered->switches == head.switches &&
	    entered->sp == head.sp) {
		known = entered;
		known->pass = config.pass;
		if (!config.high_water)
			head.intact_ns = known->intact_ns;
	}
	copied = config.follows && bpf_map_lookup_elem(&followed, &head.tid);
	if (copied && !config.only_tid)
		outcome = CHANGED;
	else if (config.walk == KC_WALK_COMPARED && !config.only_tid) /* else: confirmed */
		outcome = walk_stack(seq, task, &head, entered, known, stack);
	else if (known && known->epoch == config.epoch)
		outcome = check_slots(seq, task, &head, known, stack);
	else if (config.walk && !copied && !(head.flags & KC_RECORD_END_GONE))
		outcome = walk_stack(seq, task, &head, entered, known, stack);
	if (outcome == CHANGED)
		outcome = copy_stack(seq, task, &head, known && nr_of(&known->returns), stack);
	if (outcome == SAID)
		pass.tasks++;
	return 0;
}
