#!/usr/bin/env bats
# sandbox: none
# timeout: 600
# about: Makefile scripts/compile-commands scripts/install-files
#
# The Makefile and its macros: on a small tree with chapters of every kind, and
# what `make install` gives away on the whole one.
# shellcheck disable=SC2016 # for make to expand

load ../support/common

# bats file_tags=touched

setup() {
	# We are not part of the make that may have called us.
	unset CI MAKEFLAGS MFLAGS MAKELEVEL MODE P WERROR
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p lib/cmd p01-fix suite tests/support tests/fuzz tests/p01
	cp -a "$ROOT"/{Makefile,scripts} .
	write_lib
	write_chapter
	write_suite_and_tests
}

write_lib() {
	echo '$(call mechanism,tick,lib/tick.h,util)' >lib/module.mk
	echo 'int tick_now(void);' >lib/tick.h
	printf '#include "%s"\n%s\n' >lib/tick.c lib/tick.h \
		'int tick_now(void) { return 1; }'
	printf 'int rng_next(void);\n%s\n' 'int rng_next(void) { return 4; }' >lib/rng.c
}

write_chapter() {
	cat >p01-fix/module.mk <<-'END'
		$(call library,fix,p01-fix,fix.c,libpng)
		$(call program,myfix,p01-fix,myfix.c,fix)
		$(call bench,p01-fix,bench.cc,fix)
		$(call mechanism,fix,p01-fix/fix.h,fix,libpng)
		TEST_LDFLAGS_p01/fix_test := -Wl,--wrap=tick_now
	END
	echo 'int fix_it(void);' >p01-fix/fix.h
	printf '#include "%s"\n#include "%s"\n%s\n' >p01-fix/fix.c p01-fix/fix.h \
		lib/tick.h 'int fix_it(void) { return tick_now(); }'
	printf '#include "%s"\n%s\n' >p01-fix/myfix.c p01-fix/fix.h \
		'int main(void) { return fix_it() - 1; }'
	cat >p01-fix/bench.cc <<-'END'
		#include <iostream>
		extern "C" int fix_it(void);
		int main() { std::cout << "fixed " << fix_it() << "\n"; }
	END
	printf 'all:\n\t@$(MAKE) -C .. P=p01 $@\n' >p01-fix/Makefile
}

write_suite_and_tests() {
	echo '$(call program,ipc_suite,suite,main.c,fix)' >suite/module.mk
	cp p01-fix/myfix.c suite/main.c
	echo 'int support;' >tests/support/support.c
	cat >tests/p01/fix_test.c <<-'END'
		#include "p01-fix/fix.h"
		int __wrap_tick_now(void);
		int __wrap_tick_now(void) { return 7; }
		int main(void) { return fix_it() - 7; }
	END
	cat >tests/fuzz/p01_fix_fuzz.c <<-'END'
		#include <stdint.h>
		#include "p01-fix/fix.h"
		int LLVMFuzzerTestOneInput(const uint8_t *data, unsigned long size);
		int LLVMFuzzerTestOneInput(const uint8_t *data, unsigned long size)
		{
			return data && size ? fix_it() - 1 : 0;
		}
	END
	cat >tests/fuzz/replay.c <<-'END'
		int LLVMFuzzerTestOneInput(const unsigned char *, unsigned long);
		int main(void) { return LLVMFuzzerTestOneInput(0, 0); }
	END
}

# A chapter that stands on p01 and on what rpcstub makes.
write_rpc_chapter() {
	cp -a "$ROOT/lib/rpc" lib
	mkdir p16-rpc
	cat >p16-rpc/module.mk <<-'END'
		$(call library,rpc,p16-rpc,rpc.c sum_xdr.c sum_svc.c,libtirpc,later)
		$(call program,myrpc,p16-rpc,myrpc.c,rpc)
	END
	mkdir p17-later
	echo '$(call library,later,p17-later,later.c,,fix)' >p17-later/module.mk
	printf '#include "%s"\nint later(void);\n%s\n' >p17-later/later.c \
		p01-fix/fix.h 'int later(void) { return fix_it(); }'
	cat >p16-rpc/sum.x <<-'END'
		struct pair { int a; int b; };
		program SUM { version SUM_1 { int ADD(pair) = 1; } = 1; } = 0x31230000;
	END
	cat >p16-rpc/rpc.c <<-'END'
		#include "p16-rpc/sum.h"
		int later(void);
		int rpc_add(pair *p);
		int rpc_add(pair *p) { return p->a + p->b + later(); }
		int sum_add_1_svc(const struct rpc_request *request, pair *p, int *sum)
		{
			return !request || !(*sum = rpc_add(p));
		}
	END
	cat >p16-rpc/myrpc.c <<-'END'
		#include "p16-rpc/sum.h"
		int rpc_add(pair *p);
		int main(void)
		{
			pair p = {1, 2};
			return sum_programs[0].procedures[1].serve ? rpc_add(&p) - 4 : 1;
		}
	END
}

