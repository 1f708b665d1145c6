# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Manual pages, bash completion, units, installation, packages. Pages and completion are made from
# what the program says: its --help and its schema.

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
DOCDIR ?= $(PREFIX)/share/doc/kcanary
COMPLETIONS ?= $(PREFIX)/share/bash-completion/completions
UNITDIR ?= $(PREFIX)/lib/systemd/system
SYSCONFDIR ?= /etc
CONF := $(SYSCONFDIR)/kcanary/kcanary.conf

VERSION := $(shell sed -n 's/^.define KC_VERSION "\(.*\)"/\1/p' user/cli/command.h)
# Packages of the same commit are the same bytes.
export SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)

COMMANDS := watch audit record replay functions explain prove doctor held release schema
PAGES := $(B)/man/kcanary.1 $(COMMANDS:%=$(B)/man/kcanary-%.1) $(B)/man/kcanary-json.5
SERVICES := kcanary.service kcanary@.service
RULES := $(wildcard packaging/prometheus/*.yml packaging/grafana/*.json)

man: $(PAGES) ## manual pages, under build/man (needs help2man)

$(B)/man/%: $(B)/kcanary packaging/page packaging/json-page packaging/see-also.h2m
	$(call say,MAN,$@)
	@mkdir -p $(@D)
	$(Q)packaging/page $* >$@

$(B)/completion: $(B)/kcanary packaging/completion
	$(call say,GEN,$@)
	$(Q)packaging/completion >$@

INSTALL ?= install

# The service's units name the program by the path that it is installed under. kcanary@NAME.service
# watches one other unit.
$(B)/systemd/kcanary.service: packaging/systemd/kcanary.service.in FORCE
	@mkdir -p $(@D)
	$(Q)sed 's|@SBINDIR@|$(SBINDIR)|; s|@SYSCONFDIR@|$(SYSCONFDIR)|' $< >$@.new && mv $@.new $@

$(B)/systemd/kcanary@.service: $(B)/systemd/kcanary.service
	$(Q)sed -e 's|^Description=.*|&, for %i.service|' \
		-e 's|^EnvironmentFile=.*|&\nEnvironmentFile=-$(SYSCONFDIR)/kcanary/%i.conf|' \
		-e 's|watch -j -o /var/log/kcanary/kcanary|watch -c /system.slice/%i.service -j -o /var/log/kcanary/%i|' $< >$@.new && mv $@.new $@

FORCE:

install: all man $(B)/completion $(SERVICES:%=$(B)/systemd/%) ## into DESTDIR/PREFIX (/usr/local)
	$(Q)$(INSTALL) -D -m 755 $(B)/kcanary $(DESTDIR)$(SBINDIR)/kcanary
	$(Q)$(INSTALL) -d $(addprefix $(DESTDIR),$(MANDIR)/man1 $(MANDIR)/man5 $(UNITDIR) $(DOCDIR))
	$(Q)$(INSTALL) -m 644 $(filter %.1,$(PAGES)) $(DESTDIR)$(MANDIR)/man1
	$(Q)$(INSTALL) -m 644 $(filter %.5,$(PAGES)) $(DESTDIR)$(MANDIR)/man5
	$(Q)$(INSTALL) -D -m 644 $(B)/completion $(DESTDIR)$(COMPLETIONS)/kcanary
	$(Q)$(INSTALL) -m 644 $(SERVICES:%=$(B)/systemd/%) $(DESTDIR)$(UNITDIR)
	$(Q)$(INSTALL) -m 644 README.md $(RULES) $(DESTDIR)$(DOCDIR)
	$(Q)$(INSTALL) -D -m 644 packaging/systemd/kcanary.logrotate $(DESTDIR)$(SYSCONFDIR)/logrotate.d/kcanary
	$(Q)[ -e $(DESTDIR)$(CONF) ] || $(INSTALL) -D -m 644 packaging/systemd/kcanary.conf $(DESTDIR)$(CONF)

uninstall: ## what install has installed, with the same DESTDIR and PREFIX; a changed kcanary.conf stays
	$(Q)rm -f $(DESTDIR)$(SBINDIR)/kcanary $(DESTDIR)$(COMPLETIONS)/kcanary \
		$(patsubst $(B)/man/%.1,$(DESTDIR)$(MANDIR)/man1/%.1,$(filter %.1,$(PAGES))) \
		$(patsubst $(B)/man/%.5,$(DESTDIR)$(MANDIR)/man5/%.5,$(filter %.5,$(PAGES))) \
		$(SERVICES:%=$(DESTDIR)$(UNITDIR)/%) $(DESTDIR)$(SYSCONFDIR)/logrotate.d/kcanary \
		$(patsubst %,$(DESTDIR)$(DOCDIR)/%,README.md $(notdir $(RULES)))
	$(Q)! cmp -s packaging/systemd/kcanary.conf $(DESTDIR)$(CONF) || rm $(DESTDIR)$(CONF)
	$(Q)rmdir $(DESTDIR)$(DOCDIR) $(dir $(DESTDIR)$(CONF)) 2>/dev/null || :

# Packages are made of what `make install` installs.
STAGE := $(B)/stage
stage: ## build/stage: a tree of what a package holds
	$(Q)rm -rf $(STAGE)
	$(Q)$(MAKE) -s install DESTDIR=$(STAGE) PREFIX=/usr

deb: stage ## build/kcanary_VERSION_ARCH.deb
	$(call say,DEB,$(B)/kcanary_$(VERSION).deb)
	$(Q)packaging/deb $(STAGE) $(VERSION) $(B)

deb-path: deb # for tests
	@echo $(B)/kcanary_$(VERSION)_$$(dpkg --print-architecture).deb

rpm: stage ## build/kcanary-VERSION.rpm
	$(call say,RPM,$(B)/kcanary-$(VERSION).rpm)
	$(Q)packaging/rpm $(STAGE) $(VERSION) $(B)

dist: stage ## build/kcanary-VERSION-MACHINE.tar.gz: the static binary, pages, units, licence
	$(call say,TAR,$(B)/kcanary-$(VERSION).tar.gz)
	$(Q)packaging/dist $(STAGE) $(VERSION) $(B)

.PHONY: man install uninstall stage deb deb-path rpm dist FORCE
