// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "monitor/case.h"

#include <pthread.h>
#include <string.h>

#include "util/array.h"

#define NR_BUCKETS 1024 /* of threads with findings, by number */

struct told {
	struct kc_damaged damaged;
	bool asleep; /* the thread was: its stack is looked at again in every pass */
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
	const struct kc_sinks *sinks;
	pthread_mutex_t lock; /* of all that follows */
	struct victim *buckets[NR_BUCKETS];
	size_t nr_victims;
	uint64_t numbered; /* findings that were given a number */
	struct kc_told_counts all, by_probes;
	pthread_mutex_t order; /* a finding's number and its writing; taken before `lock` */
};

int kc_desk_new(const struct kc_filter *filter, const struct kc_sinks *sinks,
		struct kc_desk **ret_desk)
{
	struct kc_desk *desk = calloc(1, sizeof(*desk));

	if (!desk)
		return -ENOMEM;
	desk->filter = filter;
	desk->sinks = sinks;
	pthread_mutex_init(&desk->lock, NULL);
	pthread_mutex_init(&desk->order, NULL);
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
	pthread_mutex_destroy(&desk->lock);
	pthread_mutex_destroy(&desk->order);
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

static bool knows(struct kc_desk *desk, const struct kc_record *task, struct kc_damaged damaged,
		  bool running)
{
	const struct told *told;
	bool known;

	pthread_mutex_lock(&desk->lock);
	told = find_told(find_victim(desk, task), damaged, running);
	known = told && !told->mended;
	pthread_mutex_unlock(&desk->lock);
	return known;
}

bool kc_desk_knows(struct kc_desk *desk, const struct kc_record *task, struct kc_damaged damaged)
{
	return knows(desk, task, damaged, false);
}

void kc_desk_count_repeated(struct kc_desk *desk)
{
	pthread_mutex_lock(&desk->lock);
	desk->all.repeated++;
	pthread_mutex_unlock(&desk->lock);
}

void kc_desk_seen(struct kc_desk *desk, const struct kc_record *task,
		  const struct kc_damaged *damaged, size_t count)
{
	struct victim *victim;

	pthread_mutex_lock(&desk->lock);
	victim = find_victim(desk, task);
	for (size_t i = 0; victim && i < victim->count; i++) {
		struct told *told = &victim->told[i];
		bool still = !told->asleep;

		for (size_t n = 0; n < count && !still; n++)
			still = is_same(told->damaged, damaged[n]);
		told->mended |= !still;
	}
	pthread_mutex_unlock(&desk->lock);
}

/*
 * Be the one who tells of it. KC_FILED_WRITTEN: it is the caller's to tell, and so many
 * other threads had damage before; KC_FILED_KNOWN; or -ENOMEM.
 */
static int claim(struct kc_desk *desk, const struct kc_finding *finding, struct kc_damaged damaged,
		 size_t *ret_others)
{
	struct victim *victim = find_victim(desk, &finding->task);
	struct told *told = find_told(victim, damaged, finding->running);

	*ret_others = desk->nr_victims - (victim != NULL);
	if ((told && !told->mended) ||
	    (desk->numbered >= KC_MAX_FINDINGS && damaged.anomaly != KC_ANOMALY_PANIC))
		return KC_FILED_KNOWN;
	if (!told) {
		victim = victim ?: add_victim(desk, &finding->task);
		if (!victim || kc_grow(victim->told, victim->capacity, victim->count + 1))
			return -ENOMEM;
		told = &victim->told[victim->count++];
	}
	*told = (struct told){ .damaged = damaged, .asleep = !finding->running };
	return KC_FILED_WRITTEN;
}

static void read_process(const struct kc_event *event, struct kc_finding *finding)
{
	struct kc_process *process = &finding->process;

	kc_process_read(finding->task.pid, finding->task.tid, finding->task.start_ns, !event,
			process);
	if (!event)
		return;
	/* What lies where user mode leaves its registers is none of those of a kernel thread. */
	process->in_syscall = event->syscall >= 0 && !(event->task.flags & KC_RECORD_KTHREAD);
	process->syscall_nr = event->syscall;
	process->syscall_name = kc_arch()->syscall_name(event->syscall);
	memcpy(process->args, event->args, sizeof(event->args));
}

/* Of a thread that was asleep the kernel side has asked already. */
static enum kc_filed filter(const struct kc_desk *desk, const struct kc_finding *finding)
{
	const struct kc_filter *wanted = desk->filter;
	const struct kc_record *task = &finding->task;

	if (!finding->running || finding->anomaly == KC_ANOMALY_PANIC)
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

int kc_desk_file(struct kc_desk *desk, const struct kc_kernel *kernel, const struct kc_event *event,
		 struct kc_damaged damaged, struct kc_finding *finding)
{
	size_t others = 0;
	int filed, err;

	/* Known things are told apart first: what follows asks /proc. */
	filed = knows(desk, &finding->task, damaged, finding->running) ? KC_FILED_KNOWN
								       : KC_FILED_WRITTEN;
	if (filed == KC_FILED_WRITTEN) {
		read_process(event, finding);
		filed = filter(desk, finding);
	}
	if (filed != KC_FILED_WRITTEN) {
		pthread_mutex_lock(&desk->lock);
		count(desk, event != NULL, filed);
		pthread_mutex_unlock(&desk->lock);
		return filed;
	}
	pthread_mutex_lock(&desk->order);
	pthread_mutex_lock(&desk->lock);
	filed = claim(desk, finding, damaged, &others);
	if (filed == KC_FILED_WRITTEN)
		finding->seq = ++desk->numbered;
	if (filed >= 0)
		count(desk, event != NULL, filed);
	pthread_mutex_unlock(&desk->lock);
	if (filed == KC_FILED_WRITTEN) {
		kc_judge(finding, others);
		err = kc_sinks_finding(desk->sinks, kernel, finding);
		filed = err ?: filed;
	}
	pthread_mutex_unlock(&desk->order);
	return filed;
}

void kc_desk_counts(struct kc_desk *desk, struct kc_told_counts *ret_all,
		    struct kc_told_counts *ret_by_probes)
{
	pthread_mutex_lock(&desk->lock);
	*ret_all = desk->all;
	*ret_by_probes = desk->by_probes;
	pthread_mutex_unlock(&desk->lock);
}

size_t kc_desk_findings_of(struct kc_desk *desk, uint32_t tid)
{
	size_t found = 0;

	pthread_mutex_lock(&desk->lock);
	for (const struct victim *victim = desk->buckets[tid % NR_BUCKETS]; victim;
	     victim = victim->next)
		found += victim->tid == tid ? victim->count : 0;
	pthread_mutex_unlock(&desk->lock);
	return found;
}
