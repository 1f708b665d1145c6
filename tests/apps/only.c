// SPDX-License-Identifier: GPL-2.0-only
/* only CAP,CAP,... COMMAND ARG...: as root, with these capabilities (numbers) and no other. */
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	unsigned long keep = 0;

	if (argc < 3)
		return 2;
	for (char *cap = strtok(argv[1], ","); cap; cap = strtok(NULL, ","))
		keep |= 1UL << atoi(cap);
	for (int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (!(keep >> cap & 1))
			prctl(PR_CAPBSET_DROP, cap); /* not every kernel has them all */
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
