// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/probing.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/lookers.h"
#include "kernel/overlay.h"
#include "report/views.h"
#include "util/array.h"
#include "verdict/event.h"

/* Detaching that takes longer is announced. */
#define LONG_DETACH 2.0 /* seconds */

struct attached {
	char name[128], instead_of[128];
	struct kc_points entry, checks, returns;
	char module[64]; /* "": vmlinux */
	uint64_t module_id;
	bool gone;
};

struct kc_probing {
	struct kc_probing_options options;
	struct kc_session *session;
	struct kc_report *report;
	struct kc_told *told;
	struct kc_probes *probes;
	struct attached *functions;
	size_t nr_functions;
	struct kc_points tripwire;
	size_t failed, gone; /* points */
	int kmsg;	     /* -1: none */
	struct kc_lookers *lookers;
	bool stopped;
	pthread_mutex_t lock; /* of the ring buffer and what follows, but for the disk */
	uint64_t findings, repeated, unproven;
	volatile bool output_failed;
	struct kc_depths depths;
	struct kc_function_depth *function_depths;
	struct kc_deep_thread deep_threads[KC_DEEP_THREADS];
};

static bool is_filtered(const struct kc_filter *filter, const struct kc_finding *finding)
{
	const struct kc_record *task = &finding->task;

	if (finding->anomaly == KC_ANOMALY_PANIC)
		return false;
	if (filter->tid && filter->tid != task->tid)
		return true;
	if (filter->comm && strncmp(filter->comm, task->comm, KC_COMM_LEN - 1) &&
	    strncmp(filter->comm, task->leader_comm, KC_COMM_LEN - 1))
		return true;
	return filter->cgroup && !kc_process_in_cgroup(&finding->process, filter->cgroup);
}

static void write_kmsg(const struct kc_probing *probing, const struct kc_kernel *kernel,
		       const struct kc_finding *finding)
{
	const struct kc_frame *frame = &finding->checked->frames[finding->frame].frame;
	char line[320], place[160];
	int len;

	if (probing->kmsg < 0)
		return;
	len = snprintf(line, sizeof(line), "<1>kcanary: %s (%s) in %s, thread %u of process %u\n",
		       kc_class_name(finding->verdict.class), kc_anomaly_name(finding->anomaly),
		       kc_place_text(kernel, frame->pc, place), finding->task.tid,
		       finding->task.pid);
	if (write(probing->kmsg, line, len) < 0)
		kc_debug("/dev/kmsg: %s", kc_strerror(errno));
}

/* True if a finding was written that is not yet on the disk. */
static bool report(struct kc_probing *probing, const struct kc_event *event,
		   struct kc_finding *finding)
{
	const struct kc_kernel *kernel = probing->session->kernel;
	const struct kc_record *task = &finding->task;
	struct kc_told_what what = { finding->anomaly, finding->damage.slot ?: task->sp };

	if (kc_told_has(probing->told, task, what, false)) {
		probing->repeated++;
		return false;
	}
	kc_process_read(task->pid, task->tid, task->start_ns, false, &finding->process);
	finding->process.in_syscall = event->syscall >= 0;
	finding->process.syscall_nr = event->syscall;
	finding->process.syscall_name = kc_syscall_name(event->syscall);
	memcpy(finding->process.args, event->args, sizeof(event->args));
	if (probing->options.filter.cgroup && !finding->process.cgroup[0] &&
	    finding->anomaly != KC_ANOMALY_PANIC) {
		probing->unproven++; /* gone already: nobody knows whose it was */
		return false;
	}
	if (is_filtered(&probing->options.filter, finding))
		return false;
	kc_judge(finding, kc_told_others(probing->told, task->tid));
	if (kc_told_add(probing->told, task, what, &finding->seq)) {
		probing->repeated++;
		return false;
	}
	probing->findings++;
	/* First what needs no disk: its interrupts may be those of the CPU that is held. */
	write_kmsg(probing, kernel, finding);
	if (kc_report_finding(probing->report, kernel, finding))
		probing->output_failed = true;
	return true;
}

