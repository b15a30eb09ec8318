#!/usr/bin/env bats
# barrier_test as a user runs it; the module is in sysv_barrier_test.c.
# sandbox: --root

load ../support/common

setup() {
	setup_chapter p11
}

# The children of a process.
children() {
	cat "/proc/$1/task/$1/children"
}

has_passed_more_than() {
	(($(grep -c passed "$SERVER_OUT") > $1))
}

# A run that goes on until it is ended: start_long_run NAME [OPTION…]. Its
# pauses leave the processor to others.
start_long_run() {
	start_server --ready 'passed barrier 1' --name "$1" \
		./barrier_test -i 1000000 --jitter=2ms "${@:2}"
}

# Wait for the end of run NAME: it failed, and its one line is like REGEX.
assert_run_fails() {
	wait_until 30 is_ended "${SERVER_PID[$1]}"
	stop_server "$1"
	assert_equal "$status" 1
	assert_one_line_error "$(<"$BATS_TEST_TMPDIR/$1.err")" barrier_test
	assert_regex "$(<"$BATS_TEST_TMPDIR/$1.err")" "$2"
}

@test "the guide's transcript" {
	run ./barrier_test --processes=5 --iterations=3
	assert_success
	assert_line -n 0 'Barrier Test (5 processes, 3 iterations)'
	for round in 1 2 3; do
		# Five lines in any order, then one.
		first=$((1 + (round - 1) * 6))
		assert_equal "$(printf '%s\n' "${lines[@]:first:5}" | sort)" \
			"$(printf "[P%s] Reached barrier $round\n" 1 2 3 4 5)"
		assert_line -n $((first + 5)) \
			"--- All processes passed barrier $round ---"
	done
	assert_line -n 19 'All processes synchronized correctly. PASS'
	assert_equal ${#lines[@]} 20
	assert_nothing_left
}

@test "one process, and a thousand" {
	run ./barrier_test --processes=1 --iterations=2 --quiet
	assert_success
	run ./barrier_test --processes=1000 --iterations=2 --quiet
	assert_success
	assert_output 'All processes synchronized correctly. PASS'
	assert_nothing_left
}

@test "random pauses change nothing" {
	run ./barrier_test -p 4 -i 25 --jitter=5ms --seed=7 --quiet
	assert_success
	assert_output 'All processes synchronized correctly. PASS'
}

# All others are told of process $1, killed before the barrier or inside: $2.
assert_told() {
	assert_line "[P$1] Killed $2 barrier 2"
	assert_line --regexp \
		"^4 of 4 others were told of a death $2 the barrier, the last after [0-9.]+ .s\\. PASS\$"
}

@test "a killed process breaks the barrier, and all others are told" {
	for killed in 1 3 5; do
		run ./barrier_test --processes=5 --iterations=4 --kill=$killed
		assert_success
		assert_told $killed before
		assert_told $killed inside
		assert_equal "$(grep -c 'Barrier 2 is BROKEN' <<<"$output")" 8
	done
	# Inside: it has reached the barrier, and does not pass it.
	assert_equal "$(grep -c '^\[P5\] Reached barrier 2$' <<<"$output")" 1
	assert_nothing_left
}

@test "a death of which nobody is told is not a PASS" {
	run ./barrier_test --processes=1 --kill=1
	assert_failure 2
	assert_one_line_error "$output" barrier_test
	refute_output --partial PASS
	assert_nothing_left
}

@test "an empty set of somebody else is told, and left alone" {
	id=$(ipcmk -S 10 | grep -o '[0-9]*$')
	key=$(ipcs -s | awk -v id="$id" '$2 == id { print $1 }')
	run ./barrier_test --key="$key"
	assert_failure 1
	assert_one_line_error "$output" barrier_test
	assert_output --partial "nobody has filled"
	# ipcs(1) shows zeros in front.
	assert_output --partial "(ipcrm -S $(printf '0x%x' "$key"))"
	[[ $(ipcs -s) == *"$key $id "* ]]
	ipcrm -s "$id"
	assert_nothing_left
}

@test "another set that has the id of ours is left alone" {
	need_writable /proc/sys/kernel/sem_next_id
	start_long_run run --key=0x4713
	id=$(ipcs -s | awk '$1 == "0x00004713" { print $2 }')
	kill -STOP "$SERVER"
	ipcrm -s "$id"
	echo "$id" >/proc/sys/kernel/sem_next_id
	run ipcmk -S 10
	assert_output "Semaphore id: $id"
	kill -CONT "$SERVER"
	assert_run_fails run 'somebody removed the semaphore set$'
	[[ $(ipcs -s) == *" $id "* ]]
	ipcrm -s "$id"
	assert_nothing_left
}

@test "a process killed from outside is an error and not a hang" {
	for signal in KILL TERM; do
		start_long_run $signal
	done
	for signal in KILL TERM; do
		victim=$(children "${SERVER_PID[$signal]}" | cut -d' ' -f2)
		kill -$signal "$victim"
		assert_run_fails $signal 'is broken: a process ended before it$'
	done
	assert_nothing_left
}

@test "a deadlock is told with who waits for whom" {
	start_long_run stuck --timeout=1s
	victim=$(children "$SERVER" | cut -d' ' -f3)
	kill -STOP "$victim"
	assert_run_fails stuck \
		'within --timeout: P1, P2, P4, P5 waited at barrier [0-9]+ for P3$'
	assert_nothing_left
}

@test "SIGINT and SIGTERM remove the semaphores, of many processes too" {
	start_long_run INT --processes=200
	start_long_run TERM
	for signal in INT TERM; do
		stop_server $signal $signal
		assert_equal "$status" $((128 + $(kill -l $signal)))
		assert_equal "$(<"$BATS_TEST_TMPDIR/$signal.err")" ''
	done
	assert_nothing_left
}

@test "SIGINT of a terminal is for the parent alone" {
	start_long_run run
	for victim in $(children "$SERVER"); do
		kill -INT "$victim"
	done
	wait_until 30 has_passed_more_than $(($(grep -c passed "$SERVER_OUT") + 2))
	stop_server run INT
	assert_equal "$status" 130
	assert_nothing_left
}

@test "what a killed run left is gone after the next one" {
	for _ in 1 2; do
		start_long_run dead
		mapfile -t pids < <(children "$SERVER" | tr ' ' '\n' | grep .)
		stop_server dead KILL
		for pid in "${pids[@]}"; do
			wait_until 30 is_ended "$pid"
		done
	done
	run ./barrier_test --quiet
	assert_success
	assert_nothing_left
}

@test "two runs at once do not disturb each other, and the ledger has them" {
	start_long_run other
	[[ $(ls -l "/dev/shm/unixipc.$(id -u)") == *barrier_test* ]]
	run ./barrier_test --quiet
	assert_success
	is_ended "$SERVER" && fail 'the other one ended'
	stop_server other
	assert_nothing_left
}

@test "a key that is in use, by a barrier or by something else" {
	start_long_run other --key=0x4711
	run ./barrier_test --key=0x4711
	assert_failure 1
	assert_output 'barrier_test: key 0x4711: a barrier that is in use'
	stop_server other
	id=$(ipcmk -S 3 | grep -o '[0-9]*$')
	key=$(ipcs -s | awk -v id="$id" '$2 == id { print $1 }')
	run ./barrier_test --key="$key"
	assert_failure 1
	assert_one_line_error "$output" barrier_test
	assert_output --partial 'something else'
	ipcrm -s "$id"
	assert_nothing_left
}

@test "semaphores removed meanwhile are told in one line" {
	start_long_run run --key=0x4712
	ipcrm -S 0x4712
	assert_run_fails run 'somebody removed the semaphore set$'
	assert_nothing_left
}

@test "numbers that are none, or beyond the limits, are refused" {
	for arguments in --processes=0 --processes=-1 --processes=1001 \
		--processes=x --iterations=0 --iterations=-3 --iterations= \
		--kill=0 --kill=6 --timeout=0 --timeout=-1s --jitter=-1 \
		--key=0 --key=0xg --key=0x123456789 --seed=-1 operand \
		--no-such-option; do
		run ./barrier_test "$arguments"
		assert_failure 2
		assert_one_line_error "$output" barrier_test
	done
	assert_nothing_left
}

@test "standard streams that are closed, full, or have no reader any more" {
	./barrier_test --quiet <&- >out
	assert_equal "$(<out)" 'All processes synchronized correctly. PASS'
	run bash -c './barrier_test >&- 2>err'
	assert_failure 1
	assert_one_line_error "$(<err)" barrier_test
	run bash -c './barrier_test 2>&1 >/dev/full'
	assert_failure 1
	assert_one_line_error "$output" barrier_test
	run bash -c './barrier_test -i 1000000 2>err | head -n 1'
	assert_output 'Barrier Test (5 processes, 1000000 iterations)'
	assert_one_line_error "$(<err)" barrier_test
	assert_nothing_left
}

@test "the system's limits are named" {
	# Of the sandbox's own IPC namespace.
	need_writable /proc/sys/kernel/sem
	read -r -a sem </proc/sys/kernel/sem
	echo "${sem[0]} ${sem[1]} 4 ${sem[3]}" >/proc/sys/kernel/sem
	run ./barrier_test
	assert_failure 1
	assert_one_line_error "$output" barrier_test
	assert_output --partial 'operations a semop'
	echo "9 ${sem[1]} ${sem[2]} ${sem[3]}" >/proc/sys/kernel/sem
	run ./barrier_test
	assert_failure 1
	assert_one_line_error "$output" barrier_test
	assert_output --partial 'semaphores a set'
	echo "${sem[0]} ${sem[1]} ${sem[2]} 0" >/proc/sys/kernel/sem
	run ./barrier_test
	echo "${sem[*]}" >/proc/sys/kernel/sem
	assert_failure 1
	assert_one_line_error "$output" barrier_test
	assert_output --partial 'limit of semaphores or of their sets'
	assert_nothing_left
}
