#!/usr/bin/env bats
# Old and new clients on old and new servers. The old ones are the textbook's, as
# rpcgen makes them.
# sandbox: --rpcbind
# needs: rpcinfo

# shellcheck disable=SC2154 # run sets stderr

load ../support/common

PATH=$PATH:/usr/sbin:/sbin

setup() {
	setup_chapter p16
	for side in server client; do
		ln -s "$CHAPTER/textbook/calc_$side" "old_$side"
	done
}

# The old server's main() knows no end: its registration stays.
teardown() {
	end_servers
	rpcinfo -d 824377344 1 || true
	rpcinfo -d 824377344 2 || true
}

start_new() {
	start_server --ready ^Registered ./calc_server
}

# It says nothing, so it is asked.
start_old() {
	start_server ./old_server
	wait_until 30 rpcinfo -t localhost 824377344 1
	wait_until 30 rpcinfo -u localhost 824377344 1
}

@test "old client, old server" {
	start_old
	run ./old_client localhost add 5 3
	assert_success
	assert_output "Result: 8"
}

@test "old client, new server" {
	start_new
	for transport in tcp udp; do
		run ./old_client localhost add 5 3 $transport
		assert_success
		assert_output "Result: 8"
		run ./old_client localhost multiply -7 6 $transport
		assert_output "Result: -42"
		run ./old_client localhost subtract 5 8 $transport
		assert_output "Result: -3"
	done
}

@test "old client is not given a wrong result by the new server" {
	start_new
	run ./old_client localhost add 2147483647 1
	assert_failure 1
	refute_output --partial Result
	run ./old_client localhost add 2147483647 -1
	assert_output "Result: 2147483646"
}

@test "new client, new server" {
	start_new
	run ./calc_client localhost divide 42 6
	assert_success
	assert_output "Result: 7"
}

@test "new client falls back on an old server" {
	start_old
	for transport in tcp udp; do
		run ./calc_client --transport=$transport localhost add 5 3
		assert_success
		assert_output "Result: 8"
		run ./calc_client --transport=$transport localhost mul -7 6
		assert_success
		assert_output "Result: -42"
	done
	printf '%s\n' 'add 5 3' 'sub 1 2' >lines
	run ./calc_client localhost batch <lines
	assert_success
	assert_output "Result: 8
Result: -1"
}

@test "new client says what an old server cannot do" {
	start_old
	for operation in 'divide 4 2' 'accumulate 5'; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr ./calc_client localhost $operation
		assert_failure 6
		assert_equal "$output" ''
		assert_one_line_error "$stderr" calc_client
		assert_regex "$stderr" 'version 1'
	done
}

@test "new client believes no result of an old server that does not fit" {
	start_old
	run --separate-stderr ./calc_client localhost add 2147483647 1
	assert_failure 8
	assert_one_line_error "$stderr" calc_client
	run --separate-stderr ./calc_client localhost add 3000000000 1
	assert_failure 6
	assert_one_line_error "$stderr" calc_client
	run --separate-stderr ./calc_client localhost sub 2147483647 1
	assert_success
	assert_output "Result: 2147483646"
}
