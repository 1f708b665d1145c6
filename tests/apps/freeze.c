// SPDX-License-Identifier: GPL-2.0-only
/* freeze TID: stop one thread wherever it is, with all the locks that it owns. Says when. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	pid_t tid = argc == 2 ? atoi(argv[1]) : 0;
	int status;

	if (tid <= 0 || ptrace(PTRACE_SEIZE, tid, 0, 0) || ptrace(PTRACE_INTERRUPT, tid, 0, 0) ||
	    waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status)) {
		perror("freeze");
		return 1;
	}
	printf("frozen\n");
	fflush(stdout);
	pause();
}
