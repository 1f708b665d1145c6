// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "respond/freezer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/process.h"
#include "util/io.h"
#include "util/log.h"

#define GROUP "kcanary-held"

struct kc_freezer {
	int root;    /* the hierarchy's */
	bool tidies; /* leaves no empty group */
};

/*
 * -EBUSY also means that somebody's mount has just gone, and the hierarchy with it: a moment
 * (cgroup1_get_tree() in kernel/cgroup/cgroup-v1.c waits for that, but in a context that was used
 * up).
 */
#define TRIES	 40
#define PAUSE_US 50000

/* A mount of the hierarchy that is nowhere: -errno, or where it begins. */
static int try_to_mount(void)
{
	kc_auto_fd int context = fsopen("cgroup", FSOPEN_CLOEXEC);
	int root;

	if (context < 0 || fsconfig(context, FSCONFIG_SET_FLAG, "freezer", NULL, 0) ||
	    fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		return -errno;
	root = fsmount(context, FSMOUNT_CLOEXEC, 0);
	return root < 0 ? -errno : root;
}

static int mount_hierarchy(void)
{
	int root = try_to_mount();

	for (int i = 1; i < TRIES && root == -EBUSY; i++) {
		usleep(PAUSE_US);
		root = try_to_mount();
	}
	return root;
}

static int write_at(int folder, const char *path, const char *text)
{
	kc_auto_fd int fd = openat(folder, path, O_WRONLY | O_CLOEXEC);

	return fd < 0 ? -errno : kc_write_all(fd, text, strlen(text), NULL);
}

/* Has it this state? THAWED, FREEZING or FROZEN; the root of the hierarchy has none. */
static bool has_state(int root, const char *group, const char *state)
{
	kc_auto_fd int fd = -1;
	char path[sizeof(((struct kc_held *)0)->group) + 32], text[16] = "";

	snprintf(path, sizeof(path), "%s/freezer.state", group);
	fd = openat(root, path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && read(fd, text, sizeof(text) - 1) > 0 &&
	       !strncmp(text, state, strlen(state));
}

/* -EEXIST: somebody's threads are in it that are not frozen, and we freeze nobody's. */
static int make_group(const struct kc_freezer *freezer)
{
	if (mkdirat(freezer->root, GROUP, 0755) && errno != EEXIST)
		return -errno;
	if (has_state(freezer->root, GROUP, "THAWED") && kc_freezer_held(freezer, NULL, 0) > 0)
		return -EEXIST;
	return write_at(freezer->root, GROUP "/freezer.state", "FROZEN");
}

int kc_freezer_open(bool make, struct kc_failure *ret_failure, struct kc_freezer **ret_freezer)
{
	struct kc_freezer *freezer kc_auto(kc_cleanup_freezer) = malloc(sizeof(*freezer));
	int err;

	if (!freezer)
		return kc_fail_nomem(ret_failure);
	*freezer = (struct kc_freezer){ .root = mount_hierarchy() };
	if (freezer->root < 0) {
		err = freezer->root;
		if (err == -EINVAL || err == -ENODEV || err == -ENOENT || err == -ENOSYS)
			return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, -ENOTSUP,
				       "this kernel has no freezer of cgroup v1, and nothing else "
				       "holds a thread without waking it");
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, err,
			       "the freezer of cgroup v1 can't be used: %s",
			       err == -EBUSY ? "another controller shares its hierarchy"
					     : kc_strerror(err));
	}
	freezer->tidies = make;
	err = make ? make_group(freezer) : 0;
	if (err)
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, err,
			       "cannot make a frozen group in the freezer of cgroup v1: %s",
			       err == -EEXIST ? "there is one named " GROUP
						" with threads in it that are "
						"not frozen"
					      : kc_strerror(err));
	*ret_freezer = kc_take(freezer);
	return 0;
}

