#!/usr/bin/env bats
# What an eavesdropper sees: packets on loopback, as tshark decodes them.
# sandbox: --rpcbind --root
# needs: dumpcap tshark

load ../support/common

setup() {
	setup_chapter p17
	# tshark has to read its settings there, and falls when it may not.
	export HOME=$SCRATCH
}

teardown() {
	stop_servers
}

# capture OPTION…: what tshark makes of one run of the client, into ./seen as
# lines of the array FIELDS, one for each message to and from our program.
capture() {
	start_server --name dumpcap --ready 'File: ' dumpcap -q -i lo \
		-w packets
	run ./calc_client_auth "$@"
	assert_success
	wait_until 30 has_all "${WANTED:-2}"
	stop_server dumpcap
}

has_all() {
	dissect >seen
	(($(wc -l <seen) >= $1))
}

dissect() {
	local field options=()
	for field in "${FIELDS[@]}"; do
		options+=(-e "$field")
	done
	tshark -r packets -o rpc.dissect_unknown_programs:TRUE -T fields \
		-E separator=' ' -E occurrence=a -Y 'rpc.program == 824377345' \
		"${options[@]}" 2>/dev/null
}

@test "AUTH_SYS: uid, gid and machine, for all to read" {
	start_server --ready Registered ./calc_server_auth --allow='* anybody'
	FIELDS=(rpc.msgtyp rpc.auth.flavor rpc.auth.machinename rpc.auth.uid)
	capture localhost add 7 9 --uid=4711
	assert_equal "$(head -n 1 seen)" "0 1,0 $(hostname) 4711"
}

@test "AUTH_DES: a netname, and then a nickname" {
	./keygen --host=calc >/dev/null
	./keygen >/dev/null
	start_server --ready Registered ./calc_server_auth --auth=des
	FIELDS=(rpc.msgtyp rpc.auth.flavor rpc.authdes.namekind
		rpc.authdes.netname rpc.authdes.nickname)
	WANTED=6 capture localhost add 7 9 --auth=des --repeat=3
	cat seen
	nickname=$(sed -n 2p seen)
	nickname=${nickname##* }
	# Three calls and their replies; each has the nickname but the first.
	assert_equal "$(<seen)" "0 3,3 0 unix.$(id -u)@localdomain 
1 3   $nickname
0 3,3 1  $nickname
1 3   $nickname
0 3,3 1  $nickname
1 3   $nickname"
	# The key and the timestamps are there too, encrypted.
	FIELDS=(rpc.authdes.convkey rpc.authdes.window rpc.authdes.timestamp
		rpc.authdes.windowverf)
	dissect | head -n 1 | grep -qE '^[^ ]+ [^ ]+ [^ ]+ [^ ]+$'
	# No secret of ours is.
	for secret in secret.*; do
		read -r _ hex <"$secret"
		run grep -c "$hex" <(od -An -v -tx1 packets | tr -d ' \n')
		assert_output 0
	done
}

@test "the Unix socket: nothing" {
	start_server --ready Listening ./calc_server_auth --transport=unix \
		--socket=here --no-rpcbind
	FIELDS=(rpc.msgtyp)
	WANTED=0 capture --transport=unix ./here add 7 9
	assert_equal "$(<seen)" ''
}
