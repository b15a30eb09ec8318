# The whole project, without recursion: every folder says in its module.mk
# which library and which commands it has, with the three macros below.
#
#   make                    the commands, each into its own folder
#   make P=p01              one chapter (the same as `make -C p01-pipeline`)
#   make MODE=asan          another build, into build/asan: release, asan,
#                           tsan, cov, fuzz
#   make CC=clang           another compiler, into build/release-clang
#
# `make help` lists the targets.

MODE    ?= release
PREFIX  ?= /usr/local
DESTDIR ?=
P       ?=
VERSION := 0.1.0

ifeq ($(origin CC),default)
CC := gcc
endif
CXX := $(subst gcc,g++,$(subst clang,clang++,$(patsubst cc,c++,$(CC))))
B   := build/$(MODE)$(if $(filter-out gcc cc,$(CC)),-$(notdir $(CC)))

DIRS := $(if $(P),$(wildcard $(P) $(P)-*))
ifeq ($(P)$(DIRS),$(P))
ifneq ($(P),)
$(error P=$(P) is not a chapter; say p01 … p18, or suite)
endif
endif

.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
MAKEFLAGS += --no-builtin-rules --no-print-directory

.PHONY: all
all: programs ## build the commands (P=p01: of one chapter)

# ---- flags -------------------------------------------------------------------

WARN    := -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wvla
WARN_C  := $(WARN) -Wstrict-prototypes -Wmissing-prototypes
WERROR  ?= $(CI)
WERROR_ := $(if $(WERROR),-Werror)

MODE_release := -O2
# -Og compiles in 60 % of the time of -O1: the checks are not optimised, and few
# tests compute for long.
MODE_asan    := -Og -fsanitize=address,undefined -fno-sanitize-recover=all \
		-fno-omit-frame-pointer
# It takes no account of fences, and gcc warns of each. Ours order only who
# sleeps and who wakes (p12); data is handed over by release and acquire.
MODE_tsan    := -O1 -fsanitize=thread -fno-omit-frame-pointer \
		$(if $(findstring clang,$(CC)),,-Wno-tsan -fno-var-tracking)
MODE_cov     := -O0 --coverage
# lib/child calls it for children that end by _exit, when it is there.
LINK_cov     := -Wl,-u,__gcov_dump
MODE_fuzz    := -O1 -fsanitize=fuzzer-no-link,address,undefined \
		-fno-sanitize-recover=all -fno-omit-frame-pointer
ifeq ($(origin MODE_$(MODE)),undefined)
$(error MODE=$(MODE) is not one of release, asan, tsan, cov, fuzz)
endif

ALL_CPPFLAGS = -I. -Ibuild/gen -D_GNU_SOURCE \
	       -DUNIXIPC_VERSION='"$(VERSION)"' $(CPPFLAGS)
ALL_MODE     = -g $(MODE_$(MODE)) -pthread
# No bytecode, whatever CFLAGS say: it has no symbols that scripts/join could hide.
ALL_CFLAGS   = -std=gnu17 $(ALL_MODE) $(WARN_C) $(WERROR_) $(CFLAGS) -fno-lto
ALL_CXXFLAGS = -std=gnu++17 $(ALL_MODE) -Wall -Wextra -DNDEBUG $(CXXFLAGS)
# Bound at the start and not at the first call: else each forked child looks up
# for itself what its parent has not called yet, which takes it a millisecond.
ALL_LDFLAGS  = $(ALL_MODE) $(LINK_$(MODE)) -Wl,--as-needed -Wl,-z,now $(LDFLAGS)

# ---- libraries of others, found with pkg-config ------------------------------
# $(call pkg,QUESTION,NAMES) asks once for each. What is missing stops the build
# when something that needs it is compiled: `make help` always works.

DEB_jansson  := libjansson-dev
DEB_cmocka   := libcmocka-dev
DEB_libpng   := libpng-dev
DEB_zlib     := zlib1g-dev
DEB_libtirpc := libtirpc-dev
DEB_nettle   := nettle-dev
DEB_hogweed  := nettle-dev
DEB_gmp      := libgmp-dev
DEB_glib-2.0 := libglib2.0-dev
DEB_libcurl  := libcurl4-openssl-dev

pkg = $(foreach p,$(2),$(call pkg_ask,$(1),$(p))$(PKG_$(1)_$(p)))
pkg_ask = $(if $(filter undefined,$(origin PKG_$(1)_$(2))),$(eval \
	PKG_$(1)_$(2) := $$(shell pkg-config --$(1) $(2) 2>/dev/null)))

