#!/usr/bin/env bats
# The textbook's store: what the guide asks, and its four flaws.
# sandbox: --root
# needs: ip

# shellcheck disable=SC2154 # run sets status and output

load ../support/common

setup() {
	setup_chapter p18
	TEXT=$CHAPTER/textbook
}

# server NAME PORT [PEERS]: without a word when it is ready, as the guide's.
server() {
	start_server --name "$1" "$TEXT/kv_server" --id="$1" --port="$2" \
		${3+--peers="$3"}
}

three_servers() {
	server 1 9001 localhost:9002,localhost:9003
	server 2 9002 localhost:9001,localhost:9003
	server 3 9003 localhost:9001,localhost:9002
}

# A get of what is not there is answered by 1 and no word.
nothing_at() {
	local said
	said=$("$TEXT/kv_client" --server=localhost:"$1" get none 2>&1) ||
		(($? == 1)) && [[ -z $said ]]
}

client() {
	timeout -s KILL "${SECONDS_MAX:-20}" "$TEXT/kv_client" \
		--server=localhost:"$1" "${@:2}"
}

@test "the guide's transcript" {
	three_servers
	assert_equal "$(client 9001 put mykey 'Hello World')" \
		'OK (replicated to 3 nodes)'
	assert_equal "$(client 9002 get mykey)" 'Hello World'
	stop_server 1
	assert_equal "$(client 9002 get mykey)" 'Hello World'
	assert_equal "$(client 9003 get mykey)" 'Hello World'
	assert_equal "$(client 9003 put mykey again)" 'OK (replicated to 2 nodes)'
}

@test "a client waits for a server that is about to start" {
	local early
	client 9001 put mykey 1 >out 3>&- &
	early=$!
	server 1 9001
	wait $early
	assert_equal "$(<out)" 'OK (replicated to 1 nodes)'
}

@test "flaw: a partition and two writers, and replicas differ for ever" {
	ip address add 10.0.0.1/32 dev lo
	ip address add 10.0.0.2/32 dev lo
	server 1 9001 10.0.0.2:9002
	server 2 9002 10.0.0.1:9001
	wait_until 10 nothing_at 9002
	assert_equal "$(client 9001 put mykey 1)" 'OK (replicated to 2 nodes)'
	for way in 10.0.0.1/32 10.0.0.2/32; do
		ip address delete $way dev lo
	done
	assert_equal "$(client 9001 put mykey left)" 'OK (replicated to 1 nodes)'
	assert_equal "$(client 9002 put mykey right)" 'OK (replicated to 1 nodes)'
	for way in 10.0.0.1/32 10.0.0.2/32; do
		ip address add $way dev lo
	done
	assert_equal "$(client 9001 put other 1)" 'OK (replicated to 2 nodes)'
	assert_equal "$(client 9001 get mykey)" left
	assert_equal "$(client 9002 get mykey)" right
}

@test "flaw: two bytes and silence, and everybody waits" {
	server 1 9001
	client 9001 put mykey 1
	exec 5<>/dev/tcp/127.0.0.1/9001
	printf '\200\0' >&5
	SECONDS_MAX=3 run client 9001 get mykey
	assert_equal "$status" 137
	exec 5>&-
	assert_equal "$(client 9001 get mykey)" 1
}

@test "flaw: a retry increments twice" {
	server 1 9001
	client 9001 put other 1
	kill -STOP "$SERVER"
	client 9001 incr counter >out 2>err 3>&- &
	wait_for_line err 'Timed out' 20
	kill -CONT "$SERVER"
	wait $!
	# As often as it was asked for: on a busy machine that may be thrice.
	assert_equal "$(<out)" "$(($(grep -c 'Timed out' err) + 1))"
}

@test "flaw: the last one is killed, and all is gone" {
	server 1 9001 localhost:9002
	server 2 9002 localhost:9001
	wait_until 10 nothing_at 9002
	assert_equal "$(client 9001 put mykey 1)" 'OK (replicated to 2 nodes)'
	stop_server 1
	stop_server 2
	server 2 9002
	run client 9002 get mykey
	assert_equal "$status $output" '1 '
}
