#!/usr/bin/env bats
# kv_client as a user runs it, and three servers.

# shellcheck disable=SC2030,SC2031,SC2154 # run sets stderr, status and output

load ../support/common

setup() {
	setup_chapter p18
}

teardown() {
	end_servers
	# What was killed has left it.
	rm -rf /dev/shm/{,sem.}ipc.kv_server."$UID".* "/dev/shm/unixipc.$UID"
}

server() {
	local peers=localhost:9001,localhost:9002,localhost:9003
	peers=${peers/localhost:900$1/}
	peers=${peers/,,/,}
	peers=${peers#,}
	start_server --name "$1" ./kv_server --id="$1" --port="900$1" \
		--peers="${peers%,}" "${@:2}"
}

three_servers() {
	local i
	for i in 1 2 3; do
		server "$i" --election-timeout=300ms --heartbeat=50ms
	done
	# Each has it, and can tell.
	assert_equal "$(client put ready yes)" 'OK (replicated to 3 nodes)'
}

one_server() {
	start_server --name 1 ./kv_server --id=1 --port=9001
	client put ready yes
}

client() {
	timeout -s KILL 60 ./kv_client --server=localhost:9001 --timeout=30s "$@"
}

# no STATUS REGEX ARGUMENT…: one line says so.
no() {
	run --separate-stderr client "${@:3}"
	assert_equal "$status: $stderr" "$1: $stderr"
	assert_equal "$output" ''
	assert_one_line_error "$stderr" kv_client
	assert_regex "$stderr" "$2"
}

# bats test_tags=guide
@test "the guide's transcript" {
	server 1
	server 2
	server 3
	run ./kv_client --server=localhost:9001 put mykey 'Hello World'
	assert_output 'OK (replicated to 3 nodes)'
	run ./kv_client --server=localhost:9002 get mykey
	assert_output 'Hello World'
	stop_server 1
	run ./kv_client --server=localhost:9002 get mykey
	assert_output 'Hello World'
	run ./kv_client --server=localhost:9003 get mykey
	assert_output 'Hello World'
}

@test "with one server down the real number is told" {
	three_servers
	stop_server 3
	run client put mykey 1
	assert_output 'OK (replicated to 2 of 3 nodes, quorum)'
}

@test "without a quorum nothing is done, within the deadline, and stale reads go on" {
	three_servers
	client put mykey 1
	# Seen by 1, before it is alone.
	wait_until 20 sees_mykey
	stop_server 2
	stop_server 3
	# A leader that takes a write before it knows that it is alone could not
	# say that it is not done.
	wait_until 20 is_alone
	no 4 "^kv_client: 'mykey': no quorum: 1 of 3 servers reachable$" \
		--timeout=1s put mykey 2
	no 4 'no quorum' --timeout=1s get mykey
	no 4 . --timeout=1s --consistency=bounded=50ms get mykey
	assert_equal "$(client --consistency=stale get mykey)" 1
}

is_alone() {
	[[ $(./kv_client --server=localhost:9001 --json status |
		jq '.servers[] | select(.id == 1) | .leader') == 0 ]]
}

sees_mykey() {
	[[ $(client --consistency=stale get mykey 2>/dev/null) == 1 ]]
}

@test "any server killed: another one answers, under one deadline" {
	three_servers
	client put mykey 1
	stop_server 1 KILL
	local servers=localhost:9001,localhost:9002,localhost:9003
	run ./kv_client --servers=$servers --timeout=20s get mykey
	assert_output 1
	run ./kv_client --servers=$servers --timeout=20s put mykey 2
	assert_output --partial 'OK (replicated to 2 of 3 nodes, quorum)'
	server 1
	run ./kv_client --servers=$servers --timeout=20s get mykey
	assert_output 2
}

@test "put, get, del, create, cas and incr say what became of them" {
	one_server
	assert_equal "$(client put a 1)" 'OK (replicated to 1 node)'
	no 1 "'b': no such key" get b
	no 1 "'b': no such key" del b
	no 1 "'a': there is such a key" create a 2
	no 1 "'a': it is another value" cas a 2 --value=0
	no 1 "'a': it is of another revision" cas a 2 --revision=1
	client cas a 2 --value=1
	local revision
	revision=$(client --json get a | jq .revision)
	client cas a 3 --revision="$revision"
	assert_equal "$(client get a)" 3
	assert_equal "$(client incr a -5)" -2
	assert_equal "$(client incr new)" 1
	client put word x
	no 1 "'word': .*no number" incr word
	client del a
	no 1 'no such key' get a
}

@test "values are any bytes, of standard input too" {
	one_server
	printf 'a\0b\n\xff' >value
	client put bytes - <value
	client --raw get bytes | cmp - value
	assert_equal "$(client --json get bytes | jq -r .value_base64)" \
		"$(base64 <value)"
	assert_equal "$(client list --prefix=byt | od -An -c | tr -d ' \n')" \
		'bytes\ta\x00b\n377\n'
	head -c 65536 /dev/zero | client put large -
	assert_equal "$(client --raw get large | wc -c)" 65536
	head -c 65537 /dev/zero >value
	run client put large - <value
	assert_equal "$status" 2
	client put empty ''
	assert_equal "$(client --raw get empty)" ''
}

@test "list: ranges, prefixes, limits, and more than one answer holds" {
	one_server
	local i
	client del ready
	for i in {100..229}; do
		client put "k$i" "v$i" >/dev/null
	done
	client put j 1
	client put l 1
	assert_equal "$(client list --prefix=k | wc -l)" 130
	assert_equal "$(client list --keys-only | sort -c && client list |
		wc -l)" 132
	assert_equal "$(client list --from=k228 --keys-only | xargs)" \
		'k228 k229 l'
	assert_equal "$(client list --to=k101 --keys-only | xargs)" 'j k100'
	assert_equal "$(client list --limit=100 | wc -l)" 100
	assert_equal "$(client list --prefix=k10 --limit=1)" \
		"$(printf 'k100\tv100')"
	assert_equal "$(client list --json --prefix=k22 | jq '.pairs | length')" 10
}

