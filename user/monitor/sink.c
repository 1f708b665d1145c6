// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/sink.h"
#include "util/time.h"

#include <assert.h>

/* Call one operation of every sink that has it. */
#define each(sinks, op, ...)                                                              \
	({                                                                                \
		int first = 0;                                                            \
		for (size_t i = 0; i < (sinks)->count; i++) {                             \
			struct kc_sink *sink = (sinks)->sinks[i];                         \
			int one = sink->ops->op ? sink->ops->op(sink, ##__VA_ARGS__) : 0; \
			first = first ?: one;                                             \
		}                                                                         \
		first;                                                                    \
	})

/* Counted first: evidence that comes while it is written stands behind it. */
#define tell(sinks, op, ...)                    \
	({                                      \
		(sinks)->told++;                \
		each(sinks, op, ##__VA_ARGS__); \
	})

uint64_t kc_sinks_told(const struct kc_sinks *sinks)
{
	return sinks->told;
}

struct kc_when kc_sinks_now(const struct kc_sinks *sinks)
{
	struct kc_when when;

	if (sinks->when)
		return *sinks->when;
	clock_gettime(CLOCK_REALTIME, &when.real);
	when.boot_ns = kc_boot_ns();
	return when;
}

void kc_sinks_add(struct kc_sinks *sinks, struct kc_sink *sink)
{
	assert(sinks->count < KC_MAX_SINKS);
	if (sink)
		sinks->sinks[sinks->count++] = sink;
}

void kc_sinks_free(struct kc_sinks *sinks)
{
	for (size_t i = 0; i < sinks->count; i++)
		sinks->sinks[i]->ops->free(sinks->sinks[i]);
	sinks->count = 0;
}

int kc_sinks_start(struct kc_sinks *sinks, const struct kc_start *start)
{
	const struct kc_when when = kc_sinks_now(sinks);

	return tell(sinks, start, &when, start);
}

int kc_sinks_finding(struct kc_sinks *sinks, const struct kc_kernel *kernel,
		     const struct kc_finding *finding)
{
	return tell(sinks, finding, kernel, finding);
}

bool kc_sinks_want_again(struct kc_sinks *sinks, const struct kc_record *task)
{
	for (size_t i = 0; i < sinks->count; i++) {
		struct kc_sink *sink = sinks->sinks[i];

		if (sink->ops->wants_again && sink->ops->wants_again(sink, task))
			return true;
	}
	return false;
}

int kc_sinks_again(struct kc_sinks *sinks, const struct kc_kernel *kernel,
		   const struct kc_finding *finding)
{
	return each(sinks, again, kernel, finding);
}

static bool is_reached(const struct kc_sink *sink, unsigned int reach)
{
	return reach & (sink->ops->is_prompt ? KC_EVIDENCE_PROMPT : KC_EVIDENCE_DISK);
}

int kc_sinks_evidence(struct kc_sinks *sinks, struct kc_session *session,
		      const struct kc_evidence *evidence, unsigned int reach,
		      void (*safe)(void *arg), void *arg)
{
	const struct kc_kernel *kernel = kc_session_borrow(session, evidence->writer);
	int first = 0;

	for (size_t i = 0; i < sinks->count; i++)
		if (sinks->sinks[i]->ops->word_evidence && is_reached(sinks->sinks[i], reach))
			sinks->sinks[i]->ops->word_evidence(sinks->sinks[i], kernel, evidence);
	/* Nobody who learns the kernel again waits for a disk. */
	kc_session_return(session, evidence->writer);
	/* The last one first: what waits for the CPU that is held keeps nothing from the others. */
	for (size_t i = sinks->count; i-- > 0;) {
		struct kc_sink *sink = sinks->sinks[i];
		int err = sink->ops->write_evidence && is_reached(sink, reach)
				  ? sink->ops->write_evidence(sink, evidence->writer)
				  : 0;

		if (!i)
			first = err;
	}
	if (!first && safe)
		safe(arg);
	return first;
}

int kc_sinks_notice(struct kc_sinks *sinks, const char *text)
{
	const struct kc_when when = kc_sinks_now(sinks);

	return tell(sinks, notice, &when, text);
}

void kc_sinks_alive(struct kc_sinks *sinks)
{
	for (size_t i = 0; i < sinks->count; i++)
		if (sinks->sinks[i]->ops->alive)
			sinks->sinks[i]->ops->alive(sinks->sinks[i]);
}

int kc_sinks_stats(struct kc_sinks *sinks, const struct kc_coverage *coverage)
{
	const struct kc_when when = kc_sinks_now(sinks);

	return tell(sinks, stats, &when, coverage);
}

int kc_sinks_stop(struct kc_sinks *sinks, const struct kc_coverage *coverage,
		  const struct kc_depths *depths, const char *why)
{
	const struct kc_when when = kc_sinks_now(sinks);

	return tell(sinks, stop, &when, coverage, depths ?: &(struct kc_depths){}, why);
}

int kc_sinks_sync(struct kc_sinks *sinks)
{
	return each(sinks, sync);
}

int kc_sinks_reopen(struct kc_sinks *sinks, const struct kc_start *start)
{
	const struct kc_when when = kc_sinks_now(sinks);

	return each(sinks, reopen, &when, start);
}

bool kc_sinks_gone(struct kc_sinks *sinks)
{
	for (size_t i = 0; i < sinks->count; i++)
		if (sinks->sinks[i]->ops->gone && sinks->sinks[i]->ops->gone(sinks->sinks[i]))
			return true;
	return false;
}

double kc_sinks_count(struct kc_sinks *sinks, struct kc_unwritten *ret_unwritten)
{
	double waited = 0;

	*ret_unwritten = (struct kc_unwritten){};
	for (size_t i = 0; i < sinks->count; i++)
		if (sinks->sinks[i]->ops->count)
			sinks->sinks[i]->ops->count(sinks->sinks[i], ret_unwritten, &waited);
	return waited;
}

int kc_sinks_fd(struct kc_sinks *sinks)
{
	for (size_t i = 0; i < sinks->count; i++)
		if (sinks->sinks[i]->ops->fd)
			return sinks->sinks[i]->ops->fd(sinks->sinks[i]);
	return -1;
}
