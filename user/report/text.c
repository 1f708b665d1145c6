// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Text for a person at a terminal, or reading a log next morning. */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "probe/loss.h"
#include "report/format.h"
#include "report/views.h"
#include "stack/place.h"
#include "util/array.h"
#include "util/log.h"

static void print_time(FILE *out, const struct timespec *time)
{
	char text[48];
	struct kc_line line = { text, sizeof(text), 0 };

	kc_line_add_time(&line, time->tv_sec, ' ');
	fprintf(out, "%s.%06ld UTC", text, time->tv_nsec / 1000);
}

const char *kc_finding_text(const struct kc_kernel *kernel, const struct kc_finding *finding,
			    char text[static 320])
{
	const struct kc_frame *frame = &finding->checked->frames[finding->frame].frame;
	char place[160];

	snprintf(text, 320, "%s (%s) in %s, thread %u of process %u",
		 kc_class_name(finding->verdict.class), kc_anomaly_name(finding->anomaly),
		 kc_frame_text(kernel, frame, place), finding->task.tid, finding->task.pid);
	return text;
}

const char *kc_state_text(uint32_t state)
{
	static const struct {
		uint32_t bit;
		const char *text;
	} states[] = {
		/* include/linux/sched.h; TASK_NOLOAD makes an uninterruptible task idle. */
		{ 0x400, "I" }, { 0x1, "S" },  { 0x2, "D" },	{ 0x4, "T" },
		{ 0x8, "t" },	{ 0x40, "P" }, { 0x8000, "F" }, /* frozen, since v6.1 */
	};

	for (size_t i = 0; i < kc_countof(states); i++)
		if (state & states[i].bit)
			return states[i].text;
	return state ? "?" : "R";
}

/*
 * What is no finding goes to stderr, for who sits there; and into the file, for who reads it
 * next morning.
 */
__attribute__((format(printf, 2, 3))) static void say(struct kc_report *report, const char *format,
						      ...)
{
	kc_auto_free char *text = NULL;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0)
		return;
	kc_info("%s", text);
	if (report->outlet.path)
		fprintf(report->out, "%s\n", text);
}

/* As uptime tells it: "5:07", "171 days 21:25". */
static const char *uptime_text(uint64_t seconds, char text[static 40])
{
	uint64_t days = seconds / 86400, hours = seconds / 3600 % 24, minutes = seconds / 60 % 60;
	struct kc_line line = { text, 40, 0 };

	if (days)
		kc_line_add(&line, "%" PRIu64 " day%s ", days, days == 1 ? "" : "s");
	kc_line_add(&line, "%" PRIu64 ":%02" PRIu64, hours, minutes);
	return text;
}

static void print_start(FILE *out, const struct kc_host *host, const struct kc_start *start)
{
	const struct kc_filter *filter = start->filter;
	char uptime[40];

	fprintf(out,
		"host %s, Linux %s %s, %ld CPUs, %.1f GiB, up %s, load %.2f %.2f %.2f, %u tasks\n",
		host->name, host->release, host->machine, host->cpus,
		host->memory / (double)(1 << 30), uptime_text(host->uptime, uptime), host->load[0],
		host->load[1], host->load[2], host->tasks);
	fprintf(out, start->period ? "watching " : "auditing ");
	if (filter->tid)
		fprintf(out, "thread %u", filter->tid);
	else if (filter->pid)
		fprintf(out, "process %u", filter->pid);
	else
		fprintf(out, "all tasks");
	if (filter->comm)
		fprintf(out, ", if thread or process is named %s", filter->comm);
	if (filter->cgroup)
		fprintf(out, ", if in cgroup %s", filter->cgroup);
	if (start->period)
		fprintf(out, ", every %u ms", start->period);
	fprintf(out, "\n");
	if (start->sample_hz)
		fprintf(out, "samples of what runs, %u a second on each CPU\n", start->sample_hz);
	if (!start->nr_probed && !start->tripwire && !start->gate)
		return;
	fprintf(out, "live probes on");
	for (size_t i = 0; i < start->nr_probed; i++) {
		const struct kc_probed *probed = &start->probed[i];

		fprintf(out, "%s %s", i ? "," : "", probed->function);
		if (*probed->instead_of)
			fprintf(out, " (guarded, in the place of %s)", probed->instead_of);
	}
	fprintf(out, "%s; %s%s\n", start->nr_probed ? "" : " no function",
		start->tripwire ? "tripwire on panic" : "no tripwire",
		start->gate ? "; a gate at each switch to them" : "");
}

