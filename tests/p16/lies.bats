#!/usr/bin/env bats
# calc_client and those that answer something else than a calculator would, or
# nothing at all. This sandbox has no rpcbind.
# sandbox: --root
# needs: socat

# shellcheck disable=SC2154,SC2030,SC2031 # run sets stderr and output

load ../support/common

setup() {
	setup_chapter p16
}

teardown() {
	stop_servers
}

# answers HEX: a server that answers each call by these bytes behind its xid, in
# a record, at $PORT. After the mark and the xid it reads nothing.
answers() {
	local hex=${1// /}
	PORT=7000
	cat >answer <<-END
		#!/bin/bash
		xid=\$(head -c 8 | od -An -tx1 -v | tr -d ' \n')
		mark=\$(printf '%08x' \$((0x80000000 + 4 + ${#hex} / 2)))
		printf "\$(sed 's/../\\\\x&/g' <<<"\$mark\${xid:8}$hex")"
		exec cat >/dev/null
	END
	chmod +x answer
	start_server --name liar --ready 'listening on' socat -d -d \
		"TCP-LISTEN:$PORT,bind=127.0.0.1,reuseaddr,fork" EXEC:./answer
}

# told STATUS REGEX HEX: by accumulate, with the one line that says so.
told() {
	answers "$3"
	run --separate-stderr timeout 60 ./calc_client --port="$PORT" \
		--retries=0 --timeout=20s 127.0.0.1 accumulate 1
	assert_equal "$status: $stderr" "$1: $stderr"
	assert_one_line_error "$stderr" calc_client
	assert_regex "$stderr" "$2"
	assert_equal "$output" ''
	if [[ $1 == 3 ]]; then
		assert_regex "$stderr" 'whether it was done is unknown$'
	else
		refute_regex "$stderr" unknown
	fi
	stop_server liar
}

ACCEPTED='00000001 00000000 00000000 00000000'
DENIED='00000001 00000001'

@test "a reply to accumulate that cannot be decoded is exit 3, outcome unknown" {
	told 3 "Can't decode the reply" "$ACCEPTED 00000000"
	told 3 "Can't decode the reply" "$ACCEPTED 00000000 00000000 0000"
	# A call, and half of a header.
	told 3 "Can't decode the reply" '00000000 00000002'
	told 3 "Can't decode the reply" '00000001 00000000 00000000'
	told 3 'failed in itself' "$ACCEPTED 00000005"
}

@test "a status that nobody knows is told with its number" {
	told 3 'unknown accept_stat = 77' "$ACCEPTED 0000004d"
	told 3 'unknown reply_stat = 77' '00000001 0000004d'
	answers "$DENIED 0000004d"
	run ./calc_client --port="$PORT" 127.0.0.1 accumulate 1
	assert_failure 8
	assert_output --partial 'unknown reject_stat = 77'
	refute_output --partial 'whether it was done'
}

@test "another version of RPC, of the program, and a refusal are told apart" {
	told 6 'another version of RPC; low version = 3, high version = 4' \
		"$DENIED 00000000 00000003 00000004"
	told 6 'low version = 3, high version = 9' \
		"$ACCEPTED 00000002 00000003 00000009"
	told 7 'why = Client credential too weak' "$DENIED 00000001 00000005"
}

# in_time REGEX COMMAND…: it fails with that within its --timeout=1s, and what a
# busy machine takes.
in_time() {
	local regex=$1 begun=${EPOCHREALTIME/[.,]/}
	shift
	run timeout 60 "$@"
	assert_failure
	assert_regex "$output" "$regex"
	((${EPOCHREALTIME/[.,]/} - begun < 5000000)) ||
		fail "took $((${EPOCHREALTIME/[.,]/} - begun)) us: $*"
}

@test "--timeout=1s is kept where rpcbind accepts and says nothing" {
	start_server --name silent --ready 'listening on' socat -d -d \
		TCP-LISTEN:111,reuseaddr,fork,bind=127.0.0.1 \
		EXEC:'sleep 60'
	for transport in tcp udp; do
		in_time 'rpcbind.*timed out' ./calc_client --timeout=1s \
			--transport=$transport 127.0.0.1 add 1 2
	done
}

@test "--timeout=1s is kept where rpcbind takes datagrams and says nothing" {
	start_server --name silent --ready 'starting data transfer' socat \
		-d -d -u 'UDP6-RECV:111,bind=[::1]' OPEN:/dev/null
	in_time 'rpcbind.*timed out' ./calc_client --timeout=1s \
		--transport=udp ::1 add 1 2
}

@test "--timeout=1s is kept where the name server says nothing" {
	echo nameserver 127.0.0.1 >resolv.conf
	mount --bind resolv.conf /etc/resolv.conf
	start_server --name silent --ready 'starting data transfer' socat \
		-d -d -u UDP-RECV:53,bind=127.0.0.1 OPEN:/dev/null
	in_time 'Unknown host' ./calc_client --timeout=1s host.example add 1 2
	in_time 'Unknown host' ./calc_client --timeout=1s --port=1 \
		host.example add 1 2
	umount /etc/resolv.conf
}
