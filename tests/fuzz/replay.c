// SPDX-License-Identifier: GPL-2.0-only
/* A recording of any content, once a whole file and once what blocks hold, is replayed. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <zlib.h>

#include "fuzz.h"
#include "monitor/record.h"
#include "monitor/replay.h"
#include "report/report.h"
#include "source/tape.h"
#include "util/log.h"

static void put(int fd, const void *data, size_t len)
{
	require(write(fd, data, len) == (ssize_t)len);
}

/* The bytes as the entries of one block. */
static void put_block(int fd, const uint8_t *data, size_t size)
{
	struct {
		char magic[8];
		uint32_t version, layouts;
	} header = { "kcanary\n", KC_TAPE_VERSION, kc_recorder_layouts() };
	uLongf len = compressBound(size);
	uint8_t *packed = malloc(len);
	uint32_t block[4] = { size };

	require(packed && compress(packed, &len, data, size) == Z_OK);
	block[1] = len;
	block[2] = crc32(crc32(0, (const uint8_t *)block, 8), packed, len);
	put(fd, &header, sizeof(header));
	put(fd, block, sizeof(block));
	put(fd, packed, len);
	free(packed);
}

static void replay_file(int fd, bool json)
{
	struct kc_sinks sinks kc_auto(kc_sinks_free) = {};
	struct kc_tape *tape kc_auto(kc_cleanup_tape) = NULL;
	struct kc_replay *replay kc_auto(kc_cleanup_replay) = NULL;
	struct kc_replayed replayed;
	struct kc_failure failure;
	struct kc_report *report;
	struct kc_host host;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (kc_tape_open(path, kc_recorder_layouts(), &failure, &tape) ||
	    kc_replay_new(tape, &failure, &replay)) {
		require(*failure.text);
		return;
	}
	kc_replay_host(replay, &host);
	require(!kc_report_new("/dev/null", json, &host, &report));
	kc_sinks_add(&sinks, kc_report_sink(report));
	kc_replay_run(replay, &sinks, &replayed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd;

	kc_log_set_level(KC_LOG_ERROR);
	fd = memfd_create("tape", MFD_CLOEXEC);

	require(fd >= 0);
	if (size >= 8 && !memcmp(data, "kcanary\n", 8))
		put(fd, data, size);
	else
		put_block(fd, data, size);
	replay_file(fd, size & 1);
	close(fd);
	return 0;
}
