// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/kprobes.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "kernel/btf.h"
#include "util/array.h"

/* KPROBE_TABLE_SIZE in kernel/kprobes.c, since v2.6.9. */
#define BUCKETS 64

/* More of them, and the table is none. */
#define MAX_PROBES (1 << 16)

/* Times that a list is walked which changes under us. */
#define TRIES 4

/* Probes in one list that came while we look for another. */
#define NEWCOMERS 64

/* include/linux/kprobes.h: its module is gone; ftrace calls it, nothing was replaced. */
#define KPROBE_FLAG_GONE   1
#define KPROBE_FLAG_FTRACE 8

/* A struct kprobe is smaller. */
#define MAX_SIZE 1024

struct place {
	uint64_t addr;
	uint32_t bucket;
};

struct kc_kprobes {
	const struct kc_mem *mem;
	struct kc_kprobe_table table;
	pthread_mutex_t lock; /* of what follows */
	uint64_t heads[BUCKETS];
	bool walked;	   /* places are those that heads led to */
	bool failed;	   /* they could not be walked in this pass ... */
	uint64_t unwalked; /* ... or another one, so often */
	struct place *places;
	size_t count, capacity;
};

void kc_kprobe_table_learn(struct kc_btf *btf, struct kc_kprobe_table *ret_table)
{
	struct kc_kprobe_table table = {};

	if (kc_btf_offset(btf, "kprobe", "hlist", &table.hlist) ||
	    kc_btf_offset(btf, "kprobe", "addr", &table.probe) ||
	    kc_btf_offset(btf, "kprobe", "opcode", &table.opcode) ||
	    kc_btf_offset(btf, "kprobe", "flags", &table.flags) ||
	    kc_btf_size(btf, "kprobe", &table.size) || table.size > MAX_SIZE)
		return;
	/* Only with CONFIG_OPTPROBES; begins with the struct kprobe that the table knows. */
	if (kc_btf_offset(btf, "optimized_kprobe", "optinsn.copied_insn", &table.copied) ||
	    kc_btf_offset(btf, "optimized_kprobe", "optinsn.insn", &table.detour))
		table.copied = table.detour = 0;
	*ret_table = table;
}

int kc_kprobes_new(const struct kc_mem *mem, const struct kc_kprobe_table *table,
		   struct kc_kprobes **ret_kprobes)
{
	struct kc_kprobes *kprobes;

	if (!table->addr || !table->size)
		return -ENOENT;
	kprobes = calloc(1, sizeof(*kprobes));
	if (!kprobes)
		return -ENOMEM;
	kprobes->mem = mem;
	kprobes->table = *table;
	pthread_mutex_init(&kprobes->lock, NULL);
	*ret_kprobes = kprobes;
	return 0;
}

void kc_kprobes_free(struct kc_kprobes *kprobes)
{
	if (!kprobes)
		return;
	pthread_mutex_destroy(&kprobes->lock);
	free(kprobes->places);
	free(kprobes);
}

/* One of the table's probes. */
struct probe {
	uint64_t at, next; /* where its struct lies; the node behind it */
	uint64_t addr;
	uint32_t flags;
	uint8_t opcode;
};

static int read_probe(const struct kc_kprobes *kprobes, uint64_t node, struct probe *ret_probe)
{
	const struct kc_kprobe_table *table = &kprobes->table;
	struct probe probe = { .at = node - table->hlist };
	uint8_t raw[MAX_SIZE];
	int err;

	if (node < kc_arch()->kernel_half)
		return -EBADMSG;
	err = kc_mem_read(kprobes->mem, probe.at, raw, table->size);
	if (err)
		return err;
	memcpy(&probe.next, raw + table->hlist, sizeof(probe.next));
	memcpy(&probe.addr, raw + table->probe, sizeof(probe.addr));
	memcpy(&probe.flags, raw + table->flags, sizeof(probe.flags));
	probe.opcode = raw[table->opcode];
	*ret_probe = probe;
	return 0;
}

static int add_place(struct kc_kprobes *kprobes, uint64_t addr, uint32_t bucket)
{
	int err = kc_grow(kprobes->places, kprobes->capacity, kprobes->count + 1);

	if (!err)
		kprobes->places[kprobes->count++] = (struct place){ addr, bucket };
	return err;
}

static int walk(struct kc_kprobes *kprobes)
{
	kprobes->count = 0;
	for (uint32_t i = 0; i < BUCKETS; i++) {
		struct probe probe;

		for (uint64_t node = kprobes->heads[i]; node; node = probe.next) {
			int err = read_probe(kprobes, node, &probe);

			if (!err)
				err = kprobes->count < MAX_PROBES
					      ? add_place(kprobes, probe.addr, i)
					      : -EBADMSG;
			if (err)
				return err;
		}
	}
	return 0;
}

