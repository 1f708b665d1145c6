// SPDX-License-Identifier: GPL-2.0-only
/* Reports on files and pipes: full ones, slow ones, and several who write at once. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "fake_host.h"
#include "fake_watch.h"
#include "monitor/lookers.h"
#include "report/report.h"
#include "util/log.h"

#define EACH 150 /* lines of each thread */

static char path[64];
static int pipe_end = -1; /* to read from */
static struct kc_event *event;
static struct kc_checked_stack checked;
static struct kc_finding finding;

/* A finding whose line is longer than what a pipe takes in one piece. */
static void make_finding(void)
{
	static uint64_t words[8];

	checked = (struct kc_checked_stack){ .count = 1, .damaged = 1, .end = KC_UNWIND_NOT_TEXT };
	checked.frames[0].sym = kc_ksyms_at(session.kernel->ksyms, 2);
	checked.frames[0].plan = kc_plans_of(session.plans, checked.frames[0].sym);
	checked.frames[0].status = KC_CHECK_DAMAGED;
	finding = (struct kc_finding){
		.engine = "sweep",
		.task = { .pid = 7, .tid = 100, .comm = "a\"\n" },
		.damage = { .slot = 0x1010, .changed_bytes = 0xff, .changed_bits = KC_BITS_MORE },
		.stack = { .sp = 0x1000, .top = 0x1040, .words = words },
		.checked = &checked,
	};
	memset(finding.process.executable, '"', sizeof(finding.process.executable) - 1);
	memset(finding.process.cgroup, '\\', sizeof(finding.process.cgroup) - 1);
	kc_judge(&finding, 0);
}

static struct kc_report *report;

static void open_report(const char *where)
{
	const struct kc_host host = { .name = "host", .release = "6.1" };

	assert_int_equal(kc_report_new(where, true, &host, &report), 0);
	kc_sinks_add(&sinks, kc_report_sink(report));
}

static void limit_file(rlim_t bytes)
{
	struct rlimit limit;

	getrlimit(RLIMIT_FSIZE, &limit);
	limit.rlim_cur = bytes;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* As much as is in the file already, and so many bytes. */
static void leave_room(rlim_t bytes)
{
	struct stat status;

	assert_int_equal(stat(path, &status), 0);
	limit_file(status.st_size + bytes);
}

static int setup(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	fake_watch_setup(state);
	sinks.count = 0;
	event = new_event(1000, 1);
	make_finding();
	strcpy(path, "/tmp/kcanary-output.XXXXXX");
	close(mkstemp(path));
	return 0;
}

static int teardown(void **state)
{
	if (pipe_end >= 0)
		close(pipe_end);
	pipe_end = -1;
	unlink(path);
	limit_file(RLIM_INFINITY);
	fake_on_sync = NULL;
	return fake_watch_teardown(state);
}

/* A pipe of one page, and a report into it. */
static void open_pipe(void)
{
	char name[32];
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_true(fcntl(fds[0], F_SETPIPE_SZ, 4096) > 0);
	pipe_end = fds[0];
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fds[1]);
	open_report(name);
	close(fds[1]);
}

static int write_finding(uint64_t seq)
{
	finding.seq = seq;
	return kc_sinks_finding(&sinks, session.kernel, &finding);
}

static int write_evidence(unsigned int writer, uint64_t number)
{
	struct kc_evidence evidence = { { .number = number }, event, writer };

	return kc_sinks_evidence(&sinks, &session, &evidence, KC_EVIDENCE_ALL, NULL, NULL);
}

/* All that was written. */
static char *read_all(int fd)
{
	size_t len = 0, size = 1 << 16;
	char *text = malloc(size);
	ssize_t got;

	while ((got = read(fd, text + len, size - len - 1)) > 0) {
		len += got;
		if (size - len < 4096)
			text = realloc(text, size *= 2);
	}
	text[len] = '\0';
	return text;
}

