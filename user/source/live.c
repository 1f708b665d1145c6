// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "source/live.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "kernel/btf.h"
#include "kernel/overlay.h"
#include "probe/cgroup.h"
#include "stack/place.h"
#include "stack/rule.h"
#include "util/log.h"
#include "util/time.h"

struct live {
	struct kc_source source; /* first: live_of() */
	struct kc_sweep *sweep;
	struct kc_words *words; /* NULL: this kernel does not let us */
	const char *cgroup;	/* the filter's, or NULL */
	struct kc_mem *mem;
	uint64_t modules_hash, reloaded_hash; /* of the kernel in use; of the one learned last */
	uint64_t learned_ns, reloaded_ns;     /* and when they were, boot time; 0: at the start */
	uint64_t unfound; /* passes in which nobody could say if the cgroup is there */
};

static struct live *live_of(struct kc_source *source)
{
	return (struct live *)source;
}

static void hash_text(uint64_t *hash, const char *text)
{
	for (; *text; text++)
		*hash = (*hash ^ (unsigned char)*text) * 0x100000001b3ULL; /* FNV-1a */
}

/*
 * What tells one set of loaded modules from another: /proc/modules without its
 * reference counts, and each module's folder in sysfs, which is a new inode with
 * every load, even of the same name at the same address.
 */
#define UNREADABLE 1 /* asked again at the next pass */

uint64_t kc_modules_hash(void)
{
	kc_auto_file FILE *file = fopen("/proc/modules", "re");
	char name[128], size[32], state[32], addr[32], text[512];
	uint64_t hash = 0xcbf29ce484222325ULL;
	kc_auto_free char *line = NULL;
	size_t line_size = 0;
	struct stat status;

	if (!file)
		return errno == ENOENT ? 0 : UNREADABLE;
	while (getline(&line, &line_size, file) > 0) {
		/* name size references users state address */
		if (sscanf(line, "%127s %31s %*s %*s %31s %31s", name, size, state, addr) != 4)
			continue;
		snprintf(text, sizeof(text), "/sys/module/%s", name);
		if (stat(text, &status))
			status = (struct stat){};
		snprintf(text, sizeof(text), "%s %s %s %s %lu %ld.%ld\n", name, size, state, addr,
			 status.st_ino, status.st_ctim.tv_sec, status.st_ctim.tv_nsec);
		hash_text(&hash, text);
	}
	return hash;
}

/* The cgroup that the path names now: a service that restarts gets a new one. */
static int find_cgroup(const struct live *live)
{
	uint64_t id = 0;
	int err;

	if (!live->cgroup)
		return 0;
	err = kc_cgroup_id(live->cgroup, &id);
	kc_sweep_set_cgroup(live->sweep, id);
	return err;
}

static int live_pass(struct kc_source *source, uint32_t only_tid, kc_record_fn fn, void *arg,
		     struct kc_pass *ret_pass)
{
	struct live *live = live_of(source);
	int err = only_tid ? 0 : find_cgroup(live);

	/* One that is not there has no tasks. */
	live->unfound += err && err != -ENOENT;
	if (!only_tid && live->mem)
		kc_overlay_next_pass(live->mem);
	return kc_sweep_pass(live->sweep, only_tid, fn, arg, ret_pass);
}

static int live_cache(struct kc_source *source, const struct kc_record *record,
		      const struct kc_sleep_facts *facts)
{
	return kc_sweep_cache(live_of(source)->sweep, record, facts);
}

static void live_uncache(struct kc_source *source, uint32_t tid)
{
	kc_sweep_uncache(live_of(source)->sweep, tid);
}

static void live_follow(struct kc_source *source, uint32_t tid)
{
	kc_sweep_follow(live_of(source)->sweep, tid);
}

static int live_learn(struct kc_source *source, uint64_t key, const struct kc_rule *rule)
{
	return kc_sweep_learn(live_of(source)->sweep, key, rule);
}

static void live_flush(struct kc_source *source)
{
	kc_sweep_flush(live_of(source)->sweep);
}

static void live_trim(struct kc_source *source)
{
	kc_sweep_trim(live_of(source)->sweep);
}

static void live_losses(struct kc_source *source, uint64_t ret_losses[static KC_LOSS_NR])
{
	for (size_t i = 0; i < KC_LOSS_NR; i++)
		ret_losses[i] = kc_sweep_loss(live_of(source)->sweep, i);
	ret_losses[KC_LOSS_CGROUP] += live_of(source)->unfound;
}

static bool live_is_stale(struct kc_source *source, uint64_t at_ns)
{
	const struct live *live = live_of(source);

	return (at_ns && at_ns < live->learned_ns) ||
	       (live->modules_hash && kc_modules_hash() != live->modules_hash);
}

static int live_reload(struct kc_source *source, struct kc_kernel **ret_kernel)
{
	struct kc_failure failure; /* the errno is enough: the old facts stay */
	struct live *live = live_of(source);
	int err;

	live->reloaded_hash = kc_modules_hash();
	live->reloaded_ns = kc_boot_ns();
	err = kc_kernel_load(live->mem, KC_KALLSYMS_PATH, KC_BTF_PATH, &failure, ret_kernel);
	if (err)
		return err;
	/* Symbols of one set of modules and the list of another: none may be taken for the other's.
	 */
	if (kc_modules_hash() != live->reloaded_hash) {
		kc_kernel_free(*ret_kernel);
		return -EAGAIN;
	}
	kc_overlay_forget(live->mem, *ret_kernel);
	return 0;
}

static void live_adopted(struct kc_source *source)
{
	struct live *live = live_of(source);

	live->modules_hash = live->reloaded_hash;
	live->learned_ns = live->reloaded_ns;
}

