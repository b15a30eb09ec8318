#!/usr/bin/env bats
# sandbox: none
# (It is what is tested here; all of it happens in sandboxes made by the tests.)
# when: touched
# about: scripts/sandbox scripts/devices.bash
#
# scripts/sandbox: what a command leaves behind must be seen, whatever it is,
# and nothing may reach the machine outside.

# shellcheck disable=SC2016,SC2154 # for the shell inside; set by run
load ../support/common

SANDBOX=$ROOT/scripts/sandbox

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

teardown() {
	end_servers
	[[ -z ${OWN_DIR-} ]] || rm -rf -- "$OWN_DIR"
}

# A copy of the script below /tmp that any user may read; $OWN_DIR.
copy_for_everybody() {
	OWN_DIR=$(mktemp -d /tmp/unixipc-sandbox.XXXXXX)
	mkdir "$OWN_DIR/scripts"
	cp "$ROOT"/scripts/{sandbox,devices.bash} "$OWN_DIR/scripts"
	chmod -R a+rX "$OWN_DIR"
	cd "$OWN_DIR" || return
}

# As somebody else than root; in a user namespace there is nobody else.
as_user() {
	local ids
	read -r _ _ ids </proc/self/uid_map
	if ((UID == 0 && ids > 65534)); then
		setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
	else
		"$@"
	fi
}

# leaves LINE COMMAND…: COMMAND succeeds in the sandbox, but LINE is listed.
leaves() {
	local line=$1
	shift
	run -99 --separate-stderr "$SANDBOX" "$@"
	assert_regex "$stderr" "^sandbox: left behind: $line\$"
}

# ---- the command ----------------------------------------------------------------

@test "command keeps its status, streams and directory" {
	run -7 --separate-stderr "$SANDBOX" bash -c 'cat; pwd; echo err >&2; exit 7' \
		<<<'in'
	assert_equal "$output" "in"$'\n'"$PWD"
	assert_equal "$stderr" err
	run -137 "$SANDBOX" bash -c 'kill -9 $$'
	assert_output ''
}

@test "command sees its arguments as they are" {
	run -0 "$SANDBOX" printf '<%s>' 'a b' '' '*' $'c\nd' -x
	assert_output $'<a b><><*><c\nd><-x>'
}

@test "closed standard streams are no obstacle" {
	run -0 bash -c '"$1" true <&- >&- 2>&-' bash "$SANDBOX"
}

@test "wrong usage is one line and status 2" {
	run -2 "$SANDBOX"
	assert_one_line_error "$output" sandbox
	run -2 "$SANDBOX" --nonsense true
	assert_one_line_error "$output" sandbox
	assert_output --partial "'--nonsense'"
	run -127 "$SANDBOX" no-such-command
}

# ---- what is left behind -----------------------------------------------------------

@test "nothing left behind is success" {
	run -0 "$SANDBOX" bash -c 'id=$(ipcmk -M 1); ipcrm -m "${id##* }"
		echo x >/dev/shm/x; rm /dev/shm/x; mkdir /tmp/d; rmdir /tmp/d'
	assert_output ''
}

@test "System V shared memory left behind fails" {
	leaves 'System V shared memory: id 0, key 0x[0-9a-f]{8}' ipcmk -M 4096
}

@test "System V semaphores left behind fail" {
	leaves 'System V semaphore set: id 0, key 0x[0-9a-f]{8}' ipcmk -S 2
}

@test "System V message queue left behind fails" {
	leaves 'System V message queue: id 0, key 0x[0-9a-f]{8}' ipcmk -Q
}

@test "POSIX shared memory left behind fails" {
	leaves /dev/shm/left touch /dev/shm/left
}

@test "POSIX message queue left behind fails" {
	leaves /dev/mqueue/left touch /dev/mqueue/left
}

@test "file in /tmp left behind fails" {
	leaves '/tmp/a file' touch '/tmp/a file'
}

@test "process left behind fails and is ended" {
	local mark=31415.$$
	leaves "process [0-9]+: sleep $mark" bash -c "sleep $mark & setsid true"
	run ! grep -lz "^$mark$" /proc/[0-9]*/cmdline
}

@test "daemon left behind fails" {
	leaves 'process [0-9]+: sleep 1000' \
		bash -c 'setsid bash -c "sleep 1000 </dev/null >/dev/null 2>&1 &"'
}

@test "everything left behind is listed, a line each" {
	run -99 --separate-stderr "$SANDBOX" bash -c \
		'ipcmk -Q; touch /dev/shm/a /dev/mqueue/b /tmp/c; sleep 1000 &'
	assert_equal "${#stderr_lines[@]}" 5
}

@test "failed command keeps its status and its leftovers are listed" {
	run -3 --separate-stderr "$SANDBOX" bash -c 'touch /tmp/x; exit 3'
	assert_equal "$stderr" 'sandbox: left behind: /tmp/x'
}

