#!/usr/bin/env bats
# when: touched
# about: tests/crash/
#
# The harness of the power-cut tests on a toy store: sound as it is, and with
# seven faults, each of which must be found.

load ../support/common

setup() {
	CRASH=$ROOT/tests/crash/run
	PLAY=$ROOT/build/release/tests/crash/play
	cd "$BATS_TEST_TMPDIR" || return 1
}

STATES=1500
((!${STRESS:-0})) || STATES=50000

# found FAULT WHY [OPTION…]: it is bad, and for that reason.
found() {
	run "$CRASH" --states=$STATES "${@:3}" toy "$1"
	assert_failure 1
	assert_output --regexp "play: bad state [0-9]+:[0-9]+ of seed 1: .*$2"
}

@test "a store that is sound has no bad state" {
	run "$CRASH" --states=$STATES toy
	assert_success
	assert_output --regexp '^[1-9][0-9]{2,} states of [0-9]+ steps, 0 bad '
}

@test "whoever is killed after any record, the next process leaves no bad state" {
	local kill
	for kill in {1..120..4}; do
		run "$CRASH" --states=100 --kill="$kill" toy
		assert_success
	done
}

@test "a second power cut leaves no bad state" {
	run "$CRASH" --states=$STATES --twice=4 toy
	assert_success
	assert_equal "$(grep -c ' 0 bad ' <<<"$output")" 5
}

@test "what is promised without a sync is found" {
	found no-barrier 'were promised'
	found early-done 'were promised'
}

@test "a sync that does nothing is found, of files and of the folder" {
	found none 'were promised' --without=file-syncs
	found none 'were promised' --without=folder-syncs
}

@test "a folder that is not synced before the log is cut is found" {
	found no-folder-sync 'were promised'
}

@test "a file that is renamed before it is synced is found" {
	found rename-first 'base is not sound'
}

@test "the wrong order of base and log is found" {
	found cut-first 'were promised'
}

@test "a reader that skips the checksum is found" {
	found none 'is torn' --check=no-crc
}

@test "a reader that goes on past a bad record is found" {
	found none 'is missing' --check=past-bad
}

@test "a bad state is made again from its name, and kept" {
	local state
	run "$CRASH" --keep="$PWD/kept" toy no-folder-sync
	assert_failure 1
	[[ $output =~ state\ ([0-9]+:[0-9]+)\ of ]]
	state=${BASH_REMATCH[1]}
	[[ -e kept/state/log ]]
	run "$PLAY" --only="$state" kept/log -- \
		"$ROOT/build/release/tests/crash/toy_crash" check
	assert_failure 1
	assert_line --partial "bad state $state of seed 1"
	assert_line --regexp '^1 states of .* 1 bad'
}

@test "a write that the recorder did not see is found" {
	mkdir dir
	CRASH_LOG=$PWD/log CRASH_DIR=$PWD/dir \
		LD_PRELOAD=$ROOT/build/release/tests/crash/record.so \
		"$ROOT/build/release/tests/crash/toy_crash" drive dir
	echo more >>dir/log
	run "$PLAY" --folder=dir log -- \
		"$ROOT/build/release/tests/crash/toy_crash" check
	assert_failure 3
	assert_output --partial 'log is not as it was recorded'
}

@test "a checker that dies has found a bad state, one that is missing none" {
	mkdir dir
	CRASH_LOG=$PWD/log CRASH_DIR=$PWD/dir \
		LD_PRELOAD=$ROOT/build/release/tests/crash/record.so \
		"$ROOT/build/release/tests/crash/toy_crash" drive dir
	# shellcheck disable=SC2016 # for the other shell
	run "$PLAY" log -- sh -c 'kill -SEGV $$'
	assert_failure 1
	assert_output --partial 'no answer: killed by SIGSEGV'
	run "$PLAY" log -- ./no-such-checker
	assert_failure 3
	run "$PLAY" log
	assert_failure 2
	run "$PLAY" "$ROOT/Makefile" -- true
	assert_failure 3
}
