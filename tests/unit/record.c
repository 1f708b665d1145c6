// SPDX-License-Identifier: GPL-2.0-only
/* A watch that is written down and told again; and what is left of a recording that was cut. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_watch.h"
#include "monitor/record.h"
#include "monitor/replay.h"
#include "monitor/unseen.h"
#include "report/report.h"
#include "source/facts.h"
#include "util/array.h"
#include "util/log.h"

static char folder[] = "/tmp/kcanary-record.XXXXXX";
static char tape_path[64], told_path[64], again_path[64];
static struct kc_recorder *recorder;
static struct kc_tape *tape;

static int setup(void **state)
{
	kc_log_set_level(KC_LOG_ERROR);
	fake_watch_setup(state);
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(tape_path, sizeof(tape_path), "%s/tape", folder);
	snprintf(told_path, sizeof(told_path), "%s/told", folder);
	snprintf(again_path, sizeof(again_path), "%s/again", folder);
	return 0;
}

static int teardown(void **state)
{
	unlink(tape_path);
	unlink(told_path);
	unlink(again_path);
	rmdir(folder);
	return fake_watch_teardown(state);
}

static char *read_text(const char *path, size_t *ret_len)
{
	FILE *file = fopen(path, "re");
	char *text = calloc(1, 1 << 20);

	assert_non_null(file);
	*ret_len = fread(text, 1, (1 << 20) - 1, file);
	fclose(file);
	return text;
}

static void begin_recording(void)
{
	struct kc_report *report;
	struct kc_source *through;
	struct kc_host host;

	assert_int_equal(kc_tape_create(tape_path, kc_recorder_layouts(), 64 << 20, &tape), 0);
	assert_int_equal(kc_recorder_new(&session, tape, &recorder), 0);
	through = kc_recorder_source(recorder, source);
	fake_watch_through(through);
	kc_source_host(through, &host);
	assert_int_equal(kc_report_new(told_path, true, &host, &report), 0);
	kc_sinks_add(&sinks, kc_report_sink(report));
	kc_sinks_add(&sinks, kc_recorder_sink(recorder));
	source = through; /* for the events */
}

static void end_recording(void)
{
	source = &changing.source;
	kc_sinks_free(&sinks);
	kc_recorder_free(kc_take(recorder));
	kc_tape_free(kc_take(tape));
}

static void run(void)
{
	assert_int_equal(kc_passes_run(passes), 0);
}

/* Sent, secured and handled before anything else is told: in the order of the recording. */
static void hear(struct kc_events *events, struct kc_event *event)
{
	fake_send(event);
	while (fake_held(KC_HELD_TOLD) != event->id) {
		nap();
		assert_int_equal(kc_events_handle(events), 0);
	}
}

extern const char interrupt_again[], simple[], simple_call[], simple_fails[],
	__x86_indirect_thunk_rax[], thunk_return[];

/* All that a watch may have to tell, a reload in the middle. */
static void watch_something(void)
{
	static const struct kc_filter filter = {};
	const struct kc_probed probed = { "simple", "several", 1, 2 };
	const struct kc_function_depth function = { "simple", { .max = 512, .bucket[9] = 3 } };
	const struct kc_deep_thread thread = { 101, 512, "simple" };
	struct kc_coverage coverage = {};
	struct kc_events *events;
	struct kc_event *event;

	assert_int_equal(kc_sinks_start(&sinks, &(struct kc_start){ &filter, 10, &probed, 1, true,
								    true, 11 }),
			 0);
	events = start_events();
	run();
	fake_pointee = (struct kc_pointee){ .kind = KC_POINTED_STACK, .tid = 9, .offset = 64 };
	threads[1].words[SLOT] = 0x4141414141414141;
	run();
	threads[2].words[SLOT + 1] = (uint64_t)interrupt_again + 5;
	run();
	hear(events, new_event(1000, 7001));
	hear(events, new_event(1000, 7002)); /* the same again */
	event = new_event(1001, 7003);
	event->damage.slot += 8; /* not borne out */
	hear(events, event);
	changing.stale_at = 0;
	run();
	kc_passes_coverage(passes, &coverage);
	assert_int_equal(kc_sinks_stats(&sinks, &coverage), 0);
	/* A notice before a finding, in one pass. */
	threads[0].ran = true;
	for (int i = 1; i < KC_RESTLESS_LOOKS; i++)
		run();
	threads[2].words[SLOT] = 0;
	run();
	threads[0].ran = false;
	threads[0].record.flags |= KC_RECORD_END_GONE;
	run();
	hear(events, new_event(1002, 7004));
	assert_int_equal(kc_events_stop(events), 0);
	kc_passes_coverage(passes, &coverage);
	kc_events_counts(events, &coverage.probes);
	coverage.probes.comparisons = 17;
	coverage.watch.gaps = 3;
	snprintf(coverage.probes.deepest, sizeof(coverage.probes.deepest), "simple");
	assert_int_equal(kc_sinks_stop(&sinks, &coverage,
				       &(struct kc_depths){ &function, 1, &thread, 1 }, "stopped"),
			 0);
	kc_events_free(events);
}

