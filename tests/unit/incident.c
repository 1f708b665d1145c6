// SPDX-License-Identifier: GPL-2.0-only
/*
 * usage: incident [FOLDER]
 *
 * The incident that this project started from, out of the numbers of its report: a RHEL 7 host
 * (3.10.0-862.14.2.el7, which has no ORC) that died in hrtimer_nanosleep(), of a thread that
 * waits for a futex. The recording is of what the tripwire would have sent. With a FOLDER it is
 * left there, as incident.kcr, and beside it what was told, incident.json.
 *
 * From the report: addresses on the stack and in text, hrtimer_nanosleep()'s prologue and check,
 * the words from 0xffff8812473e3d18 to ...3d58, registers of user mode, facts about the host. Not
 * in it, and so made up: where the other functions begin and end, and all words that are DATA here.
 */
#include "unit.h"

#include <json-c/json.h>
#include <json-c/json_pointer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_watch.h"
#include "monitor/record.h"
#include "report/report.h"
#include "util/array.h"
#include "util/log.h"

#define NOP 0x90

static const char symbols[] = "ffffffff81000000 T _text\n"
			      "ffffffff8107aff0 T __stack_chk_fail\n"
			      "ffffffff8107b010 t behind_stack_chk_fail\n"
			      "ffffffff810aa780 T hrtimer_nanosleep\n"
			      "ffffffff810aa8e0 T behind_hrtimer_nanosleep\n"
			      "ffffffff810c1280 T check_preempt_curr\n"
			      "ffffffff810c1320 T behind_check_preempt_curr\n"
			      "ffffffff810e4b00 T do_futex\n"
			      "ffffffff810e5760 T sys_futex\n"
			      "ffffffff810e5800 T behind_sys_futex\n"
			      "ffffffff8162f1a0 T panic\n"
			      "ffffffff8162f2c0 T behind_panic\n"
			      "ffffffff816461b3 T system_call_fastpath\n"
			      "ffffffff816461e0 T behind_system_call_fastpath\n"
			      "ffffffff81657000 T _etext\n";

#define HRTIMER_NANOSLEEP 0xffffffff810aa780
#define PANIC		  0xffffffff8162f1a0
#define INTO(offset)	  (HRTIMER_NANOSLEEP + (offset))

/* What is not here is NOPs. */
static const struct piece {
	uint64_t addr;
	const char *bytes;
	size_t len;
} text[] = {
#define PIECE(addr, bytes)                     \
	{                                      \
		addr, bytes, sizeof(bytes) - 1 \
	}
	/* push rbp; mov rsp, rbp */
	PIECE(0xffffffff8107aff5, "\x55\x48\x89\xe5"),
	PIECE(0xffffffff8107b006, "\xe8\x95\x41\x5b\x00"), /* call panic */
	/* push rbp; mov rsp, rbp; push r14, r13, r12, rbx; sub 0x70, rsp */
	PIECE(INTO(5), "\x55\x48\x89\xe5\x41\x56\x41\x55\x41\x54\x53\x48\x83\xec\x70"),
	/* mov gs:0x28, rax; mov rax, -0x28(rbp) */
	PIECE(INTO(38), "\x65\x48\x8b\x04\x25\x28\x00\x00\x00\x48\x89\x45\xd8"),
	/* mov -0x28(rbp), rdx; xor gs:0x28, rdx */
	PIECE(INTO(273), "\x48\x8b\x55\xd8\x65\x48\x33\x14\x25\x28\x00\x00\x00"),
	PIECE(INTO(289), "\x75\x32"), /* jne +341 */
	/* add 0x70, rsp; pop rbx, r12, r13, r14, rbp; ret */
	PIECE(INTO(291), "\x48\x83\xc4\x70\x5b\x41\x5c\x41\x5d\x41\x5e\x5d\xc3"),
	PIECE(INTO(341), "\xe8\x16\x07\xfd\xff"),	   /* call __stack_chk_fail */
	PIECE(0xffffffff810e52ac, "\xff\xd0"),		   /* call *rax */
	PIECE(0xffffffff810e57db, "\xe8\x20\xf3\xff\xff"), /* call do_futex */
	PIECE(0xffffffff816461c2, "\xff\x14\xc5\x00\x00\x80\x81"),
#undef PIECE
};

enum { BP = 4, SP_ = 5 }; /* of ORC, V3 */