static void text_start(struct kc_report *report, const struct kc_when *when,
		       const struct kc_start *start)
{
	kc_auto_free char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	(void)when;
	if (!memory)
		return;
	print_start(memory, &report->host, start);
	fclose(memory);
	for (char *line = text, *end; line && *line; line = end + 1) {
		end = line + strcspn(line, "\n");
		*end = '\0';
		say(report, "%s", line);
	}
}

/* Those of the counters that are worth a line when they are not zero. */
static void print_counters(struct kc_report *report, const struct kc_coverage *coverage,
			   const struct kc_counter *counters, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = kc_counter_value(coverage, &counters[i]);

		if (value && counters[i].flags & KC_COUNTER_TELL)
			say(report, "  %" PRIu64 " %s", value, counters[i].text);
	}
}

static void print_losses(struct kc_report *report, const uint64_t *losses)
{
	for (size_t i = 0; i < KC_LOSS_NR; i++)
		if (losses[i] && i != KC_LOSS_RING)
			say(report, "  %" PRIu64 " helper calls of BPF programs failed: %s",
			    losses[i], kc_loss_name(i));
}

static void print_probes(struct kc_report *report, const struct kc_coverage *coverage)
{
	const struct kc_probe_counts *probes = &coverage->probes;

	if (!probes->attached && !probes->failed)
		return;
	say(report,
	    "live probes: %" PRIu64 ", %" PRIu64 " not placed; %" PRIu64
	    " checks compared, %" PRIu64 " entries, %" PRIu64 " returns",
	    probes->attached, probes->failed, probes->comparisons, probes->entries,
	    probes->returns);
	if (probes->max_depth)
		say(report, "deepest entry: %" PRIu64 " bytes, of %s", probes->max_depth,
		    probes->deepest);
	print_counters(report, coverage, kc_probe_counters, kc_nr_probe_counters);
	print_losses(report, probes->losses);
	if (!probes->tells_missed)
		say(report, "  this kernel does not tell of hits that it keeps from probes (v6.7)");
}

/* One view: a heading and the view's lines, indented. */
static void print_view(FILE *out, const struct kc_kernel *kernel, const struct kc_finding *finding,
		       const char *heading,
		       void (*view)(const struct kc_kernel *, const struct kc_finding *, FILE *))
{
	kc_auto_free char *text = NULL;
	size_t len = 0;
	FILE *memory = open_memstream(&text, &len);

	if (!memory)
		return;
	view(kernel, finding, memory);
	fclose(memory);
	fprintf(out, "  %s\n", heading);
	for (char *line = text, *end; line && *line; line = end) {
		end = line + strcspn(line, "\n");
		fprintf(out, "    %.*s\n", (int)(end - line), line);
		end += *end == '\n';
	}
}

static const char *futex_op_name(uint64_t op)
{
	/* include/uapi/linux/futex.h */
	static const char *const names[] = {
		"FUTEX_WAIT",		"FUTEX_WAKE",	     "FUTEX_FD",
		"FUTEX_REQUEUE",	"FUTEX_CMP_REQUEUE", "FUTEX_WAKE_OP",
		"FUTEX_LOCK_PI",	"FUTEX_UNLOCK_PI",   "FUTEX_TRYLOCK_PI",
		"FUTEX_WAIT_BITSET",	"FUTEX_WAKE_BITSET", "FUTEX_WAIT_REQUEUE_PI",
		"FUTEX_CMP_REQUEUE_PI", "FUTEX_LOCK_PI2",
	};
	const uint64_t command = op & 0xffffffff & ~(128ULL | 256); /* private, realtime clock */

	return command < kc_countof(names) ? names[command] : NULL;
}

