#!/usr/bin/env bats
# kv_server as a user runs it: what it refuses, how it ends, and what others can
# make of it. The transcript and clients are in client.bats.
# needs: rpcgen

# shellcheck disable=SC2154 # run sets stderr, status and output

load ../support/common

setup() {
	setup_chapter p18
}

teardown() {
	end_servers
	# What was killed has left it.
	rm -rf /dev/shm/{,sem.}ipc.kv_server."$UID".* "/dev/shm/unixipc.$UID"
}

quick=(--log=events --election-timeout=300ms --heartbeat=50ms)

# start_one ID [OPTION…]: one of three, and it is there.
start_one() {
	local peers=(1 2 3) list
	unset "peers[$1 - 1]"
	list=$(printf ',localhost:900%d' "${peers[@]}")
	start_server --name "$1" --ready ' event=serving ' ./kv_server \
		--id="$1" --port="900$1" --peers="${list#,}" "${quick[@]}" \
		"${@:2}"
}

start_three() {
	local i
	for i in 1 2 3; do
		start_one "$i"
	done
	client put ready yes
}

client() {
	timeout -s KILL 60 ./kv_client \
		--servers=localhost:9001,localhost:9002,localhost:9003 \
		--timeout=30s "$@"
}

# refused STATUS REGEX OPTION…: one line says so.
refused() {
	run --separate-stderr timeout 20 ./kv_server "${@:3}"
	assert_equal "$status: $stderr" "$1: $stderr"
	assert_equal "$output" ''
	assert_one_line_error "$stderr" kv_server
	assert_regex "$stderr" "$2"
}

@test "a command line that cannot be is refused" {
	refused 2 'id=N' --port=9001
	refused 2 'port=N' --id=1
	refused 2 'peers=localhost: accepted is HOST:PORT' --id=1 --port=9001 --peers=localhost
	refused 2 'have the id 1' --id=1 --port=9001 --peers=1=localhost:9002
	refused 2 'both at localhost:9001' --id=1 --port=9001 \
		--peers=localhost:9001
	refused 2 'ids of all, or of none' --id=1 --port=9001 \
		--peers=2=localhost:9002,localhost:9003
	refused 2 'say their ids' --id=7 --port=9001 --peers=localhost:9002
	refused 2 'less than half' --id=1 --port=9001 --heartbeat=1s
	refused 2 'advertise' --id=1 --port=9001 --listen=0.0.0.0
	refused 2 'address like' --id=1 --port=9001 --listen=localhost
	refused 2 'endpoints' --port=9001 --engine=etcd
	# Servers' ports are 10000 above.
	refused 2 'port: port 55536 is over 55535' --id=1 --port=55536
	refused 2 'peers: port 55536 is over 55535' --id=1 --port=9001 \
		--peers=localhost:55536
	refused 2 'advertise: port 55536 is over 55535' --id=1 --port=9001 \
		--advertise=localhost:55536
	assert [ ! -e kv-data-1 ]
}

@test "a port that is in use is told, and the folder left alone" {
	start_one 1
	refused 1 'port 9001.*another server' --id=1 --port=9001 --data=other
	# The clients' port of one is that for the peers of the other.
	start_server --name 2 --ready ' event=serving ' ./kv_server --id=2 \
		--port=19002 "${quick[@]}"
	refused 1 'port 19002 \(of its peers\).*another server' --id=1 \
		--port=9002 --data=other
	assert [ ! -e other ]
}

@test "the highest port there is for servers, and none above for who joins" {
	start_server --ready ' event=leader ' ./kv_server --id=1 --port=55535 \
		"${quick[@]}"
	local address
	for address in localhost:55536 localhost:0 :9002; do
		run --separate-stderr ./kv_client --server=localhost:55535 \
			member add 2 "$address"
		assert_equal "$status" 8
		assert_regex "$stderr" 'port up to 55535'
	done
	assert_equal "$(./kv_client --server=localhost:55535 --json status |
		jq '.servers[0].members | length')" 1
}

@test "a folder that another server uses is told with its pid" {
	start_one 1
	refused 1 "in use by another server \(pid $SERVER\)" --id=1 --port=9011
}

