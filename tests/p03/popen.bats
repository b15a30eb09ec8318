#!/usr/bin/env bats
# test_mypopen as a user runs it; the library is in p03_*_test.c.

load ../support/common

setup() {
	setup_chapter p03
	mkdir files
	touch files/file1.txt files/file2.txt
	cd files || return 1
}

@test "the guide's transcript" {
	run ../test_mypopen
	assert_success
	assert_output - <<-'END'
		Testing mypopen("ls", "r")...
		Read: file1.txt\nfile2.txt\n
		mypclose returned: 0
		PASS
		Testing mypopen("cat", "w")...
		Wrote: "Hello from parent\n"
		mypclose returned: 0
		PASS
		Testing mypopen("exit 42", "r")...
		mypclose returned: 42
		PASS (exit status preserved)
	END
}

@test "the C library's popen passes the same checks" {
	ours=$(../test_mypopen)
	run ../test_mypopen --libc
	assert_success
	assert_output "${ours//myp/p}"
}

@test "what cannot be printed is told as C would write it" {
	touch $'\0019'
	run ../test_mypopen
	assert_line --index 1 'Read: \0019\nfile1.txt\nfile2.txt\n'
}

@test "a command that fails makes a check fail" {
	mkdir ../bin
	printf '#!/bin/sh\nexec /bin/false\n' >../bin/ls
	printf '#!/bin/sh\nexec /bin/tr a-z A-Z\n' >../bin/cat
	chmod +x ../bin/ls ../bin/cat
	PATH=$PWD/../bin:$PATH run ../test_mypopen
	assert_failure 1
	assert_equal "$(grep -c '^FAIL' <<<"$output")" 2
}

@test "standard streams may be closed at the start" {
	../test_mypopen <&- >out
	assert_equal "$(grep -c '^PASS' out)" 3
	../test_mypopen >out 2>&-
	assert_equal "$(grep -c '^PASS' out)" 3
	run bash -c '../test_mypopen >&- 2>err'
	assert_failure 1
	assert_one_line_error "$(<err)" test_mypopen
}

@test "a full disk behind standard output is reported" {
	run bash -c '../test_mypopen 2>&1 >/dev/full'
	assert_failure 1
	assert_one_line_error "$output" test_mypopen
}

@test "options and operands that do not exist are refused in one line" {
	for arguments in --no-such-option operand --libc=yes; do
		run ../test_mypopen "$arguments"
		assert_failure 2
		assert_one_line_error "$output" test_mypopen
	done
}

