// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/doctor.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kernel/overlay.h"
#include "monitor/attach.h"
#include "monitor/lookers.h"
#include "monitor/pass.h"
#include "monitor/sampling.h"
#include "probe/cgroup.h"
#include "probe/samples.h"
#include "source/live.h"
#include "util/log.h"
#include "util/rights.h"

enum exam {
	EXAM_KERNEL,
	EXAM_GUARD,
	EXAM_SWEEP,
	EXAM_DAMAGE,
	EXAM_WHOLE,
	EXAM_PROBES,
	EXAM_ALIVE,
	EXAM_SAMPLES,
	EXAM_TRIPWIRE,
	EXAM_HOLD,
	EXAM_GATE,
	EXAM_MISSES,
	EXAM_MEMORY,
	EXAM_CGROUPS,
	EXAM_KDUMP,
	EXAM_PSTORE,
	EXAM_REBOOT,
	NR_EXAMS,
};

static const struct {
	const char *what;
	enum kc_weight weight;
	const char *without, *remedy;
} known[NR_EXAMS] = {
	[EXAM_KERNEL] = { "the kernel can be read", KC_WEIGHT_VITAL, "nothing can be watched",
			  "as root, with BTF, kallsyms and BPF, not locked down for "
			  "confidentiality" },
	[EXAM_GUARD] = { "functions keep a canary", KC_WEIGHT_VITAL, "there is nothing to verify",
			 "a kernel built with CONFIG_STACKPROTECTOR_STRONG" },
	[EXAM_SWEEP] = { "sleeping tasks are verified", KC_WEIGHT_VITAL,
			 "damage is seen in probed functions only",
			 "root, or CAP_BPF, CAP_PERFMON and CAP_SYSLOG" },
	[EXAM_DAMAGE] = { "none of them is damaged now", KC_WEIGHT_PART,
			  "FRAMES ARE DAMAGED NOW: see 'kcanary audit'", "" },
	[EXAM_WHOLE] = { "all there is was seen", KC_WEIGHT_PART, "not everything is seen",
			 "'kcanary audit -v' names frames, 'kcanary watch' what else" },
	[EXAM_PROBES] = { "live probes can be placed", KC_WEIGHT_PART,
			  "hot functions are seen in samples only",
			  "kprobes (CONFIG_KPROBE_EVENTS); whose "
			  "probes are in the way: -v" },
	[EXAM_ALIVE] = { "the kernel runs them", KC_WEIGHT_PART, "probes and tripwire are silent",
			 "echo 1 >/sys/kernel/debug/kprobes/enabled, sysctl "
			 "kernel.ftrace_enabled=1" },
	[EXAM_SAMPLES] = { "what runs is sampled", KC_WEIGHT_PART,
			   "what runs is seen in probed functions only",
			   "CAP_PERFMON; perf's software clock; not PREEMPT_RT before v6.12" },
	[EXAM_TRIPWIRE] = { "a tripwire on panic()", KC_WEIGHT_PART, "a panic is told of by nobody",
			    "" },
	[EXAM_HOLD] = { "a CPU to write while one is held", KC_WEIGHT_PART,
			"what a probe finds at a panic may be lost", "a second CPU" },
	[EXAM_GATE] = { "a gate at each switch (--gate)", KC_WEIGHT_ASIDE,
			"damage between two passes is the tripwire's to tell", "" },
	[EXAM_MISSES] = { "missed hits are told", KC_WEIGHT_ASIDE,
			  "a probe that did not run is not counted", "Linux 6.7" },
	[EXAM_MEMORY] = { "memory can be locked", KC_WEIGHT_ASIDE,
			  "a record of a panic may come late", "CAP_IPC_LOCK" },
	[EXAM_CGROUPS] = { "the unified cgroup hierarchy (-c)", KC_WEIGHT_ASIDE,
			   "tasks can't be chosen by cgroup", "mount cgroup2" },
	[EXAM_KDUMP] = { "kdump is armed", KC_WEIGHT_ASIDE, "a panic leaves no vmcore",
			 "kdump-tools, and crashkernel= on the kernel's command line" },
	[EXAM_PSTORE] = { "a place for the log of a panic (pstore)", KC_WEIGHT_ASIDE,
			  "the kernel's last words are on its console only",
			  "pstore: efi, erst or "
			  "ramoops" },
	[EXAM_REBOOT] = { "the host comes back after a panic", KC_WEIGHT_ASIDE, "it stays down",
			  "sysctl kernel.panic=10" },
};

