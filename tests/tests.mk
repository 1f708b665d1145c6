# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# How the tests are built and run. Included by the top Makefile.

APPS := $(patsubst tests/apps/%.c,$(B)/tests/%,$(wildcard tests/apps/*.c))

$(B)/tests/%: tests/apps/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -O2 $(WARNINGS) -D_GNU_SOURCE -static -pthread -o $@ $< $(LIBS)

$(B)/tests/untape: LIBS := -lz

# With kcanary's decoder in it: for tests/second-opinion.
$(B)/tests/decoded: tests/apps/decoded.c $(wildcard $(B)/obj/arch/*.o) | all
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -o $@ $< $(B)/obj/arch/*.o $(LDLIBS)

# Unit tests: everything but the sub-commands and the code that needs a BPF skeleton, once
# more, with the sanitizers; tests/unit/fake_probe.c stands for user/probe, fake_host.c for clocks and
# sysfs, fake_freezer.c for the freezer.
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer -O1
UNIT_SOURCES := $(filter-out user/cli/% user/probe/% user/respond/freezer.c,$(SOURCES)) user/probe/loss.c
FAKES := fake fake_probe fake_host fake_freezer fake_watch text
WRAP := -Wl,--wrap=clock_gettime,--wrap=nanosleep,--wrap=stat,--wrap=write,--wrap=ftruncate,--wrap=fdatasync
UNIT_OBJECTS := $(UNIT_SOURCES:user/%.c=$(B)/asan/%.o) $(FAKES:%=$(B)/asan/tests/%.o)
UNITS := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(filter-out tests/unit/fake%.c,$(wildcard tests/unit/*.c)))

$(B)/asan/tests/%.o: tests/unit/%.S
	@mkdir -p $(@D)
	$(Q)$(CC) -c -o $@ $<

$(B)/asan/tests/%.o: tests/unit/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Ibpf $(CFLAGS) $(SANITIZE) -MMD -MP -c -o $@ $<

$(B)/asan/%.o: user/%.c | $(GENERATED) $(SKELETONS)
	$(call say,ASAN,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(SANITIZE) -MMD -MP -c -o $@ $<

$(B)/tests/unit/%: $(B)/asan/tests/%.o $(UNIT_OBJECTS)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZE) $(WRAP) -o $@ $^ $(LDLIBS) -lcmocka

# The command line's tests have every command's rows, and so all that commands need.
CLI_OBJECTS := $(patsubst user/%.c,$(B)/asan/%.o,$(filter-out user/cli/main.c,$(SOURCES)))

$(B)/tests/unit/options: $(B)/asan/tests/options.o $(CLI_OBJECTS)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZE) -o $@ $^ $(LDLIBS) -lcmocka

-include $(wildcard $(B)/asan/*/*.d)

# The engine's tests again, under the thread sanitizer: lookers and passes run at once.
# (gcc 12 sees uninitialized reads in instrumented code that are none.)
THREADS := -fsanitize=thread -O1 -Wno-maybe-uninitialized
TSAN_OBJECTS := $(UNIT_OBJECTS:$(B)/asan/%=$(B)/tsan/%)
THREADED := monitor loop reload output record
UNITS += $(THREADED:%=$(B)/tests/unit/%-threads)

$(B)/tsan/tests/%.o: $(B)/asan/tests/%.o tests/unit/%.S
	@mkdir -p $(@D)
	$(Q)cp $< $@

$(B)/tsan/tests/%.o: tests/unit/%.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) -Ibpf $(CFLAGS) $(THREADS) -MMD -MP -c -o $@ $<

