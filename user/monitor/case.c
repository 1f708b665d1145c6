// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/case.h"

#include <string.h>

#include "util/array.h"

#define NR_BUCKETS 1024 /* of threads with findings, by number */

struct told {
	struct kc_damaged damaged;
	uint64_t seq;
	uint64_t boot_ns;  /* when it was read */
	uint64_t switches; /* that there had been: in which sleep */
	bool asleep;	   /* the thread was: its stack is looked at again in every pass */
	bool mended;
};

/* One thread that something was found of. */
struct victim {
	struct victim *next; /* in its bucket */
	uint32_t tid;
	uint64_t start_ns;
	struct told *told;
	size_t count, capacity;
};

struct kc_desk {
	const struct kc_filter *filter;
	struct kc_source *source;
	struct kc_sinks *sinks;
	struct victim *buckets[NR_BUCKETS];
	size_t nr_victims;
	struct kc_told_counts all, by_probes;
	_Atomic uint64_t numbered; /* findings, and evidence that may become one */
};

int kc_desk_new(const struct kc_filter *filter, struct kc_source *source, struct kc_sinks *sinks,
		struct kc_desk **ret_desk)
{
	struct kc_desk *desk = calloc(1, sizeof(*desk));

	if (!desk)
		return -ENOMEM;
	desk->filter = filter;
	desk->source = source;
	desk->sinks = sinks;
	*ret_desk = desk;
	return 0;
}

void kc_desk_free(struct kc_desk *desk)
{
	if (!desk)
		return;
	for (size_t i = 0; i < NR_BUCKETS; i++)
		for (struct victim *victim = desk->buckets[i], *next; victim; victim = next) {
			next = victim->next;
			free(victim->told);
			free(victim);
		}
	free(desk);
}

/* A panic is about a slot, which the sweep or a probe may have told of before. */
static enum kc_anomaly kind_of(enum kc_anomaly anomaly)
{
	return anomaly == KC_ANOMALY_PANIC ? KC_ANOMALY_SLOT : anomaly;
}

static bool is_same(struct kc_damaged a, struct kc_damaged b)
{
	return a.addr == b.addr && kind_of(a.anomaly) == kind_of(b.anomaly);
}

/* NULL: nothing was found of it. */
static struct victim *find_victim(const struct kc_desk *desk, const struct kc_record *task)
{
	struct victim *victim = desk->buckets[task->tid % NR_BUCKETS];

	while (victim && (victim->tid != task->tid || victim->start_ns != task->start_ns))
		victim = victim->next;
	return victim;
}

/*
 * What was told while the thread ran holds for the call that it was in: of the thread asleep,
 * the same word may be another frame's.
 */
static struct told *find_told(const struct victim *victim, struct kc_damaged damaged, bool running)
{
	for (size_t i = 0; victim && i < victim->count; i++)
		if (is_same(victim->told[i].damaged, damaged) &&
		    (running || victim->told[i].asleep))
			return &victim->told[i];
	return NULL;
}

static struct victim *add_victim(struct kc_desk *desk, const struct kc_record *task)
{
	struct victim **bucket = &desk->buckets[task->tid % NR_BUCKETS];
	struct victim *victim = calloc(1, sizeof(*victim));

	if (!victim)
		return NULL;
	*victim = (struct victim){
		.next = *bucket,
		.tid = task->tid,
		.start_ns = task->start_ns,
	};
	*bucket = victim;
	desk->nr_victims++;
	return victim;
}

bool kc_desk_knows(struct kc_desk *desk, const struct kc_record *task, struct kc_damaged damaged)
{
	const struct told *told = find_told(find_victim(desk, task), damaged, false);

	return told && !told->mended;
}

void kc_desk_count_repeated(struct kc_desk *desk)
{
	desk->all.repeated++;
}