/* What is left to do when the lock has been let go. */
struct unfinished {
	struct kc_probing *probing;
	bool unsynced;
	struct kc_event held; /* without its stack; by its flags: is a CPU waiting? */
};

static bool on_event(const struct kc_event *event, void *arg)
{
	struct unfinished *unfinished = arg;
	struct kc_probing *probing = unfinished->probing;
	struct kc_session *session = probing->session;
	struct kc_checked_stack checked;
	struct kc_finding finding;

	pthread_mutex_lock(&session->lock);
	if (kc_event_prove(session->kernel, session->plans, event, &checked, &finding))
		unfinished->unsynced = report(probing, event, &finding);
	else
		probing->unproven++;
	pthread_mutex_unlock(&session->lock);
	unfinished->held = *event;
	return unfinished->unsynced || event->flags & KC_EVENT_HELD;
}

/*
 * The disk is waited for without a lock: who waits may be on the CPU that is held for
 * the next event, and that one is then the other thread's.
 */
static bool look(void *arg)
{
	struct kc_probing *probing = arg;
	int more;

	do {
		struct unfinished unfinished = { .probing = probing };

		if (pthread_mutex_trylock(&probing->lock))
			return false;
		more = kc_probes_consume(probing->probes, on_event, &unfinished);
		if (more < 0)
			probing->unproven++; /* it made no sense: lost, and told */
		pthread_mutex_unlock(&probing->lock);
		if (unfinished.unsynced && kc_report_sync(probing->report))
			probing->output_failed = true;
		kc_probes_release(probing->probes, &unfinished.held);
	} while (more > 0);
	return true;
}

static void note_failure(struct kc_probing *probing, const char *name, const char *what, int err)
{
	char text[320];

	probing->failed++;
	snprintf(text, sizeof(text), "not probed: %s of %s: %s", what, name,
		 err == -EINVAL ? "the kernel allows no probe there" : kc_strerror(err));
	kc_report_notice(probing->report, text);
}

/* The text as it is now, under all that attach() will patch. */
static void keep_text(struct kc_session *session, const struct kc_choice *choice)
{
	if (choice->refused)
		return;
	kc_overlay_keep(session->mem, choice->plan->sym->addr);
	kc_overlay_keep(session->mem, choice->plan->sym->addr + 4); /* behind an endbr64 */
	for (size_t i = 0; i < choice->plan->nr_checks; i++)
		if (choice->plan->checks[i].load)
			kc_overlay_keep(session->mem, choice->plan->checks[i].load);
	for (size_t i = 0; i < choice->nr_returns; i++)
		kc_overlay_keep(session->mem, choice->returns[i]);
}

/* Which loading of a module this is: sysfs numbers its folders anew. 0: not loaded. */
static uint64_t read_module_id(const char *module)
{
	char path[96];
	struct stat status;

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return stat(path, &status) ? 0 : status.st_ino;
}

static void name_function(struct attached *attached, const struct kc_choice *choice,
			  const struct kc_ksyms *ksyms)
{
	const char *module = choice->refused ? NULL : kc_sym_module(ksyms, choice->plan->sym);

	memcpy(attached->name, choice->name, sizeof(attached->name));
	memcpy(attached->instead_of, choice->instead_of, sizeof(attached->instead_of));
	if (!module)
		return;
	snprintf(attached->module, sizeof(attached->module), "%s", module);
	attached->module_id = read_module_id(module);
}

static void note_refusal(struct kc_probing *probing, const struct kc_choice *choice)
{
	char text[320];

	snprintf(text, sizeof(text), "not probed: %s: %s", choice->name, choice->refused);
	kc_report_notice(probing->report, text);
	probing->failed++;
}

static void attach_checks(struct kc_probing *probing, const struct kc_choice *choice,
			  struct attached *attached)
{
	int err = kc_probes_checks(probing->probes, choice->plan, &attached->checks);

	if (err)
		note_failure(probing, choice->name, "a check", err);
}

