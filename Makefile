# slapo-b2b: guests of partner organisations in an OpenLDAP directory.
#
#   make            build/b2b.so, build/b2bctl, build/b2bd, schema/b2b.ldif
#   make check      installs what the tests need, builds, runs all tests
#   make demo       two slapds that show the main job (KEEP=1 leaves them running)
#   make bench      speed, module loaded against not loaded
#   make lint       formatter, warnings, static checks
#   make install    DESTDIR is honoured; make uninstall takes it away
#
# WERROR=1 or CI=true makes warnings errors.  SLAPD_SRC=dir uses OpenLDAP sources that are
# configured already.  BUILD=dir puts the results elsewhere.

BUILD     ?= build
OPT       ?= -O2 -g
DESTDIR   ?=
prefix    ?= /usr
bindir    ?= $(prefix)/bin
sbindir   ?= $(prefix)/sbin
mandir    ?= $(prefix)/share/man
docdir    ?= $(prefix)/share/doc/slapo-b2b
moduledir ?= /usr/lib/ldap
schemadir ?= /etc/ldap/schema
unitdir   ?= $(prefix)/lib/systemd/system
sysusersdir ?= $(prefix)/lib/sysusers.d
templatedir ?= $(prefix)/share/slapo-b2b/templates
ifeq ($(origin CC),default)
CC = gcc
endif

# Debian keeps these where every program finds them.
export PATH := $(PATH):/usr/sbin:/sbin

ifneq ($(filter-out 0 no false,$(WERROR) $(CI)),)
ERROR_FLAGS = -Werror
endif

WARN_FLAGS = -Wall -Wextra -Wformat=2 -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef \
	-Wvla -Wimplicit-fallthrough -Wnull-dereference -Wpointer-arith
CORE_WARN_FLAGS = -std=c11 -Wpedantic -Wconversion -Wsign-conversion -Wcast-qual -Wwrite-strings \
	-Wswitch-enum
GLUE_WARN_FLAGS = -std=gnu11 -Wno-unused-parameter -Wno-missing-field-initializers
HARDEN_FLAGS = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong \
	-fstack-clash-protection -fcf-protection=full -fvisibility=hidden -fno-common
LINK_FLAGS = -Wl,-z,relro,-z,now,-z,noexecstack -Wl,--as-needed
DEFINES = -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64

ifneq ($(SAN),)
SAN_FLAGS = -fsanitize=$(SAN) -fno-omit-frame-pointer -fno-sanitize-recover=undefined
SAN_LINK_FLAGS = -fsanitize=$(SAN) -Wl,-z,nodelete
HARDEN_FLAGS = -fvisibility=hidden -fno-common
endif

COMMON_FLAGS = $(OPT) -fPIC $(DEFINES) $(WARN_FLAGS) $(ERROR_FLAGS) $(HARDEN_FLAGS) $(SAN_FLAGS) \
	$(EXTRA)
CORE_FLAGS = $(COMMON_FLAGS) $(CORE_WARN_FLAGS) -Ioverlay/core
# Files that need libldap's public interface alone: the tool and the home server client.
CLIENT_FLAGS = $(COMMON_FLAGS) $(GLUE_WARN_FLAGS) -Ioverlay/core
GLUE_FLAGS = $(COMMON_FLAGS) $(GLUE_WARN_FLAGS) -Ioverlay/core -I$(BUILD) \
	-isystem $(SLAPD_INCLUDE)/include -isystem $(SLAPD_INCLUDE)/servers/slapd \
	-DB2B_SLAPD_VERSION='"$(SLAPD_VERSION)"'
TEST_FLAGS = $(COMMON_FLAGS) $(GLUE_WARN_FLAGS) -Ioverlay/core -Ioverlay/slapd -Itools -Idaemon \
	-DB2B_TEST_DATA='"tests/data"'

CORE_LIBS   = -ljansson -lcrypto
CLIENT_LIBS = -lldap -llber
MODULE_LIBS = -loath
TOOLS_LIBS  = -lcurl -lidn2 -lqrencode
DAEMON_LIBS = -lcurl
CHECK_LIBS  = -lcheck -lsubunit -lpthread -lrt -lm

