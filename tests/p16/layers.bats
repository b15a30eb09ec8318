#!/usr/bin/env bats
# The files of lib/rpc stand on each other, as their README draws them.
# needs: nm tsort

load ../support/common

setup() {
	setup_chapter p16
	nm -A "$ROOT/build/release/librpc.a" >symbols
}

# For each file of librpc.a the others that it calls: "rpc_client rpc_flight".
calls() {
	awk '{ split($1, part, ":"); file = part[2]; sub(/\.o$/, "", file) }
		$(NF - 1) ~ /^[TDRB]$/ { home[$NF] = file }
		$(NF - 1) == "U" { uses[file " " $NF] }
		END {
			for (use in uses) {
				split(use, word, " ")
				to = home[word[2]]
				if (to && to != word[1])
					edges[word[1] " " to]
			}
			for (edge in edges)
				print edge
		}' symbols | sort
}

@test "no file of lib/rpc is called by one that it calls, however indirectly" {
	calls >edges
	# As they should be there at all.
	grep -qx 'rpc_client rpc_flight' edges
	grep -qx 'rpc_flight rpc_stream' edges
	run tsort edges
	assert_success
	# That it would be seen.
	echo rpc_stream rpc_client >>edges
	run tsort edges
	assert_failure
}

@test "a message, a stream and datagrams know nothing of a client" {
	calls >edges
	run grep -E '^rpc_(message|stream|datagram|socket|address) ' edges
	assert_success
	refute_output --regexp ' rpc_(client|flight|link|lookup|fault|auth)$'
}
