// SPDX-License-Identifier: GPL-2.0-only
/* Verdicts, process facts, and JSON that never breaks. */
#include "unit.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "arch/arch.h"
#include "fake.h"
#include "monitor/coverage.h"
#include "probe/loss.h"
#include "report/report.h"
#include "report/schema.h"
#include "report/views.h"
#include "source/host.h"
#include "stack/place.h"
#include "util/array.h"

extern const char simple_call[], last_call[];

static uint64_t words[64];
static struct kc_checked_stack checked;
static struct kc_finding finding;

/* A finding in simple()'s frame; tests change what they are about. */
static int setup(void **state)
{
	fake_setup(state);
	for (size_t i = 0; i < 64; i++)
		words[i] = i;
	words[10] = 0x4141414141414141;
	checked = (struct kc_checked_stack){ .count = 1, .damaged = 1, .end = KC_UNWIND_NOT_TEXT };
	checked.frames[0] = (struct kc_checked_frame){
		.frame = { .pc = (uint64_t)simple_call + 5, .sp = 0x1040, .cfa = 0x1060 },
		.plan = fake_plan(fake, "simple"),
		.status = KC_CHECK_DAMAGED,
		.rule = { KC_LIVE_SEALED, KC_SLOT_CFA, -0x10 },
		.slot = 0x1050,
	};
	checked.frames[0].sym = checked.frames[0].plan->sym;
	finding = (struct kc_finding){
		.engine = "sweep",
		.task = { .pid = 10, .tid = 11, .comm = "a\"b\\\xff\n", .leader_comm = "App01" },
		.damage = { .slot = 0x1050,
			    .changed_bytes = 0xff,
			    .changed_bits = KC_BITS_MORE,
			    .found = KC_FOUND_ASCII },
		.stack = { .sp = 0x1000, .top = 0x1200, .words = words },
		.checked = &checked,
	};
	return 0;
}

static const struct kc_bad_return bad_return = { .found = KC_FOUND_USER };

static enum kc_class judged(void)
{
	kc_judge(&finding, 0);
	assert_true(finding.verdict.nr_why > 0);
	return finding.verdict.class;
}

