// SPDX-License-Identifier: GPL-2.0-only
/* The file for node exporter: its grammar, its numbers, and what becomes of it on a bad day. */
#include "unit.h"

#include <errno.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/metrics.h"
#include "util/cleanup.h"

static char folder[] = "/tmp/kcanary-test.XXXXXX", path[64], fresh[64];

static int setup(void **state)
{
	(void)state;
	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/kcanary.prom", folder);
	snprintf(fresh, sizeof(fresh), "%s/kcanary.prom.new", folder);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	unlink(fresh);
	return rmdir(folder);
}

static bool matches(const char *pattern, const char *text)
{
	regex_t regex;
	bool found;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	found = !regexec(&regex, text, 0, NULL, 0);
	regfree(&regex);
	return found;
}

/* The value of a sample; each metric has one head, right before its samples. */
static double value_of(const char *sample)
{
	kc_auto_file FILE *file = fopen(path, "r");
	char line[1024], metric[128] = "", expected[160];
	double value = -1;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "# HELP %127s", metric) == 1) {
			assert_true(matches("^# HELP kcanary_[a-z_]+ .+\\.$", line));
			continue;
		}
		if (line[0] == '#') {
			snprintf(expected, sizeof(expected), "# TYPE %s %s", metric,
				 strstr(metric, "_total") ? "counter" : "gauge");
			assert_string_equal(line, expected);
			continue;
		}
		assert_true(
			matches("^kcanary_[a-z_]+(\\{[a-z]+=\"[^\"]*\"(,[a-z]+=\"[^\"]*\")*\\})? "
				"[0-9.e+-]+$",
				line));
		assert_memory_equal(line, metric, strlen(metric));
		if (!strncmp(line, sample, strlen(sample)) && line[strlen(sample)] == ' ')
			value = atof(line + strlen(sample));
	}
	return value;
}

static void told(void **state)
{
	struct kc_finding finding = { .verdict.class = KC_CLASS_STRAY_WRITE };
	struct kc_coverage coverage = { .cpu_seconds = 1.5 };
	struct kc_sinks sinks kc_auto(kc_sinks_free) = {};
	struct kc_sink *sink;
	struct stat status;

	(void)state;
	assert_int_equal(kc_metrics_new(path, &sink), 0);
	kc_sinks_add(&sinks, sink);
	/* There from the start, so that a first finding is a change. */
	assert_true(value_of("kcanary_watching") == 1);
	assert_true(value_of("kcanary_findings_total{class=\"stray-write\"}") == 0);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0644);

	coverage.sweep.verified = 1234567890;
	coverage.watch.gap_ms = 1500;
	coverage.sweep.unwind_ends[KC_UNWIND_NO_TABLE] = 3;
	assert_int_equal(kc_sinks_stats(&sinks, &coverage), 0);
	assert_true(value_of("kcanary_sweep_frames_verified_total") == 1234567890);
	assert_true(value_of("kcanary_watch_gap_seconds_total") == 1.5);
	assert_true(value_of("kcanary_cpu_seconds_total") == 1.5);
	assert_true(value_of("kcanary_blind") == 1);

	/* At once, and not with the next stats. */
	assert_int_equal(kc_sinks_finding(&sinks, NULL, &finding), 0);
	assert_int_equal(kc_sinks_sync(&sinks), 0);
	assert_true(value_of("kcanary_findings_total{class=\"stray-write\"}") == 1);
	assert_true(value_of("kcanary_findings_total{class=\"unknown\"}") == 0);

	assert_int_equal(kc_sinks_stop(&sinks, &coverage, &(struct kc_depths){}, "done"), 0);
	assert_true(value_of("kcanary_watching") == 0);
	assert_int_not_equal(access(fresh, F_OK), 0);
}

static void unwritable(void **state)
{
	struct kc_sinks sinks kc_auto(kc_sinks_free) = {};
	const struct kc_coverage coverage = {};
	struct kc_unwritten unwritten = {};
	struct kc_sink *sink;

	(void)state;
	assert_int_equal(kc_metrics_new("/nonexistent/x.prom", &sink), -ENOENT);
	assert_int_equal(kc_metrics_new(path, &sink), 0);
	kc_sinks_add(&sinks, sink);
	/* Somebody's folder of that name: what there was stays. */
	assert_int_equal(mkdir(fresh, 0700), 0);
	assert_int_equal(kc_sinks_stats(&sinks, &coverage), 0);
	assert_int_equal(kc_sinks_stats(&sinks, &coverage), 0);
	kc_sinks_count(&sinks, &unwritten);
	assert_int_equal(unwritten.lines, 2);
	assert_true(value_of("kcanary_watching") == 1);
	assert_int_equal(rmdir(fresh), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(told, setup, teardown),
		cmocka_unit_test_setup_teardown(unwritable, setup, teardown),
	};

	return RUN(tests);
}