@test "a folder of another server, or for other members, is refused" {
	start_three
	stop_server 1
	refused 2 "server 1's, and this is server 2" --id=2 --port=9001 \
		--data=kv-data-1
	refused 2 'made for the servers 1=localhost:9001,2=localhost:9002,3=' \
		--id=1 --port=9001 --peers=localhost:9002
}

@test "a folder that is damaged is refused, with file and place" {
	start_server --ready ' event=leader ' ./kv_server --id=1 --port=9001 \
		"${quick[@]}"
	./kv_client --server=localhost:9001 put key value
	./kv_client --server=localhost:9001 put key value
	stop_server
	cp -a kv-data-1 good
	# In the first record, and there are more behind it.
	printf XX | dd of=kv-data-1/wal-0000000001 bs=1 seek=4100 conv=notrunc \
		status=none
	refused 1 'wal-0000000001: at byte' --id=1 --port=9001
	rm -r kv-data-1 && cp -a good kv-data-1
	: >kv-data-1/identity
	refused 1 "'kv-data-1' is damaged: identity" --id=1 --port=9001
	rm -r kv-data-1 && cp -a good kv-data-1
	rm kv-data-1/vote
	refused 1 'vote' --id=1 --port=9001
}

@test "a folder of another version is refused, and left as it is" {
	start_server --ready ' event=leader ' ./kv_server --id=1 --port=9001 \
		"${quick[@]}"
	stop_server
	printf '\2' | dd of=kv-data-1/identity bs=1 seek=8 conv=notrunc status=none
	cp -a kv-data-1 same
	refused 1 "'kv-data-1' was made by another version" --id=1 --port=9001
	assert_equal "$(ls /dev/shm)" ''
	rm kv-data-1/lock same/lock
	diff -r kv-data-1 same
}

@test "a snapshot that is damaged is refused, with file and place" {
	local i file
	start_server --ready ' event=leader ' ./kv_server --id=1 --port=9001 \
		--snapshot-entries=10 "${quick[@]}"
	for i in {1..12}; do
		./kv_client --server=localhost:9001 put "key$i" value
	done
	wait_until 20 has_snapshot
	stop_server
	file=$(echo kv-data-1/snapshot-*)
	printf XX | dd of="$file" bs=1 seek=100 conv=notrunc status=none
	refused 1 "${file#*/}: at byte" --id=1 --port=9001
}

has_snapshot() {
	compgen -G 'kv-data-1/snapshot-*' | grep -v tmp
}

# bats test_tags=touched
@test "a folder of another cluster of the same members is a stranger's, and gets nothing" {
	start_three
	local i
	for i in 1 2 3; do
		stop_server "$i"
		mv "kv-data-$i" "other-$i"
	done
	start_three
	client put secret yes
	stop_server 3
	start_one 3 --data=other-3
	wait_until 20 grep -q ' event=stranger ' "$BATS_TEST_TMPDIR/3.err"
	assert_equal "$(client put secret yes)" \
		'OK (replicated to 2 of 3 nodes, quorum)'
	run --separate-stderr ./kv_client --server=localhost:9003 \
		--consistency=stale get secret
	assert_equal "$status" 1
	assert_regex "$stderr" 'no such key'
	# And a client that has met the others asks it nothing.
	run --separate-stderr ./kv_client \
		--servers=localhost:9001,localhost:9003 --timeout=1s hash
	assert_equal "$status" 4
	assert_regex "$stderr" "is of another cluster than localhost:9001"
}

@test "two servers of one id do not become a cluster" {
	start_one 1
	refused 1 'says it is server 1, and should be server 2' --id=1 \
		--port=9004 --peers=localhost:9001,localhost:9003 --data=other
}

@test "who was wiped does not come back under its old id" {
	start_three
	stop_server 1 KILL
	rm -r kv-data-1
	refused 1 'made without it.*remove server 1.*--join' --id=1 --port=9001 \
		--peers=localhost:9002,localhost:9003
	refused 1 'is a member of that cluster.*remove it first' --id=1 \
		--port=9001 --peers=localhost:9002,localhost:9003 --join \
		--data=kv-data-new
	run client member remove 1
	assert_success
	start_one 1 --join --data=kv-data-again
	run client member add 1 localhost:9001
	assert_success
	wait_until 20 is_level
}

is_level() {
	[[ $(client hash | cut -d' ' -f1 | sort | uniq -c) == *' 3 '* ]]
}

