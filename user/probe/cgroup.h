/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Cgroups of the unified hierarchy, by path. */
#ifndef KC_PROBE_CGROUP_H
#define KC_PROBE_CGROUP_H

#include <stdint.h>

/*
 * The id of a cgroup, kernfs_node.id: the inode number of its folder. The path is
 * relative to the hierarchy's root ("/system.slice/app.service"), or begins with
 * where that is mounted. -ENOTSUP: no unified hierarchy is mounted; -ENOENT: there
 * is no such cgroup.
 */
int kc_cgroup_id(const char *path, uint64_t *ret_id);

#endif