static void live_event(struct kc_source *source, const struct kc_event *event,
		       const struct kc_first *first)
{
	(void)source;
	(void)event;
	(void)first;
}

static void live_process(struct kc_source *source, const struct kc_whose *whose,
			 struct kc_process *ret_process)
{
	(void)source;
	kc_process_read(whose->pid, whose->tid, whose->start_ns, whose->asleep, whose->compat,
			ret_process);
}

/* False: it points nowhere, or what it is the copy tells. */
static bool name_word(const struct kc_kernel *kernel, const struct kc_pointee *pointee,
		      uint64_t copied, struct kc_pointed_word *ret_word)
{
	char *name = ret_word->name;
	size_t size = sizeof(ret_word->name);
	char place[160];

	*ret_word = (struct kc_pointed_word){
		.kind = pointee->kind,
		.pid = pointee->pid,
		.tid = pointee->tid,
		.cpu = pointee->cpu,
		.offset = pointee->offset,
	};
	memcpy(ret_word->comm, pointee->comm, sizeof(ret_word->comm) - 1);
	switch (pointee->kind) {
	case KC_POINTED_NOWHERE:
		ret_word->kind = KC_POINTED_STATIC;
		return copied >= KC_TEXT_HALF && !kc_kernel_is_text(kernel, copied) &&
		       kc_ksyms_place(kernel->ksyms, copied, name, size);
	case KC_POINTED_SLAB:
		snprintf(name, size, "%.*s", KC_CACHE_LEN, pointee->cache);
		break;
	case KC_POINTED_VMALLOC:
		snprintf(name, size, "%s", kc_place_text(kernel, pointee->caller, place));
		break;
	case KC_POINTED_PERCPU:
		if (!kc_ksyms_place(kernel->ksyms, pointee->offset, name, size))
			ret_word->kind = KC_POINTED_NOT_KNOWN;
		/* From v6.15 on it is an address: which tells where this kernel lies. */
		ret_word->offset = 0;
		break;
	}
	return true;
}

static void live_words(struct kc_source *source, const struct kc_kernel *kernel,
		       const struct kc_words_at *at, const uint64_t *copied,
		       struct kc_pointed_words *ret_words)
{
	struct live *live = live_of(source);
	struct kc_pointee pointees[KC_MAX_WORDS];
	int err;

	ret_words->count = 0;
	if (!live->words)
		return;
	err = kc_words_look(live->words, at, pointees);
	if (err) {
		kc_debug("what the words point to is not known: %s", kc_strerror(err));
		return;
	}
	for (size_t i = 0; i < at->count; i++) {
		struct kc_pointed_word *word = &ret_words->word[ret_words->count];

		if (!name_word(kernel, &pointees[i], copied[i], word))
			continue;
		word->depth = at->top - (at->from + 8 * i);
		ret_words->count++;
	}
}

static void live_host(struct kc_source *source, struct kc_host *ret_host)
{
	(void)source;
	kc_host_read(ret_host);
}

static void live_now(struct kc_source *source, struct timespec *ret_time)
{
	(void)source;
	clock_gettime(CLOCK_REALTIME, ret_time);
}

static uint64_t live_number(struct kc_source *source, uint64_t next)
{
	(void)source;
	return next;
}

static bool live_again(struct kc_source *source, bool wanted)
{
	(void)source;
	return wanted;
}

static void live_free(struct kc_source *source)
{
	struct live *live = live_of(source);

	kc_words_free(live->words);
	kc_sweep_free(live->sweep);
	free(live);
}

static const struct kc_source_ops live_ops = {
	.pass = live_pass,
	.cache = live_cache,
	.uncache = live_uncache,
	.follow = live_follow,
	.learn = live_learn,
	.flush = live_flush,
	.trim = live_trim,
	.losses = live_losses,
	.is_stale = live_is_stale,
	.reload = live_reload,
	.adopted = live_adopted,
	.event = live_event,
	.process = live_process,
	.words = live_words,
	.host = live_host,
	.now = live_now,
	.number = live_number,
	.again = live_again,
	.free = live_free,
};

struct kc_sweep *kc_live_sweep(struct kc_source *source)
{
	return live_of(source)->sweep;
}

int kc_live_new(const struct kc_live_options *options, struct kc_failure *ret_failure,
		struct kc_source **ret_source)
{
	const struct kc_kernel *kernel = options->kernel;
	struct kc_sweep_options sweep = {
		.filter = options->filter,
		.high_water = options->high_water,
		.thread_size = kernel->thread_size,
		.text = kernel->text,
		.text_end = kernel->text_end,
		.walk = options->walk,
		.walking = kc_walk_config_of(kernel),
	};
	struct live *live = calloc(1, sizeof(*live));
	int err;

	if (!live)
		return kc_fail_nomem(ret_failure);
	*live = (struct live){
		.source.ops = &live_ops,
		.cgroup = options->filter.cgroup,
		.mem = options->mem,
		.modules_hash = options->modules_hash,
	};
	err = kc_sweep_new(&sweep, ret_failure, &live->sweep);
	if (!err && find_cgroup(live) == -ENOTSUP)
		err = kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, -ENOTSUP,
			      "no unified cgroup hierarchy (cgroup2) is mounted here: -c can't be "
			      "used");
	if (err) {
		live_free(&live->source);
		return err;
	}
	/* Evidence beside what proves a finding: the watch goes on without. */
	err = kc_words_new(kernel, &live->words);
	if (err)
		kc_info("what words of a damaged frame point to will not be told: %s",
			kc_strerror(err));
	*ret_source = &live->source;
	return 0;
}
