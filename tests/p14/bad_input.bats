#!/usr/bin/env bats
# What mmapdb refuses, and what it does where the machine refuses: one line,
# exit status 2 or 1 (3 when another writer does not let go), nothing changed.
# shellcheck disable=SC2030,SC2031,SC2094 # a value comes from a file
# sandbox: --root
# needs: strace jq
load ../support/common

# numbered FROM TO FORMAT: a line a number, which FORMAT may have twice.
numbered() {
	awk -v from="$1" -v to="$2" -v format="$3\n" \
		'BEGIN { for (i = from; i <= to; i++) printf format, i, i }'
}

setup() {
	setup_chapter p14
	./mmapdb create good.db >/dev/null
	./mmapdb insert good.db key value >/dev/null
}

# assert_good: nothing that was tried has changed it.
assert_good() {
	assert_equal "$(./mmapdb list "${1-good.db}")" $'key\tvalue'
	./mmapdb check "${1-good.db}" >/dev/null
}

# refused STATUS ARGUMENT…: one line, and that status.
refused() {
	local wanted=$1
	shift
	run ./mmapdb "$@"
	assert_failure "$wanted"
	assert_one_line_error "$output" mmapdb
}

@test "a missing or unknown verb is refused, with the verbs" {
	refused 2
	assert_output --partial 'give a verb: create, insert (put), get'
	refused 2 frobnicate good.db
	assert_output --partial "no verb 'frobnicate'"
	refused 2 ''
	refused 2 --size=1
	refused 2 -x
}

@test "missing and superfluous operands are refused" {
	for verb in create insert put get del exists count list import export \
		batch stat check compact backup; do
		refused 2 "$verb"
		refused 2 "$verb" a b c d
		refused 2 "$verb" good.db --no-such-option
	done
	refused 2 insert good.db
	refused 2 insert good.db key
	refused 2 get good.db
	refused 2 backup good.db
	assert_good
}

@test "an empty key, and one that is too long" {
	long=$(printf '%01025d' 0)
	for verb in get del exists; do
		refused 2 "$verb" good.db ''
		assert_output 'mmapdb: the key is empty: accepted are 1 to 1024 bytes'
		refused 2 "$verb" good.db "$long"
		assert_output --partial 'has 1025 bytes: accepted are 1 to 1024'
	done
	refused 2 insert good.db '' value
	refused 2 insert good.db "$long" value
	assert_good
	run ./mmapdb insert good.db "${long#0}" value
	assert_success
}

@test "a value that is too long" {
	head -c 16777217 /dev/zero >long
	run ./mmapdb insert good.db long - <long
	assert_failure 2
	assert_one_line_error "$output" mmapdb
	assert_output --partial '16777216 bytes'
	assert_good
	truncate -s 16777216 long
	run ./mmapdb insert good.db long - <long
	assert_success
	./mmapdb get --raw good.db long | cmp - long
}

@test "a file that is not there, and a folder that is not" {
	for verb in count list export stat check compact; do
		refused 1 "$verb" none.db
		assert_output --partial 'there is no such file'
	done
	refused 1 get none.db key
	refused 1 insert none.db key value
	refused 1 create none/new.db
	assert_output --partial 'No such file or directory'
	refused 1 create good.db
	assert_output --partial 'File exists'
	refused 1 backup good.db none/copy.db
	refused 1 backup good.db good.db
	[[ ! -e none.db ]]
	assert_good
}

@test "what is no database is refused, and left alone" {
	printf 'something else\n' >text
	head -c 1048576 /dev/zero >zeros
	head -c 1048576 /dev/urandom >random
	touch empty
	mkdir folder
	mkfifo pipe
	cp good.db cut
	truncate -s 5000 cut
	for file in text zeros random empty folder cut /dev/null; do
		for verb in list check compact; do
			refused 1 "$verb" "$file"
		done
		refused 1 insert "$file" key value
	done
	run timeout 20 ./mmapdb list pipe
	assert_failure 1
	assert_one_line_error "$output" mmapdb
	assert_equal "$(cat text)" 'something else'
	[[ ! -s empty ]]
}

@test "a file that is there as the lock file is named, and left alone" {
	rm good.db-lock
	echo 'a letter' >good.db-lock
	refused 1 get good.db key
	assert_output 'mmapdb: cannot open good.db: good.db-lock is no lock file of a database, or is of a user to whom good.db is not open'
	assert_equal "$(<good.db-lock)" 'a letter'
}

