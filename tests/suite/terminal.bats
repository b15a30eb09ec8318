#!/usr/bin/env bats
# timeout: 600
# The commands of all chapters as people run them: Ctrl-C at each step of the
# start, Ctrl-Z and fg, a terminal that is closed, output that nobody reads or
# that cannot be written, a limit of the size of files. A case for each command,
# a line or two in a table; terminal.c is what does it to them.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154 # status, and SERVER_PID of common.bash

load ../support/common

# At every STRIDEth system call of the first LAST comes a Ctrl-C.
STRIDE=$((${STRESS:-0} ? 1 : 43)) LAST=300

setup_file() {
	"${CC:-cc}" -O1 -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/terminal" \
		"$BATS_TEST_DIRNAME/terminal.c" -lutil
}

setup() {
	mkdir "$BATS_TEST_TMPDIR/work"
	cd "$BATS_TEST_TMPDIR/work" || return
	export XDG_STATE_HOME=$BATS_TEST_TMPDIR/state
	SERVICE=0 SHORT=0 READS=0 STDOUT=1 FG='' UNREAD=''
}

# Orderly: they take what they have made with them.
teardown() {
	stop_servers
}

# Sets LEFT to what there is: processes of that name, IPC objects, and files here
# and in /tmp. Without a fork: it is asked often.
look_around() {
	local file name stat key id
	LEFT=''
	shopt -s nullglob
	for file in /proc/[0-9]*/comm; do
		{ read -r name <"$file" && read -r stat <"${file%comm}stat"; } \
			2>/dev/null || continue
		[[ $name != "$1" || $stat == *') Z '* ]] || LEFT+="process $stat"$'\n'
	done
	for file in /proc/sysvipc/*; do
		while read -r key id _; do
			LEFT+="$file $key $id"$'\n'
		done <"$file"
	done
	for file in /dev/shm/* /dev/shm/unixipc.*/* /dev/mqueue/* /tmp/* ./*; do
		[[ $file == */screen ]] || LEFT+="$file"$'\n'
	done
	shopt -u nullglob
}

is_as_before() {
	look_around "$COMMAND"
	[[ $LEFT == "$BEFORE" ]]
}

