// SPDX-License-Identifier: GPL-2.0-only
/*
 * What kcanary's decoder makes of instructions that another one has found.
 *
 * usage: decoded VMLINUX < LIST
 *
 * LIST has a line "address flow target" for each instruction, the next one's address being this
 * one's end: in hexadecimal but for the flow, which is the first letter of next, call, jump,
 * branch, return or stop. Prints a line for each that differs, then how many were compared. For
 * tests/second-opinion.
 */
#include <elf.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "arch/insn.h"

static const char flows[] = {
	[KC_FLOW_NEXT] = 'n',	[KC_FLOW_CALL] = 'c',	[KC_FLOW_JUMP] = 'j',
	[KC_FLOW_BRANCH] = 'b', [KC_FLOW_RETURN] = 'r', [KC_FLOW_STOP] = 's',
};

static const uint8_t *file;
static struct stat status;

/* What lies at a kernel address, KC_MAX_INSN bytes; NULL: nothing. */
static const uint8_t *bytes_at(uint64_t addr)
{
	const Elf64_Ehdr *elf = (const Elf64_Ehdr *)file;
	const Elf64_Phdr *parts = (const Elf64_Phdr *)(file + elf->e_phoff);

	for (size_t i = 0; i < elf->e_phnum; i++)
		if (parts[i].p_type == PT_LOAD && addr - parts[i].p_vaddr < parts[i].p_filesz &&
		    parts[i].p_offset + (addr - parts[i].p_vaddr) + KC_MAX_INSN <=
			    (uint64_t)status.st_size)
			return file + parts[i].p_offset + (addr - parts[i].p_vaddr);
	return NULL;
}

struct told {
	uint64_t addr, target;
	char flow;
};

static bool read_told(struct told *ret_told)
{
	return scanf("%" SCNx64 " %c %" SCNx64, &ret_told->addr, &ret_told->flow,
		     &ret_told->target) == 3;
}

static void compare(struct kc_decoder *decoder, const struct told *told, uint64_t end)
{
	const uint8_t *bytes = bytes_at(told->addr);
	struct kc_insn insn = {};

	if (!bytes || !kc_decode(decoder, bytes, KC_MAX_INSN, told->addr, &insn))
		printf("%" PRIx64 " unknown\n", told->addr);
	else if (told->addr + insn.len != end || flows[insn.flow] != told->flow ||
		 insn.target != told->target)
		printf("%" PRIx64 " %u %c %" PRIx64 "\n", told->addr, insn.len, flows[insn.flow],
		       insn.target);
}

int main(int argc, char **argv)
{
	const struct kc_guard guard = {};
	struct kc_decoder *decoder = NULL;
	struct told told, next;
	uint64_t count = 0;
	bool more;
	int fd;

	if (argc != 2)
		return 2;
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) || kc_decoder_new(&guard, &decoder))
		return 2;
	file = mmap(NULL, status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		return 2;
	for (more = read_told(&told); more; told = next) {
		more = read_told(&next);
		/* Where the list ends the last one does not tell its length. */
		if (more)
			compare(decoder, &told, next.addr);
		count += more;
	}
	printf("%" PRIu64 "\n", count);
	kc_decoder_free(decoder);
	return 0;
}
