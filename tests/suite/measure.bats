#!/usr/bin/env bats
# when: long
# timeout: 1200
#
# `ipc_suite benchmark --all` as the README has it: in full, for minutes. What
# benchmark.bats sees of it is the quick form.
# shellcheck disable=SC2154 # run sets stderr

bats_require_minimum_version 1.5.0
load ../support/common

setup() {
	setup_chapter suite
}

@test "all mechanisms are measured in full, have figures and leave nothing" {
	run --separate-stderr timeout 1000 ./ipc_suite benchmark --all
	assert_success
	assert_equal "$stderr" ''
	assert_line --regexp '^Winner: '
	refute_line --partial 'no figures'
	assert_nothing_left
}
