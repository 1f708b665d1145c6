// SPDX-License-Identifier: GPL-2.0-only
/* Modules come and go in the middle of a watch: the kernel is learned again. */
#include "unit.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "fake_host.h"
#include "fake_watch.h"
#include "stack/place.h"

static void run(void)
{
	assert_int_equal(kc_passes_run(passes), 0);
}

/* The same damage before and after it, told once; another one is told then, too. */
static void same_damage(void **state)
{
	const struct kc_kernel *old = session.kernel;
	uint64_t intact;

	(void)state;
	run();
	threads[1].words[SLOT] = 0;
	run();
	assert_int_equal(seen.findings, 1);
	intact = seen.intact;
	assert_true(intact >= 3);
	changing.stale_at = 0;
	run();
	assert_int_equal(changing.reloads, 1);
	assert_int_equal(changing.flushes, 1);
	assert_ptr_not_equal(session.kernel, old);
	/* What the kernel side was told to compare came of old plans. */
	assert_int_equal(kc_passes_last(passes)->copied, 3);
	assert_int_equal(seen.findings, 1);
	assert_int_equal(covered().told.repeated, 1);
	threads[2].words[SLOT] = 0;
	run();
	assert_int_equal(seen.findings, 2);
	assert_int_equal(seen.seqs[1], 2);
	assert_true(seen.intact > intact); /* what was seen before counts on */
	assert_string_equal(seen.place, "simple");
	assert_int_equal(changing.reloads, 1);
}

/* Code moved between the pass and the second look: nothing is proved, until it is known. */
static void stale_between_looks(void **state)
{
	(void)state;
	threads[1].words[SLOT] = 0;
	changing.stale_at = 1;
	run();
	assert_int_equal(seen.findings, 0);
	assert_int_equal(covered().sweep.unproven, 1);
	assert_int_equal(changing.reloads, 0);
	run();
	assert_int_equal(changing.reloads, 1);
	assert_int_equal(seen.findings, 1);
}

/* The old facts serve, it is counted, and nothing is proved with them. */
static void reload_that_fails(void **state)
{
	const struct kc_kernel *old = session.kernel;

	(void)state;
	threads[1].words[SLOT] = 0;
	changing.stale_at = 0;
	changing.reload_err = -EBADMSG;
	run();
	run();
	assert_ptr_equal(session.kernel, old);
	assert_ptr_equal(session.lent, old);
	assert_int_equal(seen.findings, 0);
	assert_int_equal(covered().sweep.stale, 2);
	assert_int_equal(changing.flushes, 0);
	changing.reload_err = 0;
	run();
	assert_int_equal(seen.findings, 1);
	assert_int_equal(covered().sweep.stale, 2);
}

/* Modules that change during the last pass, or after it, are in no pass: counted, once. */
static void stale_at_the_end(void **state)
{
	(void)state;
	run();
	assert_int_equal(kc_passes_end(passes), 0);
	assert_int_equal(covered().sweep.stale, 0);
	changing.stale_at = 1;
	run();
	assert_int_equal(covered().sweep.stale, 0);
	assert_int_equal(kc_passes_end(passes), 0);
	assert_int_equal(covered().sweep.stale, 1);
	changing.reload_err = -EBADMSG;
	run();
	assert_int_equal(covered().sweep.stale, 2);
	assert_int_equal(kc_passes_end(passes), 0);
	assert_int_equal(covered().sweep.stale, 2);
}

/* A looker that is stopped in the middle of its words, with the kernel that it borrowed. */
static struct {
	struct kc_sink sink;
	_Atomic bool has_it, go_on;
	const struct kc_kernel *_Atomic kernel;
	char place[160];
} slow;

static void word_slowly(struct kc_sink *sink, const struct kc_kernel *kernel,
			const struct kc_evidence *evidence)
{
	(void)sink;
	slow.kernel = kernel;
	slow.has_it = true;
	while (!slow.go_on)
		nap();
	kc_place_text(kernel, evidence->event->site, slow.place);
}

static void forget(struct kc_sink *sink)
{
	(void)sink;
}

static const struct kc_sink_ops slow_ops = { .word_evidence = word_slowly, .free = forget };

static void *run_a_pass(void *arg)
{
	(void)arg;
	kc_passes_run(passes);
	return NULL;
}

static struct kc_events *borrow(uint64_t id)
{
	struct kc_events *events;

	slow.has_it = slow.go_on = false;
	slow.place[0] = '\0';
	slow.sink.ops = &slow_ops;
	kc_sinks_add(&sinks, &slow.sink);
	events = start_events();
	fake_send(new_event(1000, id));
	while (!slow.has_it)
		nap();
	return events;
}

/*
 * The old kernel stays until it is given back, and new borrowers get the new one. Whoever
 * reloads waits (and then naps), or does not wait (and then flushes).
 */
static void while_it_is_borrowed(void **state)
{
	struct kc_events *events = borrow(8001);
	const struct kc_kernel *old = session.lent;
	uint64_t naps = fake_naps();
	pthread_t reloader;

	(void)state;
	changing.stale_at = 0;
	assert_int_equal(pthread_create(&reloader, NULL, run_a_pass, NULL), 0);
	while (fake_naps() == naps && !changing.flushes)
		nap();
	assert_int_equal(changing.reloads, 1);
	assert_ptr_equal(slow.kernel, old);
	assert_ptr_not_equal(session.lent, old);
	slow.go_on = true; /* ASan tells if the old one is gone by now */
	pthread_join(reloader, NULL);
	assert_string_equal(slow.place, "simple+0x19");
	assert_int_equal(changing.flushes, 1);
	assert_int_equal(kc_events_stop(events), 0);
	assert_int_equal(seen.findings, 1); /* made with the new kernel */
	assert_string_equal(seen.place, "simple");
	assert_int_equal(fake_held(KC_HELD_TOLD), 8001);
	kc_events_free(events);
}

/* Reload after reload while both lookers write all the time. */
static void many_reloads(void **state)
{
	struct kc_events *events = start_events();

	(void)state;
	threads[1].words[SLOT] = 0;
	for (uint32_t i = 0; i < 100; i++) {
		changing.stale_at = 0;
		fake_send(new_event(1000 + i, 9001 + i));
		do {
			run();
			assert_int_equal(kc_events_handle(events), 0);
		} while (seen.evidence <= i);
	}
	assert_int_equal(kc_events_stop(events), 0);
	assert_int_equal(changing.reloads, 100);
	assert_int_equal(seen.findings, 101);
	assert_int_equal(counts_of(events).overflowed, 0);
	kc_events_free(events);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_watch_setup, fake_watch_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(same_damage),	TEST(stale_between_looks),  TEST(reload_that_fails),
		TEST(stale_at_the_end), TEST(while_it_is_borrowed), TEST(many_reloads),
	};

	return RUN(tests);
}
