/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How deep the stack is at the entries of functions: by function, by thread, and where
 * less is left than was asked for.
 */
#ifndef DEPTH_BPF_H
#define DEPTH_BPF_H

#include "emit.bpf.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, KC_MAX_DEPTHS);
	__type(key, __u32);
	__type(value, struct kc_depth);
} depths SEC(".maps");

/* How deep each thread was at its deepest entry. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, KC_MAX_THREADS);
	__type(key, __u32); /* tid */
	__type(value, struct kc_deepest);
} threads SEC(".maps");

/* Where a thread was told to be too deep. */
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
	lose_if(KC_LOSS_TASK,
		bpf_core_read(&entry.start_ns, sizeof(entry.start_ns), &task->start_boottime));
	known = bpf_map_lookup_elem(&threads, &tid);
	if (known && known->max >= depth && known->start_ns == entry.start_ns)
		return;
	entry.max = depth;
	entry.function = index;
	if (bpf_map_update_elem(&threads, &tid, &entry, BPF_ANY))
		lose(KC_LOSS_THREADS);
}

/* Count an entry of this depth. */
static __always_inline void note_depth(struct task_struct *task, const struct kc_point *point,
				       struct kc_point_count *count, __u64 depth)
{
	struct kc_depth *of = bpf_map_lookup_elem(&depths, &point->depth);

	if (!of) {
		lose(KC_LOSS_POINT);
		return;
	}
	if (depth > of->max)
		of->max = depth;
	of->bucket[log2_of(depth) & (KC_DEPTH_BUCKETS - 1)]++;
	note_thread(task, count, depth, point->depth);
}

/*
 * Once the function has its own frame. Where that is known, a recursion of it enters with enough
 * left to tell, before it enters with too little.
 */
static __always_inline bool is_left(const struct here *here, const struct kc_point *point,
				    __u64 bytes)
{
	return here->sp - here->stack >= bytes + point->frame;
}

/* Tell once of each thread in each function. */
static __always_inline void warn_exhausted(struct task_struct *task, struct here *here,
					   const struct kc_point *point)
{
	struct told_key key = { .tid = (__u32)bpf_get_current_pid_tgid(), .depth = point->depth };
	struct scratch *out;
	enum wanted how;
	__u64 one = 1;

	lose_if(KC_LOSS_TASK,
		bpf_core_read(&key.start_ns, sizeof(key.start_ns), &task->start_boottime));
	how = how_wanted();
	if (how == UNWANTED || bpf_map_lookup_elem(&told, &key) || !read_canary(task, here))
		return;
	out = new_event(KC_EVENT_EXHAUSTED, how, point);
	if (out &&
	    emit(task, out, here, how == WANTED && !is_left(here, point, KC_HOLD_LEFT), false) &&
	    bpf_map_update_elem(&told, &key, &one, BPF_ANY))
		lose(KC_LOSS_TOLD);
}

#endif
