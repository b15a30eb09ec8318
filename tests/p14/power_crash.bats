#!/usr/bin/env bats
# about: p14-mmapdb/ tests/crash/
#
# The database after a power cut, at every step of several writers, readers and
# compactions, some of which get killed (tests/crash). The controls have a fault
# each, and must be found out.

load ../support/common

# What is left in the lock file nobody knows: it is stored to through a mapping.
WILD=db-lock:0:24576
WRITERS=3
TRANSACTIONS=10 STATES=250 TWICE=1
# In the long form some 100,000 in all, of two dozen runs.
((!${STRESS:-0})) || TRANSACTIONS=60 STATES=6000 TWICE=6

# cut PROGRAM MODES [OPTION…]
cut() {
	run "$ROOT/tests/crash/run" --keep="$ROOT/build/crash/$1-$2" \
		--states=$STATES --sync-us=100 --wild=$WILD "${@:3}" \
		"$1" $WRITERS $TRANSACTIONS "$2"
}

sound() {
	cut p14_mmapdb "$@"
	assert_success
	assert_output --regexp '^[1-9][0-9]{2,} states of [0-9]+ steps, 0 bad '
	echo "# modes '$1': $output" >&3
}

# found WHY PROGRAM MODES [OPTION…]: with one writer, whose steps are the same in
# each run. It ends with the first bad state: there are many to spare.
found() {
	WRITERS=1 STATES=6000 TRANSACTIONS=100
	cut "${@:2}"
	assert_failure 1
	assert_output --regexp "bad state [0-9]+:[0-9]+ of seed 1: .*($1)"
}

@test "no power cut loses what was promised, nor shows what nobody has put" {
	sound ''
}

@test "what a reader has seen no power cut takes back, nor the next one" {
	sound r --twice=$TWICE
}

@test "nor does one when transactions have meta pages, or the log gets full" {
	sound m
	sound lr
}

@test "without syncs a power cut takes back the last transactions, in whole ones" {
	sound n
}

@test "a compaction that a power cut ends leaves the old file or the new one" {
	sound c
	sound nc
}

@test "nor does it help to kill writers, readers and compactions before" {
	sound rck
}

@test "nor is anything lost when the power fails again, later or at once" {
	sound nck --twice=$TWICE
}

# Its states are of two megabytes.
# bats test_tags=long
@test "a transaction of more pages than a meta page lists is all there or not" {
	STATES=$((STATES / 2)) TRANSACTIONS=10
	sound b
	sound nckb
}

# bats file_tags=touched
@test "control: without the syncs of files" {
	found 'was promised|cannot be opened' p14_mmapdb '' \
		--without=file-syncs
}

@test "control: without the syncs of the folder" {
	found 'cannot be opened|was promised' p14_mmapdb c --without=folder-syncs
}

@test "control: when no checksum is looked at" {
	found '' p14_worse C
}

@test "control: when the pages that a meta page lists are not looked at" {
	found '' p14_worse mL
}

@test "control: when a record of the log that is torn is done again, too" {
	found '' p14_worse B
}

@test "control: when a version is shown before it is durable" {
	found 'was promised' p14_worse rP
}

@test "control: when pages of the durable version are used again" {
	found '' p14_worse lR
}