const char *kc_answer_name(enum kc_answer answer)
{
	static const char *const names[] = {
		[KC_ANSWER_YES] = "yes",
		[KC_ANSWER_NO] = "no",
		[KC_ANSWER_UNKNOWN] = "unknown",
	};

	return names[answer];
}

__attribute__((format(printf, 4, 5))) static void answer(struct kc_checkup *checkup, enum exam exam,
							 bool yes, const char *format, ...)
{
	struct kc_exam *it = &checkup->exams[exam];
	va_list args;

	it->answer = yes ? KC_ANSWER_YES : KC_ANSWER_NO;
	va_start(args, format);
	vsnprintf(it->found, sizeof(it->found), format, args);
	va_end(args);
}

/* The first line of a small file; false: it can't be read. */
static bool read_line(const char *path, char *line, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? -1 : read(fd, line, size - 1);

	if (fd >= 0)
		close(fd);
	if (len <= 0)
		return false;
	line[len] = '\0';
	line[strcspn(line, "\n")] = '\0';
	return true;
}

static void look_at_host(struct kc_checkup *checkup)
{
	bool may_hold = kc_lookers_are_possible(), may_lock = kc_has_right(CAP_IPC_LOCK);
	uint64_t cgroup;
	char line[128];
	int err;

	answer(checkup, EXAM_HOLD, may_hold, "%s",
	       may_hold ? "two or more" : "there is one CPU for kcanary");
	answer(checkup, EXAM_MEMORY, may_lock, "%sCAP_IPC_LOCK", may_lock ? "" : "no ");
	if (read_line("/sys/kernel/kexec_crash_loaded", line, sizeof(line)))
		answer(checkup, EXAM_KDUMP, !strcmp(line, "1"), "kexec_crash_loaded is %s", line);
	if (read_line("/sys/module/pstore/parameters/backend", line, sizeof(line))) {
		bool has_backend = *line && strcmp(line, "(null)");

		answer(checkup, EXAM_PSTORE, has_backend, "%s", has_backend ? line : "no backend");
	}
	if (read_line("/proc/sys/kernel/panic", line, sizeof(line)))
		answer(checkup, EXAM_REBOOT, strcmp(line, "0"), "kernel.panic is %s", line);
	err = kc_cgroup_id("/", &cgroup);
	answer(checkup, EXAM_CGROUPS, !err, "%s",
	       !err		 ? "mounted"
	       : err == -ENOTSUP ? "not mounted"
				 : kc_strerror(err));
}

static void look_at_guards(struct kc_checkup *checkup, struct kc_session *session)
{
	size_t guarded = 0, planned = 0, looked = 0;

	/* Of functions all over the kernel; all of them would take seconds. */
	for (size_t i = 0; i < kc_ksyms_count(session->kernel->ksyms); i += 50) {
		const struct kc_sym *sym = kc_ksyms_at(session->kernel->ksyms, i);
		const struct kc_plan *plan;

		if (!kc_kernel_is_text(session->kernel, sym->addr))
			continue;
		plan = kc_plans_of(session->plans, sym);
		looked++;
		planned += plan->reason == KC_PLAN_OK;
		guarded +=
			plan->reason != KC_PLAN_UNGUARDED && plan->reason != KC_PLAN_NOT_COMPILED;
	}
	answer(checkup, EXAM_GUARD, planned,
	       "of %zu functions tried %zu are guarded, and of %zu of them it is known where",
	       looked, guarded, planned);
}

static void look_at_tasks(struct kc_checkup *checkup, const struct kc_engine *engine,
			  struct kc_coverage *coverage)
{
	struct kc_passes *passes kc_auto(kc_cleanup_passes) = NULL;
	int err = kc_passes_new(engine, &passes);

	if (!err)
		err = kc_passes_run(passes);
	if (!err)
		err = kc_passes_end(passes);
	if (err) {
		answer(checkup, EXAM_SWEEP, false, "%s", kc_strerror(err));
		return;
	}
	kc_passes_coverage(passes, coverage);
	answer(checkup, EXAM_SWEEP, coverage->sweep.verified,
	       "%lu tasks, %lu frames verified in %.0f ms of CPU", coverage->sweep.tasks,
	       coverage->sweep.verified, coverage->first_pass_cpu * 1e3);
	answer(checkup, EXAM_DAMAGE, !coverage->told.findings, "%lu findings",
	       coverage->told.findings);
}

