/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What kcanary says about itself, on stderr. Findings and tables are not log
 * lines: they go to stdout through user/report.
 */
#ifndef KC_UTIL_LOG_H
#define KC_UTIL_LOG_H

#include <stdint.h>

enum kc_log_level {
	KC_LOG_ERROR,
	KC_LOG_WARN,
	KC_LOG_INFO,
	KC_LOG_DEBUG,	/* -v */
	KC_LOG_LIBRARY, /* -vv: libbpf's own words */
};

void kc_log_set_level(enum kc_log_level level);
enum kc_log_level kc_log_get_level(void);

/*
 * From here on nobody waits long for stderr: a line that it does not take within 200 ms, as a
 * terminal that is stopped or a pipe whose reader sleeps, is counted, and told when it takes
 * lines again. For who must go on meanwhile. One thread at a time.
 */
void kc_log_be_impatient(void);
uint64_t kc_log_unwritten(void); /* such lines */

/*
 * One line: "kcanary: ..."; no newline in the format. In the journal its priority is the level's:
 * err, warning, info, debug.
 */
__attribute__((format(printf, 2, 3))) void kc_log(enum kc_log_level level, const char *format, ...);

#define kc_error(...) kc_log(KC_LOG_ERROR, __VA_ARGS__)
#define kc_warn(...)  kc_log(KC_LOG_WARN, __VA_ARGS__)
#define kc_info(...)  kc_log(KC_LOG_INFO, __VA_ARGS__)
#define kc_debug(...) kc_log(KC_LOG_DEBUG, __VA_ARGS__)

/* errno's text for a positive or negative error number. */
const char *kc_strerror(int err);

#endif