/* Names are arbitrary bytes: one of a line's end is no end of a line here. */
static void print_bytes(FILE *out, const char *bytes, size_t max)
{
	for (size_t i = 0; i < max && bytes[i]; i++)
		fputc(bytes[i] < ' ' ? '?' : bytes[i], out);
}

/* What the first arguments of the calls say that threads sleep in most. */
static void print_arguments(FILE *out, const struct kc_process *process)
{
	const char *name = process->syscall_name ?: "", *op;

	if (process->fd_target[0]) {
		fprintf(out, "           file descriptor %d is ", (int)process->args[0]);
		print_bytes(out, process->fd_target, sizeof(process->fd_target));
		fprintf(out, "\n");
	}
	op = strcmp(name, "futex") != 0 ? NULL : futex_op_name(process->args[1]);
	if (op)
		fprintf(out,
			"           %s of the word at 0x%" PRIx64 ", %s, value 0x%" PRIx64 "\n", op,
			process->args[0], process->args[1] & 128 ? "private" : "shared",
			process->args[2] & 0xffffffff);
}

static void print_task(FILE *out, const struct kc_finding *finding)
{
	const struct kc_process *process = &finding->process;

	fprintf(out, "  task     thread ");
	print_bytes(out, finding->task.comm, KC_COMM_LEN);
	fprintf(out, ", tid %u, of process ", finding->task.tid);
	print_bytes(out, finding->task.leader_comm, KC_COMM_LEN);
	fprintf(out, ", pid %u", finding->task.pid);
	if (finding->task.flags & KC_RECORD_KTHREAD)
		fprintf(out, " (kernel thread)");
	if (process->executable[0]) {
		fprintf(out, ", ");
		print_bytes(out, process->executable, sizeof(process->executable));
	}
	if (process->unit[0]) {
		fprintf(out, ", unit ");
		print_bytes(out, process->unit, sizeof(process->unit));
	}
	if (process->container_id[0]) {
		fprintf(out, ", ");
		print_bytes(out, process->runtime, sizeof(process->runtime));
		fprintf(out, "%scontainer %.12s", process->runtime[0] ? " " : "",
			process->container_id);
	}
	if (process->pod_uid[0]) {
		fprintf(out, ", pod ");
		print_bytes(out, process->pod_uid, sizeof(process->pod_uid));
	}
	if (process->has_uid)
		fprintf(out, ", uid %u", process->uid);
	fprintf(out, "\n");
	if (process->in_syscall) {
		fprintf(out, "  syscall  ");
		if (process->syscall_name)
			fprintf(out, "%s(", process->syscall_name);
		else
			fprintf(out, "%ld(", process->syscall_nr);
		for (size_t i = 0; i < KC_SYSCALL_ARGS; i++)
			fprintf(out, "%s0x%" PRIx64, i ? ", " : "", process->args[i]);
		fprintf(out, ")%s\n",
			finding->task.flags & KC_RECORD_COMPAT ? ", a 32-bit call" : "");
		print_arguments(out, process);
	}
}

static void print_slot(FILE *out, const struct kc_finding *finding)
{
	const struct kc_checked_frame *frame = &finding->checked->frames[finding->frame];
	char rule[24];

	fprintf(out, "  slot     %s, %d of 8 bytes changed (mask 0x%02x), bits changed: %s\n",
		kc_slot_rule_text(&frame->rule, rule),
		__builtin_popcount(finding->damage.changed_bytes), finding->damage.changed_bytes,
		kc_bits_name(finding->damage.changed_bits));
}

