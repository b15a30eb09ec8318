#!/usr/bin/env bats
# sandbox: none
# when: touched
# about: scripts/check-docs scripts/readme.bash .codespellrc
#
# scripts/check-docs, on a small tree with one chapter: sound documents pass,
# and each way to be wrong is one line.

# shellcheck disable=SC2016 # those backticks are Markdown

load ../support/common

setup() {
	unset CI
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p scripts tests/p01 p01-fix/breaks
	cp "$ROOT"/.codespellrc .
	cp "$ROOT"/scripts/{check-docs,readme.bash} scripts/
	git init -q .
	printf 'print-programs:\n\t@echo p01-fix p01-fix/myfix\n' >Makefile
	write_chapter
}

write_chapter() {
	cat >p01-fix/fix.c <<-'END'
		int fix_now(void) { return 0; }
	END
	cat >p01-fix/myfix <<-'END'
		#!/bin/sh
		cat <<END_HELP
		Usage: myfix [OPTION...]

		  -n, --number=N             how many; see also --nothing
		      --quiet, --silent      say nothing
		  -?, --help                 this list
		END_HELP
	END
	chmod +x p01-fix/myfix
	cat >p01-fix/myfix.1 <<-'END'
		.Dd May 1, 2024
		.Dt MYFIX 1
		.Os
		.Sh NAME
		.Nm myfix
		.Nd fix it
		.Sh SYNOPSIS
		.Nm
		.Op Ar option ...
		.Sh DESCRIPTION
		The options:
		.Bl -tag -width indent
		.It Fl n , Fl -number Ns = Ns Ar N
		How many.
		.It Fl -quiet , Fl -silent
		Say nothing.
		.El
	END
	echo 'a patch' >p01-fix/breaks/no-fix.patch
	cat >tests/p01/fix_test.c <<-'END'
		const struct CMUnitTest tests[] = {
			cmocka_unit_test(it_is_fixed_at_once),
			cmocka_unit_test_setup_teardown(
				it_stays_fixed, setup, teardown),
		};
	END
	echo '@''test "myfix fixes, quietly" {' >tests/p01/fix.bats # not one of ours
	cat >p01-fix/README.md <<-'END'
		# P01 · Fixing

		## What you will see

		```console
		$ ./myfix    # like nothing.c:12 or `nothing.c:nobody`
		```

		## Read it in this order

		- `fix.c:fix_now` and `p01-fix/fix.c:fix_now()`, see [the code](fix.c)
		- `localhost:ssh` is no file, [the root](../Makefile#top) is one

		## Break it on purpose

		| break | what is removed | what you will see | caught by |
		| --- | --- | --- | --- |
		| `no-fix` | the fix | nothing | `fix_test.c:it_stays_fixed` |

		## Done when

		| behaviour | test |
		| --- | --- |
		| it fixes | `fix_test.c:it_is_fixed_at_once`, `fix.bats:"myfix fixes, quietly"` |
		| all | `fix.bats` |
	END
}

# edit FILE SED-COMMAND: fails when it changes nothing.
edit() {
	cp "$1" before
	sed -i "$2" "$1"
	! cmp -s before "$1"
	rm before
}

# After this change there is one finding, and it has these words.
assert_finding() {
	run scripts/check-docs
	assert_failure 1
	assert_output --partial "$1"
	assert_equal "${#lines[@]}" 2
	assert_regex "${lines[-1]}" '^[0-9]+ passed, 1 failed$'
}

readme=p01-fix/README.md

@test "sound documents pass" {
	run scripts/check-docs
	assert_success
	assert_output '11 passed, 0 failed'
}

@test "a folder can be chosen" {
	run scripts/check-docs p01-fix/
	assert_success
	assert_output '11 passed, 0 failed'
	echo '[x](nowhere)' >README.md
	run scripts/check-docs p01-fix
	assert_success
}

@test "a symbol that is gone is found" {
	edit $readme 's/`fix.c:fix_now`/`fix.c:fix_later`/'
	assert_finding "$readme: 'fix.c:fix_later', there is no 'fix_later' in p01-fix/fix.c"
}

@test "a file that is gone is found" {
	edit $readme 's/`fix.c:fix_now`/`fixed.c:fix_now`/'
	assert_finding "'fixed.c:fix_now', there is no such file"
}

@test "part of a word is no symbol" {
	edit $readme 's/`fix.c:fix_now`/`fix.c:fix`/'
	assert_finding "there is no 'fix' in"
}

@test "a line number is found" {
	edit $readme 's/^- `fix.c:fix_now`/- fix.c:12/'
	assert_finding "'fix.c:12' is a line number"
}

@test "a link to nowhere is found" {
	edit $readme 's/(fix.c)/(fixed.c)/'
	assert_finding "link to 'fixed.c'"
}

@test "a misspelt word is found" {
	echo 'They rec''ieve it.' >>$readme
	assert_finding '"rec''ieve", receive'
}

@test "another title is found" {
	edit $readme '1s/P01 ·/P02 -/'
	assert_finding "begins '# P02 - Fixing', '# P01 · NAME'"
}

@test "a README that is too long is found" {
	yes '' | head -n 250 >>$readme
	assert_finding 'at most 250'
}

@test "a section out of order is found" {
	printf '\n## The picture\n' >>$readme
	assert_finding "section 'The picture' comes too late, before 'Done when'"
}

@test "a section of another name is found" {
	printf '\n## Outlook\n' >>$readme
	assert_finding "section 'Outlook'"
}

@test "a section that no chapter can do without is found" {
	edit $readme 's/^## Read it.*/## The picture/'
	assert_finding "a section is missing, 'Read it in this order'"
}

@test "a test that does not exist is found" {
	edit $readme 's/it_is_fixed_at_once/it_is_fixed/'
	assert_finding "there is no test 'it_is_fixed' in tests/p01/fix_test.c"
}

@test "a command test that does not exist is found" {
	edit $readme 's/fixes, quietly/fixes/'
	assert_finding "there is no test 'myfix fixes' in tests/p01/fix.bats"
}

@test "a test file that does not exist is found" {
	edit $readme 's/`fix.bats`/`fixed.bats`/'
	assert_finding "'fixed.bats' names no test"
}

@test "behaviour without a test is found" {
	edit $readme 's/`fix.bats`/by eye/'
	assert_finding "no test for 'all'"
}

@test "a test that the last run did not pass is found" {
	mkdir -p build/log
	touch -d '1 minute ago' tests/*
	echo '[       OK ] it_stays_fixed' >build/log/p01-fix_test.log
	assert_finding "'it_is_fixed_at_once' did not pass"
	echo '[       OK ] it_is_fixed_at_once' >>build/log/p01-fix_test.log
	echo 'ok 1 myfix fixes, quietly' >build/log/p01-fix.bats.log
	run scripts/check-docs
	assert_success
	# One that is left to the long run is no finding.
	echo '# left: myfix fixes, quietly' >build/log/p01-fix.bats.log
	run scripts/check-docs
	assert_success
}

@test "a break without its patch is found, and a patch without its row" {
	mv p01-fix/breaks/no-fix.patch p01-fix/breaks/no-fixing.patch
	run scripts/check-docs
	assert_failure 1
	assert_output --partial "break 'no-fix', there is no breaks/no-fix.patch"
	assert_output --partial 'p01-fix/breaks/no-fixing.patch: no row'
}

@test "a break that names no test is found" {
	edit $readme 's/`fix_test.c:it_stays_fixed`/`somewhere`/'
	assert_finding "'somewhere' names no test"
}

@test "an option that is not in the man page is found" {
	edit p01-fix/myfix.1 's/ , Fl -silent//'
	assert_finding 'p01-fix/myfix.1: lacks --silent'
}

@test "an option that the command does not have is found" {
	edit p01-fix/myfix.1 's/Fl -silent/& , Fl -mute/'
	assert_finding 'p01-fix/myfix.1: has --mute'
}

@test "a subcommand has options of its own" {
	sed -i '1a\
	[ "$1" != check ] || { echo "      --deep   deeply"; exit; }' p01-fix/myfix
	printf '.Ss %s\n.Nm\n.Cm check Op Fl -deep\n' 'Commands' >>p01-fix/myfix.1
	run scripts/check-docs
	assert_success
	edit p01-fix/myfix.1 's/ Op Fl -deep//'
	assert_finding 'lacks --deep'
}

@test "a command without a man page, or not built, is found" {
	mv p01-fix/myfix.1 .
	run scripts/check-docs p01-fix
	assert_failure 1
	assert_output --partial 'p01-fix/myfix: has no man page'
	rm p01-fix/myfix
	run scripts/check-docs p01-fix
	assert_output --partial 'p01-fix/myfix: is not built'
}

@test "a man page that mandoc does not like is found" {
	edit p01-fix/myfix.1 's/^\.El/.Xyz/'
	run scripts/check-docs
	assert_failure 1
	assert_output --partial 'p01-fix/myfix.1: mandoc,'
}

@test "a chapter without a README is found" {
	rm -r p01-fix/README.md p01-fix/breaks
	assert_finding 'p01-fix: has no README.md'
}

@test "a missing tool is a named skip on a desk and a failure in CI" {
	mkdir bin
	type -P bash sh git make grep sed awk tr cut sort comm timeout cat env \
		dirname basename wc echo | xargs ln -s -t bin
	PATH=$PWD/bin run scripts/check-docs
	assert_success
	assert_output --partial 'skipped: the spelling, needs codespell'
	assert_output --partial '9 passed, 0 failed, 2 skipped'
	CI=true PATH=$PWD/bin run scripts/check-docs
	assert_failure 1
	assert_output --partial '9 passed, 2 failed'
}

@test "a break outside the chapters needs its row too" {
	mkdir -p suite/breaks
	touch suite/breaks/no-suite.patch
	assert_finding 'suite/breaks/no-suite.patch: no row'
}
