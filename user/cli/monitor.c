// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/monitor.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "probe/cgroup.h"
#include "report/views.h"
#include "util/array.h"

/* One sleep of one thread. */
struct sleep_id {
	uint32_t tid;
	uint64_t start_ns;
	uint64_t switches;
	uint64_t sp;
};

struct kc_monitor {
	struct kc_session *session;
	struct kc_sweep *sweep;
	struct kc_report *report;
	const char *cgroup;  /* the filter's, or NULL */
	struct kc_pass pass; /* the last one over all tasks */
	struct kc_stats stats;
	struct timespec started;
	struct sleep_id *suspects;
	size_t nr_suspects, suspects_capacity;
	struct kc_told *told;
	unsigned int failed_reloads; /* in a row */
	bool output_failed;
	kc_checked_fn on_checked;
	void *on_checked_arg;
};

/*
 * What the confirming passes over one suspect found: a copy, a comparison of its
 * damaged slots in the kernel, and, for what is no slot, another copy.
 */
struct confirmation {
	struct kc_monitor *monitor;
	struct sleep_id sleep;
	bool copied;
	struct kc_record record;
	uint64_t words[KC_STACK_WORDS];
	struct kc_checked_stack checked;
	size_t nr_damage;
	struct kc_damage damage[KC_TASK_SLOTS];
	bool same_return, same_end; /* in the second copy */
};

static struct sleep_id sleep_of(const struct kc_record *record)
{
	return (struct sleep_id){ record->tid, record->start_ns, record->switches, record->sp };
}

static bool same_sleep(const struct sleep_id *a, const struct sleep_id *b)
{
	return a->tid == b->tid && a->start_ns == b->start_ns && a->switches == b->switches &&
	       a->sp == b->sp;
}

/* The cgroup that the path names now. Before the first pass its absence is worth a word. */
static int find_cgroup(struct kc_monitor *monitor)
{
	uint64_t id = 0;
	int err;

	if (!monitor->cgroup)
		return 0;
	err = kc_cgroup_id(monitor->cgroup, &id);
	kc_sweep_set_cgroup(monitor->sweep, id);
	return err;
}

enum kc_exit kc_monitor_new(const struct kc_monitor_options *options, struct kc_session *session,
			    struct kc_report *report, struct kc_told *told,
			    struct kc_monitor **ret_monitor)
{
	struct kc_monitor *monitor kc_auto(kc_cleanup_monitor) = calloc(1, sizeof(*monitor));
	struct kc_sweep_options sweep = {
		.filter = options->filter,
		.high_water = options->high_water,
		.thread_size = session->kernel->thread_size,
		.text = session->kernel->text,
		.text_end = session->kernel->text_end,
	};
	char reason[160];

	if (!monitor) {
		kc_error("out of memory");
		return KC_EXIT_FAILED;
	}
	monitor->session = session;
	monitor->report = report;
	monitor->told = told;
	monitor->cgroup = options->filter.cgroup;
	clock_gettime(CLOCK_MONOTONIC, &monitor->started);
	if (kc_sweep_new(&sweep, reason, &monitor->sweep)) {
		kc_error("%s", reason);
		return KC_EXIT_CANNOT_RUN;
	}
	if (find_cgroup(monitor) == -ENOTSUP) {
		kc_error("no unified cgroup hierarchy (cgroup2) is mounted here: -c can't be used");
		return KC_EXIT_CANNOT_RUN;
	}
	*ret_monitor = kc_take(monitor);
	return KC_EXIT_CLEAN;
}

void kc_monitor_free(struct kc_monitor *monitor)
{
	if (!monitor)
		return;
	kc_sweep_free(monitor->sweep);
	free(monitor->suspects);
	free(monitor);
}

static int suspect(struct kc_monitor *monitor, const struct kc_record *record)
{
	int err = kc_grow(monitor->suspects, monitor->suspects_capacity, monitor->nr_suspects + 1);

	if (!err)
		monitor->suspects[monitor->nr_suspects++] = sleep_of(record);
	return err;
}

