// SPDX-License-Identifier: GPL-2.0-only
/* The engine without a kernel: passes, confirmation, the desk, events, sinks. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fake_watch.h"
#include "monitor/lookers.h"
#include "monitor/unseen.h"
#include "report/format.h"
#include "util/array.h"

static void run(int want)
{
	assert_int_equal(kc_passes_run(passes), want);
}

static void intact_is_silent(void **state)
{
	struct kc_coverage coverage;

	(void)state;
	for (int i = 0; i < 5; i++)
		run(0);
	coverage = covered();
	assert_int_equal(seen.findings, 0);
	assert_int_equal(coverage.sweep.verified, 15);
	assert_int_equal(kc_coverage_not_verifiable(&coverage), 0);
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_CLEAN);
}

/* Damaged between two passes: the kernel side sees it, two more looks prove it. */
static void damage_is_told_once(void **state)
{
	(void)state;
	run(0);
	threads[1].words[SLOT] = 0x4141414141414141;
	run(0);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(seen.seqs[0], 1);
	assert_int_equal(seen.syncs, 1);
	assert_int_equal(seen.last, KC_ANOMALY_SLOT);
	assert_string_equal(seen.place, "simple");
	/* What becomes of it only copies tell. */
	assert_true(threads[1].followed);
	assert_false(threads[0].followed);
	for (int i = 0; i < 10; i++)
		run(0);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(covered().told.repeated, 10);
	assert_int_equal(covered().sweep.unproven, 0);
}

/* What a sink wants to have proved once more is, under its old number, and told by nobody else. */
static void damage_is_proved_again(void **state)
{
	(void)state;
	threads[1].words[SLOT] = 0x4141414141414141;
	run(0);
	run(0);
	assert_int_equal(seen.again, 0);
	seen.wants_again = true;
	run(0);
	assert_int_equal(seen.again, 1);
	assert_int_equal(seen.again_seq, seen.seqs[0]);
	/* It has gone on between the looks. */
	threads[1].restless = true;
	run(0);
	assert_int_equal(seen.again, 1);
	assert_int_equal(seen.findings, 1);
}

/* Since when: the last look at which all of that sleep's stack was intact. */
static void when_it_was_last_intact(void **state)
{
	(void)state;
	threads[1].words[SLOT] = 0; /* at first sight */
	run(0);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(seen.intact_ns, 0);
	for (int i = 1; i <= 3; i++) {
		threads[2].record.boot_ns = 1000 * i;
		run(0);
	}
	threads[2].words[SLOT] = 0;
	threads[2].record.boot_ns = 4000;
	run(0);
	assert_int_equal(seen.findings, 2);
	assert_int_equal(seen.boot_ns, 4000);
	assert_int_equal(seen.intact_ns, 3000);
	/* What an audit asks for instead is an address, and no time. */
	threads[0].intact_ns = 5000;
	threads[0].record.flags |= KC_RECORD_HIGH_WATER;
	threads[0].words[SLOT] = 0;
	run(0);
	assert_int_equal(seen.findings, 3);
	assert_int_equal(seen.intact_ns, 0);
	threads[0].record.flags = 0;
	threads[0].words[SLOT] = KC_CANARY_MARK;
	run(0);
	/* In another sleep nobody has looked yet. */
	threads[0].record.switches++;
	threads[0].words[SLOT] = 0;
	run(0);
	assert_int_equal(seen.findings, 4);
	assert_int_equal(seen.intact_ns, 0);
}

/* What lies in the slot is asked of the kernel's books, in the sleep that the finding is about. */
static void slot_that_points_somewhere(void **state)
{
	const struct kc_pointed_word *word = &seen.pointed.word[0];

	(void)state;
	fake_pointee = (struct kc_pointee){ .kind = KC_POINTED_SLAB, .offset = 0x10 };
	strcpy(fake_pointee.cache, "kmalloc-64");
	threads[1].words[SLOT] = KC_HIDDEN_KERNEL;
	run(0);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(seen.pointed.count, 1);
	assert_int_equal(word->depth, TOP - (SP + 8 * SLOT));
	assert_int_equal(word->kind, KC_POINTED_SLAB);
	assert_string_equal(word->name, "kmalloc-64");
	assert_int_equal(word->offset, 0x10);
	assert_int_not_equal(seen.class, KC_CLASS_WRONG_STACK);

	/* Another thread's canary is no address. */
	fake_pointee = (struct kc_pointee){ .kind = KC_POINTED_CANARY, .pid = 5, .tid = 6 };
	threads[2].words[SLOT] = KC_HIDDEN_DATA;
	run(0);
	assert_int_equal(seen.findings, 2);
	assert_int_equal(word->kind, KC_POINTED_CANARY);
	assert_int_equal(word->tid, 6);
	assert_int_equal(seen.class, KC_CLASS_WRONG_STACK);
}

