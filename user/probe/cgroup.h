/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Cgroups of the unified hierarchy, by path. */
#ifndef KC_PROBE_CGROUP_H
#define KC_PROBE_CGROUP_H

#include <stdint.h>

/*
 * The path of a cgroup from the hierarchy's root on, as "/system.slice/app.service": without
 * where that is mounted, if it begins with it. Points into path, or is "/". What the filter says
 * has gone through here: sweep and desk mean the same cgroup.
 */
const char *kc_cgroup_below_root(const char *path);

/*
 * The id of a cgroup, kernfs_node.id: the inode number of its folder. The path is
 * relative to the hierarchy's root. -ENOTSUP: no unified hierarchy is mounted; -ENOENT: there
 * is no such cgroup.
 */
int kc_cgroup_id(const char *path, uint64_t *ret_id);

#endif
