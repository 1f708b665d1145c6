/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A watch's probes: placed and removed (attach.c), placed again when their module comes back
 * (reattach.c), asked whether they run (pulse.c), counted (tally.c). Private to those.
 */
#ifndef KC_MONITOR_ATTACHED_H
#define KC_MONITOR_ATTACHED_H

#include "monitor/attach.h"

/* What its probes are about, in the order of tally.c's kinds_of(). */
enum { ENTRY, CHECKS, RETURNS, KINDS };

struct kc_attached {
	char name[128], instead_of[128];
	struct kc_points entry, checks, returns;
	char module[64]; /* "": vmlinux */
	uint64_t module_id;
	bool gone;
	uint64_t tried;	   /* the loading of the module in which it could not be placed again */
	uint32_t reloads;  /* after which its probes were placed again */
	bool entry_probed; /* now, or until its module went */
	struct kc_point_count before[KINDS]; /* what probes had counted that went with a module */
};

struct kc_attach {
	struct kc_session *session;
	const struct kc_choices *choices;
	struct kc_sinks *sinks;
	struct kc_probes *probes;
	struct kc_sweep *sweep;
	const char *cgroup;   /* the filter's; NULL: none */
	struct kc_gate *gate; /* or NULL */
	struct kc_attached *functions;
	size_t nr_functions;
	struct kc_points tripwire, pulse; /* pulse: of a function that we call ourselves */
	bool dead;			  /* the last call was not seen ... */
	uint64_t deaths;		  /* ... which came so often */
	size_t failed, ended;		  /* points; ended: with their module */
	size_t barred;			  /* of the failed: for want of files or of rights ... */
	int barred_by;			  /* ... the last -errno */
	bool detached;
	struct kc_depths depths;
	struct kc_function_depth *function_depths;
	struct kc_deep_thread deep_threads[KC_DEEP_THREADS];
};

/* Descriptors that probes must leave for what is opened after them. */
#define SPARE 16
void kc_attach_set_aside(int spare[static SPARE]);
void kc_attach_give_back(const int spare[static SPARE]);

/* Tell what stood in the way of all of them. */
void kc_attach_note_barred(struct kc_attach *attach);

void kc_attach_pulse(struct kc_attach *attach);

/* Place the probes of functions[i] again; what it is now is the choice. */
void kc_attach_again(struct kc_attach *attach, const struct kc_choice *choice, size_t i);

/* Which loading of a module this is: sysfs numbers its folders anew. 0: not loaded. */
uint64_t kc_attached_module(const char *module);

/* ... and of which the symbols and the text are that we know; 0: not known. False: of none. */
bool kc_attached_learned(const struct kc_kernel *kernel, const char *module, uint64_t *ret_load);

size_t kc_attached_points(const struct kc_attached *attached);

/* What its probes have counted, those before a reload included. */
void kc_attached_count(const struct kc_attach *attach, const struct kc_attached *attached,
		       struct kc_point_count ret_counts[KINDS]);

#endif
