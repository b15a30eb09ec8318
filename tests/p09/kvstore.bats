#!/usr/bin/env bats
# kvstore as a user runs it; the store is in reclock_test.c and its neighbours.
# needs: jq strace

load ../support/common

setup() {
	setup_chapter p09
	unset KVSTORE_FILE
}

# ---- what the guide asks for ---------------------------------------------------

# bats test_tags=guide
@test "the guide's transcript" {
	./kvstore set key1 value1 3>&- &
	./kvstore set key2 value2 3>&- &
	./kvstore get key1 >/dev/null 2>&1 3>&- &
	./kvstore set key1 updated 3>&- &
	wait
	run ./kvstore get key1
	assert_success
	# Which of the two came last is the scheduler's choice.
	assert_output --regexp '^(value1|updated)$'
	run ./kvstore get key2
	assert_output value2
	./kvstore set key1 updated
	run ./kvstore get key1
	assert_output updated
}

# bats test_tags=guide
@test "lock-test prints the guide's lines" {
	./kvstore set key1 value1
	run ./kvstore lock-test key1
	assert_success
	assert_output "$(printf '%s\n' \
		'Process 1: Acquired write lock on key1' \
		'Process 2: Waiting for lock...' \
		'(Process 1 holds lock for 2 seconds)' \
		'Process 1: Released lock' \
		'Process 2: Acquired write lock on key1')"
}

# bats test_tags=guide
@test "concurrent writers never corrupt records" {
	for i in {1..40}; do
		./kvstore set "key$i" "value $i" 3>&- &
		./kvstore set common "all of $i $i $i" 3>&- &
	done
	wait
	for i in {1..40}; do
		run ./kvstore get "key$i"
		assert_output "value $i"
	done
	run ./kvstore get common
	assert_output --regexp '^all of ([0-9]+) \1 \1$'
}

# bats test_tags=guide
@test "a key that is not there is exit 1 and nothing on standard output" {
	./kvstore set key1 value1
	run bash -c './kvstore get key2 2>/dev/null'
	assert_failure 1
	assert_output ''
}

# ---- the verbs -------------------------------------------------------------------

@test "get before there is a file is one line and exit 1" {
	run bash -c './kvstore get key1 2>err'
	assert_failure 1
	assert_output ''
	assert_one_line_error "$(<err)" kvstore
	[[ $(<err) == *"no key 'key1'"* ]]
	assert [ ! -e kvstore.db ]
}

@test "del, and what is deleted is gone" {
	./kvstore set key1 value1
	run ./kvstore del key1
	assert_success
	assert_output ''
	run ./kvstore del key1
	assert_failure 1
	assert_one_line_error "$output" kvstore
	run ./kvstore get key1
	assert_failure 1
}

@test "the file is that of --file, of KVSTORE_FILE, or ./kvstore.db" {
	./kvstore set where here
	KVSTORE_FILE=other.db ./kvstore set where there
	./kvstore --file=third.db set where nowhere
	run ./kvstore get where
	assert_output here
	run ./kvstore -f other.db get where
	assert_output there
	KVSTORE_FILE=other.db run ./kvstore -f third.db get where
	assert_output nowhere
}

@test "values of any bytes, from standard input" {
	printf 'a\0b\n\xff' | ./kvstore set binary -
	./kvstore get --raw binary >out
	printf 'a\0b\n\xff' | cmp - out
	./kvstore get binary >out
	printf 'a\0b\n\xff\n' | cmp - out
	./kvstore set empty ''
	run ./kvstore get empty
	assert_success
	assert_output ''
}

@test "list, by prefix and with values, is what batch reads" {
	printf '%s\n' 'set user:1 Alice' 'set user:2 Bob\x0aBuilder' \
		'set a\x20key back\\slash' 'set gone x' 'del gone' 'incr count 5' |
		./kvstore batch >out
	assert_equal "$(<out)" 5
	run bash -c './kvstore list | sort'
	assert_output "$(printf '%s\n' 'a\x20key' count user:1 user:2)"
	run bash -c './kvstore list --prefix=user: --values | sort'
	assert_output "$(printf '%s\t%s\n' user:1 Alice user:2 'Bob\x0aBuilder')"
	./kvstore list -v | sed 's/^/set /' | ./kvstore -f copy.db batch
	assert_equal "$(./kvstore list -v | sort)" \
		"$(./kvstore -f copy.db list -v | sort)"
}