pkg_missing = $(sort $(foreach p,$(1),$(if \
	$(call pkg,modversion,$(p)),,$(or $(DEB_$(p)),$(p)))))
pkg_need = $(foreach m,$(call pkg_missing,$(1)),$(error $(m) is not \
	installed: run scripts/install-deps, or apt-get install pkg-config $(m)))
pkg_cflags = $(pkg_need)$(patsubst -I%,-isystem %,$(call pkg,cflags,$(1)))
pkg_libs   = $(pkg_need)$(call pkg,libs,$(1))

# ---- what module.mk says -----------------------------------------------------
#
#   $(call library,NAME,DIR,SOURCES,PKGS,LIBS)   build/MODE/libNAME.a
#   $(call program,NAME,DIR,SOURCES,LIBS,PKGS)   the command NAME
#   $(call bench,DIR,SOURCES,LIBS,PKGS)          what `make bench` runs
#   $(call helper,NAME,DIR,SOURCES,LIBS,PKGS)    a program that the bench starts
#   $(call mechanism,NAME,HEADERS,LIBS,PKGS,NEEDS)   what `make install` gives away
#
# DIR is the chapter's folder, and SOURCES are named from there: ring.c,
# cmd/shm_cat.c, bench/bench.c. What lib/rpc/rpcstub makes of DIR/x.x counts as
# lying there too: x_xdr.c for both sides, x_clnt.c for the client's and x_svc.c
# for the server's, and the header is included as "DIR/x.h". A
# bench may have C++ sources (.cc), where a peer is C++. LIBS are libraries of
# ours, and bring along what they were declared with; all get lib/ (util), and
# commands lib/cmd (cmd). PKGS are names as pkg-config knows them.
#
# The release build of a command lands in DIR (of suite: at the root), any other
# in build/MODE/DIR; benches and their helpers in build/MODE/DIR/bench. What lies
# in a chapter's textbook/, a file a command, needs no word in module.mk: it is
# built into that folder, and linked with nothing of ours. Of what rpcgen makes,
# TEXT_SRC_…/NAME is linked too, and the packages of TEXT_PKGS_…/NAME (p16).

archive = $(1:%=$(B)/lib%.a)
landed  = $(patsubst suite/%,%,$(strip $(2))/$(strip $(1)))
landing = $(if $(filter build/release,$(B)),$(landed),$(B)/$(strip \
	$(2))/$(strip $(1)))

# A mechanism's HEADERS are all that its users see, the first of them the one to
# begin with; NEEDS are mechanisms whose symbols it leaves to them.
define mechanism_declaration
MECHANISMS  += $(1)
HEADERS     += $(2)
HEADERS_$(1) := $(2)
FROM_$(1)    := $(3)
PKGS_$(1)    := $(4)
NEEDS_$(1)   := $(5)
endef
mechanism = $(eval $(mechanism_declaration))

library = $(call declare,LIBRARIES,$(call archive,$(strip \
	$(1))),$(2),$(3),$(4),$(5))
program = $(call declare,PROGRAMS,$(landing),$(2),$(3),$(5),$(4))
bench   = $(call declare,BENCHES,$(B)/$(strip \
	$(1))/bench/bench,$(1),$(2),$(4),$(3))
helper  = $(call declare,HELPERS,$(B)/$(strip $(2))/bench/$(strip \
	$(1)),$(2),$(3),$(5),$(4))

# Noted now and made into rules when all is known, so that it does not matter
# who includes whom first: declare LIST,TARGET,DIR,SOURCES,PKGS,LIBS.
define declaration
$(1) += $(2)
DIR_$(2)  := $(strip $(3))
SRC_$(2)  := $(4)
PKGS_$(2) := $(5)
LIBS_$(2) := $(6)
endef
declare = $(eval $(declaration))

