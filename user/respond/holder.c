// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "respond/holder.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <string.h>

#include "source/process.h"
#include "stack/place.h"
#include "util/array.h"
#include "util/log.h"

/* TASK_FREEZABLE in include/linux/sched.h, from Linux commit f5d39b020809 ("freezer,sched: Rewrite
 * core freezer logic"), v6.1, on. */
#define FREEZABLE 0x2000

/* Not held for a reason that may pass: tried again when a pass finds it asleep, still damaged. */
struct retry {
	uint32_t pid, tid;
	uint64_t start_ns;
};
#define MAX_RETRIES 64

/* __TASK_STOPPED and __TASK_TRACED in include/linux/sched.h. */
#define STOPPED 0xc

struct holder {
	struct kc_sink sink; /* first */
	struct kc_freezer *freezer;
	struct kc_sinks *sinks;
	unsigned int most;
	struct retry retries[MAX_RETRIES];
	size_t nr_retries;
	char text[480]; /* what to tell once the finding is written; "": nothing */
};

/*
 * Before v6.1 what sleeps there wakes up as ever, and is frozen before that function goes on: seen
 * on 5.10, in a guest test. It has called schedule() itself, so two frames are left by then.
 */
static const char *const sleepers[] = {
	"do_nanosleep",
	"futex_wait_queue",
	"futex_wait_queue_me",
};
#define LEFT_BEHIND 2

static bool is_sleeper(const struct kc_kernel *kernel, const struct kc_checked_stack *checked)
{
	const struct kc_sym *sym =
		checked->count > LEFT_BEHIND ? checked->frames[LEFT_BEHIND].sym : NULL;
	const char *name = sym ? kc_sym_name(kernel->ksyms, sym) : "";

	for (size_t i = 0; i < kc_countof(sleepers); i++)
		if (!strcmp(name, sleepers[i]))
			return true;
	return false;
}

/* Where it sleeps, does the freezer leave it asleep? */
static bool is_freezable(const struct kc_kernel *kernel, const struct kc_finding *finding)
{
	if (kernel->freezes_in_place)
		return finding->task.state & FREEZABLE;
	return finding->task.flags & KC_RECORD_FREEZER_SKIPS &&
	       is_sleeper(kernel, finding->checked);
}

/* The innermost frame that is returned through wrongly. */
static size_t innermost_damaged(const struct kc_finding *finding)
{
	const struct kc_checked_stack *checked = finding->checked;
	size_t innermost = finding->frame;

	for (size_t i = 0; i < innermost; i++)
		if (checked->frames[i].status == KC_CHECK_DAMAGED)
			innermost = i;
	for (size_t i = 0; i < checked->nr_bad; i++)
		if (checked->bad[i].frame < innermost)
			innermost = checked->bad[i].frame;
	return innermost;
}

const char *kc_not_holdable(const struct kc_kernel *kernel, const struct kc_finding *finding)
{
	if (finding->anomaly != KC_ANOMALY_SLOT && finding->anomaly != KC_ANOMALY_RETURN)
		return "what was found does not make it panic by itself";
	if (finding->running || finding->by_gate)
		return "it was not asleep";
	if (finding->task.pid == 1)
		return "it is init";
	if (finding->task.flags & KC_RECORD_KTHREAD)
		return "it is a kernel thread, which others may wait for";
	if (finding->task.state & STOPPED)
		return "it is stopped or traced, and whoever did that lets it go on";
	if (!is_freezable(kernel, finding))
		return "where it sleeps, freezing would wake it, and that is what it must not do";
	if (kernel->freezes_in_place)
		return NULL;
	if (kc_finding_of_switch(finding) || innermost_damaged(finding) < LEFT_BEHIND)
		return "before 6.1 a thread is frozen after the scheduler has returned, and a frame of that "
		       "is what is damaged";
	return NULL;
}

/* A policy that the host relies on to be on time. */
static bool is_realtime(uint32_t tid)
{
	int policy = sched_getscheduler(tid) & ~SCHED_RESET_ON_FORK;

	return policy == SCHED_FIFO || policy == SCHED_RR || policy == SCHED_DEADLINE;
}

