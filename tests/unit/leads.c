// SPDX-License-Identifier: GPL-2.0-only
/* Which frames a call may be above. */
#include "unit.h"

#include <string.h>

#include "fake.h"
#include "guard/leads.h"
#include "guard/site.h"

extern const char other[], mends_faults[], mends_nothing[], simple[], simple_call[], through_rbp[],
	leads_on[], leads_nowhere[], leads_by_register[], leads_by_thunk[], is_traced[], falls_on[],
	above_leads_nowhere[], above_leads_on[], above_is_traced[], ends_in_a_call[],
	behind_the_call[], never_comes_back[], __x86_indirect_thunk_rax[], kc_text_end[];

static struct kc_decoder *decoder;

static int setup(void **state)
{
	fake_setup(state);
	return kc_decoder_new(&fake->kernel.guard, &decoder);
}

static int teardown(void **state)
{
	fake_on_read = NULL;
	kc_decoder_free(decoder);
	return fake_teardown(state);
}

static enum kc_leads leads(const char *target, const char *below)
{
	return kc_leads(&fake->kernel, decoder, (uint64_t)target,
			kc_ksyms_find(fake->kernel.ksyms, (uint64_t)below));
}

static void by_calls_and_jumps(void **state)
{
	(void)state;
	assert_int_equal(leads(simple, simple), KC_LEADS_THERE);
	assert_int_equal(leads(leads_on, simple), KC_LEADS_THERE);
	assert_int_equal(leads(leads_on, falls_on), KC_LEADS_THERE);
	assert_int_equal(leads(leads_on, leads_nowhere), KC_LEADS_THERE);
	assert_int_equal(leads(leads_on, through_rbp), KC_LEADS_ELSEWHERE);
	/* What it calls is no frame below its caller's. */
	assert_int_equal(leads(leads_nowhere, simple), KC_LEADS_ELSEWHERE);
	assert_int_equal(leads(is_traced, simple), KC_LEADS_ELSEWHERE);
}

static void who_knows(void **state)
{
	(void)state;
	assert_int_equal(leads(leads_by_register, leads_nowhere), KC_LEADS_THERE);
	assert_int_equal(leads(leads_by_register, simple), KC_LEADS_ANYWHERE);
	assert_int_equal(leads(leads_by_thunk, simple), KC_LEADS_ANYWHERE);
	assert_int_equal(leads(__x86_indirect_thunk_rax, simple), KC_LEADS_ANYWHERE);
	/* No function begins there. */
	assert_int_equal(leads(simple + 16, through_rbp), KC_LEADS_ANYWHERE);
	assert_int_equal(leads(kc_text_end + 4096, simple), KC_LEADS_ANYWHERE);
}

static uint8_t at_entry[5];

static void change_entry(uint64_t addr, uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < sizeof(at_entry); i++)
		if ((uint64_t)is_traced + i - addr < len)
			bytes[(uint64_t)is_traced + i - addr] = at_entry[i];
}

/* Where a static key is being switched, right behind a call. */
static void torn_behind_a_call(void **state)
{
	(void)state;
	assert_int_equal(leads(leads_nowhere, through_rbp), KC_LEADS_ELSEWHERE);
	fake_tear(leads_nowhere + 6);
	assert_int_equal(leads(leads_nowhere, through_rbp), KC_LEADS_NOT_NOW);
	fake_on_read = NULL;
}

/* Who traces a function may come back to another one in its place: live patches do. */
static void changed_at_its_entry(void **state)
{
	const struct kc_sym patch = { .addr = FAKE_MADE, .size = 16, .module = 1 };
	const int32_t to = other - is_traced - 5;

	(void)state;
	assert_int_equal(kc_leads(&fake->kernel, decoder, (uint64_t)is_traced, &patch),
			 KC_LEADS_ELSEWHERE);
	fake_on_read = change_entry;
	at_entry[0] = 0xe8;
	memcpy(at_entry + 1, &to, sizeof(to));
	assert_int_equal(leads(is_traced, simple), KC_LEADS_ELSEWHERE);
	assert_int_equal(kc_leads(&fake->kernel, decoder, (uint64_t)is_traced, &patch),
			 KC_LEADS_ANYWHERE);
	/* In the middle of that, and what is no code. */
	memcpy(at_entry, "\xcc\x1f\x44\x00\x00", 5);
	assert_int_equal(leads(is_traced, simple), KC_LEADS_NOT_NOW);
	memcpy(at_entry, "\x06\x1f\x44\x00\x00", 5);
	assert_int_equal(leads(is_traced, simple), KC_LEADS_ANYWHERE);
}

static enum kc_site_kind above(const char *site, const char *below)
{
	return kc_plans_above(fake->plans, (uint64_t)site, (uint64_t)below);
}

static void sites(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(above(above_leads_on, simple_call), KC_SITE_CALL);
		assert_int_equal(above(above_leads_on, leads_nowhere), KC_SITE_CALL);
		assert_int_equal(above(above_leads_on, leads_on), KC_SITE_CALL);
		assert_int_equal(above(above_leads_on, through_rbp), KC_SITE_ELSEWHERE);
		assert_int_equal(above(above_leads_nowhere, simple_call), KC_SITE_ELSEWHERE);
		assert_int_equal(above(above_leads_nowhere, leads_nowhere), KC_SITE_CALL);
	}
	/* Any call of other(). */
	assert_int_equal(above(simple_call + 5, through_rbp), KC_SITE_CALL);
	/* Nothing is known of what is below, or it has no name. */
	assert_int_equal(kc_plans_above(fake->plans, (uint64_t)above_leads_on, 0), KC_SITE_CALL);
	assert_int_equal(above(simple_call, simple), KC_SITE_NO_CALL);
}

