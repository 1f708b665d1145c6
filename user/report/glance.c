// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What a person at the terminal sees while the report goes to a file: a line for each. */
#include "report/format.h"
#include "util/log.h"

struct glance {
	struct kc_sink sink;
	char finding[352]; /* "": none that is to be told */
	bool all;	   /* notices and the end, too: the report does not say them here */
};

static int glance_finding(struct kc_sink *sink, const struct kc_kernel *kernel,
			  const struct kc_finding *finding)
{
	struct glance *glance = (struct glance *)sink;
	char text[320];

	snprintf(glance->finding, sizeof(glance->finding), "FINDING %lu: %s", finding->seq,
		 kc_finding_text(kernel, finding, text));
	return 0;
}

/* A terminal may be stopped: not before the report is on the disk. */
static int glance_sync(struct kc_sink *sink)
{
	struct glance *glance = (struct glance *)sink;

	if (glance->finding[0])
		kc_error("%s", glance->finding);
	glance->finding[0] = '\0';
	return 0;
}

static int glance_notice(struct kc_sink *sink, const struct kc_when *when, const char *text)
{
	(void)when;
	if (((const struct glance *)sink)->all)
		kc_info("%s", text);
	return 0;
}

static int glance_stop(struct kc_sink *sink, const struct kc_when *when,
		       const struct kc_coverage *coverage, const struct kc_depths *depths,
		       const char *why)
{
	(void)when;
	(void)depths;
	if (((const struct glance *)sink)->all)
		kc_info("%s after %.1f s and %lu passes: %lu findings", why, coverage->seconds,
			coverage->sweep.passes, coverage->told.findings);
	return 0;
}

static void glance_free(struct kc_sink *sink)
{
	free(sink);
}

struct kc_sink *kc_glance_new(bool all)
{
	static const struct kc_sink_ops ops = {
		.finding = glance_finding,
		.sync = glance_sync,
		.notice = glance_notice,
		.stop = glance_stop,
		.free = glance_free,
	};
	struct glance *glance = calloc(1, sizeof(*glance));

	if (!glance)
		return NULL;
	glance->sink.ops = &ops;
	glance->all = all;
	return &glance->sink;
}
