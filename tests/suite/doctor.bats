#!/usr/bin/env bats
# `ipc_suite doctor`, `ipc_suite list`, and the command line that they share.
# sandbox: --rpcbind --root
# shellcheck disable=SC2016,SC2154 # run sets stderr; shells are text

bats_require_minimum_version 1.5.0
load ../support/common

setup() {
	setup_chapter suite
}

@test "every mechanism is listed with its limit" {
	run --separate-stderr ./ipc_suite list
	assert_success
	assert_line --regexp '^pipe +any  '
	assert_line --regexp '^posix-mq +8KB  '
	assert_line --regexp '^posix-mq: .*sysctl -w fs.mqueue.msgsize_max=65536$'
	assert_line --regexp '^mutex +any  '
	assert_line --regexp '^sysv-barrier +32767 members  a barrier '
	assert_line --regexp '^sysv-sem: .* sets: .*kernel.sem$'
	assert_line --regexp '^kvstore +32KB '
	assert_line --regexp '^mmapdb +16MB '
	run --separate-stderr ./ipc_suite list --json
	assert_success
	assert_line '  "schema": "unixipc-list/1",'
	assert_line '      "max_message_bytes": 8192,'
	assert_line '      "most": "32767 members",'
}

@test "what does not work with this machine's limits is listed with the fix" {
	# Of the sandbox's own IPC namespace.
	sem=$(</proc/sys/kernel/sem)
	need_writable /proc/sys/kernel/sem
	echo '250 32000 4 128' >/proc/sys/kernel/sem
	run --separate-stderr ./ipc_suite list
	echo "$sem" >/proc/sys/kernel/sem
	assert_success
	assert_line --regexp '^sysv-barrier +none  '
	assert_line --regexp '^sysv-barrier: needs .* raise: sysctl -w kernel.sem='
}

@test "a healthy machine is said to be one" {
	run --separate-stderr ./ipc_suite doctor
	assert_success
	assert_line --regexp '^ok +/dev/shm +[0-9]+ MB free$'
	assert_line --regexp '^ok +/dev/mqueue +mounted$'
	assert_line --regexp '^everything that the suite needs is there'
	assert_equal "$stderr" ''
	assert_nothing_left
}

@test "every piece of advice has its fix" {
	run --separate-stderr ./ipc_suite doctor
	assert_equal "$(grep -c '^advice' <<<"$output")" \
		"$(grep -c '^ *fix: .' <<<"$output")"
	assert_line --regexp 'fix: sysctl -w fs.mqueue.msgsize_max=65536'
}

@test "a tool that is not there is advice with its package" {
	run --separate-stderr env PATH=/nonexistent "$PWD/ipc_suite" doctor
	assert_success
	assert_line --regexp '^advice +gnuplot +not found'
	assert_line --regexp 'fix: apt-get install gnuplot-nox'
}

@test "a tool is a file in a folder of the whole path" {
	mkdir -p relative folder/gnuplot
	cp /bin/true relative/gnuplot
	run --separate-stderr env PATH="relative:$PWD/folder" "$PWD/ipc_suite" doctor
	assert_success
	assert_line --regexp '^advice +gnuplot +not found'
	run --separate-stderr env PATH="$PWD/folder:$PWD/relative" \
		"$PWD/ipc_suite" doctor
	assert_success
	assert_line --regexp "^ok +gnuplot +$PWD/relative/gnuplot\$"
}

@test "limits are enough at the very number that is wanted" {
	local limit
	need_writable /proc/sys/kernel/msgmax
	for limit in 65535:advice 65536:ok; do
		echo "${limit%:*}" >/proc/sys/kernel/msgmax
		run --separate-stderr ./ipc_suite doctor
		assert_line --regexp "^${limit#*:} +kernel.msgmax +${limit%:*}\$"
	done
	for limit in 1023:advice 1024:ok; do
		run --separate-stderr bash -c \
			"ulimit -Sn ${limit%:*} && exec ./ipc_suite doctor"
		assert_line --regexp "^${limit#*:} +RLIMIT_NOFILE +${limit%:*}\$"
	done
}

@test "one CPU is advice, as two sides share it" {
	run --separate-stderr taskset -c "$(taskset -cp $$ |
		sed 's/.*: //; s/[-,].*//')" ./ipc_suite doctor
	assert_success
	assert_line --regexp '^advice +CPUs +1 usable$'
}

