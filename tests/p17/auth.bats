#!/usr/bin/env bats
# calc_server_auth, calc_client_auth and keygen as a user runs them.
# sandbox: --rpcbind
# needs: socat

# shellcheck disable=SC2154 # run sets stderr

load ../support/common

setup() {
	setup_chapter p17
}

# Orderly, so that rpcbind forgets what was registered.
teardown() {
	stop_servers
}

start_auth() {
	start_server --ready '^(Registered|Listening)' ./calc_server_auth "$@"
}

make_keys() {
	./keygen --host=calc >/dev/null
	./keygen >/dev/null
}

is_registered() {
	rpcinfo -p localhost | grep -q 824377345
}

# refused REASON COMMAND…: by the server, with its reason and exit status 7.
refused() {
	local reason=$1
	shift
	run "$@"
	assert_failure 7
	assert_output "AUTH failed: RPC: Authentication error; why = $reason"
}

@test "the guide's transcript" {
	start_auth --auth=sys
	assert_equal "$(<"$SERVER_OUT")" 'Registered with rpcbind (AUTH_SYS)'
	run ./calc_client_auth localhost add 7 9
	assert_success
	assert_line --index 0 "Using AUTH_SYS (uid=$(id -u), gid=$(id -g))"
	assert_line --index 1 'Result: 16'
	run ./calc_client_auth localhost add 7 9 --uid=9999
	assert_failure 7
	assert_output --partial 'AUTH failed: RPC: Authentication error'
	assert is_registered
	stop_server
	assert_equal "$status" 0
	refute is_registered
	assert_nothing_left
}

@test "over TCP and UDP whatever uid is claimed is believed" {
	start_auth --allow='* uid=4711'
	refused 'Server rejected credential' ./calc_client_auth localhost add 1 2
	for transport in tcp udp; do
		run ./calc_client_auth --uid=4711 --transport=$transport \
			localhost whoami
		assert_success
		assert_line "Caller: AUTH_SYS uid=4711 gid=$(id -g) (said)"
	done
}

@test "over a Unix socket the kernel is asked, and a spoofed uid refused" {
	start_auth --allow='* anybody' --transport=unix --socket=here --no-rpcbind
	run ./calc_client_auth --transport=unix ./here whoami
	assert_success
	assert_line "Caller: AUTH_SYS uid=$(id -u) gid=$(id -g) (proved)"
	refused 'Invalid client credential' \
		./calc_client_auth --transport=unix ./here whoami --uid=4711
	refused 'Invalid client credential' \
		./calc_client_auth --transport=unix ./here whoami --gid=4711
	stop_server
	assert [ ! -e here ]
}

@test "AUTH_DES: keys are made, names proved, over all transports" {
	run ./keygen --host=calc
	assert_output 'Key of unix.calc@localdomain: public in publickey, secret in secret.calc'
	run ./keygen
	assert_output "Key of unix.$(id -u)@localdomain: public in publickey, secret in secret.$(id -u)"
	assert_equal "$(stat -c %a secret.calc)" 600
	start_auth --auth=des --transport=tcp,udp,unix --socket=here
	assert_equal "$(<"$SERVER_OUT")" 'Registered with rpcbind (AUTH_DES)'
	for transport in tcp udp unix; do
		host=localhost
		[[ $transport != unix ]] || host=./here
		run ./calc_client_auth "$host" --transport="$transport" \
			--auth=des whoami --repeat=3
		assert_success
		assert_line --index 0 \
			"Using AUTH_DES (netname=unix.$(id -u)@localdomain)"
		assert_equal "${#lines[@]}" 4
		assert_line --index 3 \
			"Caller: AUTH_DH unix.$(id -u)@localdomain (proved)"
	done
}

@test "too weak, rejected and bad have answers of their own" {
	make_keys
	./keygen --uid=4711 >/dev/null
	start_auth --auth=des --allow="* uid=$(id -u)"
	for weak in none sys; do
		refused 'Client credential too weak' \
			./calc_client_auth --auth=$weak localhost add 1 2
	done
	refused 'Server rejected credential' ./calc_client_auth --auth=des \
		--secret=secret.4711 localhost add 1 2
	# A key that the server does not know: made after it was started.
	./keygen --uid=4712 >/dev/null
	refused 'Invalid client credential' ./calc_client_auth --auth=des \
		--secret=secret.4712 localhost add 1 2
	# A user who was given another key meanwhile.
	./keygen --force >/dev/null
	refused 'Invalid client credential' \
		./calc_client_auth --auth=des localhost add 1 2
	# Anybody may ask whether it is there.
	run ./calc_client_auth --auth=none localhost null
	assert_success
	assert_line 'The server is there'
}