@test "process that is about to end is not left behind" {
	run -0 "$SANDBOX" bash -c 'sleep 0.1 &'
	assert_output ''
}

@test "orphans are reaped" {
	run -0 "$SANDBOX" bash -c '
		for i in {1..20}; do (sleep 0 &); done
		for i in {1..200}; do
			grep -qs "^State:.Z" /proc/[0-9]*/status || exit 0
			sleep 0.02
		done
		exit 1'
}

# ---- apart from the machine ----------------------------------------------------------

@test "namespaces are its own" {
	local kind here
	for kind in mnt ipc pid net; do
		here=$(readlink /proc/self/ns/$kind)
		run -0 "$SANDBOX" readlink /proc/self/ns/$kind
		assert_regex "$output" "^$kind:"
		refute_output "$here"
	done
}

@test "machine outside is untouched" {
	local before
	before=$(list_objects)
	run -99 "$SANDBOX" bash -c 'ipcmk -M 1; ipcmk -S 1; ipcmk -Q
		touch /dev/shm/sandbox-test /dev/mqueue/sandbox-test
		touch /tmp/sandbox-test /run/sandbox-test'
	assert_equal "$(list_objects)" "$before"
	assert [ ! -e /tmp/sandbox-test ]
	assert [ ! -e /run/sandbox-test ]
	assert [ ! -e /dev/shm/sandbox-test ]
}

@test "objects of the machine outside are not seen" {
	local id
	id=$(ipcmk -M 1)
	run "$SANDBOX" ipcs -m -i "${id##* }"
	ipcrm -m "${id##* }"
	assert_output --partial 'not found'
	run -0 "$SANDBOX" find /tmp /dev/shm /dev/mqueue -xdev -type f
	assert_output ''
}

@test "only the loopback interface is there, and it works" {
	run -0 "$SANDBOX" ip -brief link
	assert_equal "${#lines[@]}" 1
	assert_line --regexp '^lo .*UP'
	run -0 "$SANDBOX" bash -c '
		socat -u TCP-LISTEN:7777,bind=127.0.0.1 - & pid=$!
		for i in {1..250}; do
			echo hello 2>/dev/null >/dev/tcp/127.0.0.1/7777 && break
			sleep 0.02
		done
		wait $pid'
	assert_output --partial hello
}

@test "devices that programs expect are there and no others" {
	run -0 "$SANDBOX" bash -c 'echo /dev/*; head -c 4 /dev/urandom >/dev/null &&
		! echo x 2>/dev/null >/dev/full && cat </dev/null &&
		echo yes >/dev/stdout'
	assert_line "/dev/fd /dev/full /dev/mqueue /dev/null /dev/ptmx /dev/pts \
/dev/random /dev/shm /dev/stderr /dev/stdin /dev/stdout /dev/tty /dev/urandom \
/dev/zero"
	assert_line yes
}

@test "checkout and directory below /tmp stay visible" {
	copy_for_everybody
	run -0 scripts/sandbox bash -c 'pwd; echo kept >file; ls scripts'
	assert_line "$OWN_DIR"
	assert_line sandbox
	assert_equal "$(cat file)" kept
	# Everything else in there is still hidden, and still looked at.
	run -99 scripts/sandbox touch /tmp/x
	assert_output "sandbox: left behind: /tmp/x"
}

@test "sandbox in a sandbox works" {
	run -99 "$SANDBOX" bash -c '"$0" touch /tmp/inner; echo "inner: $?"
		[[ ! -e /tmp/inner ]] && touch /tmp/outer' "$SANDBOX"
	assert_line 'sandbox: left behind: /tmp/inner'
	assert_line 'inner: 99'
	assert_line 'sandbox: left behind: /tmp/outer'
	refute_line --partial 'behind: /tmp/inner/'
}

# ---- without being root -----------------------------------------------------------------

@test "ordinary user has a sandbox too, and stays the same user" {
	copy_for_everybody
	run -99 as_user scripts/sandbox bash -c 'id -u; id -g
		ipcmk -S 1; touch /dev/shm/a /dev/mqueue/b /tmp/c; sleep 1000 &'
	assert_line --index 0 "$(as_user id -u)"
	assert_line --index 1 "$(as_user id -g)"
	assert_line --regexp 'left behind: System V semaphore set'
	assert_line 'sandbox: left behind: /dev/shm/a'
	assert_line 'sandbox: left behind: /dev/mqueue/b'
	assert_line 'sandbox: left behind: /tmp/c'
	assert_line --regexp 'left behind: process .* sleep 1000'
	run -0 as_user scripts/sandbox scripts/sandbox scripts/sandbox true
}

