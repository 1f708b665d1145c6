// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The first record of an event that a CPU is held for: what the event says by itself, with
 * symbols for its addresses. Written by lookers: see line.h.
 */
#include <inttypes.h>

#include "report/format.h"
#include "stack/place.h"
#include "verdict/event.h"

/* Of the text addresses on the stack, innermost first: a backtrace without proof. */
#define MAX_PLACES 40

/* Room for the end of a record, which is never left out. */
#define RESERVE 1024

static enum kc_anomaly anomaly_of(const struct kc_event *event)
{
	switch (event->kind) {
	case KC_EVENT_PANIC:
		return KC_ANOMALY_PANIC;
	case KC_EVENT_RETURN:
		return KC_ANOMALY_RETURN;
	case KC_EVENT_EXHAUSTED:
		return KC_ANOMALY_HEADROOM;
	}
	return event->damage.changed_bytes ? KC_ANOMALY_SLOT : KC_ANOMALY_GUARD;
}

/* Each address in kernel text that lies on the stack; false: that was the last. */
static bool next_place(const struct kc_kernel *kernel, const struct kc_event *event, size_t *at,
		       char text[static 160])
{
	const uint64_t *words = (const uint64_t *)(event + 1);

	while (*at < event->task.count) {
		uint64_t word = words[(*at)++];

		if (word >= KC_TEXT_HALF && kc_kernel_is_text(kernel, word)) {
			kc_place_text(kernel, word, text);
			return true;
		}
	}
	return false;
}

static void add_slot(struct kc_line *line, const struct kc_damage *damage)
{
	const char *comma = "";

	kc_line_add(line, ",\"slot\":{\"changed_bytes\":[");
	for (int i = 0; i < 8; i++)
		if (damage->changed_bytes >> i & 1) {
			kc_line_add(line, "%s%d", comma, i);
			comma = ",";
		}
	kc_line_add(line, "],\"changed_bits\":\"%s\",\"small_delta\":%s,\"found\":\"%s\"}",
		    kc_bits_name(damage->changed_bits), damage->small_delta ? "true" : "false",
		    kc_found_name(damage->found));
}

static void add_syscall(struct kc_line *line, const struct kc_event *event)
{
	if (event->syscall < 0) {
		kc_line_add(line, ",\"syscall\":null");
		return;
	}
	kc_line_add(line, ",\"syscall\":{\"nr\":%" PRId64 ",\"args\":[", event->syscall);
	for (size_t i = 0; i < sizeof(event->args) / sizeof(event->args[0]); i++)
		kc_line_add(line, "%s\"0x%" PRIx64 "\"", i ? "," : "", event->args[i]);
	kc_line_add(line, "]%s}", event->task.flags & KC_RECORD_COMPAT ? ",\"compat\":true" : "");
}

static void add_task(struct kc_line *line, const struct kc_record *task)
{
	kc_line_add(line, ",\"process\":{\"pid\":%u,\"tid\":%u,\"comm\":", task->pid, task->tid);
	kc_line_add_json(line, task->comm, KC_COMM_LEN);
	kc_line_add(line, ",\"process_comm\":");
	kc_line_add_json(line, task->leader_comm, KC_COMM_LEN);
	kc_line_add(line, ",\"start_time\":%" PRIu64 ",\"kernel_thread\":%s}", task->start_ns,
		    task->flags & KC_RECORD_KTHREAD ? "true" : "false");
}

static void add_places(struct kc_line *line, const struct kc_kernel *kernel,
		       const struct kc_event *event)
{
	struct kc_line bounded = *line;
	size_t at = 0, count = 0;
	char text[160];

	bounded.size -= RESERVE;
	while (count < MAX_PLACES && next_place(kernel, event, &at, text) &&
	       kc_line_add(&bounded, "%s", count ? "," : "") &&
	       kc_line_add_json(&bounded, text, sizeof(text))) {
		line->len = bounded.len;
		count++;
	}
}

void kc_json_evidence(struct kc_report *report, const struct kc_kernel *kernel,
		      const struct kc_evidence *evidence, struct kc_line *line)
{
	const struct kc_event *event = evidence->event;
	enum kc_anomaly anomaly = anomaly_of(event);
	const struct timespec time = evidence->first.time;
	char place[160];

	kc_line_add(line, "{\"schema\":\"" KC_SCHEMA "\",\"type\":\"evidence\",\"time\":\"");
	kc_line_add_time(line, time.tv_sec, 'T');
	kc_line_add(line,
		    ".%09ldZ\",\"boot_ns\":%" PRIu64 ",\"seq\":%" PRIu64 ",\"finding\":%" PRIu64
		    ",\"engine\":\"%s\",\"anomaly\":\"%s\",\"lost_before\":%" PRIu64,
		    time.tv_nsec, event->task.boot_ns, ++report->seq, evidence->first.number,
		    kc_event_engine(event), kc_anomaly_name(anomaly), event->lost);
	add_task(line, &event->task);
	add_syscall(line, event);
	kc_line_add(line, ",\"code\":{\"place\":");
	kc_line_add_json(line, kc_place_text(kernel, kc_event_site(event), place), sizeof(place));
	kc_line_add(line, "},\"frame\":{\"headroom\":");
	if (event->headroom == KC_HEADROOM_UNKNOWN)
		kc_line_add(line, "null");
	else
		kc_line_add(line, "%" PRIu64, event->headroom);
	if (anomaly == KC_ANOMALY_SLOT)
		add_slot(line, &event->damage);
	kc_line_add(line, "},\"addresses\":[");
	add_places(line, kernel, event);
	kc_line_add(line, "],\"host\":{\"name\":");
	kc_line_add_json(line, report->host.name, sizeof(report->host.name));
	kc_line_add(line, ",\"boot_id\":");
	kc_line_add_json(line, report->host.boot_id, sizeof(report->host.boot_id));
	kc_line_add(line, ",\"kernel\":");
	kc_line_add_json(line, report->host.release, sizeof(report->host.release));
	kc_line_add(line, "}}\n");
}

void kc_text_evidence(struct kc_report *report, const struct kc_kernel *kernel,
		      const struct kc_evidence *evidence, struct kc_line *line)
{
	const struct kc_event *event = evidence->event;
	size_t at = 0, count = 0;
	const struct timespec time = evidence->first.time;
	char place[160];

	(void)report;
	kc_line_add(line, "\nEVIDENCE %" PRIu64 ": %s in %s, ", evidence->first.number,
		    kc_anomaly_name(anomaly_of(event)),
		    kc_place_text(kernel, kc_event_site(event), place));
	kc_line_add_time(line, time.tv_sec, ' ');
	kc_line_add(line, ".%06ld UTC\n  thread %u of process %u, named ", time.tv_nsec / 1000,
		    event->task.tid, event->task.pid);
	kc_line_add_json(line, event->task.comm, KC_COMM_LEN);
	kc_line_add(line, "; addresses on its stack:\n");
	while (count++ < MAX_PLACES && next_place(kernel, event, &at, place) &&
	       kc_line_add(line, "    %s\n", place))
		;
}
