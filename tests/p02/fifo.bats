#!/usr/bin/env bats
# calc_server and calc_client as a user runs them.
# needs: strace

load ../support/common

setup() {
	setup_chapter p02
}

# Orderly, so that a test that forgets leaves nothing to the next one.
teardown() {
	stop_servers
}

@test "the guide's transcript" {
	start_server --ready listening ./calc_server
	assert_equal "$(<"$SERVER_OUT")" "Server listening on /tmp/calc_server..."
	run ./calc_client "5 + 3"
	assert_success
	assert_output "Result: 8"
	run ./calc_client "10 * 4"
	assert_output "Result: 40"
	assert [ -p /tmp/calc_server ]
	run bash -c 'ls -la /tmp/calc_client*'
	assert_output --partial 'No such file or directory'
	run cat "$SERVER_OUT"
	assert_line --regexp '^Received: 5 \+ 3 from client [0-9]+$'
	assert_line --regexp '^Sending response: 8 to /tmp/calc_client_[0-9]+$'
	assert_line --regexp '^Received: 10 \* 4 from client [0-9]+$'
	assert_line --regexp '^Sending response: 40 to /tmp/calc_client_[0-9]+$'
	stop_server
	assert_equal "$status" 0
	assert [ ! -e /tmp/calc_server ]
	assert_nothing_left
}

@test "the reply FIFO is there while a client works, with mode 600" {
	start_server --ready listening ./calc_server -q
	mkfifo lines
	./calc_client <lines >out 3>&- &
	client=$!
	exec 7>lines
	echo 1+1 >&7
	wait_for_line out 'Result: 2' 30
	assert_equal "$(stat -c %A /tmp/calc_client_$client)" prw-------
	exec 7>&-
	wait $client
	assert [ ! -e /tmp/calc_client_$client ]
}

@test "errors of an expression go to standard error and exit with 1" {
	start_server --ready listening ./calc_server -q
	run ./calc_client "1 / 0"
	assert_failure 1
	assert_output "Error: division by zero"
	run ./calc_client "9223372036854775807 + 1"
	assert_failure 1
	assert_output "Error: beyond 64 bits (column 21)"
	run ./calc_client ""
	assert_failure 1
	assert_output "Error: not an expression (column 1)"
	run ./calc_client "-5 + 3"
	assert_output "Result: -2"
	run ./calc_client -q "-(5 + 3) * -1"
	assert_output 8
	run ./calc_client "--5"
	assert_output "Result: 5"
	run ./calc_client -- "-(5 + 3)"
	assert_output "Result: -8"
}

@test "expressions come line by line from standard input" {
	start_server --ready listening ./calc_server -q
	run bash -c "printf '1+1\n\n2*3\n7/0\n2 3\n9-1' | ./calc_client -q 2>err"
	assert_failure 1
	assert_output $'2\n6\n8'
	assert_equal "$(<err)" "Error: division by zero
Error: not an expression (column 3)"
	run bash -c "printf '1\0+1\n' | ./calc_client"
	assert_failure 1
	assert_output "Error: not an expression (column 2)"
}

@test "output that nobody takes any more ends the client" {
	start_server --ready listening ./calc_server -q
	run bash -c 'yes 1+1 | timeout 20 ./calc_client -q 2>err | head -n 1
		exit ${PIPESTATUS[1]}'
	assert_failure 1
	assert_output 2
	assert_one_line_error "$(<err)" calc_client
	run find /tmp -maxdepth 1 -name 'calc_client*'
	assert_output ''
}

@test "fifty commands at once, two hundred questions each" {
	start_server --ready listening ./calc_server -q
	for i in {1..50}; do
		for j in {1..200}; do
			echo "$i * 1000 + $j"
		done | ./calc_client -q --timeout 60 >"out.$i" 3>&- &
		pids+=($!)
	done
	for i in {1..50}; do
		wait "${pids[i - 1]}"
		seq $((i * 1000 + 1)) $((i * 1000 + 200)) | cmp - "out.$i"
	done
}

@test "a client that was started first gets its answer" {
	./calc_client --timeout 60s 6*7 >out 3>&- &
	client=$!
	wait_until 30 test -p /tmp/calc_client_$client
	start_server --ready listening ./calc_server -q
	wait $client
	assert_equal "$(<out)" "Result: 42"
}

@test "without a server the client says so" {
	run ./calc_client --timeout 100ms 1+1
	assert_failure 1
	assert_output "calc_client: no server on /tmp/calc_server"
	assert_nothing_left
	run find /tmp -maxdepth 1 -name 'calc*'
	assert_output ''
}