@test "a file that may only be read is read, and not written to" {
	need_second_user
	as_nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	chmod 0444 good.db
	chmod 0777 .
	run "${as_nobody[@]}" ./mmapdb get good.db key
	assert_success
	assert_output value
	run "${as_nobody[@]}" ./mmapdb insert good.db key other
	assert_failure 1
	assert_one_line_error "$output" mmapdb
	assert_output --partial 'Permission denied'
	assert_good
}

# A writer that stands still in the midst of its commit: $SERVER is strace, and
# $writer the writer. What is too large for the log is synced under the lock.
start_stuck_writer() {
	head -c 100000 /dev/zero >large
	start_server strace -o trace -e trace=fdatasync \
		-e inject=fdatasync:delay_enter=600s \
		bash -c 'exec ./mmapdb insert good.db other - <large'
	wait_until 20 has_writer
	writer=$(pgrep -P "$SERVER")
}

has_writer() {
	(($(./mmapdb stat good.db --json | jq .writer) != 0))
}

@test "who does not let go is named, at the end of the time" {
	start_stuck_writer
	refused 3 insert good.db key other --timeout=200ms
	assert_output "mmapdb: cannot write to good.db: process $writer writes \
to it, and has not let go in time (see --timeout)"
	for arguments in 'del good.db key' 'compact good.db'; do
		# shellcheck disable=SC2086 # a list of words
		refused 3 $arguments --timeout=0
		assert_output --partial "process $writer writes to it"
	done
	run ./mmapdb batch good.db --timeout=0 <<<'del key'
	assert_failure 3
	assert_good # readers wait for nobody
	kill -KILL "$writer" "$SERVER"
	run ./mmapdb insert good.db key value
	assert_success
}

# Its pid there is another process's number here.
@test "a writer of another PID namespace is not named by a number" {
	unshare --pid --fork true 2>/dev/null || skip 'needs root: unshare'
	head -c 100000 /dev/zero >large
	start_server unshare --pid --fork --mount-proc --kill-child \
		strace -f -o trace -e trace=fdatasync \
		-e inject=fdatasync:delay_enter=600s \
		bash -c 'exec ./mmapdb insert good.db other - <large'
	wait_until 20 grep -q fdatasync trace
	assert_equal "$(./mmapdb stat good.db --json | jq .writer)" 0
	refused 3 insert good.db key other --timeout=0
	refute_output --regexp 'process [0-9]'
	stop_server server KILL
}

@test "SIGINT in the midst of an import ends it by that signal, and changes nothing" {
	mkfifo pipe
	env --default-signal=INT ./mmapdb import good.db <pipe 3>&- &
	import=$!
	exec 5>pipe
	# More than a pipe holds: when all of it is written, some was read.
	numbered 1 4000 '{"key": "new", "value": "%d"}' >&5
	kill -INT "$import"
	status=0
	wait "$import" || status=$?
	assert_equal "$status" 130
	exec 5>&-
	assert_good
	run ./mmapdb exists good.db new
	assert_failure 1
}

@test "a full disk is one line, and what was there stays" {
	mkdir disk
	mount -t tmpfs -o size=2m none disk 2>/dev/null ||
		skip 'needs root: to mount'
	./mmapdb create disk/small.db --size=1MB
	./mmapdb insert disk/small.db key value
	head -c 3000000 /dev/urandom >large
	run ./mmapdb insert disk/small.db large - <large
	assert_failure 1
	assert_one_line_error "$output" mmapdb
	assert_output --partial 'No space left on device'
	assert_good disk/small.db
	refused 1 create disk/other.db --size=10MB
	assert_output --partial 'No space left on device'
	[[ ! -e disk/other.db ]]
	refused 1 backup disk/small.db disk/none/copy.db
	# And it can still be written to.
	run ./mmapdb insert disk/small.db key value
	assert_success
	assert_good disk/small.db
	umount disk
}

@test "a limit of file sizes is one line" {
	head -c 3000000 /dev/urandom >large
	run bash -c 'ulimit -f 1500 && exec ./mmapdb insert good.db large - <large'
	assert_failure 1
	assert_one_line_error "$output" mmapdb
	assert_output --partial 'File too large'
	run bash -c 'ulimit -f 100 && exec ./mmapdb create new.db --size=10MB'
	assert_failure 1
	assert_one_line_error "$output" mmapdb
	[[ ! -e new.db ]]
	assert_good
}