void kc_desk_seen(struct kc_desk *desk, const struct kc_record *task,
		  const struct kc_damaged *damaged, size_t count)
{
	struct victim *victim;

	victim = find_victim(desk, task);
	for (size_t i = 0; victim && i < victim->count; i++) {
		struct told *told = &victim->told[i];
		bool still = !told->asleep;

		for (size_t n = 0; n < count && !still; n++)
			still = is_same(told->damaged, damaged[n]);
		told->mended |= !still;
	}
}

void kc_desk_seen_intact(struct kc_desk *desk, const struct kc_record *task, uint64_t boot_ns)
{
	struct victim *victim = find_victim(desk, task);

	for (size_t i = 0; victim && i < victim->count; i++) {
		struct told *told = &victim->told[i];

		told->mended |= told->asleep && told->damaged.anomaly == KC_ANOMALY_SLOT &&
				told->boot_ns < boot_ns;
	}
}

void kc_desk_differs_anew(struct kc_desk *desk, const struct kc_record *task,
			  struct kc_damaged damaged, uint64_t boot_ns)
{
	struct victim *victim = find_victim(desk, task);

	for (size_t i = 0; victim && i < victim->count; i++) {
		struct told *told = &victim->told[i];

		told->mended |=
			!told->asleep && is_same(told->damaged, damaged) && told->boot_ns < boot_ns;
	}
}

/* Remember that it is told; it was not known. 0 or -ENOMEM. */
static int remember(struct kc_desk *desk, const struct kc_finding *finding,
		    struct kc_damaged damaged)
{
	struct victim *victim = find_victim(desk, &finding->task);
	struct told *told = find_told(victim, damaged, finding->running);

	if (!told) {
		victim = victim ?: add_victim(desk, &finding->task);
		if (!victim || kc_grow(victim->told, victim->capacity, victim->count + 1))
			return -ENOMEM;
		told = &victim->told[victim->count++];
	}
	*told = (struct told){
		.damaged = damaged,
		.seq = finding->seq,
		.boot_ns = finding->boot_ns,
		.switches = finding->task.switches,
		.asleep = !finding->running,
	};
	return 0;
}

static void read_process(const struct kc_desk *desk, const struct kc_event *event,
			 struct kc_finding *finding)
{
	struct kc_process *process = &finding->process;

	kc_source_process(desk->source,
			  &(struct kc_whose){ finding->task.pid, finding->task.tid,
					      finding->task.start_ns, !event,
					      finding->task.flags & KC_RECORD_COMPAT },
			  process);
	if (event) {
		/* Where user mode leaves its registers lie none of a kernel thread. */
		process->in_syscall =
			event->syscall >= 0 && !(event->task.flags & KC_RECORD_KTHREAD);
		process->syscall_nr = event->syscall;
		memcpy(process->args, event->args, sizeof(event->args));
	}
	process->syscall_name = kc_arch()->syscall_name(process->syscall_nr,
							finding->task.flags & KC_RECORD_COMPAT);
}

/*
 * At a switch frames are followed by the return addresses that there are. What lies beyond one
 * that was told to have changed in this sleep may be no frame that the thread came from: a pass
 * tells.
 */
static const struct told *find_false_lead(const struct victim *victim,
					  const struct kc_finding *finding,
					  struct kc_damaged damaged)
{
	for (size_t i = 0; victim && finding->by_gate && i < victim->count; i++) {
		const struct told *told = &victim->told[i];

		if (told->damaged.anomaly == KC_ANOMALY_RETURN && !told->mended &&
		    told->switches == finding->task.switches && told->damaged.addr < damaged.addr)
			return told;
	}
	return NULL;
}