extern const char other[], interrupt_call[], interrupt_again[];

#define RETURN (SLOT + 1) /* index of simple()'s return address */

/* To another call site: nothing but an earlier look at the same sleep tells. */
static void another_return_address_in_one_sleep(void **state)
{
	uint64_t before = threads[1].words[RETURN];

	(void)state;
	run(0);
	threads[1].words[RETURN] = (uint64_t)interrupt_again + 5;
	run(0);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(seen.last, KC_ANOMALY_RETURN);
	assert_string_equal(seen.place, "simple");
	assert_int_equal(seen.was, before);
	for (int i = 0; i < 5; i++)
		run(0);
	assert_int_equal(seen.findings, 1);
	/* Put back, it is as it must be, and changed once more it is not. */
	threads[1].words[RETURN] = before;
	run(0);
	run(0);
	assert_int_equal(seen.findings, 1);
	threads[1].words[RETURN] = (uint64_t)interrupt_again + 5;
	run(0);
	assert_int_equal(seen.findings, 2);
	assert_int_equal(covered().sweep.unproven, 0);
}

/* Of a stack that was never followed to its end nothing is remembered, and nothing is missed. */
static void slot_below_what_is_no_return_address(void **state)
{
	(void)state;
	threads[1].words[SLOT] = 0x4141414141414141;
	threads[1].words[RETURN] = 0x1234;
	for (int i = 0; i < 4; i++)
		run(0);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(covered().told.repeated, 3);
	assert_int_equal(covered().sweep.unwind_ends[KC_UNWIND_NOT_TEXT], 4);
}

/* In another sleep it may well be another one; so may what was read in the middle of a run. */
static void another_sleep_returns_elsewhere(void **state)
{
	(void)state;
	run(0);
	threads[1].words[RETURN] = (uint64_t)interrupt_again + 5;
	threads[1].record.switches++;
	run(0);
	assert_int_equal(seen.findings, 0);
	assert_int_equal(covered().sweep.unproven, 0);
}

static void put_return_back(void)
{
	threads[1].words[RETURN] = (uint64_t)interrupt_call + 5;
}

/* What the second look does not bear out is no finding, and told. */
static void return_address_that_differed_once(void **state)
{
	(void)state;
	run(0);
	threads[1].words[RETURN] = (uint64_t)interrupt_again + 5;
	fake_on_look = put_return_back;
	run(0);
	fake_on_look = NULL;
	assert_int_equal(seen.findings, 0);
	assert_int_equal(covered().sweep.unproven, 1);
	/* Nor is it forgotten. */
	threads[1].words[RETURN] = (uint64_t)interrupt_again + 5;
	run(0);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(seen.was, (uint64_t)interrupt_call + 5);
}

#define INNERMOST (SLOT - 3) /* of what the switch itself returns to */

/* Each of them, in any order; what the first one led to is not blamed on the second. */
static void two_return_addresses_in_one_sleep(void **state)
{
	const uint64_t inner = threads[1].words[INNERMOST], outer = threads[1].words[RETURN];

	(void)state;
	run(0);
	threads[1].words[INNERMOST] = (uint64_t)interrupt_call + 5;
	run(0);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(seen.was, inner);
	threads[1].words[RETURN] = (uint64_t)interrupt_again + 5;
	run(0);
	assert_int_equal(seen.findings, 2);
	assert_int_equal(seen.last, KC_ANOMALY_RETURN);
	assert_int_equal(seen.was, outer);
	run(0);
	/* The frames are those that there were: all is verified, as long as it lasts. */
	assert_int_equal(covered().sweep.blind[KC_BLIND_UNWIND], 0);
	assert_true(threads[1].cached);
	/* One put back, then the other: neither news, nor what they were meanwhile. */
	threads[1].words[INNERMOST] = inner;
	run(0);
	run(0);
	threads[1].words[RETURN] = outer;
	run(0);
	run(0);
	assert_int_equal(seen.findings, 2);
	assert_int_equal(covered().sweep.unproven, 0);
}

/* What they call is being patched: what their stacks hold is not yet what it must be later. */
static void calls_that_cannot_be_followed_yet(void **state)
{
	(void)state;
	fake_tear(other);
	run(0);
	fake_on_read = NULL;
	assert_int_equal(covered().sweep.blind[KC_BLIND_UNWIND], 0);
	assert_int_equal(fake_rules(), 0);
	assert_false(threads[1].cached);
	run(0);
	assert_int_equal(fake_rules(), 2);
	assert_true(threads[1].cached);
}

