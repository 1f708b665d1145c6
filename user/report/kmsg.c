// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report/format.h"
#include "stack/place.h"
#include "util/log.h"
#include "verdict/event.h"

struct kmsg {
	struct kc_sink sink;
	int fd;
	char line[KC_WRITERS][320];
};

/* A log that refuses a line is no reason to end: the finding is elsewhere, too. */
static int kmsg_finding(struct kc_sink *sink, const struct kc_kernel *kernel,
			const struct kc_finding *finding)
{
	const struct kmsg *kmsg = (const struct kmsg *)sink;
	char line[352], text[320];
	int len;

	/* Of a probe's evidence the log has a line already; a gate's was not proved then. */
	if (!finding->by_gate && (!finding->running || finding->had_evidence))
		return 0;
	len = snprintf(line, sizeof(line), "<1>kcanary: %s\n",
		       kc_finding_text(kernel, finding, text));
	if (write(kmsg->fd, line, len) < 0)
		kc_debug("/dev/kmsg: %s", kc_strerror(errno));
	return 0;
}

/* Any thread: see struct kc_sink_ops. */
static void kmsg_word_evidence(struct kc_sink *sink, const struct kc_kernel *kernel,
			       const struct kc_evidence *evidence)
{
	struct kmsg *kmsg = (struct kmsg *)sink;
	const struct kc_event *event = evidence->event;
	char place[160];

	snprintf(kmsg->line[evidence->writer], sizeof(kmsg->line[0]),
		 "<1>kcanary: evidence %lu: %s in %s, thread %u of process %u\n",
		 evidence->first.number,
		 event->kind == KC_EVENT_GATE ? "a slot differs, not proved yet,"
					      : "damaged stack frame",
		 kc_place_text(kernel, kc_event_site(event), place), event->task.tid,
		 event->task.pid);
}

static int kmsg_write_evidence(struct kc_sink *sink, unsigned int writer)
{
	const struct kmsg *kmsg = (const struct kmsg *)sink;
	const char *line = kmsg->line[writer];

	return write(kmsg->fd, line, strlen(line)) < 0 ? -errno : 0;
}

static void kmsg_free(struct kc_sink *sink)
{
	struct kmsg *kmsg = (struct kmsg *)sink;

	close(kmsg->fd);
	free(kmsg);
}

struct kc_sink *kc_kmsg_new(void)
{
	static const struct kc_sink_ops ops = {
		.finding = kmsg_finding,
		.word_evidence = kmsg_word_evidence,
		.write_evidence = kmsg_write_evidence,
		.is_prompt = true,
		.free = kmsg_free,
	};
	struct kmsg *kmsg = calloc(1, sizeof(*kmsg));

	if (!kmsg)
		return NULL;
	kmsg->sink.ops = &ops;
	kmsg->fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	if (kmsg->fd < 0) {
		kc_warn("no line in the kernel's log for findings: /dev/kmsg: %s",
			kc_strerror(errno));
		free(kmsg);
		return NULL;
	}
	return &kmsg->sink;
}
