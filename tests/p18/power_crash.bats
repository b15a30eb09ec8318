#!/usr/bin/env bats
# about: p18-rpc-kv/ tests/crash/
#
# A server's data folder after a power cut, at every step of several processes
# that append, vote, take and install snapshots (tests/crash). The controls have a
# fault each, and must be found out.

load ../support/common

ROUNDS=30 STATES=300 TWICE=2 KILLS=4
((!${STRESS:-0})) || ROUNDS=200 STATES=6000 TWICE=20 KILLS=60

# cut PROGRAM MODES [OPTION…]
cut() {
	run "$ROOT/tests/crash/run" --keep="$ROOT/build/crash/$1-$2" \
		--states=$STATES "${@:3}" "$1" $ROUNDS "$2"
}

sound() {
	cut p18_wal '' "$@"
	assert_success
	assert_output --regexp '^[1-9][0-9]{2,} states of [0-9]+ steps, 0 bad '
	echo "# $*: $(tail -1 <<<"$output")" >&3
}

# found WHY MODES [OPTION…]: it ends with the first bad state.
found() {
	STATES=3000 ROUNDS=40
	cut p18_worse "${@:2}"
	assert_failure 1
	assert_output --regexp "bad state [0-9]+:[0-9]+ of seed 1: .*($1)"
}

@test "no power cut takes back an entry, a vote or a snapshot that was promised" {
	sound
}

@test "nor does one after a server was killed, whatever it was at" {
	local i
	for ((i = 1; i <= KILLS; i++)); do
		sound --kill=$((i * 1100 / KILLS - i % 7))
	done
}

@test "nor is anything lost when the power fails again, later or at once" {
	sound --twice=$TWICE
}

# bats file_tags=touched
@test "control: without the syncs of files" {
	found '' '' --without=file-syncs
}

@test "control: without the syncs of the folder" {
	found '' '' --without=folder-syncs
}

@test "control: when what is appended is not synced" {
	found 'were promised|is missing' S
}

@test "control: when a vote is not synced" {
	found 'vote' V
}

@test "control: when no checksum is looked at" {
	found '' C
}
