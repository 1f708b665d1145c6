// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "source/tape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "util/array.h"
#include "util/io.h"
#include "util/log.h"

#define MAGIC "kcanary\n"

/* Little-endian, as everything in it. */
struct header {
	char magic[8];
	uint32_t version;
	uint32_t layouts; /* a sum of sizes: structs of another build are another version */
};

struct block {
	uint32_t raw, packed; /* bytes */
	uint32_t crc;	      /* of the packed bytes, begun with that of the lengths */
	uint32_t pad;	      /* 0 */
};

struct entry_head {
	uint16_t kind, pad;
	uint32_t len;
};

/* An entry is a pass's record at most, a block a few of them; larger ones are damage. */
#define BLOCK_FULL (256 * 1024)
#define MAX_BLOCK  (4u << 20)

/* Unpacked: a replay keeps all of it in memory, so a recording ends there, too. */
#define MAX_TOTAL (1ULL << 30)

struct kc_tape {
	int fd;
	int err;
	uint64_t size, max;
	uint64_t total; /* bytes of entries */
	bool full;
	/* Writing: the block that is being filled. */
	uint8_t *fill;
	size_t fill_len, fill_capacity;
	/* Reading: blocks so far, of which the last is read from. */
	uint8_t **blocks;
	size_t nr_blocks, blocks_capacity;
	size_t at, len;
	const char *damage;
};

static uint32_t checksum(const struct block *block, const uint8_t *packed)
{
	uint32_t crc = crc32(0, (const uint8_t *)block, 2 * sizeof(uint32_t));

	return crc32(crc, packed, block->packed);
}

int kc_tape_create(const char *path, uint32_t layouts, uint64_t max, struct kc_tape **ret_tape)
{
	const struct header header = { MAGIC, KC_TAPE_VERSION, layouts };
	struct kc_tape *tape kc_auto(kc_cleanup_tape) = calloc(1, sizeof(*tape));
	int err;

	if (!tape)
		return -ENOMEM;
	tape->max = max;
	tape->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (tape->fd < 0)
		return -errno;
	err = kc_write_all(tape->fd, &header, sizeof(header), NULL);
	if (err) {
		unlink(path); /* or it were in the way of the next try */
		return err;
	}
	tape->size = sizeof(header);
	*ret_tape = kc_take(tape);
	return 0;
}

void kc_tape_free(struct kc_tape *tape)
{
	if (!tape)
		return;
	for (size_t i = 0; i < tape->nr_blocks; i++)
		free(tape->blocks[i]);
	free(tape->blocks);
	free(tape->fill);
	if (tape->fd >= 0)
		close(tape->fd);
	free(tape);
}

void kc_tape_add(struct kc_tape *tape, enum kc_tape_kind kind, const void *head, size_t head_len,
		 const void *more, size_t more_len)
{
	const struct entry_head entry = { .kind = kind, .len = head_len + more_len };
	size_t padded = (sizeof(entry) + head_len + more_len + 7) & ~(size_t)7;
	uint8_t *at;

	if (tape->err || tape->full)
		return;
	if (tape->fill_len && tape->fill_len + padded > BLOCK_FULL && kc_tape_flush(tape))
		return;
	tape->err = kc_grow(tape->fill, tape->fill_capacity, tape->fill_len + padded);
	if (tape->err)
		return;
	at = tape->fill + tape->fill_len;
	memset(at, 0, padded);
	memcpy(at, &entry, sizeof(entry));
	if (head_len)
		memcpy(at + sizeof(entry), head, head_len);
	if (more_len)
		memcpy(at + sizeof(entry) + head_len, more, more_len);
	tape->fill_len += padded;
}

int kc_tape_flush(struct kc_tape *tape)
{
	uLongf packed_len = compressBound(tape->fill_len);
	kc_auto_free uint8_t *packed = NULL;
	struct block block;

	if (tape->err || tape->full || !tape->fill_len)
		return tape->err;
	packed = malloc(sizeof(block) + packed_len);
	if (!packed || compress2(packed + sizeof(block), &packed_len, tape->fill, tape->fill_len,
				 Z_BEST_SPEED) != Z_OK) {
		tape->err = -ENOMEM;
		return tape->err;
	}
	block = (struct block){ .raw = tape->fill_len, .packed = packed_len };
	block.crc = checksum(&block, packed + sizeof(block));
	memcpy(packed, &block, sizeof(block));
	tape->total += tape->fill_len;
	tape->full = tape->size + sizeof(block) + packed_len > tape->max || tape->total > MAX_TOTAL;
	if (!tape->full)
		tape->err = kc_write_all(tape->fd, packed, sizeof(block) + packed_len, NULL);
	tape->size += sizeof(block) + packed_len;
	tape->fill_len = 0;
	return tape->err;
}

