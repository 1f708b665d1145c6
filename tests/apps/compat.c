// SPDX-License-Identifier: GPL-2.0-only
/*
 * compat: 64-bit code that makes 32-bit system calls (int $0x80). Says what it hands to
 * nanosleep, sleeps shortly for ever, or once for long when it gets SIGUSR1.
 */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>

#define NR_NANOSLEEP 162 /* of the 32-bit calls */

struct old_timespec {
	int32_t sec, nsec;
};

/* Static, and not position independent: below 4 GiB, as 32-bit calls need it. */
static struct old_timespec shortly = { 0, 100000000 }, for_long = { 1000, 0 };
static volatile sig_atomic_t long_wanted;

static void want_long(int signal)
{
	(void)signal;
	long_wanted = 1;
}

static long nanosleep32(const struct old_timespec *time)
{
	long ret;

	asm volatile("int $0x80"
		     : "=a"(ret)
		     : "a"(NR_NANOSLEEP), "b"(time), "c"(0)
		     : "memory", "r8", "r9", "r10", "r11");
	return ret;
}

int main(void)
{
	signal(SIGUSR1, want_long);
	printf("shortly %p\nlong %p\n", (void *)&shortly, (void *)&for_long);
	fflush(stdout);
	while (!long_wanted)
		if (nanosleep32(&shortly) && !long_wanted)
			return 1;
	puts("goes to sleep");
	fflush(stdout);
	return nanosleep32(&for_long) != 0;
}
