/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One verified anomaly, with everything that is told about it. */
#ifndef KC_VERDICT_FINDING_H
#define KC_VERDICT_FINDING_H

#include <time.h>

#include "kc_record.h"
#include "source/pointed.h"
#include "source/process.h"
#include "stack/check.h"

/* What is not as it must be. */
enum kc_anomaly {
	KC_ANOMALY_SLOT,      /* a canary's slot */
	KC_ANOMALY_RETURN,    /* a return address: see struct kc_bad_return */
	KC_ANOMALY_STACK_END, /* STACK_END_MAGIC */
	KC_ANOMALY_GUARD,     /* the CPU's guard: the slot holds the task's canary */
	KC_ANOMALY_HEADROOM,  /* too little stack left at a function's entry */
	KC_ANOMALY_PANIC,     /* the kernel found it first: slot, without its details */
};

#define KC_ANOMALY_NR (KC_ANOMALY_PANIC + 1)

const char *kc_anomaly_name(enum kc_anomaly anomaly);

/* Stable names (kc_class_name); evidence decides, `unknown` is allowed. */
enum kc_class {
	KC_CLASS_UNKNOWN,
	KC_CLASS_LINEAR_OVERFLOW,
	KC_CLASS_STRAY_WRITE,
	KC_CLASS_BIT_FLIP,
	KC_CLASS_DECREMENT,
	KC_CLASS_GUARD_CHANGED,
	KC_CLASS_ALIEN_FRAME,
	KC_CLASS_RETURN_ADDRESS,
	KC_CLASS_EXHAUSTED,
	KC_CLASS_WIDESPREAD,
	KC_CLASS_WRONG_STACK,
	KC_CLASS_NR,
};

const char *kc_class_name(enum kc_class class);
const char *kc_found_name(enum kc_found found);
const char *kc_bits_name(enum kc_bits bits);

#define KC_MAX_WHY 8

struct kc_verdict {
	enum kc_class class;
	const char *confidence; /* "low", "medium", "high" */
	char why[KC_MAX_WHY][128];
	size_t nr_why;
};

struct kc_finding {
	uint64_t seq;
	struct timespec time; /* CLOCK_REALTIME, when it was confirmed */
	uint64_t boot_ns;     /* when the damage was read */
	uint64_t intact_ns;   /* asleep: when, in this sleep, all was as it must be; 0: not seen */
	const char *engine;
	uint64_t lost_before; /* events of live probes that found no room until then */
	bool had_evidence;    /* a first record was written, while a CPU was held */
	bool running;	      /* the task was, and read at a probe; else it was asleep */
	struct kc_record task;
	struct kc_process process;
	struct kc_verdict verdict;
	enum kc_anomaly anomaly;
	struct kc_damage damage; /* KC_ANOMALY_SLOT; of a PANIC, what is known of it */
	/*
	 * KC_ANOMALY_PANIC: the kernel has compared. changed_bits 0: the slot is intact;
	 * changed_bytes 0 otherwise: too many differ to tell which.
	 */
	bool compared;
	bool guard_differs; /* ... and so did this CPU's guard and the task's canary */
	/*
	 * Of a running task's frame that is found by the frame pointer: how far SP lies below its
	 * CFA by what the function's code has done to SP, and in fact; code_depth 0: not known.
	 */
	uint32_t code_depth;
	uint64_t found_depth;
	bool sp_returns;       /* if they differ: SP tells of a return address, too */
	uint64_t seen_intact;  /* KC_ANOMALY_SLOT: the same slot, in other frames of its function */
	struct kc_stack stack; /* borrowed */
	const struct kc_checked_stack *checked; /* borrowed */
	const struct kc_pointed_words
		*pointed; /* what words of the stack point to; borrowed; or NULL */
	const struct kc_bad_return *bad_return; /* KC_ANOMALY_RETURN, asleep; borrowed */
	uint64_t headroom;			/* KC_ANOMALY_HEADROOM: bytes, ... */
	uint32_t frame_bytes;	/* ... and what the function's own frame takes; 0: not known */
	bool by_gate;		/* at a switch to the task ... */
	uint64_t switched_from; /* ... from this one, as struct kc_event's caller; 0: idle */
	bool by_sample;		/* as it ran in the kernel; and in a sample before it, ... */
	uint64_t differed_ns;	/* ... boot time */
	bool was_return;	/* KC_ANOMALY_RETURN, seen at the return itself */
	size_t frame;		/* index of the damaged one; of a stack's end: the innermost */
};

/*
 * Depth of the damaged frame: top of its stack minus SP, in bytes. False if that is not
 * known: a panic on an interrupt's stack, of which there is no copy.
 */
static inline bool kc_finding_depth(const struct kc_finding *finding, uint64_t *ret_depth)
{
	const struct kc_frame *frame = &finding->checked->frames[finding->frame].frame;

	if (!frame->sp || frame->sp < finding->stack.sp || frame->sp > finding->stack.top)
		return false;
	*ret_depth = finding->stack.top - frame->sp;
	return true;
}

/* Is the return address that of the switch itself, below the innermost frame? */
static inline bool kc_finding_of_switch(const struct kc_finding *finding)
{
	return finding->bad_return &&
	       finding->bad_return->slot < finding->checked->frames[finding->frame].frame.sp;
}

/*
 * Judge. damaged_tasks is how many other tasks were found damaged so far.
 * Reads nothing but the finding; fills finding->verdict.
 */
void kc_judge(struct kc_finding *finding, size_t damaged_tasks);

#endif
