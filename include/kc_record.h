/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What crosses the border between the BPF programs and user space.
 *
 * Included by both sides, compiled for both: fixed-width types, explicit
 * padding, sizes asserted. Enum values are explicit and only ever added to.
 *
 *	iter/task ──► byte stream of records ──► user/probe/sweep.c
 *
 *	┌──────────────────┐┌─────────────┐┌──────────────────┐┌──
 *	│ struct kc_record ││ words or    ││ struct kc_record ││ ...
 *	│ (size, kind, ...)││ damage[]    ││                  ││
 *	└──────────────────┘└─────────────┘└──────────────────┘└──
 *	 <──────── record.size ──────────►
 */
#ifndef KC_RECORD_H
#define KC_RECORD_H

#include "kc_arch.h"

#ifndef __bpf__
#include <stdint.h>
typedef uint8_t __kc_u8;
typedef uint16_t __kc_u16;
typedef uint32_t __kc_u32;
typedef uint64_t __kc_u64;
typedef int32_t __kc_s32;
typedef int64_t __kc_s64;
#else
typedef __u8 __kc_u8;
typedef __u16 __kc_u16;
typedef __u32 __kc_u32;
typedef __u64 __kc_u64;
typedef __s32 __kc_s32;
typedef __s64 __kc_s64;
#endif

#define KC_COMM_LEN 16

/* Most of a stack that is copied, in words: x86-64's THREAD_SIZE is 16 KiB. */
#define KC_STACK_WORDS 2048

/*
 * Slots, and return addresses, of one task that the kernel side re-checks by itself. With its hash
 * table's head an entry takes 1,000 bytes, of kmalloc-1k.
 */
#define KC_TASK_SLOTS 112

/*
 * The canary never leaves the kernel, nor does anything else that unwinding can
 * do without. In a stack copy a word that equals the task's canary is replaced by
 * KC_CANARY_MARK, which is what user space looks for in a slot. Only numbers below
 * 2^16, kernel text, addresses in this very stack and printable text are copied
 * as they are; every other word is replaced by the mark of its class. No word
 * that is copied as it is can look like a mark.
 */
#define KC_CANARY_MARK	 0x9e5ea1ed51071a5bULL
#define KC_HIDDEN_USER	 0x9e5ea1ed00000001ULL /* was a user-space address, or some other number */
#define KC_HIDDEN_KERNEL 0x9e5ea1ed00000002ULL /* was some other kernel address */
#define KC_HIDDEN_DATA	 0x9e5ea1ed00000003ULL /* was anything else */
#define KC_HIDDEN_ASCII	 0x9e5ea1ed00000004ULL /* was text, near the canary: see below */

/*
 * Of an event with KC_EVENT_COMPARED, what a mark tells beside its class:
 *
 *	 63       32 31 29   28    27   24 23     16 15 13 12    10   9    8    7     0
 *	┌───────────┬─────┬───────┬───────┬─────────┬─────┬────────┬────┬─────┬────────┐
 *	│ any mark's│  0  │ small │ bits  │ changed │  0  │argument│near│same │ class  │
 *	│           │     │ delta │       │ bytes   │     │        │    │above│        │
 *	└───────────┴─────┴───────┴───────┴─────────┴─────┴────────┴────┴─────┴────────┘
 *
 * Near: three of the canary's seven random bytes are in place, or at most eight bits
 * differ, or it is a small number more or less; then the rest is as in struct kc_damage.
 * Argument: it is this one (1..6) of the system call's, which the event tells; 0: of none.
 */
#define KC_HIDDEN_SAME_ABOVE (1ULL << 8) /* the word right above it held the same */
#define KC_HIDDEN_NEAR	     (1ULL << 9)
#define KC_HIDDEN_ARG	     10
#define KC_HIDDEN_BYTES	     16
#define KC_HIDDEN_BITS	     24
#define KC_HIDDEN_DELTA	     28

/* The lowest word of every stack, STACK_END_MAGIC in include/uapi/linux/magic.h. */
#define KC_STACK_END_MAGIC 0x57AC6E9DULL

enum kc_record_kind {
	KC_RECORD_STACK = 1,  /* words[] follow: thread.sp .. top of the stack, scrubbed */
	KC_RECORD_DAMAGE = 2, /* damage[] follow, one per cached slot; at least one differed,
			       * or the end of the stack did */
	KC_RECORD_RAN = 3,    /* nothing follows: it ran while it was read, or is running now */
};

