#!/usr/bin/env bats
# submit_job, as its users meet it.

# Commands of jobs are for the shell of the job to expand.
# shellcheck disable=SC2016

load ../support/common

setup() {
	setup_chapter p04
	export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
	JOURNAL=$XDG_STATE_HOME/unixipc/job_queue
}

teardown() {
	end_servers
	wait_until 30 has_no_workers
	rm -f /dev/mqueue/job_queue
	rm -rf "/dev/shm/unixipc.$UID"
}

has_no_workers() {
	! pgrep -x job_dispatcher >/dev/null
}

start_dispatcher() {
	start_server --ready '^Dispatcher running' ./job_dispatcher "$@"
}

# A dispatcher that is in no hurry, so that the queue can be filled.
start_lingering() {
	start_dispatcher --linger=1h "$@"
}

fill_queue() {
	local n
	for n in {1..10}; do ./submit_job --cmd="echo $n" >/dev/null; done
}

drain() {
	stop_server
	run -0 timeout 60 ./job_dispatcher --drain --linger=0
	assert_nothing_left
}

@test "a full queue fails at once with --nonblock" {
	start_lingering
	fill_queue
	run -3 timeout 60 ./submit_job --cmd=true --nonblock
	assert_output 'submit_job: queue full (10 of 10)'
	# What was refused must not run later.
	drain
	refute_output --partial 'Processing job 11'
	assert_line 10
}

@test "a full queue fails when --timeout is over" {
	start_lingering
	fill_queue
	run -3 timeout 60 ./submit_job --cmd=true --timeout=100ms
	assert_output 'submit_job: queue full (10 of 10)'
	run find "$JOURNAL" -name 11.job
	assert_output ''
	drain
}

@test "a submitter that is blocked by a full queue goes on when there is room" {
	mkfifo gate
	start_dispatcher --linger=0
	./submit_job --cmd='cat gate'
	wait_for_line "$SERVER_OUT" 'Processing job 1' 30
	fill_queue
	./submit_job --cmd='echo patient' --timeout=60s >blocked 3>&- &
	wait_until 30 lists submitting
	run ! grep queued blocked
	echo opened >gate
	wait $!
	run cat blocked
	assert_output 'Job 12 queued (priority 0)'
	wait_for_line "$SERVER_OUT" '^patient$' 30
}

# lists WORD: as the state, or in the command, of a job.
lists() {
	./submit_job --list | grep -q -- "  $1"
}

@test "Ctrl-C takes a job back that is blocked by a full queue" {
	start_lingering
	fill_queue
	env --default-signal=INT ./submit_job --cmd='echo never' --timeout=60s \
		>blocked 2>&1 3>&- &
	wait_until 30 lists submitting
	kill -INT $!
	status=0
	wait $! || status=$?
	assert_equal "$status" 130
	run cat blocked
	assert_output ''
	drain
	refute_line never
}

@test "ids are unique among submitters at once and over restarts" {
	local round n pids
	for round in 1 2 3; do
		start_dispatcher --linger=0
		pids=()
		for n in {1..15}; do
			./submit_job --cmd=true --timeout=60s \
				>"out.$round.$n" 3>&- &
			pids+=($!)
		done
		wait "${pids[@]}"
		# The first round ends well, the second by a crash.
		if ((round == 2)); then stop_server server KILL; else stop_server; fi
	done
	run bash -c "sed -n 's/^Job \([0-9]*\) queued.*/\1/p' out.* | sort -n | uniq"
	assert_equal "${#lines[@]}" 45
	run -0 timeout 60 ./job_dispatcher --drain --linger=0
}

@test "--wait gives the status of the job" {
	start_dispatcher --linger=0
	run -0 timeout 60 ./submit_job --cmd=true --wait
	run -7 timeout 60 ./submit_job --cmd='exit 7' --wait
	run -127 timeout 60 ./submit_job --cmd=/no/such/command --wait
	run -137 timeout 60 ./submit_job --cmd='kill -KILL $$' --wait
	wait_for_line "$SERVER_ERR" '^job_dispatcher: job 4 ended with status 137$' 30
}

@test "when --wait returns, what the job printed is there" {
	start_dispatcher --linger=0
	for n in {1..20}; do
		timeout 60 ./submit_job --cmd="echo text $n; printf partial" --wait
		grep -q "^text $n\$" "$SERVER_OUT"
	done
}