@test "a request with a name is done once, however often it is sent" {
	one_server
	local id
	id=$(client request-id)
	assert_equal "$(client incr n --request-id="$id")" 1
	assert_equal "$(client incr n --request-id="$id")" 1
	assert_equal "$(client incr n)" 2
	no 2 'request-id' incr n --request-id=x
}

@test "what nobody answered is unknown, and its name finds out" {
	one_server
	client incr n
	local said
	# On a connection that is there, the server falls silent.
	client put go 1
	kill -STOP "${SERVER_PID[1]}"
	run --separate-stderr timeout 20 ./kv_client --server=localhost:9001 \
		--timeout=1s incr n
	# It was not even greeted: surely not done.
	assert_equal "$status" 4
	kill -CONT "${SERVER_PID[1]}"
	assert_equal "$(client incr n)" 2
	# A server that takes the request, and is cut off.
	said=$(client --json incr n | jq -r .request_id)
	assert_equal "$(client incr n --request-id="$said")" 3
}

# Asked of a server that has not missed its leader yet. Who waits for that one is
# still waiting after a quarter of the time that it was given.
@test "a write and a read by a follower do not wait for a leader that is stopped" {
	local led ask
	three_servers
	client put key value
	led=$(client --servers=localhost:9002,localhost:9003 --json status |
		jq '[.servers[] | select(.role == "leader")] | max_by(.term) | .id')
	ask=(timeout 15 ./kv_client --server="localhost:900$((led % 3 + 1))"
		--timeout=60s)
	# Its connection to the leader is there.
	"${ask[@]}" get key
	kill -STOP "${SERVER_PID[$led]}"
	"${ask[@]}" get key >got 3>&- &
	assert_equal "$("${ask[@]}" incr n)" 1
	wait $!
	assert_equal "$(<got)" value
	kill -CONT "${SERVER_PID[$led]}"
	# Nor was it done by the old leader, too.
	assert_equal "$(client incr n)" 2
}

# A leader that has an entry that nobody else acknowledges; it knows that it leads
# nobody only after an election timeout, and before that has to be asked.
unknown_incr() {
	local led i
	led=$(client --servers=localhost:9002,localhost:9003 --json status |
		jq '[.servers[] | select(.role == "leader")] | max_by(.term) | .id')
	[[ $led == [123] ]] || return 1
	for i in 1 2 3; do
		((i == led)) || kill -STOP "${SERVER_PID[$i]}"
	done
	run --separate-stderr ./kv_client --server="localhost:900$led" \
		--timeout=1s incr n
	for i in 1 2 3; do
		kill -CONT "${SERVER_PID[$i]}"
	done
	((status == 3))
}

@test "a write that a leader alone has is unknown, never failed, and its name finds out" {
	three_servers
	wait_until 30 unknown_incr
	assert_equal "$output" ''
	assert_regex "$stderr" '; whether it was done is unknown'
	[[ $stderr =~ --request-id=([^ ]+) ]]
	local id=${BASH_REMATCH[1]} n
	n=$(client incr n --request-id="$id")
	assert_equal "$(client incr n --request-id="$id")" "$n"
	assert_equal "$(client get n)" "$n"
}

@test "a session sees what it has seen, and its file never goes back" {
	one_server
	no 2 'needs --session' --consistency=session get ready
	client --session=seen put a 1
	local before
	before=$(<seen)
	assert_equal "$(client --session=seen --consistency=session get a)" 1
	assert [ "$(<seen)" -ge "$before" ]
	echo 00000000000000999999 >seen
	no 4 . --timeout=500ms --session=seen --consistency=session get a
	assert_equal "$(<seen)" 00000000000000999999
	echo rubbish >seen
	no 1 "cannot read the session in 'seen'" --session=seen get a
}

