# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# kcanary. `make help` lists the targets; everything is built under build/.

B := build
V ?= 0
ifeq ($(V),1)
  Q :=
  say = @:
else
  Q := @
  say = @printf '  %-8s %s\n' $(1) $(2)
endif

CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(shell command -v bpftool 2>/dev/null || echo /usr/sbin/bpftool)
PYTHON ?= python3

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
ifdef CI
  WARNINGS += -Werror
endif
CPPFLAGS := -D_GNU_SOURCE -Iuser -Iinclude -I$(B)/gen
CFLAGS ?= -O2 -g
CFLAGS += -std=gnu17 $(WARNINGS)
BPF_CFLAGS := -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -Wall -Wextra -Iinclude -Ibpf \
	-idirafter /usr/include/$(shell $(CC) -dumpmachine 2>/dev/null)
LDLIBS := -lbpf -lelf -lz -lcapstone -ljson-c

BUILD_DEPS := clang llvm bpftool libbpf-dev libelf-dev zlib1g-dev libcapstone-dev libjson-c-dev \
	gcc libc6-dev make binutils help2man python3
TEST_DEPS := libcmocka-dev libclang-rt-14-dev clang-format qemu-system-x86 busybox-static mmdebstrap \
	cpio stress-ng xz-utils zstd lz4 python3-jsonschema procps util-linux man-db mandoc \
	lintian rpm
DEPS := $(BUILD_DEPS) $(TEST_DEPS)

SOURCES := $(wildcard user/*/*.c)
OBJECTS := $(SOURCES:user/%.c=$(B)/obj/%.o)
BPF_SOURCES := $(wildcard bpf/*.bpf.c)
GENERATED := $(B)/gen/syscalls_64.inc $(B)/gen/syscalls_32.inc $(B)/gen/schema.inc
BPF_OBJECTS := $(BPF_SOURCES:bpf/%.bpf.c=$(B)/bpf/%.bpf.o)
# Loaded each by itself; all others are the live probes', linked into one object, in which
# they share ring buffer, losses, configuration and scratch (bpf/emit.bpf.h). Who defines a map
# comes first: libbpf's linker (1.1) leaves one that it has met as an extern before at offset 0 of
# .maps (linker_append_btf()), and then "map relo failed to find map for section '.maps'".
BPF_ALONE := kmem sweep gate sample words
BPF_FIRST := $(B)/bpf/emit.bpf.o
PROBES_OBJECTS := $(BPF_FIRST) $(filter-out $(BPF_FIRST) $(BPF_ALONE:%=$(B)/bpf/%.bpf.o),$(BPF_OBJECTS))
SKELETONS := $(BPF_ALONE:%=$(B)/gen/%.skel.h) $(B)/gen/probes.skel.h

.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:

all: $(B)/kcanary ## build build/kcanary, one static binary

$(B)/kcanary: $(OBJECTS)
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) -static -Wl,--gc-sections -o $@.full $^ $(LDLIBS)
	$(Q)strip -o $@ $@.full

# Generated headers must exist before the first compile; after it the
# dependency files know who needs which.
$(B)/obj/%.o: user/%.c Makefile | $(SKELETONS) $(GENERATED)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/bpf/%.bpf.o: bpf/%.bpf.c Makefile
	$(call say,CLANG,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<

$(BPF_ALONE:%=$(B)/bpf/%.linked.o): $(B)/bpf/%.linked.o: $(B)/bpf/%.bpf.o
$(B)/bpf/probes.linked.o: $(PROBES_OBJECTS)

$(B)/bpf/%.linked.o:
	$(call say,BPFLINK,$@)
	$(Q)$(BPFTOOL) gen object $@ $^

$(B)/gen/%.skel.h: $(B)/bpf/%.linked.o
	$(call say,SKEL,$@)
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf >$@

# For user/arch/x86_64.c.
$(B)/gen/schema.inc: user/report/schema.json
	@mkdir -p $(@D)
	$(Q)sed 's/\\/\\\\/g; s/"/\\"/g; s/.*/"&\\n"/' $< >$@

$(B)/gen/syscalls_%.inc:
	@mkdir -p $(@D)
	$(Q)echo '#include <asm/unistd_$*.h>' | $(CC) -E -dM - | \
		sed -n 's/^#define __NR_\([a-z0-9_]*\) \([0-9]*\)$$/[\2] = "\1",/p' | sort -V >$@

-include $(OBJECTS:.o=.d) $(BPF_OBJECTS:.o=.d)

include packaging/packaging.mk
include tests/tests.mk

demo: deps all $(APPS) ## boot a guest and catch a corruption before the panic
	$(Q)tests/demo

build-deps: ## as deps, but only what building needs
	$(Q)$(MAKE) --no-print-directory deps DEPS="$(BUILD_DEPS)"

deps: ## install what is missing, with apt (as root; else says what)
	@missing=; for p in $(DEPS); do \
		dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$p"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" != 0 ]; then echo "missing packages:$$missing"; \
		echo "as root: apt-get install --no-install-recommends$$missing"; exit 1; fi; \
	echo "installing:$$missing"; \
	apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing

clean: ## remove what was built (fetched kernels stay; see distclean)
	$(Q)rm -rf $(B)/obj $(B)/bench $(B)/asan $(B)/tsan $(B)/bpf $(B)/gen $(B)/tests $(B)/fuzz $(B)/man $(B)/completion $(B)/kcanary \
		$(B)/kcanary.full $(B)/systemd $(STAGE) $(B)/package.lock $(B)/kcanary[_-]*

distclean: ## remove everything, fetched kernels included
	$(Q)rm -rf $(B)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

FORMATTED := $(wildcard user/*/*.[ch] bpf/*.[ch] include/*.h tests/*/*.[ch])

format: ## lay out the C files as .clang-format says
	$(Q)clang-format -i $(FORMATTED)

check-format:
	$(Q)clang-format --dry-run -Werror $(FORMATTED)

.PHONY: all demo deps build-deps format check-format clean distclean help
