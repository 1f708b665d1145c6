// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/cgroup.h"

#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool find_root(char root[PATH_MAX])
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	const struct mntent *entry;
	bool found = false;

	while (mounts && !found && (entry = getmntent(mounts))) {
		found = !strcmp(entry->mnt_type, "cgroup2");
		if (found)
			snprintf(root, PATH_MAX, "%s", entry->mnt_dir);
	}
	if (mounts)
		endmntent(mounts);
	return found;
}

const char *kc_cgroup_below_root(const char *path)
{
	char root[PATH_MAX];
	size_t len;

	if (!find_root(root))
		return path;
	len = strlen(root);
	if (strncmp(path, root, len) != 0 || (path[len] != '/' && path[len] != '\0'))
		return path;
	return path[len] ? path + len : "/";
}

int kc_cgroup_id(const char *path, uint64_t *ret_id)
{
	char root[PATH_MAX], full[2 * PATH_MAX];
	struct stat status;

	if (!find_root(root))
		return -ENOTSUP;
	snprintf(full, sizeof(full), "%s/%s", root, path);
	if (stat(full, &status))
		return -errno;
	*ret_id = status.st_ino;
	return 0;
}
