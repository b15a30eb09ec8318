#!/usr/bin/env bats
# What pool_manager and worker refuse: names of something else, command lines
# that make no sense, streams and file systems that are full.
# sandbox: --root

load ../support/common

setup() {
	setup_chapter p10
}

start_manager() {
	start_server --name manager --ready '^Pool manager (started|took over)' \
		./pool_manager "$@"
}

# assert_all_refuse MESSAGE: each command says it in one line.
assert_all_refuse() {
	for command in './pool_manager' './pool_manager --json' './worker 1'; do
		run $command
		assert_failure 1
		assert_one_line_error "$output"
		assert_output --partial "$1"
	done
}

@test "names that are taken are refused in one line" {
	start_manager --max-connections=2
	run ./pool_manager
	assert_failure 1
	assert_output "pool_manager: pool '/pool' has a manager that is running"
	stop_server manager KILL
	run ./pool_manager --max-connections=3
	assert_failure 1
	assert_one_line_error "$output" pool_manager
	assert_output --partial 'has 2 connections, not 3'
	# Another version of the same.
	printf '\x09' | dd of=/dev/shm/pool bs=1 seek=4 conv=notrunc status=none
	assert_all_refuse "pool '/pool' is of another version"
	# It is still to be removed, and so in the ledger.
	[[ $(ls -l "/dev/shm/unixipc.$(id -u)") == *pool_manager* ]]
	rm /dev/shm/pool
	rm -rf "/dev/shm/unixipc.$(id -u)"
	run ./pool_manager --status
	assert_failure 1
	assert_output "pool_manager: no pool '/pool': start pool_manager"
	assert_nothing_left
}

@test "what is no pool is refused in one line, and left alone" {
	for make in 'echo something >pool' 'head -c 69632 /dev/zero >pool' \
		'mkfifo pool' 'mkdir pool' 'ln -s /tmp/none pool' \
		'mkdir x; ln -s x pool'; do
		(cd /dev/shm && eval "$make" && ls -lR) >before
		assert_all_refuse "'/pool' is the name of something else"
		(cd /dev/shm && ls -lR) | diff before - || fail "changed: $make"
		rm -rf /dev/shm/pool /dev/shm/x
	done
	assert_nothing_left
}

@test "a pool that is half-made, or of another user, is named as that" {
	# Of this version, with a sem_t of 32 bytes: see memory.h.
	(umask 077 && printf '\0\0\0\0\x02\0\x20\0' >/dev/shm/pool)
	for command in './pool_manager --status' './worker 1 --timeout=0'; do
		# shellcheck disable=SC2086 # words
		run $command
		assert_failure 1
		assert_output --partial "pool '/pool' was never finished: start pool_manager"
	done
	if chown 1 /dev/shm/pool 2>/dev/null; then
		assert_all_refuse "pool '/pool' is of another user"
	fi
	rm /dev/shm/pool
	assert_nothing_left
}

@test "a pool that is damaged ends its manager, and is removed" {
	start_manager
	# The count of the semaphore.
	printf '\xff\xff\xff\x7f' |
		dd of=/dev/shm/pool bs=1 seek=192 conv=notrunc status=none
	wait_until 30 is_ended "$SERVER"
	stop_server manager
	assert_equal "$status" 1
	assert_equal "$(<"$SERVER_ERR")" \
		"pool_manager: pool '/pool' is damaged: removed"
	assert_nothing_left
}

@test "a pool of another PID namespace is refused, and left alone" {
	start_manager --max-connections=2
	for command in './pool_manager --status' './worker 1'; do
		# shellcheck disable=SC2086 # words
		run unshare --pid --fork --mount --mount-proc $command
		assert_failure 1
		assert_one_line_error "$output"
		assert_output --partial 'of another PID or time namespace'
	done
	run unshare --pid --fork --mount --mount-proc ./pool_manager
	assert_failure 1
	assert_output "pool_manager: pool '/pool' has a manager that is running"
	stop_server manager KILL
	run unshare --pid --fork --mount --mount-proc ./pool_manager
	assert_failure 1
	assert_output --partial 'of another PID or time namespace'
	run ./pool_manager --status
	assert_success
	start_manager --max-connections=2
	assert_equal "$(<"$SERVER_OUT")" \
		'Pool manager took over (2 of 2 connections available)'
	stop_server manager
	assert_nothing_left
}

@test "a pool that a manager could not take over is still in the ledger" {
	start_manager --max-connections=2
	stop_server manager KILL
	run ./pool_manager --max-connections=3
	assert_failure 1
	[[ $(ls -l "/dev/shm/unixipc.$(id -u)") == *pool_manager* ]]
	start_manager
	stop_server manager
	assert_nothing_left
}

@test "a full /dev/shm is one line, and nothing is left" {
	if ! mount -t tmpfs -o size=64k none /dev/shm 2>/dev/null; then
		skip 'needs root: to mount'
	fi
	run ./pool_manager
	umount /dev/shm
	assert_failure 1
	assert_output "pool_manager: cannot make pool '/pool': /dev/shm is full"
	assert_nothing_left
}

@test "a limit of the size of files is one line, and nothing is left" {
	run bash -c 'ulimit -f 0; exec ./pool_manager'
	assert_failure 1
	assert_one_line_error "$output" pool_manager
	assert_output --partial 'File too large'
	assert_nothing_left
}

@test "command lines that make no sense are refused" {
	for arguments in --max-connections=0 --max-connections=-1 \
		--max-connections=1025 --max-connections=x --max-connections= \
		--name=pool --name=/ --name=/a/b --name= --json=1 operand \
		--no-such-option; do
		run ./pool_manager "$arguments"
		assert_failure 2
		assert_one_line_error "$output" pool_manager
	done
	for arguments in '' 0 -1 x 1.5 '1 2' '1 true' '--hold=-1s 1' \
		'--hold=x 1' '--timeout=-1 1' '--timeout= 1' '--name=x 1' \
		'1 --hold=1s -- true' '-- true' '1 --no-such-option'; do
		# shellcheck disable=SC2086 # a list of words
		run ./worker $arguments
		assert_failure 2
		assert_one_line_error "$output" worker
	done
	assert_nothing_left
}

@test "standard streams that are closed or full" {
	start_manager
	run bash -c './worker 1 --hold=0 2>&1 >/dev/full'
	assert_failure 1
	assert_one_line_error "$output" worker
	run bash -c './pool_manager --status 2>&1 >/dev/full'
	assert_failure 1
	assert_one_line_error "$output" pool_manager
	./worker 1 --hold=0 <&- >out
	assert_equal "$(wc -l <out)" 2
	run ./pool_manager --status
	assert_line --partial '5 of 5 connections available'
	stop_server manager
	assert_nothing_left
}