/* A module that is loaded changes the kernel's text, and nothing that threads sleep on. */
static void return_address_that_changed_beside_a_module(void **state)
{
	uint64_t before = threads[1].words[RETURN];

	(void)state;
	run(0);
	kc_sweep_flush(NULL);
	threads[1].words[RETURN] = (uint64_t)interrupt_again + 5;
	run(0);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(seen.was, before);
}

/* What was told of the slot below it says nothing of the return address. */
static void slot_and_return_address_in_one_sleep(void **state)
{
	(void)state;
	run(0);
	threads[1].words[SLOT] = 0x4141414141414141;
	threads[1].words[RETURN] = (uint64_t)interrupt_again + 5;
	run(0);
	assert_int_equal(seen.findings, 2);
	for (int i = 0; i < 5; i++)
		run(0);
	assert_int_equal(seen.findings, 2);
	/* As it was: neither news nor a change. */
	threads[1].words[RETURN] = (uint64_t)interrupt_call + 5;
	for (int i = 0; i < 3; i++)
		run(0);
	assert_int_equal(seen.findings, 2);
	assert_true(threads[1].cached);
}

/* One damaged frame that never returns, in 5,000 sleeps of its thread: one finding. */
static void another_sleep_is_no_other_damage(void **state)
{
	(void)state;
	threads[1].words[SLOT] = 0x4141414141414141;
	for (int i = 0; i < 5000; i++) {
		threads[1].record.switches++;
		run(0);
	}
	assert_int_equal(seen.findings, 1);
	/* And another thread's is still told. */
	threads[2].words[SLOT] = 0;
	run(0);
	assert_int_equal(seen.findings, 2);
	assert_int_equal(seen.seqs[1], 2);
}

static void mended_and_damaged_again_is_news(void **state)
{
	(void)state;
	threads[1].words[SLOT] = 0;
	run(0);
	threads[1].words[SLOT] = KC_CANARY_MARK;
	threads[1].record.switches++;
	run(0);
	threads[1].words[SLOT] = 0;
	run(0);
	assert_int_equal(seen.findings, 2);
}

/* Read in the middle of a patch, the code puts the slot elsewhere: derived anew, it is intact. */
static void misread_text_proves_nothing(void **state)
{
	(void)state;
	misread_slot(1);
	run(0);
	assert_int_equal(seen.findings, 0);
	assert_int_equal(covered().sweep.unproven, 3);
	assert_int_equal(fake_rules(), 0);
	run(0);
	assert_int_equal(fake_rules(), 2); /* of simple(), and of what was interrupted */
	assert_int_equal(covered().sweep.unproven, 3);
	assert_int_equal(seen.findings, 0);
	/* What is damaged is still found. */
	threads[1].words[SLOT] = 0;
	run(0);
	assert_int_equal(seen.findings, 1);
}

/* One event, handled; it proves nothing. For kc_events_free(). */
static struct kc_events *hear_in_vain(const struct kc_event *event)
{
	struct kc_events *events = start_events();

	fake_send(event);
	while (!seen.evidence)
		nap();
	assert_int_equal(kc_events_stop(events), 0);
	assert_int_equal(seen.findings, 0);
	assert_int_equal(counts_of(events).unproven, 1);
	return events;
}

/* The same of a live probe's event: its slot was no slot. */
static void misread_text_proves_no_event(void **state)
{
	struct kc_event *event = new_event(1000, 7);

	(void)state;
	run(0);
	assert_int_equal(fake_rules(), 2);
	event->damage.slot = SP + 8;
	misread_slot(0);
	kc_plans_renew(session.plans, event->site);
	fake_on_read = NULL;
	kc_events_free(hear_in_vain(event));
	assert_int_equal(fake_rules(), 0);
}

/* Gone before its cgroup could be looked up: told if the kernel side knows that it was in it. */
static void thread_that_is_gone(void **state)
{
	struct kc_event *event = new_event(4194303, 7);
	struct kc_events *events;

	(void)state;
	fake_filter.cgroup = "/watched";
	kc_events_free(hear_in_vain(event));
	event->flags |= KC_EVENT_WANTED;
	event->id = 8;
	events = start_events();
	fake_send(event);
	while (seen.evidence < 2)
		nap();
	assert_int_equal(kc_events_stop(events), 0);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(counts_of(events).unproven, 0);
	kc_events_free(events);
}

/* A thread that runs between the looks proves nothing; it is counted, and no status 0. */
static void running_thread_proves_nothing(void **state)
{
	struct kc_coverage coverage;

	(void)state;
	threads[1].words[SLOT] = 0;
	threads[1].restless = true;
	run(0);
	coverage = covered();
	assert_int_equal(seen.findings, 0);
	assert_int_equal(coverage.sweep.unproven, 1);
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_BLIND);
	/* Whose it was is told, and of what function. */
	assert_int_equal(seen.notices, 1);
	assert_non_null(strstr(seen.notice, "not proved: a difference in simple+0x"));
	assert_non_null(strstr(seen.notice, "tid 101 of process"));
	/* So often, and no more. */
	for (int i = 0; i < 50; i++)
		run(0);
	assert_int_equal(covered().sweep.unproven, 51);
	assert_int_equal(seen.notices, 20);
	assert_non_null(strstr(seen.notice, "more of this kind are counted only"));
}