/* NULL: nothing of it could be used, which was said. Else what was told; the caller's. */
static char *replay(size_t *ret_len, struct kc_replayed *ret_replayed)
{
	struct kc_sinks told kc_auto(kc_sinks_free) = {};
	struct kc_tape *from kc_auto(kc_cleanup_tape) = NULL;
	struct kc_replay *it kc_auto(kc_cleanup_replay) = NULL;
	struct kc_failure failure = {};
	struct kc_report *report;
	struct kc_host host;

	unlink(again_path);
	if (kc_tape_open(tape_path, kc_recorder_layouts(), &failure, &from) ||
	    kc_replay_new(from, &failure, &it)) {
		assert_true(*failure.text);
		return NULL;
	}
	kc_replay_host(it, &host);
	assert_int_equal(kc_report_new(again_path, true, &host, &report), 0);
	kc_sinks_add(&told, kc_report_sink(report));
	assert_int_equal(kc_replay_run(it, &told, ret_replayed), 0);
	return read_text(again_path, ret_len);
}

static size_t count(const char *text, const char *what)
{
	size_t found = 0;

	for (; (text = strstr(text, what)); text++)
		found++;
	return found;
}

/* Byte for byte what the watch told, in its order. */
static void told_again(void **state)
{
	struct kc_replayed replayed;
	size_t told_len, len;
	char *told, *again;

	(void)state;
	begin_recording();
	/* One of them does more than to write, which takes looks that a replay's sinks don't ask
	 * for. */
	seen.wants_again = true;
	watch_something();
	end_recording();
	told = read_text(told_path, &told_len);
	assert_true(seen.again > 0);
	assert_int_equal(changing.reloads, 1);
	assert_int_equal(count(told, "\"type\":\"finding\""), 6);
	assert_int_equal(count(told, "\"return_was\":"), 1);
	assert_int_equal(count(told, "\"what\":\"stack of thread 9, depth 0x40\""), 2);
	assert_int_equal(count(told, "\"type\":\"evidence\""), 4);
	assert_int_equal(count(told, "\"type\":\"notice\""), 3);
	assert_int_equal(count(told, "\"type\":\"stats\""), 2); /* and at the end */
	assert_int_equal(count(told, "\"type\":\"stop\""), 1);
	again = replay(&len, &replayed);
	assert_non_null(again);
	assert_null(replayed.damage);
	assert_int_equal(replayed.coverage.told.findings, 6);
	assert_int_equal(replayed.coverage.probes.comparisons, 17);
	assert_int_equal(replayed.coverage.watch.gaps, 3);
	assert_string_equal(again, told);
	free(again);
	free(told);
}

static void hear_without_a_copy(struct kc_events *events, enum kc_event_kind kind, uint64_t site,
				uint64_t sp, uint64_t headroom)
{
	static uint64_t id = 7100;
	struct kc_event *event = new_event(1000, id++);

	event->kind = kind;
	event->flags = KC_EVENT_HELD;
	event->damage = (struct kc_damage){};
	event->headroom = headroom;
	event->site = event->caller = site;
	event->task.count = 0;
	event->task.size = sizeof(*event);
	event->task.sp = event->task.top = sp;
	hear(events, event);
}

