// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/sweep.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "probe/gate.h"
#include "probe/shared.h"
#include "sweep.skel.h"
#include "util/array.h"
#include "util/error.h"
#include "util/log.h"

/* Room for the largest record, several times. */
#define BUFFER_SIZE (128 * 1024)

/* Threads in the cache; the incident's host had 12,533. */
#define CACHE_MIN (1 << 14)
#define CACHE_MAX (1 << 17)

/* Cache entries looked at in one system call. */
#define BATCH 1024

/* Passes that a cache entry may go unused, and new entries before anybody looks. */
#define KEEP_PASSES 3
#define TRIM_AFTER  (CACHE_MIN / 4)

struct kc_sweep {
	struct sweep_bpf *skel;
	struct bpf_link *link;
	int slots_fd, rules_fd;
	uint64_t kept;			 /* by the program, up to the last trim */
	uint64_t keys[2 * KC_MAX_RULES]; /* of the rules that there are, hashed; 0: free */
	size_t nr_keys;
	bool stale;	      /* all of them: forgotten before the next pass over all tasks */
	struct kc_gate *gate; /* walks by the same rules; or NULL */
	uint32_t pass;
	size_t entered; /* entries since the last trim */
	size_t len;	/* bytes in buffer that are not yet consumed */
	char buffer[BUFFER_SIZE] __attribute__((aligned(8)));
};

static int refuse(struct kc_failure *ret_failure, int err, const char *what)
{
	return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, err, "%s: %s", what, kc_strerror(err));
}

/*
 * Room in the cache: as many threads as this host may ever have, within reason.
 * Entries are allocated when used; only the table's buckets are there at once.
 */
static uint32_t cache_size(void)
{
	kc_auto_file FILE *file = fopen("/proc/sys/kernel/threads-max", "re");
	unsigned int max;

	if (!file || fscanf(file, "%u", &max) != 1)
		return CACHE_MIN;
	return max < CACHE_MIN ? CACHE_MIN : max > CACHE_MAX ? CACHE_MAX : max;
}

struct kc_wanted kc_wanted_of(const struct kc_filter *filter)
{
	struct kc_wanted wanted = {
		.pid = filter->pid,
		.tid = filter->tid,
		.by_cgroup = filter->cgroup != NULL,
		.self = getpid(),
	};

	if (filter->comm) {
		/* The kernel cuts names to 15 characters; a longer filter means those. */
		size_t len = strnlen(filter->comm, KC_COMM_LEN - 1);

		memcpy(wanted.comm, filter->comm, len);
		wanted.comm_len = len + 1;
	}
	return wanted;
}

int kc_sweep_new(const struct kc_sweep_options *options, struct kc_failure *ret_failure,
		 struct kc_sweep **ret_sweep)
{
	struct kc_sweep *sweep kc_auto(kc_cleanup_sweep) = calloc(1, sizeof(*sweep));
	struct kc_sweep_config *config;
	int err;

	if (!sweep)
		return refuse(ret_failure, -ENOMEM, "sweep");
	sweep->skel = sweep_bpf__open();
	if (!sweep->skel)
		return refuse(ret_failure, -errno, "cannot prepare the sweep's BPF program");
	bpf_map__set_max_entries(sweep->skel->maps.slots, cache_size());
	err = sweep_bpf__load(sweep->skel);
	if (err)
		return refuse(ret_failure, err, "the kernel refused the sweep's BPF program");

	config = &sweep->skel->bss->config;
	config->wanted = kc_wanted_of(&options->filter);
	config->high_water = options->high_water;
	config->thread_size = options->thread_size;
	config->text_start = options->text;
	config->text_end = options->text_end;
	sweep->link = bpf_program__attach_iter(sweep->skel->progs.kc_sweep, NULL);
	if (!sweep->link)
		return refuse(ret_failure, -errno, "the kernel has no task iterator");
	sweep->slots_fd = bpf_map__fd(sweep->skel->maps.slots);
	sweep->rules_fd = bpf_map__fd(sweep->skel->maps.rules);
	sweep->skel->bss->walking = options->walking;
	config->walk = options->walk;
	config->epoch = 1;
	*ret_sweep = kc_take(sweep);
	return 0;
}

void kc_sweep_set_cgroup(struct kc_sweep *sweep, uint64_t id)
{
	sweep->skel->bss->config.wanted.cgroup = id;
	if (sweep->gate)
		kc_gate_set_cgroup(sweep->gate, id);
}

int kc_sweep_rules(const struct kc_sweep *sweep)
{
	return sweep->rules_fd;
}

void kc_sweep_share(const struct kc_sweep *sweep, struct kc_wanted *ret_wanted,
		    struct kc_walk_config *ret_walking)
{
	*ret_wanted = sweep->skel->bss->config.wanted;
	*ret_walking = sweep->skel->bss->walking;
}