# begin COMMAND: what there is now is to be there in the end.
begin() {
	COMMAND=${1##*/}
	COMMAND=${COMMAND:0:15}
	look_around "$COMMAND"
	BEFORE=$LEFT
}

# on_terminal WANTED WHAT… -- COMMAND…: how it ends must match WANTED, and
# nothing be there then that was not before.
on_terminal() {
	local wanted=$1 got
	shift
	got=$("$BATS_FILE_TMPDIR/terminal" "$@")
	[[ ${got% at *} =~ ^($wanted)$ ]] || {
		echo "wanted: $wanted"
		echo "got:    $got"
		echo "of:     $*"
		tail -c 500 screen
		return 1
	} >&2
	STEP=${got#* at }
	is_as_before || wait_until 5 is_as_before || {
		echo "of: $*"
		diff <(echo "$BEFORE") <(echo "$LEFT")
		return 1
	} >&2
}

# Ctrl-C at its first system call, and so on until it waits, or has ended.
interrupt_start() {
	local step=1
	while
		on_terminal "$ENDED|signal 2" at=$step key=C -- "$@" || return
		((STEP == step && step < LAST))
	do
		step=$((step + STRIDE))
	done
}

# all_of READY COMMAND…: what it prints when it is at work; '' if that is nothing.
# SERVICE=1 is what is meant to be ended, SHORT=1 has ended before anybody can do
# something to it, STDOUT=0 prints nothing to its standard output, and READS=1
# reads from the terminal: it may find its input closed before it has SIGHUP. FG is
# a status besides that with which it may end when it is suspended and goes on.
all_of() {
	local ready=("${1:+ready=$1}") by_int='signal 2' by_term='signal 15' \
		by_hup='signal 1'
	shift
	if ((SERVICE)); then
		by_int='exit 0' by_term='exit 0' by_hup='exit 0'
	fi
	((!READS)) || by_hup+='|exit [01]'
	begin "$1"
	ENDED="exit [01]|$by_int"
	interrupt_start "$@"
	if ((SHORT)); then
		on_terminal 'exit 0' "${ready[@]}" -- "$@"
		by_int='exit 0' by_term+='|exit 1'
	else
		on_terminal "$by_int" "${ready[@]}" key=C -- "$@"
		on_terminal "$by_int${FG:+|$FG}" "${ready[@]}" key=Z -- "$@"
		on_terminal "$by_hup" "${ready[@]}" hangup -- "$@"
		on_terminal "$by_hup" leader "${ready[@]}" hangup -- "$@"
	fi
	on_terminal "$by_term${UNREAD:+|$UNREAD}" silent term -- "$@"
	((!STDOUT)) ||
		on_terminal 'exit 1|signal 13|exit 141' gone -- "$@"
	on_terminal "$by_int|exit 1" small "${ready[@]}" key=C -- "$@"
}

@test "mypipe" {
	STDOUT=0 all_of '' "$ROOT/p01-pipeline/mypipe" 'sleep 30' cat
}

@test "calc_server and calc_client of p02" {
	SERVICE=1 all_of listening "$ROOT/p02-fifo/calc_server"
	start_server --ready listening "$ROOT/p02-fifo/calc_server" -q
	READS=1 STDOUT=0 all_of '' "$ROOT/p02-fifo/calc_client"
}

@test "test_mypopen" {
	SHORT=1 all_of PASS "$ROOT/p03-popen/test_mypopen"
}

@test "job_dispatcher and submit_job" {
	local dir=$ROOT/p04-posix-mq
	# So long as its output is no log (lib/cmd/out): it ends, and says why.
	UNREAD='exit 1' SERVICE=1 all_of running "$dir/job_dispatcher"
	start_server --ready running "$dir/job_dispatcher"
	STDOUT=0 all_of '' "$dir/submit_job" --cmd='sleep 30' --wait
	# The jobs, and the queue with them, are kept for the next start.
	stop_server
	rm /dev/mqueue/job_queue
	"$ROOT/ipc_suite" clean
}

@test "sysv_server and sysv_client" {
	SERVICE=1 all_of Waiting "$ROOT/p05-sysv-mq/sysv_server"
	start_server --ready Waiting "$ROOT/p05-sysv-mq/sysv_server"
	READS=1 STDOUT=0 all_of '' "$ROOT/p05-sysv-mq/sysv_client"
}

@test "ipc_benchmark" {
	STDOUT=0 all_of '' "$ROOT/p06-bench/ipc_benchmark" --trials=99 \
		--iterations=10M --mechanism=sysv-mq,fifo,posix-mq
}

@test "producer_consumer" {
	all_of Consumed "$ROOT/p07-prodcons/producer_consumer" -d 5ms -i 100000
	all_of Consumed "$ROOT/p07-prodcons/producer_consumer" --processes \
		-d 5ms -i 100000
}

@test "test_myrwlock" {
	all_of Reader "$ROOT/p08-rwlock/test_myrwlock"
}

@test "kvstore" {
	"$ROOT/p09-reclock/kvstore" -f db set a 1
	all_of 'Process 2' "$ROOT/p09-reclock/kvstore" -f db lock-test a --hold=30s
}

@test "pool_manager and worker" {
	SERVICE=1 all_of started "$ROOT/p10-sempool/pool_manager"
	start_server --ready started "$ROOT/p10-sempool/pool_manager"
	all_of Acquired "$ROOT/p10-sempool/worker" 1 --hold=30s
	STDOUT=0 all_of Acquired "$ROOT/p10-sempool/worker" 1 -- sleep 30
}

@test "barrier_test" {
	all_of 'barrier 2' "$ROOT/p11-barrier/barrier_test" -j 100ms -i 100000
}

@test "shm_cat" {
	STDOUT=0 all_of '' "$ROOT/p12-shm-ring/shm_cat" --name=/ring read
	READS=1 STDOUT=0 all_of '' "$ROOT/p12-shm-ring/shm_cat" \
		--name=/ring write
}

@test "shm_image_filter" {
	printf 'P6 4000 4000 255\n' >picture
	truncate -s +48M picture # work of seconds, however fast the machine
	all_of Processing "$ROOT/p13-shm-image/shm_image_filter" --no-compare \
		--sigma=50 -fblur{,,,,,,,,,} picture filtered
}

@test "mmapdb" {
	"$ROOT/p14-mmapdb/mmapdb" create db
	"$ROOT/p14-mmapdb/mmapdb" list db # makes the file of its locks
	READS=1 STDOUT=0 all_of '' "$ROOT/p14-mmapdb/mmapdb" import db -
}

@test "lockfree_bench" {
	all_of Operations "$ROOT/p15-spsc/lockfree_bench" -i 10G
}

@test "shm_ringbuffer_bench" {
	STDOUT=0 all_of '' "$ROOT/p12-shm-ring/shm_ringbuffer_bench"
}

@test "calc_server and calc_client of p16" {
	local dir=$ROOT/p16-rpc-calc
	SERVICE=1 all_of Listening "$dir/calc_server" --no-rpcbind -t unix \
		-s "$BATS_TEST_TMPDIR/socket"
	start_server --ready Listening "$dir/calc_server" --no-rpcbind -p 4711
	READS=1 STDOUT=0 all_of '' "$dir/calc_client" -p 4711 localhost batch
}

@test "keygen, calc_server_auth and calc_client_auth" {
	local dir=$ROOT/p17-rpc-auth
	"$dir/keygen"
	SHORT=1 all_of '' "$dir/keygen" -f
	SERVICE=1 all_of Listening "$dir/calc_server_auth" --no-rpcbind -t unix \
		-s "$BATS_TEST_TMPDIR/socket"
	start_server --ready Listening "$dir/calc_server_auth" --no-rpcbind -p 4713
	FG='exit 3' all_of 16 "$dir/calc_client_auth" -p 4713 -r 1M \
		localhost add 7 9
}

@test "kv_server and kv_client" {
	SERVICE=1 STDOUT=0 all_of serving "$ROOT/p18-rpc-kv/kv_server" --id=1 \
		--port=4712 --data="$BATS_TEST_TMPDIR/data" --log=events
	start_server --ready serving "$ROOT/p18-rpc-kv/kv_server" --id=1 \
		--port=4712 --data="$BATS_TEST_TMPDIR/data" --log=events
	# A call that waits is over then: rpc_client.h.
	FG='exit 4' STDOUT=0 all_of '' "$ROOT/p18-rpc-kv/kv_client" -s localhost:4712 bench put --for=30s
}

@test "ipc_suite" {
	STDOUT=0 all_of '' "$ROOT/ipc_suite" benchmark --mechanism=sysv-mq,fifo \
		--sizes=64 --time=60s
}

# serves_unread NAME CLIENT… -- SERVER…: nobody reads what the server prints, and
# it answers all the same, and ends when it is told to.
serves_unread() {
	local client=()
	while [[ $1 != -- ]]; do
		client+=("$1")
		shift
	done
	shift
	[[ -p unread ]] || mkfifo unread
	exec {unread}<>unread
	head -c 65536 /dev/zero >unread # all that a pipe has room for
	"$@" >unread 2>&1 {unread}<&- 3>&- &
	SERVER_PID[server]=$!
	wait_until 20 timeout 5 "${client[@]}"
	timeout 5 "${client[@]}"
	stop_server
	assert_equal "$status" 0
	exec {unread}<&-
}

@test "a log that nobody reads holds no service up" {
	serves_unread "$ROOT/p05-sysv-mq/sysv_client" -q hello -- \
		"$ROOT/p05-sysv-mq/sysv_server"
	serves_unread "$ROOT/p10-sempool/worker" 1 --hold=0 -- \
		"$ROOT/p10-sempool/pool_manager"
	serves_unread "$ROOT/p16-rpc-calc/calc_client" -p 4711 localhost add 1 2 -- \
		"$ROOT/p16-rpc-calc/calc_server" -v --no-rpcbind -p 4711
	serves_unread "$ROOT/p17-rpc-auth/calc_client_auth" -p 4712 localhost add 1 2 -- \
		"$ROOT/p17-rpc-auth/calc_server_auth" -v --no-rpcbind -p 4712
}

@test "one Ctrl-C ends a loop of the shell" {
	cat >loop <<-END
		for i in 1 2 3; do
			"$ROOT/p01-pipeline/mypipe" "sleep 3" cat
			"$ROOT/p10-sempool/worker" 1 --hold=5s
		done
	END
	begin mypipe
	on_terminal 'signal 2' key=C -- bash loop
	start_server --ready started "$ROOT/p10-sempool/pool_manager"
	begin worker
	sed -i 's/.*mypipe.*//' loop
	on_terminal 'signal 2' ready=Acquired key=C -- bash loop
}
