// SPDX-License-Identifier: GPL-2.0-only
/* hog CPU: take all of a CPU, before any thread of ordinary or low real-time priority. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	const struct sched_param urgent = { .sched_priority = 50 };
	cpu_set_t cpu;

	CPU_ZERO(&cpu);
	CPU_SET(argc == 2 ? atoi(argv[1]) : CPU_SETSIZE, &cpu);
	if (sched_setaffinity(0, sizeof(cpu), &cpu) || sched_setscheduler(0, SCHED_FIFO, &urgent)) {
		perror("hog");
		return 1;
	}
	printf("hogging\n");
	fflush(stdout);
	for (;;)
		;
}