void kc_sweep_set_gate(struct kc_sweep *sweep, struct kc_gate *gate)
{
	sweep->gate = gate;
}

void kc_sweep_free(struct kc_sweep *sweep)
{
	if (!sweep)
		return;
	bpf_link__destroy(sweep->link);
	sweep_bpf__destroy(sweep->skel);
	free(sweep);
}

/* Where the key is, or would be. */
static uint64_t *find_key(struct kc_sweep *sweep, uint64_t key)
{
	size_t at = kc_spread(key);

	for (;; at++) {
		uint64_t *it = &sweep->keys[at % kc_countof(sweep->keys)];

		if (!*it || *it == key)
			return it;
	}
}

/* Forget all rules, or those of places of interruptions alone. */
static void forget_rules(struct kc_sweep *sweep, bool all)
{
	uint64_t kept[KC_MAX_RULES];
	size_t nr_kept = 0;

	if (sweep->gate)
		kc_gate_pause(sweep->gate);
	for (size_t i = 0; i < kc_countof(sweep->keys); i++)
		if (sweep->keys[i] && !all && !kc_rule_key_is_exact(sweep->keys[i]))
			kept[nr_kept++] = sweep->keys[i];
		else if (sweep->keys[i])
			bpf_map_delete_elem(sweep->rules_fd, &sweep->keys[i]);
	memset(sweep->keys, 0, sizeof(sweep->keys));
	for (size_t i = 0; i < nr_kept; i++)
		*find_key(sweep, kept[i]) = kept[i];
	sweep->nr_keys = nr_kept;
	if (sweep->gate)
		kc_gate_go_on(sweep->gate);
}

/* Drop the entries that no pass has used for more than KEEP_PASSES. */
static void drop_unused(struct kc_sweep *sweep)
{
	kc_auto_free struct kc_task_slots *entries = calloc(BATCH, sizeof(*entries));
	kc_auto_free uint32_t *keys = calloc(BATCH, sizeof(*keys)), *stale = NULL;
	size_t nr_stale = 0, capacity = 0;
	uint32_t batch, *from = NULL, count;
	int err = 0;

	while (!err && keys && entries) {
		count = BATCH;
		err = bpf_map_lookup_batch(sweep->slots_fd, from, &batch, keys, entries, &count,
					   NULL);
		if (err && errno != ENOENT) /* ENOENT: these are the last */
			break;
		for (uint32_t i = 0; i < count; i++)
			if (sweep->pass + 1 - entries[i].pass > KEEP_PASSES &&
			    !kc_grow(stale, capacity, nr_stale + 1))
				stale[nr_stale++] = keys[i];
		from = &batch;
	}
	for (size_t i = 0; i < nr_stale; i++)
		bpf_map_delete_elem(sweep->slots_fd, &stale[i]);
}

/* What was derived from the kernel's text; what sleeping tasks have on their stacks was not. */
static void flush(struct kc_sweep *sweep)
{
	forget_rules(sweep, true);
	sweep->skel->bss->config.epoch++;
	sweep->stale = false;
}

/*
 * Hand out the complete records in the buffer, keep the rest. Who is asked to end wants no further
 * ones, but those that were read may hold what differs.
 */
static int consume(struct kc_sweep *sweep, kc_record_fn fn, void *arg)
{
	size_t at = 0;
	int err = 0;

	while ((!err || kc_asks_to_end(err)) && sweep->len - at >= sizeof(struct kc_record)) {
		const struct kc_record *record = (const void *)(sweep->buffer + at);

		/* The border is checked once, here. */
		if (!kc_record_is_whole(record, record->size)) {
			err = -EPROTO;
			break;
		}
		if (sweep->len - at < record->size)
			break;
		err = kc_first_error(err, fn(record, arg));
		at += record->size;
	}
	memmove(sweep->buffer, sweep->buffer + at, sweep->len - at);
	sweep->len -= at;
	return err;
}

int kc_sweep_pass(struct kc_sweep *sweep, uint32_t only_tid, kc_record_fn fn, void *arg,
		  struct kc_pass *ret_pass)
{
	struct kc_sweep_config *config = &sweep->skel->bss->config;
	struct kc_pass *pass = &sweep->skel->bss->pass;
	kc_auto_fd int fd = -1;
	int err = 0;

