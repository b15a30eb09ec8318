#!/usr/bin/env bats
# ipc_benchmark as a user types it: the guide's table, other formats, files.
# timeout: 600
# shellcheck disable=SC2154 # run sets stderr

bats_require_minimum_version 1.5.0
load ../support/common

setup() {
	setup_chapter p06
}

# A run of a few messages: figures of no worth, but in their places. The time
# is far more than they need: what is cut down has fewer.
quick() {
	./ipc_benchmark --iterations=200 --trials=2 --max-time=20s "$@"
}

# What jq would do, for numbers and texts at a place such as rows.0.median.
json_get() {
	python3 -c 'import json, sys
value = json.load(open(sys.argv[1]))
for key in sys.argv[2].split("."):
    value = value[int(key) if key.isdigit() else key]
print(value)' "$1" "$2"
}

@test "the guide's table has its title, its columns and its rows in order" {
	run --separate-stderr ./ipc_benchmark --msg-size=1024 --iterations=1000
	assert_success
	assert_equal "$stderr" ''
	assert_line --index 0 'IPC Mechanism Benchmark (1KB messages, 1K iterations)'
	assert_line --index 1 --regexp '^═{53}$'
	assert_line --index 2 --regexp '^Mechanism +Throughput +Latency \(avg\) +Latency \(p99\) '
	assert_line --index 3 --regexp '^─+$'
	local titles=(Pipe FIFO 'Unix Domain Socket' 'Unix Domain Socket \(seqpacket\)'
		'POSIX Message Queue' 'System V Message Queue' 'Shared Memory \+ Sem'
		'Shared Memory \+ eventfd' 'TCP Loopback') i
	for i in "${!titles[@]}"; do
		assert_line --index $((i + 4)) --regexp \
			"^${titles[i]} +[0-9.]+ [kMG]?B/s +[0-9.]+ [num]s +[0-9.]+ [num]s "
	done
	assert_line --regexp '^Winner: .* \(for raw throughput'
	assert_line --regexp '^Best simplicity: Unix Domain Socket'
	assert_line --partial 'Latency is a whole round trip, there and back'
	assert_line --regexp '^Round trip of one cache line'
	assert_nothing_left
}

@test "help states how winner and simplicity are found" {
	run ./ipc_benchmark --help
	assert_success
	assert_output --partial 'Winner is the highest median throughput'
	assert_output --partial 'Best simplicity is the lowest sum'
}

@test "mechanisms are measured as chosen, each once, in the table's order" {
	quick --mechanism=tcp,pipe,tcp --format=csv >figures.csv
	run cut -d, -f1 figures.csv
	assert_output $'mechanism\npipe\ntcp'
}

@test "a size beyond a queue's limit is a line that names it, not a failure" {
	run quick --mechanism=pipe,posix-mq,sysv-mq --msg-size=1MB
	assert_success
	assert_line --regexp '^Pipe '
	assert_line --regexp '^POSIX Message Queue \(1MB\): message limit [0-9]+ bytes; raise: sysctl -w fs\.mqueue\.msgsize_max=1048576$'
	assert_line --regexp '^System V Message Queue \(1MB\): message limit [0-9]+ bytes; raise: sysctl -w kernel\.msgmax=1048576$'
}

# Ten seconds of both CPUs.
# bats test_tags=touched
@test "messages of 64 MB pass where there is no limit" {
	# On a slow machine each of them takes seconds, and a trial that takes
	# more than twice --max-time is taken to hang.
	run ./ipc_benchmark --msg-size=64MB --iterations=1 --trials=1 \
		--max-time=60s --mechanism=pipe,fifo,unix-stream,shm-sem,shm-eventfd,tcp --format=csv
	assert_success
	assert_equal "$(grep -c ',67108864,[0-9]' <<<"$output")" 6
}

@test "when no row has figures the status is 1" {
	run quick --mechanism=posix-mq --msg-size=64MB
	assert_failure 1
	assert_line --partial 'fs.mqueue.msgsize_max'
	refute_line --partial 'Winner'
}

@test "CSV begins with the guide's columns and has a line for each row" {
	run quick --mechanism=pipe,fifo --format=csv --msg-size=64
	assert_success
	assert_equal "${#lines[@]}" 3
	assert_line --index 0 --regexp '^mechanism,msg_size,throughput,latency,'
	assert_line --index 1 --regexp '^pipe,64,[0-9]+,[0-9.]+,'
	assert_line --index 2 --regexp '^fifo,64,[0-9]+,[0-9.]+,'
}

@test "JSON holds the machine, the options and every trial" {
	quick --mechanism=pipe --format=json >run.json
	assert_equal "$(json_get run.json schema)" unixipc-benchmark/1
	assert_equal "$(json_get run.json options.iterations)" 200
	assert_equal "$(json_get run.json rows.0.message_bytes)" 1024
	assert_equal "$(json_get run.json machine.kernel)" "$(uname -sr)"
	assert_equal "$(json_get run.json machine.limits.msgmax)" \
		"$(cat /proc/sys/kernel/msgmax)"
	assert_equal "$(json_get run.json rows.0.trials.1.messages)" 200
	run json_get run.json rows.0.trials.2.messages
	assert_failure
}

@test "both placements give rows of either" {
	(($(nproc) > 1)) || skip 'one CPU'
	quick --mechanism=pipe --placement=both --format=csv >figures.csv
	run cut -d, -f1,5 figures.csv
	assert_output $'mechanism,placement\npipe,two\npipe,one'
}

@test "one CPU and no pin can be chosen" {
	run quick --mechanism=pipe --placement=one --cpus=0 --format=csv
	assert_line --index 1 --regexp '^pipe,1024,.*,one,'
	run quick --mechanism=pipe --no-pin --format=csv
	assert_line --index 1 --regexp '^pipe,1024,.*,unpinned,'
}

@test "a file gets the results and the table is printed as well" {
	run quick --mechanism=pipe --format=json --output=run.json
	assert_success
	assert_line --regexp '^Pipe '
	assert_equal "$(json_get run.json rows.0.mechanism)" pipe
	run quick --mechanism=pipe --output=table.txt
	assert_success
	assert_output ''
	assert [ "$(grep -c '^Pipe ' table.txt)" = 1 ]
	assert_equal "$(ls)" $'ipc_benchmark\nrun.json\ntable.txt'
}

@test "comparing with an earlier run prints ratios" {
	quick --mechanism=pipe,fifo --format=json >run.json
	run quick --mechanism=pipe,tcp --compare=run.json
	assert_success
	assert_line --regexp '^Mechanism +Size +CPUs +Throughput then +now +ratio'
	assert_line --regexp '^Pipe +1KB +(two|one) +.* [0-9.]+x( \*)? .* [0-9.]+x( \*)?$'
	assert_line --regexp '^TCP Loopback +1KB .*not in the earlier run'
	assert_line '* beyond the spreads of both runs'
}

@test "a full disk is an error" {
	run --separate-stderr bash -c \
		'./ipc_benchmark --iterations=10 --trials=1 --mechanism=pipe >/dev/full'
	assert_failure 1
	assert_equal "$stderr" 'ipc_benchmark: cannot write to standard output: No space left on device'
}

@test "it works with standard streams closed" {
	run bash -c './ipc_benchmark --iterations=10 --trials=1 --output=t.txt <&- >&- 2>&-'
	assert_success
	assert [ "$(grep -c '^Pipe ' t.txt)" = 1 ]
}
