# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# How the tests are built and run. Included by the top Makefile.

$(B)/tests/app01: tests/apps/app01.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 $(WARNINGS) -D_GNU_SOURCE -static -pthread -o $@ $<