void kc_freezer_close(struct kc_freezer *freezer)
{
	if (!freezer)
		return;
	/* Only an empty one goes. */
	if (freezer->tidies && freezer->root >= 0)
		unlinkat(freezer->root, GROUP, AT_REMOVEDIR);
	if (freezer->root >= 0)
		close(freezer->root);
	free(freezer);
}

/* OOM_SCORE_ADJ_MIN: never chosen. */
#define NEVER_OOM -1000

/* What the process's is; false: can't be read. */
static bool read_oom_score_adj(uint32_t pid, int *ret_adj)
{
	kc_auto_file FILE *file = NULL;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/oom_score_adj", pid);
	file = fopen(path, "re");
	return file && fscanf(file, "%d", ret_adj) == 1;
}

static bool set_oom_score_adj(uint32_t pid, int adj)
{
	char path[64], text[16];

	snprintf(path, sizeof(path), "/proc/%u/oom_score_adj", pid);
	snprintf(text, sizeof(text), "%d", adj);
	return !write_at(AT_FDCWD, path, text);
}

static void held_path(uint32_t tid, char path[static 64])
{
	snprintf(path, 64, KC_HELD_FOLDER "/%u", tid);
}

/* Of several monitors one at a time; -1: without it, then. Closed, it is given back. */
static int lock_held(void)
{
	int fd;

	mkdir("/run/kcanary", 0700);
	mkdir(KC_HELD_FOLDER, 0700);
	fd = open(KC_HELD_FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		flock(fd, LOCK_EX);
	return fd;
}

/* If that fails, who lists it says that nothing is known of why. */
static void write_why(const struct kc_held *held)
{
	kc_auto_fd int fd = -1;
	char path[64], text[640];
	int len = snprintf(text, sizeof(text),
			   "pid %u\nstart %" PRIu64 "\nfinding %" PRIu64 "\nsince %" PRId64
			   "\noom %d\ngroup %s\nplace %s\n",
			   held->pid, held->start_ns, held->finding, held->since,
			   held->oom_score_adj, held->group, held->place);

	held_path(held->tid, path);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0)
		kc_write_all(fd, text, len, NULL);
}

#define MAX_LISTED 1024

/* How many are in tids; none if that can't be told. */
static int list_held(const struct kc_freezer *freezer, uint32_t tids[static MAX_LISTED])
{
	int count = kc_freezer_held(freezer, tids, MAX_LISTED);

	return count < 0 ? 0 : count < MAX_LISTED ? count : MAX_LISTED;
}

/* What is written down of another thread of the same process that is held; false: none is. */
static bool find_sibling(const struct kc_freezer *freezer, uint32_t pid, uint32_t tid,
			 struct kc_held *ret_held)
{
	uint32_t tids[MAX_LISTED];
	int count = list_held(freezer, tids);

	for (int i = 0; i < count; i++)
		if (tids[i] != tid && kc_freezer_why(tids[i], ret_held) && ret_held->pid == pid)
			return true;
	return false;
}

static void forget(uint32_t tid)
{
	char path[64];

	held_path(tid, path);
	unlink(path);
}

/* Another monitor may have taken the empty group away, and somebody may have thawed it. */
static int move_there(const struct kc_freezer *freezer, const char *tid)
{
	return make_group(freezer) ?: write_at(freezer->root, GROUP "/tasks", tid);
}

