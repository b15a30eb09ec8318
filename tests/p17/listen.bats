#!/usr/bin/env bats
# Where calc_server_auth listens, if nobody says it, and whom it lets go.
# needs: ss

load ../support/common

setup() {
	setup_chapter p17
}

# The addresses of its TCP sockets.
listeners() {
	ss -Htlnp | awk -v pid="pid=$SERVER," 'index($0, pid) {
		sub(/:[0-9]+$/, "", $4); print $4 }' | xargs
}

@test "who believes what callers say listens on the loopback alone" {
	start_server --ready ^Listening ./calc_server_auth --no-rpcbind
	assert_equal "$(listeners)" 127.0.0.1
	stop_server
	start_server --ready ^Listening ./calc_server_auth --no-rpcbind \
		--listen=0.0.0.0
	assert_equal "$(listeners)" 0.0.0.0
	stop_server
	start_server --ready ^Listening ./calc_server_auth --no-rpcbind \
		--listen=::1
	assert_equal "$(listeners)" '[::1]'
	stop_server
	start_server --ready ^Listening ./calc_server_auth --no-rpcbind \
		--auth=none
	assert_equal "$(listeners)" 0.0.0.0
	run ./calc_server_auth --help
	assert_output --partial '127.0.0.1'
}

@test "--verbose says which connections are closed, and why" {
	start_server --ready ^Listening ./calc_server_auth --no-rpcbind \
		--verbose --idle-timeout=50ms --max-connections=1
	port=$(sed -n 's/.*tcp port \([0-9]*\).*/\1/p' "$SERVER_OUT")
	exec 5<>"/dev/tcp/127.0.0.1/$port"
	wait_for_line "$SERVER_ERR" \
		'closed a connection \(tcp\): idle for too long' 30
	exec 5>&-
}
