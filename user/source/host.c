// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "source/host.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "util/cleanup.h"

static void read_boot_id(char *boot_id, size_t size)
{
	kc_auto_file FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!file || !fgets(boot_id, size, file))
		boot_id[0] = '\0';
	boot_id[strcspn(boot_id, "\n")] = '\0';
}

/* "0.10 0.20 0.30 running/total last": the total counts threads. */
static unsigned int count_tasks(void)
{
	kc_auto_file FILE *file = fopen("/proc/loadavg", "re");
	unsigned int total = 0;

	if (!file || fscanf(file, "%*f %*f %*f %*u/%u", &total) != 1)
		return 0;
	return total;
}

void kc_host_read(struct kc_host *ret_host)
{
	struct kc_host host = { .cpus = sysconf(_SC_NPROCESSORS_ONLN), .tasks = count_tasks() };
	struct sysinfo info;
	struct utsname name;

	if (!uname(&name)) {
		snprintf(host.name, sizeof(host.name), "%s", name.nodename);
		snprintf(host.release, sizeof(host.release), "%s", name.release);
		snprintf(host.version, sizeof(host.version), "%s", name.version);
		snprintf(host.machine, sizeof(host.machine), "%s", name.machine);
	}
	if (!sysinfo(&info)) {
		host.memory = (uint64_t)info.totalram * info.mem_unit;
		host.uptime = info.uptime;
		for (int i = 0; i < 3; i++)
			host.load[i] = info.loads[i] / 65536.0;
	}
	read_boot_id(host.boot_id, sizeof(host.boot_id));
	*ret_host = host;
}
