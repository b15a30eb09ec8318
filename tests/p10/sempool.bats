#!/usr/bin/env bats
# pool_manager and worker as a user types them; the library is in
# sempool_test.c and its neighbours, what is refused in bad_input.bats.

# Commands of workers are for their shell to expand; run sets stderr.
# shellcheck disable=SC2016,SC2154

load ../support/common

setup() {
	setup_chapter p10
}

# start_manager [OPTION…]: ready when it says so.
start_manager() {
	start_server --name manager --ready '^Pool manager (started|took over)' \
		./pool_manager "$@"
}

# start_holder NAME [OPTION…]: a worker that has its connection.
start_holder() {
	local name=$1
	shift
	start_server --name "$name" --ready 'Acquired connection' ./worker "$@"
}

# One figure of the status: status_of available
status_of() {
	./pool_manager --json "${@:2}" | sed -n "s/^  \"$1\": \([^,]*\),\{0,1\}$/\1/p"
}

status_is() {
	[[ $(status_of "$1") == "$2" ]]
}

has_waiters() {
	(($(./pool_manager --status | grep -c '^waits') == $1))
}

# No slot is lent twice: every line after each of the first $1 acquired ones
# comes after a released one.
assert_never_more_than() {
	awk -v max="$1" '
		/Acquired/ { if (++held > max) { print "line " NR; exit 1 } }
		/Released/ { held-- }
		END { if (held) { print held " not released"; exit 1 } }
	' "$2" || fail "more than $1 at a time, or not all released: $(<"$2")"
}

@test "the guide's transcript" {
	start_manager --max-connections=5
	assert_equal "$(<"$SERVER_OUT")" \
		'Pool manager started (5 connections available)'
	# The manager's output, for later: the workers have their own.
	manager_out=$SERVER_OUT
	pids=()
	for i in {1..10}; do
		./worker "$i" 3>&- >>out &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	wait_for_line "$manager_out" '^All workers completed' 30
	assert_equal "$(tail -n 1 "$manager_out")" \
		'All workers completed successfully'
	for i in {1..10}; do
		assert_equal "$(grep -cE "^Worker $i: Acquired connection \([0-4] remaining\)$" out)" 1
		assert_equal "$(grep -cE "^Worker $i: Released connection \([1-5] remaining\)$" out)" 1
	done
	assert_never_more_than 5 out
	run grep -vE '^Worker [0-9]+: ((Acquired|Released) connection \([0-9] remaining\)|Waiting for connection\.\.\.)$' out
	assert_output ''
	assert_equal "$(status_of lent)" 10
	stop_server manager
	assert_equal "$status" 0
	assert_nothing_left
}

@test "one after the other they count down, wait, and get what is released" {
	start_manager --max-connections=2
	start_holder one 1 --hold=60s
	assert_equal "$(<"$SERVER_OUT")" \
		'Worker 1: Acquired connection (1 remaining)'
	start_holder two 2 --hold=60s
	assert_equal "$(<"$SERVER_OUT")" \
		'Worker 2: Acquired connection (0 remaining)'
	start_server --name three --ready 'Waiting' ./worker 3 --hold=0
	wait_until 30 has_waiters 1
	stop_server one
	assert_equal "$status" 143
	assert_equal "$(tail -n 1 "$BATS_TEST_TMPDIR/one.out")" \
		'Worker 1: Released connection (1 remaining)'
	wait_until 30 is_ended "${SERVER_PID[three]}"
	stop_server three
	assert_equal "$status" 0
	assert_equal "$(<"$BATS_TEST_TMPDIR/three.out")" \
		'Worker 3: Waiting for connection...
Worker 3: Acquired connection (0 remaining)
Worker 3: Released connection (1 remaining)'
	stop_server two
	stop_server manager
	assert_nothing_left
}

@test "no connection in time is exit 3" {
	start_manager --max-connections=1
	start_holder one 1 --hold=60s
	run --separate-stderr ./worker 2 --timeout=200ms
	assert_failure 3
	assert_output 'Worker 2: Waiting for connection...'
	assert_equal "$stderr" 'worker: no connection within 200ms'
	run ./worker 2 --quiet --timeout=0
	assert_failure 3
	assert_output 'worker: no connection within 0'
	stop_server one
	run ./worker 2 --quiet --timeout=0 --hold=0
	assert_success
	assert_output ''
	stop_server manager
	assert_nothing_left
}