@test "a client goes on to AUTH_DES when less is too weak, and never down" {
	make_keys
	start_auth --auth=des --verbose
	run ./calc_client_auth localhost add 7 9 --repeat=2
	assert_success
	assert_line --index 0 "Using AUTH_DES (netname=unix.$(id -u)@localdomain)"
	assert_line --index 1 'Result: 16'
	assert_line --index 2 'Result: 16'
	# It is asked for each call, in this order.
	assert_equal "$(grep -c "^add by AUTH_SYS .*: Client credential too weak" \
		"$SERVER_OUT")" 1
	assert_equal "$(grep -c '^add by AUTH_DH .*: allowed' "$SERVER_OUT")" 2
	# Not where a flavor was named, or another uid, or there is no key.
	refused 'Client credential too weak' \
		./calc_client_auth localhost add 7 9 --auth=sys
	refused 'Client credential too weak' \
		./calc_client_auth localhost add 7 9 --uid=9999
	rm "secret.$(id -u)"
	refused 'Client credential too weak' ./calc_client_auth localhost add 7 9
	stop_server
	# What it has said is enough for a server that asks for less.
	start_auth --auth=sys
	run ./calc_client_auth localhost add 7 9
	assert_line --index 0 "Using AUTH_SYS (uid=$(id -u), gid=$(id -g))"
}

# Or who sits in between, and answers in its place.
@test "a server that calls everything too weak is asked once by each flavor" {
	make_keys
	cat >answer <<-'END'
		#!/bin/bash
		word() { head -c 4 | od -An -tx1 -v | tr -d ' \n'; }
		while mark=$(word) && [[ $mark ]]; do
			xid=$(word)
			head -c $((0x$mark - 0x80000004)) >/dev/null
			echo call >>calls
			reply=80000014${xid}00000001000000010000000100000005
			printf "$(sed 's/../\\x&/g' <<<"$reply")"
		done
	END
	chmod +x answer
	start_server --ready 'listening on' socat -d -d \
		TCP-LISTEN:7000,bind=127.0.0.1,reuseaddr,fork EXEC:./answer
	refused 'Client credential too weak' \
		timeout 60 ./calc_client_auth --port=7000 127.0.0.1 add 1 2
	assert_equal "$(wc -l <calls)" 2
}

@test "whose clock is wrong is told what time it is here" {
	make_keys
	start_auth --auth=des
	"${CC:-cc}" -shared -fPIC -o clock.so -x c - <<-'END'
		#define _GNU_SOURCE
		#include <dlfcn.h>
		#include <stdlib.h>
		#include <time.h>

		int clock_gettime(clockid_t id, struct timespec *now)
		{
			int (*next)(clockid_t, struct timespec *) =
				(int (*)(clockid_t, struct timespec *))dlsym(
					RTLD_NEXT, "clock_gettime");
			int rc = next(id, now);

			if (id == CLOCK_REALTIME)
				now->tv_sec += atoi(getenv("AHEAD"));
			return rc;
		}
	END
	for ahead in -50 50; do
		AHEAD=$ahead LD_PRELOAD=$PWD/clock.so run ./calc_client_auth \
			--auth=des localhost add 1 2
		assert_line 'Result: 3'
		# As the next server sees it.
		stop_server
		start_auth --auth=des
	done
	# The last: set back, by less than the window.
	for ahead in 90 -90 40; do
		AHEAD=$ahead LD_PRELOAD=$PWD/clock.so run ./calc_client_auth \
			--auth=des localhost add 1 2
		assert_failure 7
		assert_output --regexp '^AUTH failed: RPC: Authentication error; why = Server rejected verifier \(it is [-0-9]+ [:0-9]+ UTC here: .*'
	done
}