static char *read_file(void)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char *text = read_all(fd);

	close(fd);
	return text;
}

static uint64_t number_of(struct json_object *line, const char *key)
{
	struct json_object *value;

	assert_true(json_object_object_get_ex(line, key, &value));
	return json_object_get_int64(value);
}

#define MAX_LINES 1024

/* What a report came to. */
static struct {
	size_t findings, evidence, notices, starts, broken;
	size_t twice; /* evidence in a file and in the next one */
	bool seq[MAX_LINES], finding[MAX_LINES], evidence_of[MAX_LINES];
} parsed;

/* One line, all of it one object; NULL: it is none. */
static struct json_object *parse_line(const char *line, size_t len)
{
	struct json_tokener *tokener = json_tokener_new();
	struct json_object *object = json_tokener_parse_ex(tokener, line, len);

	if (object && json_tokener_get_parse_end(tokener) != len) {
		json_object_put(object);
		object = NULL;
	}
	json_tokener_free(tokener);
	return object;
}

static void count_line(struct json_object *line)
{
	struct json_object *type;
	uint64_t seq = number_of(line, "seq");

	json_object_object_get_ex(line, "type", &type);
	assert_true(seq < MAX_LINES);
	if (parsed.seq[seq]) {
		assert_string_equal(json_object_get_string(type), "evidence");
		assert_true(parsed.evidence_of[number_of(line, "finding")]);
		parsed.twice++;
		return;
	}
	parsed.seq[seq] = true;
	if (!strcmp(json_object_get_string(type), "finding")) {
		parsed.findings++;
		parsed.finding[number_of(line, "finding")] = true;
	} else if (!strcmp(json_object_get_string(type), "evidence")) {
		parsed.evidence++;
		parsed.evidence_of[number_of(line, "finding")] = true;
	} else if (!strcmp(json_object_get_string(type), "start")) {
		parsed.starts++;
	} else {
		parsed.notices++;
	}
}

/* In addition to what was parsed before. */
static void parse_more(char *text)
{
	for (char *line = text, *end; *line; line = end + 1) {
		struct json_object *object;

		end = strchr(line, '\n');
		assert_non_null(end);
		object = parse_line(line, end - line);
		if (!object) {
			parsed.broken++;
			continue;
		}
		count_line(object);
		json_object_put(object);
	}
	free(text);
}

static void parse(char *text)
{
	memset(&parsed, 0, sizeof(parsed));
	parse_more(text);
}

/* Names out of a recording may be anything. */
static void hostile_names(void **state)
{
	const struct kc_host host = { .name = "a\"", .boot_id = "b\"", .release = "\\" };
	struct kc_kernel *kernel = fake_kernel();
	char text[128];

	(void)state;
	snprintf(text, sizeof(text), "%lx T a\"b\\\n%lx T c\n", event->site & ~0xffUL,
		 event->site + 0x100);
	kc_ksyms_free(kernel->ksyms);
	assert_int_equal(fake_ksyms(text, &kernel->ksyms), 0);
	assert_int_equal(kc_session_adopt(&session, kernel), 0);
	assert_int_equal(kc_report_new(path, true, &host, &report), 0);
	kc_sinks_add(&sinks, kc_report_sink(report));
	assert_int_equal(write_evidence(0, 1), 0);
	parse(read_file());
	assert_int_equal(parsed.evidence, 1);
	assert_int_equal(parsed.broken, 0);
}

