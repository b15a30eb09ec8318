#!/usr/bin/env bats
# job_dispatcher, as its users meet it.

# Commands of jobs are for the shell of the job to expand.
# shellcheck disable=SC2016

load ../support/common

setup() {
	setup_chapter p04
	export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
	JOURNAL=$XDG_STATE_HOME/unixipc/job_queue
}

# A test may end with a dispatcher at work, but not with its workers or its
# queue.
teardown() {
	end_servers
	wait_until 30 has_no_workers
	rm -f /dev/mqueue/job_queue /dev/mqueue/other
	rm -rf "/dev/shm/unixipc.$UID"
}

has_no_workers() {
	! pgrep -x 'job_dispatcher' >/dev/null
}

# start_dispatcher OPTION…
start_dispatcher() {
	start_server --ready '^Dispatcher running, queue: ' \
		./job_dispatcher "$@"
}

# Finish what is queued, so that the queue goes.
drain() {
	run -0 timeout 60 ./job_dispatcher --drain --linger=0
	assert_nothing_left
}

# The ids in the order in which their jobs were started.
order_of() {
	sed -n 's/^Dispatcher: Processing job \([0-9]*\) .*/\1/p' "$1" | xargs
}

has_lines() {
	(($(grep -c -- "$2" "$1") >= $3))
}

# has_later LOG MOMENT N: N lines begin with a later moment.
has_later() {
	(($(awk -v last="$2" '$1 > last' "$1" | wc -l) >= $3))
}

@test "the guide's transcript works as printed" {
	start_dispatcher
	run ./submit_job --priority=0 --cmd="sleep 10"
	assert_output 'Job 1 queued (priority 0)'
	run ./submit_job --priority=31 --cmd="echo URGENT"
	assert_output 'Job 2 queued (priority 31)'
	run ./submit_job --priority=15 --cmd="date"
	assert_output 'Job 3 queued (priority 15)'
	wait_for_line "$SERVER_OUT" 'Processing job 1' 30
	run cat "$SERVER_OUT"
	assert_line -n 0 'Dispatcher running, queue: /job_queue'
	assert_line -n 1 'Dispatcher: Processing job 2 (priority 31): echo URGENT'
	assert_line -n 2 'URGENT'
	assert_line -n 3 'Dispatcher: Processing job 3 (priority 15): date'
	assert_line -n 4 --regexp '[0-9]{2}:[0-9]{2}:[0-9]{2}'
	assert_line -n 5 'Dispatcher: Processing job 1 (priority 0): sleep 10'
	stop_server
	assert_equal "$status" 0
}

@test "jobs of one priority run in the order of their submission" {
	mkfifo gate
	start_dispatcher --linger=0
	./submit_job --priority=7 --cmd='cat gate'
	for _ in {2..6}; do ./submit_job --priority=7 --cmd=true; done
	echo opened >gate
	./submit_job --priority=7 --cmd=true --wait
	assert_equal "$(order_of "$SERVER_OUT")" '1 2 3 4 5 6 7'
}

@test "without linger the first job starts before a more urgent one comes" {
	mkfifo gate
	start_dispatcher --linger=0
	./submit_job --priority=0 --cmd='cat gate'
	wait_for_line "$SERVER_OUT" 'Processing job 1' 30
	./submit_job --priority=5 --cmd=true
	./submit_job --priority=31 --cmd=true
	echo opened >gate
	run -0 ./submit_job --cmd=true --wait --timeout=60s
	assert_equal "$(order_of "$SERVER_OUT")" '1 3 2 4'
}

@test "as many jobs run side by side as there are workers" {
	mkfifo first second
	start_dispatcher --workers=2
	# Each of the two needs the other to end.
	./submit_job --cmd='echo a >first; cat second'
	run -0 ./submit_job --cmd='cat first; echo b >second' --wait --timeout=60s
	wait_for_line "$SERVER_OUT" '^b$' 30
}

