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
	for secret in secret.calc "secret.$(id -u)"; do
		read -r _ hex <"$secret"
		run grep -c "$hex" <(od -An -v -tx1 packets | tr -d ' \n')
		assert_output 0
	done
}

# traced NAME…: what --trace has given these words as numbers, in a line for each
# message that has the last of them.
traced() {
	awk -v names="$*" '
		function end(  i, line) {
			for (i = 1; i <= n; i++)
				line = line (i > 1 ? " " : "") values[name[i]]
			if (values[name[n]] != "")
				print line
			split("", values)
		}
		BEGIN { n = split(names, name, " ") }
		/^(-->|<--)/ { end() }
		match($0, /  [a-z_ ]+ = [0-9]+/) {
			split(substr($0, RSTART + 2, RLENGTH - 2), word, " = ")
			gsub(" ", "-", word[1])
			values[word[1]] = word[2]
		}
		END { end() }' trace
}

# read_by_tshark TYPE FIELD…: the same of the calls (0) or replies (1), as tshark
# reads the packets; a field that is there twice is the first.
read_by_tshark() {
	local type=$1 value first
	shift
	FIELDS=(rpc.msgtyp "$@")
	dissect | sed -n "s/^$type //p" | while read -ra values; do
		first=''
		for value in "${values[@]}"; do
			value=${value%%,*}
			printf '%s%d' "$first" "$value"
			first=' '
		done
		echo
	done
}

@test "--trace shows the bytes that went, and names them as tshark does" {
	start_server --ready Registered ./calc_server_auth --allow='* anybody'
	FIELDS=(rpc.msgtyp)
	WANTED=6 capture --trace localhost add 7 9 --uid=4711 --gid=42 --repeat=3
	grep -E '^(-->|<--| +[0-9]+  )' <<<"$output" >trace

	# Behind the mark of the record, which is the stream's.
	FIELDS=(tcp.payload)
	dissect | cut -c9- >sent
	sed -E 's/^(-->|<--).*/+/; s/^ +[0-9]+  ((..[ ]){3}..).*/\1/; s/ //g' trace |
		tr -d '\n' | tr + '\n' | sed 1d >shown
	echo >>shown
	assert_equal "$(wc -l <sent)" 6
	diff sent shown

	read_by_tshark 0 rpc.xid rpc.version rpc.program rpc.programversion \
		rpc.procedure rpc.auth.flavor rpc.auth.length rpc.auth.stamp \
		rpc.auth.uid rpc.auth.gid >calls
	assert_equal "$(wc -l <calls)" 3
	assert_equal "$(cut -d' ' -f2-7,9- calls | sort -u)" \
		"2 824377345 1 1 1 $(traced cred-length | head -n 1) 4711 42"
	diff calls <(traced xid rpcvers prog vers proc cred-flavor cred-length \
		cred-stamp cred-uid cred-gid)

	read_by_tshark 1 rpc.xid rpc.replystat rpc.auth.flavor rpc.auth.length \
		rpc.state_accept >replies
	assert_equal "$(wc -l <replies)" 3
	diff replies <(traced xid reply_stat verf-flavor verf-length accept_stat)
}

@test "the Unix socket: nothing" {
	start_server --ready Listening ./calc_server_auth --transport=unix \
		--socket=here --no-rpcbind
	FIELDS=(rpc.msgtyp)
	WANTED=0 capture --transport=unix ./here add 7 9
	assert_equal "$(<seen)" ''
}
