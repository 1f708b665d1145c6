// SPDX-License-Identifier: GPL-2.0-only
/* untape FILE: what the blocks of a recording hold, to stdout; for who searches it. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

int main(int argc, char **argv)
{
	FILE *file = argc == 2 ? fopen(argv[1], "r") : NULL;
	uint32_t block[4];
	char magic[16];

	if (!file || fread(magic, sizeof(magic), 1, file) != 1 ||
	    memcmp(magic, "kcanary\n", 8) != 0)
		return 2;
	while (fread(block, sizeof(block), 1, file) == 1) {
		uint8_t *packed = malloc(block[1]), *raw = malloc(block[0]);
		uLongf len = block[0];

		if (!packed || !raw || fread(packed, block[1], 1, file) != 1 ||
		    uncompress(raw, &len, packed, block[1]) != Z_OK)
			return 2;
		fwrite(raw, len, 1, stdout);
		free(packed);
		free(raw);
	}
	return fflush(stdout) ? 2 : 0;
}