/*
 * One task as the sweep saw it. sp, switches and start_ns together say whether
 * it is the same sleep of the same thread as in an earlier record.
 */
struct kc_record {
	__kc_u32 size;	/* of the whole record, bytes */
	__kc_u16 kind;	/* enum kc_record_kind */
	__kc_u16 count; /* words or damages that follow */
	__kc_u32 pid;	/* process (thread group) */
	__kc_u32 tid;
	__kc_u64 start_ns; /* thread's start, boot time */
	__kc_u64 switches; /* nvcsw + nivcsw */
	__kc_u64 sp;	   /* thread.sp: struct inactive_task_frame is here */
	__kc_u64 top;	   /* end of the stack: task->stack + THREAD_SIZE */
	__kc_u64 boot_ns;  /* when it was read */
	__kc_u32 state;	   /* task->__state */
	__kc_u32 flags;	   /* enum kc_record_flag */
	union {
		__kc_u64 high_water; /* if asked for: lowest word that is not zero; 0: not known */
		/*
		 * Else, boot time: when all slots and return addresses were last seen to be as
		 * they must, in this sleep; 0: not before.
		 */
		__kc_u64 intact_ns;
	};
	char comm[KC_COMM_LEN];
	char leader_comm[KC_COMM_LEN];
};

enum kc_record_flag {
	KC_RECORD_KTHREAD = 1,
	KC_RECORD_END_GONE = 2, /* the stack's lowest word is not KC_STACK_END_MAGIC */
	KC_RECORD_RUNNING = 4,	/* RAN: on a CPU when the pass came to it */
	KC_RECORD_WALKED = 8,	/* STACK, of a comparison: the walk by rules was complete ... */
	KC_RECORD_WALK_DIFFERS = 16,   /* ... and a slot on its way differed */
	KC_RECORD_RETURNS = 32,	       /* STACK: struct kc_returns follows the words */
	KC_RECORD_DIFFERED = 128,      /* STACK: a return address was seen not to be as it was */
	KC_RECORD_FREEZER_SKIPS = 256, /* before v6.1: the freezer does not wake it */
	KC_RECORD_HIGH_WATER = 512,    /* it has high_water, and no intact_ns */
	KC_RECORD_COMPAT = 64,	       /* it is in a 32-bit system call, whatever its code is */
};

/*
 * Return addresses of one sleep, from the innermost outwards, as they were when its stack was first
 * verified: nobody writes them while a task sleeps, whatever becomes of the kernel's text.
 */
struct kc_returns {
	__kc_u32 count;
	__kc_u32 high;		     /* upper half of each */
	__kc_u16 at[KC_TASK_SLOTS];  /* words below the stack's top */
	__kc_u32 was[KC_TASK_SLOTS]; /* lower half */
};

static inline __kc_u64 kc_return_address(const struct kc_returns *returns, __kc_u32 nth)
{
	return (__kc_u64)returns->high << 32 | returns->was[nth];
}

/* What was found in a slot instead of the canary, told without telling it. */
struct kc_damage {
	__kc_u64 slot;	       /* address */
	__kc_u8 changed_bytes; /* bit n: byte n differs from the canary; 0: intact */
	__kc_u8 changed_bits;  /* enum kc_bits */
	__kc_u8 found;	       /* enum kc_found */
	__kc_u8 small_delta;   /* 1: found - canary lies within +-4096 */
	__kc_u8 same_below;    /* words right below the slot that hold the same; at most KC_BELOW */
	__kc_u8 same_above;    /* ... and right above it; at most KC_ABOVE */
	__kc_u8 pad[2];
};

#define KC_BELOW 4
#define KC_ABOVE 8 /* so many, mostly, that the frame's return address is among them */

enum kc_bits {
	KC_BITS_ONE = 1,
	KC_BITS_TWO = 2,
	KC_BITS_3_TO_8 = 3,
	KC_BITS_MORE = 4,
};

enum kc_found {
	KC_FOUND_OTHER = 0,
	KC_FOUND_ZERO = 1,
	KC_FOUND_ASCII = 2,  /* all eight bytes printable */
	KC_FOUND_USER = 3,   /* a user-space address */
	KC_FOUND_STACK = 4,  /* an address in this task's own stack */
	KC_FOUND_KERNEL = 5, /* some other kernel address */
	KC_FOUND_TEXT = 6,   /* an address in kernel text */
	KC_FOUND_SMALL = 7,  /* a number below 65536 */
};

