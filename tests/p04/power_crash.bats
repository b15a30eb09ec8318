#!/usr/bin/env bats
# about: p04-posix-mq/ tests/crash/
#
# The journal after a power cut, at every step of several submitters
# (tests/crash). The controls take away what the promise stands on, and must be
# found out.

load ../support/common

RUNS=1 JOBS=60 KILLS=5
((!${STRESS:-0})) || RUNS=8 JOBS=200 KILLS=100

# cut [OPTION…]: 3 submitters of 40 jobs each, which is some 2,500 states.
cut() {
	run "$ROOT/tests/crash/run" --keep="$ROOT/build/crash/p04" \
		--states=2500 --sync-us=100 "$@" p04_journal 3 40
	echo "$output" # the counts, for who looks for them
}

@test "no power cut loses a job, changes one, or gives its id again" {
	local i
	for ((i = 1; i <= RUNS; i++)); do
		run "$ROOT/tests/crash/run" --keep="$ROOT/build/crash/p04" \
			--states=$((50 * JOBS)) --sync-us=$((i * 50)) p04_journal 3 $JOBS
		assert_success
		echo "# $output" >&3
		assert_output --regexp '^[1-9][0-9]{3,} states of [0-9]+ steps, 0 bad '
	done
}

@test "nor does one after a submitter was killed, whatever it was at" {
	local i
	for ((i = 1; i <= KILLS; i++)); do
		cut --kill=$((i * 4000 / KILLS - i % 7))
		assert_success
	done
}

# bats file_tags=touched
@test "control: without the syncs of files jobs are lost" {
	cut --without=file-syncs
	assert_failure 1
	assert_output --regexp 'bad state .*: (job [0-9]+|cannot be opened)'
}

@test "control: without the syncs of the folder jobs are lost" {
	cut --without=folder-syncs
	assert_failure 1
	assert_output --regexp 'bad state .*: (job [0-9]+ is gone|it is another)'
}
