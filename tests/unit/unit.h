/* SPDX-License-Identifier: GPL-2.0-only */
/* cmocka and what it needs, in the order that it needs it. */
#ifndef KC_TESTS_UNIT_H
#define KC_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define RUN(tests) cmocka_run_group_tests(tests, NULL, NULL)

#endif