static void look_at_gate(struct kc_checkup *checkup, struct kc_attach *attach)
{
	struct kc_failure failure;

	if (kc_attach_gate(attach, &failure))
		answer(checkup, EXAM_GATE, false, "%s", failure.text);
	else
		answer(checkup, EXAM_GATE, true, "placed, and removed");
}

static void look_at_samples(struct kc_checkup *checkup, const struct kc_kernel *kernel)
{
	struct kc_samples *samples kc_auto(kc_cleanup_samples) = NULL;
	static const struct kc_filter everybody;
	struct kc_failure failure;
	unsigned int refused;
	int err;

	if (kc_samples_new(kernel, &everybody, KC_SAMPLE_HZ, &failure, &samples)) {
		answer(checkup, EXAM_SAMPLES, false, "%s", failure.text);
		return;
	}
	refused = kc_samples_refused(samples, &err);
	if (refused)
		answer(checkup, EXAM_SAMPLES, false, "not on %u CPUs: %s", refused,
		       kc_strerror(err));
	else
		answer(checkup, EXAM_SAMPLES, true, "started on each CPU, and stopped");
}

/* What forbids a watch to end with status 0, but for what has an exam of its own. */
static void look_at_coverage(struct kc_checkup *checkup, const struct kc_coverage *seen)
{
	struct kc_coverage coverage = *seen;
	struct kc_reason reason;
	char text[sizeof(checkup->exams[0].found)] = "";
	size_t len = 0, n = 0;

	coverage.probes.failed = coverage.probes.dead = 0;
	coverage.sweep.restless = 0; /* in one look a task that ran is none */
	for (; kc_coverage_not_seen(&coverage, n, &reason) && len < sizeof(text); n++)
		len += snprintf(text + len, sizeof(text) - len, "%s%lu %s%s%s", n ? "; " : "",
				reason.count, reason.what, *reason.what ? ": " : "", reason.text);
	answer(checkup, EXAM_WHOLE, !n, "%s", n ? text : "nothing was left out");
}

static void look_at_probes(struct kc_checkup *checkup, const struct kc_engine *engine,
			   struct kc_coverage *coverage)
{
	static const struct kc_filter all;
	struct kc_choices choices kc_auto(kc_choices_free) = {};
	struct kc_attach *attach kc_auto(kc_cleanup_attach) = NULL;
	const struct kc_probe_counts *counts = &coverage->probes;
	struct kc_failure failure;
	bool has_tripwire, has_pulse;
	size_t refused, missing;
	int err = kc_choose(engine->session, &(struct kc_wish){}, &failure, &choices);

	if (!err)
		err = kc_attach_new(
			&(struct kc_attach_options){
				.session = engine->session,
				.choices = &choices,
				.sinks = engine->sinks,
				.filter = &all,
				.sweep = kc_live_sweep(engine->source),
			},
			&failure, &attach);
	if (!err && kc_attach_place(attach))
		err = kc_fail_nomem(&failure);
	if (err) {
		answer(checkup, EXAM_PROBES, false, "%s", failure.text);
		return;
	}
	has_tripwire = kc_attach_has_tripwire(attach);
	has_pulse = kc_attach_has_pulse(attach);
	answer(checkup, EXAM_TRIPWIRE, has_tripwire, "%s",
	       has_tripwire ? "placed, and removed" : "refused: -v says why");
	look_at_gate(checkup, attach);
	kc_attach_check_alive(attach);
	kc_attach_counts(attach, &coverage->probes);
	kc_attach_watch_counts(attach, &coverage->watch);
	coverage->watch.unwalked = kc_overlay_unwalked(engine->session->mem);
	missing = !has_tripwire + !has_pulse;
	refused = counts->failed > missing ? counts->failed - missing : 0;
	answer(checkup, EXAM_PROBES, counts->attached && !refused,
	       "%lu in the %zu functions of a default watch, %zu refused", counts->attached,
	       choices.count, refused);
	if (has_pulse)
		answer(checkup, EXAM_ALIVE, !counts->dead, "a call of our own was %sseen",
		       counts->dead ? "not " : "");
	answer(checkup, EXAM_MISSES, counts->tells_missed, "this kernel %s them",
	       counts->tells_missed ? "counts" : "does not count");
	kc_attach_stop(attach);
}

/* With -v. */
static int say(struct kc_sink *sink, const struct kc_when *when, const char *text)
{
	(void)sink;
	(void)when;
	kc_info("%s", text);
	return 0;
}

static void keep(struct kc_sink *sink)
{
	(void)sink;
}