$(call library,util,lib,$(notdir $(wildcard lib/*.c)))
$(call library,cmd,lib,$(filter-out cmd/serve.c cmd/call.c,$(patsubst lib/%,%,$(wildcard \
	lib/cmd/*.c))),jansson)
include $(sort $(wildcard */module.mk))

# p01-pipeline/textbook/mypipe of p01-pipeline/textbook/mypipe.c, and so on.
TEXTS := $(basename $(wildcard p[0-9][0-9]-*/textbook/*.c))
chapter_of = $(firstword $(subst /, ,$(1)))
$(foreach t,$(TEXTS),$(call declare,TEXTBOOK,$(if $(filter \
	build/release,$(B)),,$(B)/)$(t),$(call chapter_of,$(t)),$(t:$(call \
	chapter_of,$(t))/%=%.c) $(TEXT_SRC_$(t)),$(TEXT_PKGS_$(t))))

# ---- unit tests and fuzz targets ---------------------------------------------
# tests/p01/word_test.c links what p01 has, tests/suite/ what all chapters have,
# tests/lib/ lib/ alone. A module.mk may add to what the test p01/word_test
# links: TEST_LIBS_p01/word_test := …, TEST_PKGS_…, and
# TEST_LDFLAGS_p01/word_test := -Wl,--wrap=read. TSAN_TESTS += p01/word_test is a
# test whose threads share one mapping, VALGRIND_SKIP += one that valgrind cannot
# run.
# A fuzz target replays files, or searches by itself in MODE=fuzz.

# They trace processes and make namespaces (tests/support/survivors.h).
VALGRIND_SKIP += $(patsubst tests/%.c,%,$(wildcard tests/*/survivors_test.c))

$(call library,support,tests/support,$(notdir $(wildcard \
	tests/support/*.c)),cmocka)
$(call library,replay,tests/fuzz,replay.c)

# Which folders a test of p01, lib or suite is about, which libraries are there,
# and its declaration: LIST,FOLDER,NAME,CHAPTER,LIBS. lib comes last, as all
# else stands on it.
test_dirs = $(filter-out $(if $(filter suite,$(1)),,suite),$(wildcard \
	$(if $(filter suite,$(1)),p[0-9][0-9]-*,$(1)-*) $(1)))
test_libs = $(foreach l,$(LIBRARIES),$(if $(filter \
	$(DIR_$(l)),$(call test_dirs,$(1))),$(l:$(B)/lib%.a=%)))
declare_test = $(call declare,$(1),$(B)/tests/$(2)/$(3),tests/$(2),$(3).c,\
	$(TEST_PKGS_$(2)/$(3)),$(5) $(TEST_LIBS_$(2)/$(3)) $(call \
	test_libs,$(4)))

names_of = $(basename $(notdir $(wildcard $(1))))
$(foreach d,lib suite $(patsubst tests/%,%,$(wildcard \
	tests/p[0-9][0-9])),$(foreach t,$(call names_of,tests/$(d)/*_test.c),$(call \
	declare_test,UNITS,$(d),$(t),$(d),support)))
$(foreach t,$(call names_of,tests/fuzz/*_fuzz.c),$(call \
	declare_test,FUZZERS,fuzz,$(t),$(firstword $(subst _, ,$(t))),$(if \
	$(filter fuzz,$(MODE)),,replay)))

# tests/crash/p04_word_crash.c is a program of the power-cut tests, and links
# what p04 has; record.so is preloaded into it, and play is who judges.
ifneq ($(wildcard tests/crash),)
$(call library,crash,tests/crash,crash.c)
$(call library,crashplay,tests/crash,world.c state.c pick.c known.c checker.c)
$(foreach t,$(call names_of,tests/crash/*_crash.c),$(call \
	declare_test,CRASH_PROGRAMS,crash,$(t),$(firstword $(subst _, ,$(t))),crash))
$(call declare,CRASH_PROGRAMS,$(B)/tests/crash/play,tests/crash,play.c,,crashplay)
RECORDER := $(B)/tests/crash/record.so
$(call declare,RECORDERS,$(RECORDER),tests/crash,record.c tape.c bytes.c \
	names.c)
CRASH_TOOLS := $(B)/tests/crash/play $(RECORDER)
endif

$(foreach t,$(UNITS) $(CRASH_PROGRAMS),$(eval \
	LD_$(t) = $$(TEST_LDFLAGS_$(t:$(B)/tests/%=%))))
$(foreach t,$(if $(filter fuzz,$(MODE)),$(FUZZERS)),$(eval \
	LD_$(t) = -fsanitize=fuzzer))

# ---- rules -------------------------------------------------------------------

# The archives of these libraries, and of those they stand on, in link order.
closure = $(foreach l,$(call archive,$(1)),$(l) $(call closure,$(LIBS_$(l))))
# The headers that rpcstub makes for these folders.
generated = $(patsubst %.x,build/gen/%.h,$(wildcard $(addsuffix /*.x,$(1))))

define rules
USES_$(1) := $(if $(filter $(TEXTBOOK),$(1)),,$(call closure,$(LIBS_$(1)) $(if \
	$(filter %.a,$(1)),,cmd) util))
OBJ_$(1)  := $(addprefix $(B)/$(DIR_$(1))/,$(addsuffix .o,$(basename $(SRC_$(1)))))
ALL_PKGS_$(1) = $$(sort $$(foreach t,$(1) $$(USES_$(1)),$$(PKGS_$$(t))))
$$(OBJ_$(1)): PKGS += $$(ALL_PKGS_$(1))
$$(OBJ_$(1)): $$(call generated,$$(foreach t,$(1) $$(USES_$(1)),$$(DIR_$$(t))))
$(1): $$(OBJ_$(1)) $(if $(filter %.a,$(1)),,$$(USES_$(1)))
endef
EXECUTABLES := $(PROGRAMS) $(TEXTBOOK) $(BENCHES) $(HELPERS) $(UNITS) \
	$(FUZZERS) $(CRASH_PROGRAMS)
DECLARED    := $(LIBRARIES) $(EXECUTABLES) $(RECORDER)
$(foreach t,$(DECLARED),$(eval $(call rules,$(t))))

# V=1 shows the whole commands.
run = $(if $(V),,@echo '  $(1) $@' &&)
compile = $(1) $(ALL_CPPFLAGS) $(call pkg_cflags,$(sort $(PKGS))) $(2) \
	-MMD -MP -c -o $@ $<

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call run,CC  ) $(call compile,$(CC),$(ALL_CFLAGS))

$(B)/%.o: %.cc
	@mkdir -p $(@D)
	$(call run,CXX ) $(call compile,$(CXX),$(ALL_CXXFLAGS))

$(B)/%.o: build/gen/%.c
	@mkdir -p $(@D)
	$(call run,CC  ) $(call compile,$(CC),$(ALL_CFLAGS) -w)

$(LIBRARIES):
	@rm -f $@
	$(call run,AR  ) ar rcs $@ $(OBJ_$@)

$(EXECUTABLES):
	@mkdir -p $(@D)
	$(call run,LINK) $(if $(filter %.cc,$(SRC_$@)),$(CXX),$(CC)) \
		$(ALL_LDFLAGS) $(LD_$@) -o $@ $(OBJ_$@) $(USES_$@) \
		$(call pkg_libs,$(ALL_PKGS_$@)) -lrt -lm

ifdef RECORDER
$(OBJ_$(RECORDER)): CFLAGS += -fPIC -fvisibility=hidden
$(RECORDER):
	$(call run,LINK) $(CC) $(ALL_MODE) -shared -o $@ $(OBJ_$@)
endif

build/gen/%.h build/gen/%_xdr.c build/gen/%_clnt.c build/gen/%_svc.c: \
		%.x lib/rpc/rpcstub
	@mkdir -p $(@D)
	$(call run,GEN ) lib/rpc/rpcstub -o build/gen $<

# What is installed has one member for each mechanism: the objects that define
# what its headers declare and what these need of its libraries and of lib/,
# joined, with all other symbols local.
define member
$(B)/member/$(1).o: $(filter-out $(call closure,$(foreach n,$(NEEDS_$(1)),$(FROM_$(n)))),$(call \
		closure,$(FROM_$(1)) util)) $(HEADERS_$(1)) scripts/join
	@mkdir -p $$(@D)
	$$(call run,JOIN) scripts/join $$@ $(HEADERS_$(1)) -- $$(filter %.a,$$^)
endef
$(foreach m,$(MECHANISMS),$(eval $(call member,$(m))))
$(B)/libunixipc.a: $(MECHANISMS:%=$(B)/member/%.o)
	@rm -f $@
	$(call run,AR  ) ar rcs $@ $^

# ---- testing -----------------------------------------------------------------

# Of these targets, the ones of the chapter that P names.
chosen = $(if $(P),$(foreach t,$(1),$(if $(filter \
	$(DIRS),$(DIR_$(t))),$(t))),$(1))
chosen_tests = $(if $(P),$(filter $(B)/tests/$(P)/% \
	$(B)/tests/fuzz/$(P)_% $(B)/tests/crash/$(P)_%,$(1)),$(1))

.PHONY: programs units crash-programs fuzzers benches
programs: $(call chosen,$(PROGRAMS) $(TEXTBOOK))
units: $(call chosen_tests,$(UNITS)) ## build the unit tests of this MODE
ifeq ($(MODE),release)
units: crash-programs
endif
crash-programs: $(call chosen_tests,$(CRASH_PROGRAMS)) $(CRASH_TOOLS)
fuzzers: $(call chosen_tests,$(FUZZERS))
benches: $(call chosen,$(BENCHES) $(HELPERS))

.PHONY: test test-long check doctest check-docs breaks stress fuzz models lint bench
test: ## everything that must pass before a commit; ends in one line of counts
	@tests/run-all --chapter "$(P)"
test-long: ## that, and what takes too long for it (docs/testing.md)
	@tests/run-all --long --chapter "$(P)"
check: ## the tests of a chapter: make check P=p01 [BIN=~/mine] [LEVEL=guide]
	@tests/run-all --chapter "$(P)" $(if $(BIN),--bin "$(BIN)") \
		$(if $(LEVEL),--level "$(LEVEL)")
doctest: all ## run the console blocks of the READMEs
	@scripts/doctest $(if $(P),$(wildcard $(DIRS:%=%/README.md)))
check-docs: all ## documents against code: symbols, tests, breaks, options
	@scripts/check-docs $(DIRS)
breaks: ## each patch in breaks/ must make the test in its row fail
	@scripts/check-breaks $(DIRS)
stress: all units ## the long forms: minutes, random kills and pauses
	@tests/run-all --stress $(if $(P),--chapter "$(P)")
FUZZ_SECONDS ?= 60
fuzz: ## run each fuzz target for FUZZ_SECONDS (default 60)
	@$(MAKE) MODE=fuzz CC=clang fuzzers
	@tests/fuzz/run $(FUZZ_SECONDS) $(P)
models: ## check the Promela models with spin
	@tests/models/run
bench: programs benches ## side by side with the peers (P=p01: one chapter)
	@set -e; for bench in $(call chosen,$(BENCHES)); do \
		echo "== $$bench"; "$$bench"; done

# ---- style -------------------------------------------------------------------

.PHONY: format
format: ## reformat every C file
	@git ls-files -co --exclude-standard '*.c' '*.h' | xargs clang-format -i
lint: compile_commands.json ## clang-format, clang-tidy, cppcheck, shellcheck
	@scripts/lint
compile_commands.json: FORCE $(call generated,* tests/lib) ## for editors
	@scripts/compile-commands >$@.new && mv $@.new $@

# What scripts ask for: the value of a variable (print-B); the flags and sources
# for compile_commands.json; the folder and file of each command.
.PHONY: FORCE print-flags print-sources print-programs
print-%:
	@: $(info $($*))
print-flags:
	@: $(info $(CC) $(ALL_CPPFLAGS) $(patsubst -I%,-isystem %,$(sort \
		$(call pkg,cflags,$(foreach t,$(DECLARED),$(PKGS_$(t)))))) \
		$(ALL_CFLAGS))
# Not what is compiled with flags of its own: FLAGS_APART.
print-sources:
	@printf '%s\n' $(filter-out $(FLAGS_APART),$(sort $(foreach t,\
		$(DECLARED),$(wildcard $(addprefix $(DIR_$(t))/,\
			$(filter %.c,$(SRC_$(t))))))))
print-programs:
	@:$(foreach p,$(PROGRAMS),$(info $(DIR_$(p)) $(p)))

# ---- installing, cleaning ----------------------------------------------------

.PHONY: amalgamate install uninstall clean help
amalgamate: all $(call archive,$(foreach m,$(MECHANISMS),$(FROM_$(m))) util) ## one mechanism as two files: M=ring
	@mkdir -p build/amalgamation
	@B=$(B) MECHANISMS="$(sort $(MECHANISMS))" scripts/amalgamate "$(M)" \
		build/amalgamation $(HEADERS_$(M:kvstore=reclock))
install: all $(B)/libunixipc.a $(filter build/gen/%,$(HEADERS)) ## DESTDIR= PREFIX= (default /usr/local)
	@scripts/install-files "$(DESTDIR)" "$(PREFIX)" "$(VERSION)" $(B)/libunixipc.a \
		$(call chosen,$(PROGRAMS)) -- $(sort $(HEADERS)) -- $(foreach \
		m,$(MECHANISMS),"$(m):$(firstword $(HEADERS_$(m))):$(strip $(PKGS_$(m)))")
uninstall: ## remove what `make install` put there
	@scripts/install-files --uninstall "$(DESTDIR)" "$(PREFIX)"
clean: ## remove what was built
	rm -rf build compile_commands.json \
		$(foreach p,$(PROGRAMS),$(call landed,$(notdir $(p)),$(DIR_$(p)))) \
		$(TEXTS)
help: ## this list
	@awk -F ':.*## ' '/^[a-z_.-]+:.*## / { printf "%-24s %s\n", $$1, $$2 }' Makefile

-include $(shell find $(B) -name '*.d' 2>/dev/null)