int kc_freezer_hold(struct kc_freezer *freezer, const struct kc_held *held, bool *ret_oom_may)
{
	kc_auto_fd int lock = lock_held();
	kc_auto_free char *group = kc_process_cgroup(held->pid, held->tid, "freezer");
	struct kc_held kept = *held, sibling;
	char tid[16];
	bool knows;
	int err;

	if (group && !strcmp(group, "/" GROUP))
		return -EALREADY;

	snprintf(tid, sizeof(tid), "%u\n", held->tid);
	snprintf(kept.group, sizeof(kept.group), "%s", group ?: "/");
	knows = read_oom_score_adj(held->pid, &kept.oom_score_adj);
	if (find_sibling(freezer, held->pid, held->tid, &sibling))
		kept.oom_score_adj = sibling.oom_score_adj;
	/* First: of whom is held there is something to read, whatever becomes of us. */
	write_why(&kept);
	err = move_there(freezer, tid);
	if (err) {
		forget(held->tid);
		return err;
	}
	/*
	 * Where the group counts as frozen the newcomer may have been moved and no more: in kernels
	 * with cff5f49d433f ("cgroup_freezer: cgroup_freezing: Check if not frozen") and without
	 * 37fb58a72731 ("cgroup,freezer: fix incomplete freezing when attaching tasks"). Who is
	 * frozen is left as he is.
	 */
	write_at(freezer->root, GROUP "/freezer.state", "FROZEN");
	*ret_oom_may = !knows || !set_oom_score_adj(held->pid, NEVER_OOM);
	return 0;
}

int kc_freezer_release(struct kc_freezer *freezer, uint32_t tid, bool *ret_frozen)
{
	kc_auto_fd int lock = lock_held();
	char path[sizeof(((struct kc_held *)0)->group) + 16], text[16];
	struct kc_held held, sibling;
	bool knows;
	int err;

	*ret_frozen = false;
	if (!kc_freezer_holds(freezer, tid))
		return -ESRCH;
	snprintf(text, sizeof(text), "%u\n", tid);
	knows = kc_freezer_why(tid, &held);
	if (!knows)
		held.group[0] = '\0';
	snprintf(path, sizeof(path), ".%s", held.group);
	*ret_frozen = has_state(freezer->root, path, "FR");
	strcat(path, "/tasks");
	err = write_at(freezer->root, path, text);
	/* Its group may be gone. */
	if (err == -ENOENT)
		err = write_at(freezer->root, "tasks", text);
	if (err)
		return err;
	if (knows && !find_sibling(freezer, held.pid, tid, &sibling))
		set_oom_score_adj(held.pid, held.oom_score_adj);
	forget(tid);
	freezer->tidies = true;
	return 0;
}

int kc_freezer_held(const struct kc_freezer *freezer, uint32_t *ret_tids, int max)
{
	kc_auto_file FILE *file = NULL;
	unsigned int tid;
	int count = 0, fd;

	fd = openat(freezer->root, GROUP "/tasks", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	file = fdopen(fd, "r");
	if (!file) {
		close(fd);
		return -ENOMEM;
	}
	while (fscanf(file, "%u", &tid) == 1) {
		if (count < max)
			ret_tids[count] = tid;
		count++;
	}
	return count;
}

bool kc_freezer_holds(const struct kc_freezer *freezer, uint32_t tid)
{
	uint32_t tids[MAX_LISTED];
	int count = list_held(freezer, tids);

	for (int i = 0; i < count; i++)
		if (tids[i] == tid)
			return true;
	return false;
}

bool kc_freezer_is_frozen(const struct kc_freezer *freezer)
{
	return has_state(freezer->root, GROUP, "FROZEN");
}

bool kc_freezer_why(uint32_t tid, struct kc_held *ret_held)
{
	kc_auto_file FILE *file = NULL;
	char path[64];

	held_path(tid, path);
	*ret_held = (struct kc_held){ .tid = tid };
	file = fopen(path, "re");
	return file &&
	       fscanf(file,
		      "pid %" SCNu32 "\nstart %" SCNu64 "\nfinding %" SCNu64 "\nsince %" SCNd64
		      "\noom %d\ngroup %255[^\n]\nplace %159[^\n]",
		      &ret_held->pid, &ret_held->start_ns, &ret_held->finding, &ret_held->since,
		      &ret_held->oom_score_adj, ret_held->group, ret_held->place) == 7 &&
	       kc_process_is(ret_held->pid, tid, ret_held->start_ns);
}