/*
 * What is re-checked of one task, written by user space after it unwound a stack copy or by
 * the sweep after a walk, read by every later pass. Valid only for the sleep it was derived from;
 * the slots, which must hold the canary, only for the kernel's text as it was known then.
 */
struct kc_task_slots {
	__kc_u64 start_ns;
	__kc_u64 switches;
	__kc_u64 sp;
	__kc_u32 pass;	/* last pass that found the task asleep in this sleep */
	__kc_u32 epoch; /* as in struct kc_sweep_config; 0: the slots are not to be relied on */
	__kc_u32 nr_slots;
	__kc_u32 pad;
	__kc_u64 intact_ns;	      /* as in struct kc_record */
	__kc_u16 slot[KC_TASK_SLOTS]; /* words below the stack's top */
	struct kc_returns returns;
};

/*
 * Frame rules: what it takes to go from a frame to its caller's, and where its slot is. Derived
 * once by user space, from the unwind tables and the guard plan, for each place that a frame was
 * seen at; with them a stack is walked in the kernel. Key: kc_rule_key().
 */
enum kc_rule_from { /* 0: none */
		    KC_RULE_SP = 1,
		    KC_RULE_BP = 2,
		    KC_RULE_AT_BP = 3, /* *(bp + offset) */
		    KC_RULE_CFA = 4,
};

enum kc_rule_caller {
	KC_RULE_RETURN = 1,	  /* a return address right below the CFA */
	KC_RULE_REGS = 2,	  /* struct pt_regs at the CFA */
	KC_RULE_REGS_PARTIAL = 3, /* ... of which only what the processor saved is there */
	KC_RULE_END = 4,	  /* nothing: a task's stack begins here */
};

struct kc_rule {
	__kc_s32 cfa_offset, bp_offset, slot_offset;
	__kc_u8 cfa;	/* SP, BP, AT_BP */
	__kc_u8 caller; /* enum kc_rule_caller */
	__kc_u8 bp;	/* where the caller's lies: CFA, BP; 0: in BP itself */
	__kc_u8 slot;	/* SP, BP, CFA; 0: the frame has none now */
	__kc_u8 begins; /* a task that has not begun yet is here: the pc is exact */
	__kc_u8 pad[3];
	__kc_u32 function; /* that the frame is of: its address' lower half */
};

/*
 * A rule is one of a place and of what was seen below it: whether the call before a return address
 * leads to the function of the frame below was judged when the rule was made. That function, or:
 */
enum kc_rule_below {
	KC_BELOW_IS_SWITCH = 0, /* nothing: what the switch returns to */
	KC_BELOW_IS_ANY = 1,	/* what was interrupted before it had a frame */
	KC_BELOW_IS_EXACT = 2,	/* the pc is no return address */
};

/* All code's addresses have the same upper half: KC_TEXT_HALF. */
static inline __kc_u64 kc_rule_key(__kc_u64 pc, __kc_u32 below)
{
	return (__kc_u64)below << 32 | (__kc_u32)pc;
}

static inline int kc_rule_key_is_exact(__kc_u64 key)
{
	return key >> 32 == KC_BELOW_IS_EXACT;
}

#define KC_MAX_RULES (1 << 13)

/* What a walk needs to know of this kernel: where things lie in its structs, bytes. */
struct kc_walk_config {
	__kc_u32 inactive_size, inactive_bp, inactive_ret;
	__kc_u32 regs_size, regs_pc, regs_mode, regs_sp, regs_bp;
	__kc_u32 top_padding;
	__kc_u32 begins_at_regs; /* 1: nothing else may lie between user mode's and a stack's begin
				  */
};

/* Totals of one pass; user space clears them before it. */
struct kc_pass {
	__kc_u64 tasks;	       /* that matched the filter */
	__kc_u64 filtered;     /* that did not */
	__kc_u64 running;      /* on a CPU now: the probes' business, not the sweep's */
	__kc_u64 dead;	       /* zombies and tasks whose stack is gone */
	__kc_u64 moved;	       /* ran while it was being read: next pass */
	__kc_u64 unreadable;   /* stack or saved SP outside of what a stack can be */
	__kc_u64 copied;       /* stack records */
	__kc_u64 cached;       /* verified in the kernel, nothing copied */
	__kc_u64 cached_slots; /* slots seen to be intact that way */
	__kc_u64 damaged;      /* damage records */
};