@test "incr is atomic among processes" {
	for _ in {1..30}; do
		./kvstore incr n >/dev/null 3>&- &
		./kvstore incr n 2 >/dev/null 3>&- &
	done
	wait
	run ./kvstore incr n -90
	assert_output 0
	./kvstore set n many
	run ./kvstore incr n
	assert_failure 1
	assert_output "kvstore: incr 'n': the value is no number"
}

@test "a batch with a malformed line changes nothing" {
	for line in set 'set key' 'del' 'del a b' 'incr a b' 'get a' '' ' a b' \
		'set a \q' 'set  b' 'incr a 1x' 'SET a b'; do
		run ./kvstore batch <<<"set good 1"$'\n'"$line"
		assert_failure 1
		assert_one_line_error "$output" kvstore
		[[ $output == *'line 2 '* ]]
		assert [ ! -e kvstore.db ]
	done
	# What stands behind a null byte belongs to the line.
	run ./kvstore batch < <(printf 'set good 1\nincr a 5\0x\n')
	assert_failure 1
	assert [ ! -e kvstore.db ]
	printf 'set a 1\nset a \nincr a' | ./kvstore batch || true
	run ./kvstore get a
	assert_output ''
}

@test "ten thousand changes at once, while others make theirs" {
	seq 10000 | sed 's/.*/set key& value&/' >lines
	sed 's/value/other/' lines >others
	./kvstore batch <lines 3>&- &
	./kvstore batch <others 3>&- &
	for i in {1..20}; do
		./kvstore set "single$i" here
	done
	wait
	./kvstore list -v >out
	assert_equal "$(wc -l <out)" 10020
	refute grep -vE '^(key|single)[0-9]+'$'\t''(value|other|here)[0-9]*$' out
	run ./kvstore check
	assert_success
	assert_output 'nothing is wrong'
}

@test "stat, as text and as JSON" {
	./kvstore set a 1 --record=100
	run ./kvstore stat
	assert_line 'records       1'
	assert_line 'record bytes  100'
	run ./kvstore stat --json
	jq -e '.schema == "unixipc-kvstore-stat/1" and .records == 1
		and .damaged == 0 and .record_bytes == 100
		and .slots == .groups * 16' <<<"$output"
	assert_equal "$(jq .file_bytes <<<"$output")" "$(stat -c %s kvstore.db)"
}

@test "compact gives back what deleted records had" {
	seq -f 'set key%.0f value' 5000 | ./kvstore batch
	seq -f 'del key%.0f' 4990 | ./kvstore batch
	before=$(stat -c %s kvstore.db)
	run ./kvstore compact
	assert_success
	assert_output ''
	assert [ "$(stat -c %s kvstore.db)" -lt $((before / 10)) ]
	run ./kvstore get key4995
	assert_output value
	assert_equal "$(find . -name '*.rebuild')" ''
}

@test "check explains damage, and repair frees or puts back" {
	./kvstore set a 'an older value'
	./kvstore set a 'a newer value'
	at=$(grep -obUa 'a newer' kvstore.db | cut -d: -f1)
	printf X | dd of=kvstore.db bs=1 seek="$at" conv=notrunc status=none
	run ./kvstore get a
	assert_failure 1
	assert_output --regexp "^kvstore: get 'a': damaged: group [0-9]+, slot [0-9]+; see .kvstore check.$"
	run ./kvstore check
	assert_failure 1
	assert_output --regexp '^group [0-9]+, slot [0-9]+: the record is damaged; a read of it fails$'
	run ./kvstore check --repair
	assert_success
	assert_output --partial 'put back what it was before'
	run ./kvstore get a
	assert_output 'an older value'
}

@test "--sync makes a barrier before and one after the record is published" {
	./kvstore set a old
	# What others wrote without a barrier gets one first.
	for first in fdatasync ''; do
		strace -f -o trace -e trace=pwrite64,fdatasync \
			./kvstore --sync set a new
		run sed -E 's/^[0-9]+ +([a-z0-9]+).*/\1/; /exited/d' trace
		assert_output "$(printf '%s\n' $first pwrite64 fdatasync \
			pwrite64 fdatasync)"
	done
	strace -f -o trace -e trace=pwrite64,fdatasync,fsync ./kvstore set a newer
	refute grep -E 'write|sync' trace
}

# ---- locks -----------------------------------------------------------------------