/* What comes next, if nothing is done. */
static void print_ahead(FILE *out, const struct kc_kernel *kernel, const struct kc_finding *finding)
{
	const struct kc_sym *sym = finding->checked->frames[finding->frame].sym;
	const char *function = sym ? kc_sym_name(kernel->ksyms, sym) : "this frame";

	if (finding->anomaly == KC_ANOMALY_PANIC || finding->anomaly == KC_ANOMALY_HEADROOM ||
	    finding->anomaly == KC_ANOMALY_STACK_END)
		return;
	if (finding->by_gate)
		fprintf(out, "  switch   to this thread, from thread %u of process %u\n",
			(uint32_t)finding->switched_from, (uint32_t)(finding->switched_from >> 32));
	if (finding->by_sample)
		fprintf(out,
			"  sampled  as this thread ran in the kernel, twice in %.0f ms\n"
			"  ahead    the kernel panics when this thread returns from %s\n",
			(finding->boot_ns - finding->differed_ns) / 1e6, function);
	else if (finding->running)
		fprintf(out,
			"  ahead    this thread is about to return from %s: the end of this kernel\n",
			function);
	else if (finding->anomaly == KC_ANOMALY_SLOT)
		fprintf(out, "  ahead    the kernel panics when this thread returns through %s\n",
			function);
	else if (kc_finding_of_switch(finding))
		fprintf(out,
			"  ahead    the kernel jumps astray at the next switch to this thread\n");
	else
		fprintf(out,
			"  ahead    the kernel jumps astray when this thread returns from %s\n",
			function);
}

/*
 * To whoever is called out of bed. A sleeper that is woken returns through the damaged frame, and a
 * stop wakes it as any signal does; so does cgroup v2's freezer (do_freezer_trap() in
 * kernel/signal.c is where a task freezes: on its way to user mode).
 */
static void print_advice(FILE *out, const struct kc_finding *finding)
{
	if (finding->running || finding->by_gate ||
	    (finding->anomaly != KC_ANOMALY_SLOT && finding->anomaly != KC_ANOMALY_RETURN))
		return;
	fprintf(out,
		"  do       nothing that wakes thread %u: no signal, kill, stop, freeze or debugger on "
		"process %u\n"
		"           move the load to another host now; see that kdump is armed; keep this "
		"report\n",
		finding->task.tid, finding->task.pid);
}

static void text_finding(struct kc_report *report, const struct kc_kernel *kernel,
			 const struct kc_finding *finding)
{
	const struct kc_checked_frame *frame = &finding->checked->frames[finding->frame];
	FILE *out = report->out;
	static const char *const what[] = {
		[KC_ANOMALY_SLOT] = "canary overwritten in",
		[KC_ANOMALY_RETURN] = "return address overwritten in",
		[KC_ANOMALY_STACK_END] = "end of the stack overwritten, asleep in",
		[KC_ANOMALY_GUARD] = "this CPU's guard changed, seen in",
		[KC_ANOMALY_HEADROOM] = "little stack left in",
		[KC_ANOMALY_PANIC] = "the kernel panics: canary overwritten in",
	};
	_Static_assert(kc_countof(what) == KC_ANOMALY_NR, "words for each anomaly");
	char place[160];

	fprintf(out, "\nFINDING %" PRIu64 ": %s %s, ", finding->seq, what[finding->anomaly],
		kc_frame_text(kernel, &frame->frame, place));
	print_time(out, &finding->time);
	fprintf(out, ", boot %.3f s\n", finding->boot_ns / 1e9);
	print_task(out, finding);
	if (finding->anomaly == KC_ANOMALY_SLOT)
		print_slot(out, finding);
	fprintf(out, "  verdict  %s, confidence %s\n", kc_class_name(finding->verdict.class),
		finding->verdict.confidence);
	for (size_t i = 0; i < finding->verdict.nr_why; i++)
		fprintf(out, "           %s\n", finding->verdict.why[i]);
	if (finding->bad_return && finding->bad_return->was)
		fprintf(out, "  before   at an earlier pass in this sleep it led to %s\n",
			kc_place_text(kernel, finding->bad_return->was, place));
	if (finding->intact_ns)
		fprintf(out,
			"  since    %.0f ms at most: then all of this sleep's stack was intact\n",
			(finding->boot_ns - finding->intact_ns) / 1e6);
	print_ahead(out, kernel, finding);
	print_advice(out, finding);
	if (report->views != KC_VIEWS_NONE)
		print_view(out, kernel, finding, "backtrace", kc_view_backtrace);
	if (report->views == KC_VIEWS_FULL) {
		print_view(out, kernel, finding, "stack", kc_view_stack);
		print_view(out, kernel, finding, "disassembly", kc_view_disassembly);
	}
	fprintf(out, "\n");
}