static void look_with(struct kc_checkup *checkup, struct kc_session *session)
{
	static const struct kc_sink_ops ops = { .notice = say, .free = keep };
	static const struct kc_filter all;
	struct kc_sink sayer = { &ops };
	struct kc_source *source kc_auto(kc_cleanup_source) = NULL;
	struct kc_sinks sinks kc_auto(kc_sinks_free) = {};
	struct kc_desk *desk kc_auto(kc_cleanup_desk) = NULL;
	struct kc_engine engine = { .session = session, .sinks = &sinks };
	struct kc_coverage coverage = {};
	struct kc_failure failure;

	look_at_guards(checkup, session);
	if (kc_live_new(
		    &(struct kc_live_options){
			    .mem = session->mem,
			    .kernel = session->kernel,
			    .modules_hash = session->modules_hash,
		    },
		    &failure, &source)) {
		answer(checkup, EXAM_SWEEP, false, "%s", failure.text);
		return;
	}
	kc_sinks_add(&sinks, &sayer);
	if (kc_desk_new(&all, source, &sinks, &desk)) {
		answer(checkup, EXAM_SWEEP, false, "out of memory");
		return;
	}
	engine.source = source;
	engine.desk = desk;
	look_at_tasks(checkup, &engine, &coverage);
	look_at_probes(checkup, &engine, &coverage);
	look_at_samples(checkup, session->kernel);
	look_at_coverage(checkup, &coverage);
}

void kc_doctor(struct kc_checkup *ret_checkup)
{
	struct kc_session session = {};
	struct kc_failure failure;
	struct utsname name;

	_Static_assert(NR_EXAMS <= KC_MAX_EXAMS, "each has a row");
	*ret_checkup = (struct kc_checkup){ .count = NR_EXAMS };
	for (size_t i = 0; i < NR_EXAMS; i++)
		ret_checkup->exams[i] = (struct kc_exam){
			.what = known[i].what,
			.weight = known[i].weight,
			.without = known[i].without,
			.remedy = known[i].remedy,
			.answer = KC_ANSWER_UNKNOWN,
			.found = "not tried",
		};
	look_at_host(ret_checkup);
	if (kc_session_open(&(struct kc_origin){}, &failure, &session)) {
		answer(ret_checkup, EXAM_KERNEL, false, "%s", failure.text);
		return;
	}
	uname(&name);
	answer(ret_checkup, EXAM_KERNEL, true, "%s: %zu functions, %zu modules", name.release,
	       kc_ksyms_count(session.kernel->ksyms), session.kernel->nr_modules);
	look_with(ret_checkup, &session);
	kc_session_close(&session);
}

enum kc_exit kc_checkup_exit(const struct kc_checkup *checkup)
{
	enum kc_exit status = KC_EXIT_CLEAN;

	for (size_t i = 0; i < checkup->count; i++) {
		const struct kc_exam *exam = &checkup->exams[i];

		if (exam->answer == KC_ANSWER_YES || exam->weight == KC_WEIGHT_ASIDE)
			continue;
		if (exam->weight == KC_WEIGHT_VITAL)
			return KC_EXIT_CANNOT_RUN;
		status = KC_EXIT_BLIND;
	}
	return status;
}

void kc_checkup_sentence(const struct kc_checkup *checkup, char *text, size_t size)
{
	static const char *const begins[] = {
		[KC_EXIT_CLEAN] = "This host can be watched",
		[KC_EXIT_BLIND] = "This host can be watched, but not completely",
		[KC_EXIT_CANNOT_RUN] = "This host can't be watched",
	};
	enum kc_exit status = kc_checkup_exit(checkup);
	size_t len = snprintf(text, size, "%s", begins[status]);
	const char *comma = ": ";

	for (size_t i = 0; i < checkup->count && len < size; i++) {
		const struct kc_exam *exam = &checkup->exams[i];

		if (exam->answer == KC_ANSWER_YES || exam->weight == KC_WEIGHT_ASIDE ||
		    (status == KC_EXIT_CANNOT_RUN && exam->weight != KC_WEIGHT_VITAL))
			continue;
		/* The first vital one is why the others could not be tried. */
		len += snprintf(text + len, size - len, "%s%s", comma,
				status == KC_EXIT_CANNOT_RUN ? exam->found : exam->without);
		comma = "; ";
		if (status == KC_EXIT_CANNOT_RUN)
			break;
	}
	if (len < size)
		snprintf(text + len, size - len, ".");
}