@test "a command runs with a connection, and its status is the worker's" {
	start_manager --max-connections=1
	run --separate-stderr ./worker 7 -- sh -c 'echo "$POOL_CONNECTION-$1"; exit 9' x --hold
	assert_failure 9
	assert_output '1---hold'
	assert_equal "$stderr" 'Worker 7: Acquired connection (0 remaining)
Worker 7: Released connection (1 remaining)'
	run ./worker 7 -q -- sh -c 'kill -KILL $$'
	assert_failure 137
	assert_output ''
	run -127 ./worker 7 -q -- ./no-such-command
	assert_one_line_error "$output" worker
	: >plain
	run ./worker 7 -q -- ./plain
	assert_failure 126
	assert_one_line_error "$output" worker
	# It dies of a closed pipe, as it would without us.
	run bash -c './worker 7 -q -- yes | head -n 1'
	assert_output y
	# Its input is ours.
	assert_equal "$(echo hello | ./worker 7 -q -- cat)" hello
	assert_equal "$(status_of available)" 1
	assert_equal "$(status_of reclaimed)" 0
	stop_server manager
	assert_nothing_left
}

@test "no more commands run at once than there are connections" {
	start_manager --max-connections=3
	pids=()
	for i in {1..12}; do
		./worker "$i" -q -- sh -c 'echo Acquired; sleep 0.02; echo Released' 3>&- >>out &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait "$pid"
	done
	assert_never_more_than 3 out
	assert_equal "$(wc -l <out)" 24
	assert_equal "$(status_of lent)" 12
	stop_server manager
	assert_nothing_left
}

@test "SIGTERM ends the command, and a killed worker takes its command along" {
	start_manager --max-connections=1
	for signal in TERM INT KILL; do
		start_server --name one --ready started \
			./worker 1 -q -- sh -c 'echo started $$; exec sleep 60'
		child=$(sed -n 's/started //p' "$SERVER_OUT")
		is_ended "$child" && fail 'it does not run'
		stop_server one $signal
		assert_equal "$status" $((128 + $(kill -l $signal)))
		wait_until 30 is_ended "$child"
		wait_until 30 status_is available 1
	done
	assert_equal "$(status_of reclaimed)" 1
	stop_server manager
	assert_nothing_left
}

@test "a command has a second after SIGINT, and then is asked by SIGTERM" {
	start_manager --max-connections=1
	start_server --name one --ready started ./worker 1 -q -- sh -c '
		trap "" INT
		trap "echo asked; exit" TERM
		echo started
		while :; do sleep 0.02; done'
	out=$SERVER_OUT before=$(date +%s%N)
	stop_server one INT
	assert_equal "$status" 130
	(($(date +%s%N) - before >= 1000000000))
	assert_equal "$(tail -n 1 "$out")" asked
	stop_server manager
	assert_nothing_left
}

# Nobody gets the one connection, though reclaims look for it.
assert_is_in_use() {
	run ./worker 2 -q --timeout=100ms
	assert_failure 3
	assert_equal "$(status_of available)" 0
}

@test "what a command has started keeps the connection of a killed worker" {
	start_manager --max-connections=1
	for signal in TERM INT KILL; do
		start_server --name one --ready started \
			./worker 1 -q -- sh -c 'sleep 60 & one=$!; sleep 60 & echo started $one $!; wait'
		read -r _ first second <"$SERVER_OUT"
		stop_server one $signal
		assert_equal "$status" $((128 + $(kill -l $signal)))
		assert_is_in_use
		kill "$first"
		wait_until 30 is_ended "$first"
		assert_is_in_use
		kill "$second"
		wait_until 30 status_is available 1
	done
	assert_equal "$(status_of reclaimed)" 1
	stop_server manager
	assert_nothing_left
}