@test "a session's file that others may write, or keep locked, is told in time" {
	one_server
	mkfifo pipe
	no 1 "cannot read the session in 'pipe'" --session=pipe get ready
	client --session=seen get ready
	chmod 620 seen
	no 1 "session in 'seen': Operation not permitted" --session=seen get ready
	chmod 600 seen
	exec 8<seen
	flock 8
	run --separate-stderr client --timeout=300ms --session=seen put a 1
	exec 8>&-
	assert_equal "$status" 1
	assert_output 'OK (replicated to 1 node)'
	assert_equal "$stderr" "kv_client: cannot note the session in 'seen': Connection timed out"
}

reads() {
	client --json status | jq '.servers[0].reads'
}

# 64 keys an answer.
@test "a list that cannot be printed asks for no more of it" {
	one_server
	client bench put --for=10ms --value-size=1K
	local before
	before=$(reads)
	run bash -c './kv_client --server=localhost:9001 list >/dev/full'
	assert_failure 1
	assert_one_line_error "$output" kv_client
	assert_equal "$(($(reads) - before))" 1
}

@test "--local reads the server's shared memory, and says so" {
	one_server
	client put hot 1
	assert_equal "$(client --local --consistency=stale --json get hot |
		jq -r '.from + " " + .value')" 'cache 1'
	# What is not there is asked for.
	no 1 'no such key' --local --consistency=stale get cold
	stop_server 1
	no 4 'refused' --timeout=300ms --local --consistency=stale get hot
	assert_nothing_left
}

@test "--local is never said to be linearizable, nor of another machine" {
	no 2 'say --consistency' --local get a
	run --separate-stderr ./kv_client --server=192.0.2.1:9001 --local \
		--consistency=stale get a
	assert_equal "$status" 2
	assert_regex "$stderr" "not '192.0.2.1'"
}

@test "status and hash are of all servers" {
	three_servers
	wait_until 30 all_are_equal
	run client status
	assert_success
	assert_equal "$(grep -cE 'leader|follower' <<<"$output")" 3
	assert_equal "$(client --json status |
		jq '[.servers[] | select(.role == "leader")] | length')" 1
	stop_server 3
	run client status
	assert_equal "$status" 1
	assert_output --partial unreachable
}

all_are_equal() {
	client --server=localhost:9002 --server=localhost:9003 hash
}

@test "bench prints what was done" {
	one_server
	run client bench put --clients=4 --for=200ms
	assert_success
	assert_output --regexp '^put, 4 clients, 256 bytes: .*/s, p50 .*, p99 .*, not done 0, unknown 0$'
	assert [ "$(client --json bench local --for=50ms | jq .done)" -gt 100 ]
}

@test "nobody there, nobody of that name, or somebody else" {
	run --separate-stderr ./kv_client --server=localhost:1 --timeout=300ms \
		put a 1
	assert_equal "$status" 4
	assert_equal "$stderr" \
		"kv_client: 'a': localhost:1: RPC: Server unreachable: Connection refused"
	run --separate-stderr ./kv_client --server=nobody.invalid:9001 get a
	assert_equal "$status" 4
	assert_regex "$stderr" 'Unknown host'
	# Another program on the port.
	start_server --name 1 "$ROOT/p18-rpc-kv/textbook/kv_server" --id=1 --port=9001
	"$ROOT/p18-rpc-kv/textbook/kv_client" --server=localhost:9001 put ready yes
	run --separate-stderr ./kv_client --server=localhost:9001 get a
	assert_equal "$status" 6
}

@test "what is not accepted is one line and status 2" {
	no 2 'give a verb'
	no 2 "no verb 'frob'" frob
	no 2 'put takes KEY VALUE' put a
	no 2 'hash takes no operands' hash a
	no 2 'the key has 0 bytes' get ''
	no 2 'the key has 1025 bytes' get "$(printf '%01025d' 0)"
	no 2 'linearizable, stale' --consistency=fresh get a
	no 2 'bounded' --consistency=bounded=x get a
	no 2 'for list' --prefix=a get a
	no 2 'for cas' --value=a put a b
	no 2 'cas needs' cas a b
	no 2 'cas needs' cas a b --value=1 --revision=2
	no 2 'more than' --servers=:1,:2,:3,:4,:5,:6,:7,:8,:9,:10 get a
	no 2 'HOST:PORT' --server=x get a
	no 2 'member add or' member move 1
	no 2 'member add 4' member add 4
	run --separate-stderr ./kv_client get a
	assert_equal "$status" 2
	assert_regex "$stderr" 'no server'
}