	*ret_pass = (struct kc_pass){};
	if (!only_tid && sweep->stale)
		flush(sweep);
	config->only_tid = only_tid;
	if (!only_tid) /* confirming passes do not age the cache */
		sweep->pass++;
	config->pass = sweep->pass;
	memset(pass, 0, sizeof(*pass));
	sweep->len = 0;
	fd = bpf_iter_create(bpf_link__fd(sweep->link));
	if (fd < 0)
		return -errno;
	while (!err) {
		ssize_t got = read(fd, sweep->buffer + sweep->len, BUFFER_SIZE - sweep->len);

		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		sweep->len += got;
		err = consume(sweep, fn, arg);
	}
	if (!err && sweep->len)
		err = -EPROTO;
	*ret_pass = *pass;
	return err;
}

uint64_t kc_sweep_loss(const struct kc_sweep *sweep, enum kc_loss loss)
{
	if (loss >= KC_LOSS_NR)
		return 0;
	return __atomic_load_n(&sweep->skel->bss->losses[loss], __ATOMIC_RELAXED);
}

/* False: some of them are no kernel text's. */
static bool set_returns(struct kc_returns *returns, const struct kc_record *record,
			const struct kc_sleep_facts *facts)
{
	returns->count = facts->nr_returns;
	returns->high = facts->words[0] >> 32;
	for (size_t i = 0; i < returns->count; i++) {
		returns->at[i] = (record->top - facts->returns[i]) / sizeof(uint64_t);
		returns->was[i] = facts->words[i];
		if (kc_return_address(returns, i) != facts->words[i])
			return false;
	}
	return true;
}

int kc_sweep_cache(struct kc_sweep *sweep, const struct kc_record *record,
		   const struct kc_sleep_facts *facts)
{
	struct kc_task_slots entry, known;

	if (facts->nr_slots > KC_TASK_SLOTS || facts->nr_returns > KC_TASK_SLOTS)
		return -E2BIG;
	memset(&entry, 0, sizeof(entry));
	entry.start_ns = record->start_ns;
	entry.switches = record->switches;
	entry.sp = record->sp;
	entry.pass = sweep->pass;
	entry.epoch = sweep->skel->bss->config.epoch;
	entry.nr_slots = facts->nr_slots;
	entry.intact_ns = facts->intact ? record->boot_ns : 0;
	for (size_t i = 0; i < facts->nr_slots; i++)
		entry.slot[i] = (record->top - facts->slots[i]) / sizeof(uint64_t);
	if (facts->nr_returns) {
		if (!set_returns(&entry.returns, record, facts))
			return -E2BIG;
	} else if (!bpf_map_lookup_elem(sweep->slots_fd, &record->tid, &known) &&
		   known.start_ns == record->start_ns && known.switches == record->switches &&
		   known.sp == record->sp) {
		entry.returns = known.returns;
	}
	sweep->entered++;
	return bpf_map_update_elem(sweep->slots_fd, &record->tid, &entry, BPF_ANY) ? -E2BIG : 0;
}

void kc_sweep_uncache(struct kc_sweep *sweep, uint32_t tid)
{
	struct kc_task_slots known;

	if (bpf_map_lookup_elem(sweep->slots_fd, &tid, &known))
		return;
	known.epoch = 0;
	bpf_map_update_elem(sweep->slots_fd, &tid, &known, BPF_EXIST);
}

void kc_sweep_follow(struct kc_sweep *sweep, uint32_t tid)
{
	uint32_t one = 1;

	bpf_map_update_elem(bpf_map__fd(sweep->skel->maps.followed), &tid, &one, BPF_ANY);
	sweep->skel->bss->config.follows = 1;
}

void kc_sweep_flush(struct kc_sweep *sweep)
{
	sweep->stale = true;
	if (sweep->gate)
		kc_gate_stop(sweep->gate);
}

/*
 * Places of interruptions are without end: those that are met again are learned again. Return
 * addresses are not, and a long sleep's would not be learned again before it ends.
 */
static void make_room(struct kc_sweep *sweep)
{
	if (!sweep->stale)
		forget_rules(sweep, false);
	if (sweep->stale || sweep->nr_keys > KC_MAX_RULES / 2)
		flush(sweep);
}

int kc_sweep_learn(struct kc_sweep *sweep, uint64_t key, const struct kc_rule *rule)
{
	uint64_t *it = find_key(sweep, key);

	if (*it)
		return 0;
	if (sweep->nr_keys == KC_MAX_RULES) {
		make_room(sweep);
		it = find_key(sweep, key);
	}
	if (bpf_map_update_elem(sweep->rules_fd, &key, rule, BPF_ANY))
		return -errno;
	*it = key;
	sweep->nr_keys++;
	return 0;
}

void kc_sweep_trim(struct kc_sweep *sweep)
{
	uint64_t kept = sweep->skel->bss->kept;

	if (sweep->entered + kept - sweep->kept < TRIM_AFTER)
		return;
	drop_unused(sweep);
	sweep->entered = 0;
	sweep->kept = kept;
}
