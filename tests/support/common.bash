# What every tests/*.bats starts from: `load ../support/common`.
#
#   setup_chapter p01       the commands of a chapter as ./NAME, in an empty
#                           directory of this test's own
#   need_second_user, need_writable FILE
#   start_server … / stop_server, wait_until, wait_for_line
#   assert_one_line_error "$output", assert_nothing_left
#
# A test that starts servers needs nothing more: the default teardown ends
# them. One that defines its own teardown calls end_servers or stop_servers in
# it.

declare -F bats_load_library >/dev/null || load ../support/old-bats
bats_require_minimum_version 1.5.0
bats_load_library bats-support
bats_load_library bats-assert

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
export LC_ALL=C.UTF-8

# ---- the commands under test ------------------------------------------------

# setup_chapter p01: go to an empty directory that has a symbolic link to each
# command of the chapter, so that ./mypipe works as the guide prints it. BIN
# (make check P=p01 BIN=~/mine) is where the reader's own commands are.
setup_chapter() {
	local dir command
	CHAPTER=$(chapter_dir "$1") || return 1
	SCRATCH=$BATS_TEST_TMPDIR/work
	mkdir -p "$SCRATCH"
	dir=$(realpath -- "${BIN:-$CHAPTER}") || return 1
	cd "$SCRATCH" || return 1
	for command in "$dir"/*; do
		if [[ -f $command && -x $command ]]; then
			ln -s "$command" . || return 1
		fi
	done
}

# The folder of p01 … p18; of suite it is the root, where ipc_suite lands.
chapter_dir() {
	local dir
	if [[ $1 == suite ]]; then
		echo "$ROOT"
		return
	fi
	for dir in "$ROOT/$1"-*/; do
		if [[ -d $dir ]]; then
			echo "${dir%/}"
			return
		fi
	done
	echo "no folder for chapter $1 in $ROOT" >&2
	return 1
}

# ---- what a test needs ------------------------------------------------------

# Skip unless this process may become another user: in a namespace that an
# ordinary user has made there is no second one.
need_second_user() {
	setpriv --reuid=65534 --regid=65534 --clear-groups true 2>/dev/null ||
		skip 'needs root: a second user'
}

# need_writable /proc/sys/kernel/sem, a limit of the sandbox's own.
need_writable() {
	[[ -w $1 ]] || skip "needs root: to write to $1"
}

# ---- waiting for a condition ------------------------------------------------

# wait_until SECONDS COMMAND…: until COMMAND succeeds; fails when it never did.
wait_until() {
	local seconds=$1 deadline
	shift
	deadline=$((${EPOCHREALTIME/./} + seconds * 1000000))
	until "$@"; do
		if ((${EPOCHREALTIME/./} > deadline)); then
			echo "not so after $seconds s: $*" >&2
			return 1
		fi
		sleep 0.02
	done
}

# wait_for_line FILE REGEX SECONDS
wait_for_line() {
	wait_until "$3" grep -qE -- "$2" "$1" && return
	echo "no line like '$2' in $1, which holds:" >&2
	cat -- "$1" >&2
	return 1
}

# Ended: no such process, or a zombie that nobody has waited for yet.
is_ended() {
	local stat
	read -r stat 2>/dev/null <"/proc/$1/stat" || return 0
	stat=${stat##*) }
	[[ ${stat%% *} == [ZX] ]]
}

# ---- servers in the background ------------------------------------------------

declare -gA SERVER_PID=()
SERVER_SECONDS=30

# start_server [--ready REGEX] [--name NAME] COMMAND…: start it, and wait until
# a line of its output matches REGEX. Its pid is $SERVER and
# ${SERVER_PID[NAME]}, what it prints is in the files $SERVER_OUT and
# $SERVER_ERR (NAME.out, NAME.err). NAME is "server" unless given.
start_server() {
	local ready='' name=server
	while [[ $1 == --* ]]; do
		case $1 in
		--ready) ready=$2 ;;
		--name) name=$2 ;;
		*)
			echo "start_server: no option $1" >&2
			return 1
			;;
		esac
		shift 2
	done
	SERVER_OUT=$BATS_TEST_TMPDIR/$name.out
	SERVER_ERR=$BATS_TEST_TMPDIR/$name.err
	rm -f -- "$SERVER_OUT" "$SERVER_ERR"
	# Descriptor 3 is bats' own: a server that kept it would hold up the
	# run. And a shell starts background commands with SIGINT ignored.
	env --default-signal=INT,QUIT -- "$@" </dev/null \
		>"$SERVER_OUT" 2>"$SERVER_ERR" 3>&- &
	SERVER=$!
	SERVER_PID[$name]=$SERVER
	[[ -z $ready ]] || wait_for_ready "$name" "$ready"
}