@test "what a command left running keeps the connection, and its end gives it back" {
	start_manager --max-connections=1
	run --separate-stderr ./worker 1 -- sh -c 'sleep 60 >&- 2>&- 3>&- & echo $!'
	assert_success
	child=$output
	assert_equal "$stderr" 'Worker 1: Acquired connection (0 remaining)
Worker 1: Connection stays with what the command left running'
	assert_is_in_use
	run ./pool_manager --status
	assert_line --regexp '^1 +- +left '
	assert_equal "$(./pool_manager --json | tr -d ' \n' | grep -o '"holders":\[{"pid":null,"alive":true,')" \
		'"holders":[{"pid":null,"alive":true,'
	kill "$child"
	wait_until 30 status_is available 1
	assert_equal "$(status_of reclaimed)" 0
	# What closes the lock is taken to be done.
	run --separate-stderr ./worker 1 -- \
		sh -c 'eval "exec $POOL_LOCK>&-"; sleep 60 >&- 2>&- 3>&- & echo $!'
	assert_success
	assert_equal "${stderr##*$'\n'}" 'Worker 1: Released connection (1 remaining)'
	kill "$output"
	stop_server manager
	assert_nothing_left
}

@test "a connection of a killed worker is reclaimed, and lent to who waits" {
	start_manager --max-connections=1
	out=$SERVER_OUT
	start_holder one 1 --hold=60s
	start_server --name two --ready Waiting ./worker 2 --hold=0
	wait_until 30 has_waiters 1
	stop_server one KILL
	wait_until 30 is_ended "${SERVER_PID[two]}"
	stop_server two
	assert_equal "$status" 0
	wait_for_line "$out" '^Reclaimed 1 connection of dead workers' 30
	wait_for_line "$out" \
		'^All workers completed, but 1 died with a connection$' 30
	# Who was killed as he waited had nothing, and nothing comes back.
	start_holder three 3 --hold=60s
	start_server --name four --ready Waiting ./worker 4
	wait_until 30 has_waiters 1
	stop_server four KILL
	wait_until 30 has_waiters 0
	stop_server three
	wait_until 30 status_is available 1
	assert_equal "$(status_of reclaimed)" 1
	assert_equal "$(status_of semaphore)" 1
	# What was said once is not said again.
	wait_for_line "$out" '^All workers completed successfully$' 30
	assert_equal "$(grep -c '^Reclaimed' "$out")" 1
	assert_equal "$(grep -c '^All' "$out")" 2
	stop_server manager
	assert_nothing_left
}

@test "the dead are shown as dead until somebody looks after them" {
	start_manager --max-connections=1
	start_holder one 1 --hold=60s
	start_server --name two --ready Waiting ./worker 2
	wait_until 30 has_waiters 1
	stop_server manager KILL
	stop_server two KILL
	stop_server one KILL
	run ./pool_manager --status
	assert_line --regexp "^1 +[0-9]+ +dead "
	refute_line --regexp '^waits '
	assert_line 'Waiting: 0, lent: 1, reclaimed: 0'
	run ./pool_manager --json
	assert_line --partial '"alive": false'
	assert_line --partial '"waiters": []'
	start_manager
	wait_for_line "$SERVER_OUT" '^Reclaimed 1 connection of dead workers' 30
	# And a table without rows is none.
	run ./pool_manager --status
	assert_equal "${#lines[@]}" 2
	stop_server manager
	assert_nothing_left
}