/* No byte that a terminal acts upon, and whole JSON, whatever names and times are. */
static void told_in_ascii(bool json)
{
	const struct kc_host host = { .name = "\x1b[2J", .boot_id = "\xff", .release = "\x9b" };
	const struct kc_filter filter = { .comm = "\x1b]0;x\a" };
	struct kc_when when = { .real = { .tv_sec = LONG_MAX } };
	char *text, *at;

	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(kc_report_new(path, json, &host, &report), 0);
	kc_sinks_add(&sinks, kc_report_sink(report));
	sinks.when = &when;
	assert_int_equal(kc_sinks_start(&sinks, &(struct kc_start){ .filter = &filter }), 0);
	assert_int_equal(kc_sinks_notice(&sinks, "\x1b[31m\xc2\x9b"), 0);
	strcpy(finding.task.comm, "\x1b\x7f\xfe");
	assert_int_equal(write_finding(1), 0);
	assert_int_equal(write_evidence(0, 2), 0);
	kc_sinks_free(&sinks);
	sinks = (struct kc_sinks){};
	text = read_file();
	for (at = text; (*at >= ' ' && *at <= '~') || *at == '\n'; at++)
		;
	assert_int_equal(*at, '\0');
	assert_true(at > text);
	if (json)
		parse(text);
	else
		free(text);
}

static void hostile_bytes(void **state)
{
	(void)state;
	told_in_ascii(false);
	told_in_ascii(true);
	assert_int_equal(parsed.broken, 0);
	assert_int_equal(parsed.notices, 1);
	assert_int_equal(parsed.findings, 1);
}

static void full_device(void **state)
{
	(void)state;
	open_report("/dev/full");
	assert_int_equal(write_finding(1), -ENOSPC);
	assert_int_equal(write_evidence(0, 2), -ENOSPC);
	assert_int_equal(kc_sinks_notice(&sinks, "x"), -ENOSPC);
}

static struct kc_unwritten count_unwritten(void)
{
	struct kc_unwritten unwritten;

	kc_sinks_count(&sinks, &unwritten);
	return unwritten;
}

/* A watch goes on, to the end; which can't be written. */
static void full_device_endured(void **state)
{
	struct kc_coverage coverage = {};

	(void)state;
	open_report("/dev/full");
	kc_report_endure(report);
	assert_int_equal(write_finding(1), 0);
	assert_int_equal(write_evidence(0, 2), -ENOSPC);
	assert_int_equal(kc_sinks_notice(&sinks, "x"), 0);
	assert_int_equal(count_unwritten().lines, 2);
	assert_int_equal(count_unwritten().findings, 1);
	assert_int_equal(kc_sinks_stop(&sinks, &coverage, NULL, "stopped"), -ENOSPC);
}

/* What was cut off is gone again, told and counted is what is missing. */
static void full_and_endured(void **state)
{
	struct stat before, after;
	char *text;

	(void)state;
	open_report(path);
	kc_report_endure(report);
	assert_int_equal(write_finding(1), 0);
	assert_int_equal(stat(path, &before), 0);
	limit_file(before.st_size + 10);
	assert_int_equal(write_finding(2), 0);
	assert_int_equal(write_evidence(0, 3), -EFBIG);
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(write_finding(4), 0);
	limit_file(RLIM_INFINITY);
	assert_int_equal(write_finding(5), 0);
	assert_int_equal(write_finding(6), 0);
	text = read_file();
	assert_non_null(strstr(text, " works again: 2 pieces of the report could not be written, 2 "
				     "findings among them"));
	parse(text);
	assert_int_equal(parsed.findings, 3);
	assert_true(parsed.finding[1] && parsed.finding[5] && parsed.finding[6]);
	assert_int_equal(parsed.evidence + parsed.broken, 0);
	assert_int_equal(parsed.notices, 1);
	assert_int_equal(count_unwritten().lines, 2);
	assert_int_equal(count_unwritten().findings, 2);
}