static void verdicts(void **state)
{
	(void)state;
	checked.end = KC_UNWIND_COMPLETE;
	/* Text in the slot and in no word beside it: no more than a guess. */
	assert_int_equal(judged(), KC_CLASS_LINEAR_OVERFLOW);
	assert_string_equal(finding.verdict.confidence, "low");
	finding.damage.found = KC_FOUND_KERNEL;
	assert_int_equal(judged(), KC_CLASS_STRAY_WRITE);
	finding.damage.same_below = 1;
	assert_int_equal(judged(), KC_CLASS_LINEAR_OVERFLOW);
	finding.damage.same_below = 0;
	finding.damage.changed_bytes = 0x07;
	assert_int_equal(judged(), KC_CLASS_LINEAR_OVERFLOW);
	finding.damage.changed_bytes = 0x06; /* the lowest byte was written with a zero */
	assert_int_equal(judged(), KC_CLASS_LINEAR_OVERFLOW);
	finding.damage.changed_bytes = 0x0a; /* a gap: not from below */
	assert_int_equal(judged(), KC_CLASS_STRAY_WRITE);
	finding.damage.small_delta = 1;
	assert_int_equal(judged(), KC_CLASS_DECREMENT);
	finding.damage.changed_bits = KC_BITS_ONE;
	assert_int_equal(judged(), KC_CLASS_BIT_FLIP);
	/* A bit that is low enough may have been counted away, too; not if it is beyond doubt. */
	assert_string_equal(finding.verdict.confidence, "medium");
	assert_string_equal(finding.verdict.why[1],
			    "decrement would fit, too: the slot differs from "
			    "the canary by a small number");
	finding.damage.small_delta = 0;
	assert_int_equal(judged(), KC_CLASS_BIT_FLIP);
	assert_string_equal(finding.verdict.confidence, "high");
	assert_null(strstr(finding.verdict.why[1], "would fit"));
	finding.damage.small_delta = 1;
	kc_judge(&finding, 2);
	assert_int_equal(finding.verdict.class, KC_CLASS_WIDESPREAD);
	assert_null(strstr(finding.verdict.why[finding.verdict.nr_why - 1], "intact"));
	finding.seen_intact = 5;
	kc_judge(&finding, 2);
	assert_non_null(strstr(finding.verdict.why[finding.verdict.nr_why - 1], "intact in 5"));
	/* At its check, and the return address is none: control came from elsewhere. */
	finding.damage = (struct kc_damage){ .changed_bytes = 0xff, .changed_bits = KC_BITS_MORE };
	assert_int_equal(judged(), KC_CLASS_STRAY_WRITE);
	/* Asleep where it is said to be: what has both is a write that went on up. */
	checked.end = KC_UNWIND_NOT_TEXT;
	assert_int_equal(judged(), KC_CLASS_LINEAR_OVERFLOW);
	assert_string_equal(finding.verdict.confidence, "medium");
	finding.running = true;
	assert_int_equal(judged(), KC_CLASS_ALIEN_FRAME);
	finding.damage.same_below = 2;
	assert_int_equal(judged(), KC_CLASS_LINEAR_OVERFLOW);
	checked.damaged = 0;
	finding.anomaly = KC_ANOMALY_GUARD;
	assert_int_equal(judged(), KC_CLASS_GUARD_CHANGED);
	finding.anomaly = KC_ANOMALY_HEADROOM;
	assert_int_equal(judged(), KC_CLASS_EXHAUSTED);
	finding.anomaly = KC_ANOMALY_RETURN;
	finding.bad_return = &bad_return;
	assert_int_equal(judged(), KC_CLASS_RETURN_ADDRESS);
	finding.anomaly = KC_ANOMALY_STACK_END;
	assert_int_equal(judged(), KC_CLASS_EXHAUSTED);
}

/* The confidence of an overflow, or "" if it is none. */
static const char *overflow(void)
{
	return judged() == KC_CLASS_LINEAR_OVERFLOW ? finding.verdict.confidence : "";
}

static bool says(const char *words_of_it)
{
	for (size_t i = 0; i < finding.verdict.nr_why; i++)
		if (strstr(finding.verdict.why[i], words_of_it))
			return true;
	return false;
}

/* The slot is words[10], the return address words[11], SP words[8]. */
static void words_beside_the_slot(void **state)
{
	(void)state;
	checked.end = KC_UNWIND_COMPLETE;
	/* Other words of text below, maybe a buffer's own; above, and there is no buffer. */
	words[9] = 0x4242424242424242;
	assert_string_equal(overflow(), "medium");
	assert_true(says("1 word right below the slot holds text, too"));
	checked.end = KC_UNWIND_NOT_TEXT;
	words[11] = 0x4343434343434343;
	assert_string_equal(overflow(), "high");
	assert_true(says("up to the return address holds text, too"));
	/* What lies below the frame is none of it. */
	words[8] = words[7] = words[6] = words[9];
	assert_string_equal(overflow(), "high");
	assert_true(says("2 words right below"));

	/* A pattern, compared in the kernel: it runs through the return address. */
	finding.damage.found = KC_FOUND_OTHER;
	finding.damage.same_above = 1;
	assert_string_equal(overflow(), "high");
	assert_true(says("up to the return address holds the same pattern"));
	/* Zeros lie about, but not there. */
	finding.damage.found = KC_FOUND_ZERO;
	assert_string_equal(overflow(), "medium");
	/* Not up to there: a saved register may well be zero. */
	checked.end = KC_UNWIND_COMPLETE;
	checked.frames[0].frame.cfa = 0x1080;
	assert_string_equal(overflow(), "");
	finding.damage.found = KC_FOUND_OTHER;
	assert_string_equal(overflow(), "high");
	assert_true(says("1 word right above it holds the same pattern"));
}