bool kc_tape_is_full(const struct kc_tape *tape)
{
	return tape->full;
}

void kc_tape_sync(struct kc_tape *tape)
{
	if (!tape->err && fdatasync(tape->fd))
		kc_debug("recording: %s", kc_strerror(errno));
}

/* True if all of it was there. */
static bool read_fully(int fd, void *data, size_t len)
{
	while (len) {
		ssize_t got = read(fd, data, len);

		if (got == 0 || (got < 0 && errno != EINTR))
			return false;
		if (got > 0) {
			data = (uint8_t *)data + got;
			len -= got;
		}
	}
	return true;
}

int kc_tape_open(const char *path, uint32_t layouts, struct kc_failure *ret_failure,
		 struct kc_tape **ret_tape)
{
	struct kc_tape *tape kc_auto(kc_cleanup_tape) = calloc(1, sizeof(*tape));
	struct header header;

	if (!tape)
		return kc_fail_nomem(ret_failure);
	tape->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (tape->fd < 0)
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, -errno, "cannot open %s: %s", path,
			       kc_strerror(errno));
	if (!read_fully(tape->fd, &header, sizeof(header)) ||
	    memcmp(header.magic, MAGIC, sizeof(header.magic)) != 0)
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, -EBADMSG,
			       "%s is no recording of kcanary's", path);
	if (header.version != KC_TAPE_VERSION || header.layouts != layouts)
		return kc_fail(ret_failure, KC_EXIT_CANNOT_RUN, -EBADMSG,
			       "%s was recorded by another version of kcanary (format %u/%u, this "
			       "one reads %u/%u)",
			       path, header.version, header.layouts, KC_TAPE_VERSION, layouts);
	*ret_tape = kc_take(tape);
	return 0;
}

static bool damaged(struct kc_tape *tape, const char *how)
{
	tape->damage = how;
	return false;
}

/* False: there is no further block that is whole. */
static bool next_block(struct kc_tape *tape)
{
	struct block block;
	kc_auto_free uint8_t *packed = NULL, *raw = NULL;
	uLongf len;
	char first;

	if (tape->damage || !read_fully(tape->fd, &first, 1))
		return false;
	((char *)&block)[0] = first;
	if (!read_fully(tape->fd, (char *)&block + 1, sizeof(block) - 1))
		return damaged(tape, "it was cut");
	if (!block.raw || block.raw > MAX_BLOCK || block.packed > compressBound(MAX_BLOCK))
		return damaged(tape, "a block's length makes no sense");
	if (block.pad)
		return damaged(tape, "a block was changed");
	packed = malloc(block.packed + 1);
	raw = malloc(block.raw);
	if (!packed || !raw || kc_grow(tape->blocks, tape->blocks_capacity, tape->nr_blocks + 1))
		return damaged(tape, "there is not enough memory");
	if (!read_fully(tape->fd, packed, block.packed))
		return damaged(tape, "it was cut");
	len = block.raw;
	if (checksum(&block, packed) != block.crc ||
	    uncompress(raw, &len, packed, block.packed) != Z_OK || len != block.raw)
		return damaged(tape, "a block was changed");
	tape->total += block.raw;
	if (tape->total > MAX_TOTAL)
		return damaged(tape, "it is larger than a recording can be");
	tape->blocks[tape->nr_blocks++] = kc_take(raw);
	tape->len = len;
	tape->at = 0;
	return true;
}

bool kc_tape_next(struct kc_tape *tape, struct kc_tape_entry *ret_entry)
{
	struct entry_head head;
	const uint8_t *block;

	if (tape->at == tape->len && !next_block(tape))
		return false;
	block = tape->blocks[tape->nr_blocks - 1];
	if (tape->len - tape->at < sizeof(head))
		return damaged(tape, "an entry was cut");
	memcpy(&head, block + tape->at, sizeof(head));
	if (!head.len || head.len > tape->len - tape->at - sizeof(head))
		return damaged(tape, "an entry's length makes no sense");
	*ret_entry = (struct kc_tape_entry){ head.kind, block + tape->at + sizeof(head), head.len };
	tape->at += (sizeof(head) + head.len + 7) & ~(size_t)7;
	if (tape->at > tape->len)
		return damaged(tape, "an entry was cut");
	return true;
}

const char *kc_tape_damage(const struct kc_tape *tape)
{
	return tape->damage;
}
