#!/usr/bin/env bats
# shm_ringbuffer_bench as a user runs it.
# needs: strace

load ../support/common

setup() {
	setup_chapter p12
}

@test "the guide's transcript" {
	run ./shm_ringbuffer_bench --buffer-size=1MB --iterations=100K
	assert_success
	assert_line -n 0 'Shared Memory Ring Buffer Benchmark'
	assert_line -n 1 'Buffer: 1MB, Messages: 100 thousand'
	assert_line -n 2 'Producer: Writing 100K messages...'
	assert_line -n 3 'Consumer: Reading 100K messages...'
	assert_line -n 4 'Results:'
	assert_line -n 5 --regexp '^Throughput: [0-9.]+ million msg/sec$'
	assert_line -n 6 --regexp '^Bandwidth: [0-9.]+ GB/sec$'
	assert_line -n 7 --regexp '^Latency \(avg\): [0-9.]+ μs$'
	assert_line -n 8 --regexp '^Latency \(p99\): [0-9.]+ μs$'
	assert_line -n 9 'Zero-copy: Yes'
	assert_line -n 10 --regexp '^Comparison to pipe: [0-9.]+x (faster|slower)$'
	assert_line -n 11 --regexp '^Comparison to Unix socket: [0-9.]+x (faster|slower)$'
	assert_line -n 12 'Verified: 100000 messages, every byte, in order'
	assert_nothing_left
}

@test "every way of waiting, and the semaphores" {
	for how in --wait=block --wait=spin --wait=adaptive --sync=sem; do
		run ./shm_ringbuffer_bench -i 20000 --buffer-size=64KB --mixed \
			--no-compare $how
		assert_success
		assert_line 'Verified: 20000 messages, every byte, in order'
	done
	assert_line 'Zero-copy: No'
	assert_nothing_left
}

@test "both on one CPU" {
	run ./shm_ringbuffer_bench -i 20000 --no-compare --cpus=0
	assert_success
	assert_line 'Verified: 20000 messages, every byte, in order'
}

@test "dropped messages are counted and no other is lost" {
	run ./shm_ringbuffer_bench -i 200K --buffer-size=4KB --overflow=drop \
		--no-compare --json
	assert_success
	got=$(jq .messages <<<"$output")
	dropped=$(jq .dropped <<<"$output")
	assert_equal $((got + dropped)) 200000
	assert_nothing_left
}

@test "a killed side is noticed, and nothing is left" {
	for victim in 1 2; do
		start_server --ready Consumer ./shm_ringbuffer_bench -i 1G \
			--no-compare
		wait_until 30 has_rings
		kill -KILL "$(cut -d' ' -f$victim "/proc/$SERVER/task/$SERVER/children")"
		wait_until 30 is_ended "$SERVER"
		stop_server
		assert_equal "$status" 1
		assert_one_line_error "$(<"$SERVER_ERR")" shm_ringbuffer_bench
		grep -q 'was killed' "$SERVER_ERR"
		assert_nothing_left
	done
}

@test "a run removes no ring that another killed run has left" {
	start_server --ready Consumer ./shm_ringbuffer_bench -i 1G --no-compare
	wait_until 10 has_rings
	mapfile -t pids < <(tr ' ' '\n' \
		<"/proc/$SERVER/task/$SERVER/children" | grep .)
	stop_server server KILL
	for pid in "${pids[@]}"; do
		wait_until 10 is_ended "$pid"
	done
	rings=$(ls -I 'unixipc.*' /dev/shm)
	assert_regex "$rings" 'ring-back'
	run ./shm_ringbuffer_bench -i 20000 --no-compare
	assert_success
	assert_equal "$(ls -I 'unixipc.*' /dev/shm)" "$rings"
	# shellcheck disable=SC2086 # two names, of our making
	(cd /dev/shm && rm $rings)
	rm -r "/dev/shm/unixipc.$UID"
	assert_nothing_left
}

# Both were opened; the children before these measured the cache line.
has_rings() {
	(($(find /dev/shm -name '*-back' | wc -l) == 1))
}

@test "a side that stands still is waited for as long as --timeout says" {
	for victim in 1 2; do
		start_server --ready Consumer ./shm_ringbuffer_bench -i 1G \
			--no-compare --timeout=1s
		wait_until 30 has_rings
		kill -STOP "$(cut -d' ' -f$victim "/proc/$SERVER/task/$SERVER/children")"
		wait_until 30 is_ended "$SERVER"
		stop_server
		assert_equal "$status" 1
		assert_one_line_error "$(<"$SERVER_ERR")" shm_ringbuffer_bench
		grep -q 'longer than --timeout' "$SERVER_ERR"
		assert_nothing_left
	done
}

@test "SIGINT and SIGTERM end it and leave nothing" {
	for signal in INT TERM; do
		start_server --ready Consumer ./shm_ringbuffer_bench -i 1G \
			--no-compare
		stop_server server $signal
		assert_equal "$status" $((128 + $(kill -l $signal)))
		assert_nothing_left
	done
}

@test "a name that is taken by something else is left alone" {
	echo garbage >/dev/shm/p12.x
	for how in ring sem; do
		run ./shm_ringbuffer_bench -i 10 --no-compare --name=/p12.x \
			--sync=$how
		assert_failure 1
		assert_line --regexp '^shm_ringbuffer_bench: /p12.x: (not a ring|there is something)'
		assert_equal "$(</dev/shm/p12.x)" garbage
	done
	rm /dev/shm/p12.x
	assert_nothing_left
}

@test "a ring that takes long to make is waited for" {
	run strace -f -qq -o /dev/null -e trace=fallocate \
		-e inject=fallocate:delay_exit=2200000:when=1 \
		./shm_ringbuffer_bench -i 10 --no-compare
	assert_success
	assert_line 'Verified: 10 messages, every byte, in order'
	assert_nothing_left
}

@test "large messages do not make the round trips last for minutes" {
	run timeout 120 ./shm_ringbuffer_bench -i 2 --no-compare \
		--message-size=16MB --buffer-size=32MB
	assert_success
	assert_line 'Verified: 2 messages, every byte, in order'
}

@test "command lines that are not accepted" {
	for arguments in --iterations=0 --message-size=15 --message-size=2MB \
		--buffer-size=1 --wait=hope --sync=none --overflow=lose \
		--name=x --cpus=9999 operand; do
		run ./shm_ringbuffer_bench $arguments
		assert_failure 2
		assert_one_line_error "$output" shm_ringbuffer_bench
	done
	run ./shm_ringbuffer_bench --sync=sem --overflow=drop
	assert_failure 2
}