# In the background: process 1 of lock-test has the lock of KEY.
start_holder() {
	start_server --ready 'holds lock' ./kvstore lock-test "$1" --hold=1h
	HOLDER=$(awk -v inode="$(stat -c %i kvstore.db)" \
		'$2 == "POSIX" && $6 ~ ":" inode "$" { print $5; exit }' /proc/locks)
	[[ -n $HOLDER ]]
}

@test "--help says what a change survives without --sync" {
	run ./kvstore --help
	assert_success
	assert_line --partial 'power cut; without it, kill -9'
}

@test "a wait ends after --timeout, and the holder is named" {
	./kvstore set key1 value1
	start_holder key1
	run ./kvstore get key1
	assert_output value1
	run ./kvstore --timeout=50ms set key1 x
	assert_failure 3
	assert_output "kvstore: set 'key1': timed out: process $HOLDER has the lock"
	kill -STOP "$HOLDER"
	for verb in 'del key1' 'incr key1' 'compact' 'check' 'lock-test key1'; do
		# shellcheck disable=SC2086 # a verb and its operand
		run ./kvstore --timeout=50ms $verb
		assert_failure 3
		assert_one_line_error "$output" kvstore
		[[ $output == *"process $HOLDER has the lock and is stopped" ]]
	done
	run ./kvstore get key1
	assert_output value1
	kill -KILL "$HOLDER"
	run ./kvstore --timeout=30s set key1 x
	assert_success
}

@test "a ring of any size is reported with who waits for whom" {
	for n in 2 13 64; do
		run ./kvstore lock-test --ring=$n --timeout=30s
		assert_failure 3
		assert_line -n 0 --regexp "^Deadlock of $n processes, seen in [0-9.]+ ms"
		assert_equal "${#lines[@]}" $((n + 1))
		# Each waits for what the next one holds, and the last for the first.
		awk 'NR > 1 { if (NR > 2 && $2 != next_one) exit 1
			if (NR == 2) first = $2
			next_one = $8 } END { exit next_one != first }' \
			<<<"${output//,/}"
		assert_nothing_left
	done
}

@test "a ring of 64 is seen within a millisecond" {
	# Whoever looks may lose the processor meanwhile, but not each time.
	for ((i = 0; i < 10; i++)); do
		run ./kvstore lock-test --ring=64 --timeout=30s
		assert_failure 3
		[[ ${lines[0]} != *'seen in 0.'* ]] || return 0
	done
	fail "${lines[0]}"
}

@test "the kernel sees a ring of 12 and none of 13, and none of descriptions" {
	run ./kvstore lock-test --ring=12 --kernel --timeout=30s
	assert_failure 3
	assert_output --regexp '^The kernel reports EDEADLK to process [0-9]+$'
	run ./kvstore lock-test --ring=13 --kernel --timeout=1s
	assert_failure 3
	assert_output 'Nobody reports anything: 13 processes wait for each other'
	run ./kvstore lock-test --ring=2 --ofd --timeout=1s
	assert_failure 3
	assert_output 'Nobody reports anything: 2 processes wait for each other'
	assert_equal "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'kvstore.*')" ''
}

# ---- bad input -------------------------------------------------------------------

@test "what is not accepted is one line and exit 2" {
	while read -ra arguments; do
		run ./kvstore "${arguments[@]}"
		assert_failure 2
		assert_line -n 0 --regexp '^kvstore: .'
	done <<-'END'

		frobnicate
		set
		set key
		set key value more
		get
		get a b
		list a
		incr a b
		incr a 99999999999999999999
		lock-test
		lock-test key --ring=3
		lock-test --ring=1
		lock-test --ring=65
		lock-test --ring=3 --kernel --ofd
		--record=1 set a b
		--record=64K set a b
		--record=-1 set a b
		--records=0 set a b
		--records=-1 set a b
		--timeout=-1s get a
		--timeout=x get a
	END
	for arguments in 'set|' 'get|' 'del|' 'incr|' 'lock-test|'; do
		run ./kvstore "${arguments%|}" '' ${arguments:+$([[ $arguments != set* ]] || echo value)}
		assert_failure 2
		assert_output 'kvstore: an empty key; it has at least one byte'
	done
	assert [ ! -e kvstore.db ]
}

@test "what is too long is refused with the limit" {
	./kvstore --record=32 set key1 value1
	run ./kvstore set key1 "$(printf 'x%.0s' {1..29})"
	assert_failure 1
	assert_output "kvstore: set 'key1': too long: key and value have 32 bytes together (--record, when the file is made)"
	run ./kvstore set key1 "$(printf 'x%.0s' {1..28})"
	assert_success
	head -c 100000 /dev/zero >zeroes
	run ./kvstore set key1 - <zeroes
	assert_failure 1
	run ./kvstore get key1
	assert_output "$(printf 'x%.0s' {1..28})"
}