@test "the server killed halfway: a clear error, and the next one goes on" {
	start_server --ready listening ./calc_server -q
	mkfifo lines
	./calc_client --timeout 60s <lines >out 2>err 3>&- &
	client=$!
	exec 7>lines
	echo 1+1 >&7
	wait_for_line out 'Result: 2' 30
	stop_server server KILL
	assert [ -p /tmp/calc_server ]
	echo 2+2 >&7
	start_server --ready listening ./calc_server -q 7>&-
	wait_for_line out 'Result: 4' 30
	exec 7>&-
	wait $client
	stop_server
	run find /tmp -maxdepth 1 -name 'calc*'
	assert_output ''
}

@test "a server that is stopped has no answer in time, and later nobody to answer" {
	start_server --ready listening ./calc_server -q
	kill -STOP "$SERVER"
	run -1 ./calc_client --timeout=100ms 1+1
	assert_output 'calc_client: no answer from /tmp/calc_server in time (--timeout)'
	kill -CONT "$SERVER"
	wait_for_line "$SERVER_ERR" '^calc_server: no answer for client [0-9]*, dropped: /tmp/calc_client_[0-9]*: No such file or directory$' 20
}

@test "a client whose server ends before it answers says so" {
	mkfifo -m 600 /tmp/calc_server
	exec 7<>/tmp/calc_server
	./calc_client --timeout=60s 1+1 2>err 3>&- 7>&- &
	client=$!
	timeout 30 head -c 1 <&7 >byte # it has asked
	exec 7>&-
	status=0
	wait $client || status=$?
	assert_equal "$status" 1
	assert_equal "$(<err)" 'calc_client: the server on /tmp/calc_server ended before it answered'
	rm /tmp/calc_server
	assert_nothing_left
}

@test "SIGINT, SIGTERM and SIGHUP remove the FIFOs" {
	for signal in INT TERM HUP; do
		./calc_client --timeout 60s 1+1 2>err 3>&- &
		client=$!
		wait_until 30 test -p /tmp/calc_client_$client
		# Of a background job SIGINT is ignored: that is its wish.
		kill -${signal/INT/TERM} $client
		wait $client && fail "the client ended as if it had a result"
		assert [ ! -e /tmp/calc_client_$client ]
		start_server --ready listening env --default-signal=INT \
			./calc_server
		stop_server server $signal
		assert_equal "$status" 0
		assert [ ! -e /tmp/calc_server ]
	done
}

@test "a stop right before the client reads a line is not slept over" {
	mkfifo lines
	exec 7<>lines # nobody writes, and nobody closes
	# Whichever call on it is the last before it would block.
	run timeout -k 1 60 strace -qq -o /dev/null -P "$PWD/lines" \
		-e trace=newfstatat,ppoll \
		-e inject=newfstatat,ppoll:signal=TERM:when=1 \
		./calc_client <lines
	exec 7>&-
	rm lines
	assert_failure 143
}

@test "a second server is refused, and a stale FIFO is taken over" {
	start_server --ready listening ./calc_server
	run ./calc_server
	assert_failure 1
	assert_output "calc_server: cannot listen on /tmp/calc_server: another server does"
	stop_server server KILL
	start_server --ready listening ./calc_server
	stop_server
}

@test "a FIFO that is removed under the server is made anew" {
	start_server --ready listening ./calc_server -q
	rm /tmp/calc_server
	wait_for_line "$SERVER_ERR" 'made anew' 3
	run -0 ./calc_client -q 1+1
	assert_output 2
	stop_server
	assert_equal "$status" 0
	assert_nothing_left
}

@test "a server in whose place another FIFO lies says so, and ends" {
	start_server --ready listening ./calc_server -q
	mkfifo other
	mv other /tmp/calc_server
	wait_until 20 is_ended "$SERVER"
	stop_server
	assert_equal "$status" 1
	assert_equal "$(<"$SERVER_ERR")" 'calc_server: /tmp/calc_server was removed by somebody else, and another is there by now'
	assert [ -p /tmp/calc_server ]
	rm /tmp/calc_server
	assert_nothing_left
}

@test "a FIFO of another program is served if nobody reads it, and stays" {
	mkfifo /tmp/calc_server /tmp/calc_client_7
	start_server --ready listening ./calc_server -q
	run -0 ./calc_client -q 1+1
	stop_server
	assert_equal "$status" 0
	assert [ -p /tmp/calc_server ]
	assert [ -p /tmp/calc_client_7 ]
	exec 7<>/tmp/calc_server
	run -1 ./calc_server
	exec 7>&-
	assert_output --partial 'another server does'
	rm /tmp/calc_server /tmp/calc_client_7
	assert_nothing_left
}