static void ran(struct fake_thread *thread, int passes_of_it)
{
	thread->ran = true;
	for (int i = 0; i < passes_of_it; i++)
		run(0);
	thread->ran = false;
}

/* One that ran meanwhile in each look, running at some: never verified, which is told once. */
static void thread_that_never_rests(void **state)
{
	struct kc_coverage coverage;

	(void)state;
	threads[0].running = true; /* at every look: the probes' business */
	ran(&threads[1], KC_RESTLESS_LOOKS - 1);
	threads[1].running = true;
	run(0);
	threads[1].running = false;
	coverage = covered();
	assert_int_equal(coverage.sweep.restless, 0);
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_CLEAN);
	ran(&threads[1], 100);
	coverage = covered();
	assert_int_equal(seen.notices, 1);
	assert_non_null(strstr(seen.notice, "tid 101 of process"));
	assert_int_equal(coverage.sweep.restless, 1);
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_BLIND);
}

/* ... and one in all looks of a watch that ends before there are so many: told at its end. */
static void thread_that_never_rested(void **state)
{
	struct kc_coverage coverage;

	(void)state;
	threads[0].running = true; /* at every look */
	threads[1].running = true; /* at the first one */
	run(0);
	threads[1].running = false;
	ran(&threads[1], 2);
	coverage = covered();
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_CLEAN);
	assert_int_equal(kc_passes_end(passes), 0);
	coverage = covered();
	assert_int_equal(seen.notices, 1);
	assert_non_null(strstr(seen.notice, "tid 101 of process"));
	assert_non_null(strstr(seen.notice, "at each of 2 looks"));
	assert_int_equal(coverage.sweep.restless, 1);
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_BLIND);
}

/* The twin: it was verified once, or there was one look only, which is chance. */
static void thread_that_rested_once(void **state)
{
	struct kc_coverage coverage;

	(void)state;
	ran(&threads[1], 1);
	assert_int_equal(kc_passes_end(passes), 0);
	run(0);
	ran(&threads[1], KC_RESTLESS_LOOKS - 1);
	assert_int_equal(kc_passes_end(passes), 0);
	coverage = covered();
	assert_int_equal(seen.notices, 0);
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_CLEAN);
}

/* The twin: it was verified in between, or its number is another thread's by now. */
static void thread_that_rests_at_times(void **state)
{
	struct kc_coverage coverage;

	(void)state;
	for (int i = 0; i < 10; i++) {
		ran(&threads[1], KC_RESTLESS_LOOKS - 1);
		run(0);
	}
	ran(&threads[1], KC_RESTLESS_LOOKS - 1);
	threads[1].record.start_ns++;
	ran(&threads[1], KC_RESTLESS_LOOKS - 1);
	coverage = covered();
	assert_int_equal(seen.notices, 0);
	assert_int_equal(coverage.sweep.restless, 0);
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_CLEAN);
}

static void stack_end(void **state)
{
	(void)state;
	threads[0].record.flags |= KC_RECORD_END_GONE;
	run(0);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(seen.last, KC_ANOMALY_STACK_END);
}

static void sink_that_fails(void **state)
{
	struct kc_coverage coverage;

	(void)state;
	threads[1].words[SLOT] = 0;
	seen.err = -ENOSPC;
	run(-ENOSPC);
	coverage = covered();
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_FINDINGS);
}

/*
 * Two lookers and the sweep, at once: each finding once and under its evidence's number, every
 * held CPU let go, nothing lost without being counted.
 */
static void lookers_and_passes(void **state)
{
	struct kc_coverage coverage;
	struct kc_events *events;

	(void)state;
	threads[1].words[SLOT] = 0;
	events = start_events();
	for (uint32_t i = 0; i < 100; i++) {
		fake_send(new_event(1000 + i, 1 + 2 * i));
		fake_send(new_event(1000 + i, 2 + 2 * i)); /* the same again */
		do {
			run(0);
			assert_int_equal(kc_events_handle(events), 0);
		} while (fake_held(KC_HELD_TOLD) < 2 + 2 * i);
	}
	assert_int_equal(kc_events_stop(events), 0);
	coverage = covered();
	assert_int_equal(counts_of(events).overflowed, 0);
	assert_int_equal(counts_of(events).unproven, 0);
	assert_int_equal(seen.evidence, 200);
	assert_int_equal(seen.findings, 101);
	/* The sweep's alone has a number without evidence. */
	for (size_t i = 0, without = 0; i < seen.findings; i++) {
		without += !seen.numbered[seen.seqs[i]];
		assert_true(without <= 1);
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(seen.seqs[i], seen.seqs[j]);
	}
	assert_int_equal(seen.notices, 100); /* what became of the other evidence */
	assert_non_null(strstr(seen.notice, ", seen again"));
	assert_int_equal(coverage.told.findings, 101);
	assert_int_equal(coverage.told_by_probes.findings, 100);
	assert_int_equal(coverage.told_by_probes.repeated, 100);
	assert_int_equal(fake_held(KC_HELD_TOLD), 200);
	kc_events_free(events);
}

