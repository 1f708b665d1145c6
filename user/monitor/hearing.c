// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/hearing.h"

#include <stdio.h>

#include "monitor/pointing.h"
#include "monitor/unseen.h"
#include "stack/place.h"
#include "verdict/event.h"

/* As enum kc_filed: nothing was proved. */
#define NOT_PROVED     (KC_FILED_NOBODYS + 1)
#define NOT_KNOWN_CODE (KC_FILED_NOBODYS + 2)

/* Why a first record is no finding. */
static const char *why_not(int filed)
{
	switch (filed) {
	case KC_FILED_KNOWN:
		return "there were too many";
	case KC_FILED_UNWANTED:
		return "its thread is not among those watched";
	case KC_FILED_NOBODYS:
		return "its thread was gone before its cgroup could be read";
	case NOT_KNOWN_CODE:
		return "modules have come or gone meanwhile";
	}
	return "its own copy of the stack does not bear it out";
}

/* What became of a first record that no finding follows. */
static int tell_outcome(const struct kc_hearing *hearing, uint64_t number, int filed, uint64_t seq)
{
	char text[160];

	if (!number || filed == KC_FILED_WRITTEN || filed < 0)
		return 0;
	if (filed == KC_FILED_KNOWN && seq)
		snprintf(text, sizeof(text), "evidence %lu is of finding %lu, seen again", number,
			 seq);
	else
		snprintf(text, sizeof(text), "evidence %lu is no finding: %s", number,
			 why_not(filed));
	return kc_sinks_notice(hearing->with.sinks, text);
}

static bool prove_event(const struct kc_hearing *hearing, const struct kc_event *event,
			struct kc_checked_stack *checked, struct kc_finding *ret_finding)
{
	struct kc_session *session = hearing->with.session;

	return kc_event_prove(session->kernel, session->plans, &session->seen, event, checked,
			      ret_finding);
}

/*
 * A gate told what is not so: text has changed since its rules were derived, or where a call led
 * then it does not now. Else it is for user space alone to see. Text is read for one such event in
 * a pass, and rules are not dropped for nothing: until the next pass there are none.
 */
static void heal(struct kc_hearing *hearing, const struct kc_event *event,
		 const struct kc_checked_stack *checked)
{
	struct kc_session *session = hearing->with.session;
	unsigned int pass = kc_plans_pass(session->plans);

	if (hearing->healed == pass)
		return;
	hearing->healed = pass;
	if (kc_event_renew(session->kernel, session->plans, event) ||
	    checked->end == KC_UNWIND_ELSEWHERE)
		kc_source_flush(hearing->with.source);
}

/* What is proved and nobody knows of yet is proved from freshly read text, too. */
static bool prove_anew(const struct kc_hearing *hearing, const struct kc_event *event,
		       struct kc_checked_stack *checked, struct kc_finding *ret_finding,
		       struct kc_damaged *ret_damaged)
{
	struct kc_session *session = hearing->with.session;

	if (event->kind == KC_EVENT_GATE)
		kc_desk_seen_intact(hearing->with.desk, &event->task, event->bp);
	*ret_damaged = (struct kc_damaged){
		.anomaly = ret_finding->anomaly,
		.addr = ret_finding->damage.slot
				?: event->task.count ? event->task.sp
						     : event->site,
	};
	if (kc_desk_knows(hearing->with.desk, &event->task, *ret_damaged) ||
	    !kc_event_renew(session->kernel, session->plans, event))
		return true;
	/* What the kernel side was told of stacks rests on the same text. */
	kc_source_flush(hearing->with.source);
	return prove_event(hearing, event, checked, ret_finding);
}

/* As kc_desk_file(), and NOT_PROVED, NOT_KNOWN_CODE. */
static int file_event(struct kc_hearing *hearing, const struct kc_event *event,
		      const struct kc_first *first, uint64_t *ret_seq)
{
	struct kc_session *session = hearing->with.session;
	struct kc_pointed_words pointed;
	struct kc_checked_stack checked;
	struct kc_finding finding;
	bool is_gate = event->kind == KC_EVENT_GATE, is_sample = event->kind == KC_EVENT_SAMPLE;
	struct kc_damaged damaged;
	int filed;

	*ret_seq = 0;
	if (!prove_event(hearing, event, &checked, &finding)) {
		if (is_gate)
			heal(hearing, event, &checked);
		return NOT_PROVED;
	}
	/* Its rules, and what it was proved by, are of the kernel as it was at the last pass. */
	if ((is_gate || is_sample) && kc_source_is_stale(hearing->with.source, event->task.boot_ns))
		return NOT_KNOWN_CODE;
	if (!prove_anew(hearing, event, &checked, &finding, &damaged))
		return NOT_PROVED;
	if (event->flags & KC_EVENT_ANEW)
		kc_desk_differs_anew(hearing->with.desk, &event->task, damaged, event->caller);
	/* A stack that a kernel panics on stays as it is; another is in use again. */
	if (event->kind == KC_EVENT_PANIC && event->task.count && finding.damage.slot) {
		kc_point(hearing->with.source, session->kernel, &finding.stack, &checked,
			 &checked.frames[finding.frame], &pointed);
		finding.pointed = &pointed;
	}
	kc_source_now(hearing->with.source, &finding.time);
	finding.seq = first->number;
	finding.had_evidence = first->number;
	filed = kc_desk_file(hearing->with.desk, session->kernel, event, damaged, &finding);
	*ret_seq = finding.seq;
	/* As with what the sweep finds, what becomes of it only copies tell. */
	if (is_gate && filed == KC_FILED_WRITTEN)
		kc_source_follow(hearing->with.source, event->task.tid);
	return filed;
}

int kc_event_handle(struct kc_hearing *hearing, const struct kc_event *event,
		    const struct kc_first *first)
{
	char place[160];
	uint64_t seq;
	int filed, err;

	kc_source_event(hearing->with.source, event, first);
	filed = file_event(hearing, event, first, &seq);
	hearing->is_told = filed == KC_FILED_WRITTEN || filed == KC_FILED_KNOWN;
	hearing->unproven += filed >= KC_FILED_NOBODYS;
	err = filed < 0 ? filed : tell_outcome(hearing, first->number, filed, seq);
	if (!err && filed >= NOT_PROVED && !first->number)
		err = kc_tell_unproven(
			hearing->with.sinks, &event->task,
			kc_place_text(hearing->with.session->kernel, kc_event_site(event), place),
			&hearing->told);
	/* One sink that failed is no reason not to sync another; a CPU may be held for it. */
	if (filed == KC_FILED_WRITTEN || filed < 0 || first->number)
		err = kc_sinks_sync(hearing->with.sinks) ?: err;
	return err;
}
