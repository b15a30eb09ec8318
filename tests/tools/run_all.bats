#!/usr/bin/env bats
# sandbox: none
# when: touched
# about: tests/run-all tests/support/counts.bash tests/support/tagged
# about: tests/support/times.bash tests/support/touched.bash
#
# tests/run-all, on small trees of real programs: what fails, crashes, hangs,
# leaks, is skipped or does not exist must be counted as what it is.

# shellcheck disable=SC2016 # programs and makefiles are text
load ../support/common

setup() {
	unset BASE CI STRESS BIN TEST_FILTER TEST_TIMEOUT JOBS
	mkdir "$BATS_TEST_TMPDIR/tree"
	cd "$BATS_TEST_TMPDIR/tree" || return
	mkdir -p tests/{support,fuzz,lib,p01,p02} scripts
	cp "$ROOT/tests/run-all" tests
	cp "$ROOT"/tests/support/{counts.bash,tagged,times.bash,touched.bash} \
		tests/support
	cp "$ROOT"/scripts/{sandbox,devices.bash} scripts
	# A build for programs of one file each; MODE is only a folder.
	cat >Makefile <<-'END'
		.RECIPEPREFIX = >
		MODE ?= release
		OUT = build/$(MODE)/tests
		all:
		units: $(patsubst tests/%.c,$(OUT)/%,$(wildcard tests/$(or $(P),*)/*_test.c))
		fuzzers: $(patsubst tests/%.c,$(OUT)/%,$(wildcard tests/fuzz/*_fuzz.c))
		$(OUT)/%: tests/%.c
		> @mkdir -p $(@D)
		> @cc -g -DMODE_$(MODE) -o $@ $< -lcmocka
		print-B:
		> @echo build/$(MODE)
		print-TSAN_TESTS:
		> @echo $(TSAN_TESTS)
		print-VALGRIND_SKIP:
		> @echo $(VALGRIND_SKIP)
	END
	mkdir tests/models
	for script in check-breaks doctest check-docs ../tests/models/run; do
		script $script '0 passed, 0 failed'
	done
}

# about FILE…: each break of any chapter is about these files.
about() {
	script check-breaks '1 passed, 0 failed' '[[ $1 != --about ]] || {
		for patch in "$2"/breaks/*.patch; do echo "$patch '"$*"'"; done
		exit
	}
	echo "breaks $*" >>order'
}

# script NAME LAST-LINE [COMMAND]
script() {
	printf '#!/bin/bash\n%s\necho "%s"\n' "${3-}" "$2" >"scripts/$1"
	chmod +x "scripts/$1"
}

# unit NAME BODY…: a unit test with one case for each body; first line HEAD.
unit() {
	local name=$1 body n=0 cases=''
	shift
	{
		echo "${HEAD-}"
		printf '#include <%s>\n' setjmp.h stdarg.h stddef.h stdint.h cmocka.h \
			fcntl.h signal.h stdlib.h sys/ipc.h sys/shm.h unistd.h
		for body; do
			n=$((n + 1))
			echo "static void case_$n(void **state) { (void)state; $body }"
			cases+="cmocka_unit_test(case_$n),"
		done
		echo "int main(void) { const struct CMUnitTest t[] = {$cases};"
		echo 'return cmocka_run_group_tests(t, NULL, NULL); }'
	} >"tests/$name.c"
}

no_valgrind() {
	sed -i "1i VALGRIND_SKIP = $*" Makefile
}

# run_all STATUS LAST-LINE [ARGUMENTS…]
run_all() {
	local wanted=$1 counts=$2
	shift 2
	run tests/run-all "$@" </dev/null
	assert_equal "${lines[-1]}" "$counts"
	assert_equal "$status" "$wanted"
}

# ---- unit tests ------------------------------------------------------------------

@test "passing cases are counted, in release, under asan and valgrind" {
	unit lib/a_test 'assert_true(1);' 'assert_true(2);'
	run_all 0 '6 passed, 0 failed'
	assert_line --regexp '^ok    lib/a_test +2 tests +[0-9]+\.[0-9] s$'
	assert_line --regexp '^ok    lib/a_test \(asan\) '
	assert_line --regexp '^ok    lib/a_test \(valgrind\) '
	# And again, when everything is built and there are old logs.
	run_all 0 '6 passed, 0 failed'
}

@test "failing case is counted and told with its log and how to repeat it" {
	no_valgrind lib/a_test
	unit lib/a_test 'assert_true(1);' '
#ifdef MODE_release
		assert_int_equal(4711, 4712);
#endif
	'
	run_all 1 '3 passed, 1 failed'
	assert_line --regexp '^FAIL  lib/a_test +2 tests'
	assert_line --partial '0x1267 != 0x1268'
	assert_line '      again: scripts/sandbox build/release/tests/lib/a_test '
}

@test "case that fails on purpose under one sanitizer only is seen" {
	no_valgrind lib/a_test
	sed -i '1i TSAN_TESTS = lib/a_test' Makefile
	unit lib/a_test '
#ifdef MODE_tsan
		assert_true(0);
#endif
	'
	run_all 1 '2 passed, 1 failed'
	assert_line --regexp '^FAIL  lib/a_test \(tsan\) '
}

@test "crash is a failure, whatever was printed before" {
	no_valgrind lib/a_test
	unit lib/a_test 'assert_true(1);' 'signal(SIGABRT, SIG_DFL); raise(SIGKILL);'
	run_all 1 '2 passed, 2 failed'
	assert_line --partial 'exit status 137'
	unit lib/a_test 'assert_true(1);' 'raise(SIGTERM);'
	run_all 1 '2 passed, 2 failed'
	assert_line --partial 'exit status 143'
}

@test "program that leaves before its end is a failure" {
	no_valgrind lib/a_test
	unit lib/a_test 'assert_true(1);' '_exit(0);'
	run_all 1 '2 passed, 2 failed'
	assert_line --partial 'it did not come to its end'
}

@test "hung program is ended and a failure" {
	no_valgrind lib/a_test
	HEAD='/* It goes on. timeout: 1 */' unit lib/a_test 'for (;;) pause();'
	run_all 1 '0 passed, 2 failed'
	assert_line --partial 'no end after 1 s'
}

@test "program that runs no case is a failure" {
	no_valgrind lib/a_test
	echo 'int main(void) { return 0; }' >tests/lib/a_test.c
	run_all 1 '0 passed, 2 failed'
}

@test "object left behind is a failure" {
	no_valgrind lib/a_test
	unit lib/a_test 'assert_true(shmget(IPC_PRIVATE, 1, 0600) >= 0);'
	run_all 1 '2 passed, 2 failed'
	assert_line --partial 'left behind: System V shared memory'
}

@test "leak and open descriptor are failures under valgrind" {
	unit lib/leak_test 'assert_non_null(malloc(10)); assert_true(1);'
	unit lib/open_test 'assert_true(open("/dev/null", O_RDONLY) >= 0);'
	run_all 1 '6 passed, 2 failed'
	assert_line --regexp '^FAIL  lib/leak_test \(valgrind\)'
	assert_line --partial '1 descriptors left open'
}

@test "build that fails is a failure and shows why" {
	echo 'this is no C' >tests/lib/a_test.c
	run_all 1 '0 passed, 1 failed'
	assert_line --partial 'make (release)'
	assert_line --partial "unknown type name"
}

# ---- skips ---------------------------------------------------------------------------

@test "skip is named and counted, and is a failure in CI" {
	no_valgrind lib/a_test
	unit lib/a_test 'skip();' 'assert_true(1);'
	printf '@test "%s" {\n%s\n}\n' runs true 'has no moon' \
		'skip "needs the moon"' >tests/p01/a.bats
	run_all 0 '3 passed, 0 failed, 3 skipped'
	assert_line '      skipped: case_1'
	assert_line '      skipped: has no moon (needs the moon)'
	CI=true run_all 1 '3 passed, 3 failed'
	assert_line --partial 'which CI does not allow'
}

@test "case may say that valgrind cannot run it, in CI too" {
	unit lib/a_test 'if (getenv("LD_PRELOAD")) {
			puts("not under valgrind: it knows no moon"); skip(); }' \
		'assert_true(1);'
	CI=true run_all 0 '5 passed, 0 failed, 1 skipped'
	assert_line '      skipped: case_1'
}

@test "what needs root may be skipped by an ordinary user, in CI too" {
	no_valgrind lib/a_test
	unit lib/a_test 'puts("needs root: a second user"); skip();' \
		'assert_true(1);'
	printf '@test "%s" {\n%s\n}\n' 'is root' 'skip "needs root: to mount"' \
		'has no moon' 'skip "needs the moon"' >tests/p01/a.bats
	sed -i 's/((UID == 0))/((0))/' tests/support/counts.bash
	CI=true run_all 1 '2 passed, 1 failed, 3 skipped'
	assert_line '      skipped: is root (needs root: to mount)'
	sed -i 's/((0)) ||/((1)) ||/' tests/support/counts.bash
	CI=true run_all 1 '2 passed, 4 failed'
}

@test "file whose tool is missing is skipped case by case, aloud" {
	printf '# needs: bash no-such-tool\n@test "a" { true; }\n@test "b" { true; }\n' \
		>tests/p01/a.bats
	unit lib/a_test 'assert_true(1);'
	run_all 0 '3 passed, 0 failed, 2 skipped'
	assert_line '      skipped: needs no-such-tool'
	CI=true run_all 1 '3 passed, 2 failed'
}

# ---- commands -----------------------------------------------------------------------------

@test "tests of commands are counted one by one, in the sandbox" {
	printf '@test "%s" {\n%s\n}\n' one '[[ ! -e /run/systemd && $$ -lt 1000 ]]' \
		two 'false # deliberately' three 'touch /dev/shm/three; rm /dev/shm/three' \
		>tests/p01/a.bats
	run_all 1 '2 passed, 1 failed'
	assert_line --regexp 'false # deliberately'
	assert_line '      again: scripts/sandbox bats --tap tests/p01/a.bats '
}

@test "file that does not load is a failure" {
	echo 'load no-such-file' >tests/p01/a.bats
	echo '@test "one" { true; }' >>tests/p01/a.bats
	run tests/run-all </dev/null
	assert_failure 1
	assert_line --regexp '^FAIL  p01/a.bats'
}

@test "file without a test is a failure" {
	echo '# nothing' >tests/p01/a.bats
	run_all 1 '0 passed, 1 failed'
}

@test "file says which sandbox and how much time it wants" {
	printf '# sandbox: none\n@test "a" { [[ $(readlink /proc/self/ns/pid) == "%s" ]]; }\n' \
		"$(readlink /proc/self/ns/pid)" >tests/p01/a.bats
	printf '# sandbox: --root\n# timeout: 1\n@test "b" { sleep 60; }\n' \
		>tests/p01/b.bats
	run_all 1 '1 passed, 1 failed'
	assert_line --regexp '^ok    p01/a.bats'
	assert_line --partial 'no end after 1 s'
	assert_line --partial 'again: scripts/sandbox --root bats'
}

# ---- scripts, seeds ----------------------------------------------------------------------

@test "what the scripts count is counted, and their last line is trusted alone" {
	script doctest '5 passed, 2 failed, 1 skipped' 'echo "9 passed, 9 failed"'
	script check-docs '4 passed, 0 failed'
	run_all 1 '9 passed, 2 failed, 1 skipped'
	script doctest 'all is well'
	run_all 1 '4 passed, 1 failed'
	assert_line --partial 'no line of counts at its end'
	script doctest '5 passed, 0 failed' 'trap "exit 3" EXIT'
	run_all 1 '9 passed, 1 failed'
}

@test "missing script is a failure, not silence" {
	mkdir -p p01-pipe/breaks
	rm scripts/check-docs scripts/check-breaks
	run_all 1 '0 passed, 2 failed'
}

@test "documents come last, and each folder is by itself" {
	mkdir -p p01-pipe/breaks p02-fifo
	touch p01-pipe/README.md p02-fifo/README.md
	script check-breaks '1 passed, 0 failed' 'echo "breaks $* $JOBS" >>order'
	script doctest '1 passed, 0 failed' 'echo "doctest $*" >>order'
	script check-docs '1 passed, 0 failed' 'echo "docs $*" >>order'
	JOBS=1 run_all 0 '5 passed, 0 failed'
	run cat order
	assert_output "breaks p01-pipe 1
doctest README.md
doctest p01-pipe/README.md
doctest p02-fifo/README.md
docs "
}

@test "seeds that crash their fuzz target are a failure" {
	mkdir tests/fuzz/lib_a_fuzz
	touch tests/fuzz/lib_a_fuzz/{one,two}
	echo 'int main(int argc, char **argv) { return argc - 3 + !argv; }' \
		>tests/fuzz/lib_a_fuzz.c
	run_all 0 '1 passed, 0 failed'
	touch tests/fuzz/lib_a_fuzz/three
	run_all 1 '0 passed, 1 failed'
}

# ---- choosing ------------------------------------------------------------------------------

@test "nothing to run is a failure" {
	run_all 1 '0 passed, 0 failed'
}

@test "one chapter is its tests alone" {
	no_valgrind p01/a_test p02/a_test
	unit p01/a_test 'assert_true(1);'
	unit p02/a_test 'assert_true(0);'
	echo '@test "one" { true; }' >tests/p01/a.bats
	echo '@test "two" { false; }' >tests/p02/a.bats
	run_all 0 '3 passed, 0 failed' --chapter p01
	refute_output --partial p02
	run -2 tests/run-all --chapter pipes
	assert_one_line_error "$output" run-all
}

@test "commands of the reader's own are tested by the command tests alone" {
	unit p01/a_test 'assert_true(0);'
	mkdir ../mine
	echo '@test "mine" { [[ $BIN == */mine && -d $BIN ]]; }' >tests/p01/a.bats
	run_all 0 '1 passed, 0 failed' --chapter p01 --bin ../mine
	run -2 tests/run-all --chapter p01 --bin ../nowhere
	assert_one_line_error "$output" run-all
	assert_output --partial '../nowhere'
}

@test "stress runs what is named so, or has a long form, in that" {
	unit lib/a_test 'assert_true(0);'
	unit lib/stress_test 'assert_string_equal(getenv("STRESS"), "1");'
	unit lib/b_test 'if (0 /* support_is_stress() */)
		assert_true(0);' 'assert_string_equal(getenv("STRESS"), "1");'
	echo '@test "c" { [[ $STRESS == 1 ]]; }' >tests/p01/crash.bats
	echo '@test "n" { false; }' >tests/p01/a.bats
	echo '@test "l" { [[ ${STRESS:-0} == 1 ]]; }' >tests/p01/long.bats
	run_all 0 '5 passed, 0 failed' --stress
}

# ---- what is left to the long run ------------------------------------------------

# commit MESSAGE: all of the tree.
commit() {
	[[ -e .git ]] || git init -q .
	echo /build/ >.gitignore
	git add -A
	git -c user.name=x -c user.email=x@y commit -q -m "$1"
}

@test "sanitizers, valgrind and breaks are for what the last commits touched" {
	local n
	sed -i '1i TSAN_TESTS = p01/a_test' Makefile
	unit p01/a_test 'assert_true(1);'
	unit p02/a_test 'assert_true(1);'
	mkdir -p p01-pipe/breaks p02-fifo/breaks
	touch p01-pipe/breaks/one.patch p02-fifo/breaks/two.patch
	about p02-fifo/fifo.c tests/p01/b_fixture.h
	commit first
	for n in {1..20}; do
		echo "$n" >p02-fifo/fifo.c
		commit "$n"
	done
	run_all 0 '5 passed, 0 failed'
	assert_line 'touched since 20 commits: p02'
	assert_line 'left to make test-long: sanitizers and valgrind on the others, 1 breaks of p01'
	assert_line --regexp '^ok    p02/a_test \(valgrind\)'
	assert_line --regexp '^ok    p02/a_test \(asan\)'
	assert_line --regexp '^ok    p01/a_test '
	refute_line --regexp '^ok    p01/a_test \('
	assert [ ! -e build/asan/tests/p01/a_test ]
	# In CI the sanitizers are for all.
	CI=true run_all 0 '7 passed, 0 failed'
	assert_line --regexp '^ok    p01/a_test \(tsan\)'
	assert_line --regexp '^ok    p01/a_test \(asan\)'
	# What is not committed is touched, too, and a commit can be named.
	mkdir -p tests/p01 && touch tests/p01/b_fixture.h
	run_all 0 '9 passed, 0 failed'
	assert_line 'touched since 20 commits: p01 p02'
	BASE=HEAD run_all 0 '6 passed, 0 failed'
	assert_line 'touched since HEAD: p01'
	BASE=nowhere run -2 tests/run-all
	assert_one_line_error "$output" run-all
	# All are meant by a name, and by --long.
	run_all 0 '4 passed, 0 failed' --chapter p02
	refute_output --partial 'left to'
	run_all 0 '9 passed, 0 failed' --long
	refute_output --partial 'left to'
}

@test "sanitizers, valgrind and breaks are for what is built of changed files" {
	unit p01/a_test 'assert_true(1);'
	unit p01/b_test 'assert_true(1);'
	mkdir -p p01-pipe/breaks
	touch p01-pipe/breaks/{one,two}.patch
	about p01-pipe/pipe.c tests/p01/b_test.c
	commit first
	# Neither by text and command tests,
	echo '@test "c" { true; }' >tests/p01/c.bats
	touch p01-pipe/README.md
	BASE=HEAD run_all 0 '3 passed, 0 failed'
	assert_line 'left to make test-long: sanitizers and valgrind on the others, 2 breaks of p01'
	# nor by another test;
	unit p01/b_test 'assert_true(2);'
	BASE=HEAD run_all 0 '6 passed, 0 failed'
	assert_line --regexp '^ok    p01/b_test \(valgrind\)'
	refute_line --regexp '^ok    p01/a_test \('
	git checkout -q tests/p01/b_test.c
	# by the patch, that break alone, and by the chapter's code all.
	echo >>p01-pipe/breaks/two.patch
	rm -f order
	BASE=HEAD run_all 0 '4 passed, 0 failed'
	assert_equal "$(<order)" 'breaks p01-pipe/breaks/two.patch'
	assert_line 'left to make test-long: sanitizers and valgrind on the others, 1 breaks of p01'
	touch p01-pipe/pipe.c
	BASE=HEAD run_all 0 '8 passed, 0 failed'
	# Who cannot say what its breaks are about is run.
	script check-breaks '0 passed, 1 failed' '[[ $1 != --about ]] || exit 1'
	BASE=HEAD run_all 1 '7 passed, 1 failed'
}

@test "test that says what it is about is touched by that alone" {
	no_valgrind p01/a_test
	printf '# when: touched\n# about: scripts/doctest tests/p01/fix/\n%s\n' \
		'@test "x" { true; }' >tests/p01/a.bats
	unit p01/a_test 'assert_true(1);'
	commit first
	echo >>scripts/check-docs
	unit p01/a_test 'assert_true(2);'
	BASE=HEAD run_all 0 '2 passed, 0 failed'
	assert_line 'left to make test-long: sanitizers and valgrind on the others, p01/a.bats'
	mkdir -p tests/p01/fix/deep && touch tests/p01/fix/deep/file
	BASE=HEAD run_all 0 '3 passed, 0 failed'
	rm -r tests/p01/fix
	echo >>tests/p01/a.bats
	BASE=HEAD run_all 0 '3 passed, 0 failed'
	run_all 0 '3 passed, 0 failed' --long
}

@test "no more than three folders are touched, those that changed last" {
	local folder
	for folder in p01 p02 p03 p04 p05; do
		mkdir -p $folder-x/breaks
		touch $folder-x/breaks/one.patch
	done
	about p0{1..5}-x/note
	commit first
	for folder in p03-x p02-x p01-x lib suite p05-x scripts p04-x; do
		mkdir -p $folder && touch $folder/note
		commit $folder
	done
	run_all 0 '2 passed, 0 failed'
	assert_line 'touched since 20 commits: p04 scripts p05'
	assert_line 'touched too, but longer ago: suite lib p01 p02 p03'
	assert_line 'left to make test-long: sanitizers and valgrind on the others, 1 breaks of p01, 1 breaks of p02, 1 breaks of p03'
	BASE=HEAD~8 run_all 0 '5 passed, 0 failed'
}

@test "what a test says in its head or tags is left to the long run, aloud" {
	no_valgrind lib/a_test lib/b_test
	unit lib/a_test 'assert_true(1);'
	HEAD='/* when: long */' unit lib/b_test 'assert_true(1);'
	printf '# when: long\n@test "x" { true; }\n' >tests/p01/a.bats
	printf '# when: touched\n@test "y" { true; }\n' >tests/p01/b.bats
	sed 's/^~/@/' >tests/p01/c.bats <<-'END'
		~test "plain (here)" { true; }
		# bats test_tags=slow,long
		~test "takes long" { true; }
		# bats test_tags=touched
		~test "only when touched" { true; }
		~test 'all is well? [it is]' { true; }
	END
	commit first
	printf '# bats file_tags=long\n@test "z" { true; }\n' >tests/p02/d.bats
	BASE=HEAD run_all 0 '3 passed, 0 failed'
	assert_line 'touched since HEAD: p02'
	assert_line 'left to make test-long: sanitizers and valgrind on the others, lib/b_test, p01/a.bats, p01/b.bats, 2 cases of p01/c.bats, 1 cases of p02/d.bats'
	echo >>tests/p01/a.bats
	BASE=HEAD run_all 0 '5 passed, 0 failed'
	run_all 0 '11 passed, 0 failed' --long
	refute_output --partial 'left to'
}

@test "models are checked in the long run" {
	script ../tests/models/run '3 passed, 0 failed'
	unit lib/a_test 'assert_true(1);'
	run_all 0 '3 passed, 0 failed'
	run_all 0 '6 passed, 0 failed' --long
}

# ---- levels ---------------------------------------------------------------------

@test "the guide's level is the cases tagged so, and beyond it is the rest" {
	no_valgrind p01/a_test
	unit p01/a_test 'assert_true(1);'
	printf '@test "a" { true; }\n# bats test_tags=guide\n@test "b" { true; }\n' \
		>tests/p01/a.bats
	printf '@test "c" { true; }\n' >tests/p01/b.bats
	printf '# bats file_tags=guide\n@test "%s" { true; }\n' d >tests/p01/c.bats
	run_all 0 '6 passed, 0 failed' --chapter p01
	run_all 0 '2 passed, 0 failed' --chapter p01 --level guide
	assert_line --regexp '^ok    p01/c.bats'
	run_all 0 '2 passed, 0 failed' --chapter p01 --level guide --bin .
	run_all 0 '2 passed, 0 failed' --chapter p01 --level beyond --bin .
	run_all 0 '4 passed, 0 failed' --chapter p01 --level beyond
	run_all 1 '0 passed, 0 failed' --chapter p02 --level guide
	assert_line 'no test is chosen'
	run -2 tests/run-all --chapter p01 --level easy
	assert_one_line_error "$output" run-all
}

@test "case whose name cannot be found again is a failure, not silence" {
	printf '# bats test_tags=guide\n@test unquoted { true; }\n' \
		>tests/p01/a.bats
	run_all 1 '0 passed, 1 failed' --chapter p01 --level guide
	assert_line --partial 'bats does not know all of these'
}

# ---- times -------------------------------------------------------------------------

@test "seconds are told by chapter and kind, and the slowest items" {
	local n
	no_valgrind p01/a_test
	unit p01/a_test 'for (long i = 0; i < 200000000; i++) __asm__("");'
	for n in {1..11}; do
		echo '@test "a" { true; }' >"tests/p02/$n.bats"
	done
	mkdir p02-fifo && touch p02-fifo/README.md
	script doctest '1 passed, 0 failed'
	JOBS=2 run_all 0 '15 passed, 0 failed'
	assert_line --regexp '^seconds +unit +asan +.* sum +CPU +sum/2$'
	assert_line --regexp '^p01 +[0-9]+\.[0-9] +[0-9]+\.[0-9] +0\.0 +0\.0 '
	assert_line --regexp '^p02 +0\.0 +0\.0 +.* +[0-9]+\.[0-9]$'
	assert_line --regexp '^together '
	assert_line --regexp '^took [0-9]+ s, of these for building: release [0-9]+ s, asan'
	run grep -cE '^ +[0-9.]+ s +[0-9.]+ s CPU  ' <<<"$output"
	assert_output 10
}

@test "closed standard input is no obstacle" {
	no_valgrind lib/a_test
	unit lib/a_test 'assert_true(1);'
	run -0 bash -c 'exec tests/run-all <&-'
	assert_line '2 passed, 0 failed'
}

@test "run that is ended takes its tests with it" {
	local mark=16180.$$
	printf '@test "a" { sleep %s; }\n' $mark >tests/p01/a.bats
	start_server tests/run-all
	is_there() {
		grep -qsz "^$1$" /proc/[0-9]*/cmdline
	}
	is_not_there() {
		! is_there "$1"
	}
	wait_until 30 is_there $mark
	stop_server
	assert_equal "$status" 130
	wait_until 30 is_not_there $mark
}
