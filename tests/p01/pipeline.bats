#!/usr/bin/env bats
# mypipe as a user types it: pipelines, statuses, what it reports.
# shellcheck disable=SC2016,SC2030,SC2031 # commands are text
load ../support/common
bats_require_minimum_version 1.5.0 # run -127

setup() {
	setup_chapter p01
	# ./only_std COMMAND…: run it with 0, 1 and 2 and no other descriptor.
	cat >only_std <<-'END'
		#!/bin/bash
		for fd in /proc/$$/fd/*; do
			fd=${fd##*/}
			((fd <= 2 || fd == 255)) || eval "exec $fd>&-"
		done
		exec "$@"
	END
	chmod +x only_std
}

# repeat N WORD: N lines of it.
repeat() {
	yes "$2" | head -n "$1"
}

# ---- the guide's transcript, and what it calls done ----------------------------
# With the guide's command line alone: any program of that name can pass these.

# bats test_tags=guide
@test "two commands print what bash prints" {
	touch notes.txt data.txt other
	run timeout 10 ./mypipe "ls -la" "grep txt"
	assert_success
	assert_output "$(bash -c 'ls -la | grep txt')"
	assert_line --index 1 --regexp '^-rw.* notes\.txt$'
}

# bats test_tags=guide
@test "three commands find root" {
	run timeout 10 ./mypipe "cat /etc/passwd" "grep ^root:" "cut -d: -f1"
	assert_success
	assert_output root
}

# bats test_tags=guide
@test "while it waits it has 0, 1 and 2 open and nothing else" {
	mkfifo input
	start_server ./only_std ./mypipe "cat input" "cat"
	wait_until 10 has_commands 2
	# It may be about to close its last ends.
	wait_until 10 has_only_std || ls -l "/proc/$SERVER/fd"
	has_only_std
	echo end >input
	wait_until 10 is_ended "$SERVER"
	stop_server
	assert_equal "$(cat "$SERVER_OUT")" end
}

has_commands() {
	[[ $(pgrep -cxP "$SERVER" cat) == "$1" ]]
}

has_only_std() {
	[[ $(ls "/proc/$SERVER/fd") == $'0\n1\n2' ]]
}

# bats test_tags=guide
@test "no zombie and no command is left when it has ended" {
	# Not by run, which waits until nobody can print any more.
	timeout 10 ./mypipe "sleep 0.309" "cat" >out
	run pgrep -afx "sleep 0.309"
	assert_output ''
	run pgrep -r Z -P "1,$$"
	assert_output ''
}

# bats test_tags=guide
@test "pipelines of plain words print what bash prints" {
	local line commands
	seq 1 20000 >numbers
	while IFS= read -r line; do
		# shellcheck disable=SC2001 # no expansion knows of \n
		mapfile -t commands < <(sed 's/ | /\n/g' <<<"$line")
		run timeout 10 ./mypipe "${commands[@]}"
		assert_success
		assert_output "$(bash -c "$line")"
	done <<-'END'
		cat numbers | wc -l
		cat numbers | sort -r | head -n 3
		cat numbers | grep 99 | tail -n 2 | tr 9 8
		cat numbers | cat | cat | cat | cat | md5sum
		true | cat
	END
}

@test "no zombie while it waits, and none afterwards" {
	start_server --ready ready ./mypipe --shell true \
		'cat; echo ready; exec sleep 100'
	wait_until 30 has_no_zombie
	stop_server
	has_no_zombie
}

has_no_zombie() {
	run pgrep -r Z -P "$SERVER,$$"
	[[ -z $output ]]
}

@test "pipelines print what bash prints" {
	local line
	seq 1 2000 >numbers
	while IFS= read -r line; do
		run ./mypipe -c "$line"
		assert_output "$(bash -c "$line")"
		run ./mypipe --shell -c "$line"
		assert_output "$(bash -c "$line")"
	done <<-'END'
		cat numbers | sort -r | head -n 3
		cat numbers | grep '[05]$' | wc -l
		printf '%s\n' 'a|b' "c|d" e\|f | tr '|' / | sort
		seq 100 | sed -n "s/^\(.\)0$/\1/p" | tr '\n' ' '
		echo "it's" 'a "test"' of\ quotes | cat -A
		cat numbers | md5sum
		false | true
		true
	END
}