static void count_stack(struct kc_stats *stats, const struct kc_checked_stack *checked)
{
	stats->frames_verified += checked->intact;
	for (size_t i = 0; i < KC_BLIND_NR; i++)
		stats->blind[i] += checked->blind[i];
	if (checked->end != KC_UNWIND_COMPLETE)
		stats->unwind_ends[checked->end]++;
	for (size_t i = 0; i < checked->count; i++) {
		const struct kc_checked_frame *frame = &checked->frames[i];

		if (frame->status == KC_CHECK_UNKNOWN && frame->blind == KC_BLIND_NO_PLAN)
			stats->plan_blind[frame->plan->reason]++;
	}
}

static struct kc_stack stack_of(const struct kc_record *record)
{
	return (struct kc_stack){ record->sp, record->top, (const uint64_t *)(record + 1) };
}

static void check_record(struct kc_monitor *monitor, const struct kc_record *record,
			 struct kc_checked_stack *ret_checked)
{
	struct kc_stack stack = stack_of(record);

	kc_check_stack(monitor->session->kernel, monitor->session->plans, &stack, NULL,
		       ret_checked);
}

/* Where on the stack the return addresses lie that were followed; how many. */
static size_t find_returns(const struct kc_kernel *kernel, const struct kc_record *record,
			   const struct kc_checked_stack *checked, uint64_t returns[KC_MAX_FRAMES])
{
	size_t count = 0;

	for (size_t i = 0; i < checked->count; i++)
		if (!checked->frames[i].frame.exact)
			returns[count++] = i ? checked->frames[i - 1].frame.cfa - 8
					     : record->sp + kernel->inactive.ret_addr;
	return count;
}

/*
 * Hand what must not change to the kernel side: slots, damaged or not, and return
 * addresses. A stack that could not be checked in full is not cached, so that its
 * blind spots are counted in every pass.
 */
static void cache_sleep(struct kc_monitor *monitor, const struct kc_record *record,
			const struct kc_checked_stack *checked)
{
	uint64_t slots[KC_MAX_FRAMES], returns[KC_MAX_FRAMES];
	struct kc_sleep_facts facts = { .slots = slots, .returns = returns };
	struct kc_stack stack = stack_of(record);

	for (size_t i = 0; i < KC_BLIND_NR; i++)
		if (checked->blind[i])
			return;
	for (size_t i = 0; i < checked->count; i++)
		if (checked->frames[i].status == KC_CHECK_DAMAGED ||
		    checked->frames[i].status == KC_CHECK_INTACT)
			slots[facts.nr_slots++] = checked->frames[i].slot;
	facts.nr_returns = find_returns(monitor->session->kernel, record, checked, returns);
	for (size_t i = 0; i < facts.nr_returns; i++) {
		uint64_t word;

		if (!kc_stack_word(&stack, returns[i], &word))
			return;
		facts.returns_hash = kc_hash_word(facts.returns_hash, word);
	}
	if (kc_sweep_cache(monitor->sweep, record, &facts))
		monitor->stats.uncached++;
}

/* For a confirmation: the damaged slots only. */
static void cache_damaged(struct kc_monitor *monitor, const struct kc_record *record,
			  const struct kc_checked_stack *checked)
{
	uint64_t slots[KC_MAX_FRAMES];
	struct kc_sleep_facts facts = { .slots = slots };

	for (size_t i = 0; i < checked->count && facts.nr_slots < KC_TASK_SLOTS; i++)
		if (checked->frames[i].status == KC_CHECK_DAMAGED)
			slots[facts.nr_slots++] = checked->frames[i].slot;
	if (kc_sweep_cache(monitor->sweep, record, &facts))
		monitor->stats.uncached++;
}

static bool is_reported(const struct kc_monitor *monitor, const struct kc_record *record,
			enum kc_anomaly anomaly, uint64_t addr)
{
	return kc_told_has(monitor->told, record, (struct kc_told_what){ anomaly, addr }, true);
}

static uint64_t stack_end(const struct kc_monitor *monitor, const struct kc_record *record)
{
	return record->top - monitor->session->kernel->thread_size;
}

