#!/usr/bin/env bats
# lockfree_bench as a user runs it; the queue is in spsc_test.c.

load ../support/common

setup() {
	setup_chapter p15
}

@test "the guide's transcript" {
	# Few: on a busy machine the semaphores may need 0.1 ms for an item.
	local n=20K said=20000
	[[ ${STRESS-} != 1 ]] || n=100M said='100 million'
	run ./lockfree_bench --iterations=$n
	assert_success
	assert_line -n 0 'Lock-Free SPSC Queue Benchmark'
	assert_line -n 1 "Operations: $said"
	assert_line -n 2 --regexp '^Lock-free queue: [0-9.]+[KM] ops/sec$'
	assert_line -n 3 --regexp '^Mutex-based queue: [0-9.]+[KM] ops/sec$'
	assert_line -n 4 --regexp '^Semaphore-based: [0-9.]+[KM] ops/sec$'
	assert_line -n 5 --regexp '^Speedup: [0-9.]+x over mutex$'
	assert_line -n 6 --regexp '^Latency \(p99\): [0-9.]+[nu]s vs [0-9.]+[nu]s$'
	assert_nothing_left
}

@test "threads, items of 64 bytes and batches, as JSON" {
	run ./lockfree_bench -i 5K --threads --item-size=64 --capacity=1K \
		--batch=16 --json
	assert_success
	assert_output --partial '"schema": "unixipc-lockfree/1"'
	assert_output --partial '"sides": "threads"'
}

@test "what does not fit is one line and status 2" {
	for option in --capacity=3 --item-size=7 --item-size=12 --iterations=0 \
		--cpus=0 --batch=100000 '--batch=64K --item-size=64K'; do
		# shellcheck disable=SC2086 # a list of words
		run ./lockfree_bench $option
		assert_equal "$status" 2
		assert_one_line_error "$output" lockfree_bench
	done
}

@test "out of time is status 3" {
	run ./lockfree_bench --iterations=1G --timeout=100ms
	assert_equal "$status" 3
	assert_nothing_left
}

@test "a killed side is a failure, whichever it was" {
	for victim in 1 2; do
		start_server --ready Operations ./lockfree_bench -i 1G
		wait_until 30 has_both_sides
		kill -KILL "$(cut -d' ' -f$victim "/proc/$SERVER/task/$SERVER/children")"
		wait_until 30 is_ended "$SERVER"
		stop_server
		assert_equal "$status" 1
		assert_one_line_error "$(<"$SERVER_ERR")" lockfree_bench
		grep -q 'was killed$' "$SERVER_ERR"
		assert_nothing_left
	done
}

has_both_sides() {
	(($(wc -w <"/proc/$SERVER/task/$SERVER/children") == 2))
}

@test "SIGINT and SIGTERM end it, in threads and in processes" {
	for signal in INT TERM; do
		for sides in threads processes; do
			start_server --ready Operations \
				./lockfree_bench -i 1G --$sides
			stop_server server $signal
			assert_equal "$status" $((128 + $(kill -l $signal)))
			assert_nothing_left
		done
	done
}
