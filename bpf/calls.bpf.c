// SPDX-License-Identifier: GPL-2.0-only
/*
 * Entries and returns of functions:
 *
 *	entry of a function    depth and headroom of the stack
 *	return instruction     the return address, and where it is, as at the entry?
 */
#include "depth.bpf.h"
#include "emit.bpf.h"

char LICENSE[] SEC("license") = "GPL";

/* Where a thread entered a function, and to where it must return. */
struct frame_key {
	__u64 sp;
	__u32 tid;
	__u32 call;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1 << 16);
	__type(key, struct frame_key);
	__type(value, __u64);
} returns SEC(".maps");

/* At which SP, at most, a thread that is older than the probes was seen to return from a function.
 */
struct returned_key {
	__u64 start_ns;
	__u32 tid;
	__u32 call;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KC_MAX_THREADS);
	__type(key, struct returned_key);
	__type(value, __u64);
} returned SEC(".maps");

/*
 * What stood in the place of return addresses at returns, in text: a return probe's or a tracer's
 * trampoline most of the time, at each of its calls.
 */
struct replaced_key {
	__u64 site, word;
	__u64 start_ns; /* of the thread, if user space may not want to hear of another */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4 * KC_MAX_POINTS);
	__type(key, struct replaced_key);
	__type(value, __u64);
} replaced SEC(".maps");

static __always_inline struct replaced_key replaced_key(struct task_struct *task,
							const struct here *here, __u64 word)
{
	struct replaced_key key = { .site = here->site, .word = word };

	if (config.wanted.by_cgroup)
		lose_if(KC_LOSS_TASK,
			bpf_core_read(&key.start_ns, sizeof(key.start_ns), &task->start_boottime));
	return key;
}

static __always_inline struct frame_key frame_key(const struct here *here,
						  const struct kc_point *point)
{
	return (struct frame_key){
		.sp = here->sp,
		.tid = (__u32)bpf_get_current_pid_tgid(),
		.call = point->call,
	};
}

/*
 * May a call that returns here be older than the probe of the entry? If the thread is older, too,
 * and was not seen to return from the function at this place or above it: what has lain here
 * before is gone then. All may be until the entry is probed.
 */
static __always_inline bool is_early(struct task_struct *task, const struct here *here,
				     const struct kc_point *point)
{
	struct returned_key key = { .tid = (__u32)bpf_get_current_pid_tgid(), .call = point->call };
	__u64 since = point->since_ns ? point->since_ns : config.armed_ns, *above;

	if (!config.armed_ns || since == KC_NOT_YET)
		return true;
	lose_if(KC_LOSS_TASK,
		bpf_core_read(&key.start_ns, sizeof(key.start_ns), &task->start_boottime));
	if (!key.start_ns || key.start_ns > since)
		return false;
	above = bpf_map_lookup_elem(&returned, &key);
	if (above && *above >= here->sp)
		return false;
	lose_if(KC_LOSS_RETURNS, bpf_map_update_elem(&returned, &key, &here->sp, BPF_ANY));
	return true;
}

/* No call that is older returns here or below any more. Mostly the thread is the last one again. */
static __always_inline void note_return(struct task_struct *task, const struct here *here,
					const struct kc_point *point, struct kc_point_count *count)
{
	__u32 tid = (__u32)bpf_get_current_pid_tgid();

	if (!config.armed_ns || point->since_ns == KC_NOT_YET ||
	    (count->recent_tid == tid && count->recent_max >= here->sp))
		return;
	count->recent_tid = tid;
	count->recent_max = here->sp;
	is_early(task, here, point);
}

static __always_inline void forget_return(const struct frame_key *key)
{
	int err = bpf_map_delete_elem(&returns, key);

	if (err && err != -ENOENT)
		lose(KC_LOSS_RETURNS);
}

/* To where it must return, for the return instruction's probe. */
static __always_inline void remember_return(const struct here *here, const struct kc_point *point,
					    struct kc_point_count *count)
{
	struct frame_key key = frame_key(here, point);
	__u64 to = 0;

	if (bpf_probe_read_kernel(&to, sizeof(to), (void *)here->sp))
		count->unreadable += is_wanted();
	else if (bpf_map_update_elem(&returns, &key, &to, BPF_ANY))
		lose(KC_LOSS_RETURNS);
	else
		return;
	forget_return(&key); /* of an earlier call */
}

static __always_inline int enter(struct here *here)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	struct kc_point_count *count;
	struct kc_point *point;
	bool own = locate(task, here);

	if (!find_point(here->site, &point, &count))
		return 0;
	count->hits++;
	if (!own) {
		count->other_stack += is_wanted();
		return 0;
	}
	note_depth(task, point, count, here->top - here->sp);
	if (point->call)
		remember_return(here, point, count);
	if (config.headroom && !is_left(here, point, config.headroom))
		warn_exhausted(task, here, point);
	return 0;
}

SEC("kprobe")
int kc_entry(struct pt_regs *ctx)
{
	struct here here = {};

	read_regs(ctx, &here);
	return is_too_deep(&here) ? 0 : enter(&here);
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
	return is_too_deep(&here) ? 0 : enter(&here);
}

SEC("kprobe")
int kc_return(struct pt_regs *ctx)
{
	struct kc_point_count *count;
	__u64 *expected, word = 0, one = 1;
	struct replaced_key again;
	struct frame_key key;
	struct here here = {};
	struct task_struct *task = (void *)bpf_get_current_task();
	struct kc_point *point;
	enum wanted how;
	bool own, as_it_was;
	struct kc_places at;
	struct scratch *out;

	read_regs(ctx, &here);
	if (is_too_deep(&here))
		return 0;
	own = locate(task, &here);
	if (!find_point(here.site, &point, &count))
		return 0;
	count->hits++;
	if (!own) {
		count->other_stack += is_wanted();
		return 0;
	}
	key = frame_key(&here, point);
	expected = bpf_map_lookup_elem(&returns, &key);
	if (!expected) {
		if (is_early(task, &here, point))
			count->early += is_wanted();
		else
			count->unmatched += is_wanted();
		return 0;
	}
	if (bpf_probe_read_kernel(&word, sizeof(word), (void *)here.sp)) {
		count->unreadable += is_wanted();
		return 0;
	}
	as_it_was = word == *expected;
	forget_return(&key);
	note_return(task, &here, point, count);
	if (as_it_was)
		return 0;
	count->mismatches++;
	how = how_wanted();
	if (how == UNWANTED)
		return 0;
	/* User space judges the first of each. */
	again = replaced_key(task, &here, word);
	if (word >= KC_TEXT_HALF && bpf_map_lookup_elem(&replaced, &again)) {
		count->replaced++;
		return 0;
	}
	if (!read_canary(task, &here))
		return 0;
	out = new_event(KC_EVENT_RETURN, how, point);
	if (!out)
		return 0;
	at = places(&here);
	out->event.damage.slot = here.sp;
	out->event.damage.found = kc_classify(word, &at);
	/* Another place in text is a return probe's or a tracer's, most of the time. */
	if (emit(task, out, &here, how == WANTED && word < KC_TEXT_HALF, false) &&
	    word >= KC_TEXT_HALF && bpf_map_update_elem(&replaced, &again, &one, BPF_ANY))
		lose(KC_LOSS_REPLACED);
	return 0;
}
