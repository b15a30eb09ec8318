#!/usr/bin/env bats
# test_myrwlock as a user runs it; the lock is in myrwlock_test.c.

load ../support/common

setup() {
	setup_chapter p08
}

# Of an event log on standard input: the lines that should not be there. One
# who writes is alone from "acquired" to "released".
wrong_events() {
	awk '$1 == "Writer" && $3 == "acquired" {
			if (readers || writers) print; writers++ }
		$1 == "Reader" && $3 == "acquired" {
			if (writers) print; readers++ }
		$1 == "Writer" && $3 == "released" { writers-- }
		$1 == "Reader" && $3 == "released" { readers-- }'
}

@test "the guide's transcript" {
	run ./test_myrwlock --readers=10 --writers=3 --duration=2s
	assert_success
	assert_line -n 0 'My RWLock Test (10 readers, 3 writers, 2 seconds)'
	assert_line --regexp '^Reader [0-9]+ acquired read lock \([0-9] writers waiting\)$'
	assert_line --regexp '^Writer [1-3] waiting\.\.\. \([0-9]+ readers active\)$'
	assert_line -n 31 '...'
	assert_line -n 32 'Statistics:'
	assert_line -n 33 --regexp '^Read operations: [0-9,]+$'
	assert_line -n 34 --regexp '^Write operations: [0-9,]+$'
	assert_line -n 35 --regexp '^Max reader wait: [0-9]+ms$'
	assert_line -n 36 --regexp '^Max writer wait: [0-9]+ms$'
	assert_line -n 37 'No starvation detected: PASS'
	assert_equal ${#lines[@]} 38
	assert_nothing_left
}

@test "the dots come after thirty events, and none after them" {
	# So many that some are held up while they print.
	for _ in {1..20}; do
		./test_myrwlock --readers=200 --writers=1 --policy=reader \
			--read-hold=0 --duration=20ms >>log || true
	done
	# Where the machine stood still, a run has no thirty events.
	run awk '/^My RWLock/ { events = 0; dots = 0 }
		/^(Reader|Writer) / { events++; if (dots) print "after the dots:", $0 }
		/^[.][.][.]$/ { dots = 1; runs++
			if (events != 30) print "dots after", events }
		END { if (!runs) print "no run had dots" }' log
	assert_output ''
}

# Of policy $1 for a duration of $2. Pauses, so that everybody has a turn.
log_events() {
	./test_myrwlock --duration="$2" --policy="$1" --verbose \
		--readers=3 --read-pause=5ms --jitter=1ms >log || true
	[[ $(grep -c ' acquired read' log) -gt 0 &&
		$(grep -c 'Writer .* released' log) -gt 0 ]]
}

@test "every event is told, in the order of the lock" {
	for policy in fair reader writer; do
		# Where the machine stood still, not everybody had a turn.
		log_events $policy 300ms || log_events $policy 5s ||
			log_events $policy 50s
		for event in 'Reader [1-3] acquired read lock \([0-9] writers waiting\)' \
			'Reader [1-3] released read lock' \
			'Writer [1-3] waiting\.\.\. \([0-9] readers active\)' \
			'Writer [1-3] acquired write lock' \
			'Writer [1-3] released write lock'; do
			grep -qE "^$event\$" log || fail "no '$event'"
		done
		assert_equal "$(wrong_events <log)" ''
		# As many operations as were told.
		released=$(grep -c 'Reader .* released' log)
		assert_equal "$(sed -n 's/^Read operations: //p' log | tr -d ,)" \
			"$released"
		refute grep -qx '\.\.\.' log
	done
}

@test "the check of the log sees a writer that is not alone" {
	run wrong_events <<-'END'
		Reader 1 acquired read lock (0 writers waiting)
		Writer 1 acquired write lock
	END
	assert_output 'Writer 1 acquired write lock'
}

@test "readers that go first starve the writers" {
	run ./test_myrwlock --policy=reader --duration=1s
	assert_failure 1
	assert_line --regexp '^Starvation detected: Writer [1-3] waited [0-9]+ms, and no more than [0-9]+ms is fair: FAIL$'
	refute_line --partial PASS
}

@test "writers that go first starve the readers" {
	run ./test_myrwlock --policy=writer --write-pause=0 --duration=1s --quiet
	assert_failure 1
	assert_output --regexp '^Starvation detected: Reader [0-9]+ waited '
}

@test "neither starves the other under the fair policy, without any pause" {
	run ./test_myrwlock --policy=fair --write-pause=0 --duration=1s --quiet
	assert_success
	assert_output 'No starvation detected: PASS'
}

@test "sections of no length, random pauses" {
	run ./test_myrwlock --read-hold=0 --write-hold=0 --write-pause=0 \
		--duration=300ms --quiet
	assert_success
	run ./test_myrwlock --jitter=2ms --seed=5 --duration=300ms --quiet
	assert_success
}

@test "one object of JSON" {
	run ./test_myrwlock --duration=300ms --json -r 4 -w 2
	assert_success
	jq -e '.schema == "unixipc-rwlock/1" and .policy == "fair" and .pass
		and .readers.threads == 4 and .writers.threads == 2
		and .readers.operations > 0 and .writers.operations > 0
		and .readers.longest_wait_ms < .readers.wait_bound_ms
		and .exclusion_violations == 0
		and .most_readers_at_a_time > 1' <<<"$output"
	run ./test_myrwlock --duration=1s --json --policy=reader
	assert_failure 1
	jq -e '.writers.starved and (.pass | not)' <<<"$output"
}

@test "figures are those that they are called" {
	run ./test_myrwlock --duration=300ms --json -r 1 -w 1 --write-hold=100ms
	assert_success
	jq -e '.writers.longest_hold_ms >= 100' <<<"$output"
	run ./test_myrwlock --duration=100ms -r 2 -w 2
	assert_success
	assert_line --regexp '^Read operations: [0-9]{1,3}(,[0-9]{3})*$'
	assert_line --regexp '^Write operations: [0-9]{1,3}(,[0-9]{3})*$'
}

@test "SIGINT and SIGTERM end it at once" {
	for signal in INT TERM; do
		start_server --ready 'acquired' ./test_myrwlock --duration=1h
		stop_server server $signal
		assert_equal "$status" $((128 + $(kill -l $signal)))
		assert_equal "$(<"$SERVER_ERR")" ''
		refute grep -q Statistics "$SERVER_OUT"
		assert_nothing_left
	done
}

has_no_room() {
	! dd if=/dev/zero of="$1" bs=4096 count=1 oflag=nonblock status=none 2>/dev/null
}

# Events are printed by who holds the lock, and all others wait for it.
@test "a stop is heeded though nobody reads what is printed" {
	mkfifo pipe
	exec 7<>pipe
	start_server bash -c 'exec ./test_myrwlock --verbose --duration=1h >pipe 7>&-'
	wait_until 20 has_no_room pipe
	# shellcheck disable=SC2034 # of stop_server
	SERVER_SECONDS=5
	stop_server
	assert_equal "$status" 143
	exec 7>&-
}

@test "a reader that has gone ends it at once" {
	# shellcheck disable=SC2016 # the inner shell's
	run timeout 20 bash -c 'trap "" PIPE
		./test_myrwlock --verbose --duration=1h 2>err | head -n 1
		exit ${PIPESTATUS[0]}'
	assert_failure 1
	assert_line -n 0 'My RWLock Test (10 readers, 3 writers, 3600 seconds)'
	assert_one_line_error "$(<err)" test_myrwlock
}

@test "numbers that are none, or beyond the limits, are refused" {
	for arguments in --readers=0 --readers=-1 --readers=501 --readers=x \
		--writers=0 --writers=-3 --writers= --duration=0 \
		--duration=-1s --duration=2d --policy=none --policy= \
		--read-hold=-1 --write-hold=61s --read-pause=x \
		--write-pause=1x --jitter=-1ms --seed=-1 --timeout=0 operand \
		--no-such-option; do
		run ./test_myrwlock "$arguments"
		assert_failure 2
		assert_one_line_error "$output" test_myrwlock
	done
}

@test "too many threads for the system are told in one line" {
	run bash -c 'ulimit -v 200000; ./test_myrwlock -r 500 --duration=1s --quiet'
	assert_failure 1
	assert_one_line_error "$output" test_myrwlock
	assert_output --partial 'cannot start 500 readers and 3 writers'
}

@test "standard streams that are closed or full" {
	./test_myrwlock --duration=50ms --quiet <&- >out
	assert_equal "$(<out)" 'No starvation detected: PASS'
	run bash -c './test_myrwlock --duration=50ms >&- 2>err'
	assert_failure 1
	assert_one_line_error "$(<err)" test_myrwlock
	run bash -c './test_myrwlock --duration=50ms 2>&1 >/dev/full'
	assert_failure 1
	assert_one_line_error "$output" test_myrwlock
}
