// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/watch.h"

#include <errno.h>

#include "monitor/lookers.h"
#include "monitor/loop.h"
#include "util/log.h"

/* What the watch is about, once probes are placed; probed has room for all of them. */
static struct kc_start start_of(const struct kc_watch_options *options,
				const struct kc_attach *attach, const struct kc_sampling *sampling,
				struct kc_probed *probed)
{
	return (struct kc_start){
		.filter = options->filter,
		.period = options->period,
		.probed = probed,
		.nr_probed = attach ? kc_attach_probed(attach, probed) : 0,
		.tripwire = attach && kc_attach_has_tripwire(attach),
		.gate = options->gated != NULL,
		.sample_hz = sampling && kc_sampling_is_on(sampling) ? options->sample_hz : 0,
	};
}

/* In this order: who looks at events needs what sends them, and who holds CPUs who looks. */
static int arm(const struct kc_watch_options *options, const struct kc_engine *engine,
	       struct kc_failure *ret_failure, struct kc_attach **ret_attach,
	       struct kc_events **ret_events)
{
	unsigned int hold_off = kc_lookers_are_possible() ? options->hold_off : 0;
	const struct kc_filter *filter = options->filter;
	int err;

	if (hold_off != options->hold_off)
		kc_sinks_notice(
			options->sinks,
			"there is one CPU for kcanary: at a panic none is held, since nobody could "
			"write meanwhile, and what a probe or the tripwire finds then may be lost");
	err = kc_attach_new(
		&(struct kc_attach_options){
			.session = options->session,
			.choices = options->choices,
			.sinks = options->sinks,
			.filter = filter,
			.headroom = options->headroom,
			.sweep = options->gated,
		},
		ret_failure, ret_attach);
	if (err)
		return err;
	if (kc_attach_place(*ret_attach))
		return kc_fail_nomem(ret_failure);
	err = kc_events_start(
		&(struct kc_events_options){
			.engine = *engine,
			.probes = kc_attach_probes(*ret_attach),
			.hold_off = hold_off,
		},
		ret_events);
	if (err)
		return kc_fail(ret_failure, KC_EXIT_FAILED, err, "cannot start a thread");
	kc_attach_activate(*ret_attach, hold_off, options->hold_max);
	return kc_attach_gate(*ret_attach, ret_failure);
}

/* Of what runs; nobody waits for it. */
static int sample(const struct kc_watch_options *options, const struct kc_engine *engine,
		  struct kc_failure *ret_failure, struct kc_sampling **ret_sampling)
{
	int err;

	if (!options->sample_hz)
		return 0;
	err = kc_sampling_new(engine, ret_sampling);
	if (err)
		return kc_fail_nomem(ret_failure);
	err = kc_sampling_start(*ret_sampling, options->filter, options->sample_hz);
	return err ? kc_fail(ret_failure, KC_EXIT_FAILED, err, "cannot write: %s", kc_strerror(err))
		   : 0;
}

/* How deep stacks were; NULL: nobody has looked. */
static const struct kc_depths *depths_of(const struct kc_loop *loop)
{
	static const struct kc_depths none;
	const struct kc_depths *depths = loop->attach ? kc_attach_depths(loop->attach) : NULL;

	return loop->sampling ? kc_sampling_depths(loop->sampling, depths ?: &none) : depths;
}

static int conclude(const struct kc_loop *loop, int err, const char *why,
		    struct kc_failure *ret_failure, enum kc_exit *ret_status)
{
	struct kc_coverage coverage, ended;
	int written;

	kc_sinks_alive(loop->sinks);
	if (!err)
		err = kc_passes_end(loop->passes);
	/* The watch ends here; that probes are removed is no part of it. */
	kc_loop_coverage(loop, &ended);
	if (loop->sampling)
		err = kc_first_error(err, kc_sampling_stop(loop->sampling));
	if (loop->attach) {
		err = kc_first_error(err, kc_attach_check_gone(loop->attach));
		err = kc_first_error(err, kc_attach_check_alive(loop->attach));
		kc_attach_stop(loop->attach);
	}
	if (loop->events)
		err = kc_first_error(err, kc_events_stop(loop->events));
	if (kc_asks_to_end(err))
		err = 0;
	kc_loop_coverage(loop, &coverage);
	coverage.seconds = ended.seconds;
	coverage.cpu_seconds = ended.cpu_seconds;
	written = kc_sinks_stop(loop->sinks, &coverage, depths_of(loop), err ? "failed" : why);
	if (written == -EPIPE)
		written = 0;		   /* who does not want to read the end has left */
	kc_loop_coverage(loop, &coverage); /* maybe not all of that was written */
	if (err && written)
		return kc_fail(ret_failure, KC_EXIT_FAILED, err,
			       "the watch ended: %s; the report could not be written: %s",
			       kc_strerror(err), kc_strerror(written));
	if (err)
		return kc_fail(ret_failure, KC_EXIT_FAILED, err, "the watch ended: %s",
			       kc_strerror(err));
	if (written)
		return kc_fail(ret_failure, KC_EXIT_FAILED, written,
			       "the report could not be written: %s", kc_strerror(written));
	*ret_status = kc_coverage_exit(&coverage);
	return 0;
}

static void log_walks(struct kc_walks walks)
{
	kc_info("of %lu stacks %lu were verified by tables, %lu walked in the kernel, %lu with "
		"another outcome",
		walks.stacks, walks.whole, walks.walked, walks.otherwise);
}

int kc_watch(const struct kc_watch_options *options, struct kc_failure *ret_failure,
	     enum kc_exit *ret_status)
{
	struct kc_desk *desk kc_auto(kc_cleanup_desk) = NULL;
	struct kc_passes *passes kc_auto(kc_cleanup_passes) = NULL;
	struct kc_attach *attach kc_auto(kc_cleanup_attach) = NULL;
	struct kc_events *events kc_auto(kc_cleanup_events) = NULL;
	struct kc_sampling *sampling kc_auto(kc_cleanup_sampling) = NULL;
	size_t nr_functions = options->choices ? options->choices->count : 0;
	kc_auto_free struct kc_probed *probed = calloc(nr_functions + 1, sizeof(*probed));
	struct kc_engine engine = { options->session, options->source, NULL, options->sinks };
	struct kc_start start;
	struct kc_loop loop;
	const char *why = "failed";
	int err = 0;

	if (!probed || kc_desk_new(options->filter, options->source, options->sinks, &desk))
		return kc_fail_nomem(ret_failure);
	engine.desk = desk;
	if (options->choices)
		err = arm(options, &engine, ret_failure, &attach, &events);
	if (!err)
		err = sample(options, &engine, ret_failure, &sampling);
	/* The watch begins here; that probes are placed is no part of it. */
	if (!err && kc_passes_new(&engine, &passes))
		err = kc_fail_nomem(ret_failure);
	if (attach && err)
		kc_attach_stop(attach); /* before the events that nobody will look at */
	if (err)
		return err;
	if (options->compare_walks)
		kc_passes_compare(passes);
	start = start_of(options, attach, sampling, probed);
	loop = (struct kc_loop){
		.filter = options->filter,
		.period = options->period,
		.max_cpu = options->max_cpu,
		.duration = options->duration,
		.signals = options->end,
		.reopen = *options->reopen,
		.start = &start,
		.mem = options->session->mem,
		.passes = passes,
		.attach = attach,
		.events = events,
		.sampling = sampling,
		.sinks = options->sinks,
	};
	err = kc_loop_run(&loop, &why);
	if (options->compare_walks)
		log_walks(kc_passes_walks(passes));
	return conclude(&loop, err, why, ret_failure, ret_status);
}
