#!/usr/bin/env bats
# ipc_benchmark that is stopped, or whose sides are killed, at any moment.
# shellcheck disable=SC2154 # run sets stderr

bats_require_minimum_version 1.5.0
load ../support/common

setup() {
	setup_chapter p06
}

# A run that goes on for minutes. On one CPU, so that nothing but the sides are
# children of it: there is no cache line to probe.
start_long_run() {
	start_server ./ipc_benchmark --trials=99 --iterations=10M --placement=one "$@"
	wait_until 30 has_sides 2
}

sides() {
	pgrep -P "$SERVER" || true
}

has_sides() {
	(($(sides | wc -l) == $1))
}

# The mechanism under way holds its queues.
has_queues() {
	ipcs -q | grep -q '^0x'
}

@test "SIGINT ends the sides, removes the queues and prints no figures" {
	start_long_run --mechanism=sysv-mq
	wait_until 30 has_queues
	stop_server server INT
	assert_equal "$status" 130
	assert_equal "$(cat "$SERVER_OUT")" ''
	assert_equal "$(cat "$SERVER_ERR")" 'ipc_benchmark: interrupted: no results'
	assert_nothing_left
}

@test "SIGTERM does the same" {
	start_long_run --mechanism=fifo,shm-sem,posix-mq --output=out.txt
	stop_server server TERM
	assert_equal "$status" 143
	assert_equal "$(ls)" ipc_benchmark
	assert_nothing_left
}

@test "SIGINT to the whole group, as of a terminal, does the same" {
	start_server setsid ./ipc_benchmark --trials=99 --iterations=10M \
		--placement=one --mechanism=sysv-mq
	wait_until 30 has_queues
	wait_until 30 has_sides 2
	kill -INT -- "-$SERVER"
	stop_server server CONT
	assert_equal "$status" 130
	assert_nothing_left
}

@test "an earlier file of results stays when a run is stopped" {
	echo earlier >out.txt
	start_long_run --mechanism=pipe --output=out.txt
	stop_server server INT
	assert_equal "$(cat out.txt)" earlier
	assert_equal "$(ls)" $'ipc_benchmark\nout.txt'
}

@test "a side that is killed costs its row and not the run" {
	start_server ./ipc_benchmark --mechanism=pipe,fifo --trials=1 \
		--iterations=10M --max-time=4s --placement=one
	wait_until 30 has_sides 2
	kill -KILL "$(sides | head -n 1)"
	wait_until 30 is_ended "$SERVER"
	stop_server
	assert_equal "$status" 0
	run cat "$SERVER_OUT"
	assert_line 'Pipe (1KB): side A killed by SIGKILL'
	assert_line --regexp '^FIFO '
}

@test "a side that is stopped does not hang the run for ever" {
	start_server ./ipc_benchmark --mechanism=shm-sem --trials=1 --max-time=2s \
		--iterations=10M --placement=one
	wait_until 30 has_sides 2
	kill -STOP "$(sides | tail -n 1)"
	wait_until 30 is_ended "$SERVER"
	stop_server
	assert_equal "$status" 1
	assert_equal "$(grep -c 'no end after' "$SERVER_OUT")" 1
	assert_nothing_left
}

@test "--deadline ends a run without figures and with status 3" {
	run --separate-stderr ./ipc_benchmark --trials=99 --iterations=1M \
		--deadline=300ms
	assert_equal "$status" 3
	assert_equal "$output" ''
	assert_one_line_error "$stderr" ipc_benchmark
	assert_nothing_left
}

# System V queues outlive everything; the ledger says whose they were.
@test "after kill -9 the sides are gone and all but System V queues too" {
	local pids
	start_long_run --mechanism=shm-sem,posix-mq,fifo,unix-stream
	pids=$(sides)
	kill -KILL "$SERVER"
	for pid in $pids; do
		wait_until 30 is_ended "$pid"
	done
	stop_server
	assert_equal "$(find /dev/shm /dev/mqueue -mindepth 1 -not -path '*/unixipc.*')" ''
	run ipcs -q
	refute_line --regexp '^0x'
	run find /tmp -name 'ipc.*'
	assert_output ''
}

@test "queues that kill -9 left are in the ledger with their dead owner" {
	start_long_run --mechanism=sysv-mq
	wait_until 30 has_queues
	local owner=$SERVER ledger id
	ledger=/dev/shm/unixipc.$(id -u)
	kill -KILL "$SERVER"
	stop_server
	assert_equal "$(find "$ledger" -printf "%l\n" | grep -c "sysv-msg [0-9]* $owner:")" 2
	for id in $(ipcs -q | awk '/^0x/ { print $2 }'); do
		ipcrm -q "$id"
	done
	rm -r "$ledger"
}
