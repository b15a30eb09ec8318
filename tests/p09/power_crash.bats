#!/usr/bin/env bats
# about: p09-reclock/ tests/crash/
#
# The store after a power cut, at every step of several processes that use it
# with RECLOCK_SYNC (tests/crash). The controls take away what the promise stands
# on, and must be found out.

load ../support/common

# What a kill leaves matters to the changes just after it: a run with a kill in
# it is short, and the long form has more of them.
CHANGES=20 KILLS=2 CHANGES_TO_KILL=20 FROM=55 TO=66
((!${STRESS:-0})) ||
	CHANGES=300 KILLS=100 CHANGES_TO_KILL=30 FROM=20 TO=200

# What is stored through the mapping, and may come back as anything: the mark
# that the file is replaced or new, and each group's word whether all is on the
# disk. Of records of 600 bytes, in 15 groups.
wild() {
	WILD=(--wild=store:40:4)
	for ((i = 0; i < 15; i++)); do
		WILD+=("--wild=store:$((20480 + i * 19904 + 136)):8")
	done
}

cut() {
	run "$ROOT/tests/crash/run" --keep="$ROOT/build/crash/p09" \
		--states=$((CHANGES * 100)) --sync-us=100 "$@"
	echo "$output" # the counts, for who looks for them
}

@test "no power cut loses a change that was acknowledged" {
	cut p09_reclock 3 $CHANGES
	assert_success
	assert_output --regexp '^[1-9][0-9]{2,} states of [0-9]+ steps, 0 bad '
}

@test "nor does one while the file grows, or is written anew" {
	# The mark of a new file goes through the mapping.
	cut --wild=store:40:4 p09_reclock 3 $((CHANGES * 2)) g
	assert_success
	cut --wild=store:40:4 p09_reclock 3 $CHANGES c
	assert_success
}

@test "nor does one after a writer was killed, whatever it was at" {
	wild
	for ((k = 1; k <= KILLS; k++)); do
		cut --states=$((CHANGES_TO_KILL * 100)) "${WILD[@]}" \
			--kill=$((k * 300 / KILLS - k % 7)) \
			p09_reclock 3 $CHANGES_TO_KILL
		assert_success
	done
}

# Nobody else's barrier helps it, and it comes back to the same records.
@test "nor does one after a lone writer was killed" {
	wild
	for ((k = FROM; k <= TO; k++)); do
		cut --states=3000 "${WILD[@]}" --kill=$k p09_reclock 1 30
		assert_success
	done
}

# bats file_tags=touched
@test "control: without the syncs of files records are lost" {
	cut --without=file-syncs p09_reclock 3 $CHANGES
	assert_failure 1
	assert_output --regexp 'bad state .*: (writer [0-9]|check finds|it cannot)'
}

@test "control: without the syncs of the folder records are lost" {
	cut --without=folder-syncs p09_reclock 3 $CHANGES
	assert_failure 1
	assert_output --regexp 'bad state .*: writer [0-9] key [0-9]+ is not what change'
}