/* Where the CFA is from here on, as gcc's prologues have it. */
static const struct row {
	uint64_t pc;
	int16_t offset;
	uint8_t reg, type;
} rows[] = {
	{ 0xffffffff81000000, 0, 0, KC_ORC_UNDEFINED },
	{ 0xffffffff8107aff0, 8, SP_, KC_ORC_CALL },
	{ 0xffffffff8107aff6, 16, SP_, KC_ORC_CALL },
	{ 0xffffffff8107aff9, 16, BP, KC_ORC_CALL },
	{ 0xffffffff8107b010, 0, 0, KC_ORC_UNDEFINED },
	{ INTO(0), 8, SP_, KC_ORC_CALL },
	{ INTO(6), 16, SP_, KC_ORC_CALL },
	{ INTO(9), 16, BP, KC_ORC_CALL },
	{ INTO(303), 8, SP_, KC_ORC_CALL },
	{ INTO(304), 16, BP, KC_ORC_CALL },
	{ 0xffffffff810aa8e0, 0, 0, KC_ORC_UNDEFINED },
	{ 0xffffffff810e4b00, 16, BP, KC_ORC_CALL },
	{ 0xffffffff810e5800, 0, 0, KC_ORC_UNDEFINED },
	{ PANIC, 8, SP_, KC_ORC_CALL },
	{ 0xffffffff8162f2c0, 0, 0, KC_ORC_UNDEFINED },
	{ 0xffffffff816461b3, 0, 0, KC_ORC_END_OF_STACK },
	{ 0xffffffff816461e0, 0, 0, KC_ORC_UNDEFINED },
};

static int read_incident(const struct kc_mem *mem, uint64_t addr, void *buf, size_t len)
{
	(void)mem;
	memset(buf, NOP, len);
	for (size_t i = 0; i < kc_countof(text); i++)
		for (size_t n = 0; n < text[i].len; n++)
			if (text[i].addr + n - addr < len)
				((char *)buf)[text[i].addr + n - addr] = text[i].bytes[n];
	return 0;
}

static void make_tables(struct kc_orc_table *table)
{
	table->count = kc_countof(rows);
	table->layout = KC_ORC_V3;
	table->ip_addr = rows[0].pc;
	table->ip = calloc(table->count, sizeof(*table->ip));
	table->entries = calloc(table->count, sizeof(*table->entries));
	for (size_t i = 0; i < table->count; i++) {
		table->ip[i] = rows[i].pc - table->ip_addr - 4 * i;
		table->entries[i] = (struct kc_orc_raw){
			.sp_offset = rows[i].offset,
			.bp_offset = -16,
			.bits = rows[i].reg | rows[i].type << 8 | (rows[i].reg == BP) << 4,
		};
	}
}

static struct kc_kernel *incident_kernel(void)
{
	static const struct kc_mem mem = { .read = read_incident, .name = "incident" };
	struct kc_kernel *kernel = calloc(1, sizeof(*kernel));

	*kernel = (struct kc_kernel){
		.mem = &mem,
		.text = 0xffffffff81000000,
		.text_end = 0xffffffff81657000,
		.modules_start = kc_arch()->modules,
		.thread_size = 16384,
		.inactive = { .bp = 40, .ret_addr = 48, .size = 56 },
		.pt_regs = { .bp = 32, .pc = 128, .mode = 136, .sp = 152, .size = 168 },
		.guard.addr = 0x28,
	};
	assert_int_equal(fake_ksyms(symbols, &kernel->ksyms), 0);
	make_tables(&kernel->orc);
	return kernel;
}

/* Where RBP points, and where on the stack do_futex()'s caller lies. */
static struct {
	uint64_t bp, ret;
} frame;

#define FIRST	 0xffff8812473e3d18 /* SP as panic() is entered */
#define LAST	 0xffff8812473e4000
#define WORDS	 ((LAST - FIRST) / 8)
#define AT(addr) [((addr)-FIRST) / 8]
#define USER(n)	 (KC_HIDDEN_USER | (n) << KC_HIDDEN_ARG) /* argument n of the system call */