@test "lines of jobs that print at the same time are not torn" {
	start_dispatcher --workers=4 --linger=0
	for word in a b c; do
		./submit_job --cmd="i=0; while [ \$i -lt 200 ]; do
			printf $word; printf $word >&2; printf $word
			echo $word; echo $word >&2; i=\$((i+1)); done"
	done
	run -0 timeout 60 ./submit_job --cmd='printf unfinished' --wait
	for id in 1 2 3; do
		timeout 60 ./submit_job --wait=$id || true
	done
	for word in a b c; do
		assert_equal "$(grep -c "^$word$word$word\$" "$SERVER_OUT")" 200
		assert_equal "$(grep -c "^$word$word\$" "$SERVER_ERR")" 200
	done
	assert_equal "$(grep -c '^unfinished$' "$SERVER_OUT")" 1
	assert_equal "$(grep -vcE '^(aaa|bbb|ccc|unfinished|Dispatcher.*|	.*)$' \
		"$SERVER_OUT")" 0
}

@test "both ways to wake up handle jobs that come one by one" {
	for wake in notify poll; do
		start_dispatcher --wake=$wake --linger=0
		for _ in {1..15}; do
			run -0 timeout 60 ./submit_job --cmd=true --wait
		done
		stop_server
		assert_equal "$status" 0
		assert_nothing_left
	done
}

@test "with aging a stream of urgent jobs delays no other beyond the bound" {
	local aging_ms=20 id stream last pad
	start_dispatcher --linger=0 --aging=${aging_ms}ms
	# Each urgent job lasts until two others are in the queue, whose commands
	# are long: it is never empty, however slow submissions are. It gives up
	# after half a minute at least.
	printf -v pad '%1000s' ''
	cat >urgent <<-'EOF'
		n=0
		until [ -e enough ] || [ $((n += 1)) -gt 3000 ]; do
			read -r size _ </dev/mqueue/job_queue
			[ "${size#QSIZE:}" -le 1500 ] || exit 0
			sleep 0.01
		done
	EOF
	until [[ -e enough ]]; do
		at=${EPOCHREALTIME/./}
		echo "$at $(./submit_job --priority=31 --cmd="sh urgent $pad")"
	done >stream.log 3>&- &
	stream=$!
	wait_until 30 has_lines stream.log queued 15
	run -0 ./submit_job --priority=0 --cmd='touch old'
	last=$((${EPOCHREALTIME/./} + 31 * aging_ms * 1000))
	[[ $output =~ Job\ ([0-9]+)\ queued ]]
	id=${BASH_REMATCH[1]}
	wait_until 30 has_later stream.log "$last" 10
	touch enough
	wait "$stream"
	wait_until 30 test -e old

	# It waited for none that came more than 31 x 20 ms later.
	run awk -v id="$id" -v last="$last" '
		FNR == NR { at[$3] = $1; next }
		!/Processing job/ { next }
		$4 == id { print "in time"; exit }
		at[$4] > last { print "too late:", $4 }
	' stream.log "$SERVER_OUT"
	assert_output 'in time'
	stop_server
	drain
}

@test "--drain finishes what is queued and ends" {
	start_dispatcher --linger=1h
	for n in 1 2 3; do ./submit_job --cmd="echo done $n"; done
	stop_server
	assert_equal "$status" 0
	assert [ -e /dev/mqueue/job_queue ]
	run -0 timeout 60 ./job_dispatcher --drain
	assert_line 'Dispatcher: unfinished jobs in the journal: 3'
	for n in 1 2 3; do assert_line "done $n"; done
	assert_nothing_left
}

