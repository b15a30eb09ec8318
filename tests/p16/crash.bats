#!/usr/bin/env bats
# calc_server after every kind of end: what it leaves with rpcbind and on disk.
# sandbox: --rpcbind
# needs: rpcinfo

# shellcheck disable=SC2154 # run sets stderr

load ../support/common

PATH=$PATH:/usr/sbin:/sbin

setup() {
	setup_chapter p16
	RANDOM=16
}

teardown() {
	stop_servers
}

start() {
	start_server --ready '^(Registered|Listening)' ./calc_server "$@"
}

registered() {
	rpcinfo -p localhost | awk '$1 == 824377344 { print $2, $3 }' | sort
}

assert_all_registered() {
	assert_equal "$(registered)" "1 tcp
1 udp
2 tcp
2 udp"
}

@test "SIGINT and SIGTERM leave nothing registered and no socket" {
	for signal in INT TERM; do
		start --socket="$PWD/socket" --transport=tcp,udp,unix
		assert [ -S socket ]
		./calc_client localhost add 1 2
		stop_server server $signal
		assert_equal "$status" 0
		assert_equal "$(registered)" ''
		refute [ -e socket ]
	done
	assert_nothing_left
}

@test "a socket is registered by its whole path" {
	start --socket=./socket
	run rpcinfo
	assert_line --regexp "^ *824377344 +2 +local +$PWD/./socket +"
	stop_server
	assert_equal "$(rpcinfo | grep 824377344)" ''
}

@test "an end with clients connected and half a call sent leaves nothing" {
	start
	port=$(rpcinfo -p localhost | awk '$1 == 824377344 && $3 == "tcp" {
		print $4; exit }')
	exec 4<>"/dev/tcp/127.0.0.1/$port"
	printf '\200\0\0\50\0\0' >&4
	./calc_client localhost add 1 2
	stop_server
	exec 4>&-
	assert_equal "$status" 0
	assert_equal "$(registered)" ''
}

@test "a killed server stays registered, and the next one replaces it" {
	start
	stop_server server KILL
	assert_all_registered
	run --separate-stderr ./calc_client localhost add 5 3
	assert_failure 4
	assert_one_line_error "$stderr" calc_client
	start
	assert_all_registered
	run ./calc_client localhost add 5 3
	assert_output "Result: 8"
	stop_server
	assert_equal "$(registered)" ''
}

@test "a socket file of a killed server is replaced, of a living one not" {
	start --socket="$PWD/socket" --transport=unix --no-rpcbind
	run --separate-stderr ./calc_server --socket="$PWD/socket" \
		--transport=unix --no-rpcbind
	assert_failure 1
	assert_one_line_error "$stderr" calc_server
	stop_server server KILL
	assert [ -S socket ]
	start --socket="$PWD/socket" --transport=unix --no-rpcbind
	run ./calc_client --transport=unix "$PWD/socket" add 5 3
	assert_output "Result: 8"
	stop_server
	refute [ -e socket ]
}

@test "a socket whose name is removed is there again, and in the ledger" {
	start --socket="$PWD/socket" --transport=unix --no-rpcbind
	rm socket
	wait_until 30 test -S socket
	run ./calc_client --transport=unix "$PWD/socket" add 5 3
	assert_output "Result: 8"
	wait_for_line "$SERVER_ERR" \
		"^calc_server: socket '.*/socket' was gone: made anew$" 30
	stop_server server KILL
	"$ROOT/ipc_suite" clean
	refute [ -e socket ]
	assert_nothing_left
}

@test "a server whose socket's name is another's says so, and ends" {
	start --socket="$PWD/socket" --transport=tcp,unix
	rm socket
	echo precious >socket
	wait_until 30 is_ended "$SERVER"
	stop_server
	assert_equal "$status" 1
	assert_one_line_error "$(<"$SERVER_ERR")" calc_server
	assert_equal "$(<socket)" precious
	assert_equal "$(registered)" ''
	assert_nothing_left
}

@test "a start that fails leaves the note of what a killed server left" {
	start --socket="$PWD/socket" --transport=unix --no-rpcbind
	stop_server server KILL
	start --transport=tcp --port=2049 --no-rpcbind
	run ./calc_server --socket="$PWD/socket" --transport=tcp,unix \
		--port=2049 --no-rpcbind
	assert_failure 1
	assert [ -S socket ]
	"$ROOT/ipc_suite" clean
	refute [ -e socket ]
	# And none of what never was.
	run ./calc_server --socket="$PWD/socket" --transport=tcp,unix \
		--port=2049 --no-rpcbind
	assert_failure 1
	assert_nothing_left
}

# Killed at any moment of its start, of its work, and of its end.
@test "twenty kills at random moments, each followed by a clean start" {
	for i in {1..20}; do
		./calc_server --socket="$PWD/socket" >/dev/null 2>&1 3>&- &
		victim=$!
		(./calc_client --retries=0 localhost add 1 2 >/dev/null 2>&1 3>&- || true) &
		client=$!
		sleep "0.0$((RANDOM % 60))"
		((RANDOM % 4)) || kill -TERM $victim
		sleep "0.00$((RANDOM % 10))"
		kill -KILL $victim || true
		wait $victim || true
		wait $client
		if ((i % 4 == 0)); then
			start --socket="$PWD/socket"
			assert_all_registered
			run ./calc_client localhost accumulate 5
			assert_output "Result: 5"
			stop_server
			assert_equal "$status" 0
			assert_equal "$(registered)" ''
			refute [ -e socket ]
		fi
	done
	assert_nothing_left
}

@test "a server that cannot say that it is there does not begin" {
	local status=0
	timeout 60 ./calc_server >/dev/full 2>err || status=$?
	assert_equal "$status" 1
	assert_one_line_error "$(<err)" calc_server
	run rpcinfo -p 127.0.0.1
	refute_output --partial 824377344
}
