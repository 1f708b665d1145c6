# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# How the tests are built and run. Included by the top Makefile.

APPS := $(patsubst tests/apps/%.c,$(B)/tests/%,$(wildcard tests/apps/*.c))

$(B)/tests/%: tests/apps/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 $(WARNINGS) -D_GNU_SOURCE -static -pthread -o $@ $<

# Unit tests: everything but the sub-commands and the code that needs a BPF
# skeleton, once more, with the sanitizers.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1
UNIT_SOURCES := $(filter-out user/cli/% user/probe/%,$(SOURCES))
UNIT_OBJECTS := $(UNIT_SOURCES:user/%.c=$(B)/asan/%.o) $(B)/asan/tests/fake.o $(B)/asan/tests/text.o
UNITS := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(filter-out tests/unit/fake.c,$(wildcard tests/unit/*.c)))

$(B)/asan/tests/%.o: tests/unit/%.S
	@mkdir -p $(@D)
	$(Q)$(CC) -c -o $@ $<

$(B)/asan/tests/%.o: tests/unit/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Ibpf $(CFLAGS) $(SANITIZE) -MMD -MP -c -o $@ $<

$(B)/asan/%.o: user/%.c | $(B)/gen/syscalls.inc
	$(call say,ASAN,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(SANITIZE) -MMD -MP -c -o $@ $<

$(B)/tests/unit/%: $(B)/asan/tests/%.o $(UNIT_OBJECTS)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZE) -o $@ $^ $(LDLIBS) -lcmocka

-include $(wildcard $(B)/asan/*/*.d)

check: deps ## all tests: unit tests, then guests on four kernels
	$(Q)$(MAKE) -s --no-print-directory all $(APPS) $(UNITS)
	$(Q)tests/check

check-unit: $(UNITS) ## only the unit tests (no root, seconds)
	$(Q)tests/check --only unit --only layers

.PHONY: check check-unit
