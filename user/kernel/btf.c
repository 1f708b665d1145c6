// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "kernel/btf.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Finding a type by name walks through all 100,000: remember the few asked for. */
#define MAX_ASKED 16

struct kc_btf {
	struct btf *btf;
	struct {
		const char *name; /* the caller's string literal */
		int id;		  /* negative: there is none */
	} asked[MAX_ASKED];
	size_t nr_asked;
};

int kc_btf_load(const char *path, struct kc_btf **ret_btf)
{
	struct kc_btf *btf = calloc(1, sizeof(*btf));
	int err;

	if (!btf)
		return -ENOMEM;
	btf->btf = btf__parse(path, NULL);
	if (!btf->btf) {
		err = -errno;
		free(btf);
		return err;
	}
	*ret_btf = btf;
	return 0;
}

void kc_btf_free(struct kc_btf *btf)
{
	if (!btf)
		return;
	btf__free(btf->btf);
	free(btf);
}

static const struct btf_type *find_type(struct kc_btf *btf, const char *name)
{
	int id;

	for (size_t i = 0; i < btf->nr_asked; i++) {
		if (!strcmp(btf->asked[i].name, name)) {
			id = btf->asked[i].id;
			return id < 0 ? NULL : btf__type_by_id(btf->btf, id);
		}
	}
	id = btf__find_by_name_kind(btf->btf, name, BTF_KIND_STRUCT);
	if (btf->nr_asked < MAX_ASKED) {
		btf->asked[btf->nr_asked].name = name;
		btf->asked[btf->nr_asked++].id = id;
	}
	return id < 0 ? NULL : btf__type_by_id(btf->btf, id);
}

/* The struct or union behind modifiers and typedefs, or NULL. */
static const struct btf_type *composite(const struct btf *btf, uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	while (type && (btf_is_mod(type) || btf_is_typedef(type)))
		type = btf__type_by_id(btf, type->type);
	if (type && btf_is_array(type))
		return composite(btf, btf_array(type)->type);
	return type && btf_is_composite(type) ? type : NULL;
}

int kc_btf_size(struct kc_btf *btf, const char *type_name, uint32_t *ret_size)
{
	const struct btf_type *type = find_type(btf, type_name);

	if (!type)
		return -ENOENT;
	*ret_size = type->size;
	return 0;
}

/* Find one member by name, through anonymous members. */
static int find_member(const struct btf *btf, const struct btf_type *type, const char *name,
		       size_t len, const struct btf_type **ret_type, uint32_t *ret_bits)
{
	const struct btf_member *members = btf_members(type);

	for (uint16_t i = 0; i < btf_vlen(type); i++) {
		const char *member = btf__name_by_offset(btf, members[i].name_off);
		uint32_t bits = btf_member_bit_offset(type, i), inner;
		const struct btf_type *next = composite(btf, members[i].type);

		if (member && strlen(member) == len && !memcmp(member, name, len)) {
			*ret_type = next;
			*ret_bits = bits;
			return 0;
		}
		if ((!member || !*member) && next &&
		    !find_member(btf, next, name, len, ret_type, &inner)) {
			*ret_bits = bits + inner;
			return 0;
		}
	}
	return -ENOENT;
}

int kc_btf_offset(struct kc_btf *btf, const char *type_name, const char *path, uint32_t *ret_offset)
{
	const struct btf_type *type = find_type(btf, type_name);
	uint32_t offset = 0;

	for (const char *name = path; type; name++) {
		size_t len = strcspn(name, ".");
		uint32_t bits;
		int err = find_member(btf->btf, type, name, len, &type, &bits);

		if (err)
			return err;
		offset += bits / 8;
		name += len;
		if (!*name) {
			*ret_offset = offset;
			return 0;
		}
	}
	return -ENOENT;
}