static const uint64_t known[WORDS] = {
	AT(0xffff8812473e3d18) = 0xffffffff8107b00b, /* __stack_chk_fail+27 */
	AT(0xffff8812473e3d28) = INTO(346),
	AT(0xffff8812473e3d30) = 0xffffffff810c12f5, /* check_preempt_curr+117 */
	AT(0xffff8812473e3d40) = 0xffff8812473e3e10, /* */
	AT(0xffff8812473e3d48) = USER(3ULL),	     /* 0x15a40f6, val */
	AT(0xffff8812473e3d50) = USER(1ULL),	     /* 0x36972d5c, uaddr */
	AT(0xffff8812473e3d58) = KC_HIDDEN_KERNEL,   /* 0xffffc9001ce115c0 */
	AT(0xffff8812473e3f00) = 0xffff8812473e3f78, /* sys_futex()'s */
	AT(0xffff8812473e3f08) = 0xffffffff810e57e0, /* */
	AT(0xffff8812473e3f80) = 0xffffffff816461c9, /* system_call_fastpath+22 */
	AT(0xffff8812473e3fb8) = USER(3ULL),	     /* RDX */
	AT(0xffff8812473e3fc0) = 0x80,		     /* RSI: FUTEX_WAIT_PRIVATE */
	AT(0xffff8812473e3fc8) = USER(1ULL),	     /* RDI */
	AT(0xffff8812473e3fd0) = 0xca,		     /* ORIG_RAX: futex */
	AT(0xffff8812473e3fe0) = 0x33,
	AT(0xffff8812473e3ff8) = 0x2b,
};

/* R10, the timeout, is 0, and so is the word above check_preempt_curr+117. */
static bool is_zero(size_t i)
{
	return i == (0xffff8812473e3d38 - FIRST) / 8 || i == (0xffff8812473e3f90 - FIRST) / 8;
}

static struct kc_event *incident_event(void)
{
	static struct {
		struct kc_event event;
		uint64_t words[WORDS];
	} sent;

	sent.event = (struct kc_event){
		.task = {
			.size = sizeof(sent),
			.count = WORDS,
			.pid = 115885,
			.tid = 115885,
			.start_ns = 1,
			.sp = FIRST,
			.top = LAST,
			.boot_ns = 14851501000000000,
			.comm = "App01",
			.leader_comm = "App01",
		},
		.id = 1,
		.kind = KC_EVENT_PANIC,
		.flags = KC_EVENT_HELD,
		.site = PANIC,
		.caller = INTO(346),
		.bp = 0xffff8812473e3d20,
		.headroom = FIRST - (LAST - 16384),
		.cpu = 18,
		.syscall = 202,
		.args = { 0x36972d5c, 0x80, 0x15a40f6 },
	};
	for (size_t i = 0; i < WORDS; i++)
		sent.words[i] = known[i] || is_zero(i) ? known[i] : KC_HIDDEN_DATA;
	sent.words AT(0xffff8812473e3d20) = frame.bp;
	sent.words AT(frame.ret - 8) = 0xffff8812473e3f00; /* do_futex()'s RBP */
	sent.words AT(frame.ret) = 0xffffffff810e52ae;
	return &sent.event;
}

static const struct kc_host host = {
	.name = "czh1",
	.release = "3.10.0-862.14.2.el7.x86_64",
	.machine = "x86_64",
	.cpus = 40,
	.memory = 137331576832, /* 127.9 GB */
	.uptime = 14851501,	/* 171 days, 21:25:01 */
	.load = { 1.45, 1.59, 1.61 },
	.tasks = 12533,
};

static char folder[] = "/tmp/kcanary-incident.XXXXXX";
static char tape_path[64], told_path[64];
static const char *kept; /* a folder to leave both in */