@test "what was acknowledged is there after kill -9 of all" {
	start_three
	client put key value
	local i
	for i in 1 2 3; do
		stop_server "$i" KILL
	done
	for i in 1 2 3; do
		start_one "$i"
	done
	run client get key
	assert_output value
}

@test "SIGTERM, SIGINT and SIGHUP end it with 0, and nothing is left" {
	start_three
	local signals=(HUP INT TERM) i
	for i in 1 2 3; do
		stop_server "$i" "${signals[i - 1]}"
		assert_equal "$status" 0
	done
	assert_equal "$(ls /dev/shm)" ''
}

@test "a log that nobody reads does not stop it" {
	full_log
	start_server --name quiet bash -c "exec ./kv_server --id=1 --port=9001 \
		--log=commits 2>log"
	for _ in {1..50}; do
		timeout 30 ./kv_client --server=localhost:9001 --timeout=20s \
			put key value
	done
	stop_server quiet
	assert_equal "$status" 0
	exec 7>&-
}

@test "an ordinary client of rpcgen is served" {
	start_server --ready ' event=leader ' ./kv_server --id=1 --port=9001 \
		"${quick[@]}"
	cp "$CHAPTER/kv.x" .
	rpcgen -N -h kv.x >kv.h
	rpcgen -N -c kv.x >kv_xdr.c
	rpcgen -N -l kv.x >kv_clnt.c
	cat >main.c <<-'C'
		#include <arpa/inet.h>
		#include <stdio.h>
		#include "kv.h"

		int main(void)
		{
			struct sockaddr_in to = {.sin_family = AF_INET,
				.sin_port = htons(9001),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
			int fd = RPC_ANYSOCK;
			CLIENT *client = clnttcp_create(&to, KV_PROG, KV_VERS,
							&fd, 0, 0);
			kv_write_args put = {.change = {.operation = KV_PUT,
				.key = {3, "key"}, .value = {5, "value"}},
				.timeout_ms = 5000};
			kv_get_args get = {.freshness.timeout_ms = 5000,
				.key = {3, "key"}};
			kv_write_result *done = write_1(put, client);
			kv_get_result *found;

			if (!done || done->status != KV_DONE)
				return 1;
			found = get_1(get, client);
			if (!found || found->status != KV_DONE)
				return 2;
			printf("%.*s\n", found->value.kv_value_len,
			       found->value.kv_value_val);
			return 0;
		}
	C
	gcc -w -I/usr/include/tirpc -o stock main.c kv_xdr.c kv_clnt.c -ltirpc
	run ./stock
	assert_output value
}

# ---- limits, and what nobody reads -------------------------------------------

one_server() {
	start_server --ready ' event=leader ' "$@" ./kv_server --id=1 \
		--port=9001 --segment-size=256K "${quick[@]}"
}

put() {
	timeout -s KILL 30 ./kv_client --server=localhost:9001 \
		--timeout=20s put "$@"
}

@test "files that others may write to are not believed" {
	one_server
	put key value
	stop_server
	local file
	for file in identity lock vote wal-0000000001; do
		chmod 666 "kv-data-1/$file"
		refused 1 "kv-data-1': $file: .*others may write to it" --id=1 \
			--port=9001
		chmod 600 "kv-data-1/$file"
	done
	one_server
	assert_equal "$(./kv_client --server=localhost:9001 get key)" value
}

limit() {
	prlimit --pid "$SERVER" "$@"
}

@test "without descriptors who is there is served, and all goes on when there are some" {
	one_server
	# Asks for more files of the log than there are so far.
	./kv_client --server=localhost:9001 --timeout=20s bench put \
		--for=500ms --value-size=4K >out 3>&- &
	local bench=$!
	wait_until 20 test -e kv-data-1/wal-0000000002
	limit --nofile=8:
	wait_for_line "$SERVER_ERR" ' event=no_room error="Too many open files"' 20
	refute is_ended "$SERVER"
	limit --nofile=1000:
	wait $bench
	assert_regex "$(<out)" 'not done 0, unknown 0'
}

@test "a crowd at both ports leaves descriptors for the server itself" {
	local fd
	# shellcheck disable=SC2016 # the inner shell's
	one_server bash -c 'ulimit -n 100; exec "$@"' bash
	for _ in {1..90}; do
		exec {fd}<>/dev/tcp/127.0.0.1/9001 {fd}<>/dev/tcp/127.0.0.1/19001
	done
	# All that came is there, or was sent away for one that came later.
	wait_until 20 has_no_newcomers
	fd=("/proc/$SERVER/fd"/*)
	assert [ ${#fd[@]} -le 60 ]
	assert_equal "$(put key value)" 'OK (replicated to 1 node)'
}

# The first column of /proc/net/tcp behind the addresses is the state, 0A a
# listener's, of which the next has how many wait to be accepted.
has_no_newcomers() {
	awk '$4 == "0A" && $5 !~ /:00000000$/ { exit 1 }' /proc/net/tcp
}

# A file that may not grow is as a disk without room: when it may, all goes on.
@test "a limit of file sizes is waited for, and is said where nothing else helps" {
	# shellcheck disable=SC2016 # the inner shell's
	run --separate-stderr timeout 20 bash -c 'ulimit -f 100; exec "$@"' bash \
		./kv_server --id=1 --port=9001
	assert_equal "$status" 1
	assert_one_line_error "$stderr" kv_server
	assert_regex "$stderr" 'File too large'
	# The log's first file is made before, and those behind it are larger.
	one_server
	stop_server
	# shellcheck disable=SC2016 # the inner shell's
	start_server --ready ' event=leader ' bash -c \
		'ulimit -S -f 500; exec "$@"' bash ./kv_server --id=1 \
		--port=9001 --segment-size=1M "${quick[@]}"
	put key value
	./kv_client --server=localhost:9001 --timeout=20s bench put \
		--for=10ms --value-size=1K >out 3>&- &
	local bench=$!
	wait_for_line "$SERVER_ERR" ' event=no_room error="File too large"' 20
	assert_equal "$(./kv_client --server=localhost:9001 \
		--consistency=stale get key)" value
	limit --fsize=unlimited
	wait $bench
	assert_regex "$(<out)" 'not done 0, unknown 0'
	limit --fsize=1000
	timeout -s KILL 30 ./kv_client --server=localhost:9001 --timeout=1s \
		put key other || true
	wait_until 20 is_ended "$SERVER"
	assert_equal "$(tail -n 1 "$SERVER_ERR")" \
		'kv_server: cannot write to the log: File too large'
}

# Threads of root are not counted.
@test "a start that finds no room for its threads leaves nothing" {
	need_second_user
	local n as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	chmod 777 .
	start_server --ready ' event=leader ' "${as_nobody[@]}" ./kv_server \
		--id=1 --port=9001 --segment-size=256K "${quick[@]}"
	stop_server
	for n in {3..12}; do
		start_server --ready 'cannot|event=serving' prlimit --nproc="$n" \
			"${as_nobody[@]}" ./kv_server --id=1 --port=9001 "${quick[@]}"
		stop_server
		[[ $(<"$SERVER_ERR") == *event=serving* ]] || assert_equal "$status" 1
		assert_equal "$(find /dev/shm -name '*ipc.kv_server.*')" ''
	done
	assert_equal "$status" 0
}

# So full that a line does not fit.
full_log() {
	mkfifo log
	exec 7<>log
	dd if=/dev/zero of=log bs=4096 count=16 status=none
}

@test "a server that must end does so though nobody reads its log" {
	full_log
	start_one 1
	# At the start, and later by a thread.
	: >file
	local arguments
	for arguments in '--data=file' '--peers=localhost:9001 --data=other'; do
		run timeout -s KILL 20 bash -c \
			"exec ./kv_server --id=1 --port=9004 $arguments 2>log"
		assert_equal "$status" 1
	done
}

@test "SIGTERM ends one that waits for servers which are silent" {
	local before
	start_server --name silent --ready ' event=serving ' ./kv_server --id=9 \
		--port=9009 --listen=0.0.0.0 --advertise=localhost:9009 "${quick[@]}"
	kill -STOP "$SERVER"
	start_server --ready ' event=serving ' ./kv_server --id=1 --port=9001 \
		--peers="$(printf '127.0.0.%d:9009,' {2..8})127.0.0.9:9009" \
		"${quick[@]}"
	before=${EPOCHREALTIME/./}
	stop_server
	assert_equal "$status" 0
	assert [ $((${EPOCHREALTIME/./} - before)) -lt 4000000 ]
}