/* The thread's switches as the kernel counts them; false: it is gone. */
static bool read_switches(const struct kc_record *task, uint64_t *ret_switches)
{
	kc_auto_file FILE *file = NULL;
	char path[96], line[256];
	uint64_t count, sum = 0;
	int found = 0;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/status", task->pid, task->tid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "voluntary_ctxt_switches: %" SCNu64, &count) == 1 ||
		    sscanf(line, "nonvoluntary_ctxt_switches: %" SCNu64, &count) == 1) {
			sum += count;
			found++;
		}
	*ret_switches = sum;
	return found == 2;
}

__attribute__((format(printf, 3, 4))) static void say_of(struct holder *holder,
							 const struct kc_finding *finding,
							 const char *format, ...)
{
	size_t size = sizeof(holder->text);
	va_list args;
	int len = snprintf(holder->text, size, "thread %u of process %u (finding %" PRIu64 ") ",
			   finding->task.tid, finding->task.pid, finding->seq);

	va_start(args, format);
	vsnprintf(holder->text + len, size - len, format, args);
	va_end(args);
}

static struct retry *find_retry(struct holder *holder, const struct kc_record *task)
{
	for (size_t i = 0; i < holder->nr_retries; i++)
		if (holder->retries[i].tid == task->tid &&
		    holder->retries[i].start_ns == task->start_ns)
			return &holder->retries[i];
	return NULL;
}

/* Those that are gone will not be met again. */
static void drop_gone(struct holder *holder)
{
	for (size_t i = holder->nr_retries; i-- > 0;)
		if (!kc_process_is(holder->retries[i].pid, holder->retries[i].tid,
				   holder->retries[i].start_ns))
			holder->retries[i] = holder->retries[--holder->nr_retries];
}

/* False: there is no room to remember it. */
static bool retry_later(struct holder *holder, const struct kc_record *task)
{
	if (find_retry(holder, task))
		return true;
	if (holder->nr_retries == MAX_RETRIES)
		drop_gone(holder);
	if (holder->nr_retries == MAX_RETRIES)
		return false;
	holder->retries[holder->nr_retries++] =
		(struct retry){ task->pid, task->tid, task->start_ns };
	return true;
}

static void retry_no_more(struct holder *holder, const struct kc_record *task)
{
	struct retry *retry = find_retry(holder, task);

	if (retry)
		*retry = holder->retries[--holder->nr_retries];
}

/* Between the look that proved it and now it may have gone on: then it is not touched. */
static void hold(struct holder *holder, const struct kc_kernel *kernel,
		 const struct kc_finding *finding)
{
	const struct kc_record *task = &finding->task;
	const struct kc_frame *frame = &finding->checked->frames[finding->frame].frame;
	struct kc_held held = {
		.pid = task->pid,
		.tid = task->tid,
		.start_ns = task->start_ns,
		.finding = finding->seq,
		.since = finding->time.tv_sec,
	};
	uint64_t switches;
	char place[160];
	bool oom_may;
	int err;

	snprintf(held.place, sizeof(held.place), "%s", kc_frame_text(kernel, frame, place));
	if (!kc_process_is(task->pid, task->tid, task->start_ns) ||
	    !read_switches(task, &switches) || switches != task->switches) {
		bool again = find_retry(holder, task); /* that was said */

		if (!retry_later(holder, task))
			say_of(holder, finding, "is not held: it has run since");
		else if (!again)
			say_of(holder, finding,
			       "is not held: it has run since; tried again when it sleeps");
		return;
	}
	retry_no_more(holder, task);
	err = kc_freezer_hold(holder->freezer, &held, &oom_may);
	if (err == -EALREADY)
		say_of(holder, finding, "is held already, by somebody else");
	else if (err)
		say_of(holder, finding, "is not held: the freezer says: %s", kc_strerror(err));
	else if (!read_switches(task, &switches) || switches != task->switches)
		say_of(holder, finding,
		       "ran as it was about to be held: it may be held somewhere else now; see 'kcanary "
		       "held'");
	else if (!kc_freezer_is_frozen(holder->freezer))
		say_of(holder, finding,
		       "is about to be held, and not all that is in the frozen group is frozen: it may "
		       "still go on");
	else
		say_of(holder, finding,
		       "is held in place: its frames are as they were, and it does not return through "
		       "them unless it is released (kcanary release %u) or this host suspends%s; who "
		       "waits for it waits on",
		       task->tid,
		       oom_may ? ", or the OOM killer chooses its process, which could not be forbidden"
			       : "");
}

