#!/usr/bin/env bats
# calc_server and calc_client as a user runs them.
# sandbox: --rpcbind
# needs: rpcinfo rpcgen

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

start() {
	start_server --ready '^(Registered|Listening)' ./calc_server "$@"
}

# What rpcbind says of ours: a line for each version and transport.
registered() {
	rpcinfo -p localhost | awk '$1 == 824377344 { print $2, $3 }' | sort
}

port_of() {
	rpcinfo -p localhost | awk -v t="$1" '$1 == 824377344 && $3 == t {
		print $4; exit }'
}

assert_nothing_registered() {
	assert_equal "$(registered)" ''
}

assert_result() {
	assert_success
	assert_output "Result: $1"
}

@test "the guide's transcript" {
	cp "$CHAPTER/calc.x" .
	rpcgen calc.x
	assert [ -e calc.h -a -e calc_clnt.c -a -e calc_svc.c -a -e calc_xdr.c ]
	start
	assert_equal "$(<"$SERVER_OUT")" \
		"Registered with portmapper: program 0x31230000, version 1"
	run ./calc_client localhost add 5 3
	assert_result 8
	run ./calc_client localhost multiply 7 6
	assert_result 42
	# In decimal: 0x31230000 is 824377344.
	run rpcinfo -p localhost
	assert_line --regexp '^ *100000 +4 +tcp +111 +portmapper$'
	assert_line --regexp '^ *824377344 +1 +tcp +[0-9]+$'
	stop_server
	assert_equal "$status" 0
	assert_equal "$(<"$SERVER_ERR")" ''
	assert_nothing_registered
	assert_nothing_left
}

@test "both versions are registered, for TCP and UDP" {
	start
	assert_equal "$(registered)" "1 tcp
1 udp
2 tcp
2 udp"
	run rpcinfo -t localhost 824377344 1
	assert_success
	run rpcinfo -u localhost 824377344 2
	assert_success
}

@test "all operations, long and short names, negative operands" {
	start
	run ./calc_client localhost add -5 3
	assert_result -2
	run ./calc_client localhost sub 5 -3
	assert_result 8
	run ./calc_client localhost subtract -5 -3
	assert_result -2
	run ./calc_client localhost mul -7 -6
	assert_result 42
	run ./calc_client localhost div -7 2
	assert_result -3
	run ./calc_client localhost divide 42 6
	assert_result 7
	run ./calc_client localhost mul 3000000000 3000000000
	assert_result 9000000000000000000
	run ./calc_client localhost add 9 --timeout=30s -4 --retries 1
	assert_result 5
}

@test "every transport, with and without rpcbind" {
	start --socket="$PWD/socket"
	for transport in tcp udp; do
		run ./calc_client --transport=$transport localhost add 5 3
		assert_result 8
		run ./calc_client --transport=$transport \
			--port="$(port_of $transport)" 127.0.0.1 add 5 3
		assert_result 8
	done
	run ./calc_client --transport=unix "$PWD/socket" add 5 3
	assert_result 8
}

@test "many expressions in one call" {
	start
	printf '%s\n' 'add 5 3' 'div 1 0' 'mul 3000000000 4000000000' \
		'subtract -1 -1' >lines
	run --separate-stderr ./calc_client localhost batch <lines
	assert_failure 8
	assert_output "Result: 8
Error: division by zero
Error: the result does not fit 64 bits
Result: 0"
	# More than one call holds.
	seq -f 'add %.0f 1' 250 >lines
	run ./calc_client localhost batch <lines
	assert_success
	assert_output "$(seq -f 'Result: %.0f' 2 251)"
}

# trace_of FILE: its messages, and nothing of the two that say which way they went.
trace_of() {
	grep -E '^(-->|<--| +[0-9]+  )' "$1" | sed 's/^\(-->\|<--\)/message:/'
}

@test "both sides show the same words with --trace" {
	for loops in 0 1; do
		start --no-rpcbind --trace --port=4716 --loops=$loops \
			--socket="$PWD/socket"
		for host in '--transport=tcp --port=4716 127.0.0.1' \
			'--transport=udp --port=4716 127.0.0.1' \
			"--transport=unix $PWD/socket"; do
			# shellcheck disable=SC2086 # words
			run -0 --separate-stderr ./calc_client --trace $host \
				sub 5 8
			assert_output 'Result: -3'
			echo "$stderr" >>trace
		done
		stop_server
		# Each call, and each reply with its status.
		assert_equal "$(grep -c '^-->' trace)" 3
		assert_equal "$(grep -c '^-->' "$SERVER_ERR")" 3
		assert_equal "$(grep -c 'proc = 2$' "$SERVER_ERR")" 3
		assert_equal "$(grep -c 'accept_stat = 0 ' "$SERVER_ERR")" 3
		diff <(trace_of trace) <(trace_of "$SERVER_ERR")
		rm trace
	done
}

@test "accumulate adds to a number that the server keeps" {
	start
	run ./calc_client localhost accumulate 5
	assert_result 5
	run ./calc_client --transport=udp localhost accumulate 10 -3
	assert_success
	assert_output "Result: 15
Result: 12"
}
