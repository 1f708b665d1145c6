// SPDX-License-Identifier: GPL-2.0-only
/* What a service manager is told, and the journal. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "report/service.h"
#include "util/cleanup.h"
#include "util/log.h"

static char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
static int manager;

static int setup(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)state;
	snprintf(path, sizeof(path), "/tmp/kcanary-test.%d", getpid());
	strcpy(address.sun_path, path);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	setenv("NOTIFY_SOCKET", path, 1);
	return bind(manager, (struct sockaddr *)&address, sizeof(address));
}

static int teardown(void **state)
{
	(void)state;
	close(manager);
	unlink(path);
	return 0;
}

static const char *heard(void)
{
	static char text[512];
	ssize_t len = recv(manager, text, sizeof(text) - 1, 0);

	text[len < 0 ? 0 : len] = '\0';
	return text;
}

static void told(void **state)
{
	struct kc_sinks sinks kc_auto(kc_sinks_free) = {};
	struct kc_coverage coverage = { .told.findings = 2,
					.sweep.verified = 700,
					.sweep.passes = 3 };

	(void)state;
	kc_sinks_add(&sinks, kc_service_new());
	assert_int_equal(sinks.count, 1);
	assert_string_equal(heard(), "");
	kc_sinks_start(&sinks, &(struct kc_start){});
	assert_string_equal(heard(), "READY=1\nSTATUS=watching");
	kc_sinks_alive(&sinks);
	assert_string_equal(heard(), "WATCHDOG=1");
	kc_sinks_stats(&sinks, &coverage);
	assert_string_equal(heard(), "STATUS=2 findings, 700 frames verified in 3 passes");
	kc_sinks_stop(&sinks, &coverage, &(struct kc_depths){}, "stopped");
	assert_string_equal(heard(), "STOPPING=1");
	/* It has gone: nothing fails for that. */
	close(manager);
	unlink(path);
	kc_sinks_alive(&sinks);
	assert_int_equal(kc_sinks_stats(&sinks, &coverage), 0);
}

static void abstract(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + strlen(path);
	struct kc_sinks sinks kc_auto(kc_sinks_free) = {};

	(void)state;
	close(manager);
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	memcpy(address.sun_path, path, strlen(path));
	address.sun_path[0] = '\0';
	assert_int_equal(bind(manager, (struct sockaddr *)&address, len), 0);
	path[0] = '@';
	setenv("NOTIFY_SOCKET", path, 1);
	path[0] = '/';
	kc_sinks_add(&sinks, kc_service_new());
	kc_sinks_alive(&sinks);
	assert_string_equal(heard(), "WATCHDOG=1");
}

/* stderr while a finding's line is logged, read back. */
static const char *logged(bool as_journal)
{
	static char text[256];
	int ends[2], old = dup(STDERR_FILENO);
	struct stat stat;
	char stream[64];
	ssize_t len;

	assert_int_equal(pipe2(ends, O_NONBLOCK), 0);
	fstat(ends[1], &stat);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)stat.st_dev,
		 (unsigned long long)stat.st_ino + !as_journal);
	setenv("JOURNAL_STREAM", stream, 1);
	fflush(stderr);
	dup2(ends[1], STDERR_FILENO);
	kc_error("FINDING 1: somewhere");
	kc_warn("beware");
	fflush(stderr);
	dup2(old, STDERR_FILENO);
	unsetenv("JOURNAL_STREAM");
	len = read(ends[0], text, sizeof(text) - 1);
	text[len < 0 ? 0 : len] = '\0';
	close(old);
	close(ends[0]);
	close(ends[1]);
	return text;
}

/* A line has its priority in front where stderr is what the journal reads, and nowhere else. */
static void journal(void **state)
{
	(void)state;
	assert_string_equal(logged(true), "<3>kcanary: FINDING 1: somewhere\n"
					  "<4>kcanary: warning: beware\n");
	assert_string_equal(logged(false), "kcanary: FINDING 1: somewhere\n"
					   "kcanary: warning: beware\n");
}

static void nobody_asks(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_null(kc_service_new());
	for (const char *const *bad = (const char *const[]){ "", "@", "relative", NULL }; *bad;
	     bad++) {
		setenv("NOTIFY_SOCKET", *bad, 1);
		assert_null(kc_service_new());
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(told, setup, teardown),
		cmocka_unit_test_setup_teardown(abstract, setup, teardown),
		cmocka_unit_test_setup_teardown(journal, setup, teardown),
		cmocka_unit_test_setup_teardown(nobody_asks, setup, teardown),
	};

	return RUN(tests);
}