# ---- data and descriptors ------------------------------------------------------

@test "megabytes pass unchanged" {
	head -c 5000000 /dev/urandom >data
	./mypipe cat cat cat cat <data >copy
	cmp data copy
}

@test "the writer ends as soon as its reader has" {
	run timeout 10 ./mypipe --status yes "head -n 1"
	assert_success
	assert_line --index 0 y
	assert_line --regexp '1 .*killed by SIGPIPE +141 .*yes$'
}

@test "a caller that ignores SIGPIPE does not change that" {
	run timeout 10 env --ignore-signal=PIPE ./mypipe --pipefail yes \
		"head -n 1"
	assert_equal "$status" 141
}

@test "commands have an empty signal mask" {
	run env --block-signal=TERM,USR1 ./mypipe "grep SigBlk /proc/self/status"
	assert_output --regexp '^SigBlk:[[:space:]]*0+$'
}

@test "what nohup ignores stays ignored, in mypipe and in the commands" {
	start_server --ready ready env --ignore-signal=HUP ./mypipe --shell \
		'grep SigIgn /proc/self/status' \
		'cat; kill -HUP $PPID; echo ready; exec sleep 100'
	grep -q 'SigIgn:.*[13579bdf]$' "$SERVER_OUT"
	stop_server
	assert_equal "$status" 143
}

# bats test_tags=guide
@test "a command has 0, 1, 2 and what was inherited" {
	run timeout 10 ./only_std ./mypipe true "ls /proc/self/fd" cat
	assert_output $'0\n1\n2\n3' # 3 is the directory that ls reads
	run timeout 10 ./only_std bash -c './mypipe true "ls /proc/self/fd" cat 7<.'
	assert_output $'0\n1\n2\n3\n7'
}

@test "300 commands start with 64 descriptors" {
	ulimit -n 64
	readarray -t cats < <(repeat 299 cat)
	run ./mypipe "echo through" "${cats[@]}"
	assert_success
	assert_output through
}

@test "1,000 commands pass a line and leave nothing" {
	readarray -t cats < <(repeat 999 cat)
	run ./mypipe --pipefail "echo through" "${cats[@]}"
	assert_success
	assert_output through
	assert_nothing_left
}

# How much a writer can write before its reader reads: mypipe's options, then
# how many commands more.
capacity() {
	local n=$1
	shift
	readarray -t cats < <(repeat "$n" cat)
	rm -f full
	run ./mypipe "$@" --shell \
		'dd if=/dev/zero bs=4K count=1000 oflag=nonblock; : >full' \
		'until [ -e full ]; do sleep 0.01; done; wc -c' "${cats[@]}" \
		2>/dev/null
}

@test "--pipe-size sets the capacity of the pipes" {
	capacity 1 --pipe-size=8K
	assert_line 8192
	capacity 1 --pipe-size=1M
	assert_line 1048576
}

@test "few commands get pipes of 256 KB, many the system's" {
	capacity 14 # and the two that measure
	assert_line 262144
	capacity 15
	assert_line 65536
}

@test "--shell hands each command to the shell" {
	run ./mypipe --shell 'for i in 1 2 3; do echo $i; done' \
		'while read n; do echo $((n * n)); done' 'cat; echo end'
	assert_success
	assert_output $'1\n4\n9\nend'
}

# ---- statuses -------------------------------------------------------------------

@test "the exit status is the last command's" {
	run ./mypipe false true
	assert_equal "$status" 0
	run ./mypipe true "sh -c 'exit 42'"
	assert_equal "$status" 42
	run ./mypipe --shell true 'kill -KILL $$'
	assert_equal "$status" 137
}

@test "--pipefail exits with the last failure" {
	run ./mypipe --pipefail --shell 'exit 3' 'cat; exit 4' 'cat'
	assert_equal "$status" 4
	run ./mypipe --pipefail true true
	assert_equal "$status" 0
}