@test "more than 16 groups are not left out in silence" {
	need_second_user
	start_auth --allow='* gid=4001-4020'
	run --separate-stderr setpriv --groups="$(seq -s, 4001 4016)" \
		./calc_client_auth localhost add 7 9
	assert_success
	assert_equal "$stderr" ''
	run --separate-stderr setpriv --groups="$(seq -s, 4001 4017)" \
		./calc_client_auth localhost add 7 9
	assert_success
	assert_equal "$stderr" 'calc_client_auth: of 17 supplementary groups the first 16 are sent: AUTH_SYS has no room for more'
}

@test "a client that was given another key of the server is refused" {
	make_keys
	start_auth --auth=des --no-rpcbind --port=2049
	# To the client, calc has another key.
	mkdir other
	cp secret.* other
	./keygen --keys=other/publickey --secret=other/secret.calc --host=calc \
		--force >/dev/null
	grep "unix.$(id -u)@" publickey >>other/publickey
	run ./calc_client_auth --auth=des --keys=other/publickey --port=2049 \
		localhost add 1 2
	assert_failure 7
}

@test "a policy says who may call what" {
	cat >rules <<-END
		# All may add, only root multiply, and with proof at that.
		*         uid=0-4294967294
		multiply  proved uid=$(id -u)
		whoami    anybody
	END
	start_auth --policy=rules --transport=tcp,unix --socket=here --verbose
	run ./calc_client_auth localhost add 1 2 --uid=5
	assert_line 'Result: 3'
	refused 'Client credential too weak' \
		./calc_client_auth localhost multiply 1 2
	refused 'Server rejected credential' \
		./calc_client_auth localhost multiply 1 2 --uid=54321
	refused 'Client credential too weak' \
		./calc_client_auth localhost add 1 2 --auth=none
	run ./calc_client_auth --transport=unix ./here multiply 6 -7
	assert_line 'Result: -42'
	wait_for_line "$SERVER_OUT" \
		'^multiply by AUTH_SYS uid=54321 .*said.* over tcp: Server rej' 30
}

@test "without authentication everybody is nobody" {
	start_auth --auth=none
	assert_equal "$(<"$SERVER_OUT")" 'Registered with rpcbind (AUTH_NONE)'
	run ./calc_client_auth --auth=none localhost whoami
	assert_line --index 0 'Using AUTH_NONE'
	assert_line --index 1 'Caller: AUTH_NONE (nobody)'
	# Flavors that it does not know are refused, not ignored.
	make_keys
	refused 'Server rejected credential' \
		./calc_client_auth --auth=des localhost add 1 2
}

@test "sums of 32 bits do not overflow" {
	start_auth
	run ./calc_client_auth localhost multiply -2147483648 -2147483648
	assert_line 'Result: 4611686018427387904'
	run ./calc_client_auth localhost subtract -2147483648 2147483647
	assert_line 'Result: -4294967295'
}

@test "a killed server is replaced, and its registration with it" {
	start_auth
	stop_server server KILL
	assert is_registered
	run ./calc_client_auth localhost add 7 9
	assert_failure
	start_auth
	run ./calc_client_auth localhost add 7 9
	assert_success
	run ./calc_server_auth
	assert_failure 1
	assert_one_line_error "$output" calc_server_auth
	assert_output --partial 'registered already'
	stop_server server INT
	assert_equal "$status" 0
	refute is_registered
}

@test "a server that cannot say that it is there does not begin" {
	local status=0
	timeout 60 ./calc_server_auth --auth=sys >/dev/full 2>err || status=$?
	assert_equal "$status" 1
	assert_one_line_error "$(<err)" calc_server_auth
	run rpcinfo -p 127.0.0.1
	refute_output --partial 824377345
}

@test "a Unix socket is registered with its whole path, and is in the ledger" {
	start_auth --transport=tcp,unix --socket=here
	run rpcinfo
	assert_line --regexp "^ *824377345 +1 +local +$PWD/here "
	run "$ROOT/ipc_suite" objects
	assert_line --regexp "^socket +$PWD/here +calc_server_auth .* alive"
	stop_server
	run "$ROOT/ipc_suite" objects
	refute_output --partial "$PWD/here"
	assert_nothing_left
}
