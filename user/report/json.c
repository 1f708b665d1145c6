// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* JSON lines, one object a line: schema kcanary/1, additive changes only. */
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "probe/loss.h"
#include "report/format.h"
#include "report/views.h"
#include "stack/place.h"

typedef struct json_object json;

static void add_string(json *object, const char *key, const char *value)
{
	json_object_object_add(object, key, value ? json_object_new_string(value) : NULL);
}

static void add_u64(json *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static void add_double(json *object, const char *key, double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.6f", value);
	json_object_object_add(object, key, json_object_new_double_s(value, text));
}

/* Addresses and arguments: 64 bits do not fit into JSON's numbers everywhere. */
static json *hex(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	return json_object_new_string(text);
}

/*
 * comm and paths are arbitrary bytes; JSON is UTF-8. What is not ASCII is
 * shown as an octal escape, as ps does.
 */
static void add_bytes(json *object, const char *key, const char *bytes, size_t max)
{
	size_t size = strnlen(bytes, max), len = 0;
	kc_auto_free char *text = malloc(4 * size + 1);

	for (size_t i = 0; text && i < size; i++) {
		unsigned char byte = bytes[i];

		if (byte < 0x80)
			text[len++] = byte;
		else
			len += sprintf(text + len, "\\%03o", byte);
	}
	if (text)
		text[len] = '\0';
	add_string(object, key, text);
}

static json *new_event(struct kc_report *report, const char *type, const struct timespec *time,
		       uint64_t boot_ns)
{
	json *event = json_object_new_object();
	char text[64];
	struct kc_line line = { text, sizeof(text), 0 };

	kc_line_add_time(&line, time->tv_sec, 'T');
	kc_line_add(&line, ".%09ldZ", time->tv_nsec);
	add_string(event, "schema", KC_SCHEMA);
	add_string(event, "type", type);
	add_string(event, "time", text);
	add_u64(event, "boot_ns", boot_ns);
	add_u64(event, "seq", ++report->seq);
	return event;
}

static void emit(struct kc_report *report, json *event)
{
	json *host = json_object_new_object();

	add_bytes(host, "name", report->host.name, sizeof(report->host.name));
	add_string(host, "boot_id", report->host.boot_id);
	add_string(host, "kernel", report->host.release);
	json_object_object_add(event, "host", host);
	fprintf(report->out, "%s\n",
		json_object_to_json_string_ext(event, JSON_C_TO_STRING_PLAIN |
							      JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(event);
}

static json *host_view(const struct kc_host *host)
{
	json *view = json_object_new_object(), *load = json_object_new_array();

	add_string(view, "release", host->release);
	add_string(view, "version", host->version);
	add_string(view, "machine", host->machine);
	add_u64(view, "cpus", host->cpus);
	add_u64(view, "memory_bytes", host->memory);
	add_u64(view, "uptime_seconds", host->uptime);
	add_u64(view, "tasks", host->tasks);
	for (int i = 0; i < 3; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%.2f", host->load[i]);
		json_object_array_add(load, json_object_new_double_s(host->load[i], text));
	}
	json_object_object_add(view, "load", load);
	return view;
}

static json *probes_array(const struct kc_start *start)
{
	json *array = json_object_new_array();

	for (size_t i = 0; i < start->nr_probed; i++) {
		const struct kc_probed *probed = &start->probed[i];
		json *object = json_object_new_object();

		add_string(object, "function", probed->function);
		add_string(object, "instead_of", *probed->instead_of ? probed->instead_of : NULL);
		add_u64(object, "checks", probed->checks);
		add_u64(object, "returns", probed->returns);
		json_object_array_add(array, object);
	}
	return array;
}

static void json_start(struct kc_report *report, const struct kc_when *when,
		       const struct kc_start *start)
{
	json *event = new_event(report, "start", &when->real, when->boot_ns);
	json *watch = json_object_new_object(), *views = json_object_new_object();
	const struct kc_filter *filter = start->filter;

	if (filter->pid)
		add_u64(watch, "pid", filter->pid);
	if (filter->tid)
		add_u64(watch, "tid", filter->tid);
	if (filter->comm)
		add_bytes(watch, "comm", filter->comm, 256);
	if (filter->cgroup)
		add_bytes(watch, "cgroup", filter->cgroup, 4096);
	add_u64(watch, "period_ms", start->period);
	json_object_object_add(watch, "probes", probes_array(start));
	json_object_object_add(watch, "tripwire", json_object_new_boolean(start->tripwire));
	if (start->gate)
		json_object_object_add(watch, "gate", json_object_new_boolean(true));
	if (start->sample_hz)
		add_u64(watch, "sample_hz", start->sample_hz);
	json_object_object_add(event, "watch", watch);
	json_object_object_add(views, "host", host_view(&report->host));
	json_object_object_add(event, "views", views);
	emit(report, event);
}

static json *process_object(const struct kc_finding *finding)
{
	const struct kc_process *process = &finding->process;
	json *object = json_object_new_object();

	add_u64(object, "pid", finding->task.pid);
	add_u64(object, "tid", finding->task.tid);
	add_bytes(object, "comm", finding->task.comm, KC_COMM_LEN);
	add_bytes(object, "process_comm", finding->task.leader_comm, KC_COMM_LEN);
	add_bytes(object, "executable", process->executable, sizeof(process->executable));
	add_bytes(object, "cgroup", process->cgroup, sizeof(process->cgroup));
	add_string(object, "container_id", process->container_id[0] ? process->container_id : NULL);
	if (process->unit[0])
		add_bytes(object, "unit", process->unit, sizeof(process->unit));
	else
		add_string(object, "unit", NULL);
	if (process->runtime[0])
		add_string(object, "container_runtime", process->runtime);
	if (process->pod_uid[0])
		add_string(object, "pod_uid", process->pod_uid);
	if (process->has_uid)
		add_u64(object, "uid", process->uid);
	add_u64(object, "start_time", finding->task.start_ns);
	json_object_object_add(object, "kernel_thread",
			       json_object_new_boolean(finding->task.flags & KC_RECORD_KTHREAD));
	return object;
}

static json *syscall_object(const struct kc_finding *finding)
{
	const struct kc_process *process = &finding->process;
	json *object, *args;

	if (!process->in_syscall)
		return NULL;
	object = json_object_new_object();
	args = json_object_new_array();
	add_u64(object, "nr", process->syscall_nr);
	add_string(object, "name", process->syscall_name);
	if (finding->task.flags & KC_RECORD_COMPAT)
		json_object_object_add(object, "compat", json_object_new_boolean(true));
	for (size_t i = 0; i < KC_SYSCALL_ARGS; i++)
		json_object_array_add(args, hex(process->args[i]));
	json_object_object_add(object, "args", args);
	if (process->fd_target[0])
		add_bytes(object, "file", process->fd_target, sizeof(process->fd_target));
	return object;
}

static json *verdict_object(const struct kc_verdict *verdict)
{
	json *object = json_object_new_object(), *why = json_object_new_array();

	add_string(object, "class", kc_class_name(verdict->class));
	add_string(object, "confidence", verdict->confidence);
	for (size_t i = 0; i < verdict->nr_why; i++)
		json_object_array_add(why, json_object_new_string(verdict->why[i]));
	json_object_object_add(object, "why", why);
	return object;
}

static json *code_object(const struct kc_kernel *kernel, const struct kc_checked_frame *frame)
{
	json *object = json_object_new_object();
	const char *module;

	if (!frame->sym)
		return object;
	module = kc_sym_module(kernel->ksyms, frame->sym);
	add_string(object, "function", kc_sym_name(kernel->ksyms, frame->sym));
	add_string(object, "module", *module ? module : NULL);
	json_object_object_add(object, "offset", hex(frame->frame.pc - frame->sym->addr));
	return object;
}

static json *changed_bytes(const struct kc_damage *damage)
{
	json *bytes = json_object_new_array();

	for (int i = 0; i < 8; i++)
		if (damage->changed_bytes >> i & 1)
			json_object_array_add(bytes, json_object_new_int(i));
	return bytes;
}

static json *slot_object(const struct kc_finding *finding)
{
	const struct kc_checked_frame *frame = &finding->checked->frames[finding->frame];
	json *slot = json_object_new_object();
	char rule[24];

	add_string(slot, "rule", kc_slot_rule_text(&frame->rule, rule));
	json_object_object_add(slot, "changed_bytes", changed_bytes(&finding->damage));
	add_string(slot, "changed_bits", kc_bits_name(finding->damage.changed_bits));
	json_object_object_add(slot, "small_delta",
			       json_object_new_boolean(finding->damage.small_delta));
	add_string(slot, "found", kc_found_name(finding->damage.found));
	return slot;
}

/* What is known of it: see struct kc_finding. */
static json *panic_slot_object(const struct kc_finding *finding)
{
	json *slot = json_object_new_object();

	add_string(slot, "found", kc_found_name(finding->damage.found));
	if (!finding->compared)
		return slot;
	if (finding->damage.changed_bytes || !finding->damage.changed_bits)
		json_object_object_add(slot, "changed_bytes", changed_bytes(&finding->damage));
	add_string(slot, "changed_bits", kc_bits_name(finding->damage.changed_bits));
	json_object_object_add(slot, "small_delta",
			       json_object_new_boolean(finding->damage.small_delta));
	return slot;
}

static json *pointed_object(const struct kc_pointed_word *word)
{
	json *object = json_object_new_object();
	char text[160];

	add_u64(object, "depth", word->depth);
	add_string(object, "kind", kc_pointed_name(word->kind));
	add_string(object, "what", kc_pointed_text(word, text));
	if (word->tid) {
		add_u64(object, "pid", word->pid);
		add_u64(object, "tid", word->tid);
		add_bytes(object, "comm", word->comm, KC_COMM_LEN);
	}
	return object;
}

static json *points_to(const struct kc_pointed_words *words)
{
	json *array = json_object_new_array();

	for (size_t i = 0; i < words->count; i++)
		json_object_array_add(array, pointed_object(&words->word[i]));
	return array;
}

static json *frame_object(const struct kc_kernel *kernel, const struct kc_finding *finding)
{
	json *object = json_object_new_object();
	char place[160];
	uint64_t depth;

	if (kc_finding_depth(finding, &depth))
		add_u64(object, "depth", depth);
	else
		json_object_object_add(object, "depth", NULL);
	if (finding->anomaly == KC_ANOMALY_SLOT)
		json_object_object_add(object, "slot", slot_object(finding));
	if (finding->anomaly == KC_ANOMALY_PANIC && finding->damage.slot)
		json_object_object_add(object, "slot", panic_slot_object(finding));
	if (finding->anomaly == KC_ANOMALY_RETURN)
		add_string(object, "return_address",
			   kc_found_name(finding->was_return ? finding->damage.found
							     : finding->bad_return->found));
	if (finding->bad_return && finding->bad_return->was)
		add_string(object, "return_was",
			   kc_place_text(kernel, finding->bad_return->was, place));
	if (finding->anomaly == KC_ANOMALY_HEADROOM)
		add_u64(object, "headroom", finding->headroom);
	if (finding->frame_bytes)
		add_u64(object, "own_bytes", finding->frame_bytes);
	if (finding->pointed && finding->pointed->count)
		json_object_object_add(object, "points_to", points_to(finding->pointed));
	return object;
}

/* A view as an array of its lines. */
static json *view_lines(const struct kc_kernel *kernel, const struct kc_finding *finding,
			void (*view)(const struct kc_kernel *, const struct kc_finding *, FILE *))
{
	json *lines = json_object_new_array();
	kc_auto_free char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (!memory)
		return lines;
	view(kernel, finding, memory);
	fclose(memory);
	for (char *line = text, *end; line && *line; line = end) {
		size_t line_len = strcspn(line, "\n");

		end = line + line_len;
		json_object_array_add(lines, json_object_new_string_len(line, line_len));
		end += *end == '\n';
	}
	return lines;
}

static json *switched_from_object(uint64_t pid_tid)
{
	json *object = json_object_new_object();

	add_u64(object, "pid", pid_tid >> 32);
	add_u64(object, "tid", (uint32_t)pid_tid);
	return object;
}

static void json_finding(struct kc_report *report, const struct kc_kernel *kernel,
			 const struct kc_finding *finding)
{
	json *event = new_event(report, "finding", &finding->time, finding->boot_ns);
	json *views = json_object_new_object();

	add_u64(event, "finding", finding->seq);
	add_string(event, "engine", finding->engine);
	add_string(event, "anomaly", kc_anomaly_name(finding->anomaly));
	add_u64(event, "lost_before", finding->lost_before);
	json_object_object_add(event, "verdict", verdict_object(&finding->verdict));
	json_object_object_add(event, "process", process_object(finding));
	json_object_object_add(event, "syscall", syscall_object(finding));
	json_object_object_add(event, "code",
			       code_object(kernel, &finding->checked->frames[finding->frame]));
	json_object_object_add(event, "frame", frame_object(kernel, finding));
	if (finding->by_gate)
		json_object_object_add(event, "switched_from",
				       switched_from_object(finding->switched_from));
	if (finding->intact_ns)
		add_u64(event, "intact_boot_ns", finding->intact_ns);
	if (finding->by_sample)
		add_u64(event, "differed_boot_ns", finding->differed_ns);
	json_object_object_add(views, "host", host_view(&report->host));
	if (report->views != KC_VIEWS_NONE)
		json_object_object_add(views, "backtrace",
				       view_lines(kernel, finding, kc_view_backtrace));
	if (report->views == KC_VIEWS_FULL) {
		json_object_object_add(views, "stack", view_lines(kernel, finding, kc_view_stack));
		json_object_object_add(views, "disassembly",
				       view_lines(kernel, finding, kc_view_disassembly));
	}
	json_object_object_add(event, "views", views);
	emit(report, event);
}

static void json_task(struct kc_report *report, const struct kc_when *when,
		      const struct kc_audit *audit, const struct kc_task_row *row)
{
	json *event = new_event(report, "task", &when->real, row->task.boot_ns);

	add_u64(event, "pid", row->task.pid);
	add_u64(event, "tid", row->task.tid);
	add_bytes(event, "comm", row->task.comm, KC_COMM_LEN);
	add_bytes(event, "process_comm", row->task.leader_comm, KC_COMM_LEN);
	add_string(event, "state", kc_state_text(row->task.state));
	add_u64(event, "depth", kc_task_depth(&row->task));
	if (audit->high_water)
		add_u64(event, "high_water", kc_task_high_water(&row->task));
	add_u64(event, "frames_verified", row->verified);
	add_u64(event, "not_verifiable", row->not_verifiable);
	add_string(event, "reason", row->why_not);
	add_string(event, "asleep_in", row->place);
	add_u64(event, "findings", row->findings);
	emit(report, event);
}

static void json_audit(struct kc_report *report, const struct kc_when *when,
		       const struct kc_audit *audit)
{
	for (size_t i = 0; i < audit->tasks->count; i++)
		json_task(report, when, audit, &audit->tasks->rows[i]);
}

static void json_notice(struct kc_report *report, const struct kc_when *when, const char *text)
{
	json *event = new_event(report, "notice", &when->real, when->boot_ns);

	add_bytes(event, "text", text, strlen(text));
	emit(report, event);
}

static void add_counters(json *object, const struct kc_coverage *coverage,
			 const struct kc_counter *counters, size_t count)
{
	for (size_t i = 0; i < count; i++)
		add_u64(object, counters[i].name, kc_counter_value(coverage, &counters[i]));
}

/* What the BPF programs could not do, by name; none of it is the rule. */
static json *losses_object(const uint64_t *losses)
{
	json *object = json_object_new_object();

	for (size_t i = 0; i < KC_LOSS_NR; i++)
		if (losses[i])
			add_u64(object, kc_loss_name(i), losses[i]);
	return object;
}

/* None of them is the rule. */
static void add_watch_counters(json *object, const struct kc_coverage *coverage)
{
	for (size_t i = 0; i < kc_nr_watch_counters; i++) {
		uint64_t value = kc_counter_value(coverage, &kc_watch_counters[i]);

		if (value)
			add_u64(object, kc_watch_counters[i].name, value);
	}
}

static json *coverage_object(const struct kc_coverage *coverage)
{
	json *object = json_object_new_object(), *reasons = json_object_new_object();
	struct kc_reason reason;

	add_counters(object, coverage, kc_sweep_counters, kc_nr_sweep_counters);
	add_u64(object, "not_verifiable", kc_coverage_not_verifiable(coverage));
	add_u64(reasons, "stack not readable", coverage->sweep.unreadable);
	for (size_t i = 0; kc_coverage_reason(&coverage->sweep, i, &reason); i++)
		if (reason.count)
			add_u64(reasons, reason.text, reason.count);
	json_object_object_add(object, "reasons", reasons);
	json_object_object_add(object, "losses", losses_object(coverage->sweep.losses));
	add_u64(object, "findings", coverage->told.findings);
	add_u64(object, "repeated", coverage->told.repeated);
	add_double(object, "cpu_seconds", coverage->cpu_seconds);
	add_double(object, "first_pass_cpu_seconds", coverage->first_pass_cpu);
	add_double(object, "pass_cpu_seconds", coverage->pass_cpu);
	add_double(object, "seconds", coverage->seconds);
	add_double(object, "cpu_percent", kc_coverage_cpu_percent(coverage));
	add_watch_counters(object, coverage);
	return object;
}

static json *probes_object(const struct kc_coverage *coverage)
{
	const struct kc_probe_counts *probes = &coverage->probes;
	json *object = json_object_new_object();

	add_counters(object, coverage, kc_probe_counters, kc_nr_probe_counters);
	if (!probes->tells_missed && probes->attached)
		json_object_object_add(object, "missed", NULL); /* not told is not none */
	add_u64(object, "findings", coverage->told_by_probes.findings);
	add_u64(object, "repeated", coverage->told_by_probes.repeated);
	json_object_object_add(object, "losses", losses_object(probes->losses));
	add_u64(object, "max_depth", probes->max_depth);
	add_string(object, "deepest", probes->max_depth ? probes->deepest : NULL);
	return object;
}

static void json_stats(struct kc_report *report, const struct kc_when *when,
		       const struct kc_coverage *coverage)
{
	json *event = new_event(report, "stats", &when->real, when->boot_ns);

	json_object_object_add(event, "coverage", coverage_object(coverage));
	json_object_object_add(event, "probes", probes_object(coverage));
	emit(report, event);
}

/* Per function: the maximum, and how many entries were 2^n to 2^(n+1) - 1 bytes deep. */
static json *function_depths(const struct kc_depths *depths)
{
	json *array = json_object_new_array();

	for (size_t i = 0; i < depths->nr_functions; i++) {
		const struct kc_function_depth *function = &depths->functions[i];
		json *object = json_object_new_object(), *buckets = json_object_new_array();

		add_string(object, "function", function->function);
		add_u64(object, "max", function->depth.max);
		for (size_t n = 0; n < KC_DEPTH_BUCKETS; n++)
			json_object_array_add(buckets,
					      json_object_new_uint64(function->depth.bucket[n]));
		json_object_object_add(object, "log2", buckets);
		json_object_array_add(array, object);
	}
	return array;
}

static json *thread_depths(const struct kc_depths *depths)
{
	json *array = json_object_new_array();

	for (size_t i = 0; i < depths->nr_threads; i++) {
		json *object = json_object_new_object();

		add_u64(object, "tid", depths->threads[i].tid);
		add_u64(object, "max", depths->threads[i].depth);
		add_string(object, "function", depths->threads[i].function);
		json_object_array_add(array, object);
	}
	return array;
}

/* What forbids exit status 0. */
static json *not_seen_array(const struct kc_coverage *coverage)
{
	json *array = json_object_new_array();
	struct kc_reason reason;

	for (size_t n = 0; kc_coverage_not_seen(coverage, n, &reason); n++) {
		json *object = json_object_new_object();
		char text[320];

		snprintf(text, sizeof(text), "%s%s%s", reason.what, *reason.what ? ": " : "",
			 reason.text);
		add_u64(object, "count", reason.count);
		add_string(object, "what", text);
		json_object_array_add(array, object);
	}
	return array;
}

static void json_stop(struct kc_report *report, const struct kc_when *when,
		      const struct kc_coverage *coverage, const struct kc_depths *depths,
		      const char *why)
{
	json *event;

	json_stats(report, when, coverage);
	event = new_event(report, "stop", &when->real, when->boot_ns);
	add_string(event, "why", why);
	add_u64(event, "findings", coverage->told.findings);
	json_object_object_add(event, "not_seen", not_seen_array(coverage));
	json_object_object_add(event, "function_depths", function_depths(depths));
	json_object_object_add(event, "thread_depths", thread_depths(depths));
	emit(report, event);
}

const struct kc_format kc_format_json = {
	.start = json_start,
	.finding = json_finding,
	.evidence = kc_json_evidence,
	.audit = json_audit,
	.notice = json_notice,
	.note = json_notice,
	.stats = json_stats,
	.stop = json_stop,
};