static void cgroups(void **state)
{
	struct kc_process process = {};
	const char *id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	char path[8192];

	(void)state;
	kc_process_parse_cgroup("/system.slice/app01.service", &process);
	assert_string_equal(process.unit, "app01.service");
	assert_string_equal(process.container_id, "");
	snprintf(path, sizeof(path), "/system.slice/docker-%s.scope", id);
	kc_process_parse_cgroup(path, &process);
	assert_string_equal(process.container_id, id);
	assert_string_equal(process.cgroup, path);
	assert_string_equal(process.runtime, "docker");
	assert_string_equal(process.pod_uid, "");
	snprintf(path, sizeof(path),
		 "/kubepods.slice/kubepods-pod01234567_89ab_cdef_0123_456789abcdef.slice/"
		 "cri-containerd-%s.scope",
		 id);
	kc_process_parse_cgroup(path, &process);
	assert_string_equal(process.pod_uid, "01234567-89ab-cdef-0123-456789abcdef");
	assert_string_equal(process.runtime, "cri-containerd");
	snprintf(path, sizeof(path), "/kubepods/pod01234567-89ab-cdef-0123-456789abcdef/%s", id);
	kc_process_parse_cgroup(path, &process);
	assert_string_equal(process.pod_uid, "01234567-89ab-cdef-0123-456789abcdef");
	assert_string_equal(process.runtime, "");
	kc_process_parse_cgroup("/pod01234567-89ab-cdef-0123-456789abcde/x", &process);
	assert_string_equal(process.pod_uid, "");
	assert_string_equal(process.container_id, "");
	kc_process_parse_cgroup("/", &process);
	assert_string_equal(process.unit, "");
	/* Below an outer unit, deeper than 256 bytes: the inner one is told. */
	memset(path, 'x', sizeof(path));
	memcpy(path, "/a.service/", 11);
	strcpy(path + 300, "/b.service");
	kc_process_parse_cgroup(path, &process);
	assert_string_equal(process.cgroup, path);
	assert_string_equal(process.unit, "b.service");
	/* So long that it does not fit: who knows what the inner unit is. */
	memset(path + 300, 'x', sizeof(path) - 300);
	path[sizeof(path) - 1] = '\0';
	kc_process_parse_cgroup(path, &process);
	assert_string_equal(process.cgroup + strlen(process.cgroup) - 6, "xxx...");
	assert_string_equal(process.unit, "");
	assert_string_equal(process.container_id, "");
}

/* The rule of the sweep: the cgroup of this path from the root on, or one below it. */
static void in_a_cgroup(void **state)
{
	struct kc_process process = { .cgroup = "/system.slice/app.service/worker" };

	(void)state;
	assert_true(kc_process_in_cgroup(&process, "/"));
	assert_true(kc_process_in_cgroup(&process, "/system.slice"));
	assert_true(kc_process_in_cgroup(&process, "system.slice//app.service/"));
	assert_true(kc_process_in_cgroup(&process, "/system.slice/app.service/worker"));
	/* No part of a path, and no part of a name. */
	assert_false(kc_process_in_cgroup(&process, "/app.service"));
	assert_false(kc_process_in_cgroup(&process, "/elsewhere/system.slice"));
	assert_false(kc_process_in_cgroup(&process, "/system.slice/app"));
	assert_false(kc_process_in_cgroup(&process, "/system.slice/app.service/worker/x"));
}

/* What /proc says of a thread of any name, and of one that is the kernel's own. */
static void proc_stat(void **state)
{
	const char *rest = " S 1 2 3 0 -1 %u 4 5 6 7 8 9 10 11 20 0 1 0 4711 12 13\n";
	struct kc_process_stat stat = {};
	char text[256], format[128];

	(void)state;
	snprintf(format, sizeof(format), "7 (a\n) S 1 (\n)%s", rest);
	snprintf(text, sizeof(text), format, 0x400040);
	assert_true(kc_process_parse_stat(text, &stat));
	assert_int_equal(stat.start_ticks, 4711);
	assert_false(stat.kernel_thread);
	snprintf(format, sizeof(format), "7 (kworker/0:0)%s", rest);
	snprintf(text, sizeof(text), format, 0x4208060);
	assert_true(kc_process_parse_stat(text, &stat));
	assert_true(stat.kernel_thread);
	assert_false(kc_process_parse_stat("7 (a) S 1 2", &stat));
	assert_false(kc_process_parse_stat("", &stat));
}

