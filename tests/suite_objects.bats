# `ipc_suite objects` and `ipc_suite clean`, on what a benchmark owns: alive,
# and killed.

bats_require_minimum_version 1.5.0
load support/common

setup() {
	setup_chapter suite
}

# It owns two System V message queues while it measures.
start_owner() {
	start_server env --default-signal=INT ./ipc_suite benchmark \
		--mechanism=sysv-mq --sizes=64 --trials=99 --time=60s
	wait_until 10 owns_queues
}

owns_queues() {
	[[ $(./ipc_suite objects | grep -c '^sysv-msg') == 2 ]]
}

kill_owner() {
	stop_server server KILL
	wait_until 5 eval '! pgrep -x ipc_suite'
}

@test "without objects both say so" {
	run --separate-stderr ./ipc_suite objects
	assert_success
	assert_output 'no IPC objects of this project'
	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_output 'no IPC objects of this project'
	run --separate-stderr ./ipc_suite objects --json
	assert_success
	assert_line '  "objects": []'
}

@test "objects of a live owner are shown alive and kept" {
	start_owner
	# The queues may be those of another trial by the time of the next line.
	run --separate-stderr ./ipc_suite objects
	assert_success
	assert_line --regexp "^sysv-msg +[0-9]+ +ipc_suite +$SERVER +alive "
	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_line --regexp "^keep +sysv-msg [0-9]+ .*pid $SERVER, alive"
	assert_line --regexp '^0 objects removed'
	run kill -0 "$SERVER"
	assert_success
	stop_server server INT
	assert_equal "$status" 130
	assert_nothing_left
}

@test "objects of a killed owner are dead, and clean removes them" {
	start_owner
	kill_owner
	assert_equal "$(ipcs -q | grep -c '^0x')" 2

	run --separate-stderr ./ipc_suite objects
	assert_success
	assert_equal "$(grep -cE '^sysv-msg .* dead ' <<<"$output")" 2

	run --separate-stderr ./ipc_suite clean --dry-run
	assert_success
	assert_equal "$(grep -c '^remove' <<<"$output")" 2
	assert_line '2 objects would be removed, 0 kept; nothing was changed'
	assert_equal "$(ipcs -q | grep -c '^0x')" 2
	owns_queues

	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_equal "$(grep -cE '^remove +sysv-msg' <<<"$output")" 2
	assert_line '2 objects removed, 0 kept'
	assert_nothing_left
}

@test "clean takes what is dead and leaves what is alive" {
	start_owner
	kill_owner
	start_owner_beside_the_dead
	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_line --regexp '^2 objects removed, [12] kept$'
	run kill -0 "$SERVER"
	assert_success
	stop_server server INT
	assert_equal "$status" 130
	assert_nothing_left
}

start_owner_beside_the_dead() {
	start_server env --default-signal=INT ./ipc_suite benchmark \
		--mechanism=sysv-mq --sizes=64 --trials=99 --time=60s
	wait_until 10 eval './ipc_suite objects | grep -q " alive "'
}

@test "json tells owner, state and messages" {
	start_owner
	kill_owner
	run --separate-stderr ./ipc_suite objects --json
	assert_success
	assert_line '  "schema": "unixipc-objects/1",'
	assert_line '      "kind": "sysv-msg",'
	assert_line '        "alive": false'
	assert_line --regexp '^      "messages": [0-9]+,$'
	run ./ipc_suite clean
	assert_nothing_left
}

@test "a queue that somebody else removed is an entry that clean forgets" {
	local id
	start_owner
	kill_owner
	for id in $(ipcs -q | awk '/^0x/ { print $2 }'); do
		ipcrm -q "$id"
	done
	run --separate-stderr ./ipc_suite objects
	assert_equal "$(grep -c 'dead, object gone' <<<"$output")" 2
	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_nothing_left
}

@test "operands and unknown options are refused" {
	run --separate-stderr ./ipc_suite clean everything
	assert_equal "$status" 2
	assert_one_line_error "$stderr" ipc_suite
	run --separate-stderr ./ipc_suite objects --force
	assert_equal "$status" 2
	assert_one_line_error "$stderr" ipc_suite
}