enum kc_walk_how {
	KC_WALK_NEVER = 0,    /* each stack is copied */
	KC_WALK_INSTEAD = 1,  /* what is complete and intact that way is not */
	KC_WALK_COMPARED = 2, /* it is all the same, and nothing cached: for tests, which compare */
};

/* Which tasks: all conditions that are set must hold. */
struct kc_wanted {
	__kc_u32 pid;	    /* 0: all */
	__kc_u32 tid;	    /* 0: all */
	__kc_u32 comm_len;  /* 0: all; bytes of comm including its NUL */
	__kc_u32 by_cgroup; /* 1: only tasks in `cgroup` or below it */
	__kc_u64 cgroup;    /* id in the unified hierarchy: the inode of its folder */
	__kc_u32 self;	    /* pid of kcanary, which is not looked at */
	__kc_u32 pad;
	char comm[KC_COMM_LEN];
};

/* Which tasks, and what the kernel side needs to know of this kernel. */
struct kc_sweep_config {
	struct kc_wanted wanted;
	__kc_u32 only_tid;   /* 0: all; confirming pass of one thread */
	__kc_u32 high_water; /* 1: look how deep each stack has ever been */
	__kc_u32 walk;	     /* enum kc_walk_how */
	__kc_u32 follows;    /* 1: some threads are to be copied in any case */
	__kc_u32 pass;
	__kc_u32 epoch; /* of the kernel's text as it is known; from 1 on */
	__kc_u64 thread_size;
	__kc_u64 text_start;
	__kc_u64 text_end;
};

struct kc_gate_config {
	struct kc_wanted wanted;
	__kc_u32 on; /* 0: rules are being forgotten, none is looked up */
	__kc_u32 pad;
	__kc_u64 thread_size;
	__kc_u64 text_start;
	__kc_u64 text_end;
	__kc_u64 regs_size; /* as in struct kc_probe_config */
};

/* Switches to tasks that are watched, on one CPU, which alone writes it. */
struct kc_gate_count {
	__kc_u64 verified; /* each slot held the canary */
	__kc_u64 slots;	   /* so many of them */
	__kc_u64 no_rule;  /* not verified: a frame that no pass has met yet */
	__kc_u64 odd;	   /* ... a frame does not lie where one can, or differed once only */
	__kc_u64 paused;   /* ... rules were being forgotten */
	__kc_u64 again;	   /* a difference that was told, and still is one */
	__kc_u64 deep;	   /* ... who leaves the CPU has too little stack left to look on */
	__kc_u64 pad;
};

/* What was met on one CPU, which alone writes it. */
struct kc_sample_count {
	__kc_u64 taken;	      /* of tasks that are watched, in the kernel */
	__kc_u64 other_stack; /* of them on an interrupt's or an exception's stack: not looked at */
	__kc_u64 skipped;     /* beside those taken: see kc_samples_thin() */
};

/* Threads of which samples compare a slot that differed. */
#define KC_MAX_ASKED 256

/* Kernel memory that one run of the reader copies at most, bytes; its mapped buffer's size. */
#define KC_KMEM_CHUNK (256 * 1024)

/* Probed instructions at the same time: most are a perf event each that is slow to close. */
#define KC_MAX_POINTS 1024

/* Functions whose depth at entry is kept. */
#define KC_MAX_DEPTHS 256

#define KC_MAX_CPUS 1024

enum kc_point_kind {
	KC_POINT_CHECK = 1,  /* the load of the slot before a check */
	KC_POINT_ENTRY = 2,  /* a function's first instruction */
	KC_POINT_RETURN = 3, /* a return instruction */
	KC_POINT_PANIC = 4,  /* panic()'s first instruction */
};

enum kc_check_base {
	KC_CHECK_BASE_SP = 1,
	KC_CHECK_BASE_BP = 2,
};