/* Two places with too little stack to copy it, and a panic on an interrupt's. */
static void without_a_copy(void **state)
{
	const uint64_t site = new_event(1000, 1)->site;
	static const struct kc_filter filter = {};
	struct kc_coverage coverage = {};
	struct kc_replayed replayed;
	struct kc_events *events;
	char *told, *again, address[32];
	size_t len;

	(void)state;
	begin_recording();
	assert_int_equal(
		kc_sinks_start(&sinks, &(struct kc_start){ &filter, 10, NULL, 0, true, false, 0 }),
		0);
	events = start_events();
	run();
	hear_without_a_copy(events, KC_EVENT_EXHAUSTED, site, 0, 1000);
	hear_without_a_copy(events, KC_EVENT_EXHAUSTED, site - 1, 0, 1008);
	hear_without_a_copy(events, KC_EVENT_PANIC, site, 0xffffc90000003f00, KC_HEADROOM_UNKNOWN);
	assert_int_equal(kc_events_stop(events), 0);
	kc_passes_coverage(passes, &coverage);
	kc_events_counts(events, &coverage.probes);
	assert_int_equal(kc_sinks_stop(&sinks, &coverage, NULL, "stopped"), 0);
	kc_events_free(events);
	end_recording();
	told = read_text(told_path, &len);
	assert_int_equal(count(told, "\"type\":\"finding\""), 3);
	assert_int_equal(count(told, "\"headroom\":null"), 1);
	snprintf(address, sizeof(address), "%lx", site >> 12);
	assert_null(strstr(told, address));
	assert_null(strstr(told, "ffffc90000003f00"));
	again = replay(&len, &replayed);
	assert_non_null(again);
	assert_string_equal(again, told);
	free(again);
	free(told);
}

/*
 * Text that was patched while it was watched is told again as it was read: at first it makes
 * suspects of all, at the second look of none.
 */
static void patched_text(void **state)
{
	struct kc_replayed replayed;
	struct kc_coverage coverage = {};
	size_t told_len, len;
	char *told, *again;

	(void)state;
	begin_recording();
	assert_int_equal(
		kc_sinks_start(&sinks, &(struct kc_start){ .filter = &(struct kc_filter){} }), 0);
	misread_slot(1);
	run();
	threads[1].words[SLOT] = 0;
	run();
	kc_passes_coverage(passes, &coverage);
	assert_int_equal(coverage.sweep.unproven, 3);
	assert_int_equal(kc_sinks_stop(&sinks, &coverage, &(struct kc_depths){}, "stopped"), 0);
	end_recording();
	told = read_text(told_path, &told_len);
	assert_int_equal(count(told, "\"type\":\"finding\""), 1);
	again = replay(&len, &replayed);
	assert_non_null(again);
	assert_null(replayed.damage);
	assert_string_equal(again, told);
	free(again);
	free(told);
}

static uint8_t patch[8];
static size_t patch_len;

/* A patch at simple()'s beginning has begun. */
static void tear(uint64_t addr, uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < patch_len; i++)
		if ((uint64_t)simple + i - addr < len)
			bytes[(uint64_t)simple + i - addr] = patch[i];
}

#define SIMPLE_LEN (size_t)(simple_fails - simple)

/* What the tape, which ends here, has of the text at addr. */
static int end_and_read(struct kc_kernel *kernel, struct kc_facts *facts, uint64_t addr,
			uint8_t *ret_taped, size_t len)
{
	struct kc_rebase rebase = *kc_facts_rebase(facts);
	struct kc_tape_entry entries[64];
	struct kc_failure failure;
	struct kc_kernel *again;
	size_t count = 0;
	struct kc_mem *mem;
	int err;

	kc_facts_write(facts);
	kc_facts_end(facts);
	kc_kernel_free(kernel);
	assert_int_equal(kc_tape_flush(tape), 0);
	kc_tape_free(kc_take(tape));

	assert_int_equal(kc_tape_open(tape_path, 0, &failure, &tape), 0);
	while (kc_tape_next(tape, &entries[count]))
		assert_true(++count < kc_countof(entries));
	assert_int_equal(kc_facts_load(entries, count, &again, &mem), 0);
	kc_facts_until(mem, entries + count);
	err = kc_mem_read(mem, kc_rebase(&rebase, addr), ret_taped, len);
	kc_kernel_free(again);
	kc_mem_destroy(mem);
	kc_tape_free(kc_take(tape));
	unlink(tape_path);
	return err;
}

/* A breakpoint that nothing comes to is no patch that has begun: a retpoline is all there. */
static void text_of_a_retpoline(void **state)
{
	struct kc_kernel *kernel = fake_kernel();
	size_t len = thunk_return + 1 - __x86_indirect_thunk_rax;
	struct kc_facts *facts;
	uint8_t read[32], taped[32];

	(void)state;
	assert_int_equal(kc_tape_create(tape_path, 0, 64 << 20, &tape), 0);
	assert_int_equal(kc_facts_begin(kernel, tape, NULL, &facts), 0);
	assert_int_equal(kc_mem_read(kernel->mem, (uint64_t)__x86_indirect_thunk_rax, read, len),
			 0);
	assert_int_equal(
		end_and_read(kernel, facts, (uint64_t)__x86_indirect_thunk_rax, taped, len), 0);
	assert_memory_equal(taped, __x86_indirect_thunk_rax, len);
}