/* Has the end of this stack been overwritten, and was that not told yet? */
static bool end_is_news(const struct kc_monitor *monitor, const struct kc_record *record)
{
	return record->flags & KC_RECORD_END_GONE &&
	       !is_reported(monitor, record, KC_ANOMALY_STACK_END, stack_end(monitor, record));
}

static bool return_is_news(const struct kc_monitor *monitor, const struct kc_record *record,
			   const struct kc_checked_stack *checked)
{
	return checked->bad_return &&
	       !is_reported(monitor, record, KC_ANOMALY_RETURN, checked->return_slot);
}

/* Damage is told once for each slot and sleep, then counted. */
static int on_damage(struct kc_monitor *monitor, const struct kc_record *record)
{
	const struct kc_damage *damage = (const struct kc_damage *)(record + 1);

	for (size_t i = 0; i < record->count; i++)
		if (damage[i].changed_bytes &&
		    !is_reported(monitor, record, KC_ANOMALY_SLOT, damage[i].slot))
			return suspect(monitor, record);
	if (end_is_news(monitor, record))
		return suspect(monitor, record);
	monitor->stats.repeated++;
	return 0;
}

/* With -v: where exactly a stack could not be followed or a frame not verified. */
static void explain_blind(const struct kc_monitor *monitor, const struct kc_record *record,
			  const struct kc_checked_stack *checked)
{
	const struct kc_kernel *kernel = monitor->session->kernel;
	char place[160];

	if (kc_log_get_level() < KC_LOG_DEBUG)
		return;
	for (size_t i = 0; i < checked->count; i++)
		if (checked->frames[i].status == KC_CHECK_UNKNOWN)
			kc_debug("tid %u, frame %zu, %s: %s", record->tid, i,
				 kc_place_text(kernel, checked->frames[i].frame.pc, place),
				 kc_blind_text(checked->frames[i].blind));
	if (checked->end != KC_UNWIND_COMPLETE)
		kc_debug("tid %u, unwinding ended after %zu frames, the last at %s: %s",
			 record->tid, checked->count,
			 checked->count
				 ? kc_place_text(kernel,
						 checked->frames[checked->count - 1].frame.pc,
						 place)
				 : "none",
			 kc_unwind_end_text(checked->end));
}

static int on_record(const struct kc_record *record, void *arg)
{
	struct kc_monitor *monitor = arg;
	struct kc_checked_stack checked;

	if (record->kind == KC_RECORD_DAMAGE)
		return on_damage(monitor, record);
	check_record(monitor, record, &checked);
	count_stack(&monitor->stats, &checked);
	explain_blind(monitor, record, &checked);
	cache_sleep(monitor, record, &checked);
	if (monitor->on_checked) {
		int err = monitor->on_checked(record, &checked, monitor->on_checked_arg);

		if (err)
			return err;
	}
	if (return_is_news(monitor, record, &checked) || end_is_news(monitor, record))
		return suspect(monitor, record);
	for (size_t i = 0; i < checked.count; i++)
		if (checked.frames[i].status == KC_CHECK_DAMAGED &&
		    !is_reported(monitor, record, KC_ANOMALY_SLOT, checked.frames[i].slot))
			return suspect(monitor, record);
	return 0;
}

static void take_copy(struct confirmation *confirmation, const struct kc_record *record)
{
	confirmation->record = *record;
	memcpy(confirmation->words, record + 1, record->count * sizeof(uint64_t));
	check_record(confirmation->monitor, record, &confirmation->checked);
	confirmation->copied = true;
}

static void compare_copies(struct confirmation *confirmation, const struct kc_record *record)
{
	const struct kc_checked_stack *first = &confirmation->checked;
	struct kc_checked_stack again;

	check_record(confirmation->monitor, record, &again);
	confirmation->same_return = first->bad_return && again.bad_return &&
				    first->return_slot == again.return_slot &&
				    first->return_found == again.return_found;
	confirmation->same_end = confirmation->record.flags & record->flags & KC_RECORD_END_GONE;
}

