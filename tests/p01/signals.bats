#!/usr/bin/env bats
# needs: expect
# mypipe under signals: who gets them, who ends, what is left.
# shellcheck disable=SC2016 # commands are text
load ../support/common

setup() {
	setup_chapter p01
}

# The commands of the pipeline whose mypipe is $SERVER.
commands() {
	pgrep -P "$SERVER"
}

# Start a pipeline of two sleeps; $COMMANDS are their pids.
start_sleeps() {
	start_server --ready ready ./mypipe --shell \
		'echo ready; exec sleep 100' 'cat; exec sleep 100'
	readarray -t COMMANDS < <(commands)
	assert_equal ${#COMMANDS[@]} 2
}

assert_commands_ended() {
	local pid
	for pid in "${COMMANDS[@]}"; do
		wait_until 30 is_ended "$pid"
	done
	assert_nothing_left
}

# assert_none_runs SECONDS: when mypipe has ended, and not a moment later, no
# `sleep SECONDS` runs. Each test sleeps for a time of its own, so that this
# finds what belongs to it and nothing else. $status stays as it was.
assert_none_runs() {
	local status output
	run pgrep -afx "sleep $1"
	assert_output ''
	run pgrep -ax mypipe
	assert_output ''
}

@test "a signal to mypipe alone ends the whole pipeline" {
	local signal
	for signal in TERM INT HUP QUIT; do
		start_sleeps
		stop_server server $signal
		assert_equal "$status" $((128 + $(kill -l $signal)))
		assert_commands_ended
	done
}

@test "a signal that comes during the start ends the whole pipeline" {
	local i
	readarray -t sleeps < <(yes 'sleep 300' | head -n 200)
	for i in 0.01 0.02 0.05 0.1; do
		run timeout "$i" ./mypipe "${sleeps[@]}"
		# 143 and 124: depends on whether it was asked before it began.
		assert_regex "$status" '^(124|143)$'
		assert_none_runs 300
	done
}

@test "a command that handles the signal may clean up" {
	start_server --ready ready ./mypipe --shell \
		'trap "echo cleaned; exit 0" TERM; echo ready
		while :; do sleep 0.05; done' 'trap "" TERM; cat'
	stop_server
	assert_equal "$status" 143
	grep -qx cleaned "$SERVER_OUT"
}

@test "what was ignored from the start does not stop mypipe" {
	start_server --ready ready env --ignore-signal=INT ./mypipe --shell \
		'kill -INT $PPID; echo ready; exec sleep 100'
	stop_server server TERM
	assert_equal "$status" 143
}

# on_terminal: expect's script on standard input, with mypipe's terminal.
# "await TEXT" ends it with status 99 when TEXT does not come in time, and
# "await_processes N COMMAND" with 96 when not so many run. A SIGINT between
# the vfork and the exec of a command is lost in dash, so what is to end by it
# must run.
on_terminal() {
	{
		cat <<-'END'
			set timeout 30
			proc await {text} {
				expect {
					-ex $text {}
					timeout { exit 99 }
					eof { exit 98 }
				}
			}
			proc await_processes {n command} {
				for {set i 0} {$i < 3000} {incr i} {
					catch {exec pgrep -cfx $command} count
					if {[lindex $count 0] == $n} return
					after 10
				}
				exit 96
			}
			proc await_start {} {
				for {set i 0} {$i < 3000} {incr i} {
					if {[exec ps -o state= -p [exp_pid]] eq "S"} return
					after 10
				}
				exit 95
			}
		END
		cat
		cat <<-'END'
			expect {
				eof {}
				timeout { exit 97 }
			}
			set end [wait]
			# Died by it, and not an exit with a number.
			if {[lindex $end 5] eq "SIGINT"} { exit 130 }
			exit [lindex $end 3]
		END
	} >terminal
	run timeout 120 expect terminal
}

@test "Ctrl-C reaches every command once, and what it does is theirs to say" {
	on_terminal <<-'END'
		spawn ./mypipe --shell {trap 'echo first; exit 1' INT; echo up
			while :; do sleep 0.05; done} {trap '' INT; cat; exit 7}
		await "up\r"
		await_start
		send "\003"
	END
	assert_equal "$status" 7
	assert_equal "$(grep -c $'first\r$' <<<"$output")" 1
	run pgrep -x mypipe
	assert_failure
}

@test "Ctrl-C leaves nothing running" {
	on_terminal <<-'END'
		spawn ./mypipe --shell {echo up; sleep 301; sleep 301} \
			{cat; exec sleep 301}
		await "up\r"
		await_processes 1 "sleep 301"
		send "\003"
	END
	assert_none_runs 301
	assert_equal "$status" 130
}

# The terminal tells those that are there. What is started afterwards has not
# heard of it.
@test "Ctrl-C while 1,500 commands are started leaves nothing running" {
	cat >many <<-'END'
		readarray -t more < <(yes 'sleep 309' | head -n 1500)
		exec ./mypipe 'sh -c "echo up >&2; exec sleep 309"' "${more[@]}"
	END
	on_terminal <<-'END'
		spawn bash many
		await "up\r"
		send "\003"
	END
	run pgrep -cfx 'sleep 309'
	assert_output 0
	assert_none_runs 309
}

# Of a terminal that is closed the kernel tells the leader of its session alone.
@test "a hangup ends the pipeline of a session's leader" {
	on_terminal <<-'END'
		spawn ./mypipe "sleep 310" "sleep 310"
		await_processes 2 "sleep 310"
		close
		await_processes 0 "sleep 310"
		await_processes 0 "./mypipe sleep 310 sleep 310"
		exit 0
	END
	assert_success
	assert_none_runs 310
}

@test "Ctrl-C leaves nothing running that the commands have started" {
	on_terminal <<-'END'
		spawn ./mypipe --shell {trap '' INT; (sleep 302; true) &
			trap - INT; echo up; sleep 302} {cat; exec sleep 302}
		await "up\r"
		await_processes 2 "sleep 302"
		send "\003"
	END
	assert_none_runs 302
	assert_equal "$status" 130
}

@test "one Ctrl-C ends a loop of the shell" {
	on_terminal <<-'END'
		spawn bash -c {for i in 1 2 3; do
			./mypipe "sleep 309" cat; echo went $i; done}
		await_processes 1 "sleep 309"
		send "\003"
	END
	refute_output --partial 'went 1'
	assert_none_runs 309
}

@test "a signal to mypipe alone ends what the commands have started" {
	start_server --ready ready ./mypipe --shell \
		'(trap "" HUP; sleep 303; sleep 303); echo never' \
		'sleep 303 & echo ready >&2; cat'
	stop_server
	assert_none_runs 303
	assert_equal "$status" 143
}

@test "a command that heeds no signal is killed in the end" {
	start_server --ready ready ./mypipe --shell \
		'trap "" TERM; echo ready; while :; do sleep 304; done' cat
	stop_server
	assert_none_runs 304
	assert_equal "$status" 143
}

@test "what a command leaves in the background goes on after a normal end" {
	run ./mypipe --shell 'sleep 305 >&- 2>&- 3>&- & echo $!' cat
	assert_success
	kill "$output"
	wait_until 30 is_ended "$output"
}

@test "children that mypipe did not start are left alone" {
	start_server --ready ready bash -c 'sleep 306 & echo $! >sleeper
		exec ./mypipe --shell "echo ready; exec sleep 307" cat'
	stop_server
	run ! is_ended "$(cat sleeper)"
	kill "$(cat sleeper)"
	assert_none_runs 307
}

@test "orphans of a pipeline that goes on are no zombies" {
	start_server --ready ready ./mypipe --shell \
		'for i in 1 2 3; do (sh -c "exit 3" &); done; echo ready
		exec sleep 308' cat
	wait_until 30 has_no_zombie
	stop_server
}

has_no_zombie() {
	! pgrep -r Z -P "$SERVER"
}

@test "commands read from the terminal and are suspended with mypipe" {
	cat >session <<-'END'
		set -m
		./mypipe --shell 'echo up >&2; cat' 'tee out' cat
		pgrep -g "$(jobs -p)" >all
		# mypipe may stand still before its commands do.
		for ((i = 0; i < 1500; i++)); do
			pgrep -g "$(jobs -p)" -r T >suspended
			! cmp -s all suspended || break
			sleep 0.02
		done
		fg
	END
	on_terminal <<-'END'
		spawn bash session
		await "up\r"
		send "one\r"
		await "one\r"
		await "one\r"
		send "\032"
		await "cat\r"
		send "two\r"
		await "two\r"
		send "\004"
	END
	assert_success
	assert_equal "$(cat out)" $'one\ntwo'
	(($(wc -l <all) >= 4)) # mypipe and its commands
	cmp all suspended
}

@test "after kill -9 the commands end with their input, and a new start works" {
	mkfifo input
	exec 8<>input
	start_server --ready ready ./mypipe --shell \
		'echo ready; exec cat input' 'exec cat' 8>&-
	readarray -t COMMANDS < <(commands)
	stop_server server KILL
	assert_equal "$status" 137
	exec 8>&-
	assert_commands_ended
	run ./mypipe "echo on" cat
	assert_output on
}