/* simple(), as it was read before (if known) and in the patch; then as it is on the tape. */
static int tape_of_patch(bool known, uint8_t ret_read[static 128], uint8_t ret_taped[static 128],
			 size_t len)
{
	struct kc_kernel *kernel = fake_kernel();
	struct kc_facts *facts;
	int err;

	assert_int_equal(kc_tape_create(tape_path, 0, 64 << 20, &tape), 0);
	assert_int_equal(kc_facts_begin(kernel, tape, NULL, &facts), 0);
	if (known)
		assert_int_equal(kc_mem_read(kernel->mem, (uint64_t)simple, ret_read, len), 0);
	fake_on_read = tear;
	/* Read for some of it, and twice. */
	assert_int_equal(kc_mem_read(kernel->mem, (uint64_t)simple_call, ret_read, 5), 0);
	assert_int_equal(kc_mem_read(kernel->mem, (uint64_t)simple, ret_read, SIMPLE_LEN), 0);
	fake_on_read = NULL;
	err = end_and_read(kernel, facts, (uint64_t)simple, ret_taped, len);
	return err;
}

/* What of a function is not being patched is on the tape all the same. */
static void text_in_a_patch(void **state)
{
	/* sub $0x18, %rsp, which becomes another; and that and the guard's load a jump. */
	static const uint8_t one[] = { 0xcc, 0x83, 0xec, 0x18 };
	static const uint8_t jump[] = { 0xcc, 0x12, 0x34, 0x56, 0x78 };
	uint8_t read[128], taped[128], none[16];

	(void)state;
	memset(none, 0xcc, sizeof(none));
	memcpy(patch, one, patch_len = sizeof(one));
	assert_int_equal(tape_of_patch(true, read, taped, SIMPLE_LEN), 0);
	assert_memory_equal(read, taped, SIMPLE_LEN);
	assert_int_equal(taped[0], 0xcc);
	assert_memory_equal(taped + 1, none, 3);
	/* No operand there that was moved. */
	assert_memory_equal(taped + 4, simple + 4, SIMPLE_LEN - 4);

	memcpy(patch, jump, patch_len = sizeof(jump));
	assert_int_equal(tape_of_patch(true, read, taped, SIMPLE_LEN), 0);
	assert_memory_equal(read, taped, SIMPLE_LEN);
	assert_int_equal(taped[0], 0xcc);
	assert_memory_equal(taped + 1, none, 12);
	assert_memory_equal(taped + 13, simple + 13, SIMPLE_LEN - 13);
}

/* How far the patch goes only the code before could tell: what can't be told is not on the tape. */
static void text_never_seen_whole(void **state)
{
	static const uint8_t jump[] = { 0xcc, 0x40, 0x5b, 0x3a, 0x1f };
	uint8_t read[128], taped[128];

	(void)state;
	memcpy(patch, jump, patch_len = sizeof(jump));
	assert_int_equal(tape_of_patch(false, read, taped, 1), -EFAULT);
	/* Who reads the kernel sees it as it is. */
	assert_memory_equal(read, jump, sizeof(jump));
	assert_memory_equal(read + 5, simple + 5, SIMPLE_LEN - 5);
}

/* What came before the cut, as the watch told it, and that there is damage. */
static void cut_anywhere(void **state)
{
	struct kc_replayed replayed;
	size_t told_len, len, used = 0;
	struct stat status;
	char *told;

	(void)state;
	begin_recording();
	watch_something();
	end_recording();
	told = read_text(told_path, &told_len);
	assert_int_equal(stat(tape_path, &status), 0);
	for (off_t size = (status.st_size - 1) & ~63; size >= 0; size -= 64) {
		char *again;

		assert_int_equal(truncate(tape_path, size), 0);
		again = replay(&len, &replayed);
		if (!again)
			continue;
		used++;
		assert_non_null(replayed.damage);
		assert_true(len < told_len);
		assert_memory_equal(again, told, len);
		free(again);
	}
	assert_true(used >= 10);
	free(told);
}