/* The kernel side has asked already, of whom it can; who ran may be gone by now. */
static enum kc_filed filter(const struct kc_desk *desk, const struct kc_event *event,
			    const struct kc_finding *finding)
{
	const struct kc_filter *wanted = desk->filter;
	const struct kc_record *task = &finding->task;

	if (!finding->running || finding->anomaly == KC_ANOMALY_PANIC ||
	    (event && event->flags & KC_EVENT_WANTED))
		return KC_FILED_WRITTEN;
	if (wanted->tid && wanted->tid != task->tid)
		return KC_FILED_UNWANTED;
	if (wanted->comm && strncmp(wanted->comm, task->comm, KC_COMM_LEN - 1) &&
	    strncmp(wanted->comm, task->leader_comm, KC_COMM_LEN - 1))
		return KC_FILED_UNWANTED;
	if (!wanted->cgroup)
		return KC_FILED_WRITTEN;
	if (!finding->process.cgroup[0])
		return KC_FILED_NOBODYS;
	return kc_process_in_cgroup(&finding->process, wanted->cgroup) ? KC_FILED_WRITTEN
								       : KC_FILED_UNWANTED;
}

static void count(struct kc_desk *desk, bool by_probe, enum kc_filed filed)
{
	uint64_t found = filed == KC_FILED_WRITTEN, again = filed == KC_FILED_KNOWN;

	desk->all.findings += found;
	desk->all.repeated += again;
	desk->by_probes.findings += by_probe ? found : 0;
	desk->by_probes.repeated += by_probe ? again : 0;
}

uint64_t kc_desk_number(struct kc_desk *desk)
{
	return ++desk->numbered;
}

/* Is it told already, or one too many? Then ret_seq is the number it was told with, or 0. */
static bool is_settled(const struct kc_desk *desk, const struct kc_finding *finding,
		       struct kc_damaged damaged, uint64_t *ret_seq)
{
	const struct victim *victim = find_victim(desk, &finding->task);
	const struct told *told = find_told(victim, damaged, finding->running);
	bool known = told && !told->mended;

	if (!known) {
		told = find_false_lead(victim, finding, damaged);
		known = told;
	}

	*ret_seq = known ? told->seq : 0;
	return known ||
	       (desk->all.findings >= KC_MAX_FINDINGS && damaged.anomaly != KC_ANOMALY_PANIC);
}

static int tell_finding(struct kc_desk *desk, const struct kc_kernel *kernel,
			struct kc_damaged damaged, struct kc_finding *finding)
{
	size_t others = desk->nr_victims - (find_victim(desk, &finding->task) != NULL);
	int err;

	if (!finding->seq)
		finding->seq = kc_source_number(desk->source, kc_desk_number(desk));
	err = remember(desk, finding, damaged);
	kc_judge(finding, others);
	return kc_sinks_finding(desk->sinks, kernel, finding) ?: err;
}

int kc_desk_file(struct kc_desk *desk, const struct kc_kernel *kernel, const struct kc_event *event,
		 struct kc_damaged damaged, struct kc_finding *finding)
{
	uint64_t seq;
	int filed;

	/* Known things are told apart first: what follows asks /proc. */
	if (is_settled(desk, finding, damaged, &seq)) {
		finding->seq = seq;
		filed = KC_FILED_KNOWN;
	} else {
		read_process(desk, event, finding);
		filed = filter(desk, event, finding);
	}
	count(desk, event && event->kind != KC_EVENT_SAMPLE, filed);
	if (filed == KC_FILED_KNOWN && !event && seq)
		return kc_sinks_again(desk->sinks, kernel, finding) ?: filed;
	if (filed != KC_FILED_WRITTEN)
		return filed;
	return tell_finding(desk, kernel, damaged, finding) ?: KC_FILED_WRITTEN;
}

void kc_desk_counts(struct kc_desk *desk, struct kc_told_counts *ret_all,
		    struct kc_told_counts *ret_by_probes)
{
	*ret_all = desk->all;
	*ret_by_probes = desk->by_probes;
}

size_t kc_desk_findings_of(struct kc_desk *desk, uint32_t tid)
{
	size_t found = 0;

	for (const struct victim *victim = desk->buckets[tid % NR_BUCKETS]; victim;
	     victim = victim->next)
		found += victim->tid == tid ? victim->count : 0;
	return found;
}