@test "a file that is none of ours is refused, and stays as it was" {
	for how in empty text zeroes random truncated version directory; do
		rm -rf kvstore.db
		case $how in
		empty) : >kvstore.db ;;
		text) echo 'dear diary' >kvstore.db ;;
		zeroes) head -c 100000 /dev/zero >kvstore.db ;;
		random) head -c 100000 /dev/urandom >kvstore.db ;;
		truncated) ./kvstore set a b && truncate -s -1 kvstore.db ;;
		version) ./kvstore set a b &&
			printf '\2' | dd of=kvstore.db bs=1 seek=8 conv=notrunc status=none ;;
		directory) mkdir kvstore.db ;;
		esac
		sum=$(cksum kvstore.db 2>&1 || true)
		for verb in 'set a b' 'get a' 'del a' list 'incr a' stat check \
			'check --repair' compact 'lock-test a'; do
			# shellcheck disable=SC2086 # a verb and its operands
			run ./kvstore $verb
			assert_failure 1
			assert_one_line_error "$output" kvstore
			[[ $output == *"'./kvstore.db'"* ]]
		done
		assert_equal "$(cksum kvstore.db 2>&1 || true)" "$sum"
	done
}

@test "a read-only file is read, and not written" {
	need_second_user
	./kvstore set a 1
	chmod 444 kvstore.db
	chmod 755 .
	run setpriv --reuid=65534 --regid=65534 --clear-groups ./kvstore get a
	assert_output 1
	run setpriv --reuid=65534 --regid=65534 --clear-groups ./kvstore check
	assert_output 'nothing is wrong'
	run setpriv --reuid=65534 --regid=65534 --clear-groups ./kvstore set a 2
	assert_failure 1
	assert_output "kvstore: cannot open './kvstore.db': Permission denied"
}

@test "a file that may not grow is an error, and stays whole" {
	./kvstore set a 1
	size=$(stat -c %s kvstore.db)
	run bash -c "ulimit -f $((size / 1024 + 1)); seq -f 'set key%.0f value' 5000 |
		./kvstore batch"
	assert_failure 1
	assert_output "kvstore: batch, in './kvstore.db': File too large"
	run ./kvstore check
	assert_output 'nothing is wrong'
	run ./kvstore get a
	assert_output 1
	rm kvstore.db
	run bash -c 'ulimit -f 8; ./kvstore set a 1'
	assert_failure 1
	assert_one_line_error "$output" kvstore
	assert_equal "$(find . -type f)" ''
}

# Whoever reads its findings may take as long as he likes.
@test "a check that nobody reads keeps no writer out" {
	seq -f 'set key%.0f value' 3000 | ./kvstore batch
	dd if=/dev/zero of=kvstore.db bs=4096 seek=5 conv=notrunc status=none \
		count=$(($(stat -c %s kvstore.db) / 4096 - 5))
	mkfifo pipe
	exec 7<>pipe
	./kvstore check >pipe 3>&- 7>&- &
	read -r -N 1 -t 20 -u 7
	run ./kvstore --timeout=3s set key1 value
	assert_failure 1
	assert_output --partial 'damaged'
	refute is_ended $!
	kill $!
	exec 7>&-
}

@test "a ring that cannot begin leaves nothing" {
	run bash -c 'ulimit -f 0; ./kvstore lock-test --ring=3'
	assert_failure 1
	assert_one_line_error "$output" kvstore
	run bash -c 'ulimit -n 5; ./kvstore lock-test --ring=3'
	assert_failure 1
	assert_output --partial 'Too many open files'
	local n
	for n in {5..10}; do # where the members fail, they say why
		run bash -c "ulimit -n $n; ./kvstore lock-test --ring=3 --kernel"
		refute_output --partial 'timed out'
	done
	assert_equal "$(find "${TMPDIR:-/tmp}" -maxdepth 1 -name 'kvstore.*')" ''
}

@test "output that cannot be written is an error" {
	./kvstore set a 1
	run bash -c './kvstore get a >/dev/full'
	assert_failure 1
	assert_one_line_error "$output" kvstore
	run bash -c './kvstore list >/dev/full'
	assert_failure 1
}