static void *run_a_pass(void *arg)
{
	(void)arg;
	kc_passes_run(passes);
	return NULL;
}

/*
 * The main thread is stopped in the middle of writing a finding, with all that it may own: the
 * evidence of a held CPU is written all the same, and the CPU told.
 */
static void main_thread_stopped(void **state)
{
	struct kc_events *events = start_events();
	pthread_t main_thread;

	(void)state;
	threads[1].words[SLOT] = 0;
	seen.stop = true;
	assert_int_equal(pthread_create(&main_thread, NULL, run_a_pass, NULL), 0);
	while (!seen.stopped)
		nap();
	fake_send(new_event(1000, 501));
	while (fake_held(KC_HELD_SAFE) != 501)
		nap();
	assert_int_equal(fake_held(KC_HELD_SEEN), 501);
	assert_int_not_equal(fake_held(KC_HELD_TOLD), 501);
	assert_int_equal(seen.evidence, 1);
	seen.stop = false;
	pthread_join(main_thread, NULL);
	assert_int_equal(kc_events_stop(events), 0);
	assert_int_equal(seen.findings, 2);
	assert_true(seen.numbered[seen.seqs[1]]);
	assert_int_equal(fake_held(KC_HELD_TOLD), 501);
	kc_events_free(events);
}

/* Nobody empties the inbox: evidence of held CPUs is written, the rest is counted as lost. */
static void inbox_overflows(void **state)
{
	struct kc_events *events = start_events();
	struct kc_coverage coverage = { .sweep.verified = 1 };

	(void)state;
	for (uint32_t i = 0; i < 70; i++)
		fake_send(new_event(1000 + i, 1 + i));
	while (seen.evidence < 70)
		nap();
	assert_int_equal(kc_events_stop(events), 0);
	coverage.probes = counts_of(events);
	assert_int_equal(coverage.probes.overflowed, 6);
	assert_int_equal(seen.findings, 64);
	assert_int_equal(kc_coverage_exit(&coverage), KC_EXIT_BLIND);
	kc_events_free(events);
}

/* What the event's own copy does not bear out is no finding, and says what became of it. */
static void evidence_without_proof(void **state)
{
	struct kc_event *event = new_event(1000, 7);
	struct kc_events *events;

	(void)state;
	event->damage.slot += 8;
	events = hear_in_vain(event);
	assert_string_equal(seen.notice, "evidence 1 is no finding: its own copy of the stack does "
					 "not bear it out");
	assert_int_equal(fake_held(KC_HELD_TOLD), 7);
	assert_int_equal(seen.syncs, 1);
	kc_events_free(events);
}

/* Handled; how many more findings there are then. */
static size_t hear(struct kc_event *event)
{
	size_t findings = seen.findings, evidence = seen.evidence;
	struct kc_events *events = start_events();

	fake_send(event);
	while (seen.evidence == evidence)
		nap();
	assert_int_equal(kc_events_stop(events), 0);
	kc_events_free(events);
	return seen.findings - findings;
}

/* Damage that a gate tells of is the sweep's, too: one finding. */
static void gate_and_sweep(void **state)
{
	(void)state;
	run(0);
	threads[1].words[SLOT] = 0x4141414141414141;
	assert_int_equal(hear(new_gate_event(&threads[1], 7)), 1);
	assert_int_equal(seen.last, KC_ANOMALY_SLOT);
	assert_string_equal(seen.place, "simple");
	assert_int_equal(seen.syncs, 1);
	run(0);
	assert_int_equal(seen.findings, 1);
	/* It still differs, at another switch. */
	assert_int_equal(hear(new_gate_event(&threads[1], 8)), 0);
	assert_non_null(strstr(seen.notice, "is of finding 1, seen again"));
	assert_int_equal(covered().sweep.unproven, 0);
}