/* What to do at a probed address. */
struct kc_point {
	__kc_u32 index; /* of its counts */
	__kc_u16 kind;	/* enum kc_point_kind */
	__kc_u16 base;	/* CHECK: enum kc_check_base of the slot ... */
	union {
		__kc_s64 disp;	/* CHECK: ... and its displacement */
		__kc_u64 frame; /* ENTRY: bytes that the function will take for its own frame */
	};
	__kc_u32 depth; /* ENTRY: index of the function's depths */
	/*
	 * ENTRY: remember the return address for RETURN of the same number, unless 0. It is another
	 * one for each function, and each time that probes are placed on it.
	 */
	__kc_u32 call;
	__kc_u64 since_ns; /* RETURN: as armed_ns, of this one; 0: it is that */
};

#define KC_NOT_YET (~0ULL) /* since_ns: until the entry is probed */

/* On one CPU. */
struct kc_point_count {
	__kc_u64 hits;
	__kc_u64 mismatches; /* slot, guard or return address not as it must be */
	__kc_u64 unreadable;
	__kc_u64 unmatched;   /* RETURN: nothing was remembered at this place ... */
	__kc_u64 early;	      /* ... of a call that may be older than the entry's probe */
	__kc_u64 other_stack; /* not on the task's own stack: interrupts, exceptions */
	__kc_u64 replaced;    /* RETURN: another place in text, told of already */
	/* No sums: the last thread seen; and of it the deepest ENTRY, or the RETURN at the highest
	 * SP. */
	__kc_u64 recent_tid, recent_max;
};

/* How deep a thread was at its deepest probed entry, and of which function that was. */
struct kc_deepest {
	__kc_u64 start_ns; /* the thread's start */
	__kc_u64 max;	   /* bytes: top of the stack - SP */
	__kc_u32 function; /* index of the function's depths */
	__kc_u32 pad;
};

/* Threads whose deepest entry is kept; the longest unseen go first. */
#define KC_MAX_THREADS (1 << 14)

#define KC_DEPTH_BUCKETS 16

/* Depth of the stack at entries of one function, on one CPU: top of the stack - SP. */
struct kc_depth {
	__kc_u64 max;
	__kc_u64 bucket[KC_DEPTH_BUCKETS]; /* n: depths of 2^n to 2^(n+1) - 1 bytes */
};

/* What the live probes need to know of this kernel, and what is wanted of them. */
struct kc_probe_config {
	__kc_u64 thread_size;
	__kc_u64 text_start;
	__kc_u64 text_end;
	__kc_u64 headroom;	 /* bytes; less beyond a function's own frame is told; 0: never */
	__kc_u64 hold_ns;	 /* how long a CPU waits to be seen; 0: none is held */
	__kc_u64 hold_max_ns;	 /* once seen, how long for what is written of it */
	struct kc_wanted wanted; /* whose anomalies are told, the tripwire's excepted */
	__kc_u64 regs_size; /* struct pt_regs, at the top of a stack that came from user mode */
	__kc_u64 armed_ns;  /* boot time: all entries are seen from then on; 0: not yet, no more */
	__kc_u64 guard[KC_MAX_CPUS]; /* address of each CPU's guard; 0: not known */
};

enum kc_event_kind {
	KC_EVENT_CHECK = 1,	/* slot and canary differ, or the guard does */
	KC_EVENT_EXHAUSTED = 2, /* less headroom than asked for */
	KC_EVENT_RETURN = 3,	/* the return address is not the one of the entry */
	KC_EVENT_PANIC = 4,	/* a stack-protector panic */
	KC_EVENT_GATE = 5,	/* a slot differs in a task that is about to go on */
	KC_EVENT_SAMPLE = 6,	/* what a CPU was at; user space finds out whether a slot differs */
};

#define KC_EVENT_KINDS 8 /* room for their numbers */

/* Events that a CPU has sent in this second; a storm of one kind leaves the others theirs. */
struct kc_budget {
	__kc_u64 second;
	__kc_u32 used[KC_EVENT_KINDS]; /* 0: of those that may be unwanted, whatever kind */
};

/*
 * A probe hit with so little of the stack left that its program did nothing but note it here,
 * and neither sent an event nor compared: that takes stack, too. The last one of each CPU,
 * which alone writes it; while begun is ahead of count, it is being written.
 */
struct kc_deep {
	__kc_u64 begun, count;
	__kc_u64 site;
	__kc_u64 left;	   /* bytes */
	__kc_u64 pid_tgid; /* as BPF has it: process << 32 | thread */
	__kc_u64 start_ns;
	__kc_u64 flags; /* enum kc_record_flag */
	char comm[KC_COMM_LEN], leader_comm[KC_COMM_LEN];
};