/*
 * Know all places where there is a probe. A new one always becomes its bucket's first
 * (hlist_add_head_rcu() in __register_kprobe()): the same heads mean that none has come. One that
 * has gone is seen when it is looked for. Lists that can't be walked are left alone for this pass:
 * the walk may be as long as any, and text is read all the time.
 */
static void follow_heads(struct kc_kprobes *kprobes)
{
	uint64_t heads[BUCKETS];

	for (int i = 0; !kprobes->failed && i < TRIES; i++) {
		if (kc_mem_read(kprobes->mem, kprobes->table.addr, heads, sizeof(heads))) {
			kprobes->walked = false;
			break;
		}
		if (kprobes->walked && !memcmp(heads, kprobes->heads, sizeof(heads)))
			return;
		memcpy(kprobes->heads, heads, sizeof(heads));
		kprobes->walked = !walk(kprobes);
	}
	if (kprobes->walked)
		return;
	kprobes->count = 0;
	kprobes->unwalked += !kprobes->failed;
	kprobes->failed = true;
}

/* The probe at a place as it is now; false: there is none any more. */
static bool find_probe(const struct kc_kprobes *kprobes, const struct place *place,
		       struct probe *ret_probe)
{
	uint64_t node;

	if (kc_mem_read(kprobes->mem, kprobes->table.addr + place->bucket * sizeof(node), &node,
			sizeof(node)))
		return false;
	for (size_t i = 0; node && i < kprobes->count + NEWCOMERS; i++, node = ret_probe->next) {
		if (read_probe(kprobes, node, ret_probe))
			return false;
		if (ret_probe->addr == place->addr)
			return !(ret_probe->flags & (KPROBE_FLAG_GONE | KPROBE_FLAG_FTRACE));
	}
	return false;
}

/*
 * What an optimized probe's jump has replaced behind the first byte, if these bytes are that
 * jump. Of a probe that is none, what lies behind its struct is no address that they lead to.
 */
static bool find_copied(const struct kc_kprobes *kprobes, const struct probe *probe,
			const uint8_t bytes[KC_MAX_PATCH], uint8_t ret_copied[KC_MAX_PATCH])
{
	const struct kc_kprobe_table *table = &kprobes->table;
	uint32_t tail = kc_arch()->patch_len - 1;
	uint8_t jump[KC_MAX_PATCH];
	uint64_t detour;

	if (!table->detour ||
	    kc_mem_read(kprobes->mem, probe->at + table->detour, &detour, sizeof(detour)))
		return false;
	kc_arch()->make_jump(probe->addr, detour, jump);
	return !memcmp(bytes + 1, jump + 1, tail) &&
	       (bytes[0] == jump[0] || kc_arch()->is_breakpoint(bytes[0])) &&
	       !kc_mem_read(kprobes->mem, probe->at + table->copied, ret_copied, tail);
}

static void restore(const struct kc_kprobes *kprobes, const struct place *place, uint8_t *bytes,
		    size_t len)
{
	uint8_t now[KC_MAX_PATCH], copied[KC_MAX_PATCH];
	size_t all = kc_arch()->patch_len, here = len < all ? len : all;
	struct probe probe;

	if (!kc_arch()->is_patch(bytes[0]) || !find_probe(kprobes, place, &probe))
		return;
	memcpy(now, bytes, here);
	if (here < all && kc_mem_read(kprobes->mem, place->addr + here, now + here, all - here))
		memset(now + here, 0, all - here);
	if (find_copied(kprobes, &probe, now, copied))
		memcpy(bytes + 1, copied, here - 1);
	else if (!kc_arch()->is_breakpoint(bytes[0]))
		return;
	bytes[0] = probe.opcode;
}

static bool has_patch_in(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (kc_arch()->is_patch(bytes[i]))
			return true;
	return false;
}

void kc_kprobes_next_pass(struct kc_kprobes *kprobes)
{
	pthread_mutex_lock(&kprobes->lock);
	kprobes->failed = false;
	kprobes->walked = false; /* a new probe may lie where one was that has gone */
	pthread_mutex_unlock(&kprobes->lock);
}

uint64_t kc_kprobes_unwalked(struct kc_kprobes *kprobes)
{
	uint64_t unwalked;

	pthread_mutex_lock(&kprobes->lock);
	unwalked = kprobes->unwalked;
	pthread_mutex_unlock(&kprobes->lock);
	return unwalked;
}

void kc_kprobes_restore(struct kc_kprobes *kprobes, uint64_t addr, uint8_t *bytes, size_t len)
{
	if (!has_patch_in(bytes, len))
		return;
	pthread_mutex_lock(&kprobes->lock);
	follow_heads(kprobes);
	for (size_t i = 0; i < kprobes->count; i++) {
		uint64_t at = kprobes->places[i].addr - addr;

		if (at < len)
			restore(kprobes, &kprobes->places[i], bytes + at, len - at);
	}
	pthread_mutex_unlock(&kprobes->lock);
}