/* Somebody else has written behind our half of a line: theirs is not touched. */
static void full_and_not_alone(void **state)
{
	int fd;

	(void)state;
	open_report(path);
	kc_report_endure(report);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(write_finding(1), 0);
	assert_int_equal(write(fd, "{\"type\":\"notice\",\"seq\":1000}\n", 29), 29);
	leave_room(10);
	assert_int_equal(write_finding(2), 0);
	limit_file(RLIM_INFINITY);
	assert_int_equal(write(fd, "{\"type\":\"notice\",\"seq\":1001}\n", 29), 29);
	assert_int_equal(write_finding(3), 0);
	close(fd);
	parse(read_file());
	assert_int_equal(parsed.findings, 2);
	assert_int_equal(parsed.notices, 3);
	assert_int_equal(parsed.broken, 0);
}

/* The watch before this one ended within a line. */
static void half_a_line_before(void **state)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(write(fd, "{\"half", 6), 6);
	close(fd);
	open_report(path);
	assert_int_equal(write_finding(1), 0);
	parse(read_file());
	assert_int_equal(parsed.findings, 1);
	assert_int_equal(parsed.broken, 1);
}

/* Another looker writes between our half of a line and our noticing that the disk is full. */
static void another_writes(void)
{
	limit_file(RLIM_INFINITY);
	assert_int_equal(write_evidence(1, 9), 0);
	leave_room(0);
}

static void full_and_two_lookers(void **state)
{
	(void)state;
	open_report(path);
	assert_int_equal(write_evidence(1, 1), 0);
	leave_room(10);
	fake_on_short_write = another_writes;
	assert_int_equal(write_evidence(0, 2), -EFBIG);
	limit_file(RLIM_INFINITY);
	assert_int_equal(write_evidence(0, 3), 0);
	parse(read_file());
	assert_true(parsed.evidence_of[1] && parsed.evidence_of[9] && parsed.evidence_of[3]);
	/* The half line with the ninth behind it; and an empty one: that something was cut off is
	 * known, and not what follows it. */
	assert_int_equal(parsed.broken, 2);
}

static int meanwhile; /* what another's write came to */

static void another_cannot_wait(void)
{
	limit_file(RLIM_INFINITY);
	meanwhile = write_evidence(1, 9);
}

/* Text is being taken back, for longer than a held CPU has time: nobody says that it is safe. */
static void full_and_taken_back_slowly(void **state)
{
	(void)state;
	open_report(path);
	assert_int_equal(write_evidence(1, 1), 0);
	leave_room(10);
	fake_on_truncate = another_cannot_wait;
	assert_int_equal(write_evidence(0, 2), -EFBIG);
	assert_int_equal(meanwhile, -ETIMEDOUT);
	assert_int_equal(write_evidence(1, 10), 0);
	parse(read_file());
	assert_true(parsed.evidence_of[1] && parsed.evidence_of[10]);
	assert_int_equal(parsed.broken, 0);
}

/* stdout is a file, and shared with who has started us. */
static void another_shares(void)
{
	limit_file(RLIM_INFINITY);
	assert_int_equal(write(STDOUT_FILENO, "and others wrote here\n", 22), 22);
	limit_file(lseek(STDOUT_FILENO, 0, SEEK_CUR));
}

static void full_and_shared(void **state)
{
	int before = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3), err;
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	char *text;

	(void)state;
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	close(fd);
	open_report(NULL);
	limit_file(10);
	fake_on_short_write = another_shares;
	err = write_finding(1);
	limit_file(RLIM_INFINITY);
	kc_sinks_notice(&sinks, "there is room again");
	dup2(before, STDOUT_FILENO);
	close(before);
	assert_int_equal(err, -EFBIG);
	text = read_file();
	assert_non_null(strstr(text, "and others wrote here\n\n{"));
	free(text);
}

/* Full in the middle of a line, then there is room again: what follows is whole. */
static void full_for_a_while(void **state)
{
	(void)state;
	open_report(path);
	assert_int_equal(write_finding(1), 0);
	leave_room(10);
	assert_int_equal(write_finding(2), -EFBIG);
	assert_int_equal(write_evidence(0, 3), -EFBIG);
	limit_file(RLIM_INFINITY);
	assert_int_equal(write_evidence(1, 4), 0);
	assert_int_equal(kc_sinks_notice(&sinks, "there is room again"), 0);
	assert_int_equal(kc_sinks_sync(&sinks), 0);
	parse(read_file());
	assert_int_equal(parsed.findings, 1);
	assert_true(parsed.evidence_of[4] && parsed.evidence == 1);
	assert_int_equal(parsed.notices, 1);
	assert_int_equal(parsed.broken, 0);
}

