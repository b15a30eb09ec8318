#!/usr/bin/env bats
# when: touched
# about: scripts/soak
#
# scripts/soak, with a stub in the place of `make test`: what fails now and then
# is counted and named, and nothing goes on when it has ended.

# shellcheck disable=SC2016 # stubs are text
load ../support/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir scripts build
	cp "$ROOT/scripts/soak" scripts
}

# The busy loops and the command of a soak.
is_at_work() {
	pgrep -f 'while :; do :|[s]leep 271828' >/dev/null
}

is_idle() {
	! is_at_work
}

@test "runs that pass are a success, with a line for each" {
	export SOAK_COMMAND='echo something; echo "7 passed, 0 failed"'
	run -0 scripts/soak 3
	assert_equal ${#lines[@]} 4
	assert_line --index 1 --regexp '^ +2 +[0-9]+ s  7 passed, 0 failed$'
	assert_line --index 3 '3 runs, 0 failed'
	assert_equal "$(cat build/soak/plain)" "$output"
	assert_equal "$(cat build/soak/plain-3.log)" $'something\n7 passed, 0 failed'
}

@test "run that fails is named with its failures, and the others still run" {
	cat >stub <<-'END'
		echo >>runs
		[[ $(wc -l <runs) == 2 ]] || exec echo '7 passed, 0 failed'
		mkdir -p build/log && echo why >build/log/p01_a.log
		printf '%s\n' 'FAIL  p01_a.bats                 7 tests     0.5 s' \
			'      | not ok 3 it is late' 'FAIL  p01_a.bats: 1 failed' \
			'      | not ok 3 it is late' '6 passed, 1 failed'
		exit 1
	END
	SOAK_COMMAND='bash stub' run -1 scripts/soak 3
	assert_line --regexp '^ +2 +[0-9]+ s  6 passed, 1 failed$'
	assert_line '      FAIL  p01_a.bats: 1 failed'
	assert_equal "$(grep -c 'it is late' <<<"$output")" 1
	assert_line --index -1 '3 runs, 1 failed'
	assert_equal "$(cat build/soak/plain-2/p01_a.log)" why
	[[ ! -e build/soak/plain-1 ]]
	# Nothing of an earlier soak is left beside a later one.
	SOAK_COMMAND=true run -0 scripts/soak 1
	[[ ! -e build/soak/plain-2 && ! -e build/soak/plain-2.log ]]
}

@test "run that says nothing of its failure shows its last words" {
	SOAK_COMMAND='echo no rule to make target; exit 2' run -1 scripts/soak 1
	assert_line '      | no rule to make target'
}

@test "low priority is nice 19 beside two busy loops, which end" {
	SOAK_COMMAND='until (($(pgrep -cf "[w]hile :; do :") == 2)); do
		sleep 0.02; done; nice' run -0 timeout 60 scripts/soak 1 --low
	assert_line --index 0 --regexp 's  19$'
	assert_equal "$(cat build/soak/low)" "$output"
	is_idle
}

@test "soak that is ended takes its loops and its run along" {
	local signal
	for signal in TERM INT HUP; do
		SOAK_COMMAND='echo >begun; sleep 271828; true' \
			start_server scripts/soak 2 --low
		wait_until 10 test -e begun
		stop_server server $signal
		assert_equal "$status" 130
		grep -q 'stopped in run 1' "$SERVER_ERR"
		wait_until 10 is_idle
		rm begun
	done
}

@test "killed soak takes its loops along" {
	SOAK_COMMAND='echo $$ >begun; exec sleep 271828' \
		start_server scripts/soak 1 --low
	wait_until 10 test -s begun
	stop_server server KILL
	kill "$(cat begun)"
	wait_until 10 is_idle
}

@test "wrong usage is one line and status 2" {
	local words
	for words in '' 0 x -3 '1 2' '--high 1'; do
		# shellcheck disable=SC2086 # words
		run -2 scripts/soak $words
		assert_one_line_error "$output" soak
	done
}