@test "make builds the commands in place, and a second make does nothing" {
	make WERROR=1
	p01-fix/myfix
	./ipc_suite
	run make
	assert_output "make: Nothing to be done for 'all'."
}

@test "a textbook's commands are built into it, with nothing of ours" {
	mkdir p01-fix/textbook
	echo 'int main(void) { return 0; }' >p01-fix/textbook/myfix.c
	make
	p01-fix/textbook/myfix
	make MODE=asan
	build/asan/p01-fix/textbook/myfix
	echo 'int tick_now(void); int main(void) { return tick_now(); }' \
		>p01-fix/textbook/myfix.c
	run ! make
	assert_output --partial "undefined reference to \`tick_now'"
	make clean
	run ! ls p01-fix/textbook/myfix
}

@test "make -j builds the same" {
	make -j 8 WERROR=1 all units fuzzers
	run make all units fuzzers
	refute_output --partial ' CC '
	build/release/tests/p01/fix_test
}

@test "a bench may be C++" {
	type -P g++ || skip 'needs g++'
	make benches
	run make bench P=p01
	assert_line '== build/release/p01-fix/bench/bench'
	assert_line 'fixed 1'
}

@test "a header that changes rebuilds who includes it, and nobody else" {
	make
	touch lib/tick.h
	run make
	assert_output --partial 'CC   build/release/p01-fix/fix.o'
	assert_output --partial 'CC   build/release/lib/tick.o'
	assert_output --partial 'LINK ipc_suite'
	refute_output --partial 'lib/rng.o'
	refute_output --partial 'myfix.o'
	refute_output --partial 'main.o'
}

@test "a header that is gone stops nobody who no longer includes it" {
	make
	echo 'int tick_now(void) { return 1; }' >lib/tick.c
	sed -i 's/.*tick.h.*/int tick_now(void);/' p01-fix/fix.c
	rm lib/tick.h
	make
}

@test "each mode and compiler builds into a folder of its own" {
	make
	touch stamp
	make MODE=asan all units
	make MODE=tsan units
	make MODE=cov units
	assert [ -x build/asan/p01-fix/myfix ]
	assert [ -x build/asan/suite/ipc_suite ]
	if type -P clang; then
		make CC=clang WERROR=1
		assert [ -x build/release-clang/p01-fix/myfix ]
	fi
	run find build/release p01-fix ipc_suite -newer stamp
	assert_output ''
	run make
	assert_output "make: Nothing to be done for 'all'."
}

@test "asan, tsan and cov do what they are named after" {
	run make V=1 MODE=asan all
	assert_output --partial '-fsanitize=address,undefined'
	run make V=1 MODE=tsan all
	assert_output --partial '-fsanitize=thread'
	run make V=1 MODE=cov all
	assert_output --partial '--coverage'
	refute_output --partial '-O2'
}

@test "fuzz targets are built for libFuzzer, and to replay" {
	make fuzzers
	build/release/tests/fuzz/p01_fix_fuzz
	type -P clang || skip 'needs clang'
	make MODE=fuzz CC=clang fuzzers
	run build/fuzz-clang/tests/fuzz/p01_fix_fuzz -runs=10
	assert_success
	assert_output --partial 'Done 10 runs'
}

@test "a warning is an error in CI and when asked for" {
	echo 'int rng_other(void) { int unused; return 1; }' >>lib/rng.c
	make
	touch lib/rng.c
	run make WERROR=1
	assert_failure
	assert_output --partial '-Werror'
	CI=true run make
	assert_failure
}

@test "a chapter can be built alone, from the root and from within" {
	write_rpc_chapter
	make -C p01-fix
	assert [ -x p01-fix/myfix ]
	assert [ ! -e p16-rpc/myrpc ]
	assert [ ! -e ipc_suite ]
	make P=suite
	assert [ -x ipc_suite ]
	assert [ ! -e p16-rpc/myrpc ]
}