static void proc_syscall(void **state)
{
	struct kc_process process = {};

	(void)state;
	kc_process_parse_syscall("230 0x1 0x0 0x7f0 0x7f8 0x0 0x8 0x7ffd12301230 0x7f1230\n",
				 &process);
	assert_true(process.in_syscall);
	assert_int_equal(process.syscall_nr, 230);
	assert_int_equal(process.args[2], 0x7f0);
	/* 32-bit calls have numbers of their own; those of x32 have neither's. */
	assert_string_equal(kc_arch()->syscall_name(230, false), "clock_nanosleep");
	assert_string_equal(kc_arch()->syscall_name(162, true), "nanosleep");
	assert_string_equal(kc_arch()->syscall_name(162, false), "sync");
	assert_null(kc_arch()->syscall_name(230 | 1 << 30, false));
	assert_null(kc_arch()->syscall_name(100000, true));
	assert_null(kc_arch()->syscall_name(-1, true));
	/* A kernel thread's: no read(0, 0, ...). */
	kc_process_parse_syscall("0 0x0 0x0 0x0 0x0 0x0 0x0 0x0 0x0\n", &process);
	assert_false(process.in_syscall);
	kc_process_parse_syscall("-1 0x7ffd1230 0x7f1230\n", &process);
	assert_false(process.in_syscall);
	kc_process_parse_syscall("running\n", &process);
	assert_false(process.in_syscall);
}

/* This very thread under a name with a newline: its facts are told all the same. */
static void process_of_any_name(void **state)
{
	struct kc_process_stat stat;
	struct kc_process process;
	char text[1024] = "";
	FILE *file;

	(void)state;
	assert_int_equal(prctl(PR_SET_NAME, "a\n) R 1\n"), 0);
	file = fopen("/proc/self/stat", "r");
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	assert_true(kc_process_parse_stat(text, &stat));
	kc_process_read(getpid(), getpid(), stat.start_ticks * (1000000000 / sysconf(_SC_CLK_TCK)),
			false, false, &process);
	prctl(PR_SET_NAME, "report");
	assert_string_not_equal(process.executable, "");
	assert_false(process.in_syscall);
	assert_true(process.has_uid);
	assert_int_equal(process.uid, getuid());
	assert_true(kc_process_takes_fd("accept"));
	assert_true(kc_process_takes_fd("writev"));
	assert_false(kc_process_takes_fd("futex"));
	assert_false(kc_process_takes_fd(NULL));
}

/* A call may be a function's last instruction: the frame is not the next function's. */
static void names_of_frames(void **state)
{
	struct kc_frame frame = { .pc = (uint64_t)last_call + 5 };
	char place[160], *text;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	(void)state;
	assert_string_equal(kc_frame_text(&fake->kernel, &frame, place), "ends_in_call+0x10");
	/* Interrupted there, or a pointer to there, it is the next one. */
	frame.exact = true;
	assert_string_equal(kc_frame_text(&fake->kernel, &frame, place), "last+0x0");
	assert_string_equal(kc_place_text(&fake->kernel, frame.pc, place), "last+0x0");

	checked.frames[1].frame = (struct kc_frame){ .pc = frame.pc, .sp = 0x1060, .cfa = 0x1080 };
	checked.frames[1].status = KC_CHECK_UNGUARDED;
	checked.count = 2;
	words[11] = frame.pc;
	kc_view_backtrace(&fake->kernel, &finding, out);
	kc_view_stack(&fake->kernel, &finding, out);
	fclose(out);
	assert_non_null(strstr(text, "#1  depth 0x1a0   ends_in_call+0x10"));
	assert_non_null(strstr(text, "depth 0x1a8   ends_in_call+0x10  <- return address"));
	assert_null(strstr(text, "last+0x0"));
	free(text);
}