/* One that is asleep, and proved. */
static void try_to_hold(struct holder *holder, const struct kc_kernel *kernel,
			const struct kc_finding *finding)
{
	const char *why_not;
	int count;

	if (kc_freezer_holds(holder->freezer, finding->task.tid)) {
		retry_no_more(holder, &finding->task);
		return;
	}
	count = kc_freezer_held(holder->freezer, NULL, 0);
	why_not = kc_not_holdable(kernel, finding);
	if (!why_not && is_realtime(finding->task.tid))
		why_not = "it has a real-time policy: somebody relies on it";
	if (why_not)
		say_of(holder, finding, "is not held: %s", why_not);
	else if (count < 0 || count >= (int)holder->most)
		say_of(holder, finding, "is not held: %d are, and no more may be (--max-held %u)",
		       count, holder->most);
	else {
		hold(holder, kernel, finding);
		return;
	}
	retry_no_more(holder, &finding->task);
}

static bool is_of_a_frame(const struct kc_finding *finding)
{
	return finding->anomaly == KC_ANOMALY_SLOT || finding->anomaly == KC_ANOMALY_RETURN;
}

static int holder_finding(struct kc_sink *sink, const struct kc_kernel *kernel,
			  const struct kc_finding *finding)
{
	struct holder *holder = (struct holder *)sink;

	if (!is_of_a_frame(finding))
		return 0;
	/*
	 * By a gate, on its way: to a pass it is known then. What a probe or a sample found is a
	 * finding of its own when a pass meets it.
	 */
	if (finding->by_gate)
		retry_later(holder, &finding->task);
	else if (!finding->running)
		try_to_hold(holder, kernel, finding);
	return 0;
}

static bool holder_wants_again(struct kc_sink *sink, const struct kc_record *task)
{
	return find_retry((struct holder *)sink, task);
}

/* The finding is on the disk. */
static int holder_sync(struct kc_sink *sink)
{
	struct holder *holder = (struct holder *)sink;
	char text[sizeof(holder->text)];

	if (!*holder->text)
		return 0;
	memcpy(text, holder->text, sizeof(text));
	*holder->text = '\0';
	return kc_sinks_notice(holder->sinks, text) ?: kc_sinks_sync(holder->sinks);
}

/* The finding has long been there. */
static int holder_again(struct kc_sink *sink, const struct kc_kernel *kernel,
			const struct kc_finding *finding)
{
	struct holder *holder = (struct holder *)sink;

	if (is_of_a_frame(finding) && find_retry(holder, &finding->task))
		try_to_hold(holder, kernel, finding);
	return holder_sync(sink);
}

static void holder_free(struct kc_sink *sink)
{
	struct holder *holder = (struct holder *)sink;

	kc_freezer_close(holder->freezer);
	free(holder);
}

struct kc_sink *kc_holder_new(struct kc_freezer *freezer, unsigned int most, struct kc_sinks *sinks)
{
	static const struct kc_sink_ops ops = {
		.finding = holder_finding,
		.wants_again = holder_wants_again,
		.again = holder_again,
		.sync = holder_sync,
		.free = holder_free,
	};
	struct holder *holder = calloc(1, sizeof(*holder));

	if (!holder)
		return NULL;
	*holder = (struct holder){
		.sink.ops = &ops,
		.freezer = freezer,
		.sinks = sinks,
		.most = most,
	};
	return &holder->sink;
}