/* False: not at all of them. */
static bool attach_returns(struct kc_probing *probing, const struct kc_choice *choice,
			   uint32_t depth)
{
	struct attached *attached = &probing->functions[depth];
	bool all = choice->nr_returns > 0;
	char text[320];

	for (size_t i = 0; i < choice->nr_returns; i++) {
		struct kc_points one;
		int err = kc_probes_return(probing->probes, choice->returns[i], depth, &one);

		if (err) {
			note_failure(probing, choice->name, "a return", err);
			all = false;
			continue;
		}
		if (!attached->returns.count)
			attached->returns = one;
		else
			attached->returns.count++;
	}
	if (choice->plan->reason == KC_PLAN_UNGUARDED && !choice->all_returns) {
		snprintf(text, sizeof(text),
			 "%s may return in other ways than the %zu probed: there are more, or "
			 "indirect jumps",
			 choice->name, choice->nr_returns);
		kc_report_notice(probing->report, text);
	}
	return all;
}

static void attach_entries(struct kc_probing *probing, struct kc_entry *entries, size_t count,
			   bool one_link)
{
	kc_probes_entries(probing->probes, entries, count, one_link);
	for (size_t i = 0; i < count; i++) {
		struct attached *attached = &probing->functions[entries[i].depth];

		attached->entry = entries[i].points;
		if (entries[i].err)
			note_failure(probing, attached->name, "the entry", entries[i].err);
	}
}

/*
 * Checks first, then returns, then entries: between the first return and the last entry,
 * calls return that nobody saw enter.
 */
static int attach_all(struct kc_probing *probing, const struct kc_choices *choices)
{
	kc_auto_free struct kc_entry *entries = calloc(choices->count, sizeof(*entries));
	size_t count = 0;		/* the kernel's, from the front */
	size_t module = choices->count; /* those of modules, from the end */

	if (!entries && choices->count)
		return -ENOMEM;
	for (size_t i = 0; i < choices->count; i++) {
		const struct kc_choice *choice = &choices->choices[i];

		name_function(&probing->functions[i], choice, probing->session->kernel->ksyms);
		if (choice->refused)
			note_refusal(probing, choice);
		else if (choice->plan->reason == KC_PLAN_OK)
			attach_checks(probing, choice, &probing->functions[i]);
	}
	for (size_t i = 0; i < choices->count; i++) {
		const struct kc_choice *choice = &choices->choices[i];

		if (!choice->refused)
			entries[*probing->functions[i].module ? --module : count++] =
				(struct kc_entry){
					.addr = choice->plan->sym->addr,
					.depth = i,
					.match = attach_returns(probing, choice, i),
				};
	}
	attach_entries(probing, entries, count, true);
	attach_entries(probing, entries + module, choices->count - module, false);
	return 0;
}

/*
 * Go through the motions of a finding once: code, tables and plans are then where
 * they are needed while a CPU is held.
 */
static void rehearse(struct kc_probing *probing, const struct kc_choices *choices)
{
	static const uint64_t words[64];
	struct kc_session *session = probing->session;
	struct kc_stack stack = { 0x1000, 0x1000 + sizeof(words), words };

	for (size_t i = 0; i < choices->count; i++) {
		const struct kc_plan *plan = choices->choices[i].plan;
		struct kc_frame from = { .sp = stack.sp, .exact = true };
		struct kc_checked_stack checked;
		struct kc_finding finding = {
			.engine = "probe",
			.running = true,
			.stack = stack,
			.checked = &checked,
		};

		if (choices->choices[i].refused)
			continue;
		from.pc = plan->nr_checks ? plan->checks[0].load : plan->sym->addr;
		kc_check_stack(session->kernel, session->plans, &stack, &from, &checked);
		if (!checked.count)
			continue;
		kc_process_read(getpid(), getpid(), 0, false, &finding.process);
		kc_judge(&finding, 0);
		kc_report_rehearse(probing->report, session->kernel, &finding);
	}
}

/* panic() on every kernel; where it only hands on to vpanic(), both go through it. */
static void attach_tripwire(struct kc_probing *probing)
{
	const struct kc_sym *sym;
	int err = -ENOENT;

	if (kc_ksyms_by_name(probing->session->kernel->ksyms, "panic", &sym, 1) >= 1)
		err = kc_probes_panic(probing->probes, sym->addr, &probing->tripwire);
	if (err)
		note_failure(probing, "panic", "the entry", err);
}