@test "a stop ends the running job, and the next start runs it again" {
	for signal in TERM INT HUP; do
		start_dispatcher --linger=0
		# bash starts background commands with SIGINT ignored.
		[[ $signal != INT ]] || restart_with_sigint
		./submit_job --cmd='echo begun $$; exec sleep 60'
		wait_for_line "$SERVER_OUT" '^begun' 30
		pid=$(sed -n 's/^begun //p' "$SERVER_OUT")
		stop_server server "$signal"
		assert_equal "$status" 0
		run cat "$SERVER_OUT"
		assert_line 'Dispatcher: jobs kept for the next start: 1'
		is_ended "$pid"
		assert_nothing_left

		start_dispatcher --linger=0
		wait_for_line "$SERVER_OUT" '^begun' 30
		kill -TERM "$(sed -n 's/^begun //p' "$SERVER_OUT")"
		wait_until 30 is_empty_journal
		stop_server
	done
}

restart_with_sigint() {
	stop_server
	start_server --ready '^Dispatcher running' \
		env --default-signal=INT ./job_dispatcher --linger=0
}

is_empty_journal() {
	! compgen -G "$JOURNAL/*.job" >/dev/null
}

@test "a command that ignores SIGTERM is killed after the grace" {
	start_dispatcher --linger=0 --grace=100ms
	./submit_job --cmd='trap "" TERM; echo begun; while :; do sleep 0.1; done'
	wait_for_line "$SERVER_OUT" '^begun' 30
	stop_server
	assert_equal "$status" 0
	rm "$JOURNAL"/*.job
}

# As after unshare(1) without --mount-proc: who has which pid is not to be had.
@test "with a /proc of another PID namespace a stop ends the command, too" {
	start_server --ready '^Dispatcher running, queue: ' \
		unshare --user --map-current-user --pid --fork \
		./job_dispatcher --linger=0 --grace=60s
	./submit_job --cmd='echo begun; sleep 60; echo ended'
	wait_for_line "$SERVER_OUT" '^begun' 30
	pkill -TERM -o -x job_dispatcher
	wait_until 20 is_ended "$SERVER"
	stop_server
	run -0 cat "$SERVER_OUT"
	refute_line ended
	assert_line 'Dispatcher: jobs kept for the next start: 1'
	rm -r "$JOURNAL"
}

@test "a killed worker has its job run again" {
	start_dispatcher --linger=0
	./submit_job --cmd='if mkdir once; then echo "worker $PPID";
		sleep 60; else echo second run; fi' --wait --timeout=60s 3>&- &
	wait_for_line "$SERVER_OUT" '^worker' 30
	kill -KILL "$(sed -n 's/^worker //p' "$SERVER_OUT")"
	wait $!
	run cat "$SERVER_OUT" "$SERVER_ERR"
	assert_line 'second run'
	assert_line 'job_dispatcher: job 1: its worker died (attempt 1 of 3), it will run again'
	run ! pgrep -x sleep
}

@test "a job that kills its workers is given up, and reported" {
	start_dispatcher --linger=0 --max-attempts=2
	run -1 ./submit_job --cmd='kill -KILL $PPID; sleep 60' --wait --timeout=60s
	assert_line 'submit_job: job 1 failed: its workers died'
	wait_for_line "$SERVER_ERR" 'job 1 failed: its worker died 2 times' 30
	run ! pgrep -x sleep
	run -0 ./submit_job --list
	assert_output 'Queue /job_queue: 0 of 10 messages, a dispatcher is running'
}

@test "a command that kills its own group does not touch its worker" {
	start_dispatcher --linger=0
	run -143 ./submit_job --cmd='kill -TERM 0; sleep 60' --wait --timeout=60s
	run ! grep died "$SERVER_ERR"
}

@test "a killed dispatcher finds its unfinished jobs when it starts again" {
	start_dispatcher --linger=0
	./submit_job --cmd='mkdir once && echo "begun $$" && sleep 60; echo ended'
	./submit_job --cmd='echo after'
	wait_for_line "$SERVER_OUT" '^begun' 30
	pid=$(sed -n 's/^begun //p' "$SERVER_OUT")
	stop_server server KILL
	assert [ -e /dev/mqueue/job_queue ]
	wait_until 30 is_ended "$pid"

	run -0 timeout 60 ./job_dispatcher --drain --linger=0
	assert_line 'Dispatcher: unfinished jobs in the journal: 2'
	assert_line ended
	assert_line after
	refute_output --partial died
	assert_nothing_left
}

@test "what is left of a job whose dispatcher and worker were killed is ended first" {
	start_dispatcher --linger=0
	./submit_job --cmd='mkdir once && echo "begun $$ $PPID" && sleep 60
		echo ended'
	wait_for_line "$SERVER_OUT" '^begun' 30
	read -r _ pid worker < <(grep '^begun' "$SERVER_OUT")
	kill -STOP "$worker" # or it would end the command, as it should
	stop_server server KILL
	kill -KILL "$worker"
	wait_until 30 is_ended "$worker"
	run -1 is_ended "$pid"
	run -0 timeout 60 ./job_dispatcher --drain --linger=0
	assert_line ended
	is_ended "$pid"
	run ! pgrep -x sleep
}

@test "a drain that has to leave a job says so, and has failed" {
	start_dispatcher --linger=0
	# Who leaves the group of its command nobody ends.
	./submit_job --cmd='mkdir once || exit 0
		setsid sleep 60 & echo "begun $!"; wait'
	wait_for_line "$SERVER_OUT" '^begun' 30
	pid=$(sed -n 's/^begun //p' "$SERVER_OUT")
	stop_server server KILL
	run -1 timeout 60 ./job_dispatcher --drain --linger=0
	assert_line 'Dispatcher: jobs kept for the next start: 1'
	assert_line --regexp '^job_dispatcher: job 1 waits until what is left of its last run has ended \(process group [0-9]+\)$'
	kill "$pid"
	drain
}

@test "jobs whose messages were lost with the queue are found in the journal" {
	start_dispatcher --linger=1h
	./submit_job --cmd='echo found'
	stop_server server KILL
	rm /dev/mqueue/job_queue
	run -0 timeout 60 ./job_dispatcher --drain
	assert_line found
	assert_nothing_left
}

@test "a queue that is removed under a dispatcher is made anew" {
	start_dispatcher --linger=0
	rm /dev/mqueue/job_queue
	wait_for_line "$SERVER_ERR" 'was removed by somebody else' 3
	run -0 ./submit_job --cmd='echo heard' --wait
	wait_for_line "$SERVER_OUT" '^heard' 3
	run -0 stop_server
	assert_nothing_left
}

@test "a queue that another has put in its place is left alone" {
	start_dispatcher --linger=0
	rm /dev/mqueue/job_queue && (umask 077 && touch /dev/mqueue/job_queue)
	wait_until 3 is_ended "$SERVER"
	run stop_server
	assert_equal "$(cat "$SERVER_ERR")" "job_dispatcher: queue '/job_queue'\
 was removed by somebody else, and another has that name by now: the jobs are kept"
	assert [ -e /dev/mqueue/job_queue ]
	rm /dev/mqueue/job_queue
	assert_nothing_left
}

@test "a queue of another program is served, and not removed" {
	(umask 077 && touch /dev/mqueue/job_queue)
	run -0 timeout 20 ./job_dispatcher --drain
	assert [ -e /dev/mqueue/job_queue ]
	rm /dev/mqueue/job_queue
	assert_nothing_left
}

@test "a queue that was there with another room is taken as it is, and said" {
	start_dispatcher
	stop_server server KILL
	start_dispatcher
	assert_equal "$(<"$SERVER_ERR")" ''
	stop_server server KILL
	for option in --capacity=4 --msg-size=4096; do
		start_dispatcher $option
		assert_equal "$(<"$SERVER_ERR")" "job_dispatcher: queue '/job_queue' was there already: 10 messages of 8192 bytes"
		stop_server server KILL
	done
	drain
}

@test "where another process waits for the queue's signal it says what to do" {
	start_dispatcher
	stop_server server KILL
	mkfifo asked
	exec 7<>asked
	python3 - 7>&- 3>&- <<-'END' &
		import ctypes, time
		librt = ctypes.CDLL("librt.so.1", use_errno=True)
		mq = librt.mq_open(b"/job_queue", 0)
		nobody = (ctypes.c_int * 16)(0, 0, 0, 1)  # SIGEV_NONE
		assert mq >= 0 and librt.mq_notify(mq, nobody) == 0
		print("asked", file=open("asked", "w"), flush=True)
		time.sleep(60)
	END
	other=$!
	read -r -t 30 <&7
	exec 7>&-
	run -1 timeout 60 ./job_dispatcher --drain
	assert_line "job_dispatcher: cannot wait for queue '/job_queue': another process has asked for its notifications: use --wake=poll"
	run -0 timeout 60 ./job_dispatcher --drain --wake=poll
	kill "$other"
	wait "$other" || true
	rm -f /dev/mqueue/job_queue
	assert_nothing_left
}

@test "a folder that XDG_STATE_HOME names from elsewhere is not taken" {
	export HOME=$PWD/home XDG_STATE_HOME=relative
	run -0 timeout 60 ./job_dispatcher --drain
	assert [ -d "$HOME/.local/state/unixipc/job_queue" ]
	assert [ ! -e relative ]
	assert_nothing_left
}

@test "only one dispatcher serves a queue" {
	start_dispatcher
	run -1 ./job_dispatcher
	assert_one_line_error "$output" job_dispatcher
	assert_output "job_dispatcher: cannot serve queue '/job_queue': process $SERVER does"
	run -1 ./job_dispatcher --state=other
	assert_one_line_error "$output" job_dispatcher
	assert_output --partial 'with another --state'
}

@test "queues of other names have other journals" {
	start_dispatcher --linger=0
	start_server --name second --ready '^Dispatcher running, queue: /other' \
		./job_dispatcher --queue=/other --linger=0
	run -0 ./submit_job --queue=/other --cmd='echo other' --wait
	assert_line 'Job 1 queued (priority 0)'
	grep -q '^other$' "$SERVER_OUT"
	stop_server second
	assert [ ! -e /dev/mqueue/other ]
	assert [ -e /dev/mqueue/job_queue ]
}

@test "queue and journal are for their owner alone" {
	umask 000
	start_dispatcher
	assert_equal "$(stat -c %a /dev/mqueue/job_queue)" 600
	./submit_job --cmd=true --wait
	assert_equal "$(stat -c %a "$JOURNAL")" 700
	run find "$JOURNAL" -type f -not -perm 600
	assert_output ''
}

@test "a queue that others may write to is not trusted" {
	start_dispatcher
	stop_server server KILL
	chmod 622 /dev/mqueue/job_queue
	run -1 ./job_dispatcher
	assert_one_line_error "$output" job_dispatcher
	assert_output --partial 'must belong to you alone (mode 600)'
	run -1 ./submit_job --cmd=true
	assert_one_line_error "$output" submit_job
	rm /dev/mqueue/job_queue
	drain
}

@test "a queue of another user is refused with the reason" {
	need_second_user
	start_dispatcher
	chmod 755 "$BATS_TEST_TMPDIR" "$SCRATCH"
	mkdir -m 777 theirs
	run -1 setpriv --reuid 65534 --clear-groups ./job_dispatcher --state=theirs
	assert_one_line_error "$output" job_dispatcher
	assert_output --partial 'it belongs to another user'
	run -1 setpriv --reuid 65534 --clear-groups \
		./submit_job --state=theirs --cmd=true
	assert_one_line_error "$output" submit_job
	assert_output --partial 'it belongs to another user'
	# Who has never had a dispatcher need not start one first.
	run -1 setpriv --reuid 65534 --clear-groups \
		./submit_job --state=nowhere --cmd=true
	assert_output "submit_job: cannot open queue '/job_queue': it belongs to another user: take another name with --queue"
	run -1 setpriv --reuid 65534 --clear-groups \
		./submit_job --state=nowhere --list
	assert_output --partial 'it belongs to another user'
}

@test "a queue whose messages are too small for a job is no queue of jobs" {
	start_dispatcher
	stop_server
	python3 - <<-'END'
		import ctypes
		attr = (ctypes.c_long * 8)(0, 4, 30)
		librt = ctypes.CDLL("librt.so.1", use_errno=True)
		assert librt.mq_open(b"/job_queue", 0o102, 0o600, attr) >= 0
	END
	for command in job_dispatcher 'submit_job --cmd=true' 'submit_job --list'; do
		# shellcheck disable=SC2086 # a command with its options
		run -1 ./$command
		assert_output "${command%% *}: queue '/job_queue' is no queue of jobs: its messages have no room for one: take another name with --queue"
	done
	rm /dev/mqueue/job_queue
	assert_nothing_left
}

@test "limits that are too low are named" {
	# Root may pass these limits.
	run -1 setpriv --bounding-set -sys_resource --inh-caps -sys_resource \
		./job_dispatcher --capacity=5000
	assert_one_line_error "$output" job_dispatcher
	assert_output --regexp "'/job_queue': queue limit [0-9]+ messages; raise: sysctl -w fs.mqueue.msg_max=5000\$"
	run -1 setpriv --bounding-set -sys_resource --inh-caps -sys_resource \
		./job_dispatcher --msg-size=1M
	assert_output --regexp 'message limit [0-9]+ bytes; raise: sysctl -w fs.mqueue.msgsize_max=1048576$'
	run -1 prlimit --msgqueue=10000 ./job_dispatcher
	assert_one_line_error "$output" job_dispatcher
	assert_output --partial 'limit 10000 bytes for all queues of a user; raise: ulimit -q 82880'
	# Descriptors are another limit, at whichever of them it is short.
	for n in 8 16 24 32; do
		run -1 prlimit --nofile=$n ./job_dispatcher --drain
		assert_output 'job_dispatcher: cannot have descriptors for one worker (ulimit -n): Too many open files'
	done
	run -0 prlimit --nofile=48 ./job_dispatcher --drain
	assert_nothing_left
}

@test "a journal of another version, or a damaged one, is not read" {
	start_dispatcher
	stop_server
	printf '\001' | dd of="$JOURNAL/head" bs=1 seek=8 conv=notrunc status=none
	run -1 ./job_dispatcher
	assert_one_line_error "$output" job_dispatcher
	assert_output --partial 'it is of another version than 3'
	run -1 ./submit_job --cmd=true
	assert_one_line_error "$output" submit_job
	assert_output --partial 'it is of another version than 3'
	printf x | dd of="$JOURNAL/head" bs=1 conv=notrunc status=none
	run -1 ./job_dispatcher
	assert_output --partial 'its head is damaged'
	chmod 755 "$JOURNAL"
	run -1 ./job_dispatcher
	assert_output --partial 'it must belong to you alone (mode 700)'
	rm -r "$JOURNAL"
	ln -s /tmp "$JOURNAL"
	run -1 ./job_dispatcher
	assert_one_line_error "$output" job_dispatcher
	assert_nothing_left
}

@test "a record of another version is not called damaged, nor run" {
	start_dispatcher --linger=1h
	./submit_job --cmd='echo one'
	stop_server server KILL
	printf '\002' | dd of="$JOURNAL/1.job" bs=1 seek=4 conv=notrunc status=none
	printf 'other' | dd of="$JOURNAL/1.job" bs=1 seek=90 conv=notrunc status=none
	run -0 ./submit_job --list
	assert_line "submit_job: record '1.job' is of another version"
	run -1 timeout 60 ./job_dispatcher --drain --linger=0
	assert_line --partial "it is of another version than 3, or jobs in it are"
	refute_output --partial damaged
	assert [ -e "$JOURNAL/1.job" ]
}

@test "a damaged record is set aside, the others run" {
	start_dispatcher --linger=1h
	./submit_job --cmd='echo one'
	./submit_job --cmd='echo two'
	stop_server server KILL
	truncate -s -1 "$JOURNAL/1.job"
	run -0 ./submit_job --list
	assert_line "submit_job: record '1.job' is damaged"
	run -1 timeout 60 ./job_dispatcher --drain --linger=0
	assert_line "job_dispatcher: job 1 is lost: its record is damaged, kept as '$JOURNAL/1.bad'"
	assert_line two
	refute_line one
	assert [ -e "$JOURNAL/1.bad" ]
	assert_nothing_left
}

@test "with a damaged head the jobs run once it is removed, as the message says" {
	start_dispatcher --linger=1h
	./submit_job --cmd='echo one'
	./submit_job --cmd='echo two'
	stop_server server KILL
	printf x | dd of="$JOURNAL/head" bs=1 seek=24 conv=notrunc status=none
	for command in 'job_dispatcher --drain' 'submit_job --cmd=true' \
		'submit_job --list'; do
		run -1 "./${command% *}" "${command#* }"
		assert_one_line_error "$output"
		assert_output --partial "remove '$JOURNAL/head'"
	done
	rm "$JOURNAL/head"
	run -0 timeout 60 ./job_dispatcher --drain --linger=0
	assert_line one
	assert_line two
	assert_nothing_left
}

@test "who waits for a job whose record gets damaged is told so" {
	start_dispatcher --linger=1h
	./submit_job --cmd='echo one'
	./submit_job --wait=1 >waiter.out 2>&1 3>&- &
	waiter=$!
	truncate -s -1 "$JOURNAL/1.job"
	stop_server server KILL
	run -1 timeout 60 ./job_dispatcher --drain --linger=0
	status=0
	wait "$waiter" || status=$?
	assert_equal "$status" 1
	assert_equal "$(cat waiter.out)" 'submit_job: job 1 is lost: its record is damaged'
	assert_nothing_left
}

# start_unread OPTION…: a dispatcher whose output goes where nobody reads yet, a
# pipe of one page. It is descriptor 7, for those who will.
start_unread() {
	mkfifo unread
	exec 7<>unread
	start_server sh -c 'exec ./job_dispatcher "$@" >unread 7>&-' sh "$@"
	wait_until 30 is_served
}

# has_written PROGRAM N: more bytes than a FIFO holds, say.
has_written() {
	local pid
	pid=$(pgrep -x "$1") && awk -v most="$2" '$1 == "wchar:" {
		is_there = $2 >= most } END { exit !is_there }' "/proc/$pid/io"
}

is_served() {
	[[ $(./submit_job --list 2>&1) == *', a dispatcher is running'* ]]
}

is_ended_job() {
	! ./submit_job --list | grep -q "^ *$1 "
}

@test "a reader that does not read holds back who writes, and nothing else" {
	start_unread --workers=2 --linger=0
	./submit_job --cmd='i=0; while [ $i -lt 30000 ]; do echo line $i
		i=$((i+1)); done; touch written'
	for _ in 1 2 3; do
		run -0 ./submit_job --cmd="exit 0" --wait --timeout=20s
	done
	assert [ ! -e written ]
	run -0 ./submit_job --list
	assert_line --partial running
	# What was held back is whole, and what was said was dropped, or is.
	cat <&7 >got 3>&- &
	reader=$!
	wait_until 30 is_ended_job 1
	stop_server
	assert_equal "$status" 0
	wait_for_line got '^line 29999$' 30
	kill "$reader"
	exec 7>&-
	grep '^line' got | cmp - <(seq -f 'line %.0f' 0 29999)
	run grep -vE '^(line [0-9]+|Dispatcher.*|\([0-9]+ lines dropped.*)$' got
	assert_output ''
	assert_nothing_left
}

@test "on one pipe neither stream tears the other's lines" {
	mkfifo both
	exec 7<>both
	start_server sh -c 'exec ./job_dispatcher --linger=0 >both 2>&1 7>&-'
	wait_until 30 is_served
	# Lines of which some have no room in the pipe at first.
	cat >writer.sh <<-'END'
		a=$(printf '%05000d' 1)
		for i in $(seq 300); do echo "$a"; done &
		for i in $(seq 300); do echo "$a" >&2; done
		wait
	END
	cat <&7 >got 3>&- &
	reader=$!
	run -0 timeout 60 ./submit_job --wait --cmd='sh writer.sh'
	stop_server
	assert_equal "$status" 0
	wait_until 30 has_lines got '^0*1$' 600
	kill "$reader"
	exec 7>&-
	run awk '!/^0*1$/ || length != 5000 { print substr($0, 1, 10) }' got
	run grep -v '^Dispatcher\|lines' <<<"$output"
	assert_output ''
	assert_nothing_left
}

@test "a reader that does not read does not keep it from a stop" {
	start_unread --linger=0 --grace=100ms
	./submit_job --cmd='yes'
	./submit_job --cmd='exit 0'
	wait_until 30 has_written yes 100000
	kill -TERM "$SERVER"
	wait_until 10 is_ended "$SERVER"
	stop_server
	assert_equal "$status" 1
	assert_equal "$(<"$SERVER_ERR")" \
		'job_dispatcher: nobody reads the output of jobs: the last of it is lost'
	exec 7>&-
	rm "$JOURNAL/1.job"
	drain
}

@test "out of descriptors it waits for some, and ends what runs" {
	mkfifo gate
	start_dispatcher --linger=0
	./submit_job --cmd='cat gate; exit 5'
	wait_until 30 lists running
	prlimit --pid "$SERVER" --nofile=10:
	./submit_job --cmd='echo second'
	echo opened >gate
	wait_for_line "$SERVER_ERR" 'job 1 ended with status 5' 20
	wait_for_line "$SERVER_ERR" 'cannot start jobs now, they wait: Too many' 20
	rm /dev/mqueue/job_queue
	run ! is_ended "$SERVER"
	prlimit --pid "$SERVER" --nofile=1024:
	wait_for_line "$SERVER_OUT" '^second$' 20
	wait_until 20 test -e /dev/mqueue/job_queue
	assert_equal "$(grep -c 'cannot start' "$SERVER_ERR")" 1
	stop_server
	assert_equal "$status" 0
	assert_nothing_left
}

# lists WORD: as the state, or in the command, of a job.
lists() {
	./submit_job --list | grep -q -- "  $1"
}

@test "closed standard streams do no harm" {
	for closed in '<&-' '>&-' '2>&-' '<&- >&- 2>&-'; do
		# What is closed cannot be written to, which may be an error.
		eval "timeout 60 ./job_dispatcher --drain --linger=0 $closed" || true
		assert_nothing_left
	done
}

@test "a full disk under standard output ends it, and loses nothing" {
	run -1 bash -c './job_dispatcher --drain >/dev/full'
	assert_one_line_error "$output" job_dispatcher
	start_dispatcher --linger=1h
	./submit_job --cmd='echo text'
	stop_server server KILL
	run -1 bash -c './job_dispatcher --drain --linger=0 >/dev/full'
	drain
	assert_line text
}

@test "bad options are refused in one line, with status 2" {
	for option in --workers=0 --workers=abc --workers=257 --wake=never \
		--linger=-1s --linger=x --aging=2h --max-attempts=0 \
		--capacity=0 --msg-size=1 --queue=name --queue=/a/b --queue=/ \
		--queue= --state= --nonsense operand \
		"--queue=/$(printf '%0300d' 0)" \
		"--state=$(printf '/%04085d' 0)"; do
		run -2 ./job_dispatcher "$option"
		assert_one_line_error "$output" job_dispatcher
		assert_nothing_left
	done
}

@test "--help shows an example and --version the version" {
	for command in ./job_dispatcher ./submit_job; do
		run -0 $command --help
		assert_output --partial 'Example:'
		run -0 $command --version
		assert_output --regexp '^[a-z_]+ \(unixipc\) [0-9.]+$'
	done
}
