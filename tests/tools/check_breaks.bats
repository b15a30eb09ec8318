#!/usr/bin/env bats
# sandbox: none
# when: touched
# about: scripts/check-breaks scripts/readme.bash scripts/sandbox
#
# scripts/check-breaks, on a small tree with one chapter: a break that nobody
# notices is a failure, and the checkout stays as it is.
# shellcheck disable=SC2016 # those backticks are Markdown

load ../support/common

setup() {
	unset CI
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p scripts tests/p01 p01-fix/breaks
	cp "$ROOT"/scripts/{check-breaks,readme.bash,sandbox,devices.bash} scripts/
	git init -q .
	printf '/build/\nmyfix\n' >.gitignore
	write_makefile
	write_chapter
	write_tests
	write_break wrong-sum 's/a + b/a - b/' 'fix_test.c:it_adds'
}

write_makefile() {
	sed 's/^ \+/\t/' >Makefile <<-'END'
		programs: p01-fix/myfix
		p01-fix/myfix: p01-fix/fix.c
		 gcc -DMAIN -o $@ $<
		build/release/tests/%: tests/%.c p01-fix/fix.c
		 @mkdir -p $(@D)
		 gcc -I. -o $@ $^ -lcmocka
	END
}

write_chapter() {
	cat >p01-fix/fix.c <<-'END'
		#include <unistd.h>

		int fix_sum(int a, int b)
		{
			return a + b;
		}

		#ifdef MAIN
		int main(void)
		{
			return fix_sum(1, 2) == 3 ? 0 : 1;
		}
		#endif
	END
	cat >p01-fix/README.md <<-'END'
		## Break it on purpose

		| break | what is removed | what you will see | caught by |
		| --- | --- | --- | --- |
	END
}

write_tests() {
	cat >tests/p01/fix_test.c <<-'END'
		#include <setjmp.h>
		#include <stdarg.h>
		#include <stddef.h>
		#include <stdint.h>
		#include <stdlib.h>

		#include <cmocka.h>

		int fix_sum(int a, int b);

		static void it_adds(void **state)
		{
			(void)state;
			assert_int_equal(fix_sum(1, 2), 3);
		}

		static void it_is_there(void **state)
		{
			(void)state;
		}

		int main(void)
		{
			const struct CMUnitTest tests[] = {
				cmocka_unit_test(it_adds),
				cmocka_unit_test(it_is_there),
			};

			if (getenv("TEST_FILTER"))
				cmocka_set_test_filter(getenv("TEST_FILTER"));
			return cmocka_run_group_tests(tests, NULL, NULL);
		}
	END
	sed 's/^~/@/' >tests/p01/fix.bats <<-'END'
		~test "myfix (the command) ends with 0" {
			run "$BATS_TEST_DIRNAME/../../p01-fix/myfix"
			[ "$status" -eq 0 ]
		}
		~test "it is skipped" {
			skip "no reason"
		}
	END
}

# write_break NAME SED-COMMAND TEST: the patch and its row.
write_break() {
	mkdir -p a/p01-fix b/p01-fix
	cp p01-fix/fix.c a/p01-fix
	sed "$2" p01-fix/fix.c >b/p01-fix/fix.c
	diff -u a/p01-fix/fix.c b/p01-fix/fix.c >"p01-fix/breaks/$1.patch" || true
	rm -r a b
	echo "| \`$1\` | something | something else | \`$3\` |" >>p01-fix/README.md
}

list_files() {
	find . -path ./.git -prune -o -type f -printf '%p %T@ %s\n' | sort
}

# assert_counts STATUS LAST-LINE
assert_counts() {
	echo "$output"
	assert_equal "${lines[-1]}" "$2"
	assert_equal "$status" "$1"
}

@test "a break that the named unit test catches passes" {
	run scripts/check-breaks
	assert_counts 0 '1 passed, 0 failed'
	assert_output --partial 'p01-fix/breaks/wrong-sum.patch  fix_test.c:it_adds'
}

@test "a break that the named command test catches passes" {
	write_break worse-sum 's/a + b/0/' \
		'fix.bats:"myfix (the command) ends with 0"'
	run scripts/check-breaks p01-fix
	assert_counts 0 '2 passed, 0 failed'
}

@test "one break can be chosen" {
	write_break worse-sum 's/a + b/0/' \
		'fix.bats:"myfix (the command) ends with 0"'
	run scripts/check-breaks p01-fix/breaks/worse-sum.patch
	assert_counts 0 '1 passed, 0 failed'
	assert_output --partial 'worse-sum'
}

@test "what a break is about can be asked: patch, changed files, test" {
	write_break no-such 's/a + b/a * b/' 'gone_test.c:is_gone'
	run -0 scripts/check-breaks --about p01-fix
	assert_output "p01-fix/breaks/wrong-sum.patch p01-fix/fix.c tests/p01/fix_test.c
p01-fix/breaks/no-such.patch p01-fix/fix.c tests/p01/gone_test.c"
}