# What make would run; the README is there to be named.
@test "what takes a chapter hands it on" {
	local target
	touch p01-fix/README.md
	for target in test test-long check stress; do
		run make -n "$target" P=p01
		assert_line --regexp '^tests/run-all .*--chapter "?p01"?'
	done
	run make -n fuzz P=p01
	assert_line 'tests/fuzz/run 60 p01'
	run make -n doctest P=p01
	assert_line 'scripts/doctest p01-fix/README.md'
	for target in check-docs breaks; do
		run make -n "$target" P=p01
		assert_line --regexp '^scripts/check-[a-z]+ p01-fix$'
	done
}

@test "rpcstub's sources are made first, and libraries bring along theirs" {
	type -P rpcgen && pkg-config --exists libtirpc || skip 'needs rpcgen'
	write_rpc_chapter
	make -j 4 WERROR=1
	p16-rpc/myrpc
	touch p16-rpc/sum.x
	run make
	assert_output --partial 'GEN  build/gen/p16-rpc/sum'
	assert_output --partial 'CC   build/release/p16-rpc/myrpc.o'
	refute_output --partial 'p01-fix/fix.o'
	# What is made includes headers of ours.
	touch lib/rpc/rpc_dispatch.h
	run make
	assert_output --partial 'CC   build/release/p16-rpc/myrpc.o'
}

@test "a missing library is named as its Debian package" {
	export PKG_CONFIG_LIBDIR=/nonexistent PKG_CONFIG_PATH=
	run make p01-fix/myfix
	assert_failure 2
	assert_output --regexp 'lib(png|jansson)-dev is not installed: run scripts/install-deps'
	make help
	make clean
}

@test "what is no chapter, and what is no mode, is one line" {
	run make P=p99
	assert_failure 2
	assert_output --partial 'P=p99 is not a chapter'
	run make MODE=debug
	assert_failure 2
	assert_output --partial 'MODE=debug is not one of release, asan'
}

@test "make help lists the targets with a line each" {
	run make help
	for target in all test check bench lint install clean help; do
		assert_line --regexp "^$target +[^ ]"
	done
}

@test "make clean removes all that was built" {
	find . -type f | sort >before
	make all units
	make MODE=asan all
	make clean
	find . -type f ! -name before | sort | diff <(grep -v before before) -
}

@test "compile_commands.json has each source, and commands that work" {
	make compile_commands.json
	grep -q '"file": "p01-fix/fix.c"' compile_commands.json
	grep -q '"file": "tests/p01/fix_test.c"' compile_commands.json
	command=$(sed -n '/rng.c"}/{ s/^ "command": "\(.*\)"}.*/\1/; s/\\"/"/g; p }' \
		compile_commands.json)
	bash -c "$command -o rng.o"
}

@test "make install gives a library that pkg-config knows" {
	make install DESTDIR="$PWD/stage" PREFIX=/opt/ipc CFLAGS=-flto
	stage/opt/ipc/libexec/unixipc/p01-fix/myfix
	stage/opt/ipc/bin/ipc_suite
	build_against stage/opt/ipc
	./user
	run make install PREFIX=relative DESTDIR="$PWD/stage"
	assert_failure 2
	assert_output --partial "PREFIX='relative'"
}

# A program that includes every installed header, and calls tick_now().
build_against() {
	local flags
	(cd "$1/include/unixipc" && find . -name '*.h' -printf '#include "%P"\n') >user.c
	echo 'int main(void) { return tick_now() == 0; }' >>user.c
	# As it would stand there: --define-variable=prefix moves libtirpc too.
	mkdir -p pc
	sed "s|^prefix=.*|prefix=$PWD/$1|" "$1/lib/pkgconfig/unixipc.pc" >pc/unixipc.pc
	flags=$(PKG_CONFIG_PATH=$PWD/pc pkg-config --cflags --libs unixipc)
	# shellcheck disable=SC2086 # flags are words
	gcc -o user user.c $flags
}