$(B)/tsan/%.o: user/%.c | $(GENERATED)
	$(call say,TSAN,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(THREADS) -MMD -MP -c -o $@ $<

$(B)/tests/unit/%-threads: $(B)/tsan/tests/%.o $(TSAN_OBJECTS)
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(THREADS) $(WRAP) -o $@ $^ $(LDLIBS) -lcmocka

-include $(wildcard $(B)/tsan/*/*.d)

# Fuzz targets: libFuzzer, what reads what a kernel or a file says.
FUZZ_FLAGS := -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -O1
FUZZ_SOURCES := $(filter-out user/cli/%,$(SOURCES))
FUZZ_OBJECTS := $(FUZZ_SOURCES:user/%.c=$(B)/fuzz/obj/%.o)
FUZZERS := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/*.c))

$(B)/fuzz/obj/%.o: user/%.c | $(SKELETONS) $(GENERATED)
	$(call say,FUZZ,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) -std=gnu17 -g $(FUZZ_FLAGS) -MMD -MP -c -o $@ $<

$(B)/fuzz/%: tests/fuzz/%.c tests/fuzz/fuzz.h $(FUZZ_OBJECTS)
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) -std=gnu17 -g $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $< $(FUZZ_OBJECTS) \
		$(LDLIBS)

-include $(wildcard $(B)/fuzz/obj/*/*.d)

FUZZ_SECONDS ?= 600
fuzz: $(FUZZERS) ## fuzz each target for FUZZ_SECONDS (600)
	$(Q)for f in $(notdir $(FUZZERS)); do echo "$$f:"; tests/fuzz/run $$f $(FUZZ_SECONDS) || exit 1; done

check: deps ## all tests: unit tests, then guests on four kernels
	$(Q)$(MAKE) -s --no-print-directory all $(APPS) $(UNITS) $(FUZZERS)
	$(Q)tests/check

check-long: deps ## as check, but twenty panics of each kind and longer loads
	$(Q)$(MAKE) -s --no-print-directory all $(APPS) $(UNITS) $(FUZZERS)
	$(Q)tests/check --long

fast: all $(UNITS) check-format ## what a change must pass at least: build, units, layers, format (no root)
	$(Q)tests/check --only unit --only layers --only replay-records

check-unit: $(UNITS) ## only the unit tests (no root, seconds)
	$(Q)tests/check --only unit --only layers

.PHONY: check check-long check-unit fast fuzz

soak: deps ## minutes of load of all kinds on each kernel, for false alarms (SOAK_SECONDS=240)
	$(Q)$(MAKE) -s --no-print-directory all $(APPS)
	$(Q)tests/soak $(SOAK_SECONDS)

SOAK_SECONDS ?= 240

# Programs for the benchmark alone.
$(B)/bench/%.bpf.o: tests/bench/%.bpf.c $(wildcard bpf/*)
	$(call say,CLANG,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $@ $<

$(B)/bench/native.linked.o: $(BPF_FIRST) $(B)/bench/native.bpf.o
	$(Q)$(BPFTOOL) gen object $@ $^

# kcanary with empty programs in the live probes' place; theirs go by other names.
WHOLE := $(foreach name,kc_check kc_entry kc_entry_multi kc_return,-D$(name)=$(name)_whole)

$(B)/bench/whole/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) $(WHOLE) -c -o $@ $<

$(B)/bench/empty.linked.o: $(PROBES_OBJECTS:$(B)/bpf/%=$(B)/bench/whole/%) $(B)/bench/empty.bpf.o
	$(Q)$(BPFTOOL) gen object $@ $^

$(B)/bench/gen/probes.skel.h: $(B)/bench/empty.linked.o
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name probes_bpf >$@

# All that knows the skeleton.
SKELETAL := probes points counts ring

$(SKELETAL:%=$(B)/bench/%.o): $(B)/bench/%.o: user/probe/%.c $(B)/bench/gen/probes.skel.h
	$(Q)$(CC) -I$(B)/bench/gen $(CPPFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/bench/kcanary-empty: $(SKELETAL:%=$(B)/bench/%.o) $(filter-out $(SKELETAL:%=$(B)/obj/probe/%.o),$(OBJECTS))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -static -Wl,--gc-sections -o $@ $^ $(LDLIBS)

$(B)/bench/native-sweep: tests/bench/native-sweep.c $(filter-out $(B)/obj/cli/%,$(OBJECTS))
	$(call say,LINK,$@)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -static -Wl,--gc-sections -o $@ $^ $(LDLIBS)

BENCHES := $(B)/bench/native.linked.o $(B)/bench/kcanary-empty $(B)/bench/native-sweep

bench: DEPS += bpftrace
bench: deps ## measure (figures, never pass or fail)
	$(Q)$(MAKE) -s --no-print-directory all $(APPS) $(BENCHES)
	$(Q)tests/bench/run

.PHONY: bench soak