static void reader_that_left(void **state)
{
	(void)state;
	open_pipe();
	close(pipe_end);
	pipe_end = -1;
	assert_int_equal(write_finding(1), -EPIPE);
	assert_int_equal(write_evidence(0, 2), -EPIPE);
}

/* The main thread and two lookers. What a looker gave up is not there, in no part. */
static bool written[(KC_LOOKERS + 1) * EACH + 1];

static void *write_lines(void *arg)
{
	uintptr_t nth = (uintptr_t)arg;

	for (uint64_t i = 0; i < EACH; i++) {
		uint64_t number = 1 + nth * EACH + i;

		written[number] =
			!(nth == KC_LOOKERS ? write_finding(number) : write_evidence(nth, number));
	}
	return NULL;
}

static void write_at_once(void)
{
	pthread_t writers[KC_LOOKERS + 1];

	memset(written, 0, sizeof(written));
	for (uintptr_t i = 0; i <= KC_LOOKERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_lines, (void *)i), 0);
	for (size_t i = 0; i <= KC_LOOKERS; i++)
		pthread_join(writers[i], NULL);
}

static void check_lines(void)
{
	for (size_t number = 1; number <= (KC_LOOKERS + 1) * EACH; number++)
		assert_int_equal(parsed.finding[number] + parsed.evidence_of[number],
				 written[number]);
	assert_int_equal(parsed.findings, EACH);
	assert_int_equal(parsed.broken + parsed.twice, 0);
}

static void all_to_a_file(void **state)
{
	(void)state;
	open_report(path);
	write_at_once();
	parse(read_file());
	check_lines();
	assert_int_equal(parsed.evidence, KC_LOOKERS * EACH);
}

static char moved[80]; /* a file that was the report's */

static void move_away(unsigned int nth)
{
	snprintf(moved, sizeof(moved), "%s.%u", path, nth);
	assert_int_equal(rename(path, moved), 0);
}

static int reopen(void)
{
	const struct kc_filter filter = {};

	return kc_sinks_reopen(&sinks, &(struct kc_start){ .filter = &filter, .period = 1000 });
}

static char *read_moved(unsigned int nth)
{
	char *text;
	int fd;

	snprintf(moved, sizeof(moved), "%s.%u", path, nth);
	fd = open(moved, O_RDONLY | O_CLOEXEC);
	text = read_all(fd);
	close(fd);
	unlink(moved);
	return text;
}

/* Logs are rotated: the new file begins with a start line; the same one does not. */
static void rotated(void **state)
{
	(void)state;
	open_report(path);
	assert_int_equal(write_finding(1), 0);
	assert_int_equal(reopen(), 0);
	move_away(0);
	assert_int_equal(write_evidence(0, 2), 0);
	assert_int_equal(reopen(), 0);
	assert_int_equal(write_finding(3), 0);
	assert_int_equal(write_evidence(0, 4), 0);
	parse(read_moved(0));
	assert_true(parsed.finding[1] && parsed.evidence_of[2]);
	assert_int_equal(parsed.findings + parsed.evidence, 2);
	assert_int_equal(parsed.starts, 0);
	parse(read_file());
	assert_true(parsed.finding[3] && parsed.evidence_of[4]);
	assert_int_equal(parsed.starts, 1);
	assert_int_equal(parsed.broken, 0);
	assert_int_equal(truncate(path, 0), 0); /* another way to rotate */
	assert_int_equal(reopen(), 0);
	parse(read_file());
	assert_int_equal(parsed.starts, 1);
}