/* Every line parses, carries the contract's keys, and survives hostile names. */
static void json_lines(void **state)
{
	char path[] = "/tmp/kcanary-test.XXXXXX", line[65536];
	static const char *const types[] = { "start",  "finding", "finding", "task",
					     "notice", "stats",	  "stop" };
	struct kc_coverage coverage = { .sweep = { .passes = 3, .verified = 7 } };
	struct kc_filter filter = { .comm = "\xfe\"", .cgroup = "/a\\b" };
	struct kc_task_row row = { .task = finding.task, .place = "simple+0x1" };
	const struct kc_tasks tasks = { .rows = &row, .count = 1 };
	struct kc_sinks sinks = {};
	struct kc_host host = {};
	struct kc_when when;
	struct kc_report *report;
	size_t count = 0;
	FILE *file;

	(void)state;
	close(mkstemp(path));
	kc_host_read(&host);
	assert_int_equal(kc_report_new(path, true, &host, &report), 0);
	kc_sinks_add(&sinks, kc_report_sink(report));
	memset(finding.process.cgroup, 0xff, 3000); /* nothing of it is cut */
	kc_judge(&finding, 0);
	assert_int_equal(kc_sinks_start(&sinks, &(struct kc_start){ .filter = &filter }), 0);
	assert_int_equal(kc_sinks_finding(&sinks, &fake->kernel, &finding), 0);
	finding.anomaly = KC_ANOMALY_RETURN;
	finding.bad_return = &bad_return;
	kc_judge(&finding, 0);
	assert_int_equal(kc_sinks_finding(&sinks, &fake->kernel, &finding), 0);
	when = kc_sinks_now(&sinks);
	assert_int_equal(kc_report_audit(report, &when, &(struct kc_audit){ .tasks = &tasks }), 0);
	assert_int_equal(kc_sinks_notice(&sinks, "a \"notice\"\n"), 0);
	assert_int_equal(kc_sinks_stop(&sinks, &coverage, NULL, "stopped"), 0);
	kc_sinks_free(&sinks);

	file = fopen(path, "r");
	while (fgets(line, sizeof(line), file)) {
		struct json_object *event = json_tokener_parse(line), *process, *value;

		assert_non_null(event);
		assert_true(json_object_object_get_ex(event, "schema", &value));
		assert_string_equal(json_object_get_string(value), KC_SCHEMA);
		assert_true(json_object_object_get_ex(event, "type", &value));
		assert_string_equal(json_object_get_string(value), types[count++]);
		assert_true(json_object_object_get_ex(event, "boot_ns", &value));
		if (json_object_object_get_ex(event, "process", &process)) {
			json_object_object_get_ex(process, "comm", &value);
			assert_string_equal(json_object_get_string(value), "a\"b\\\\377\n");
			json_object_object_get_ex(process, "cgroup", &value);
			assert_int_equal(json_object_get_string_len(value), 4 * 3000);
		}
		/* The marker stands for the canary inside; outside it is nobody's. */
		assert_null(strstr(line, "9e5ea1ed51071a5b"));
		json_object_put(event);
	}
	assert_int_equal(count, 7);
	fclose(file);
	unlink(path);
}

/* Of a finding, as text; the caller's. */
static enum kc_views views;

static char *text_of_finding(void)
{
	char path[] = "/tmp/kcanary-text.XXXXXX", *text = calloc(1, 65536);
	struct kc_sinks sinks = {};
	struct kc_host host = {};
	struct kc_report *report;
	FILE *file;

	close(mkstemp(path));
	assert_int_equal(kc_report_new(path, false, &host, &report), 0);
	kc_report_show(report, views);
	kc_sinks_add(&sinks, kc_report_sink(report));
	kc_judge(&finding, 0);
	assert_int_equal(kc_sinks_finding(&sinks, &fake->kernel, &finding), 0);
	kc_sinks_free(&sinks);
	file = fopen(path, "r");
	assert_true(fread(text, 1, 65535, file) > 0);
	fclose(file);
	unlink(path);
	return text;
}

