#!/usr/bin/env bats
# `ipc_suite objects` and `ipc_suite clean`, on what a benchmark and a server
# own: alive, and killed.
# shellcheck disable=SC2030,SC2031,SC2154 # run sets output and stderr

bats_require_minimum_version 1.5.0
load ../support/common

setup() {
	setup_chapter suite
	# Of namespaces only root may make all.
	unshare=(unshare)
	((UID == 0)) || unshare+=(--user --map-current-user)
}

# It owns two System V message queues while it measures.
start_owner() {
	start_server env --default-signal=INT ./ipc_suite benchmark \
		--mechanism=sysv-mq --sizes=64 --trials=99 --time=60s
	wait_until 30 owns_queues
}

owns_queues() {
	[[ $(./ipc_suite objects | grep -c '^sysv-msg') == 2 ]]
}

# Between two trials it has no queues, or one: it is killed where it has both.
kill_owner() {
	wait_until 30 stands_still_with_queues "$SERVER"
	stop_server server KILL
	wait_until 30 eval '! pgrep -x ipc_suite'
}

# Between two trials it owns none.
stands_still_with_queues() {
	kill -STOP "$1"
	wait_until 30 is_stopped "$1"
	owns_queues || {
		kill -CONT "$1"
		return 1
	}
}

is_stopped() {
	[[ $(ps -o stat= -p "$1") == T* ]]
}

# What clean keeps, for somebody who knows whose it is.
remove_queues() {
	local id
	for id in $(ipcs -q | awk '/^0x/ { print $2 }'); do
		ipcrm -q "$id"
	done
	./ipc_suite clean
}