/* There is something else in its place: the old file goes on. */
static void rotated_badly(void **state)
{
	(void)state;
	open_report(path);
	move_away(0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(reopen(), -EAGAIN);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(reopen(), -EAGAIN);
	assert_int_equal(write_finding(1), 0);
	assert_int_equal(write_evidence(0, 2), 0);
	parse(read_moved(0));
	assert_true(parsed.finding[1] && parsed.evidence_of[2]);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(reopen(), 0);
	assert_int_equal(write_evidence(0, 3), 0);
	parse(read_file());
	assert_int_equal(parsed.starts, 1);
	assert_true(parsed.evidence_of[3]);
}

/* Somebody has removed the file, and tells nobody. */
static void removed(void **state)
{
	(void)state;
	open_report(path);
	kc_report_endure(report);
	assert_int_equal(write_finding(1), 0);
	assert_false(kc_sinks_gone(&sinks));
	assert_int_equal(unlink(path), 0);
	assert_true(kc_sinks_gone(&sinks));
	assert_int_equal(write_evidence(0, 2), -ENOENT);
	assert_int_equal(write_finding(3), 0);
	assert_int_equal(count_unwritten().findings, 1);
	assert_int_equal(reopen(), 0);
	assert_false(kc_sinks_gone(&sinks));
	assert_int_equal(write_evidence(0, 4), 0);
	parse(read_file());
	assert_int_equal(parsed.starts, 1);
	assert_true(parsed.evidence_of[4]);
}

static int screen_end;	/* of a pipe that is stderr */
static int told_before; /* bytes on it when the report is synced; -1: it was not */

static void note_told(int fd)
{
	(void)fd;
	assert_int_equal(ioctl(screen_end, FIONREAD, &told_before), 0);
}

/* A terminal may be stopped: who looks at it hears of a finding that is on the disk. */
static void told_when_synced(void **state)
{
	int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3), fds[2], told;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	screen_end = fds[0];
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	open_report(path);
	kc_sinks_add(&sinks, kc_glance_new(true));
	told_before = -1;
	fake_on_sync = note_told;
	write_finding(1);
	kc_sinks_sync(&sinks);
	dup2(before, STDERR_FILENO);
	close(before);
	assert_int_equal(ioctl(screen_end, FIONREAD, &told), 0);
	close(screen_end);
	assert_int_equal(told_before, 0);
	assert_true(told > 20);
}

static struct stat synced;

static void note_synced(int fd)
{
	fstat(fd, &synced);
}

static void rotate_first(int fd)
{
	(void)fd;
	fake_on_sync = note_synced;
	move_away(0);
	assert_int_equal(reopen(), 0);
}