# Whether the ledger knows which FIFO that client has made: device and inode.
is_noted() {
	readlink /dev/shm/unixipc.*/fifo.* |
		grep -q " file:[1-9][0-9]*:[1-9].* /tmp/calc_client_$1\$"
}

# The entry as it was before: claimed, and of no object yet.
unnote() {
	local entry text
	for entry in /dev/shm/unixipc.*/fifo.*; do
		text=$(readlink "$entry")
		[[ $text == *" /tmp/calc_client_$1" ]] || continue
		ln -sfn "$(sed -E 's/ file:[0-9]+:[0-9]+:([0-9]+):[0-9.]+:[0-9]+:/ file:0:0:\1:0.000000000:0:/' <<<"$text")" \
			"$entry"
	done
}

@test "what killed clients left is removed by the next server, and nothing else" {
	local pids=() pid i
	for i in 1 2 3; do
		./calc_client --timeout=60s 1+1 3>&- &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do
		wait_until 20 is_noted "$pid"
		kill -KILL "$pid"
		wait "$pid" || true
	done
	# Another has the name of the first, and of one that died before it had
	# noted what it made.
	rm "/tmp/calc_client_${pids[0]}"
	mkfifo "/tmp/calc_client_${pids[0]}"
	./calc_client --timeout=60s 1+1 3>&- &
	pid=$!
	wait_until 20 is_noted "$pid"
	kill -KILL "$pid"
	wait "$pid" || true
	unnote "$pid"
	start_server --ready listening ./calc_server -q
	assert [ -p "/tmp/calc_client_${pids[0]}" ]
	assert [ -p "/tmp/calc_client_$pid" ]
	rm "/tmp/calc_client_$pid"
	assert [ ! -e "/tmp/calc_client_${pids[1]}" ]
	assert [ ! -e "/tmp/calc_client_${pids[2]}" ]
	rm "/tmp/calc_client_${pids[0]}"
	stop_server
	rm -r "/dev/shm/unixipc.$(id -u)"
	assert_nothing_left
}

@test "clients of two PID namespaces with one pid do not meet" {
	start_server --ready listening ./calc_server -q
	mkfifo lines
	unshare --user --map-current-user --pid --fork --mount-proc \
		./calc_client -q <lines >out 3>&- &
	client=$!
	exec 7>lines
	echo 1+1 >&7
	wait_for_line out '^2$' 30
	run -0 unshare --user --map-current-user --pid --fork --mount-proc \
		./calc_client -q 2+2
	assert_output 4
	echo 3+3 >&7
	exec 7>&-
	wait $client
	assert_equal "$(<out)" $'2\n6'
	stop_server
	assert_nothing_left
}

@test "a server of another user may answer, and no third one can write to the client" {
	need_second_user
	chmod 755 "$BATS_TEST_TMPDIR" "$SCRATCH"
	start_server --ready listening setpriv --reuid=65534 --clear-groups \
		./calc_server -q --mode=622
	mkfifo lines
	./calc_client -q --server-user=nobody --mode=622 <lines >out 3>&- &
	client=$!
	exec 7>lines
	echo 1+1 >&7
	wait_for_line out '^2$' 30
	may_write() {
		setpriv --reuid="$1" --clear-groups test -w "/tmp/calc_client_$client"
	}
	may_write 65534
	run ! may_write 65533
	exec 7>&-
	wait $client
	# Of a FIFO in the way it says what it is, and in no other words.
	run -1 ./calc_client --mode=622 1+1
	assert_output 'calc_client: /tmp/calc_server is no FIFO of the expected user (--server-user)'
}

@test "what is no FIFO of ours is refused and left alone" {
	echo precious >/tmp/calc_server
	run -1 ./calc_server
	assert_output 'calc_server: cannot listen on /tmp/calc_server: it exists and is no FIFO of this user; remove it or use --fifo=PATH'
	run -1 ./calc_client 1+1
	assert_output 'calc_client: /tmp/calc_server is no FIFO of the expected user (--server-user)'
	assert_equal "$(</tmp/calc_server)" precious
	rm /tmp/calc_server
	ln -s "$PWD/elsewhere" /tmp/calc_server
	run ./calc_server
	assert_failure 1
	assert [ ! -e elsewhere ]
	rm /tmp/calc_server
}

