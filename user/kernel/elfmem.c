// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/elfmem.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "util/cleanup.h"

struct elfmem {
	struct kc_mem mem;
	int fd;
	size_t count;
	Elf64_Phdr segments[];
};

/* pread that is short only at the end of the file. */
static int read_at(int fd, void *buf, size_t len, uint64_t offset)
{
	for (size_t done = 0; done < len;) {
		ssize_t got = pread(fd, (char *)buf + done, len - done, offset + done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -ENODATA;
		done += got;
	}
	return 0;
}

static int elfmem_read(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	const struct elfmem *elf = (const struct elfmem *)mem;

	for (size_t i = 0; i < elf->count; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];

		if (segment->p_type != PT_LOAD || addr < segment->p_vaddr ||
		    addr - segment->p_vaddr >= segment->p_filesz ||
		    len > segment->p_filesz - (addr - segment->p_vaddr))
			continue;
		return read_at(elf->fd, buf, len, segment->p_offset + (addr - segment->p_vaddr))
			       ? -EFAULT
			       : 0;
	}
	return -EFAULT;
}

static void elfmem_destroy(struct kc_mem *mem)
{
	struct elfmem *elf = (struct elfmem *)mem;

	close(elf->fd);
	free(elf);
}

int kc_elfmem_open(const char *path, struct kc_mem **ret_mem)
{
	kc_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct elfmem *elf;
	Elf64_Ehdr header;

	if (fd < 0)
		return -errno;
	if (read_at(fd, &header, sizeof(header), 0) || memcmp(header.e_ident, ELFMAG, SELFMAG) ||
	    header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
	    header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0)
		return -EINVAL;
	elf = calloc(1, sizeof(*elf) + header.e_phnum * sizeof(Elf64_Phdr));
	if (!elf)
		return -ENOMEM;
	if (read_at(fd, elf->segments, header.e_phnum * sizeof(Elf64_Phdr), header.e_phoff)) {
		free(elf);
		return -EINVAL;
	}
	elf->mem = (struct kc_mem){ .read = elfmem_read,
				    .destroy = elfmem_destroy,
				    .name = "ELF file" };
	elf->count = header.e_phnum;
	elf->fd = fd;
	fd = -1;
	*ret_mem = &elf->mem;
	return 0;
}
