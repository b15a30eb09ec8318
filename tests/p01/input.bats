#!/usr/bin/env bats
# mypipe on what it cannot accept: one line, the right status, nothing left.
load ../support/common
bats_require_minimum_version 1.5.0 # run -127

setup() {
	setup_chapter p01
}

teardown() {
	assert_nothing_left
}

# refuses STATUS PATTERN OPERAND…: one line that matches, and that status.
refuses() {
	local wanted=$1 pattern=$2
	shift 2
	run ./mypipe "$@"
	assert_equal "$status" "$wanted"
	assert_one_line_error "$output" mypipe
	assert_output --regexp "$pattern"
}

@test "no command is a usage error" {
	refuses 2 'no command given'
	refuses 2 'no command given' --pipefail
}

@test "an empty command is a usage error, and nothing runs" {
	refuses 2 'command 2 is empty' "touch made" ""
	refuses 2 'command 1 is empty' " 	" "touch made"
	refuses 2 'command 1 is empty' $'\\\n' "touch made"
	refuses 2 'command 2 is empty' --shell "touch made" " "
	[[ ! -e made ]]
}

@test "an unbalanced quote is a usage error, and nothing runs" {
	refuses 2 'unbalanced quote in command 2' "touch made" "grep 'x"
	refuses 2 'unbalanced quote in command 1' 'echo "' "touch made"
	refuses 2 'unbalanced quote in -c' -c "touch made | grep 'x"
	[[ ! -e made ]]
}

@test "a line of -c with an empty part is a usage error" {
	refuses 2 'command 1 is empty' -c ""
	refuses 2 'command 2 is empty' -c "ls |"
	refuses 2 'command 2 is empty' -c "ls || cat"
	refuses 2 "what is 'cat'" -c "ls" cat
}

@test "an unknown option is a usage error" {
	refuses 2 "unrecognized option '--colour'" --colour ls
	refuses 2 "requires an argument" -c
}

@test "a capacity that is none is a usage error" {
	local size
	for size in 0 abc -1 64Q '' 99999999999999999999 2G; do
		refuses 2 "--pipe-size=$size: accepted is 1 to 1GB" \
			"--pipe-size=$size" ls cat
	done
}

@test "a capacity beyond the system's limit is an error that names it" {
	local may=()
	(($(id -u))) || may=(setpriv --bounding-set -sys_resource)
	run "${may[@]}" ./mypipe --pipe-size=1G cat cat
	assert_equal "$status" 1
	assert_one_line_error "$output" mypipe
	assert_output --partial "pipe-max-size"
}

@test "every command may be missing" {
	run -127 ./mypipe no-a no-b no-c
	assert_output "mypipe: cannot run 'no-a' (stage 1): No such file or directory
mypipe: cannot run 'no-b' (stage 2): No such file or directory
mypipe: cannot run 'no-c' (stage 3): No such file or directory"
}

@test "a hostile name cannot forge a line" {
	run -127 ./mypipe $'no\\\n"\n"mypipe: all is well'
	assert_one_line_error "$output" mypipe
}

@test "a megabyte of arguments arrives" {
	local word i commands=()
	word=$(head -c 100000 /dev/zero | tr '\0' x)
	for ((i = 0; i < 10; i++)); do
		commands+=("sh -c 'cat; printf %s \"\$1\"' sh $word")
	done
	run ./mypipe "${commands[@]}" "wc -c" </dev/null
	assert_success
	assert_output 1000000
}

@test "too long arguments are an error of their command alone" {
	# The kernel takes a quarter of the stack, and no less than 128 KB.
	ulimit -s 512
	run ./mypipe "echo $(yes a | head -n 25000 | tr '\n' ' ')" "wc -c"
	assert_success
	assert_line "mypipe: cannot run 'echo' (stage 1): Argument list too long"
	assert_line 0
}

@test "closed standard streams are no trouble" {
	run bash -c 'timeout 10 ./mypipe "wc -c" cat <&-'
	assert_output --partial "Bad file descriptor"
	timeout 10 ./mypipe --pipefail "echo x" cat >&- 2>err && return 1
	assert_equal "$(grep -c 'Bad file descriptor' err)" 1
	run bash -c 'timeout 10 ./mypipe --status --trace "echo x" cat 2>&-'
	assert_equal "$status" 1
	assert_output x
}

@test "a full disk behind standard output is an error" {
	run bash -c './mypipe "echo x" cat 2>&1 >/dev/full'
	assert_equal "$status" 1
	assert_output --partial "No space left on device"
	run bash -c './mypipe --help 2>&1 >/dev/full'
	assert_equal "$status" 1
	run bash -c './mypipe --status true 2>/dev/full'
	assert_equal "$status" 1
}

@test "running out of descriptors leaves nothing running" {
	run bash -c 'for fd in {3..20}; do eval "exec $fd>&-"; done
		ulimit -n 4; exec ./mypipe "sleep 100" "sleep 100"'
	assert_equal "$status" 1
	assert_one_line_error "$output" mypipe
	assert_output --partial "Too many open files"
}

@test "running out of processes halfway leaves nothing running" {
	local dir may=()
	# Limits do not bind root: be nobody, where nobody can run us.
	dir=$(mktemp -d /tmp/p01.XXXXXX)
	chmod 755 "$dir"
	cp -L mypipe "$dir"
	(($(id -u))) ||
		may=(setpriv --reuid 65534 --regid 65534 --clear-groups)
	readarray -t sleeps < <(yes 'sleep 100' | head -n 1000)
	run timeout 60 "${may[@]}" prlimit --nproc=100 "$dir/mypipe" \
		"${sleeps[@]}"
	rm -r "$dir"
	assert_equal "$status" 1
	assert_one_line_error "$output" mypipe
	assert_output --regexp 'all of 1000 commands, failed at [0-9]+ .*: Resource temporarily unavailable$'
	run pgrep -x sleep
	assert_failure
}