/* Beyond a return address that has changed a gate tells nothing; a pass does. */
static void gate_beyond_a_changed_return_address(void **state)
{
	const uint64_t before = threads[1].words[INNERMOST];

	(void)state;
	run(0);
	threads[1].words[INNERMOST] = (uint64_t)interrupt_call + 5;
	run(0);
	assert_int_equal(seen.findings, 1);
	threads[1].words[INNERMOST] = before;
	threads[1].words[SLOT] = 0x4141414141414141;
	assert_int_equal(hear(new_gate_event(&threads[1], 7)), 0);
	run(0);
	assert_int_equal(seen.findings, 2);
	assert_int_equal(seen.last, KC_ANOMALY_SLOT);
}

/* What the kernel side saw intact in between is damaged anew. */
static void gate_tells_anew(void **state)
{
	struct kc_event *event;

	(void)state;
	threads[1].words[SLOT] = 0;
	assert_int_equal(hear(new_gate_event(&threads[1], 7)), 1);
	event = new_gate_event(&threads[1], 8);
	event->bp = 1; /* boot time */
	assert_int_equal(hear(event), 1);
}

/* ... of its slots; what else was told stays told. */
static void gate_mends_slots_alone(void **state)
{
	struct kc_event *event;

	(void)state;
	threads[1].words[SLOT] = 0;
	threads[1].record.flags |= KC_RECORD_END_GONE;
	run(0);
	assert_int_equal(seen.findings, 2);
	event = new_gate_event(&threads[1], 8);
	event->bp = 1;
	assert_int_equal(hear(event), 1);
	run(0);
	assert_int_equal(seen.findings, 3);
}

/* What is damaged anew is proved from text as it is now, like anything new. */
static void gate_tells_anew_by_fresh_text(void **state)
{
	struct kc_event *event;

	(void)state;
	threads[1].words[SLOT] = 0;
	assert_int_equal(hear(new_gate_event(&threads[1], 7)), 1);
	misread_slot(0); /* by the text as it is from now on it is no slot */
	event = new_gate_event(&threads[1], 8);
	event->bp = 1;
	assert_int_equal(hear(event), 0);
	fake_on_read = NULL;
}

/* Rules of the kernel as it was: not proved, whatever the copy says. */
static void gate_of_unknown_code(void **state)
{
	(void)state;
	threads[1].words[SLOT] = 0;
	changing.stale_at = 0;
	kc_events_free(hear_in_vain(new_gate_event(&threads[1], 7)));
	assert_non_null(strstr(seen.notice, "is no finding: modules have come or gone"));
}

/* Seen before the modules were learned that are there now; and as soon as they were. */
static void gate_of_code_before(void **state)
{
	struct kc_event *event;

	(void)state;
	threads[1].words[SLOT] = 0;
	event = new_gate_event(&threads[1], 7);
	event->task.boot_ns = 5000;
	changing.learned_ns = 5001;
	kc_events_free(hear_in_vain(event));
	assert_non_null(strstr(seen.notice, "is no finding: modules have come or gone"));
	event = new_gate_event(&threads[1], 8);
	event->task.boot_ns = 5001;
	assert_int_equal(hear(event), 1);
}

/* By our tables all is well: the slot that differed is none. */
static void gate_without_proof(void **state)
{
	struct kc_event *event = new_gate_event(&threads[1], 7);
	size_t rules;

	(void)state;
	run(0);
	rules = fake_rules();
	assert_true(rules > 0);
	kc_events_free(hear_in_vain(event));
	assert_non_null(strstr(seen.notice, "does not bear it out"));
	/* Rules that rest on text as it is stay: a gate without any sees nothing. */
	assert_int_equal(fake_rules(), rules);
	threads[1].words[SLOT] = 0;
	event = new_gate_event(&threads[1], 8);
	event->damage.slot -= 8;
	assert_int_equal(hear(event), 0);
	event = new_gate_event(&threads[1], 9);
	event->damage.changed_bytes = 0;
	assert_int_equal(hear(event), 0);
}

/* A CPU that is held is let go when what a gate has said before is on the disk, too. */
static void held_cpu_waits_for_gates(void **state)
{
	struct kc_events *events = start_patient_events(3000);

	(void)state;
	threads[1].words[SLOT] = 0;
	seen.gate_waits = true;
	fake_send(new_gate_event(&threads[1], 7));
	while (!seen.gate_waited)
		nap();
	fake_send(new_event(1000, 8));
	while (!seen.evidence)
		nap();
	for (int i = 0; i < 20; i++)
		nap();
	assert_int_equal(fake_held(KC_HELD_SEEN), 8);
	assert_int_not_equal(fake_held(KC_HELD_SAFE), 8);
	seen.gate_waits = false;
	while (fake_held(KC_HELD_SAFE) != 8)
		nap();
	assert_int_equal(seen.evidence, 2);
	assert_int_equal(kc_events_stop(events), 0);
	assert_int_equal(seen.findings, 2);
	kc_events_free(events);
}

