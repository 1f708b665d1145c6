// SPDX-License-Identifier: GPL-2.0-only
/*
 * Read kernel memory: text, ORC tables, the module list.
 *
 * A raw tracepoint program that is never attached: user space runs it with
 * BPF_PROG_RUN (raw_tp since v5.10) and takes the bytes from a mapped array.
 * The read itself is copy_from_kernel_nofault(): a bad address is an error,
 * never a fault.
 */
#include "kc.bpf.h"

char LICENSE[] SEC("license") = "GPL";

struct chunk {
	__u8 bytes[KC_KMEM_CHUNK];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct chunk);
} chunk SEC(".maps");

SEC("raw_tp")
int kc_kmem_read(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 addr = ctx->args[0], len = ctx->args[1];
	__u32 zero = 0;
	struct chunk *to = bpf_map_lookup_elem(&chunk, &zero);

	if (!to || len == 0 || len > sizeof(to->bytes))
		return -22; /* EINVAL */
	return bpf_probe_read_kernel(to->bytes, len, (void *)addr);
}
