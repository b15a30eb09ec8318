#!/usr/bin/env bats
# `ipc_suite benchmark`: whole runs, runs that are ended halfway, bad input.
# timeout: 600
# shellcheck disable=SC2016,SC2154 # run sets stderr; shells are text

bats_require_minimum_version 1.5.0
load ../support/common

setup() {
	setup_chapter suite
}

# A run that goes on for a minute unless it is stopped.
start_long_run() {
	start_server env --default-signal=INT,TERM ./ipc_suite benchmark \
		--mechanism=sysv-mq,fifo,shm-sem --sizes=64 --trials=99 --time=60s "$@"
	wait_until 30 is_measuring
}

# Both sides are there, and so are the queues.
is_measuring() {
	[[ $(pgrep -c -P "$SERVER") -ge 2 && $(ipcs -q | grep -c '^0x') -ge 1 ]]
}

assert_usage_error() {
	assert_equal "$status" 2
	assert_one_line_error "$stderr" ipc_suite
	assert_equal "$output" ''
}

# measure_all [OPTION…]: into a table and a report.
measure_all() {
	run --separate-stderr timeout 300 ./ipc_suite benchmark --all --quick \
		"$@" --format=json --output=results.json
	assert_success
	assert_equal "$stderr" ''
	local title
	for title in Pipe FIFO 'Unix Domain Socket' 'POSIX Message Queue' \
		'System V Message Queue' 'Shared Memory + Sem' \
		'ONC RPC over TCP' 'ONC RPC over UDP' \
		'ONC RPC over a Unix socket'; do
		assert_equal "$(grep -c "^$title \( *[0-9]\|(64KB): \)" <<<"$output")" 4
	done
	assert_equal "$(grep -c '^IPC Mechanism Benchmark' <<<"$output")" 4
	assert_equal "$(grep -c '^Winner: ' <<<"$output")" 4
	for title in Mutex 'Bounded buffer of one' 'Read-write lock, fair' \
		'Read-write lock, readers first' 'Read-write lock, writers first' \
		'POSIX semaphore' 'Semaphore pool of one' 'System V semaphore' \
		'Record lock' Barrier 'System V semaphore barrier'; do
		assert_line --regexp "^$title.* [0-9.]+[kM]? "
	done
	for title in 'kvstore get' 'kvstore set' 'kvstore set, durable' \
		'mmapdb get' 'mmapdb put' 'mmapdb put, durable' \
		'kv get, linearizable' 'kv put, durable'; do
		assert_line --regexp "^$title .* [0-9.]+[kM]? "
	done
	run ./ipc_suite report results.json
	assert_success
	grep -q '<h2>Synchronisation</h2>' report.html
	grep -q '<h2>Storage</h2>' report.html
	xmllint --noout report.html
	assert_nothing_left
}

@test "all mechanisms and sizes are measured quickly and leave nothing" {
	measure_all --time=8s
}

# bats test_tags=long
@test "so they are in the time that --quick takes by itself" {
	measure_all
}

@test "a run that is interrupted ends everything and shows nothing" {
	start_long_run --format=json --output=results.json
	stop_server server INT
	assert_equal "$status" 130
	assert_one_line_error "$(cat "$SERVER_ERR")" ipc_suite
	assert_equal "$(cat "$SERVER_OUT")" ''
	refute [ -e results.json ]
	refute pgrep -x ipc_suite
	assert_nothing_left
}

@test "an interrupt among the locks leaves no semaphore" {
	start_server env --default-signal=INT ./ipc_suite benchmark --all \
		--sizes=16 --time=12s
	wait_until 100 eval '[[ $(ipcs -s) == *0x* ]]'
	stop_server server INT
	assert_equal "$status" 130
	assert_equal "$(cat "$SERVER_OUT")" ''
	refute pgrep -x ipc_suite
	assert_nothing_left
}

@test "a run that is terminated ends everything and shows nothing" {
	start_long_run
	stop_server server TERM
	assert_equal "$status" 143
	assert_equal "$(cat "$SERVER_OUT")" ''
	refute pgrep -x ipc_suite
	assert_nothing_left
}

@test "the sides of a run that is killed die with it" {
	start_long_run
	stop_server server KILL
	assert_equal "$status" 137
	wait_until 30 eval '! pgrep -x ipc_suite'
	# Of all that it had, the kernel keeps System V queues alone.
	for id in $(ipcs -q | awk '/^0x/ { print $2 }'); do
		ipcrm -q "$id"
	done
	run ./ipc_suite clean
	assert_success
	assert_nothing_left
}

