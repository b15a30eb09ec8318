#!/usr/bin/env bats
# Where calc_server listens, of IPv4 and IPv6, what rpcbind is told of it, and
# that both modes of serving do the same.
# sandbox: --rpcbind
# needs: rpcinfo ss

# shellcheck disable=SC2154 # run sets stderr

load ../support/common

PATH=$PATH:/usr/sbin:/sbin

setup() {
	setup_chapter p16
}

# With SIGTERM, so that what is registered is taken back.
teardown() {
	stop_servers
}

# Without rpcbind, at an address; its port is $PORT.
start() {
	start_server --ready '^Listening' ./calc_server --no-rpcbind "$@"
	PORT=$(sed -n 's/.*tcp port \([0-9]*\).*/\1/p' "$SERVER_OUT")
	UDP_PORT=$(sed -n 's/.*udp port \([0-9]*\).*/\1/p' "$SERVER_OUT")
}

# The netids under which version 1 is registered.
netids() {
	rpcinfo | awk '$1 == 824377344 && $2 == 1 { print $3 }' | sort | xargs
}

@test "a server listens at the address that it is told" {
	start --listen=127.0.0.2
	assert_equal "$(ss -Htlnp "sport = :$PORT" | awk '{ print $4 }')" \
		"127.0.0.2:$PORT"
	run ./calc_client --port="$PORT" 127.0.0.2 add 5 3
	assert_output "Result: 8"
	run ./calc_client --transport=udp --port="$UDP_PORT" 127.0.0.2 add 5 3
	assert_output "Result: 8"
	run ./calc_client --port="$PORT" 127.0.0.1 add 5 3
	assert_failure
}

@test "over IPv6 alone it serves TCP and UDP" {
	start --listen=::1
	run ./calc_client --port="$PORT" ::1 add 5 3
	assert_output "Result: 8"
	run ./calc_client --transport=udp --port="$UDP_PORT" ::1 add 5 3
	assert_output "Result: 8"
}

@test "IPv4 and IPv6 stand side by side at one port" {
	start --listen=::
	start_server --name four --ready '^Listening' \
		./calc_server --no-rpcbind --listen=0.0.0.0 --port="$PORT"
	for host in ::1 127.0.0.1; do
		run ./calc_client --port="$PORT" $host add 5 3
		assert_output "Result: 8"
	done
}

@test "over IPv6 it is registered, and found without a port" {
	start_server --ready ^Registered ./calc_server --listen=::1
	assert_equal "$(netids)" 'tcp6 udp6'
	for transport in tcp udp; do
		run ./calc_client --transport=$transport ::1 add 5 3
		assert_output "Result: 8"
	done
	stop_server
	assert_equal "$(netids)" ''
}

@test "servers of IPv4 and of IPv6 are registered side by side" {
	start_server --name four --ready ^Registered ./calc_server
	start_server --name six --ready ^Registered ./calc_server --listen=::1
	assert_equal "$(netids)" 'tcp tcp6 udp udp6'
	run ./calc_client ::1 add 5 3
	assert_output "Result: 8"
	run ./calc_client 127.0.0.1 add 5 3
	assert_output "Result: 8"
	# But not two of the same.
	run timeout 20 ./calc_server --listen=::1
	assert_failure 1
	assert_regex "$output" 'registered already'
	stop_server six
	assert_equal "$(netids)" 'tcp udp'
}

@test "what a killed server of IPv6 left is replaced by one of IPv4" {
	start_server --name six --ready ^Registered ./calc_server --listen=::1
	stop_server six KILL
	assert_equal "$(netids)" 'tcp6 udp6'
	start_server --name four --ready ^Registered ./calc_server
	assert_equal "$(netids)" 'tcp udp'
}

@test "what is no address is refused" {
	for address in localhost 300.1.1.1 ''; do
		run --separate-stderr timeout 20 ./calc_server -n --listen="$address"
		assert_equal "$status" 2
		assert_one_line_error "$stderr" calc_server
	done
	run --separate-stderr timeout 20 ./calc_server -n --listen=203.0.113.7
	assert_equal "$status" 1
	assert_regex "$stderr" "cannot listen on 203.0.113.7"
}

@test "--verbose says which connections are closed, and why" {
	start --verbose --idle-timeout=50ms --max-connections=1
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	wait_for_line "$SERVER_ERR" \
		'closed a connection \(tcp\): idle for too long' 30
	exec 5>&-
	stop_server
	start --verbose --max-connections=1
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	run ./calc_client --port="$PORT" 127.0.0.1 add 5 3
	assert_output "Result: 8"
	wait_for_line "$SERVER_ERR" \
		'closed a connection \(tcp\): idle, and another wanted' 30
	exec 5>&-
}

@test "event loops serve the same" {
	start --loops=2 --socket=socket --transport=tcp,udp,unix
	run ./calc_client --port="$PORT" 127.0.0.1 multiply -7 6
	assert_output "Result: -42"
	run ./calc_client --transport=udp --port="$UDP_PORT" 127.0.0.1 \
		multiply -7 6
	assert_output "Result: -42"
	run ./calc_client --transport=unix socket divide 42 7
	assert_output "Result: 6"
	run ./calc_client --port="$PORT" 127.0.0.1 accumulate 5
	assert_success
}