@test "ordinary user may be the sandbox's root" {
	copy_for_everybody
	run -0 as_user scripts/sandbox --root bash -c 'id -u; mount -t tmpfs x /mnt'
	assert_output 0
}

@test "forbidden namespaces are explained, with what allows them" {
	copy_for_everybody
	# The limits hold for the namespaces made below, not for the machine.
	run -125 as_user unshare --user --map-root-user bash -c '
		echo 0 >/proc/sys/user/max_user_namespaces
		echo 0 >/proc/sys/user/max_mnt_namespaces
		scripts/sandbox touch ran'
	assert_line --partial 'namespaces are not permitted here'
	assert_line --partial 'sysctl -w user.max_user_namespaces='
	assert_line --partial 'docker run'
	assert [ ! -e ran ]
}

# ---- signals -------------------------------------------------------------------------------

# Counts the signals that it gets; ends soon after the first.
counter() {
	cat >counter <<-'END'
		trap 'n=$((n + 1)); echo "got INT $n"' INT
		trap 'n=$((n + 1)); echo "got TERM $n"' TERM
		n=0
		echo ready
		for ((i = 0; i < 1000 && !n; i++)); do sleep 0.02; done
		for ((i = 0; i < 20; i++)); do sleep 0.02; done
		exit 42
	END
}

@test "signal for the sandbox reaches its command, once" {
	local signal
	counter
	for signal in INT TERM; do
		start_server --ready ready "$SANDBOX" bash counter
		stop_server server $signal
		assert_equal "$status" 42
		run -0 cat "$SERVER_OUT"
		assert_output $'ready\ngot '"$signal 1"
	done
}

@test "signal for the whole process group reaches the command once" {
	local signal
	counter
	for signal in INT TERM; do
		start_server --ready ready setsid "$SANDBOX" bash counter
		kill "-$signal" -- "-$SERVER"
		wait_until 30 is_ended "$SERVER"
		run -0 cat "$SERVER_OUT"
		assert_output $'ready\ngot '"$signal 1"
	done
}

@test "command that a signal ends gives 128 and its number" {
	start_server "$SANDBOX" bash -c 'echo ready; exec sleep 1000'
	wait_for_line "$SERVER_OUT" ready 30
	stop_server
	assert_equal "$status" 143
}

@test "killed sandbox takes everything with it" {
	local mark=27182.$$
	start_server --ready ready "$SANDBOX" bash -c \
		"setsid sleep $mark & echo ready; wait"
	wait_until 30 grep -qsz "^$mark$" /proc/[0-9]*/cmdline
	run stop_server server KILL
	no_process_has() {
		! grep -qsz "^$1$" /proc/[0-9]*/cmdline
	}
	wait_until 30 no_process_has "$mark"
}

@test "terminal is the command's: it reads, and Ctrl-C comes once" {
	counter
	cat >dialogue <<-'END'
		set timeout 20
		spawn $env(SANDBOX) bash -c {read -p "name: " x </dev/tty; echo "hello $x"}
		expect "name: "
		send "bob\r"
		expect "hello bob"
		expect eof
		spawn $env(SANDBOX) bash counter
		expect ready
		send "\x03"
		expect {
			"got INT 1" {}
			timeout { exit 1 }
		}
		expect {
			"got INT 2" { exit 2 }
			timeout { exit 3 }
			eof {}
		}
		exit [lindex [wait] 3]
	END
	SANDBOX=$SANDBOX run -42 expect dialogue
	assert_output --partial 'hello bob'
}

# ---- rpcbind ---------------------------------------------------------------------------------

@test "private rpcbind answers and is not left behind" {
	run -0 "$SANDBOX" --rpcbind rpcinfo -p 127.0.0.1
	assert_line --regexp '100000 +4 +tcp +111'
	run ! "$SANDBOX" rpcinfo -p 127.0.0.1
}

@test "ordinary user has a private rpcbind too" {
	copy_for_everybody
	run -0 as_user scripts/sandbox --rpcbind bash -c '
		rpcinfo -p 127.0.0.1; [[ ! -e /tmp/x && $(ls /tmp) ]] || exit 1'
	assert_line --regexp '100000 +4 +tcp +111'
	refute_output --partial 'left behind'
}

@test "missing rpcbind is said" {
	run -125 "$SANDBOX" --root bash -c '
		mount -t tmpfs hidden /usr/sbin
		PATH=/usr/bin:/bin exec "$0" --rpcbind true' "$SANDBOX"
	assert_output 'sandbox: rpcbind not found: apt-get install rpcbind'
}

@test "missing netbase is said" {
	run -125 "$SANDBOX" --root bash -c '
		mount --bind /dev/null /etc/services
		exec "$0" --rpcbind true' "$SANDBOX"
	assert_output --regexp '^sandbox: .*/etc/services .*apt-get install netbase$'
}