/* As much as was asked for; what is said of the finding stays. */
static void more_or_less(void **state)
{
	static const struct {
		enum kc_views views;
		int backtrace, rest;
	} rows[] = { { KC_VIEWS_FULL, 1, 1 }, { KC_VIEWS_BRIEF, 1, 0 }, { KC_VIEWS_NONE, 0, 0 } };

	(void)state;
	for (size_t i = 0; i < kc_countof(rows); i++) {
		char *text;

		views = rows[i].views;
		text = text_of_finding();
		assert_non_null(strstr(text, "\n  verdict  "));
		assert_int_equal(!!strstr(text, "\n  backtrace\n"), rows[i].backtrace);
		assert_int_equal(!!strstr(text, "\n  stack\n"), rows[i].rest);
		assert_int_equal(!!strstr(text, "\n  disassembly\n"), rows[i].rest);
		free(text);
	}
	views = KC_VIEWS_FULL;
}

/* What not to do is said while it can still be left undone. */
static void advice(void **state)
{
	char *text = text_of_finding();

	(void)state;
	assert_non_null(strstr(text,
			       "\n  do       nothing that wakes thread 11: no signal, kill, stop, "
			       "freeze or debugger on process 10\n"));
	assert_non_null(strstr(text, "the kernel panics when this thread returns through simple"));
	free(text);
	finding.running = true;
	text = text_of_finding();
	assert_non_null(strstr(text, "this thread is about to return from simple"));
	assert_null(strstr(text, "\n  do "));
	free(text);
}

/* What its arguments mean, and since when it is damaged. */
static void arguments(void **state)
{
	char *text;

	(void)state;
	finding.process = (struct kc_process){
		.in_syscall = true,
		.syscall_nr = 202,
		.syscall_name = "futex",
		.args = { 0x7f00, 0x80 | 9, 0xffffffff00000002 },
	};
	finding.boot_ns = 3000000000;
	finding.intact_ns = 2188000000;
	text = text_of_finding();
	assert_non_null(strstr(text,
			       "\n           FUTEX_WAIT_BITSET of the word at 0x7f00, private, "
			       "value 0x2\n"));
	assert_non_null(strstr(text, "\n  since    812 ms at most: "));
	free(text);
	/* An operation that nobody knows is not named. */
	finding.process.args[1] = 77;
	finding.intact_ns = 0;
	text = text_of_finding();
	assert_null(strstr(text, "of the word at"));
	assert_null(strstr(text, "\n  since "));
	free(text);
	finding.process.syscall_name = "read";
	strcpy(finding.process.fd_target, "/a\nb");
	text = text_of_finding();
	assert_non_null(strstr(text, "\n           file descriptor 32512 is /a?b\n"));
	free(text);
}

static void output_that_fails(void **state)
{
	const struct kc_filter filter = {};
	struct kc_sinks sinks = {};
	char path[] = "/tmp/kcanary-link.XXXXXX";
	struct kc_host host = {};
	struct kc_report *report;

	(void)state;
	assert_true(mkstemp(path) >= 0);
	unlink(path);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(kc_report_new(path, true, &host, &report), -ELOOP);
	unlink(path);
	assert_int_equal(kc_report_new("/nonexistent/x", true, &host, &report), -ENOENT);
	assert_int_equal(kc_report_new("/dev/full", false, &host, &report), 0);
	kc_sinks_add(&sinks, kc_report_sink(report));
	assert_int_equal(kc_sinks_start(&sinks, &(struct kc_start){ .filter = &filter }), -ENOSPC);
	kc_sinks_free(&sinks);
}

static void assert_in_schema(const char *name)
{
	char text[80];

	snprintf(text, sizeof(text), "\"%s\"", name);
	if (!strstr(kc_schema_text, text))
		fail_msg("%s is not in schema.json", text);
}