@test "an ignored SIGCHLD does not hide how the commands ended" {
	run env --ignore-signal=CHLD ./mypipe --status true "sh -c 'exit 42'"
	assert_equal "$status" 42
	assert_line --regexp '^ +1 +[0-9]+ +exited with status 0 '
}

@test "a command that is not found is named, and the others end" {
	run timeout 10 ./mypipe yes sotr "wc -l"
	assert_success
	assert_line "mypipe: cannot run 'sotr' (stage 2): No such file or directory"
	assert_line 0
	run -127 ./mypipe "echo x" sotr
	run -127 ./mypipe --pipefail true sotr true
}

@test "a file that cannot be run is 126" {
	echo '#!/bin/sh' >script
	run ./mypipe true ./script
	assert_equal "$status" 126
	assert_output "mypipe: cannot run './script' (stage 2): Permission denied"
	run ./mypipe /
	assert_equal "$status" 126
}

@test "a script without a first line is run as by every shell" {
	echo 'cat; echo "$#: $1"' >script
	chmod +x script
	run ./mypipe "echo in" "./script 'a b'" cat
	assert_success
	assert_output $'in\n1: a b'
}

@test "options stand in front of the first command alone" {
	printf '#!/bin/sh\necho "option of its own" "$@"\n' >--status
	chmod +x ./--status
	PATH=.:$PATH run ./mypipe "echo x" "--status one"
	assert_output 'option of its own one'
	run ./mypipe true -- cat
	assert_output --partial "cannot run '--' (stage 2)"
	run ./mypipe --pipefail -- false cat
	assert_equal "$status" 1
}

@test "--status tells how each command ended, and its times" {
	run ./mypipe --status --shell 'exit 3' 'kill -TERM $$' 'exit 0'
	assert_line --regexp \
		'^ +1 +[0-9]+ +exited with status 3 +3 +[0-9.]+ [mu]?s +[0-9.]+ [mu]?s +/bin/sh$'
	assert_line --regexp '^ +2 +[0-9]+ +killed by SIGTERM +143 '
	assert_line --regexp '^ +3 +[0-9]+ +exited with status 0 +0 '
	run ./mypipe --status sotr cat
	assert_line --regexp \
		'^ +1 +- +not started: No such file or directory +127 +- +- +sotr$'
}

# The first ends half a second after mypipe has collected the second; which of
# them began first is not said, and the figures are rounded.
@test "elapsed time is each command's own" {
	run ./mypipe --status --shell \
		'until [ -s second ]; do sleep 0.01; done
		while [ -e /proc/$(cat second) ]; do sleep 0.01; done; sleep 0.5' \
		'echo $$ >pid; mv pid second'
	assert_success
	run awk -v 'RS=\n' '$1 ~ /^[12]$/ {
		to_ms["us"] = 0.001; to_ms["ms"] = 1; to_ms["s"] = 1000
		elapsed[$1] = $8 * to_ms[$9]
	} END { exit !(elapsed[1] >= 500 && elapsed[1] >= elapsed[2] + 400) }' \
		<<<"$output"
	assert_success
}

@test "--trace shows the descriptors as they were wired" {
	run ./only_std ./mypipe --trace true true true
	assert_success
	assert_output --regexp "^process +pid  0         1         2  3           4           5
─+
1 true +[0-9]+  =         pipe 1 w  =  \(pipe 1 r\)  \(pipe 1 w\)
  mypipe +[0-9]+  =         =         =  pipe 1 r    \(pipe 1 w\)
2 true +[0-9]+  pipe 1 r  pipe 2 w  =  \(pipe 1 r\)  \(pipe 2 r\)  \(pipe 2 w\)
  mypipe +[0-9]+  =         =         =  \(pipe 1 r\)  pipe 2 r    \(pipe 2 w\)
3 true +[0-9]+  pipe 2 r  =         =              \(pipe 2 r\)
  mypipe +[0-9]+  =         =         =              \(pipe 2 r\)
= what "
}