@test "--max-size is a limit with nothing half-done" {
	./mmapdb create small.db --size=1MB --max-size=2MB >/dev/null
	./mmapdb insert small.db key value >/dev/null
	head -c 3000000 /dev/urandom >large
	run ./mmapdb insert small.db large - <large
	assert_failure 1
	assert_one_line_error "$output" mmapdb
	assert_good small.db
	numbered 1 50000 'put %06d some text that fills its page %d' >lines
	run ./mmapdb batch small.db <lines
	assert_failure 1
	assert_good small.db
	(($(stat -c %s small.db) <= 2 << 20))
}

@test "negative and absurd sizes are refused" {
	for size in -1 -1MB 0 x '' 1.5MB 1XB 5000GB 99999999999999999999; do
		refused 2 create new.db --size="$size"
		refused 2 create new.db --max-size="$size"
	done
	refused 2 create new.db --max-size=1MB
	assert_output --partial 1088KB
	refused 2 create new.db --size=3MB --max-size=2MB
	refused 2 create new.db --mode=0999
	refused 2 create new.db --mode=0077
	refused 2 list good.db --limit=-1
	refused 2 list good.db --limit=x
	refused 2 insert good.db key value --timeout=-1s
	refused 2 insert good.db key value --timeout=x
	refused 2 export good.db --format=xml
	[[ ! -e new.db ]]
	assert_good
}

# import_refused LINE WHY FORMAT <text
import_refused() {
	run ./mmapdb import good.db --format="$3"
	assert_failure 1
	assert_one_line_error "$output" mmapdb
	assert_output "mmapdb: standard input, line $1: $2; nothing has been changed"
	assert_good
}

@test "a malformed line of an import is named, and nothing is applied" {
	import_refused 2 'wanted is {"key": "...", "value": "..."}' json \
		< <(printf '{"key": "a", "value": "b"}\n{"key": "c"}\n')
	import_refused 2 "'[' or '{' expected" json \
		< <(printf '{"key": "a", "value": "b"}\n\n')
	import_refused 1 'the key is empty' json \
		< <(printf '{"key": "", "value": "b"}\n')
	import_refused 1 'the key is longer than 1024 bytes' json \
		< <(printf '{"key": "%01025d", "value": "b"}\n' 0)
	import_refused 1 'unable to decode byte 0xff' json \
		< <(printf '{"key": "a", "value": "\xff"}\n')
	import_refused 3 'a line has two fields, key and value' csv \
		< <(printf 'key,value\na,b\nc\n')
	import_refused 1 'the first line is not key,value' csv \
		< <(printf 'a,b\n')
	refused 1 import good.db none.jsonl
	refused 1 import good.db .
}

@test "a malformed line of a batch is named, and nothing is applied" {
	for line in 'putt a b' 'put a' 'put' 'del a b' 'put a \q' ''; do
		run ./mmapdb batch good.db < <(printf 'del key\n%s\n' "$line")
		assert_failure 1
		assert_one_line_error "$output" mmapdb
		assert_output --partial 'standard input, line 2: '
		assert_good
	done
}

@test "a flipped bit is an error that names the page, and no record" {
	numbered 1 2000 'put %06d some text that fills its page %d' |
		./mmapdb batch good.db >/dev/null
	# In the value of a record, where it lies in a page.
	at=$(grep -abo 'fills its page 1234' good.db | tail -n 1 | cut -d: -f1)
	printf 'X' | dd of=good.db bs=1 seek="$at" conv=notrunc status=none
	refused 1 get good.db 001234
	assert_output --regexp "page [0-9]+"
	refused 1 check good.db
	assert_output --regexp 'good.db is damaged: page [0-9]+: '
	run ./mmapdb get good.db key
	assert_success
}

@test "a full standard output is one line" {
	for command in 'get good.db key' 'list good.db' 'export good.db' \
		'count good.db' 'stat good.db' 'check good.db'; do
		run bash -c "./mmapdb $command >/dev/full"
		assert_failure 1
		assert_one_line_error "$output" mmapdb
	done
	assert_good
}

@test "signals end it at once, and nothing is left" {
	mkfifo pipe # of a value that never comes
	for signal in INT TERM HUP; do
		start_server bash -c 'exec ./mmapdb insert good.db key - <>pipe'
		wait_until 20 grep -q mmapdb "/proc/$SERVER/comm"
		stop_server server $signal
		assert_equal "$status" $((128 + $(kill -l $signal)))
	done
	assert_good
	assert_nothing_left
}