static _Atomic unsigned int in_log;

static int write_to_log(struct kc_sink *sink, unsigned int writer)
{
	(void)sink;
	(void)writer;
	in_log++;
	return 0;
}

static void free_log(struct kc_sink *sink)
{
	(void)sink;
}

/* What waits for no disk has it before the disk does, and only once. */
static void gate_goes_to_the_log_first(void **state)
{
	static const struct kc_sink_ops ops = {
		.write_evidence = write_to_log,
		.is_prompt = true,
		.free = free_log,
	};
	struct kc_sink log = { &ops };
	struct kc_events *events;

	(void)state;
	kc_sinks_add(&sinks, &log);
	events = start_patient_events(3000);
	threads[1].words[SLOT] = 0;
	in_log = 0;
	seen.gate_waits = true;
	fake_send(new_gate_event(&threads[1], 7));
	while (!in_log || !seen.gate_waited)
		nap();
	assert_int_equal(seen.evidence, 0);
	seen.gate_waits = false;
	assert_int_equal(kc_events_stop(events), 0);
	assert_int_equal(seen.evidence, 1);
	assert_int_equal(in_log, 1);
	kc_events_free(events);
	kc_sinks_free(&sinks);
}

/* However many gates' events wait for the disk, somebody looks out for a CPU that is held. */
static void gates_leave_one_looker(void **state)
{
	struct kc_events *events = start_patient_events(3000);

	(void)state;
	threads[1].words[SLOT] = 0;
	seen.gate_waits = true;
	for (uint64_t i = 0; i < 2 * KC_LOOKERS; i++)
		fake_send(new_gate_event(&threads[1], 7 + i));
	while (!seen.gate_waited)
		nap();
	fake_send(new_event(1000, 100));
	while (fake_held(KC_HELD_SEEN) != 100)
		nap();
	seen.gate_waits = false;
	assert_int_equal(kc_events_stop(events), 0);
	assert_int_equal(seen.findings, 2);
	assert_int_equal(fake_held(KC_HELD_TOLD), 100);
	kc_events_free(events);
}

/* A full disk, which is endured: the CPU is not told that the finding is on it. */
static void full_disk_at_an_event(void **state)
{
	struct kc_events *events = start_events();

	(void)state;
	seen.full = true;
	fake_send(new_event(1000, 950));
	while (!seen.evidence)
		nap();
	assert_int_equal(kc_events_stop(events), 0);
	assert_int_equal(seen.findings, 1);
	assert_int_not_equal(fake_held(KC_HELD_TOLD), 950);
	kc_events_free(events);
	/* Nor when there is room again for a word that it is seen again. */
	seen.full = false;
	events = start_events();
	fake_send(new_event(1000, 951));
	while (seen.evidence < 2)
		nap();
	assert_int_equal(kc_events_stop(events), 0);
	assert_int_equal(seen.findings, 1);
	assert_non_null(strstr(seen.notice, "is of finding 1, seen again"));
	assert_int_not_equal(fake_held(KC_HELD_TOLD), 951);
	kc_events_free(events);
}

/* A sink that fails ends the watch, and the CPU is not told that it may go on sooner. */
static void sink_fails_at_an_event(void **state)
{
	struct kc_events *events = start_events();

	(void)state;
	seen.err = -ENOSPC;
	fake_send(new_event(1000, 900));
	while (!seen.evidence)
		nap();
	assert_int_equal(kc_events_stop(events), -ENOSPC);
	assert_int_equal(fake_held(KC_HELD_SAFE), 900);
	assert_int_not_equal(fake_held(KC_HELD_TOLD), 900);
	kc_events_free(events);
}

/* Every counter has a name of its own in its group, and a text. */
static void counters(void **state)
{
	(void)state;
	for (size_t i = 0; i < kc_nr_sweep_counters; i++)
		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(kc_sweep_counters[i].name,
						kc_sweep_counters[j].name);
	for (size_t i = 0; i < kc_nr_probe_counters; i++) {
		struct kc_coverage coverage = { .sweep.verified = 1 };

		*(uint64_t *)((char *)&coverage + kc_probe_counters[i].offset) = 3;
		assert_int_equal(kc_coverage_exit(&coverage),
				 kc_probe_counters[i].flags & KC_COUNTER_BLIND ? KC_EXIT_BLIND
									       : KC_EXIT_CLEAN);
	}
	assert_int_equal(kc_coverage_exit(&(struct kc_coverage){}), KC_EXIT_BLIND);
}