wait_for_ready() {
	if wait_until "$SERVER_SECONDS" is_ready_or_ended "$2" &&
		grep -qsE -- "$2" "$SERVER_OUT" "$SERVER_ERR"; then
		return
	fi
	if is_ended "$SERVER"; then
		echo "$1 ended before it was ready ('$2')" >&2
	else
		echo "$1 is not ready ('$2')" >&2
	fi
	tail -n 20 -- "$SERVER_OUT" "$SERVER_ERR" >&2
	return 1
}

is_ready_or_ended() {
	is_ended "$SERVER" || grep -qsE -- "$1" "$SERVER_OUT" "$SERVER_ERR"
}

# stop_server [NAME] [SIGNAL]: send SIGNAL (TERM) and wait until it has ended.
# Sets status, like `run`. What does not end in time is killed, and fails.
stop_server() {
	local name=${1:-server} signal=${2:-TERM} pid
	pid=${SERVER_PID[$name]:?there is no server of that name}
	unset "SERVER_PID[$name]"
	kill "-$signal" "$pid" 2>/dev/null || true
	if ! wait_until "$SERVER_SECONDS" is_ended "$pid"; then
		kill -KILL "$pid"
		wait "$pid" || true
		echo "$name did not end after SIG$signal" >&2
		return 1
	fi
	status=0
	# shellcheck disable=SC2034 # for the test, as `run` does it
	wait "$pid" || status=$?
}

end_servers() {
	local pid
	for pid in "${SERVER_PID[@]}"; do
		kill -KILL "$pid" 2>/dev/null || true
		wait "$pid" 2>/dev/null || true
	done
	SERVER_PID=()
}

# Orderly, for servers that take back at their end what they have registered.
# One that has ended by itself is a failure.
stop_servers() {
	local name
	for name in "${!SERVER_PID[@]}"; do
		kill -CONT "${SERVER_PID[$name]}"
		stop_server "$name"
	done
}

teardown() {
	end_servers
}

# ---- assertions -----------------------------------------------------------------

# assert_one_line_error "$output" [PROGRAM]: "program: what, on what: why".
assert_one_line_error() {
	if [[ -z $1 || $1 == *$'\n'* || ! $1 =~ ^[A-Za-z0-9_./-]+:\ . ]]; then
		batslib_print_kv_single_or_multi 6 \
			wanted "one line 'program: what: why'" got "$1" |
			batslib_decorate 'not an error message' | fail
		return
	fi
	[[ -z ${2-} || $1 == "$2: "* ]] ||
		fail "wanted a message of $2, got: $1"
}

# What the kernel and /tmp hold, one line each; only ours in the sandbox.
list_objects() {
	ipcs -m -q -s | awk '/^------/ { kind = $2 " " $3 }
		/^0x/ { print "System V", kind, "id", $2, "key", $1 }'
	find /dev/shm /dev/mqueue -mindepth 1 2>/dev/null
	find /tmp -mindepth 1 -maxdepth 1 -user "$(id -u)" \
		\( -name 'unixipc*' -o -name 'ipc.*' \) 2>/dev/null
}

# Call it after everything has been stopped.
assert_nothing_left() {
	local left
	left=$(list_objects)
	[[ -z $left ]] || fail "left behind: $left"
}