/*
 * Bytes. With less than some 1,200 left an event's own way into the ring buffer was the end on
 * 6.1, with less than 700 (7.x) to 1,000 (5.10) a probe that only returns: what is below the
 * program is the kernel's. The rest is for an interrupt on top.
 */
#define KC_DEEP_LEFT 1536
#define KC_HOLD_LEFT \
	2048 /* an entry of a function that will leave less holds the CPU: it may be the last */

#define KC_HEADROOM_UNKNOWN (~0ULL) /* SP is not on the task's stack */

enum kc_event_flag {
	KC_EVENT_GUARD_DIFFERS = 1, /* the CPU's guard is not the task's canary */
	KC_EVENT_HELD = 2,	    /* the CPU waits: struct kc_hold */
	KC_EVENT_COMPARED = 4,	    /* hidden words tell more: see KC_HIDDEN_NEAR */
	KC_EVENT_ANEW = 8,	    /* SAMPLE, by user space: it was told, and seen whole since */
	KC_EVENT_WANTED = 16,	    /* of a thread that is watched, as the kernel side knows */
};

/*
 * How far user space is with the event that a CPU is held for: each word becomes the event's
 * id when it is there. The CPU goes on
 *
 *	when all is told;
 *	after hold_ns, when the evidence is safe, or nobody has seen the event;
 *	after hold_max_ns in any case.
 */
struct kc_hold {
	__kc_u64 seen; /* somebody is at it */
	__kc_u64 safe; /* a first record of it, made of the event alone, is on the disk */
	__kc_u64 told; /* and so is the finding, or it was none */
	__kc_u64 pad;
};

/*
 * What the BPF programs could not do, each kind counted in losses[] of its object. Also
 * counted is what fails since a task exits meanwhile; and a loss of a sweep may be counted
 * twice, since the kernel asks again for a task whose record had no room.
 */
enum kc_loss {
	KC_LOSS_RING = 0,     /* an event found no room in the ring buffer */
	KC_LOSS_SCRATCH = 1,  /* no buffer to put an event, a stack or a damage record in */
	KC_LOSS_SIZE = 2,     /* an event or a record was larger than its buffer */
	KC_LOSS_STACK = 3,    /* a stack could not be read: the event came without it */
	KC_LOSS_TASK = 4,     /* a field of a task could not be read */
	KC_LOSS_POINT = 5,    /* a probe hit where none is known, or has no counts */
	KC_LOSS_GUARD = 6,    /* a CPU's guard could not be read: the slot alone was compared */
	KC_LOSS_REGS = 7,     /* user mode's registers: the system call is not known */
	KC_LOSS_BELOW = 8,    /* the words beside a damaged slot: fewer may count as the same */
	KC_LOSS_RETURNS = 9,  /* a return address, or a sleep's, was not remembered or forgotten */
	KC_LOSS_THREADS = 10, /* a thread's deepest entry was not remembered */
	KC_LOSS_TOLD = 11,    /* an exhausted stack was not remembered: it is told again */
	KC_LOSS_HOLDS = 12,   /* a CPU was not held: another event had that slice of time */
	KC_LOSS_STACK_END = 13,	 /* the lowest word of a stack could not be read */
	KC_LOSS_HIGH_WATER = 14, /* how deep a stack has ever been could not be read */
	KC_LOSS_BUDGET = 15,	 /* an event was one too many in its second */
	KC_LOSS_CANARY = 16,	 /* a canary could not be read: no event of what was seen */
	KC_LOSS_REPLACED = 17, /* a replaced return address was not remembered: it is told again */
	KC_LOSS_PLACE = 18, /* where the task's stack is could not be read: nothing was looked at */
	KC_LOSS_CGROUP = 19, /* a task lies too deep in cgroups to tell if it is wanted */
	KC_LOSS_NR = 20,     /* how many there are */
};

/*
 * Through the ring buffer; words[] of the stack follow, task.sp to task.top,
 * scrubbed. task.size is the whole event's, task.count the words'.
 */
