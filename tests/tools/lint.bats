#!/usr/bin/env bats
# sandbox: none
# when: touched
# about: scripts/lint scripts/compile-commands .clang-format .clang-tidy
# needs: clang-format clang-tidy cppcheck shellcheck
# timeout: 600
#
# scripts/lint, on a small tree: clean code passes, and each checker's complaint
# is passed on.

load ../support/common

setup() {
	unset CI MAKEFLAGS MFLAGS MAKELEVEL
	cd "$BATS_TEST_TMPDIR" || return
	mkdir lib
	cp -a "$ROOT"/{Makefile,scripts,.clang-format,.clang-tidy} .
	find scripts -type f ! -name lint ! -name compile-commands \
		! -name check-house -delete
	git init -q .
	printf '/build/\ncompile_commands.json\n' >.gitignore
	echo '[fix.h](fix.h)' >lib/README.md
	cat >lib/fix.h <<-'END'
		#ifndef UNIXIPC_LIB_FIX_H
		#define UNIXIPC_LIB_FIX_H

		int fix_half(int whole);

		#endif
	END
	tabs >lib/fix.c <<-'END'
		#include "lib/fix.h"

		int fix_half(int whole)
		{
		    return whole / 2;
		}
	END
}

# Code as it is written here, where tabs go astray.
tabs() {
	sed -E ':again; s/^(\t*)    /\1\t/; t again'
}

# assert_complaint CHECKER
assert_complaint() {
	run make lint
	assert_failure 2
	assert_output --partial "lint: to be looked at: $1"
}

@test "clean code is clean, and clang-tidy is not asked twice" {
	run make lint
	assert_success
	assert_line 'lint: clean'
	# A tidy that would complain, if it were asked.
	mkdir bin
	printf '#!/bin/sh\nexit 1\n' >bin/clang-tidy
	chmod +x bin/clang-tidy
	PATH=$PWD/bin:$PATH run make lint
	assert_success
	echo '/* changed */' >>lib/fix.h
	PATH=$PWD/bin:$PATH assert_complaint clang-tidy
}

@test "a thing out of its place is complained of" {
	echo '#include "suite/html.h"' >>lib/fix.c
	assert_complaint house
	assert_line 'lib/fix.c: includes suite/html.h, see scripts/check-house'
}

@test "clang-format complains" {
	sed -i 's/whole \/ 2/whole\/2/' lib/fix.c
	assert_complaint clang-format
}

@test "clang-tidy complains" {
	sed -i 's/return.*/if (whole > 0);\n\t\treturn whole;\n\treturn 0;/' lib/fix.c
	run make lint
	assert_failure 2
	assert_output --partial 'bugprone-suspicious-semicolon'
}

@test "a header that does not compile alone is found" {
	echo 'size_t fix_size(void);' >>lib/fix.h
	echo '#include <stddef.h>' >lib/new.c
	run make lint
	assert_failure 2
	assert_output --partial 'headers'
}

@test "cppcheck complains, but knows what does not return" {
	tabs >lib/fix.c <<-'END'
		#include <stdio.h>
		#include <stdlib.h>

		#include "lib/fix.h"

		_Noreturn void fix_die(void);

		int fix_half(int whole)
		{
		    FILE *file = fopen("/dev/null", "r");

		    if (!file)
		        fix_die();
		    fclose(file);
		    return whole / 2;
		}
	END
	run make lint
	assert_success
	sed -i 's/^_Noreturn //' lib/fix.c
	run make lint
	assert_failure 2
	assert_output --partial 'nullPointerRedundantCheck'
}

@test "shellcheck complains" {
	# shellcheck disable=SC2016
	printf '#!/bin/sh\nrm $HOME\n' >scripts/remove
	assert_complaint shellcheck
}
