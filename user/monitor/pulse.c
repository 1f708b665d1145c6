// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Are the probes run? */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "monitor/attached.h"
#include "util/cleanup.h"
#include "util/log.h"

/*
 * Probes can be switched off behind our back, all of them: kprobes/enabled in debugfs, the
 * sysctl kernel.ftrace_enabled. Nobody says so; one on a function that we call ourselves tells.
 */
static int place_pulse(struct kc_attach *attach)
{
	struct kc_entry entry = { .depth = KC_MAX_CHOSEN };
	const struct kc_sym *sym;

	if (kc_ksyms_by_name(attach->session->kernel->ksyms, kc_arch()->getsid, &sym, 1) < 1)
		return -ENOENT;
	entry.addr = sym->addr;
	kc_probes_entries(attach->probes, &entry, 1, false);
	attach->pulse = entry.points;
	return entry.err;
}

void kc_attach_pulse(struct kc_attach *attach)
{
	char text[200];
	int err = place_pulse(attach);

	if (!err)
		return;
	attach->failed++;
	snprintf(text, sizeof(text),
		 "no probe on %s, a call of our own (%s): probes that somebody "
		 "switches off will not be noticed",
		 kc_arch()->getsid, kc_strerror(err));
	kc_sinks_notice(attach->sinks, text);
}

static bool is_off(const char *path)
{
	kc_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	char first;

	return fd >= 0 && read(fd, &first, 1) == 1 && first == '0';
}

/* The pulse is at an entry, where ftrace calls the probes; those at checks are breakpoints. */
static const char *dead_text(void)
{
	if (is_off("/proc/sys/kernel/ftrace_enabled"))
		return "the kernel runs no probes at entries: the sysctl kernel.ftrace_enabled is 0; "
		       "what is probed within functions and the sweep go on";
	if (is_off("/sys/kernel/debug/kprobes/enabled"))
		return "the kernel runs no probes: /sys/kernel/debug/kprobes/enabled is 0; the sweep "
		       "goes on";
	return "the kernel runs no probes, at entries at least, and does not say why; the sweep goes "
	       "on";
}

static uint64_t count_pulse(const struct kc_attach *attach)
{
	struct kc_point_count count = {};

	kc_probes_count(attach->probes, attach->pulse, &count);
	return count.hits;
}

bool kc_attach_has_pulse(const struct kc_attach *attach)
{
	return attach->pulse.count;
}

int kc_attach_check_alive(struct kc_attach *attach)
{
	bool was_dead = attach->dead;
	uint64_t before;

	if (!attach->pulse.count || attach->detached)
		return 0;
	before = count_pulse(attach);
	attach->dead = true;
	/* One call may be missed: another program ran on the CPU. */
	for (int i = 0; attach->dead && i < 3; i++) {
		getsid(0);
		attach->dead = count_pulse(attach) == before;
	}
	if (attach->dead == was_dead)
		return 0;
	attach->deaths += attach->dead;
	return kc_sinks_notice(attach->sinks,
			       attach->dead ? dead_text() : "the kernel runs probes again");
}