@test "a /dev/shm that may not be written is told so" {
	run --separate-stderr unshare --mount sh -c \
		'mount -o remount,bind,ro /dev/shm && exec ./ipc_suite doctor'
	assert_equal "$status" 1
	assert_line --regexp '^missing +/dev/shm +not writable$'
	assert_line --regexp 'fix: chmod 1777 /dev/shm$'
}

@test "without /dev/shm the doctor says no" {
	run --separate-stderr unshare --mount sh -c \
		'mount -t tmpfs tmpfs /dev && exec ./ipc_suite doctor'
	assert_equal "$status" 1
	assert_line --regexp '^missing +/dev/shm +not there'
	assert_line --regexp '^1 missing, [0-9]+ pieces of advice$'
	assert_line --regexp 'fix: .*mount -t tmpfs'
	run --separate-stderr unshare --mount sh -c \
		'mount -t tmpfs tmpfs /dev && exec ./ipc_suite doctor --json'
	assert_equal "$status" 1
	assert_line '  "ok": false,'
}

@test "without /dev/mqueue there is advice, and nothing is mounted" {
	# Not mountpoint(1), which also knows of what lies below the sandbox's /dev.
	run --separate-stderr unshare --mount sh -c 'umount -l /dev/mqueue &&
		./ipc_suite doctor && [ "$(stat -fc %T /dev/mqueue)" != mqueue ]'
	assert_success
	assert_line --regexp '^advice +/dev/mqueue +not mounted'
}

@test "without rpcbind there is advice with its package" {
	run --separate-stderr ./ipc_suite doctor
	assert_line --regexp '^ok +rpcbind service +answers$'
	assert_line --regexp '^ok +/etc/services +knows sunrpc$'
	run --separate-stderr unshare --mount --net sh -c 'ip link set lo up &&
		mount -t tmpfs empty /run && exec ./ipc_suite doctor'
	assert_success
	assert_line --regexp '^advice +rpcbind service +does not answer$'
	assert_line --regexp 'fix: .*apt-get install rpcbind; rpcbind -w'
	assert_line --regexp '^ok +/etc/services +knows sunrpc$'
}

@test "without netbase there is advice to install it" {
	run --separate-stderr "$ROOT/tests/support/without-netbase" \
		./ipc_suite doctor
	assert_success
	assert_line --regexp '^advice +rpcbind service +answers, but not over TCP$'
	assert_line --regexp '^advice +/etc/services +knows no sunrpc$'
	assert_line --regexp 'fix: apt-get install netbase'
}

@test "a command that is none is refused, and the near one named" {
	run --separate-stderr ./ipc_suite benchmrk
	assert_equal "$status" 2
	assert_one_line_error "$stderr" ipc_suite
	assert_regex "$stderr" "did you mean 'benchmark'"
	run --separate-stderr ./ipc_suite frobnicate
	assert_equal "$status" 2
	assert_one_line_error "$stderr" ipc_suite
	assert_regex "$stderr" 'benchmark, report, list, doctor, objects and clean'
	run --separate-stderr ./ipc_suite
	assert_equal "$status" 2
	assert_one_line_error "$stderr" ipc_suite
	run --separate-stderr ./ipc_suite $'evil\n\e[31mname'
	assert_equal "$status" 2
	assert_one_line_error "$stderr" ipc_suite
}

@test "each command has help that leads with its own name" {
	local command
	for command in benchmark report list doctor objects clean; do
		run --separate-stderr ./ipc_suite $command --help
		assert_success
		assert_line --index 0 --regexp "^Usage: ipc_suite $command "
		assert_line --regexp 'Example'
	done
	run --separate-stderr ./ipc_suite --help
	assert_success
	run --separate-stderr ./ipc_suite --version
	assert_success
	assert_output --regexp '^ipc_suite '
}

@test "what cannot be printed is an error" {
	local command
	for command in list doctor objects 'list --json' 'doctor --json' \
		'objects --json' clean --help; do
		run --separate-stderr bash -c "./ipc_suite $command >/dev/full"
		assert_equal "$status" 1
		assert_one_line_error "$stderr" ipc_suite
	done
}