@test "status tells who holds, who waits, and how often" {
	start_manager --max-connections=2
	start_holder one 1 --hold=60s
	start_holder two 2 --hold=60s
	start_server --name three --ready Waiting ./worker 3
	wait_until 30 has_waiters 1
	run ./pool_manager --status
	assert_success
	assert_line -n 0 "Pool /pool: 0 of 2 connections available, managed by process ${SERVER_PID[manager]}"
	assert_line --regexp "^1 +${SERVER_PID[one]} +alive  [0-9-]{10} [0-9:]{8} "
	assert_line --regexp "^2 +${SERVER_PID[two]} +alive "
	assert_line --regexp "^waits +${SERVER_PID[three]} +alive "
	assert_line 'Waiting: 1, lent: 2, reclaimed: 0'
	run python3 -c '
import json, sys, time
pool = json.load(sys.stdin)
assert pool["schema"] == "unixipc-pool/1", pool
assert (pool["name"], pool["connections"], pool["available"]) == ("/pool", 2, 0)
one, two, three, manager = map(int, sys.argv[1:])
assert [h["pid"] for h in pool["holders"]] == [one, two], pool
assert [h["connection"] for h in pool["holders"]] == [1, 2], pool
assert [w["pid"] for w in pool["waiters"]] == [three], pool
assert pool["manager"] == manager and pool["lent"] == 2, pool
assert all(h["alive"] and abs(time.time() - h["since"]) < 600 for h in pool["holders"])
assert all(0 <= h["seconds"] < 600 for h in pool["holders"])
' "${SERVER_PID[one]}" "${SERVER_PID[two]}" "${SERVER_PID[three]}" \
		"${SERVER_PID[manager]}" < <(./pool_manager --status --json)
	assert_success
	assert_output ''
	stop_server three
	assert_equal "$status" 143
	stop_server one
	stop_server two
	stop_server manager
	assert_nothing_left
}

@test "a killed manager is replaced, with all that is held" {
	start_manager --max-connections=3
	start_holder one 1 --hold=60s
	stop_server manager KILL
	run ./pool_manager --status
	assert_line -n 0 'Pool /pool: 2 of 3 connections available, no manager is running'
	# The pool works without one.
	run ./worker 2 --hold=0
	assert_success
	start_server --name manager --ready 'took over' ./pool_manager
	assert_equal "$(<"$SERVER_OUT")" \
		'Pool manager took over (2 of 3 connections available)'
	assert_equal "$(status_of lent)" 2
	stop_server one
	assert_equal "$(status_of available)" 3
	assert_equal "$(status_of semaphore)" 3
	wait_for_line "$BATS_TEST_TMPDIR/manager.out" \
		'^All workers completed successfully$' 30
	stop_server manager
	assert_nothing_left
}

@test "the manager's end ends who waits, and not who holds" {
	for signal in INT TERM; do
		start_manager --max-connections=1
		start_holder one 1 --hold=60s
		start_server --name two --ready Waiting ./worker 2
		wait_until 30 has_waiters 1
		stop_server manager $signal
		assert_equal "$status" 0
		assert_equal "$(<"$BATS_TEST_TMPDIR/manager.err")" ''
		assert_nothing_left
		wait_until 30 is_ended "${SERVER_PID[two]}"
		stop_server two
		assert_equal "$status" 1
		assert_equal "$(<"$BATS_TEST_TMPDIR/two.err")" \
			"worker: pool '/pool' was removed"
		is_ended "${SERVER_PID[one]}" && fail 'the owner has ended'
		stop_server one
		assert_equal "$status" 143
	done
	assert_nothing_left
}

@test "a pool that somebody removes ends its manager" {
	start_manager
	rm /dev/shm/pool
	wait_until 30 is_ended "$SERVER"
	stop_server manager
	assert_equal "$status" 1
	assert_equal "$(<"$SERVER_ERR")" \
		"pool_manager: pool '/pool': somebody removed it"
	assert_nothing_left
}

@test "SIGINT ends who waits, and who holds gives back" {
	start_manager --max-connections=1
	start_holder one 1 --hold=60s
	start_server --name two --ready Waiting ./worker 2
	stop_server two INT
	assert_equal "$status" 130
	stop_server one INT
	assert_equal "$status" 130
	assert_equal "$(status_of available)" 1
	assert_equal "$(status_of reclaimed)" 0
	stop_server manager
	assert_nothing_left
}

@test "pools have names, and do not disturb each other" {
	start_manager --name=/first --max-connections=1
	start_server --name other --ready started ./pool_manager -n /other -m 2
	start_holder one 1 --name=/first --hold=60s
	run ./worker 2 --name=/other --hold=0
	assert_success
	assert_line -n 0 'Worker 2: Acquired connection (1 remaining)'
	assert_equal "$(status_of available --name=/first)" 0
	run ./worker 3
	assert_failure 1
	assert_output "worker: no pool '/pool': start pool_manager"
	stop_server one
	stop_server other
	stop_server manager
	assert_nothing_left
}
