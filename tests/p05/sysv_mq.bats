#!/usr/bin/env bats
# sysv_server and sysv_client as a user runs them.
# sandbox: --root

load ../support/common

setup() {
	setup_chapter p05
}

# Orderly, so that a test that forgets leaves nothing to the next one.
teardown() {
	stop_servers
}

start() {
	start_server --ready Waiting ./sysv_server "$@"
}

queue_id() {
	ipcs -q | awk '$1 == "0x12345678" { print $2 }'
}

# What `ipcs -q` says of the queue: permissions, bytes, messages.
queue_state() {
	ipcs -q | awk '$1 == "0x12345678" { print $4, $5, $6 }'
}

# Stop the server, all of its threads: kill alone returns before that.
freeze() {
	kill -STOP "$SERVER"
	wait_until 30 is_frozen
}

is_frozen() {
	! grep -h '^State:' "/proc/$SERVER"/task/*/status | grep -qv 'T (stopped)'
}

has_messages() {
	[[ $(queue_state) == *" $1" ]]
}

@test "the guide's transcript" {
	start --mode=644
	assert_equal "$(<"$SERVER_OUT")" "Server starting, key=0x12345678, msqid=$(queue_id)
Waiting for requests (msgtyp=1)..."
	./sysv_client "HELLO" >out 3>&- &
	client=$!
	wait $client
	assert_equal "$(<out)" "Sending to server (msgtyp=1)
Waiting for response (msgtyp=$client)
Response: HELLO_PROCESSED"
	run ./sysv_client --quiet "WORLD"
	assert_success
	assert_output "Response: WORLD_PROCESSED"
	assert_equal "$(queue_state)" "644 0 0"
	stop_server
	assert_equal "$status" 0
	assert_nothing_left
}

@test "the mode is 600 unless it is widened" {
	umask 0
	start
	assert_equal "$(queue_state)" "600 0 0"
	assert_equal "$(ipcs -s | awk '$1 == "0x12345678" { print $4 }')" 600
	stop_server
	umask 077
	start --mode=666
	assert_equal "$(queue_state)" "666 0 0"
}

@test "fifty commands at once, two hundred messages each, one and four workers" {
	for workers in 1 4; do
		start --workers=$workers
		pids=()
		for i in {1..50}; do
			seq $((i * 1000)) $((i * 1000 + 199)) |
				./sysv_client -q --timeout 60 >"out.$i" 3>&- &
			pids+=($!)
		done
		for i in {1..50}; do
			wait "${pids[i - 1]}"
			seq -f 'Response: %.0f_PROCESSED' $((i * 1000)) \
				$((i * 1000 + 199)) | cmp - "out.$i"
		done
		assert_equal "$(queue_state)" "600 0 0"
		stop_server
	done
}

@test "keys and files choose the queue" {
	touch one
	start --key=0xabcdef01
	grep -q 'key=0xabcdef01' "$SERVER_OUT"
	start_server --name file --ready Waiting ./sysv_server --path=one
	run ./sysv_client -q --key=0xabcdef01 A
	assert_output "Response: A_PROCESSED"
	run ./sysv_client -q --key=2882400001 B
	assert_output "Response: B_PROCESSED"
	run ./sysv_client -q --path=./one C
	assert_output "Response: C_PROCESSED"
	run ./sysv_client -q D
	assert_failure 1
	assert_output "sysv_client: no server for key 0x12345678"
}

# ftok(3) keeps 16 bits of the inode number: make files until two are alike.
make_alike() {
	mkdir many
	printf 'many/%d\n' {1..70000} | xargs touch
	find many -type f -printf '%i %f\n' | awk '{ n = $1 % 65536
		if (n in seen) { print seen[n] " " $2; exit }
		seen[n] = $2 }' >pair
	read -r ONE TWO <pair
}

@test "two files with one key are told apart" {
	make_alike || skip 'no two inode numbers are alike here'
	start --path="many/$ONE"
	run ./sysv_client -q --path="many/$ONE" HELLO
	assert_output "Response: HELLO_PROCESSED"
	run ./sysv_client -q --path="many/$TWO" HELLO
	assert_failure 1
	assert_one_line_error "$output" sysv_client
	assert_output --partial 'is in use for another file'
	run ./sysv_server --path="many/$TWO"
	assert_failure 1
	assert_one_line_error "$output" sysv_server
}

@test "a second server is refused" {
	start
	run ./sysv_server
	assert_failure 1
	assert_output "sysv_server: cannot serve key 0x12345678: another server does"
	run ./sysv_client -q HELLO
	assert_output "Response: HELLO_PROCESSED"
}

@test "a killed server's queue is taken over, and what was in it is said" {
	start
	freeze
	./sysv_client --timeout=60 STALE 2>err 3>&- &
	client=$!
	wait_until 30 has_messages 1
	stop_server server KILL
	wait $client && fail "the client of a killed server had an answer"
	assert_equal "$(<err)" "sysv_client: the server of key 0x12345678 ended before it answered (--retry asks the next one)"
	assert_equal "$(queue_state | cut -d ' ' -f 3)" 1
	run ./sysv_client HELLO
	assert_failure 1
	assert_output "sysv_client: no server for key 0x12345678"
	start
	grep -qE '^sysv_server: took over from a dead server \(msqid=[0-9]+\): purged 1 requests, 0 replies, 0 others$' "$SERVER_ERR"
	run ./sysv_client -q HELLO
	assert_output "Response: HELLO_PROCESSED"
	stop_server
	assert_nothing_left
}

@test "with --retry a client asks the next server" {
	start
	freeze
	./sysv_client -q --retry --timeout=60 HELLO >out 3>&- &
	client=$!
	wait_until 30 has_messages 1
	stop_server server KILL
	start
	wait $client
	assert_equal "$(<out)" "Response: HELLO_PROCESSED"
	stop_server
	./sysv_client -q --retry --timeout=60 LATER >out 3>&- &
	client=$!
	start
	wait $client
	assert_equal "$(<out)" "Response: LATER_PROCESSED"
}

@test "with --retry a client has had enough at its --timeout" {
	run timeout 20 ./sysv_client -q --retry --timeout=50ms HELLO
	assert_failure 1
	assert_output 'sysv_client: no server for key 0x12345678'
}

@test "with --retry a client whose queue is removed asks the next server" {
	start
	freeze
	./sysv_client -q --retry --timeout=60 HELLO >out 3>&- &
	client=$!
	wait_until 30 has_messages 1
	ipcrm -q "$(queue_id)"
	stop_server server KILL
	start
	wait $client
	assert_equal "$(<out)" "Response: HELLO_PROCESSED"
}

@test "a server that does not answer is a timeout, exit 3" {
	start
	freeze
	run ./sysv_client --timeout=50ms HELLO
	assert_failure 3
	assert_line "sysv_client: no response for key 0x12345678 in time (--timeout)"
	kill -CONT "$SERVER"
	run ./sysv_client -q WORLD
	assert_output "Response: WORLD_PROCESSED"
	wait_until 30 has_messages 0
	run -0 cat "$SERVER_ERR"
	assert_output --regexp '^sysv_server: dropped a request of client [0-9]+: it has given up$'
}

@test "a queue removed under server and client is an error of both" {
	start
	freeze
	./sysv_client -q --timeout=60 HELLO 2>err 3>&- &
	client=$!
	wait_until 30 has_messages 1
	ipcrm -q "$(queue_id)"
	wait $client && fail "the client had an answer"
	assert_equal "$(<err)" "sysv_client: the queue of key 0x12345678 was removed before the server answered (--retry asks the next one)"
	kill -CONT "$SERVER"
	wait_until 30 is_ended "$SERVER"
	wait "$SERVER" && fail "the server ended as if told to"
	unset 'SERVER_PID[server]'
	assert_equal "$(<"$SERVER_ERR")" "sysv_server: the queue of key 0x12345678, or its semaphores, were removed by somebody else"
	assert_nothing_left
}

@test "a server that died after its queue is taken over as one without" {
	start
	freeze
	ipcrm -q "$(queue_id)"
	stop_server server KILL
	start
	assert_equal "$(<"$SERVER_ERR")" 'sysv_server: took over from a server that died without a queue'
	run -0 ./sysv_client -q HELLO
	stop_server
	assert_nothing_left
}

set_id() {
	ipcs -s | awk '$1 == "0x12345678" { print $2 }'
}

@test "a server whose semaphores are removed says so and ends" {
	start
	ipcrm -s "$(set_id)"
	wait_until 5 is_ended "$SERVER"
	wait "$SERVER" && fail "the server ended as if told to"
	unset 'SERVER_PID[server]'
	assert_equal "$(<"$SERVER_ERR")" "sysv_server: the queue of key 0x12345678, or its semaphores, were removed by somebody else"
	assert_nothing_left
}

@test "a server that is killed without its semaphores blocks no later one" {
	start
	id=$(queue_id)
	freeze
	ipcrm -s "$(set_id)"
	stop_server server KILL
	assert_equal "$(queue_id)" "$id"
	start
	assert_equal "$(<"$SERVER_ERR")" "sysv_server: took over from a dead server (msqid=$id) that had lost its semaphores"
	run -0 ./sysv_client -q HELLO
	stop_server
	assert_nothing_left
}

@test "clients of two PID namespaces with one thread id get their own answers" {
	start --timeout=20ms
	freeze
	local i pids=()
	for i in --mount-proc=/proc --mount-proc=/proc --mount; do
		unshare --pid --fork "$i" ./sysv_client -q --timeout=60s \
			"${#pids[@]}" >"out.${#pids[@]}" 3>&- &
		pids+=($!)
	done
	wait_until 30 has_messages 3
	kill -CONT "$SERVER"
	for i in 0 1 2; do
		wait "${pids[i]}"
		assert_equal "$(<"out.$i")" "Response: ${i}_PROCESSED"
	done
	stop_server
	assert_nothing_left
}

@test "killed clients leave nothing in the queue" {
	start --timeout=20ms
	freeze
	for i in {1..5}; do
		./sysv_client -q "HELLO $i" 2>/dev/null 3>&- &
		clients+=($!)
	done
	wait_until 30 has_messages 5
	kill -KILL "${clients[@]}"
	wait "${clients[@]}" || true
	kill -CONT "$SERVER"
	wait_until 30 has_messages 0
	run ./sysv_client -q HELLO
	assert_output "Response: HELLO_PROCESSED"
	stop_server
	assert_equal "$(awk '/^sysv_server: collected [0-9]+ messages for clients that are dead$/ { n += $3 }
		END { print n }' "$SERVER_ERR")" 5
}

@test "SIGINT, SIGTERM and SIGHUP remove the queue, --keep leaves it" {
	for signal in INT TERM HUP; do
		start
		stop_server server $signal
		assert_equal "$status" 0
		assert_nothing_left
	done
	start --keep
	id=$(queue_id)
	stop_server
	assert_equal "$status" 0
	assert_equal "$(queue_id)" "$id"
	run ./sysv_client HELLO
	assert_failure 1
	assert_output "sysv_client: no server for key 0x12345678"
	start
	grep -q "took over from a dead server (msqid=$id)" "$SERVER_ERR"
	stop_server
	assert_nothing_left
}

@test "another program's queue or semaphores are left alone" {
	ipcmk -Q >/dev/null
	key=$(ipcs -q | awk '/^0x/ { print $1 }')
	run ./sysv_server --key="$key"
	assert_failure 1
	assert_one_line_error "$output" sysv_server
	assert_output --partial "another program's"
	ipcrm -Q "$key"
	ipcmk -S 3 >/dev/null
	key=$(ipcs -s | awk '/^0x/ { print $1 }')
	run ./sysv_server --key="$key"
	assert_failure 1
	assert_one_line_error "$output" sysv_server
	run ./sysv_client --key="$key" HELLO
	assert_failure 1
	assert_one_line_error "$output" sysv_client
	ipcrm -S "$key"
	assert_nothing_left
}

@test "another user's queue is explained" {
	need_second_user
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" . || true
	start
	cp -L sysv_client sysv_server /tmp
	for program in 'sysv_client HELLO' sysv_server; do
		run setpriv --reuid=65534 --regid=65534 --clear-groups \
			bash -c "exec /tmp/$program"
		assert_failure 1
		assert_one_line_error "$output"
		assert_output --partial "another user's, and its mode does not let you"
	done
	rm /tmp/sysv_client /tmp/sysv_server
}

as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
}

@test "what another user's dead server left is not touched" {
	need_second_user
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" . || true
	start --mode=666
	freeze
	./sysv_client -q HELLO 3>&- &
	client=$!
	wait_until 30 has_messages 1
	kill -KILL "$client"
	stop_server server KILL
	cp -L sysv_server /tmp
	run -1 as_nobody /tmp/sysv_server
	assert_one_line_error "$output"
	assert_output --partial 'a dead server of another user has left its queue there'
	has_messages 1
	start # not as if somebody lived
	grep -q 'purged 1 requests, 0 replies' "$SERVER_ERR"
	rm /tmp/sysv_server
}

@test "a server of another user is asked only if he is named" {
	need_second_user
	chmod 755 "$BATS_RUN_TMPDIR" "$BATS_TEST_TMPDIR" . || true
	cp -L sysv_server sysv_client /tmp
	start_server --ready Waiting setpriv --reuid=65534 --regid=65534 \
		--clear-groups /tmp/sysv_server --mode=666
	run -1 ./sysv_client -q HELLO
	assert_output "sysv_client: the server of key 0x12345678 belongs to another user: --server-user=USER asks it"
	run -0 ./sysv_client -q --server-user=nobody HELLO
	assert_output 'Response: HELLO_PROCESSED'
	stop_server
	start --mode=666 # root's may be asked by all
	run -0 as_nobody /tmp/sysv_client -q HELLO
	rm /tmp/sysv_server /tmp/sysv_client
}

@test "limits that are too low are named" {
	need_writable /proc/sys/kernel/msgmni
	echo 0 >/proc/sys/kernel/msgmni
	run ./sysv_server
	echo 32000 >/proc/sys/kernel/msgmni
	assert_failure 1
	assert_one_line_error "$output" sysv_server
	assert_output --partial kernel.msgmni
	echo 300 >/proc/sys/kernel/msgmnb
	run ./sysv_server
	echo 16384 >/proc/sys/kernel/msgmnb
	assert_failure 1
	assert_one_line_error "$output" sysv_server
	assert_output --partial kernel.msgmnb
	echo 100 >/proc/sys/kernel/msgmax
	run ./sysv_server
	echo 8192 >/proc/sys/kernel/msgmax
	assert_failure 1
	assert_output --partial kernel.msgmax
	assert_nothing_left
}

@test "a message over the limit is refused with the limit" {
	start
	run ./sysv_client "$(printf '%09000d' 1)"
	assert_failure 2
	assert_line --partial 'accepted is up to 8072, by kernel.msgmax and half of kernel.msgmnb'
	run ./sysv_client -q "$(printf '%08072d' 1)"
	assert_success
	run ./sysv_client -q ""
	assert_output "Response: _PROCESSED"
}

# What no client of ours sends; of a namespace that it cannot tell, so that its
# reply comes by the nonce (letter_type() in letter.c).
# shellcheck disable=SC2016 # they are of perl
@test "an answer that has no room is an error, and not written" {
	start
	run -0 perl -e '
		my ($id, $nonce, $reply) = (shift, 7);
		my $head = "l! L l l L L L Q Q Q q";
		msgsnd($id, pack("$head a*", 1, 0x32515653, 0, $$, 1, 0, 0, 0,
			$nonce, 1, 0x7fffffffffffffff, "8 bytes."), 0) or die $!;
		msgrcv($id, $reply, 1000, $nonce | 1 << 60, 0) or die $!;
		print join " ", (unpack("$head a*", $reply))[2, 11];' \
		"$(queue_id)"
	assert_output "-90 " # EMSGSIZE
}

@test "key 0 is refused with the reason" {
	for key in 0 0x0 0X0 00 0x00000000; do
		for program in 'sysv_client HELLO' sysv_server; do
			run bash -c "./$program --key=$key"
			assert_failure 2
			assert_one_line_error "$output"
			assert_output --partial IPC_PRIVATE
		done
	done
}

@test "an unwilling command line is one line and exit 2" {
	for arguments in --no-such-option --timeout=soon --timeout=-1s \
		--key= --key=0x --key=rubbish --key=0x123456789 --key=-1 --path=; do
		run ./sysv_client "$arguments" HELLO
		assert_failure 2
		assert_one_line_error "$output" sysv_client
	done
	for arguments in --no-such-option operand --mode=x --mode=400 \
		--workers=0 --workers=65 --workers=x --timeout=0 --key=x; do
		run ./sysv_server "$arguments"
		assert_failure 2
		assert_one_line_error "$output" sysv_server
	done
	run ./sysv_client --server-user=no-such-user HELLO
	assert_failure 2
	assert_output 'sysv_client: --server-user=no-such-user: accepted is the name of a user'
	run ./sysv_client 1 2
	assert_failure 2
	assert_one_line_error "$output" sysv_client
	run ./sysv_server --key=1 --path=.
	assert_failure 2
	assert_one_line_error "$output" sysv_server
	run ./sysv_client --path=/nonexistent/file HELLO
	assert_failure 1
	assert_one_line_error "$output" sysv_client
}

@test "letters of all scripts come back" {
	start
	for text in 'grüße' 'Ωμέγα' '日本語' '😀'; do
		for locale in C C.UTF-8; do
			run -0 env LC_ALL=$locale ./sysv_client -q "$text"
			assert_output "Response: ${text}_PROCESSED"
		done
	done
}

@test "text from elsewhere cannot steer a terminal" {
	start
	run ./sysv_client -q $'A\e[2J\nB'
	assert_output 'Response: A?[2J?B_PROCESSED'
}

@test "closed standard streams and a full disk" {
	start
	run bash -c './sysv_client -q <.'
	assert_failure 1
	assert_output 'sysv_client: cannot read messages from standard input: Is a directory'
	run bash -c './sysv_client -q HELLO <&- 2>&-'
	assert_output "Response: HELLO_PROCESSED"
	run bash -c './sysv_client HELLO >/dev/full'
	assert_failure 1
	assert_one_line_error "$output" sysv_client
	stop_server
	run bash -c './sysv_client HELLO >&- 2>&-'
	assert_failure 1
	run timeout 30 bash -c './sysv_server >/dev/full'
	assert_failure 1
	assert_one_line_error "$output" sysv_server
	assert_nothing_left
}