@test "a link to a FIFO is not followed" {
	mkfifo -m 600 elsewhere
	ln -s "$PWD/elsewhere" /tmp/calc_server
	run timeout 30 ./calc_server
	assert_failure 1
	assert_one_line_error "$output" calc_server
	rm /tmp/calc_server
}

@test "the mode of the FIFO is 600 unless it is widened" {
	umask 0
	start_server --ready listening ./calc_server
	assert_equal "$(stat -c %a /tmp/calc_server)" 600
	stop_server
	umask 077
	start_server --ready listening ./calc_server --mode=622 --fifo=/tmp/wide
	assert_equal "$(stat -c %a /tmp/wide)" 622
	stop_server
}

@test "a longer expression than one atomic write is refused with the limit" {
	run ./calc_client "$(printf '%05000d' 1)"
	assert_failure 2
	assert_one_line_error "$output" calc_client
	assert_output --partial 'accepted is up to 4048'
	head -c 1000000 /dev/zero | tr '\0' 1 >long
	run bash -c './calc_client <long'
	assert_failure 2
	assert_one_line_error "$output" calc_client
	run find /tmp -maxdepth 1 -name 'calc*'
	assert_output ''
}

@test "garbage in the FIFO is skipped and said" {
	start_server --ready listening ./calc_server
	head -c 3000 /dev/urandom >/tmp/calc_server
	printf 'UFRM\1\0\0\0\377\377\377\177' >/tmp/calc_server
	run ./calc_client 1+1
	assert_output "Result: 2"
	grep -q 'bytes that were no request' "$SERVER_ERR"
	stop_server
	assert_equal "$status" 0
}

@test "text from clients cannot steer the server's terminal" {
	start_server --ready listening ./calc_server
	run ./calc_client $'1\e[2J\n2'
	assert_failure 1
	grep -q 'Received: 1?\[2J?2 from' "$SERVER_OUT"
	# Letters can not.
	run -1 ./calc_client '2 × π'
	grep -q '^Received: 2 × π from' "$SERVER_OUT"
}

@test "a log that nobody reads stops no client, and does not keep it from a stop" {
	mkfifo unread
	exec 7<>unread
	start_server sh -c 'exec ./calc_server >unread 2>&1 7>&-'
	# Some 200 bytes of log each, and a pipe holds 65,536.
	seq -f '%.0f + 1' 1000 | ./calc_client -q --timeout=20s >out 7>&-
	seq 2 1001 | cmp - out
	# Who reads again learns how much is missing.
	run dd <&7 of=log iflag=nonblock status=none
	run -0 ./calc_client -q 1+1 7>&-
	run dd <&7 of=log iflag=nonblock status=none
	grep '^calc_server: [0-9]* lines dropped: nobody read them$' log
	seq -f '%.0f + 1' 1000 | ./calc_client -q --timeout=20s >out 7>&-
	stop_server
	assert_equal "$status" 0
	exec 7>&-
	assert_nothing_left
}

@test "an unwilling command line is one line and exit 2" {
	for arguments in --no-such-option --timeout=soon --timeout=-1s \
		--mode=8 --mode=400 --fifo= --server-user=nobody-of-that-name; do
		run ./calc_client "$arguments" 1+1
		assert_failure 2
		assert_one_line_error "$output" calc_client
	done
	run ./calc_client 1 2
	assert_failure 2
	assert_one_line_error "$output" calc_client
	for arguments in --no-such-option operand --mode=x --fifo=; do
		run ./calc_server "$arguments"
		assert_failure 2
		assert_one_line_error "$output" calc_server
	done
	run ./calc_server --fifo=/nonexistent/fifo
	assert_failure 1
	assert_one_line_error "$output" calc_server
	run ./calc_client --fifo=/nonexistent/fifo 1
	assert_failure 1
	assert_one_line_error "$output" calc_client
}

@test "closed standard streams and a full disk" {
	start_server --ready listening ./calc_server -q
	run bash -c './calc_client 1+1 <&- 2>&-'
	assert_output "Result: 2"
	run bash -c './calc_client 1+1 >/dev/full'
	assert_failure 1
	assert_one_line_error "$output" calc_client
	run find /tmp -maxdepth 1 -name 'calc_client*'
	assert_output ''
	stop_server
	run bash -c './calc_server >/dev/full'
	assert_failure 1
	assert_one_line_error "$output" calc_server
	run find /tmp -maxdepth 1 -name 'calc*'
	assert_output ''
}
