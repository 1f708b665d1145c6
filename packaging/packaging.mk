# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Manual pages, bash completion, installation. All of them are made from what the program says:
# its --help and its schema.

PREFIX ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
COMPLETIONS ?= $(PREFIX)/share/bash-completion/completions

COMMANDS := watch audit record replay functions explain prove doctor held release schema
PAGES := $(B)/man/kcanary.1 $(COMMANDS:%=$(B)/man/kcanary-%.1) $(B)/man/kcanary-json.5

man: $(PAGES) ## manual pages, under build/man (needs help2man)

$(B)/man/%: $(B)/kcanary packaging/page packaging/json-page packaging/see-also.h2m
	$(call say,MAN,$@)
	@mkdir -p $(@D)
	$(Q)packaging/page $* >$@

$(B)/completion: $(B)/kcanary packaging/completion
	$(call say,GEN,$@)
	$(Q)packaging/completion >$@

INSTALL ?= install

install: all man $(B)/completion ## into DESTDIR/PREFIX (/usr/local)
	$(Q)$(INSTALL) -D -m 755 $(B)/kcanary $(DESTDIR)$(SBINDIR)/kcanary
	$(Q)$(INSTALL) -d $(DESTDIR)$(MANDIR)/man1 $(DESTDIR)$(MANDIR)/man5
	$(Q)$(INSTALL) -m 644 $(filter %.1,$(PAGES)) $(DESTDIR)$(MANDIR)/man1
	$(Q)$(INSTALL) -m 644 $(filter %.5,$(PAGES)) $(DESTDIR)$(MANDIR)/man5
	$(Q)$(INSTALL) -D -m 644 $(B)/completion $(DESTDIR)$(COMPLETIONS)/kcanary

uninstall: ## what install has installed, with the same DESTDIR and PREFIX
	$(Q)rm -f $(DESTDIR)$(SBINDIR)/kcanary $(DESTDIR)$(COMPLETIONS)/kcanary \
		$(patsubst $(B)/man/%.1,$(DESTDIR)$(MANDIR)/man1/%.1,$(filter %.1,$(PAGES))) \
		$(patsubst $(B)/man/%.5,$(DESTDIR)$(MANDIR)/man5/%.5,$(filter %.5,$(PAGES)))

.PHONY: man install uninstall