@test "make uninstall removes what make install put there, and nothing else" {
	mkdir -p stage/usr/local/bin
	touch stage/usr/local/bin/{mine,ipc_suite.old}
	find stage | sort >before
	make install DESTDIR="$PWD/stage"
	assert [ -x stage/usr/local/bin/ipc_suite ]
	make uninstall DESTDIR="$PWD/stage"
	run -0 diff before <(find stage | sort)
	# What somebody else has put into a folder of ours stays, with the folder.
	make install DESTDIR="$PWD/stage"
	touch stage/usr/local/include/unixipc/theirs.h
	make uninstall DESTDIR="$PWD/stage"
	run diff before <(find stage | sort)
	assert_equal "$(grep '^>' <<<"$output")" "> stage/usr/local/include
> stage/usr/local/include/unixipc
> stage/usr/local/include/unixipc/theirs.h"
	refute_output --partial '<'
	run -2 make uninstall DESTDIR="$PWD/stage"
	assert_output --partial 'nothing of ours'
}

@test "what somebody else has put in the place of a file of ours stays" {
	make install DESTDIR="$PWD/stage"
	echo theirs >stage/usr/local/bin/ipc_suite
	ln -sf /etc/hostname stage/usr/local/lib/libunixipc.a
	run -0 make uninstall DESTDIR="$PWD/stage"
	assert_output --partial "kept: $PWD/stage/usr/local/bin/ipc_suite is not what was installed"
	run bash -c 'find stage/usr/local ! -type d | sort'
	assert_output $'stage/usr/local/bin/ipc_suite\nstage/usr/local/lib/libunixipc.a'
	run -2 make install DESTDIR="$PWD/stage"
	assert_output --partial 'ipc_suite is there, and no earlier install put it there'
	assert_equal "$(<stage/usr/local/bin/ipc_suite)" theirs
}

@test "what an install that was killed has put there is removed" {
	mkdir bin
	# shellcheck disable=SC2016 # a script
	printf '#!/bin/bash\n%s\n' 'echo >>"$CALLS"' \
		'(($(wc -l <"$CALLS") < 6)) || kill -9 $PPID' \
		'exec /usr/bin/install "$@"' >bin/install
	chmod +x bin/install
	TMPDIR=$PWD CALLS=$PWD/calls PATH=$PWD/bin:$PATH run ! make install DESTDIR="$PWD/stage"
	wait_until 10 eval '(($(find stage/usr/local -type f | wc -l) == 7))'
	make uninstall DESTDIR="$PWD/stage"
	assert_equal "$(find stage/usr/local -mindepth 1)" ''
}

@test "installing anew removes what is no longer installed" {
	make install DESTDIR="$PWD/stage"
	sed -i '/mechanism,fix/d' p01-fix/module.mk
	make install DESTDIR="$PWD/stage"
	assert [ ! -e stage/usr/local/include/unixipc/p01-fix ]
	assert [ ! -e stage/usr/local/lib/pkgconfig/unixipc-fix.pc ]
	assert [ -e stage/usr/local/include/unixipc/lib/tick.h ]
	make uninstall DESTDIR="$PWD/stage"
	assert_equal "$(find stage/usr/local -mindepth 1)" ''
}

@test "make uninstall goes nowhere else, whatever the list says" {
	make install DESTDIR="$PWD/stage"
	touch stage/usr/theirs
	echo "$(sha256sum <stage/usr/theirs | cut -d' ' -f1)  bin/../../theirs" \
		>>stage/usr/local/share/unixipc/installed
	run -2 make uninstall DESTDIR="$PWD/stage"
	assert_output --partial 'is not below it'
	assert [ -e stage/usr/theirs ]
}

@test "pages of one name are installed beside each other" {
	mkdir p16-rpc
	touch p01-fix/calc.1 p16-rpc/calc.1 p16-rpc/other.1
	make install DESTDIR="$PWD/stage"
	run ls stage/usr/local/share/man/man1
	assert_output $'calc.1p01\ncalc.1p16\nother.1'
}

# ---- the whole tree ----------------------------------------------------------

copy_tree() {
	mkdir tree
	(cd "$ROOT" && git ls-files -zco --exclude-standard |
		xargs -0 cp -a --parents -t "$BATS_TEST_TMPDIR/tree" build/release) || true
	cd tree || return
}

@test "make -C p06-bench builds that chapter alone" {
	copy_tree
	rm -rf build p06-bench/ipc_benchmark ipc_suite
	make -j 2 -C p06-bench
	p06-bench/ipc_benchmark --version
	assert [ ! -e ipc_suite ]
}