static void print_blind(struct kc_report *report, const struct kc_coverage *coverage)
{
	struct kc_reason reason;

	print_counters(report, coverage, kc_sweep_counters, kc_nr_sweep_counters);
	for (size_t i = 0; kc_coverage_reason(&coverage->sweep, i, &reason); i++)
		if (reason.count)
			say(report, "  %" PRIu64 " %s: %s", reason.count, reason.what, reason.text);
}

static void print_row(FILE *out, const struct kc_audit *audit, const struct kc_task_row *row)
{
	const struct kc_record *task = &row->task;

	fprintf(out, "%7u %7u %-2s %6" PRIu64, task->tid, task->pid, kc_state_text(task->state),
		kc_task_depth(task));
	if (audit->high_water)
		fprintf(out, " %7" PRIu64, kc_task_high_water(task));
	fprintf(out, " %8" PRIu64 " %4" PRIu64 "  ", row->verified, row->not_verifiable);
	print_bytes(out, task->comm, KC_COMM_LEN);
	fprintf(out, "%*s %s", (int)(KC_COMM_LEN - strnlen(task->comm, KC_COMM_LEN)), "",
		row->place);
	if (row->why_not)
		fprintf(out, "  (%s)", row->why_not);
	if (row->findings)
		fprintf(out, "  FINDINGS: %" PRIu64, row->findings);
	fprintf(out, "\n");
}

static void text_audit(struct kc_report *report, const struct kc_when *when,
		       const struct kc_audit *audit)
{
	uint64_t verified = 0, blind = 0;

	(void)when;
	fprintf(report->out, "%7s %7s %-2s %6s%s %8s %4s  %-*s %s\n", "TID", "PID", "ST", "DEPTH",
		audit->high_water ? " DEEPEST" : "", "VERIFIED", "NOT", KC_COMM_LEN, "COMM",
		"ASLEEP IN");
	for (size_t i = 0; i < audit->tasks->count; i++) {
		print_row(report->out, audit, &audit->tasks->rows[i]);
		verified += audit->tasks->rows[i].verified;
		blind += audit->tasks->rows[i].not_verifiable;
	}
	kc_info("%zu tasks asleep: frames verified: %" PRIu64 ", not verifiable: %" PRIu64
		", findings: %" PRIu64,
		audit->tasks->count, verified, blind, audit->coverage->told.findings);
	kc_info("not looked at: %" PRIu64 " running, %" PRIu64 " dead, %" PRIu64
		" that ran meanwhile, %" PRIu64 " not readable",
		audit->pass->running, audit->pass->dead, audit->pass->moved,
		audit->pass->unreadable);
	if (audit->coverage->sweep.unproven)
		kc_info("%" PRIu64 " differences that a second read did not confirm",
			audit->coverage->sweep.unproven);
	kc_info("depths in bytes, of %" PRIu64 "; own CPU: %.2f s", audit->thread_size,
		audit->coverage->cpu_seconds);
}