/* Where a block ends nothing shows that there was more, but that nobody said the end. */
static void cut_between_blocks(void **state)
{
	off_t ends[256], at = 16;
	struct kc_replayed replayed;
	size_t nr = 0, used = 0, len;
	uint32_t head[4];
	int fd;

	(void)state;
	begin_recording();
	watch_something();
	end_recording();
	fd = open(tape_path, O_RDONLY | O_CLOEXEC);
	for (; nr < 256 && pread(fd, head, 16, at) == 16; at += 16 + head[1])
		ends[nr++] = at;
	close(fd);
	while (nr--) {
		char *again;

		assert_int_equal(truncate(tape_path, ends[nr]), 0);
		again = replay(&len, &replayed);
		used += again != NULL;
		assert_true(!again || replayed.damage);
		free(again);
	}
	assert_true(used >= 3);
}

/* Of a block's head every bit counts, those that mean nothing too. */
static void changed_head(void **state)
{
	struct kc_replayed replayed;
	char *told;
	size_t len;
	int fd;

	(void)state;
	begin_recording();
	watch_something();
	end_recording();
	fd = open(tape_path, O_RDWR | O_CLOEXEC);
	for (off_t at = 0; at < 32; at++) {
		uint8_t byte, changed;

		assert_int_equal(pread(fd, &byte, 1, at), 1);
		changed = byte ^ 1 << at % 8;
		assert_int_equal(pwrite(fd, &changed, 1, at), 1);
		told = replay(&len, &replayed);
		assert_true(!told || replayed.damage);
		free(told);
		assert_int_equal(pwrite(fd, &byte, 1, at), 1);
	}
	close(fd);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

/* The recording written anew, each byte where `kind` has this offset being `value`. */
static void forge(enum kc_tape_kind kind, size_t offset, uint8_t value)
{
	struct kc_tape *from kc_auto(kc_cleanup_tape) = NULL, *to kc_auto(kc_cleanup_tape) = NULL;
	struct kc_failure failure;
	struct kc_tape_entry entry;
	size_t forged = 0;

	assert_int_equal(kc_tape_open(tape_path, kc_recorder_layouts(), &failure, &from), 0);
	assert_int_equal(kc_tape_create(told_path, kc_recorder_layouts(), 64 << 20, &to), 0);
	while (kc_tape_next(from, &entry)) {
		kc_auto_free uint8_t *bytes = malloc(entry.len);

		memcpy(bytes, entry.data, entry.len);
		if (entry.kind == kind && offset < entry.len) {
			bytes[offset] = value;
			forged++;
		}
		kc_tape_add(to, entry.kind, bytes, entry.len, NULL, 0);
	}
	assert_true(forged > 0);
	assert_int_equal(kc_tape_flush(to), 0);
	assert_int_equal(rename(told_path, tape_path), 0);
}

/* Sums that are right and contents that can't be: damage, and no more. */
static void forged_event(void **state)
{
	const size_t event = sizeof(struct kc_first);
	const struct {
		size_t offset;
		uint8_t value;
	} forgeries[] = {
		{ event + offsetof(struct kc_event, damage.changed_bits), 200 },
		{ event + offsetof(struct kc_event, damage.found), 200 },
		{ event + offsetof(struct kc_event, task.count), 3 },
		{ event + offsetof(struct kc_event, task.sp), 4 },
	};
	struct kc_replayed replayed;
	size_t len;

	(void)state;
	for (size_t i = 0; i < kc_countof(forgeries); i++) {
		char *again;

		if (i)
			fake_watch_setup(state);
		unlink(tape_path);
		begin_recording();
		watch_something();
		end_recording();
		unlink(told_path);
		forge(KC_TAPE_EVENT, forgeries[i].offset, forgeries[i].value);
		again = replay(&len, &replayed);
		assert_non_null(again);
		assert_string_equal(replayed.damage, "an entry makes no sense");
		free(again);
		if (i + 1 < kc_countof(forgeries))
			fake_watch_teardown(state);
	}
}

/* What a word points to is told, or nothing of it is. */
static void forged_words(void **state)
{
	struct kc_replayed replayed;
	size_t len;
	char *again;

	(void)state;
	begin_recording();
	watch_something();
	end_recording();
	unlink(told_path);
	forge(KC_TAPE_WORDS, offsetof(struct kc_pointed_words, word[0].kind), 200);
	again = replay(&len, &replayed);
	assert_non_null(again);
	assert_int_equal(count(again, "\"type\":\"finding\""), 6);
	assert_int_equal(count(again, "\"points_to\":"), 0);
	free(again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(told_again),	   TEST(without_a_copy),     TEST(patched_text),
		TEST(text_of_a_retpoline), TEST(text_in_a_patch),    TEST(text_never_seen_whole),
		TEST(cut_anywhere),	   TEST(cut_between_blocks), TEST(changed_head),
		TEST(forged_event),	   TEST(forged_words),
	};

	return RUN(tests);
}
