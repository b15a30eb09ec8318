#!/usr/bin/env bats
# A fault a test, and what is promised of it. All of them in disorder, and for
# half an hour: faults_stress.bats.
# when: touched
# sandbox: --root
# needs: ip iptables jq

# shellcheck disable=SC2154 # run sets status and output

load ../support/common
load faults

# at ID WORD…: at this server, and no other.
at() {
	./kv_client --server="10.18.0.$1:900$1" "${@:2}"
}

# without ID WORD…: at the two others.
without() {
	local list=",$SERVERS,"
	list=${list/,10.18.0.$1:900$1,/,}
	list=${list#,}
	./kv_client --servers="${list%,}" --timeout=20s "${@:2}" >others.out
}

assert_all_are_equal() {
	wait_until 20 are_all_equal
}

are_all_equal() {
	[[ $(client hash | cut -d ' ' -f 1 | sort | uniq -c) == *' 3 '* ]]
}

# Cut off server N from the others, in one direction, while they change a key; it
# must not serve what was there before, and has the change when it is back.
assert_old_leader_serves_nothing_old() {
	local led
	led=$(leader)
	at "$led" put key old
	block "$led" "$@"
	without "$led" put key new
	refute [ "$(at "$led" --timeout=500ms get key)" = old ]
	heal
	assert_equal "$(at "$led" --timeout=20s get key)" new
	assert_all_are_equal
}

@test "a leader that is stopped is replaced, and serves nothing old when it wakes" {
	local led
	led=$(leader)
	at "$led" put key old
	kill -STOP "${SERVER_PID[$led]}"
	without "$led" put key new
	at "$led" --timeout=20s get key >got 3>&- &
	kill -CONT "${SERVER_PID[$led]}"
	wait $!
	assert_equal "$(<got)" new
	assert_all_are_equal
}

@test "a leader that hears nothing is replaced, and serves nothing old" {
	assert_old_leader_serves_nothing_old INPUT -s
}

@test "a leader that nobody hears is replaced, and serves nothing old" {
	assert_old_leader_serves_nothing_old OUTPUT -d
}

@test "a slow disk is logged; one of three holds up nobody, two hold up the acknowledgement" {
	local led i before
	led=$(leader)
	i=$((led % 3 + 1))
	echo 'delay 600' >"order$i"
	assert_equal "$(at "$led" put key 1)" \
		'OK (replicated to 2 of 3 nodes, quorum)'
	wait_until 20 grep -q ' event=slow_sync ' "$BATS_TEST_TMPDIR/$i.err"
	echo 'delay 600' >"order$((i % 3 + 1))"
	[[ $((i % 3 + 1)) != "$led" ]] || echo 'delay 600' >"order$((led % 3 + 1))"
	before=${EPOCHREALTIME/./}
	client --timeout=20s put key 2
	assert [ $((${EPOCHREALTIME/./} - before)) -ge 600000 ]
	heal
	assert_equal "$(client --timeout=20s get key)" 2
}

@test "a disk that fails ends the server, and what was acknowledged is there" {
	local led
	led=$(leader)
	at "$led" put key value
	echo 'fail 5' >"order$led"
	wait_until 20 has_failed "$led"
	assert_ended_by_itself "$led" 'Input/output error'
	heal
	without "$led" get key
	assert_equal "$(<others.out)" value
	run_server "$led"
	assert_equal "$(at "$led" --timeout=20s get key)" value
	assert_all_are_equal
}

@test "a disk that is full takes nothing, is logged, and the server catches up when there is room" {
	local led full
	led=$(leader)
	full=$((led % 3 + 1))
	head -c 60000 /dev/zero >value
	fallocate -l "$(($(stat -f -c '%a * %S' "disk$full")))" \
		"disk$full/ballast"
	wait_until 20 has_no_room "$full"
	assert_equal "$(client put key last)" \
		'OK (replicated to 2 of 3 nodes, quorum)'
	refute is_ended "${SERVER_PID[$full]}"
	rm "disk$full/ballast"
	assert_equal "$(at "$full" --timeout=20s get key)" last
	assert_all_are_equal
}

# With more than its segments hold.
has_no_room() {
	client --timeout=2s put large - <value >out
	grep -q ' event=no_room ' "$BATS_TEST_TMPDIR/$1.err"
}