enum kc_exit kc_probing_new(const struct kc_probing_options *options,
			    const struct kc_choices *choices, struct kc_session *session,
			    struct kc_report *report, struct kc_told *told,
			    struct kc_probing **ret_probing)
{
	struct kc_probing *probing kc_auto(kc_cleanup_probing) = calloc(1, sizeof(*probing));
	char reason[160];

	if (!probing)
		return KC_EXIT_FAILED;
	probing->options = *options;
	probing->session = session;
	probing->report = report;
	probing->told = told;
	pthread_mutex_init(&probing->lock, NULL);
	probing->kmsg = options->kmsg ? open("/dev/kmsg", O_WRONLY | O_CLOEXEC) : -1;
	if (!kc_lookers_are_possible()) {
		kc_debug("one CPU: it is not held, nobody could write meanwhile");
		probing->options.hold_off = 0;
	}
	probing->functions = calloc(choices->count + 1, sizeof(*probing->functions));
	if (!probing->functions)
		return KC_EXIT_FAILED;
	probing->nr_functions = choices->count;
	probing->function_depths = calloc(choices->count + 1, sizeof(*probing->function_depths));
	if (!probing->function_depths)
		return KC_EXIT_FAILED;
	if (kc_probes_new(
		    &(struct kc_probe_options){
			    .kernel = session->kernel,
			    .pid = options->filter.pid,
			    .headroom = options->headroom,
		    },
		    reason, &probing->probes)) {
		kc_error("%s", reason);
		return KC_EXIT_CANNOT_RUN;
	}
	if (!kc_probes_compare_guard(probing->probes))
		kc_report_notice(report, "this kernel's per-CPU guards can't be found: slots are "
					 "compared with the task's canary alone");
	for (size_t i = 0; i < choices->count; i++)
		keep_text(session, &choices->choices[i]);
	attach_tripwire(probing);
	if (attach_all(probing, choices))
		return KC_EXIT_FAILED;
	rehearse(probing, choices);
	if (kc_lookers_start(
		    &(struct kc_looking){
			    .fd = kc_probes_fd(probing->probes),
			    .hold_off = probing->options.hold_off,
			    .look = look,
			    .arg = probing,
		    },
		    &probing->lookers)) {
		kc_error("cannot start a thread");
		return KC_EXIT_FAILED;
	}
	kc_probes_hold(probing->probes, probing->options.hold_off * 1000000ULL);
	*ret_probing = kc_take(probing);
	return KC_EXIT_CLEAN;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* The first one tells how long the others will take. */
static void detach(struct kc_probes *probes)
{
	double start = now(), each;
	size_t left = kc_probes_detach(probes, 1);

	each = now() - start;
	if (left * each > LONG_DETACH)
		kc_info("removing the probes; the kernel will take some %.0f s for it",
			left * each);
	kc_probes_detach(probes, left);
}

void kc_probing_stop(struct kc_probing *probing)
{
	if (probing->stopped)
		return;
	probing->stopped = true;
	if (probing->probes) {
		kc_probes_hold(probing->probes, 0);
		detach(probing->probes);
	}
	kc_lookers_free(probing->lookers);
	if (probing->probes)
		look(probing);
}

void kc_probing_free(struct kc_probing *probing)
{
	if (!probing)
		return;
	kc_probing_stop(probing);
	kc_probes_free(probing->probes);
	if (probing->kmsg >= 0)
		close(probing->kmsg);
	free(probing->function_depths);
	free(probing->functions);
	free(probing);
}

static size_t count_points(const struct attached *attached)
{
	return attached->entry.count + attached->checks.count + attached->returns.count;
}

size_t kc_probing_probed(const struct kc_probing *probing, struct kc_probed *ret_probed)
{
	size_t count = 0;

	for (size_t i = 0; i < probing->nr_functions; i++) {
		const struct attached *attached = &probing->functions[i];

		if (count_points(attached))
			ret_probed[count++] = (struct kc_probed){
				.function = attached->name,
				.instead_of = attached->instead_of,
				.checks = attached->checks.count,
				.returns = attached->returns.count,
			};
	}
	return count;
}

bool kc_probing_has_tripwire(const struct kc_probing *probing)
{
	return probing->tripwire.count;
}

int kc_probing_check_modules(struct kc_probing *probing)
{
	char text[320];
	int err = 0;

	for (size_t i = 0; !err && i < probing->nr_functions; i++) {
		struct attached *attached = &probing->functions[i];

		if (!*attached->module || attached->gone || !count_points(attached) ||
		    read_module_id(attached->module) == attached->module_id)
			continue;
		attached->gone = true;
		probing->gone += count_points(attached);
		snprintf(text, sizeof(text), "no longer probed: %s: its module was unloaded",
			 attached->name);
		err = kc_report_notice(probing->report, text);
	}
	return err;
}

void kc_probing_stats(struct kc_probing *probing, struct kc_probe_stats *ret_stats)
{
	struct kc_probes *probes = probing->probes;
	struct kc_probe_stats stats = {
		.attached = kc_probes_attached(probes) - probing->gone,
		.failed = probing->failed + probing->gone,
		.lost = kc_probes_lost(probes),
		.findings = probing->findings,
		.repeated = probing->repeated,
		.unproven = probing->unproven,
	};
	struct kc_point_count count;

	stats.tells_missed = kc_probes_missed(probes, &stats.missed);
	for (size_t i = 0; i < probing->nr_functions; i++) {
		const struct attached *at = &probing->functions[i];
		const struct kc_points kinds[] = { at->entry, at->checks, at->returns };
		uint64_t *hits[] = { &stats.entries, &stats.comparisons, &stats.returns };
		struct kc_depth depth;

		for (size_t kind = 0; kind < kc_countof(kinds); kind++) {
			if (kc_probes_count(probes, kinds[kind], &count))
				continue;
			*hits[kind] += count.hits;
			stats.unreadable += count.unreadable;
			stats.unmatched += count.unmatched;
			stats.other_stack += count.other_stack;
		}
		if (!kc_probes_depth(probes, i, &depth) && depth.max > stats.max_depth) {
			stats.max_depth = depth.max;
			memcpy(stats.deepest, at->name, sizeof(stats.deepest));
		}
	}
	*ret_stats = stats;
}

static int by_depth(const void *a, const void *b)
{
	const struct kc_thread_depth *x = a, *y = b;

	return x->max > y->max ? -1 : x->max < y->max;
}

/* Threads that the kernel side remembers at most. */
#define MAX_THREADS (1 << 14)

static size_t deepest_threads(struct kc_probing *probing)
{
	kc_auto_free struct kc_thread_depth *threads = calloc(MAX_THREADS, sizeof(*threads));
	size_t count = threads ? kc_probes_threads(probing->probes, threads, MAX_THREADS) : 0;

	if (count)
		qsort(threads, count, sizeof(*threads), by_depth);
	if (count > KC_DEEP_THREADS)
		count = KC_DEEP_THREADS;
	for (size_t i = 0; i < count; i++)
		probing->deep_threads[i] = (struct kc_deep_thread){
			.tid = threads[i].tid,
			.depth = threads[i].max,
			.function = threads[i].depth < probing->nr_functions
					    ? probing->functions[threads[i].depth].name
					    : "",
		};
	return count;
}

const struct kc_depths *kc_probing_depths(struct kc_probing *probing)
{
	size_t count = 0;

	for (size_t i = 0; i < probing->nr_functions; i++) {
		struct kc_function_depth *depth = &probing->function_depths[count];

		if (!probing->functions[i].entry.count)
			continue;
		depth->function = probing->functions[i].name;
		kc_probes_depth(probing->probes, i, &depth->depth);
		count++;
	}
	probing->depths = (struct kc_depths){
		.functions = probing->function_depths,
		.nr_functions = count,
		.threads = probing->deep_threads,
		.nr_threads = deepest_threads(probing),
	};
	return &probing->depths;
}

bool kc_probing_output_failed(const struct kc_probing *probing)
{
	return probing->output_failed;
}