static int on_confirming_record(const struct kc_record *record, void *arg)
{
	struct confirmation *confirmation = arg;
	struct sleep_id sleep = sleep_of(record);

	if (!same_sleep(&sleep, &confirmation->sleep))
		return 0;
	if (record->kind == KC_RECORD_STACK && record->count <= KC_STACK_WORDS) {
		if (confirmation->copied)
			compare_copies(confirmation, record);
		else
			take_copy(confirmation, record);
	} else if (record->kind == KC_RECORD_DAMAGE && record->count <= KC_TASK_SLOTS) {
		memcpy(confirmation->damage, record + 1, record->count * sizeof(struct kc_damage));
		confirmation->nr_damage = record->count;
	}
	return 0;
}

static const struct kc_damage *damage_of(const struct confirmation *confirmation, uint64_t slot)
{
	for (size_t i = 0; i < confirmation->nr_damage; i++)
		if (confirmation->damage[i].slot == slot && confirmation->damage[i].changed_bytes)
			return &confirmation->damage[i];
	return NULL;
}

/* Tell of one anomaly at addr; of a frame's slot, with what was found there. */
static int report(struct kc_monitor *monitor, const struct confirmation *confirmation,
		  enum kc_anomaly anomaly, size_t frame, uint64_t addr,
		  const struct kc_damage *damage)
{
	struct kc_finding finding = {
		.boot_ns = confirmation->record.boot_ns,
		.engine = "sweep",
		.task = confirmation->record,
		.anomaly = anomaly,
		.damage = damage ? *damage : (struct kc_damage){},
		.stack = {
			.sp = confirmation->record.sp,
			.top = confirmation->record.top,
			.words = confirmation->words,
		},
		.checked = &confirmation->checked,
		.frame = frame,
	};
	int err;

	if (is_reported(monitor, &confirmation->record, anomaly, addr))
		return 0;
	clock_gettime(CLOCK_REALTIME, &finding.time);
	kc_process_read(finding.task.pid, finding.task.tid, finding.task.start_ns, true,
			&finding.process);
	kc_judge(&finding, kc_told_others(monitor->told, finding.task.tid));
	err = kc_told_add(monitor->told, &confirmation->record,
			  (struct kc_told_what){ anomaly, addr }, &finding.seq);
	if (err) {
		monitor->stats.repeated++;
		return err == -ENOSPC ? 0 : err;
	}
	monitor->stats.findings++;
	err = kc_report_finding(monitor->report, monitor->session->kernel, &finding)
		      ?: kc_report_sync(monitor->report);
	monitor->output_failed |= err != 0;
	return err;
}

/* Report what the passes agree on; how many anomalies were proved, or -errno. */
static int report_proven(struct kc_monitor *monitor, const struct confirmation *confirmation)
{
	const struct kc_checked_stack *checked = &confirmation->checked;
	int proven = 0, err = 0;

	for (size_t i = 0; !err && i < checked->count; i++) {
		const struct kc_checked_frame *frame = &checked->frames[i];
		const struct kc_damage *damage = damage_of(confirmation, frame->slot);

		if (frame->status != KC_CHECK_DAMAGED || !damage)
			continue;
		proven++;
		err = report(monitor, confirmation, KC_ANOMALY_SLOT, i, frame->slot, damage);
	}
	if (!err && confirmation->same_return) {
		proven++;
		err = report(monitor, confirmation, KC_ANOMALY_RETURN, checked->count - 1,
			     checked->return_slot, NULL);
	}
	if (!err && confirmation->same_end && checked->count) {
		proven++;
		err = report(monitor, confirmation, KC_ANOMALY_STACK_END, 0,
			     stack_end(monitor, &confirmation->record), NULL);
	}
	return err ?: proven;
}

/* The passes that struct confirmation is about, each over this one thread. */
static int look_again(struct kc_monitor *monitor, struct confirmation *confirmation)
{
	uint32_t tid = confirmation->sleep.tid;
	struct kc_pass pass;
	int err;

	kc_sweep_uncache(monitor->sweep, tid);
	err = kc_sweep_pass(monitor->sweep, tid, on_confirming_record, confirmation, &pass);
	if (!err && confirmation->copied && confirmation->checked.damaged) {
		cache_damaged(monitor, &confirmation->record, &confirmation->checked);
		err = kc_sweep_pass(monitor->sweep, tid, on_confirming_record, confirmation, &pass);
		/* The next pass looks at all of this stack's slots again. */
		kc_sweep_uncache(monitor->sweep, tid);
	}
	if (!err && confirmation->copied &&
	    (confirmation->checked.bad_return || confirmation->record.flags & KC_RECORD_END_GONE))
		err = kc_sweep_pass(monitor->sweep, tid, on_confirming_record, confirmation, &pass);
	return err;
}

