#!/usr/bin/env bats
# What the commands refuse, in one line: command lines, key files, policies.
# sandbox: --rpcbind

load ../support/common

setup() {
	setup_chapter p17
}

# refuses STATUS PATTERN COMMAND…
refuses() {
	local status_=$1 pattern=$2
	shift 2
	run timeout 60 "$@"
	assert_failure "$status_"
	assert_one_line_error "$output"
	assert_output --partial "$pattern"
}

@test "command lines that make no sense" {
	refuses 2 'none, sys or des' ./calc_server_auth --auth=kerberos
	refuses 2 'none, sys, des or any' ./calc_client_auth --auth=4 localhost add 1 2
	refuses 2 '--transport' ./calc_server_auth --transport=tcp,smtp
	refuses 2 '--socket=PATH' ./calc_server_auth --transport=unix
	refuses 2 '--port' ./calc_server_auth --port=65536
	refuses 2 '--max-connections' ./calc_server_auth --max-connections=0
	refuses 2 '--idle-timeout' ./calc_server_auth --idle-timeout=0
	refuses 2 '--allow' ./calc_server_auth --allow='divide anybody'
	refuses 2 '--allow' ./calc_server_auth --allow='add uid=me'
	refuses 2 '--allow' ./calc_server_auth --allow=''
	refuses 2 '--allow' ./calc_server_auth --auth=none --allow='# add uid=1'
	refuses 2 'give a host' ./calc_client_auth
	refuses 2 'give a host' ./calc_client_auth localhost
	refuses 2 'multiply' ./calc_client_auth localhost divide 1 2
	refuses 2 'two operands' ./calc_client_auth localhost add 1
	refuses 2 'too many' ./calc_client_auth localhost add 1 2 3
	refuses 2 'no operands' ./calc_client_auth localhost whoami 1
	refuses 2 'operand' ./calc_client_auth localhost add 1 two
	refuses 2 'operand' ./calc_client_auth localhost add 1 2147483648
	refuses 2 '--uid' ./calc_client_auth localhost add 1 2 --uid=root
	refuses 2 '--uid' ./calc_client_auth localhost add 1 2 --uid=4294967296
	refuses 2 'for --auth=sys' ./calc_client_auth localhost add 1 2 \
		--uid=1 --auth=none
	refuses 2 '--server' ./calc_client_auth localhost add 1 2 --server=calc
	refuses 2 '--window' ./calc_client_auth localhost add 1 2 --window=0
	refuses 2 'exclude' ./keygen --uid=1 --host=calc
	refuses 2 '--host' ./keygen --host=1000
	refuses 2 '--domain' ./keygen --domain='two words'
}

@test "key files that are missing, damaged or open to others" {
	refuses 1 "no file of public keys 'publickey'" ./calc_server_auth --auth=des
	./keygen >/dev/null
	refuses 1 "no secret key 'secret.calc'" ./calc_server_auth --auth=des
	refuses 1 "no public key of 'unix.calc@localdomain'" \
		./calc_client_auth --auth=des localhost add 1 2
	./keygen --host=calc >/dev/null
	refuses 1 'there is a secret key' ./keygen --host=calc
	for mode in 640 604 644; do
		chmod $mode secret.calc
		refuses 1 "others may use it (mode 0$mode): chmod 600" \
			./calc_server_auth --auth=des
		chmod $mode "secret.$(id -u)"
		refuses 1 "others may use it (mode 0$mode): chmod 600" \
			./calc_client_auth --auth=des localhost add 1 2
	done
	chmod 600 secret.*
	mv secret.calc s && ln -s s secret.calc
	refuses 1 'symbolic link' ./calc_server_auth --auth=des
	mv s secret.calc
	cp "secret.$(id -u)" mine
	# Another key for the same name.
	./keygen --force >/dev/null
	refuses 1 'has another public key' ./calc_client_auth --auth=des \
		--secret=mine localhost add 1 2
	echo rubbish >mine
	refuses 1 'not a netname' ./calc_client_auth --auth=des --secret=mine \
		localhost add 1 2
	echo 'unix.1@a 12' >>publickey
	refuses 1 "'publickey', line 3" ./calc_server_auth --auth=des
	refuses 1 'no file of public keys' ./keygen --force
	refuses 1 'cannot read public keys' ./calc_server_auth --auth=des --keys=.
}

@test "a key file of another user" {
	need_second_user
	./keygen --host=calc >/dev/null
	chown 4711 secret.calc
	refuses 1 'belongs to another user' ./calc_server_auth --auth=des
}

@test "a key file that cannot be written leaves the one that is there" {
	./keygen --host=calc >/dev/null
	cp secret.calc before
	refuses 1 'cannot write' ./keygen --secret=none/secret
	refuses 1 'cannot write' ./keygen --secret=/dev/full/x
	refuses 1 'cannot write' ./keygen --keys=none/keys --force
	cmp before secret.calc
}

@test "policies with slips" {
	printf 'add uid=1\nadd everybody\n' >rules
	refuses 1 "policy 'rules', line 2" ./calc_server_auth --policy=rules
	refuses 1 "cannot read policy 'none'" ./calc_server_auth --policy=none
	refuses 1 "cannot read policy '.'" ./calc_server_auth --policy=.
	printf '* anybody\n' >rules
	chmod 666 rules
	refuses 1 "policy 'rules': others may change it: chmod go-w it" \
		./calc_server_auth --policy=rules
	# One that was emptied does not let everybody in.
	chmod 644 rules
	echo '# none' >rules
	for auth in none sys des; do
		refuses 1 "policy 'rules': has no rule" \
			./calc_server_auth --policy=rules --auth=$auth
	done
}

@test "a file of calls that were taken that is damaged, open or in use" {
	./keygen --host=calc >/dev/null
	echo rubbish >secret.calc.floor
	refuses 1 "'secret.calc.floor' does not say which calls were taken" \
		./calc_server_auth --auth=des
	assert_equal "$(<secret.calc.floor)" rubbish
	chmod 666 secret.calc.floor
	refuses 1 "'secret.calc.floor': others may change it" \
		./calc_server_auth --auth=des
	rm secret.calc.floor
	start_server --ready ^Listening ./calc_server_auth --auth=des --no-rpcbind
	refuses 1 "'secret.calc.floor': another server with this key runs" \
		./calc_server_auth --auth=des --no-rpcbind
	stop_server server KILL
	start_server --ready ^Listening ./calc_server_auth --auth=des --no-rpcbind
}

@test "nobody there, on each way to find that out" {
	refuses 5 'calc_server_auth running' ./calc_client_auth localhost add 1 2
	refuses 4 'refused' ./calc_client_auth --port=9 localhost add 1 2
	refuses 4 'host' ./calc_client_auth no-such-host.invalid add 1 2
	refuses 4 'No such file' ./calc_client_auth --transport=unix ./none add 1 2
}

@test "a socket's path that is taken is left alone" {
	echo precious >file
	refuses 1 "cannot listen on 'file'" ./calc_server_auth \
		--transport=unix --socket=file --no-rpcbind
	assert_equal "$(<file)" precious
}

@test "a full disk is an error" {
	run bash -c './keygen --host=calc >/dev/full'
	assert_failure 1
	assert_one_line_error "$output"
}
