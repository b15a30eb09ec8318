#!/usr/bin/env bats
# shm_cat as a user runs it, also killed at any point.
# needs: strace

load ../support/common

setup() {
	setup_chapter p12
}

@test "a file goes through, whichever side comes first" {
	head -c 3000000 /dev/urandom >file
	start_server ./shm_cat --name=/p12.x read
	run ./shm_cat --name=/p12.x write <file
	assert_success
	wait "$SERVER"
	cmp file "$SERVER_OUT"
	assert_nothing_left
	./shm_cat --name=/p12.x --buffer-size=4KB write <file 3>&- &
	./shm_cat --name=/p12.x read >copy
	wait $!
	cmp file copy
	assert_nothing_left
}

@test "an empty file is an end and no error" {
	start_server ./shm_cat --name=/p12.x read
	run ./shm_cat --name=/p12.x write </dev/null
	assert_success
	wait "$SERVER"
	assert_equal "$(<"$SERVER_OUT")" ''
	assert_nothing_left
}

@test "a side whose partner is killed fails, and removes the ring" {
	mkfifo never
	exec 9<>never
	for survivor in read write; do
		start_server --name reader ./shm_cat --name=/p12.x read
		bash -c 'exec ./shm_cat --name=/p12.x write <never' \
			2>writer.err 3>&- 9>&- &
		# shellcheck disable=SC2154 # a word, not a variable
		SERVER_PID[writer]=$!
		echo line >&9
		wait_for_line "$BATS_TEST_TMPDIR/reader.out" line 30
		if [[ $survivor == read ]]; then
			stop_server writer KILL
			wait_until 30 is_ended "${SERVER_PID[reader]}"
			stop_server reader
			err=$BATS_TEST_TMPDIR/reader.err
		else
			stop_server reader KILL
			wait_until 30 is_ended "${SERVER_PID[writer]}"
			stop_server writer
			err=writer.err
		fi
		assert_equal "$status" 1
		assert_one_line_error "$(<"$err")" shm_cat
		grep -q 'died before the end$' "$err"
		assert_nothing_left
	done
}

@test "who was killed before anybody came is not taken for a partner" {
	local -A partner=([read]=write [write]=read)
	for side in read write; do
		start_server ./shm_cat --name=/p12.x $side
		wait_until 30 has_entered "$SERVER"
		stop_server server KILL
		run ./shm_cat --name=/p12.x --timeout=100ms "${partner[$side]}" \
			</dev/null
		assert_failure 3
		assert_nothing_left
	done
}

# It is in the ring, and sleeps.
has_entered() {
	[[ -s /dev/shm/p12.x ]] && is_asleep "$1"
}

is_asleep() {
	[[ $(ps -o stat= -p "$1") == S* ]]
}

@test "nobody came: status 3" {
	for side in read write; do
		run ./shm_cat --name=/p12.x --timeout=100ms $side </dev/null
		assert_failure 3
		assert_one_line_error "$output" shm_cat
	done
	assert_nothing_left
}

@test "SIGINT and SIGTERM remove the ring" {
	for signal in INT TERM; do
		start_server ./shm_cat --name=/p12.x read
		wait_until 30 test -e /dev/shm/p12.x
		stop_server server $signal
		assert_equal "$status" $((128 + $(kill -l $signal)))
		assert_nothing_left
	done
}

@test "a stop right before the sleep is not slept over" {
	# The third call is the one between the last look and the futex.
	run timeout -k 1 60 strace -qq -o /dev/null -e trace=membarrier \
		-e inject=membarrier:signal=INT:when=3 \
		./shm_cat --name=/p12.x read
	assert_failure 130
	assert_nothing_left
}

@test "a ring that takes long to make is waited for" {
	# Half-made, it stands still until it is told to go on.
	start_server strace -qq -o /dev/null -e trace=fallocate \
		-e inject=fallocate:signal=STOP ./shm_cat --name=/p12.x read
	wait_until 30 test -s /dev/shm/p12.x
	run ./shm_cat --name=/p12.x --timeout=100ms write </dev/null
	assert_failure 3
	./shm_cat --name=/p12.x write <<<hello 3>&- &
	writer=$!
	wait_until 30 is_asleep "$writer"
	kill -CONT "$(pgrep -P "$SERVER")"
	wait "$writer"
	wait "$SERVER"
	assert_equal "$(<"$SERVER_OUT")" hello
	assert_nothing_left
}

@test "who waits under a name that is removed is told" {
	for side in read write; do
		start_server ./shm_cat --name=/p12.x $side
		wait_until 30 test -s /dev/shm/p12.x
		wait_until 30 is_asleep "$SERVER"
		rm /dev/shm/p12.x
		[[ $side == read ]] || echo foreign >/dev/shm/p12.x
		wait_until 10 is_ended "$SERVER"
		stop_server
		assert_equal "$status" 1
		grep -q '/p12.x: the name was removed' "$SERVER_ERR"
	done
	assert_equal "$(</dev/shm/p12.x)" foreign
	rm /dev/shm/p12.x
	assert_nothing_left
}

@test "what is not a ring is refused and left alone" {
	echo garbage >/dev/shm/p12.x
	run ./shm_cat --name=/p12.x read
	assert_failure 1
	assert_output 'shm_cat: /p12.x: not a ring, or one that is damaged or of another version'
	assert_equal "$(</dev/shm/p12.x)" garbage
	rm /dev/shm/p12.x
}

@test "command lines that are not accepted" {
	for arguments in '' '--name=/x' '--name=x read' '--name=/x/y read' \
		'--name=/x read write' '--name=/x look' \
		'--name=/x --buffer-size=1 read' '--name=/x --timeout=x read'; do
		# shellcheck disable=SC2086 # words
		run ./shm_cat $arguments
		assert_failure 2
		assert_one_line_error "$output" shm_cat
	done
}
