#!/usr/bin/env bats
# The same client before both engines: what is common to them, and what etcd
# cannot do.
# needs: jq curl

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

start_raft() {
	start_server --name kv --ready ' event=serving ' ./kv_server --id=1 \
		--port=9001 --election-timeout=300ms --heartbeat=50ms --log=events
}

start_etcd() {
	type -P etcd >/dev/null || skip 'needs etcd: scripts/install-deps --test'
	start_server --name etcd --ready 'ready to serve client requests' \
		etcd --name=one --data-dir=etcd-data \
		--listen-client-urls=http://127.0.0.1:23790 \
		--advertise-client-urls=http://127.0.0.1:23790 \
		--listen-peer-urls=http://127.0.0.1:23800 \
		--initial-advertise-peer-urls=http://127.0.0.1:23800 \
		--initial-cluster=one=http://127.0.0.1:23800
	start_server --name kv --ready ' event=serving ' ./kv_server --port=9001 \
		--engine=etcd --endpoints=localhost:23790 --log=events
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

# What means the same over both.
common_semantics() {
	client put a one
	assert_equal "$(client get a)" one
	assert_equal "$(client --consistency=stale get a)" one
	no 1 'no such key' get nothing
	no 1 'there is such a key' create a x
	client create b two
	no 1 'another value' cas a three --value=two
	client cas a three --value=one
	assert_equal "$(client get a)" three
	revision=$(client --json get a | jq .revision)
	client cas a four --revision="$revision"
	no 1 'another' cas a five --revision="$revision"
	client put c ''
	assert_equal "$(client list --keys-only)" $'a\nb\nc'
	assert_equal "$(client list --prefix=b)" $'b\ttwo'
	assert_equal "$(client list --from=b --to=c --keys-only)" b
	client del b
	no 1 'no such key' del b
	head -c 65536 /dev/urandom >bytes
	client put large - <bytes
	# What get prints is a line.
	client get large | head -c 65536 | cmp - bytes
}

@test "over raft: put, get, del, list, cas and create" {
	start_raft
	common_semantics
	assert_regex "$(client put a z)" '^OK \(replicated to 1 node\)$'
}

@test "over etcd: the same" {
	start_etcd
	common_semantics
	# It is etcd that has it.
	client put there yes
	run curl -s http://127.0.0.1:23790/v3/kv/range \
		-d "{\"key\":\"$(printf there | base64)\"}"
	assert_equal "$(jq -r '.kvs[0].value | @base64d' <<<"$output")" yes
}

@test "what etcd cannot promise is said, and not made up" {
	start_etcd
	assert_equal "$(client put a one)" 'OK (on how many nodes cannot be told)'
	assert_equal "$(client --json put a two | jq 'has("servers")')" false
	no 8 'no such operation' incr n
	no 8 'how old' --consistency=bounded=100ms get a
	no 8 'not supported' request-id
	no 8 etcdctl member add 4 localhost:9004
	assert_regex "$(client --json status | jq -r '.servers[0].engine')" \
		'^etcd 3'
}

@test "without its etcd the server says that it has no quorum" {
	start_etcd
	client put a one
	stop_server etcd KILL
	no 4 'onnect' --timeout=2s put a two
	no 4 'onnect' --timeout=2s get a
	# It was not done, and is done when etcd is back.
	start_server --name etcd --ready 'ready to serve client requests' \
		etcd --name=one --data-dir=etcd-data \
		--listen-client-urls=http://127.0.0.1:23790 \
		--advertise-client-urls=http://127.0.0.1:23790
	assert_equal "$(client get a)" one
	client put a two
}