/* What the one rule says of a coverage that is clean but for this word of it. */
static bool forbids(size_t offset)
{
	struct kc_coverage coverage = { .sweep.verified = 1 };
	kc_auto_free char *sentence = NULL;
	struct kc_reason reason;
	bool blind;

	*(uint64_t *)((char *)&coverage + offset) = 3;
	blind = kc_coverage_exit(&coverage) == KC_EXIT_BLIND;
	sentence = kc_not_seen_text(&coverage);
	/* Status and sentence are of one mind. */
	assert_int_equal(blind, sentence != NULL);
	assert_int_equal(blind, kc_coverage_not_seen(&coverage, 0, &reason));
	assert_false(kc_coverage_not_seen(&coverage, 1, &reason));
	assert_true(!blind || !strncmp(sentence, "not all was seen: 3 ", 20));
	return blind;
}

/* What makes a status 4, row by row, and what does not. */
static void what_forbids_status_0(void **state)
{
	static const size_t forbidding[] = {
		offsetof(struct kc_coverage, sweep.unproven),
		offsetof(struct kc_coverage, sweep.restless),
		offsetof(struct kc_coverage, sweep.stale),
		offsetof(struct kc_coverage, sweep.unreadable),
		offsetof(struct kc_coverage, sweep.unwind_ends[KC_UNWIND_TRACER]),
		offsetof(struct kc_coverage, sweep.plan_blind[KC_PLAN_TOO_LARGE]),
		offsetof(struct kc_coverage, sweep.losses[KC_LOSS_CGROUP]),
		offsetof(struct kc_coverage, sweep.losses[KC_LOSS_HIGH_WATER]),
		offsetof(struct kc_coverage, probes.unmatched),
		offsetof(struct kc_coverage, probes.other_stack),
		offsetof(struct kc_coverage, probes.unproven),
		offsetof(struct kc_coverage, probes.missed),
		offsetof(struct kc_coverage, probes.failed),
		offsetof(struct kc_coverage, probes.losses[KC_LOSS_BUDGET]),
	};
	static const size_t healthy[] = {
		offsetof(struct kc_coverage, sweep.running),
		offsetof(struct kc_coverage, sweep.dead),
		offsetof(struct kc_coverage, sweep.moved),
		offsetof(struct kc_coverage, sweep.uncached),
		offsetof(struct kc_coverage, sweep.losses[KC_LOSS_TASK]),
		offsetof(struct kc_coverage, probes.early),
		offsetof(struct kc_coverage, probes.late),
		offsetof(struct kc_coverage, probes.losses[KC_LOSS_THREADS]),
	};
	kc_auto_free char *sentence = kc_not_seen_text(&(struct kc_coverage){});

	(void)state;
	for (size_t i = 0; i < kc_countof(forbidding); i++)
		assert_true(forbids(forbidding[i]));
	for (size_t i = 0; i < kc_countof(healthy); i++)
		assert_false(forbids(healthy[i]));
	assert_string_equal(sentence,
			    "not all was seen: 0 frames verified: nothing was there to look at");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_watch_setup, fake_watch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(intact_is_silent),
		TEST(damage_is_told_once),
		TEST(damage_is_proved_again),
		TEST(another_return_address_in_one_sleep),
		TEST(another_sleep_returns_elsewhere),
		TEST(return_address_that_differed_once),
		TEST(slot_below_what_is_no_return_address),
		TEST(two_return_addresses_in_one_sleep),
		TEST(calls_that_cannot_be_followed_yet),
		TEST(return_address_that_changed_beside_a_module),
		TEST(slot_and_return_address_in_one_sleep),
		TEST(another_sleep_is_no_other_damage),
		TEST(mended_and_damaged_again_is_news),
		TEST(misread_text_proves_nothing),
		TEST(when_it_was_last_intact),
		TEST(slot_that_points_somewhere),
		TEST(misread_text_proves_no_event),
		TEST(thread_that_is_gone),
		TEST(running_thread_proves_nothing),
		TEST(thread_that_never_rests),
		TEST(thread_that_never_rested),
		TEST(thread_that_rested_once),
		TEST(thread_that_rests_at_times),
		TEST(stack_end),
		TEST(sink_that_fails),
		TEST(lookers_and_passes),
		TEST(main_thread_stopped),
		TEST(inbox_overflows),
		TEST(evidence_without_proof),
		TEST(gate_and_sweep),
		TEST(gate_beyond_a_changed_return_address),
		TEST(gate_tells_anew),
		TEST(gate_mends_slots_alone),
		TEST(gate_tells_anew_by_fresh_text),
		TEST(gate_of_code_before),
		TEST(gate_of_unknown_code),
		TEST(gate_without_proof),
		TEST(held_cpu_waits_for_gates),
		TEST(gate_goes_to_the_log_first),
		TEST(gates_leave_one_looker),
		TEST(sink_fails_at_an_event),
		TEST(full_disk_at_an_event),
		cmocka_unit_test(counters),
		cmocka_unit_test(what_forbids_status_0),
	};

	return RUN(tests);
}