CORE_C  := $(sort $(wildcard overlay/core/*.c))
HOME_C  := $(sort $(wildcard overlay/slapd/home*.c))
GLUE_C  := $(filter-out $(HOME_C),$(sort $(wildcard overlay/slapd/*.c)))
TOOLS_C := $(sort $(wildcard tools/*.c))
MAIL_C  := $(sort $(wildcard daemon/mail_*.c))
DAEMON_C := $(filter-out $(MAIL_C),$(sort $(wildcard daemon/*.c)))
UNIT_C  := $(sort $(wildcard tests/unit/check_*.c))
FUZZ_C  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
BENCH_C := $(sort $(wildcard tests/bench/bench_*.c))

objects = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
CORE_O  := $(call objects,$(CORE_C))
HOME_O  := $(call objects,$(HOME_C))
GLUE_O  := $(call objects,$(GLUE_C))
TOOLS_O := $(call objects,$(TOOLS_C))
MAIL_O  := $(call objects,$(MAIL_C))
DAEMON_O := $(call objects,$(DAEMON_C))
UNIT_O  := $(call objects,$(UNIT_C))
BENCH_O := $(call objects,$(BENCH_C))
FUZZ_O  := $(call objects,$(FUZZ_C))

UNITS := $(patsubst tests/unit/%.c,$(BUILD)/unit/%,$(UNIT_C))
BENCHES := $(patsubst tests/bench/%.c,$(BUILD)/bench/%,$(BENCH_C))
FUZZ_REPLAYS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(FUZZ_C))

.PHONY: all check demo bench lint install uninstall clean distclean deps-build FORCE
.PHONY: core mail home glue tools daemon units benches fuzz module schema format
.PHONY: flags-core flags-client flags-glue flags-test
.DELETE_ON_ERROR:
.SECONDARY:

all: module tools daemon schema
module: $(BUILD)/b2b.so
schema: schema/b2b.ldif
units: $(UNITS)
benches: $(BENCHES)
fuzz: $(FUZZ_REPLAYS)
core: $(CORE_O)
mail: $(MAIL_O)
home: $(HOME_O)
glue: $(GLUE_O)
ifneq ($(TOOLS_C),)
tools: $(BUILD)/b2bctl
endif
daemon: $(BUILD)/b2bd
tools-objects: $(TOOLS_O) $(MAIL_O) $(DAEMON_O)
objects: core home glue tools-objects $(UNIT_O) $(BENCH_O) $(FUZZ_O)
.PHONY: objects tools-objects

# Which slapd is installed, and where its headers are.  The script writes the file only when
# something changed, so that make does not start over each time.
needs_slapd := module all glue objects install flags-glue
ifneq ($(filter $(needs_slapd) $(BUILD)/b2b.so,$(or $(MAKECMDGOALS),all)),)
include $(BUILD)/slapd.mk
endif
$(BUILD)/slapd.mk: FORCE
	@SLAPD_SRC='$(SLAPD_SRC)' scripts/slapd-headers $@
FORCE:

# SYNTAX=1 only reads the files: a second compiler's opinion without its code.
define compile
@mkdir -p $(@D)
$(CC) $(1) $(if $(SYNTAX),-fsyntax-only,-MMD -MP -c -o $@) $<
$(if $(SYNTAX),@touch $@)
endef

$(BUILD)/obj/overlay/core/%.o: overlay/core/%.c Makefile
	$(call compile,$(CORE_FLAGS))
$(BUILD)/obj/overlay/slapd/home%.o: overlay/slapd/home%.c Makefile
	$(call compile,$(CLIENT_FLAGS))
$(BUILD)/obj/overlay/slapd/%.o: overlay/slapd/%.c Makefile $(BUILD)/slapd.mk $(BUILD)/schema.inc
	$(call compile,$(GLUE_FLAGS))
$(BUILD)/obj/tools/%.o: tools/%.c Makefile
	$(call compile,$(CLIENT_FLAGS))
$(BUILD)/obj/daemon/%.o: daemon/%.c Makefile
	$(call compile,$(CLIENT_FLAGS))
$(BUILD)/obj/tests/%.o: tests/%.c Makefile
	$(call compile,$(TEST_FLAGS))

$(BUILD)/b2b.so: $(CORE_O) $(HOME_O) $(GLUE_O) scripts/module.map
	$(CC) -shared $(SAN_LINK_FLAGS) $(LINK_FLAGS) -Wl,--version-script=scripts/module.map \
		-o $@ $(CORE_O) $(HOME_O) $(GLUE_O) $(CLIENT_LIBS) $(MODULE_LIBS) $(CORE_LIBS)
$(BUILD)/b2bctl: $(CORE_O) $(TOOLS_O)
	$(CC) $(SAN_LINK_FLAGS) $(LINK_FLAGS) -o $@ $(TOOLS_O) $(CORE_O) $(CLIENT_LIBS) $(TOOLS_LIBS) \
		$(CORE_LIBS)

$(BUILD)/b2bd: $(CORE_O) $(MAIL_O) $(DAEMON_O)
	$(CC) $(SAN_LINK_FLAGS) $(LINK_FLAGS) -o $@ $(DAEMON_O) $(MAIL_O) $(CORE_O) $(CLIENT_LIBS) \
		$(DAEMON_LIBS) $(CORE_LIBS)

$(BUILD)/unit/check_%: $(BUILD)/obj/tests/unit/check_%.o $(CORE_O) $(HOME_O) $(MAIL_O)
	@mkdir -p $(@D)
	$(CC) $(SAN_LINK_FLAGS) -o $@ $< $(CORE_O) $(HOME_O) $(MAIL_O) $(CLIENT_LIBS) $(CORE_LIBS) $(CHECK_LIBS)
$(BUILD)/bench/bench_%: $(BUILD)/obj/tests/bench/bench_%.o $(CORE_O)
	@mkdir -p $(@D)
	$(CC) $(SAN_LINK_FLAGS) -o $@ $< $(CORE_O) $(CORE_LIBS)

# The parsers once more, with both sanitizers, for the replay of the fuzz corpora.
FUZZ_BUILD = $(BUILD)/san
FUZZ_SAN = address,undefined
$(FUZZ_REPLAYS): | fuzz-core
.PHONY: fuzz-core
fuzz-core:
	@$(MAKE) --no-print-directory BUILD=$(FUZZ_BUILD) SAN=$(FUZZ_SAN) OPT='-O1 -g' core mail
$(BUILD)/fuzz/fuzz_%: tests/fuzz/fuzz_%.c tests/fuzz/fuzz_main.h Makefile $(wildcard overlay/core/*) \
		$(MAIL_C) daemon/mail_make.h
	@mkdir -p $(@D)
	$(CC) -O1 -g $(DEFINES) $(WARN_FLAGS) $(ERROR_FLAGS) $(GLUE_WARN_FLAGS) -Ioverlay/core -Idaemon \
		-DB2B_FUZZ_REPLAY -fsanitize=$(FUZZ_SAN) -fno-sanitize-recover=undefined -o $@ $< \
		$(patsubst $(BUILD)/%,$(FUZZ_BUILD)/%,$(CORE_O) $(MAIL_O)) $(CORE_LIBS)

$(BUILD)/schema.inc: schema/b2b.schema scripts/schema-gen
	@mkdir -p $(@D)
	scripts/schema-gen c $< > $@
schema/b2b.ldif: schema/b2b.schema scripts/schema-gen
	scripts/schema-gen ldif $< > $@

check:
	@scripts/deps build check
	@scripts/peers > /dev/null
	@$(MAKE) --no-print-directory all units fuzz
	@tests/run
demo:
	@scripts/deps build demo
	@$(MAKE) --no-print-directory all
	@KEEP='$(KEEP)' scripts/demo
bench:
	@scripts/deps build check
	@$(MAKE) --no-print-directory all benches
	@tests/bench/run
lint:
	@scripts/deps build check lint
	@scripts/lint
format:
	clang-format -i $(wildcard overlay/*/*.[ch] tools/*.[ch] daemon/*.[ch] tests/*/*.[ch])

examples := $(wildcard ldif/*)
templates := $(wildcard templates/*.* templates/*/*.*)
install: all
	install -D -m 644 $(BUILD)/b2b.so $(DESTDIR)$(moduledir)/b2b.so
	install -D -m 755 $(BUILD)/b2bctl $(DESTDIR)$(bindir)/b2bctl
	install -D -m 755 $(BUILD)/b2bd $(DESTDIR)$(sbindir)/b2bd
	install -D -m 644 daemon/b2bd.service $(DESTDIR)$(unitdir)/b2bd.service
	install -D -m 644 daemon/b2bd.sysusers $(DESTDIR)$(sysusersdir)/b2bd.conf
	install -D -m 644 daemon/b2bd.conf $(DESTDIR)$(docdir)/examples/b2bd.conf
	$(foreach file,$(templates),install -D -m 644 $(file) \
		$(DESTDIR)$(templatedir)/$(file:templates/%=%) &&) true
	install -D -m 644 -t $(DESTDIR)$(schemadir) schema/b2b.schema schema/b2b.ldif
	$(if $(wildcard man/*.1),install -D -m 644 -t $(DESTDIR)$(mandir)/man1 $(wildcard man/*.1))
	$(if $(wildcard man/*.5),install -D -m 644 -t $(DESTDIR)$(mandir)/man5 $(wildcard man/*.5))
	$(if $(wildcard man/*.8),install -D -m 644 -t $(DESTDIR)$(mandir)/man8 $(wildcard man/*.8))
	$(if $(examples),install -D -m 644 -t $(DESTDIR)$(docdir)/examples $(examples))
uninstall:
	rm -f $(DESTDIR)$(moduledir)/b2b.so $(DESTDIR)$(bindir)/b2bctl $(DESTDIR)$(sbindir)/b2bd
	rm -f $(DESTDIR)$(unitdir)/b2bd.service $(DESTDIR)$(sysusersdir)/b2bd.conf
	rm -f $(patsubst templates/%,$(DESTDIR)$(templatedir)/%,$(templates))
	rmdir $(patsubst templates/%,$(DESTDIR)$(templatedir)/%,$(filter-out templates/,\
		$(sort $(dir $(templates))))) $(DESTDIR)$(templatedir) \
		$(DESTDIR)$(dir $(templatedir)) 2>/dev/null || true
	rm -f $(DESTDIR)$(schemadir)/b2b.schema $(DESTDIR)$(schemadir)/b2b.ldif
	rm -f $(patsubst man/%,$(DESTDIR)$(mandir)/man1/%,$(wildcard man/*.1))
	rm -f $(patsubst man/%,$(DESTDIR)$(mandir)/man5/%,$(wildcard man/*.5))
	rm -f $(patsubst man/%,$(DESTDIR)$(mandir)/man8/%,$(wildcard man/*.8))
	rm -f $(DESTDIR)$(docdir)/examples/b2bd.conf
	rm -f $(patsubst ldif/%,$(DESTDIR)$(docdir)/examples/%,$(examples))
	rmdir $(DESTDIR)$(docdir)/examples $(DESTDIR)$(docdir) 2>/dev/null || true

# The headers' cache is shared by all clones; distclean says where it is and leaves it.
clean:
	rm -rf $(BUILD)
distclean: clean
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	@scripts/slapd-headers --cache

# For the static checks: what each kind of file is compiled with.
flags-core:
	@printf '%s\n' "$(CORE_WARN_FLAGS) $(DEFINES) -Ioverlay/core"
flags-client:
	@printf '%s\n' "$(GLUE_WARN_FLAGS) $(DEFINES) -Ioverlay/core"
flags-test:
	@printf '%s\n' "$(GLUE_WARN_FLAGS) $(DEFINES) -Ioverlay/core -Ioverlay/slapd -Itools \
-Idaemon -DB2B_TEST_DATA=\"tests/data\""
flags-glue:
	@printf '%s\n' "$(GLUE_WARN_FLAGS) $(DEFINES) -Ioverlay/core -I$(BUILD) -isystem \
$(SLAPD_INCLUDE)/include -isystem $(SLAPD_INCLUDE)/servers/slapd -DB2B_SLAPD_VERSION=\"x\""

-include $(patsubst %.o,%.d,$(CORE_O) $(HOME_O) $(GLUE_O) $(TOOLS_O) $(MAIL_O) $(DAEMON_O) \
	$(UNIT_O) $(BENCH_O))