/* Those that a test may never see: all names that are made of tables. */
static void schema_has_all_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < kc_nr_sweep_counters; i++)
		assert_in_schema(kc_sweep_counters[i].name);
	for (size_t i = 0; i < kc_nr_probe_counters; i++)
		assert_in_schema(kc_probe_counters[i].name);
	for (size_t i = 0; i < kc_nr_watch_counters; i++)
		assert_in_schema(kc_watch_counters[i].name);
	for (size_t i = 0; i < KC_LOSS_NR; i++)
		assert_in_schema(kc_loss_name(i));
	for (size_t i = 0; i < KC_CLASS_NR; i++)
		assert_in_schema(kc_class_name(i));
	for (size_t i = 0; i < KC_ANOMALY_NR; i++)
		assert_in_schema(kc_anomaly_name(i));
	for (size_t i = 0; i <= KC_FOUND_SMALL; i++)
		assert_in_schema(kc_found_name(i));
	for (size_t i = 0; i <= KC_BITS_MORE; i++)
		assert_in_schema(kc_bits_name(i));
	for (size_t i = KC_POINTED_NOT_KNOWN; i <= KC_POINTED_STATIC; i++)
		assert_in_schema(kc_pointed_name(i));
}

static void what_words_point_to(void **state)
{
	static const struct {
		struct kc_pointed_word word;
		const char *text;
	} rows[] = {
		{ { .kind = KC_POINTED_NOT_KNOWN }, "kernel address" },
		{ { .kind = KC_POINTED_SLAB, .name = "kmalloc-64", .offset = 16 },
		  "[kmalloc-64]+0x10" },
		{ { .kind = KC_POINTED_PAGE }, "a page of memory, no slab's" },
		{ { .kind = KC_POINTED_PERCPU, .name = "runqueues+0x8", .cpu = 3 },
		  "runqueues+0x8 of CPU 3" },
		{ { .kind = KC_POINTED_VMALLOC, .name = "f+0x5 [m]", .offset = 16 },
		  "vmalloc area of f+0x5 [m], +0x10" },
		{ { .kind = KC_POINTED_STACK, .tid = 7, .offset = 0x5c0 },
		  "stack of thread 7, depth 0x5c0" },
		{ { .kind = KC_POINTED_TASK, .tid = 7, .offset = 8 },
		  "task_struct of thread 7, +0x8" },
		{ { .kind = KC_POINTED_CANARY, .tid = 7 }, "the canary of thread 7" },
		{ { .kind = KC_POINTED_STATIC, .name = "init_uts_ns+0x8" }, "init_uts_ns+0x8" },
	};
	struct kc_pointed_words pointed = { .count = 1 };
	char text[160];

	(void)state;
	/* The slot of the finding: told in its verdict, and only there where it lies. */
	pointed.word[0] = rows[1].word;
	pointed.word[0].depth = 0x1200 - 0x1050;
	finding.pointed = &pointed;
	judged();
	assert_true(says("it points to [kmalloc-64]+0x10"));
	pointed.word[0].depth += 8;
	judged();
	assert_false(says("points to"));
	for (size_t i = 0; i < kc_countof(rows); i++)
		assert_string_equal(kc_pointed_text(&rows[i].word, text), rows[i].text);
	assert_int_equal(kc_countof(rows), KC_POINTED_STATIC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(verdicts, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(words_beside_the_slot, setup, fake_teardown),
		cmocka_unit_test(schema_has_all_names),
		cmocka_unit_test_setup_teardown(what_words_point_to, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(advice, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(more_or_less, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(arguments, setup, fake_teardown),
		cmocka_unit_test(cgroups),
		cmocka_unit_test(in_a_cgroup),
		cmocka_unit_test(proc_stat),
		cmocka_unit_test(proc_syscall),
		cmocka_unit_test(process_of_any_name),
		cmocka_unit_test_setup_teardown(names_of_frames, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(json_lines, setup, fake_teardown),
		cmocka_unit_test_setup_teardown(output_that_fails, setup, fake_teardown),
	};

	return RUN(tests);
}
