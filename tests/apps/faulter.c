// SPDX-License-Identifier: GPL-2.0-only
/*
 * faulter: spend the time in page faults, with a number in the registers that a system
 * call would take its arguments from. It is in none then.
 *
 *	usage: faulter NUMBER SECONDS
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define PAGES	  256
#define PAGE_SIZE 4096

static void fault_in(volatile char *page, uint64_t number)
{
	register uint64_t r8 asm("r8") = number, r9 asm("r9") = number, r10 asm("r10") = number;

	asm volatile("movb $1, (%0)"
		     :
		     : "r"(page), "D"(number), "S"(number), "d"(number), "r"(r8), "r"(r9), "r"(r10)
		     : "memory");
	/* Nor is it there in the calls that follow. */
	asm volatile("xor %%edi, %%edi; xor %%esi, %%esi; xor %%edx, %%edx; xor %%r8d, %%r8d;"
		     "xor %%r9d, %%r9d; xor %%r10d, %%r10d"
		     :
		     :
		     : "rdi", "rsi", "rdx", "r8", "r9", "r10");
}

int main(int argc, char **argv)
{
	uint64_t number = argc == 3 ? strtoul(argv[1], NULL, 16) : 0;
	time_t end = time(NULL) + (argc == 3 ? atoi(argv[2]) : 0);
	char *pages = mmap(NULL, PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!number || pages == MAP_FAILED) {
		fprintf(stderr, "usage: faulter NUMBER SECONDS\n");
		return 2;
	}
	while (time(NULL) < end) {
		for (size_t i = 0; i < PAGES; i++)
			fault_in(pages + i * PAGE_SIZE, number);
		if (madvise(pages, PAGES * PAGE_SIZE, MADV_DONTNEED)) {
			perror("madvise");
			return 1;
		}
	}
	return 0;
}