@test "an old file of results stays until there are new ones" {
	echo precious >results.json
	start_long_run --format=json --output=results.json
	stop_server server INT
	assert_equal "$(cat results.json)" precious
	assert_equal "$(find . -type f)" ./results.json
}

@test "a message beyond a limit is a line in the table" {
	run --separate-stderr ./ipc_suite benchmark --mechanism=posix-mq,pipe \
		--sizes=64KB --time=2s
	assert_success
	assert_line --regexp '^Pipe '
	assert_line --regexp 'sysctl -w fs.mqueue.msgsize_max=65536'
	assert_nothing_left
}

@test "a run without any figure has failed" {
	run --separate-stderr ./ipc_suite benchmark --mechanism=posix-mq \
		--sizes=64KB --time=1s
	assert_equal "$status" 1
	assert_line --regexp 'sysctl -w fs.mqueue.msgsize_max=65536'
	assert_nothing_left
}

@test "both placements are tables of their own" {
	(($(nproc) > 1)) || skip 'needs two CPUs'
	run --separate-stderr ./ipc_suite benchmark --mechanism=pipe --sizes=64 \
		--time=2s --placement=both --format=csv
	assert_success
	assert_equal "${#lines[@]}" 3
	run --separate-stderr ./ipc_suite benchmark --mechanism=pipe --sizes=64 \
		--time=2s --placement=both
	assert_success
	assert_equal "$(grep -c '^Pipe ' <<<"$output")" 2
}

@test "an unknown mechanism is refused, and the near one named" {
	run --separate-stderr ./ipc_suite benchmark --mechanism=pipe,posix-qm
	assert_usage_error
	assert_regex "$stderr" "did you mean 'posix-mq'"
	run --separate-stderr ./ipc_suite benchmark --mechanism=carrier-pigeon
	assert_usage_error
	assert_regex "$stderr" 'ipc_suite list'
	run --separate-stderr ./ipc_suite benchmark --mechanism=
	assert_usage_error
}

@test "what to measure must be said, once" {
	run --separate-stderr ./ipc_suite benchmark
	assert_usage_error
	run --separate-stderr ./ipc_suite benchmark --all --mechanism=pipe
	assert_usage_error
	run --separate-stderr ./ipc_suite benchmark --all pipe
	assert_usage_error
}

@test "two sides on two CPUs need two" {
	local -a one=(taskset -c "$(taskset -cp $$ | sed 's/.*: //; s/[-,].*//')")
	run --separate-stderr "${one[@]}" ./ipc_suite benchmark \
		--mechanism=pipe --placement=two
	assert_usage_error
	assert_regex "$stderr" 'there is but one CPU; accepted: one$'
	(($(nproc) > 1)) || skip 'needs two CPUs'
	run --separate-stderr ./ipc_suite benchmark --mechanism=pipe --cpus=0,0
	assert_usage_error
	assert_regex "$stderr" '^ipc_suite: --cpus: two different CPUs'
}

@test "numbers out of range are refused, naming option and value" {
	local option
	for option in --sizes=0 --sizes=15 --sizes=65MB --sizes=64,,1KB --sizes=x \
		--sizes=-1 --sizes=99999999999999999999 --trials=0 --trials=100 \
		--trials=many --time=0 --time=1y --cpus=0,99999 --cpus=x \
		--placement=three --format=xml \
		--sizes=16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32; do
		run --separate-stderr ./ipc_suite benchmark --all "$option"
		assert_usage_error
		assert_regex "$stderr" "${option%%=*}"
	done
	assert_nothing_left
}

@test "a file that cannot be written is refused before the measuring" {
	local file
	mkdir folder
	for file in no/such/folder/x.json folder ''; do
		run --separate-stderr timeout 60 ./ipc_suite benchmark --all \
			--format=json --output="$file"
		assert_equal "$status" 1
		assert_one_line_error "$stderr" ipc_suite
		assert_equal "$output" ''
	done
	assert_nothing_left
}

@test "a full disk is an error" {
	run --separate-stderr ./ipc_suite benchmark --mechanism=pipe --sizes=64 \
		--time=1s --format=json --output=/dev/full
	assert_equal "$status" 1
	assert_one_line_error "$stderr" ipc_suite
	run --separate-stderr bash -c \
		'./ipc_suite benchmark --mechanism=pipe --sizes=64 --time=1s >/dev/full'
	assert_equal "$status" 1
	assert_nothing_left
}
