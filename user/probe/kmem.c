// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "probe/kmem.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "kc_record.h"
#include "kmem.skel.h"

struct kmem {
	struct kc_mem mem;
	struct kmem_bpf *skel;
	int prog_fd;
	pthread_mutex_t lock; /* of the buffer */
	const uint8_t *chunk; /* the program's buffer, mapped */
};

static int read_chunk(struct kmem *kmem, uint64_t addr, void *buf, size_t len)
{
	uint64_t args[2] = { addr, len };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = args, .ctx_size_in = sizeof(args));
	int err = 0;

	pthread_mutex_lock(&kmem->lock);
	if (bpf_prog_test_run_opts(kmem->prog_fd, &opts))
		err = -errno;
	else if (opts.retval)
		err = -EFAULT;
	else
		memcpy(buf, kmem->chunk, len);
	pthread_mutex_unlock(&kmem->lock);
	return err;
}

static int kmem_read(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	struct kmem *kmem = (struct kmem *)mem;

	for (size_t done = 0; done < len;) {
		size_t part = len - done < KC_KMEM_CHUNK ? len - done : KC_KMEM_CHUNK;
		int err = read_chunk(kmem, addr + done, (uint8_t *)buf + done, part);

		if (err)
			return err;
		done += part;
	}
	return 0;
}

static void kmem_destroy(struct kc_mem *mem)
{
	struct kmem *kmem = (struct kmem *)mem;

	if (kmem->chunk)
		munmap((void *)kmem->chunk, KC_KMEM_CHUNK);
	kmem_bpf__destroy(kmem->skel);
	free(kmem);
}

int kc_kmem_open(struct kc_mem **ret_mem)
{
	struct kmem *kmem = calloc(1, sizeof(*kmem));
	void *chunk;
	int err;

	if (!kmem)
		return -ENOMEM;
	kmem->mem = (struct kc_mem){ .read = kmem_read, .destroy = kmem_destroy, .name = "bpf" };
	pthread_mutex_init(&kmem->lock, NULL);
	kmem->skel = kmem_bpf__open_and_load();
	if (!kmem->skel) {
		err = -errno;
		kmem_destroy(&kmem->mem);
		return err;
	}
	kmem->prog_fd = bpf_program__fd(kmem->skel->progs.kc_kmem_read);
	chunk = mmap(NULL, KC_KMEM_CHUNK, PROT_READ, MAP_SHARED,
		     bpf_map__fd(kmem->skel->maps.chunk), 0);
	if (chunk == MAP_FAILED) {
		err = -errno;
		kmem_destroy(&kmem->mem);
		return err;
	}
	kmem->chunk = chunk;
	*ret_mem = &kmem->mem;
	return 0;
}
