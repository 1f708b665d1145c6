/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The host facts that an engineer would type `sys` for. */
#ifndef KC_SOURCE_HOST_H
#define KC_SOURCE_HOST_H

#include <stdint.h>

struct kc_host {
	char name[65];
	char release[65];
	char version[65];
	char machine[65];
	char boot_id[40];
	long cpus;
	uint64_t memory; /* bytes */
	uint64_t uptime; /* seconds */
	double load[3];
	unsigned int tasks;
};

void kc_host_read(struct kc_host *ret_host);

#endif