static int setup(void **state)
{
	kc_log_set_level(KC_LOG_ERROR);
	frame.bp = 0xffff8812473e3e68;
	frame.ret = 0xffff8812473e3e70;
	fake_watch_kernel = incident_kernel;
	strcpy(folder + sizeof(folder) - 7, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(tape_path, sizeof(tape_path), "%s/tape", folder);
	snprintf(told_path, sizeof(told_path), "%s/told", folder);
	fake_watch_setup(state);
	/* Its system calls save no more than this: not RBX, RBP, R12 to R15. */
	session.kernel->pt_regs =
		(struct kc_pt_regs){ .pc = 80, .mode = 88, .sp = 104, .size = 120 };
	return 0;
}

static void leave(const char *path, const char *name)
{
	char to[512];

	snprintf(to, sizeof(to), "%s/%s", kept, name);
	unlink(to);
	assert_int_equal(rename(path, to), 0);
}

static int teardown(void **state)
{
	unlink(tape_path);
	unlink(told_path);
	rmdir(folder);
	return fake_watch_teardown(state);
}

/* The reader sees a watch that begins, and ends with its kernel: there is no more. */
static void record(void)
{
	static const struct kc_filter filter = {};
	struct kc_recorder *recorder;
	struct kc_events *events;
	struct kc_report *report;
	struct kc_source *through;
	struct kc_tape *tape;
	struct kc_event *event = incident_event();
	struct kc_host told;

	changing.host = &host;
	assert_int_equal(kc_tape_create(tape_path, kc_recorder_layouts(), 64 << 20, &tape), 0);
	assert_int_equal(kc_recorder_new(&session, tape, &recorder), 0);
	through = kc_recorder_source(recorder, source);
	fake_watch_through(through);
	kc_source_host(through, &told);
	assert_int_equal(kc_report_new(told_path, true, &told, &report), 0);
	kc_sinks_add(&sinks, kc_report_sink(report));
	kc_sinks_add(&sinks, kc_recorder_sink(recorder));
	source = through;
	assert_int_equal(
		kc_sinks_start(&sinks, &(struct kc_start){ &filter, 100, NULL, 0, true, false, 0 }),
		0);
	events = start_events();
	fake_send(event);
	while (fake_held(KC_HELD_TOLD) != event->id) {
		nap();
		assert_int_equal(kc_events_handle(events), 0);
	}
	assert_int_equal(kc_events_stop(events), 0);
	kc_events_free(events);
	source = &changing.source;
	kc_sinks_free(&sinks);
	kc_recorder_free(recorder);
	kc_tape_free(tape);
}

/* At this place of what was told: a text, or "" if there is none. */
static const char *text_at(json_object *event, const char *path)
{
	json_object *found = NULL;

	return json_pointer_get(event, path, &found) ? "" : json_object_get_string(found);
}

static json_object *finding_told(void)
{
	FILE *file = fopen(told_path, "re");
	json_object *found = NULL;
	char *line = NULL;
	size_t size = 0;

	assert_non_null(file);
	while (!found && getline(&line, &size, file) > 0) {
		found = json_tokener_parse(line);
		if (strcmp(text_at(found, "/type"), "finding") != 0) {
			json_object_put(found);
			found = NULL;
		}
	}
	free(line);
	fclose(file);
	assert_non_null(found);
	return found;
}

/*
 * hrtimer_nanosleep() keeps SP 0xa0 below its CFA. It was 0x148 below, where a futex call's own
 * arguments lie: not its frame, and no overflow of it.
 */
static void is_an_alien_frame(void **state)
{
	json_object *finding;

	(void)state;
	record();
	finding = finding_told();
	assert_string_equal(text_at(finding, "/verdict/class"), "alien-frame");
	assert_string_equal(text_at(finding, "/verdict/confidence"), "high");
	assert_string_equal(text_at(finding, "/verdict/why/0"),
			    "SP is 0x148 below the frame's CFA, and the function's code keeps it "
			    "0xa0 below");
	assert_string_equal(text_at(finding, "/verdict/why/1"),
			    "the frame pointer leads to a return address, and SP to none: the "
			    "function runs on another's frame");
	assert_string_equal(text_at(finding, "/verdict/why/2"),
			    "the frame holds arguments of the thread's own system call: 1, 3");
	assert_string_equal(text_at(finding, "/code/function"), "hrtimer_nanosleep");
	assert_string_equal(text_at(finding, "/syscall/name"), "futex");
	json_object_put(finding);
	if (kept) {
		leave(tape_path, "incident.kcr");
		leave(told_path, "incident.json");
	}
}

/* SP leads to the caller, and the frame pointer to none: it is the one that is wrong. */
static void wrong_frame_pointer(void **state)
{
	json_object *finding;

	(void)state;
	frame.ret = 0xffff8812473e3dc8;
	record();
	finding = finding_told();
	assert_string_equal(text_at(finding, "/verdict/class"), "alien-frame");
	assert_string_equal(text_at(finding, "/verdict/confidence"), "medium");
	assert_string_equal(text_at(finding, "/verdict/why/1"),
			    "SP leads to a return address, and the frame pointer to none: the "
			    "frame pointer is wrong");
	json_object_put(finding);
}

/* Both lead to one frame, as long as the function makes it: nothing of the kind is said. */
static void its_own_frame(void **state)
{
	json_object *finding;

	(void)state;
	frame.ret = 0xffff8812473e3dc8;
	frame.bp = frame.ret - 8;
	record();
	finding = finding_told();
	assert_string_equal(text_at(finding, "/verdict/class"), "unknown");
	assert_null(strstr(json_object_to_json_string(finding), "below the frame's CFA"));
	json_object_put(finding);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char *argv[])
{
	/* The one that is kept is the last. */
	const struct CMUnitTest tests[] = {
		TEST(wrong_frame_pointer),
		TEST(its_own_frame),
		TEST(is_an_alien_frame),
	};

	if (argc > 1)
		kept = argv[1];
	return RUN(tests);
}