/* Between writing and syncing: what a held CPU waits for is on the disk, in the file that stays. */
static void rotated_before_sync(void **state)
{
	struct stat status;

	(void)state;
	open_report(path);
	fake_on_sync = rotate_first;
	assert_int_equal(write_evidence(0, 2), 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(synced.st_ino, status.st_ino);
	parse(read_file());
	assert_true(parsed.evidence_of[2]);
	assert_int_equal(parsed.starts, 1);
	parse_more(read_moved(0));
	assert_int_equal(parsed.twice, 1);
	assert_int_equal(parsed.broken, 0);
}

static _Atomic size_t writing;

static void *write_evidence_lines(void *arg)
{
	write_lines(arg);
	writing--;
	return NULL;
}

/* Lookers write while it is rotated, again and again: each line is in one file, whole. */
static void rotated_meanwhile(void **state)
{
	pthread_t writers[KC_LOOKERS];
	unsigned int nth = 0;

	(void)state;
	open_report(path);
	memset(written, 0, sizeof(written));
	memset(&parsed, 0, sizeof(parsed));
	writing = KC_LOOKERS;
	for (uintptr_t i = 0; i < KC_LOOKERS; i++)
		assert_int_equal(pthread_create(&writers[i], NULL, write_evidence_lines, (void *)i),
				 0);
	for (; writing && nth < 300; nth++) {
		move_away(nth);
		assert_int_equal(reopen(), 0);
		nap();
	}
	for (size_t i = 0; i < KC_LOOKERS; i++)
		pthread_join(writers[i], NULL);
	for (unsigned int i = 0; i < nth; i++)
		parse_more(read_moved(i));
	parse_more(read_file());
	assert_int_equal(parsed.evidence, KC_LOOKERS * EACH);
	assert_int_equal(parsed.broken, 0);
}

static void *read_pipe(void *arg)
{
	(void)arg;
	return read_all(pipe_end);
}

static void all_to_a_pipe(void **state)
{
	pthread_t reader;
	void *text;

	(void)state;
	open_pipe();
	assert_int_equal(pthread_create(&reader, NULL, read_pipe, NULL), 0);
	write_at_once();
	kc_sinks_free(&sinks); /* the end of the pipe */
	pthread_join(reader, &text);
	parse(text);
	check_lines();
}

static void *write_one(void *arg)
{
	*(int *)arg = write_finding(1);
	return NULL;
}

/* The main thread is in the middle of a line: a looker gives up, and it is counted. */
static void slow_reader(void **state)
{
	pthread_t writer, reader;
	struct kc_events *events;
	int err = -1, full = 0;
	void *text;

	(void)state;
	open_pipe();
	assert_int_equal(pthread_create(&writer, NULL, write_one, &err), 0);
	while (full < 4096) {
		nap();
		assert_int_equal(ioctl(pipe_end, FIONREAD, &full), 0);
	}
	kc_desk_number(desk); /* the finding's */
	events = start_events();
	fake_send(new_event(1000, 6001));
	while (!counts_of(events).late)
		nap();
	assert_int_equal(fake_held(KC_HELD_SEEN), 6001);
	assert_int_not_equal(fake_held(KC_HELD_SAFE), 6001);
	assert_int_equal(pthread_create(&reader, NULL, read_pipe, NULL), 0);
	pthread_join(writer, NULL);
	assert_int_equal(err, 0);
	/* The finding comes all the same. */
	assert_int_equal(kc_events_stop(events), 0);
	assert_int_equal(fake_held(KC_HELD_TOLD), 6001);
	assert_int_equal(counts_of(events).late, 1);
	kc_events_free(events);
	kc_sinks_free(&sinks);
	pthread_join(reader, &text);
	parse(text);
	assert_int_equal(parsed.findings, 2);
	assert_int_equal(parsed.evidence + parsed.broken, 0);
}

static void *begin_to_read(void *arg)
{
	nap();
	pipe_end = open(path, O_RDONLY | O_CLOEXEC);
	return arg;
}

/* A FIFO without a reader: waited for, until we are asked to end or somebody reads. */
static void fifo(void **state)
{
	const struct kc_host host = {};
	sigset_t asks, before;
	pthread_t reader;

	(void)state;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	sigemptyset(&asks);
	sigaddset(&asks, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &asks, &before);
	raise(SIGTERM);
	assert_int_equal(kc_report_new(path, true, &host, &report), -EINTR);
	assert_int_equal(sigwaitinfo(&asks, NULL), SIGTERM);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	assert_int_equal(pthread_create(&reader, NULL, begin_to_read, NULL), 0);
	open_report(path);
	pthread_join(reader, NULL);
	assert_int_equal(write_evidence(0, 1), 0);
}

/* A line that was cut off is ended by the piece that follows it: there may be room for one only. */
static void full_pipe(void **state)
{
	char text[2 * 4096];
	sigset_t asks, before;

	(void)state;
	open_pipe();
	sigemptyset(&asks);
	sigaddset(&asks, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &asks, &before);
	raise(SIGTERM);
	assert_int_equal(write_finding(1), -EINTR);
	assert_int_equal(read(pipe_end, text, sizeof(text)), 4096);
	assert_int_equal(write_finding(2), -EINTR);
	assert_int_equal(read(pipe_end, text, sizeof(text)), 4096);
	assert_int_equal(strncmp(text, "\n{", 2), 0);
	assert_int_equal(sigwaitinfo(&asks, NULL), SIGTERM);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* Ctrl-S: a looker gives up in time, the main thread when somebody asks it to end. */
static void stopped_terminal(void **state)
{
	int keyboard = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), screen;
	sigset_t asks, before;
	char name[64];

	(void)state;
	assert_true(keyboard >= 0 && !grantpt(keyboard) && !unlockpt(keyboard) &&
		    !ptsname_r(keyboard, name, sizeof(name)));
	screen = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(screen >= 0);
	assert_int_equal(tcflow(screen, TCOOFF), 0);
	open_report(name);
	assert_int_equal(write_evidence(0, 1), -ETIMEDOUT);
	sigemptyset(&asks);
	sigaddset(&asks, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &asks, &before);
	raise(SIGTERM);
	assert_int_equal(write_finding(2), -EINTR);
	assert_int_equal(sigwaitinfo(&asks, NULL), SIGTERM);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	assert_int_equal(tcflow(screen, TCOON), 0);
	assert_int_equal(kc_sinks_notice(&sinks, "it goes on"), 0);
	close(screen);
	close(keyboard);
}

/* Of two lines in a row, and what is said when stderr takes lines again. The last test: it stays.
 */
static void stopped_stderr(void **state)
{
	int keyboard = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), screen;
	int before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	char name[64], text[1024] = "";
	size_t len = 0;

	(void)state;
	assert_true(keyboard >= 0 && !grantpt(keyboard) && !unlockpt(keyboard) &&
		    !ptsname_r(keyboard, name, sizeof(name)));
	screen = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
	assert_true(screen >= 0 && before >= 0);
	dup2(screen, STDERR_FILENO);
	kc_log_be_impatient();
	dup2(before, STDERR_FILENO);
	close(before);
	assert_int_equal(tcflow(screen, TCOOFF), 0);
	kc_warn("one");
	kc_warn("two");
	assert_int_equal(kc_log_unwritten(), 2);
	assert_int_equal(tcflow(screen, TCOON), 0);
	kc_warn("three");
	assert_int_equal(kc_log_unwritten(), 2);
	while (!strstr(text, "three") && len < sizeof(text) - 1) {
		ssize_t got = read(keyboard, text + len, sizeof(text) - 1 - len);

		assert_true(got > 0);
		len += got;
	}
	assert_non_null(strstr(text, "warning: 2 lines could not be written here"));
	assert_null(strstr(text, "one"));
	close(screen);
	close(keyboard);
	kc_warn("nobody is there");
	assert_int_equal(kc_log_unwritten(), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hostile_names),
		TEST(hostile_bytes),
		TEST(full_device),
		TEST(full_for_a_while),
		TEST(reader_that_left),
		TEST(all_to_a_file),
		TEST(all_to_a_pipe),
		TEST(slow_reader),
		TEST(full_device_endured),
		TEST(full_and_endured),
		TEST(full_and_not_alone),
		TEST(half_a_line_before),
		TEST(stopped_terminal),
		TEST(rotated),
		TEST(rotated_badly),
		TEST(rotated_meanwhile),
		TEST(rotated_before_sync),
		TEST(full_and_two_lookers),
		TEST(full_and_taken_back_slowly),
		TEST(told_when_synced),
		TEST(removed),
		TEST(full_and_shared),
		TEST(full_pipe),
		TEST(fifo),
		TEST(stopped_stderr),
	};

	alarm(300); /* a write that waits for ever is a failure, too */
	return RUN(tests);
}
