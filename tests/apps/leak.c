// SPDX-License-Identifier: GPL-2.0-only
/*
 * leak: search files and a process's memory for canaries.
 *
 *	usage: leak CANARIES [-p PID] [FILE]...
 *
 * CANARIES has lines "TID CANARY" (16 hex digits), as the fault module lists them.
 * A canary's lowest byte is zero; any five consecutive ones of the other seven are
 * a hit, wherever they begin. Exit 0 without a hit, 1 with one, 2 if it can't tell.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW	   5 /* bytes */
#define PIECE	   ((1ULL << 8 * WINDOW) - 1)
#define DISGUISE   0x5aa5c33c96ULL
#define MAX_PIECES (1 << 20)
#define FILTER	   (1 << 22)
#define CHUNK	   (1 << 20)

static uint64_t pieces[MAX_PIECES];
static size_t nr_pieces, nr_canaries, nr_bytes, nr_hits;
static uint8_t filter[FILTER / 8];

static uint32_t filter_bit(uint64_t piece)
{
	return (piece * 0x9e3779b97f4a7c15ULL) >> 42;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void die(const char *what)
{
	fprintf(stderr, "leak: %s: %s\n", what, strerror(errno));
	exit(2);
}

/*
 * The watcher's samples go on while it is stopped, and tell the registers that a system call was
 * made with. So ours hold no canary: none is made between the first of them and the sorting, and
 * what is kept are pieces in disguise.
 */
static void load(const char *path)
{
	static char text[1 << 20];
	FILE *file = fopen(path, "r");
	char *at = text, *end;

	if (!file)
		die(path);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	for (;; at = end, nr_canaries++) {
		unsigned long canary;

		strtol(at, &at, 10);
		canary = strtoul(at, &end, 16);
		if (end == at)
			break;
		for (int byte = 1; byte + WINDOW <= 8; byte++) {
			uint64_t piece = (canary >> 8 * byte ^ DISGUISE) & PIECE;

			if (nr_pieces == MAX_PIECES) {
				errno = E2BIG;
				die(path);
			}
			pieces[nr_pieces++] = piece;
			filter[filter_bit(piece) / 8] |= 1 << filter_bit(piece) % 8;
		}
	}
	if (!nr_canaries) {
		errno = ENODATA;
		die(path);
	}
	qsort(pieces, nr_pieces, sizeof(pieces[0]), compare);
}

static void search(const uint8_t *bytes, size_t len, const char *where, uint64_t at)
{
	uint64_t window = 0;

	nr_bytes += len;
	for (size_t i = 0; i < len; i++) {
		uint64_t piece;
		uint32_t bit;

		window = window >> 8 | (uint64_t)bytes[i] << 8 * (WINDOW - 1);
		piece = window ^ DISGUISE;
		bit = filter_bit(piece);
		if (i + 1 < WINDOW || !(filter[bit / 8] >> bit % 8 & 1) ||
		    !bsearch(&piece, pieces, nr_pieces, sizeof(pieces[0]), compare))
			continue;
		nr_hits++;
		printf("hit: %s at 0x%lx\n", where, at + i + 1 - WINDOW);
	}
}

/* Overlapping chunks, so that nothing hides on a border. */
static void search_file(int fd, uint64_t from, uint64_t to, const char *where)
{
	static uint8_t chunk[CHUNK];

	while (from < to) {
		size_t want = to - from < CHUNK ? to - from : CHUNK;
		ssize_t got = pread(fd, chunk, want, from);

		if (got <= 0)
			return;
		search(chunk, got, where, from);
		if (got < WINDOW || from + got >= to)
			return;
		from += got - (WINDOW - 1);
	}
}

static void search_process(int pid)
{
	char path[64], line[512];
	unsigned long from, to;
	FILE *maps;
	int mem;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "r");
	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY);
	if (!maps || mem < 0)
		die(path);
	while (fgets(line, sizeof(line), maps)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%lx-%lx", &from, &to) == 2 && !strstr(line, "[vsyscall]"))
			search_file(mem, from, to, line);
	}
	fclose(maps);
	close(mem);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: leak CANARIES [-p PID] [FILE]...\n");
		return 2;
	}
	load(argv[1]);
	for (int i = 2; i < argc; i++) {
		int fd;

		if (!strcmp(argv[i], "-p") && i + 1 < argc) {
			search_process(atoi(argv[++i]));
			continue;
		}
		fd = open(argv[i], O_RDONLY);
		if (fd < 0)
			die(argv[i]);
		search_file(fd, 0, UINT64_MAX, argv[i]);
		close(fd);
	}
	printf("searched for %zu canaries in %zu bytes: %zu hits\n", nr_canaries, nr_bytes,
	       nr_hits);
	return nr_hits != 0;
}
