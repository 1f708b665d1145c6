// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "cli/output.h"

#include <errno.h>
#include <string.h>

#include "util/array.h"
#include "util/log.h"

static const char *const view_names[] = {
	[KC_VIEWS_FULL] = "full",
	[KC_VIEWS_BRIEF] = "brief",
	[KC_VIEWS_NONE] = "none",
};

/* KC_VIEWS_FULL if there is no such name. */
static enum kc_views views_of(const char *name)
{
	size_t i = kc_countof(view_names);

	while (--i && strcmp(name, view_names[i]) != 0)
		;
	return i;
}

static int check_views(const struct kc_option *row, const char *arg, void *options,
		       struct kc_failure *ret_failure)
{
	(void)options;
	if (!strcmp(arg, view_names[views_of(arg)]))
		return 0;
	return kc_fail(ret_failure, KC_EXIT_USAGE, -EINVAL,
		       "%s must be full, brief or none, not '%s'", row->arg, arg);
}

const struct kc_option kc_output_rows[] = {
	{ "json", 'j', NULL, KC_FLAG(struct kc_output, json),
	  .help = "JSON lines instead of text" },
	{ "output", 'o', "FILE", KC_TEXT(struct kc_output, path),
	  .help = "append there instead of writing to stdout; findings are synced" },
	{ "views", 0, "HOW", KC_TEXT(struct kc_output, views),
	  .help = "show with a finding: full (backtrace, stack, disassembly), brief (the backtrace), "
		  "none",
	  .then = check_views },
	{},
};

int kc_open_report(const struct kc_output *output, const struct kc_host *host,
		   struct kc_failure *ret_failure, struct kc_report **ret_report)
{
	int err = kc_report_new(output->path, output->json, host, ret_report);

	if (!err) {
		kc_report_show(*ret_report, views_of(output->views));
		return 0;
	}
	return kc_fail(ret_failure, KC_EXIT_FAILED, err, "cannot write to %s: %s",
		       output->path ?: "stdout",
		       err == -ELOOP ? "it is a symbolic link" : kc_strerror(err));
}

int kc_open_sinks(const struct kc_output *output, bool kmsg, struct kc_source *source,
		  struct kc_failure *ret_failure, struct kc_sinks *sinks)
{
	struct kc_report *report;
	struct kc_host host;
	int err;

	kc_source_host(source, &host);
	err = kc_open_report(output, &host, ret_failure, &report);
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
	if (output->path)
		kc_sinks_add(sinks, kc_glance_new(output->json));
	return 0;
}