@test "--wait=ID waits for a job that was submitted before" {
	mkfifo gate
	start_dispatcher --linger=0
	./submit_job --cmd='cat gate; exit 5'
	./submit_job --wait=1 --timeout=60s 3>&- &
	wait_until 30 is_watching $!
	echo opened >gate
	status=0
	wait $! || status=$?
	assert_equal "$status" 5
}

is_watching() {
	readlink "/proc/$1/fd"/* | grep -q inotify
}

@test "--wait gives up after --timeout, and the job lives on" {
	mkfifo gate
	start_dispatcher --linger=0
	run -3 timeout 60 ./submit_job --cmd='cat gate' --wait --timeout=50ms
	assert_line 'submit_job: job 1 has not ended in time'
	lists 'cat gate'
	echo opened >gate
	wait_for_line "$SERVER_OUT" opened 30
}

@test "Ctrl-C ends --wait, and the job lives on" {
	mkfifo gate
	start_dispatcher --linger=0
	env --default-signal=INT ./submit_job --cmd='cat gate' --wait >out 3>&- &
	wait_until 30 lists running
	kill -INT $!
	status=0
	wait $! || status=$?
	assert_equal "$status" 130
	lists running
	echo opened >gate
}

@test "an id that never was, and one that has ended, are told apart" {
	start_dispatcher --linger=0
	timeout 60 ./submit_job --cmd=true --wait
	run -1 ./submit_job --wait=99
	assert_output "submit_job: no job 99 in queue '/job_queue': the last one was 1"
	run -1 ./submit_job --wait=1
	assert_output "submit_job: job 1 has ended already, its status is not kept"
}

@test "who waits for a job that somebody removes is told so" {
	start_lingering
	./submit_job --cmd=true
	./submit_job --wait=1 --timeout=60s >waiter.out 2>&1 3>&- &
	wait_until 30 is_watching $!
	rm "$JOURNAL/1.job"
	status=0
	wait $! || status=$?
	assert_equal "$status" 1
	assert_equal "$(<waiter.out)" 'submit_job: job 1 was removed before it ended'
}

@test "--list shows a command that is no UTF-8, and a queue that is not there" {
	start_lingering
	./submit_job --cmd=$'echo \xff'
	run -0 ./submit_job --list --json
	assert_line --regexp '^ +"command": null'
	assert_line --regexp '^ +"id": 1,'
	stop_server server KILL
	rm /dev/mqueue/job_queue
	run -0 ./submit_job --list
	assert_line -n 0 'Queue /job_queue: not there, no dispatcher is running'
	run -0 ./submit_job --list --json
	assert_line '  "depth": null,'
	assert_line '  "capacity": null,'
}

@test "--list shows depth, waiting and running jobs" {
	mkfifo gate
	start_dispatcher --linger=0
	./submit_job --cmd='cat gate' --priority=3
	wait_until 30 lists running
	./submit_job --cmd='echo low'
	./submit_job --cmd=$'echo high\nexit' --priority=31
	run -0 ./submit_job --list
	assert_line -n 0 'Queue /job_queue: 2 of 10 messages, a dispatcher is running'
	assert_line -n 1 --regexp '^Id  Priority  State    Attempts +Age  Command$'
	assert_line -n 3 --regexp '^ 3 +31  waiting +0 +[0-9.]+ [mnu]?s  echo high\?exit$'
	assert_line -n 4 --regexp '^ 1 +3  running +0 +[0-9.]+ [mnu]?s  cat gate$'
	assert_line -n 5 --regexp '^ 2 +0  waiting +0 +[0-9.]+ [mnu]?s  echo low$'

	run -0 ./submit_job --list --json
	assert_line -n 1 '  "schema": "unixipc-jobs/1",'
	assert_line -n 2 '  "queue": "/job_queue",'
	assert_line -n 3 '  "dispatcher": true,'
	assert_line -n 4 '  "depth": 2,'
	assert_line -n 5 '  "capacity": 10,'
	run grep -cE '"(id": [123]|state": "(running|waiting)|command": "(echo low|cat gate|echo high\\nexit))' <<<"$output"
	assert_output 9

	stop_server server KILL
	run -0 ./submit_job --list
	assert_line -n 0 'Queue /job_queue: 2 of 10 messages, no dispatcher is running'
	wait_until 30 lists interrupted
}

@test "without a dispatcher the queue still takes jobs, and says so" {
	start_lingering
	stop_server server KILL
	run -0 ./submit_job --cmd='echo later'
	assert_line 'Job 1 queued (priority 0)'
	assert_line 'submit_job: no dispatcher is running, the job waits for one'
	run -0 timeout 60 ./job_dispatcher --drain --linger=0
	assert_line later
	assert_nothing_left
}

@test "without a queue it says what to start" {
	run -1 ./submit_job --cmd=true
	assert_one_line_error "$output" submit_job
	assert_output --partial 'start job_dispatcher first'
	start_dispatcher
	stop_server
	run -1 ./submit_job --cmd=true
	assert_output "submit_job: no queue '/job_queue': start job_dispatcher first"
	run find "$JOURNAL" -name '*.job'
	assert_output ''
}

@test "priorities go to 31, and further with --max-priority" {
	start_lingering
	for bad in -1 32 1.5 '' high 99999999999999999999; do
		run -2 ./submit_job --priority="$bad" --cmd=true
		assert_one_line_error "$output" submit_job
		assert_output --partial 'accepted is 0 to 31'
	done
	run -2 ./submit_job --priority=32768 --max-priority=32768 --cmd=true
	assert_one_line_error "$output" submit_job
	run -2 ./submit_job --priority=101 --cmd=true --max-priority=100
	assert_output --partial 'accepted is 0 to 100'
	run -0 ./submit_job --priority=32767 --cmd='echo first' --max-priority=32767
	run -0 ./submit_job --priority=31 --cmd='echo second'
	drain
	assert_line -n 2 --partial 'job 1 (priority 32767)'
	assert_line -n 4 --partial 'job 2 (priority 31)'
}

@test "a command that is longer than a message is refused with the limit" {
	start_lingering --msg-size=100
	run -1 ./submit_job --cmd="$(printf '%060d' 0)"
	assert_output "submit_job: the command is too long: with 60 bytes, and a message of queue '/job_queue' has room for 59"
	run -0 ./submit_job --cmd="$(printf ': %057d' 0)"
	assert_output 'Job 1 queued (priority 0)'
	drain
}

@test "nothing in a command is touched on the way" {
	start_dispatcher --linger=0
	run -0 timeout 60 ./submit_job --wait \
		--cmd=$'printf "%s|" "a  b" \'$HOME\' "é\t*"; echo " \\\\"'
	grep -qxF $'a  b|$HOME|é\t*| \\' "$SERVER_OUT"
}

@test "a journal in another place is no mystery" {
	start_lingering --state=here
	run -1 ./submit_job --cmd=true
	assert_one_line_error "$output" submit_job
	assert_output --partial 'with the same --queue and --state'
	run -0 ./submit_job --cmd=true --state=here
	stop_server
	run -0 timeout 60 ./job_dispatcher --drain --linger=0 --state=here
}

@test "bad options are refused in one line, with status 2" {
	for options in '' --cmd= --wait --wait=0 --wait=x --list=1 --timeout=x \
		--json operand --nonsense --queue=name --queue=/ --queue=/a/b \
		'--list --cmd=true' '--wait=1 --cmd=true' '--wait=1 --list' \
		"--queue=/$(printf '%0300d' 0)"; do
		# shellcheck disable=SC2086 # a list of options
		run -2 ./submit_job $options
		assert_one_line_error "$output" submit_job
	done
	run -2 ./submit_job --cmd=$' \n\t'
	assert_output 'submit_job: --cmd is empty: give a command'
	assert_nothing_left
}

@test "closed standard streams do no harm" {
	start_dispatcher --linger=0
	for closed in '<&-' '2>&-' '<&- 2>&-'; do
		eval "timeout 60 ./submit_job --cmd=true --wait $closed"
	done
	eval 'timeout 60 ./submit_job --cmd="touch ran" --wait >&-' || true
	assert [ -e ran ]
}

@test "a full disk under standard output is an error" {
	start_dispatcher --linger=0
	for command in '--cmd=true' '--list' '--list --json'; do
		run -1 bash -c "./submit_job $command >/dev/full"
		assert_one_line_error "$output" submit_job
	done
}