struct kc_event {
	struct kc_record task;
	__kc_u64 id;	 /* later ones of a CPU have larger ones; from its time */
	__kc_u64 lost;	 /* events that found no room, up to now */
	__kc_u64 site;	 /* the probed address; GATE: where the damaged frame's function goes on; */
			 /* SAMPLE: the interrupted instruction */
	__kc_u64 bp;	 /* GATE: when, since something was told, all slots were intact; 0: never */
	__kc_u64 caller; /* PANIC: the function that failed, as panic() was told; GATE: who */
			 /* leaves the CPU, process << 32 | thread; SAMPLE: boot time of the one */
			 /* before in which the slot differed, filled in by user space */
	__kc_u64 headroom; /* bytes between SP and the end of the task's stack */
	__kc_u32 kind;	   /* enum kc_event_kind */
	__kc_u32 flags;	   /* enum kc_event_flag */
	__kc_u32 index;	   /* of the point's counts */
	__kc_u32 cpu;
	struct kc_damage damage; /* CHECK, if the slot differs; GATE; RETURN: .slot and .found; */
				 /* SAMPLE: of a slot that was asked for, if it differs */
	__kc_s64 syscall;	 /* -1: none, or not known */
	__kc_u64 args[6];
};

#ifndef __bpf__
/* The mark without what it tells beside its class; any other word as it is. */
static inline __kc_u64 kc_hidden_class(__kc_u64 word)
{
	__kc_u64 mark = word & 0xffffffff000000ffULL;

	return mark >= KC_HIDDEN_USER && mark <= KC_HIDDEN_ASCII ? mark : word;
}

/* Which argument of the system call a hidden word is; 0: none, or it is not hidden. */
static inline unsigned int kc_hidden_arg(__kc_u64 word)
{
	return kc_hidden_class(word) == word ? 0 : word >> KC_HIDDEN_ARG & 7;
}

/* What a mark tells of how the word differs from the canary; false: it is not near. */
static inline int kc_hidden_near(__kc_u64 word, struct kc_damage *damage)
{
	if (kc_hidden_class(word) == word || !(word & KC_HIDDEN_NEAR))
		return 0;
	damage->changed_bytes = word >> KC_HIDDEN_BYTES;
	damage->changed_bits = word >> KC_HIDDEN_BITS & 0xf;
	damage->small_delta = word >> KC_HIDDEN_DELTA & 1;
	return damage->changed_bits <= KC_BITS_MORE;
}
#endif

_Static_assert(sizeof(struct kc_record) == 104, "kc_record layout");
_Static_assert(sizeof(struct kc_damage) == 16, "kc_damage layout");
_Static_assert(sizeof(struct kc_returns) == 8 + 6 * KC_TASK_SLOTS, "kc_returns layout");
_Static_assert(sizeof(struct kc_task_slots) == 56 + 8 * KC_TASK_SLOTS, "kc_task_slots layout");
_Static_assert(sizeof(struct kc_rule) == 24, "kc_rule layout");
_Static_assert(sizeof(struct kc_walk_config) == 40, "kc_walk_config layout");
_Static_assert(sizeof(struct kc_pass) == 80, "kc_pass layout");
_Static_assert(sizeof(struct kc_wanted) == 48, "kc_wanted layout");
_Static_assert(sizeof(struct kc_sweep_config) == 96, "kc_sweep_config layout");
_Static_assert(sizeof(struct kc_gate_config) == 88, "kc_gate_config layout");
_Static_assert(sizeof(struct kc_gate_count) == 64, "kc_gate_count layout");
_Static_assert(sizeof(struct kc_sample_count) == 24, "kc_sample_count layout");
_Static_assert(sizeof(struct kc_point) == 32, "kc_point layout");
_Static_assert(sizeof(struct kc_point_count) == 72, "kc_point_count layout");
_Static_assert(sizeof(struct kc_depth) == 8 + 8 * KC_DEPTH_BUCKETS, "kc_depth layout");
_Static_assert(sizeof(struct kc_deepest) == 24, "kc_deepest layout");
_Static_assert(sizeof(struct kc_hold) == 32, "kc_hold layout");
_Static_assert(sizeof(struct kc_budget) == 8 + 4 * KC_EVENT_KINDS, "kc_budget layout");
_Static_assert(sizeof(struct kc_deep) == 56 + 2 * KC_COMM_LEN, "kc_deep layout");
_Static_assert(sizeof(struct kc_probe_config) == 112 + 8 * KC_MAX_CPUS, "kc_probe_config layout");
_Static_assert(sizeof(struct kc_event) == 104 + 64 + 16 + 56, "kc_event layout");

#endif