@test "a break that nobody catches fails" {
	write_break unseen 's/a + b/b + a/' 'fix_test.c:it_adds'
	run scripts/check-breaks
	assert_counts 1 '1 passed, 1 failed'
	assert_line '        the test passes in spite of the break'
	assert_line '        again: scripts/check-breaks p01-fix/breaks/unseen.patch'
}

@test "a break that only another test catches fails" {
	write_break elsewhere 's/a + b/a - b/' 'fix_test.c:it_is_there'
	run scripts/check-breaks
	assert_counts 1 '1 passed, 1 failed'
}

@test "a test that hangs has caught the break" {
	write_break endless 's/return a/while (1) pause(); &/' 'fix_test.c:it_adds'
	BREAK_TIMEOUT=10 run scripts/check-breaks
	assert_counts 0 '2 passed, 0 failed'
}

@test "a patch that does not apply to the letter fails" {
	sed -i 's/^ int fix_sum/ long fix_sum/' p01-fix/breaks/wrong-sum.patch
	run scripts/check-breaks
	assert_counts 1 '0 passed, 1 failed'
	assert_line '        the patch does not apply'
}

@test "a break that does not build fails" {
	write_break nonsense 's/a + b/a + c/' 'fix_test.c:it_adds'
	run scripts/check-breaks
	assert_counts 1 '1 passed, 1 failed'
	assert_line '        it does not build with the break'
}

@test "a test that fails anyway catches nothing" {
	sed -i 's/(1, 2), 3/(1, 2), 4/' tests/p01/fix_test.c
	run scripts/check-breaks
	assert_counts 1 '0 passed, 1 failed'
	assert_line '        the test fails without the break'
}

@test "a test that does not exist, or is not named in full, fails" {
	write_break second 's/a + b/a - b/' 'fix_test.c:it_subtracts'
	write_break third 's/a + b/a - b/' 'fix.bats:"myfix"'
	write_break fourth 's/a + b/a - b/' 'it_adds'
	run scripts/check-breaks
	assert_counts 1 '1 passed, 3 failed'
	assert_output --partial "there is no test 'it_subtracts'"
	assert_output --partial "there is no test 'myfix'"
	assert_output --partial "'it_adds' names no test"
}

@test "a test that the program does not run fails" {
	sed -i 's/cmocka_set_test_filter(.*/cmocka_set_test_filter("no");/' \
		tests/p01/fix_test.c
	run scripts/check-breaks
	assert_counts 1 '0 passed, 1 failed'
	assert_line '        no such test has run'
}

@test "a skipped test is a named skip on a desk and a failure in CI" {
	write_break skipped 's/a + b/0/' 'fix.bats:"it is skipped"'
	run scripts/check-breaks
	assert_counts 0 '1 passed, 0 failed, 1 skipped'
	CI=true run scripts/check-breaks
	assert_counts 1 '1 passed, 1 failed'
}

@test "a row without a patch fails, and a patch without a row" {
	mv p01-fix/breaks/wrong-sum.patch p01-fix/breaks/other-sum.patch
	run scripts/check-breaks
	assert_counts 1 '0 passed, 2 failed'
	assert_line '        there is no such patch'
	assert_line '        the README has no row for it'
}

@test "the checkout stays as it is, committed or not" {
	git add .
	git -c user.name=x -c user.email=x@y commit -q -m all
	sed -i 's/a + b/b + a/' p01-fix/fix.c
	write_break new-sum 's/b + a/b - a/' 'fix_test.c:it_adds'
	make -s programs build/release/tests/p01/fix_test
	list_files >"$BATS_RUN_TMPDIR/before"
	run scripts/check-breaks p01-fix/breaks/new-sum.patch
	assert_counts 0 '1 passed, 0 failed'
	list_files | diff "$BATS_RUN_TMPDIR/before" -
	grep -q 'b + a' p01-fix/fix.c
}

@test "what is built without the breaks is built once for all of them" {
	sed -i "s,gcc,echo >>$BATS_TEST_TMPDIR/calls; &," Makefile
	write_break worse-sum 's/a + b/0/' \
		'fix.bats:"myfix (the command) ends with 0"'
	run scripts/check-breaks
	assert_counts 0 '2 passed, 0 failed'
	# Command and test, then both with the first, the command with the second.
	run wc -l calls
	assert_output '5 calls'
}

@test "what does not build even without the breaks fails" {
	echo 'this is no C' >>p01-fix/fix.c
	run scripts/check-breaks
	assert_counts 1 '0 passed, 1 failed'
	assert_line '        it does not build without the break'
	assert_output --partial "unknown type name"
}

@test "no breaks are no failure" {
	rm -r p01-fix/breaks p01-fix/README.md
	run scripts/check-breaks
	assert_counts 0 '0 passed, 0 failed'
}
