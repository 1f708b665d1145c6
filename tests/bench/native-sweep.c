// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: native-sweep PID: sweep the threads of a process on this machine's kernel, which
 * may be one that kcanary itself can't run on: only iterating, copying and comparing are
 * measured. In the place of guard plans, the first four words of each stack that hold the
 * canary are its slots, and the first eight that look like kernel text its return addresses.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "probe/sweep.h"

#define THREAD_SIZE 16384
#define PASSES	    101
#define SLOTS	    4
#define RETURNS	    8

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static int cache(const struct kc_record *record, void *arg)
{
	const uint64_t *words = (const uint64_t *)(record + 1);
	uint64_t slots[SLOTS], returns[RETURNS], addresses[RETURNS];
	struct kc_sleep_facts facts = { .slots = slots, .returns = returns, .words = addresses };

	if (record->kind != KC_RECORD_STACK)
		return -1;
	for (uint32_t i = 0; i < record->count; i++) {
		uint64_t place = record->sp + i * sizeof(uint64_t);

		if (words[i] == KC_CANARY_MARK && facts.nr_slots < SLOTS)
			slots[facts.nr_slots++] = place;
		if (words[i] >= KC_TEXT_HALF && facts.nr_returns < RETURNS) {
			addresses[facts.nr_returns] = words[i];
			returns[facts.nr_returns++] = place;
		}
	}
	return kc_sweep_cache(arg, record, &facts);
}

static int by_value(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int main(int argc, char **argv)
{
	struct kc_sweep_options options = { .thread_size = THREAD_SIZE };
	struct kc_sweep *sweep kc_auto(kc_cleanup_sweep) = NULL;
	double cost[PASSES];
	struct kc_pass pass;
	struct kc_failure failure;

	options.filter.pid = argc == 2 ? atoi(argv[1]) : 0;
	if (!options.filter.pid) {
		fprintf(stderr, "usage: native-sweep PID\n");
		return 2;
	}
	if (kc_sweep_new(&options, &failure, &sweep)) {
		fprintf(stderr, "native-sweep: %s\n", failure.text);
		return 3;
	}
	for (int i = 0; i < PASSES; i++) {
		double start = now();

		if (kc_sweep_pass(sweep, 0, cache, sweep, &pass) || !pass.tasks) {
			fprintf(stderr, "native-sweep: pass %d failed\n", i);
			return 5;
		}
		cost[i] = (now() - start) / pass.tasks;
	}
	if (pass.cached != pass.tasks) {
		fprintf(stderr, "native-sweep: only %u of %u tasks were cached\n",
			(unsigned int)pass.cached, (unsigned int)pass.tasks);
		return 5;
	}
	printf("%u threads, %.1f slots each: copied %.2f us a thread", (unsigned int)pass.tasks,
	       (double)pass.cached_slots / pass.tasks, cost[0]);
	qsort(cost + 1, PASSES - 1, sizeof(*cost), by_value);
	printf(", cached %.3f us\n", cost[1 + PASSES / 2]);
	return 0;
}