static void text_notice(struct kc_report *report, const struct kc_when *when, const char *text)
{
	(void)when;
	say(report, "%s", text);
}

static void text_note(struct kc_report *report, const struct kc_when *when, const char *text)
{
	(void)when;
	if (report->outlet.path)
		fprintf(report->out, "%s\n", text);
}

/* Between start and end, a person at a terminal wants quiet; -v shows progress. */
static void text_stats(struct kc_report *report, const struct kc_when *when,
		       const struct kc_coverage *coverage)
{
	(void)when;
	(void)report;
	kc_debug("%" PRIu64 " passes, %" PRIu64 " frames verified, %" PRIu64
		 " not verifiable, %" PRIu64 " findings, own CPU %.2f %%",
		 coverage->sweep.passes, coverage->sweep.verified,
		 kc_coverage_not_verifiable(coverage), coverage->told.findings,
		 kc_coverage_cpu_percent(coverage));
}

static void print_depths(const struct kc_depths *depths)
{
	for (size_t i = 0; i < depths->nr_functions; i++) {
		const struct kc_function_depth *function = &depths->functions[i];
		uint64_t entries = 0;

		for (size_t n = 0; n < KC_DEPTH_BUCKETS; n++)
			entries += function->depth.bucket[n];
		if (entries)
			kc_debug("  %" PRIu64 " entries, at most %" PRIu64 " bytes deep: %s",
				 entries, function->depth.max, function->function);
	}
	for (size_t i = 0; i < depths->nr_threads; i++)
		kc_debug("  thread %u: at most %" PRIu64 " bytes deep, in %s",
			 depths->threads[i].tid, depths->threads[i].depth,
			 depths->threads[i].function);
}

char *kc_not_seen_text(const struct kc_coverage *coverage)
{
	struct kc_reason reason;
	char *text = NULL;
	size_t len;
	FILE *out;

	if (!kc_coverage_not_seen(coverage, 0, &reason))
		return NULL;
	out = open_memstream(&text, &len);
	if (!out)
		return NULL;
	fprintf(out, "not all was seen");
	for (size_t n = 0; kc_coverage_not_seen(coverage, n, &reason); n++)
		fprintf(out, "%s %" PRIu64 " %s%s%s", n ? ";" : ":", reason.count, reason.what,
			*reason.what ? ": " : "", reason.text);
	fclose(out);
	return text;
}

static void text_stop(struct kc_report *report, const struct kc_when *when,
		      const struct kc_coverage *coverage, const struct kc_depths *depths,
		      const char *why)
{
	const struct kc_sweep_counts *sweep = &coverage->sweep;
	uint64_t blind = kc_coverage_not_verifiable(coverage);
	kc_auto_free char *sentence = NULL;

	(void)when;
	say(report, "%s after %.1f s and %" PRIu64 " passes: %" PRIu64 " findings", why,
	    coverage->seconds, sweep->passes, coverage->told.findings);
	say(report,
	    "tasks in the last pass: %" PRIu64 "; sleeping tasks verified: %" PRIu64
	    ", frames verified: %" PRIu64 ", not verifiable: %" PRIu64,
	    sweep->tasks, sweep->checked, sweep->verified, blind);
	print_blind(report, coverage);
	print_losses(report, sweep->losses);
	print_counters(report, coverage, kc_watch_counters, kc_nr_watch_counters);
	print_probes(report, coverage);
	print_depths(depths);
	sentence = kc_not_seen_text(coverage);
	if (sentence)
		say(report, "%s", sentence);
	say(report, "own CPU: %.2f s (%.2f %% of one)", coverage->cpu_seconds,
	    kc_coverage_cpu_percent(coverage));
}

const struct kc_format kc_format_text = {
	.start = text_start,
	.finding = text_finding,
	.evidence = kc_text_evidence,
	.audit = text_audit,
	.notice = text_notice,
	.note = text_note,
	.stats = text_stats,
	.stop = text_stop,
};