# It owns a FIFO, which it leaves when it is killed.
leave_fifo() {
	start_server --ready listening --name fifo \
		"$ROOT/p02-fifo/calc_server" --fifo=/tmp/left
	stop_server fifo KILL
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

# What the ledger has, as text.
ledger() {
	local entry
	for entry in "/dev/shm/unixipc.$UID"/*; do
		readlink "$entry"
	done
}

# stands_still_with_cache FILE LEDGER: it has made that anew, and noted both.
stands_still_with_cache() {
	kill -STOP "$SERVER"
	wait_until 30 is_stopped "$SERVER"
	[[ -e $1 && $(ledger) != "$2" && $(ledger | wc -l) == 2 ]] || {
		kill -CONT "$SERVER"
		return 1
	}
}

@test "of a killed server's cache clean removes what it made last" {
	local cache="/dev/shm/ipc.kv_server.$UID.9001" before
	start_server --ready ' event=leader ' "$ROOT/p18-rpc-kv/kv_server" \
		--id=1 --port=9001 --log=events
	before=$(ledger)
	rm "$cache"
	wait_until 30 stands_still_with_cache "$cache" "$before"
	stop_server server KILL
	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_line '2 objects removed, 0 kept'
	assert [ ! -e "$cache" ]
	assert_nothing_left
}

@test "objects of a killed owner are dead, and clean removes them" {
	leave_fifo
	run --separate-stderr ./ipc_suite objects
	assert_success
	assert_line --regexp '^fifo +/tmp/left .* dead '

	run --separate-stderr ./ipc_suite clean --dry-run
	assert_success
	assert_line --regexp '^remove  fifo /tmp/left \(calc_server, pid [0-9]+, dead\)$'
	assert_line '1 object would be removed, 0 kept; nothing was changed'
	[[ -p /tmp/left ]]

	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_line --regexp '^remove  fifo '
	assert_line '1 object removed, 0 kept'
	assert_nothing_left
}

@test "System V objects of a killed owner are kept, with the command for them" {
	local id
	start_owner
	kill_owner
	run --separate-stderr ./ipc_suite objects
	assert_equal "$(grep -cE '^sysv-msg .* dead ' <<<"$output")" 2
	run --separate-stderr ./ipc_suite clean
	assert_success
	for id in $(ipcs -q | awk '/^0x/ { print $2 }'); do
		assert_line --regexp \
			"^keep    sysv-msg $id .*; if it is yours: ipcrm -q $id\$"
	done
	assert_line '0 objects removed, 2 kept'
	assert_equal "$(ipcs -q | grep -c '^0x')" 2
	owns_queues
	remove_queues
	assert_nothing_left
}

# Ids begin anew there: 0 is another queue, and another set, and a segment.
@test "objects with the same ids in another IPC namespace survive clean" {
	start_owner
	kill_owner
	last=$(ipcs -q | awk '/^0x/ { id = $2 } END { print id }')
	run "${unshare[@]}" --ipc bash -c "
		for ((i = 0; i <= $last; i++)); do
			ipcmk -Q && ipcmk -S 1 && ipcmk -M 4096
		done && ./ipc_suite clean && ipcs | grep -c '^0x'"
	assert_success
	assert_line --regexp "^keep    sysv-msg $last .*: it cannot be seen from here\$"
	assert_line --index $((${#lines[@]} - 1)) $((3 * (last + 1)))
	owns_queues # as clean knows nothing of queues that it cannot see
	remove_queues
	assert_nothing_left
}

@test "what an owner in another PID namespace has survives clean" {
	start_server "${unshare[@]}" --pid --fork --kill-child ./ipc_suite benchmark --mechanism=sysv-mq --sizes=64 \
		--trials=99 --time=60s
	wait_until 30 owns_queues
	wait_until 30 stands_still_with_queues "$(pgrep -o -x ipc_suite)"
	run --separate-stderr ./ipc_suite objects
	assert_success
	assert_line --regexp '^sysv-msg .* unknown '
	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_line --regexp '^keep    sysv-msg .*, unknown.*\): its owner cannot'
	stop_server server KILL
	wait_until 30 eval '! pgrep -x ipc_suite'
	remove_queues
	rm -r "/dev/shm/unixipc.$UID"
	assert_nothing_left
}

# At once: the same second, and on many file systems the same inode.
@test "a FIFO that another program has made anew survives clean" {
	leave_fifo
	rm /tmp/left
	mkfifo /tmp/left
	run --separate-stderr ./ipc_suite objects
	assert_line --regexp '^fifo +/tmp/left .* dead, another object by now '
	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_line --regexp '^forget  fifo /tmp/left .*, dead, another object by now\)$'
	[[ -p /tmp/left ]]
	rm /tmp/left
	assert_nothing_left
}

# It owns /left, a queue of mqueue, which it leaves when it is killed.
leave_queue() {
	start_server --ready '^Dispatcher running' --name dispatcher \
		"$ROOT/p04-posix-mq/job_dispatcher" --queue=/left \
		--state=/tmp/journal
	stop_server dispatcher KILL
	rm -r /tmp/journal
}

@test "a queue of a killed dispatcher is removed" {
	leave_queue
	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_line --regexp '^remove  mq /left \(job_dispatcher, pid [0-9]+, dead\)$'
	assert_nothing_left
}

@test "a queue that another program has made anew survives clean" {
	leave_queue
	python3 - <<-'END'
		import ctypes
		libc = ctypes.CDLL(None, use_errno=True)
		assert libc.mq_unlink(b"/left") == 0
		queue = libc.mq_open(b"/left", 0o102, 0o600, None)
		assert queue >= 0 and libc.mq_send(queue, b"x", 1, 0) == 0
	END
	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_line --regexp '^forget  mq /left '
	[[ -e /dev/mqueue/left ]]
	rm /dev/mqueue/left
	assert_nothing_left
}

@test "what is in another IPC namespace is kept, and its note as well" {
	leave_queue
	run "${unshare[@]}" --ipc ./ipc_suite clean
	assert_success
	assert_line --regexp '^keep    mq /left .*: it cannot be seen from here$'
	assert_line '0 objects removed, 1 kept'
	run --separate-stderr ./ipc_suite clean
	assert_line --regexp '^remove  mq /left '
	assert_nothing_left
}

@test "a claim of an earlier version in /tmp is read, and its object kept" {
	local file
	leave_fifo
	file=$(basename "/dev/shm/unixipc.$UID"/fifo.*)
	rm -r "/dev/shm/unixipc.$UID"
	mkdir -m 700 "/tmp/unixipc.$UID"
	ln -s "unixipc1 fifo 4000000 1 1 calc_server /tmp/left" \
		"/tmp/unixipc.$UID/$file"
	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_line --regexp '^keep    fifo /tmp/left .*: its owner cannot be'
	rm -r "/tmp/unixipc.$UID" /tmp/left
	assert_nothing_left
}

@test "a ledger whose place is taken is told with its path" {
	mkdir -m 755 "/dev/shm/unixipc.$UID"
	run --separate-stderr ./ipc_suite objects
	assert_failure 1
	assert_one_line_error "$stderr" ipc_suite
	[[ $stderr == *"/dev/shm/unixipc.$UID is not a folder of this user"* ]]
	run --separate-stderr ./ipc_suite clean
	assert_failure 1
	[[ $stderr == *"ls -ld /dev/shm/unixipc.$UID"* ]]
	run --separate-stderr ./ipc_suite doctor
	assert_line --partial "/dev/shm/unixipc.$UID"
	# And the old place stands in nobody's way.
	rmdir "/dev/shm/unixipc.$UID"
	mkdir -m 755 "/tmp/unixipc.$UID"
	run --separate-stderr ./ipc_suite objects
	assert_success
	rmdir "/tmp/unixipc.$UID"
}

# is_told COMMAND: with the path, and what to do.
is_told() {
	run --separate-stderr ./ipc_suite "$1"
	[[ $output$stderr == *"ls -ld /dev/shm/unixipc.$UID"* ]] ||
		fail "$1 says: $output $stderr"
}

@test "whatever squats the place of the ledger is told by all three" {
	local place=/dev/shm/unixipc.$UID command thing
	for thing in "mkdir -m 770" "touch" "ln -s /tmp" "mkfifo"; do
		$thing "$place"
		for command in objects clean doctor; do
			is_told $command
		done
		rm -rf "$place"
	done
	((UID)) || {
		mkdir -m 700 "$place"
		chown 65534 "$place"
		for command in objects clean doctor; do
			is_told $command
		done
		rmdir "$place"
	}
	assert_nothing_left
}

@test "a queue survives clean in another PID namespace" {
	start_server --ready '^Dispatcher running' --name dispatcher \
		"$ROOT/p04-posix-mq/job_dispatcher" --queue=/left \
		--state=/tmp/journal
	run "${unshare[@]}" --pid --fork --kill-child --mount-proc ./ipc_suite clean
	assert_success
	assert_line --regexp '^keep    mq /left .*: its owner cannot be judged'
	[[ -e /dev/mqueue/left ]]
	stop_server dispatcher KILL
	rm -r /tmp/journal
	./ipc_suite clean
	assert_nothing_left
}

has_users() {
	[[ $(./ipc_suite objects --json | jq '.objects[0].users') == "$1" ]]
}

# The writer came first, and claimed it. (A reader that is not stopped would end by
# itself when its writer is dead.)
@test "a ring whose receiver lives on survives clean" {
	mkfifo /tmp/in
	start_server --name writer bash -c \
		"exec '$ROOT/p12-shm-ring/shm_cat' --name=/left write <>/tmp/in"
	wait_until 30 has_users 1
	start_server --name reader "$ROOT/p12-shm-ring/shm_cat" --name=/left read
	wait_until 30 has_users 2
	kill -STOP "$SERVER"
	wait_until 30 is_stopped "$SERVER"
	stop_server writer KILL
	run --separate-stderr ./ipc_suite objects
	assert_line --regexp '^shm +/left +shm_cat +[0-9]+ +dead +[0-9A-Z.]+ +1 '
	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_line --regexp '^keep    shm /left .*, dead\): somebody uses it$'
	[[ -e /dev/shm/left ]]
	stop_server reader KILL
	run --separate-stderr ./ipc_suite clean
	assert_line '1 object removed, 0 kept'
	rm /tmp/in
	assert_nothing_left
}

@test "a FIFO of the dead that somebody has open survives clean" {
	leave_fifo
	start_server --ready open --name user bash -c \
		'exec 9<>/tmp/left && echo open && exec sleep 1000'
	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_line --regexp '^keep    fifo /tmp/left .*: somebody uses it$'
	stop_server user KILL
	run --separate-stderr ./ipc_suite clean
	assert_line '1 object removed, 0 kept'
	assert_nothing_left
}

@test "what cannot be removed is told, kept and a failure" {
	((UID == 0)) || skip 'needs root: to mount'
	leave_fifo
	run --separate-stderr unshare --mount sh -c 'mount --rbind /tmp /tmp &&
		mount -o remount,bind,ro /tmp && exec ./ipc_suite clean'
	assert_equal "$status" 1
	assert_equal "$stderr" \
		'ipc_suite: cannot remove fifo /tmp/left: Read-only file system'
	assert_line '0 objects removed, 1 kept'
	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_line '1 object removed, 0 kept'
	assert_nothing_left
}

@test "clean takes what is dead and leaves what is alive" {
	leave_fifo
	start_owner
	run --separate-stderr ./ipc_suite clean
	assert_success
	assert_line --regexp '^1 object removed, [12] kept$'
	run kill -0 "$SERVER"
	assert_success
	stop_server server INT
	assert_equal "$status" 130
	assert_nothing_left
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
	remove_queues
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

# One of each kind, as others make them: sets the ids.
make_foreign() {
	shm=$(ipcmk -M 4096) sem=$(ipcmk -S 2) msg=$(ipcmk -Q)
	shm=${shm##* } sem=${sem##* } msg=${msg##* }
	python3 - <<-'END'
		import ctypes
		libc = ctypes.CDLL(None, use_errno=True)
		libc.sem_open.restype = ctypes.c_void_p
		assert libc.shm_open(b"/foreign", 0o102, 0o600) >= 0
		assert libc.sem_open(b"/foreign", 0o100, 0o600, 3)
		assert libc.mq_open(b"/foreign", 0o102, 0o600, None) >= 0
	END
}

remove_foreign() {
	ipcrm -m "$shm" -s "$sem" -q "$msg"
	rm /dev/shm/foreign /dev/shm/sem.foreign /dev/mqueue/foreign
}

@test "objects --all shows foreign ones of both families, and clean touches none" {
	run --separate-stderr ./ipc_suite objects --all
	assert_output 'no IPC objects'
	make_foreign
	leave_fifo
	run --separate-stderr ./ipc_suite objects
	refute_output --partial foreign
	run --separate-stderr ./ipc_suite objects --all
	assert_success
	assert_line --regexp '^fifo +/tmp/left .* dead '
	assert_line --regexp "^shm +/foreign +foreign, of uid $UID "
	assert_line --regexp "^sem +/foreign +foreign, of uid $UID .* value 3 "
	assert_line --regexp "^mq +/foreign +foreign, of uid $UID .* 0 messages "
	assert_line --regexp "^sysv-shm +$shm +foreign, of uid $UID +4KB +0 "
	assert_line --regexp "^sysv-sem +$sem +foreign, of uid $UID .* values 0 0 "
	assert_line --regexp "^sysv-msg +$msg +foreign, of uid $UID .* 0 messages "
	run --separate-stderr ./ipc_suite clean
	assert_line '1 object removed, 0 kept'
	run --separate-stderr ./ipc_suite objects --all --json
	assert_equal "$(jq '[.objects[] | select(.foreign)] | length' <<<"$output")" 6
	assert_equal "$(jq '.objects[0] | .program, .owner.pid, .uid' <<<"$output")" \
		"null"$'\n'"null"$'\n'"$UID"
	remove_foreign
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
