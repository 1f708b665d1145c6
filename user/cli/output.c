// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/output.h"

#include <errno.h>

#include "util/log.h"

int kc_open_report(const char *path, bool json, const struct kc_host *host,
		   struct kc_failure *ret_failure, struct kc_report **ret_report)
{
	int err = kc_report_new(path, json, host, ret_report);

	if (!err)
		return 0;
	return kc_fail(ret_failure, KC_EXIT_FAILED, err, "cannot write to %s: %s", path ?: "stdout",
		       err == -ELOOP ? "it is a symbolic link" : kc_strerror(err));
}

int kc_open_sinks(const char *path, bool json, bool kmsg, struct kc_source *source,
		  struct kc_failure *ret_failure, struct kc_sinks *sinks)
{
	struct kc_report *report;
	struct kc_host host;
	int err;

	kc_source_host(source, &host);
	err = kc_open_report(path, json, &host, ret_failure, &report);
	if (err)
		return err;
	kc_report_endure(report);
	/*
	 * A finding goes to the disk first: a slow console takes its time over a line of the
	 * kernel's log. Evidence comes there last, since a disk may wait for the CPU that is held.
	 */
	kc_sinks_add(sinks, kc_report_sink(report));
	if (kmsg)
		kc_sinks_add(sinks, kc_kmsg_new());
	if (path)
		kc_sinks_add(sinks, kc_glance_new(json));
	return 0;
}