static int confirm(struct kc_monitor *monitor, const struct sleep_id *sleep)
{
	kc_auto_free struct confirmation *confirmation = calloc(1, sizeof(*confirmation));
	int err;

	if (!confirmation)
		return -ENOMEM;
	confirmation->monitor = monitor;
	confirmation->sleep = *sleep;
	err = look_again(monitor, confirmation);
	/* Code that moved while we looked makes our own slots doubtful. */
	if (!err && !kc_session_is_stale(monitor->session))
		err = report_proven(monitor, confirmation);
	if (err < 0)
		return err;
	if (!err)
		monitor->stats.unproven++;
	return 0;
}

static int confirm_suspects(struct kc_monitor *monitor)
{
	int err = 0;

	for (size_t i = 0; !err && i < monitor->nr_suspects; i++)
		err = confirm(monitor, &monitor->suspects[i]);
	monitor->nr_suspects = 0;
	return err;
}

/* Reloads that may fail in a row before it is worth a warning: modules take time to load. */
#define PATIENCE 5

/*
 * Modules came or went: symbols, tables and plans may have, and what the kernel
 * side was told of them. If they can't be read just now the old ones serve for
 * this pass; it is counted, since nothing is confirmed while they are stale.
 */
static void refresh(struct kc_monitor *monitor)
{
	int err;

	if (!kc_session_is_stale(monitor->session))
		return;
	err = kc_session_reload(monitor->session);
	if (!err) {
		kc_debug("modules changed: learned the kernel again");
		kc_sweep_flush(monitor->sweep);
		monitor->failed_reloads = 0;
		return;
	}
	monitor->stats.stale++;
	if (++monitor->failed_reloads == PATIENCE)
		kc_warn("modules changed and the kernel can't be learned again (%s): nothing can be "
			"confirmed until that works",
			kc_strerror(err));
}

static double cpu_seconds(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

int kc_monitor_pass(struct kc_monitor *monitor)
{
	struct kc_stats *stats = &monitor->stats;
	struct kc_pass *pass = &monitor->pass;
	double before = cpu_seconds();
	int err;

	refresh(monitor);
	find_cgroup(monitor);
	err = kc_sweep_pass(monitor->sweep, 0, on_record, monitor, pass);
	if (err)
		return err;
	stats->passes++;
	stats->tasks = pass->tasks;
	stats->running += pass->running;
	stats->dead += pass->dead;
	stats->moved += pass->moved;
	stats->unreadable += pass->unreadable;
	stats->tasks_checked += pass->copied + pass->cached;
	stats->frames_verified += pass->cached_slots;
	err = confirm_suspects(monitor);
	kc_sweep_trim(monitor->sweep);
	stats->pass_cpu = cpu_seconds() - before;
	if (stats->passes == 1)
		stats->first_pass_cpu = stats->pass_cpu;
	return err;
}

const struct kc_pass *kc_monitor_last_pass(const struct kc_monitor *monitor)
{
	return &monitor->pass;
}

void kc_monitor_observe(struct kc_monitor *monitor, kc_checked_fn fn, void *arg)
{
	monitor->on_checked = fn;
	monitor->on_checked_arg = arg;
}

const struct kc_stats *kc_monitor_stats(struct kc_monitor *monitor)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	monitor->stats.seconds = (now.tv_sec - monitor->started.tv_sec) +
				 (now.tv_nsec - monitor->started.tv_nsec) / 1e9;
	monitor->stats.cpu_seconds = cpu_seconds();
	return &monitor->stats;
}

bool kc_monitor_output_failed(const struct kc_monitor *monitor)
{
	return monitor->output_failed;
}