static uint64_t retargeted;

/* A call of leads_nowhere() becomes one of simple(). */
static void retarget(uint64_t addr, uint8_t *bytes, size_t len)
{
	int32_t to = (uint64_t)simple - retargeted;

	for (size_t i = 0; i < sizeof(to); i++)
		if (retargeted - sizeof(to) + i - addr < len)
			bytes[retargeted - sizeof(to) + i - addr] = ((uint8_t *)&to)[i];
}

/* A static call: what it led to is no news, what it leads to now is. */
static void call_that_is_patched(void **state)
{
	(void)state;
	retargeted = (uint64_t)above_leads_nowhere;
	assert_int_equal(above(above_leads_nowhere, leads_nowhere), KC_SITE_CALL);
	assert_int_equal(above(above_leads_nowhere, simple), KC_SITE_ELSEWHERE);
	fake_on_read = retarget;
	/* Asked once a pass, and when somebody wants it derived anew. */
	assert_int_equal(above(above_leads_nowhere, simple), KC_SITE_ELSEWHERE);
	assert_true(kc_plans_renew_site(fake->plans, retargeted));
	assert_int_equal(above(above_leads_nowhere, simple), KC_SITE_CALL);
	assert_false(kc_plans_renew_site(fake->plans, retargeted));
	assert_int_equal(above(above_leads_nowhere, leads_nowhere), KC_SITE_ELSEWHERE);
	assert_false(kc_plans_renew_site(fake->plans, retargeted));
	fake_on_read = NULL;
	kc_plans_next_pass(fake->plans);
	assert_int_equal(above(above_leads_nowhere, leads_nowhere), KC_SITE_CALL);
}

/* What could not be told in the middle of a patch is asked again in the next pass. */
static void asked_again(void **state)
{
	(void)state;
	fake_on_read = change_entry;
	memcpy(at_entry, "\xcc\x1f\x44\x00\x00", 5);
	assert_int_equal(above(above_is_traced, simple), KC_SITE_NOT_NOW);
	fake_on_read = NULL;
	assert_int_equal(above(above_is_traced, simple), KC_SITE_NOT_NOW);
	kc_plans_next_pass(fake->plans);
	assert_int_equal(above(above_is_traced, simple), KC_SITE_ELSEWHERE);
}

/* What static keys and calls have led to when a task went there, text does not tell. */
static void once_led_there(void **state)
{
	struct kc_edge edges[] = {
		{ (uint64_t)leads_nowhere + 1, KC_EDGE_AWAY }, /* a call */
		{ (uint64_t)leads_nowhere + 7, KC_EDGE_AWAY }, /* a return, that was a jump */
	};

	(void)state;
	fake->kernel.edges = edges;
	fake->kernel.nr_edges = 1;
	assert_int_equal(leads(leads_nowhere, through_rbp), KC_LEADS_ELSEWHERE);
	fake->kernel.nr_edges = 2;
	assert_int_equal(leads(leads_nowhere, through_rbp), KC_LEADS_ANYWHERE);
	edges[1].target = (uint64_t)through_rbp;
	assert_int_equal(leads(leads_nowhere, through_rbp), KC_LEADS_THERE);
	edges[1].target = (uint64_t)leads_nowhere;
	assert_int_equal(leads(leads_nowhere, through_rbp), KC_LEADS_ELSEWHERE);
	/* What mends a fault of it, and comes back; a frame may lie there all the same. */
	edges[1].target = (uint64_t)mends_faults;
	assert_int_equal(leads(leads_nowhere, through_rbp), KC_LEADS_ELSEWHERE);
	assert_int_equal(leads(leads_nowhere, mends_faults), KC_LEADS_THERE);
	edges[1].target = (uint64_t)mends_nothing;
	assert_int_equal(leads(leads_nowhere, through_rbp), KC_LEADS_ANYWHERE);
	/* A call that was of another function. */
	edges[0].code = (uint64_t)above_leads_nowhere - 5;
	fake->kernel.nr_edges = 1;
	assert_int_equal(above(above_leads_nowhere, simple), KC_SITE_CALL);
	fake->kernel.edges = NULL;
	fake->kernel.nr_edges = 0;
	kc_plans_renew_site(fake->plans, (uint64_t)above_leads_nowhere);
	assert_int_equal(above(above_leads_nowhere, simple), KC_SITE_ELSEWHERE);
}

/* A function whose last instruction is a call goes on where no other one may begin. */
static void behind_a_last_call(void **state)
{
	(void)state;
	assert_int_equal(leads(ends_in_a_call, behind_the_call), KC_LEADS_THERE);
	assert_int_equal(leads(ends_in_a_call, through_rbp), KC_LEADS_ELSEWHERE);
	assert_int_equal(leads(never_comes_back, ends_in_a_call), KC_LEADS_ELSEWHERE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(by_calls_and_jumps),   TEST(who_knows),	  TEST(torn_behind_a_call),
		TEST(changed_at_its_entry), TEST(sites),	  TEST(call_that_is_patched),
		TEST(asked_again),	    TEST(once_led_there), TEST(behind_a_last_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
