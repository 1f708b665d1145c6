// SPDX-License-Identifier: GPL-2.0-only
/*
 * leftovers: count what a BPF monitor may leave behind: programs, maps, links,
 * perf kprobes, trace events. One line, the same before and after a clean end.
 */
#include <linux/bpf.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int count_ids(int command)
{
	union bpf_attr attr;
	int count = 0;

	memset(&attr, 0, sizeof(attr));
	while (!syscall(SYS_bpf, command, &attr, sizeof(attr))) {
		attr.start_id = attr.next_id;
		count++;
	}
	return count;
}

static int count_lines(const char *path)
{
	FILE *file = fopen(path, "r");
	int count = 0, c;

	while (file && (c = fgetc(file)) != EOF)
		count += c == '\n';
	if (file)
		fclose(file);
	return file ? count : -1;
}

int main(void)
{
	printf("programs %d maps %d links %d kprobes %d events %d\n",
	       count_ids(BPF_PROG_GET_NEXT_ID), count_ids(BPF_MAP_GET_NEXT_ID),
	       count_ids(BPF_LINK_GET_NEXT_ID), count_lines("/sys/kernel/debug/kprobes/list"),
	       count_lines("/sys/kernel/tracing/dynamic_events"));
	return 0;
}
