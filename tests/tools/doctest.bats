#!/usr/bin/env bats
# sandbox: none
# (scripts/doctest makes its own.)
# when: touched
# about: scripts/doctest scripts/sandbox scripts/devices.bash
#
# scripts/doctest: a transcript that lies must fail, and a true one must not.

load ../support/common

setup() {
	unset CI
	cd "$BATS_TEST_TMPDIR" || return
}

# README from standard input, with ~~~ for the fences.
readme() {
	sed 's/^~~~/```/' >README.md
}

doctest() {
	run "$ROOT/scripts/doctest" README.md
}

# assert_counts STATUS LAST-LINE
assert_counts() {
	echo "$output"
	assert_equal "${lines[-1]}" "$2"
	assert_equal "$status" "$1"
}

@test "a true transcript passes, block by block" {
	readme <<-'END'
		# Title
		~~~console
		$ echo one; echo two >&2
		one
		two
		~~~
		~~~sh
		$ not run
		~~~
		~~~console
		$ cat <<E
		> a [b] (c) *.d \e ^f$ {g}|h+?
		> E
		a [b] (c) *.d \e ^f$ {g}|h+?
		~~~
	END
	doctest
	assert_counts 0 '2 passed, 0 failed'
}

@test "other output than the one shown fails, with both in a diff" {
	readme <<-'END'
		~~~console timeout=1
		$ echo seven
		eight
		~~~
		~~~console
		$ true
		~~~
	END
	doctest
	assert_counts 1 '1 passed, 1 failed'
	assert_line '        -eight'
	assert_line '        +seven'
	assert_line --regexp 'again: scripts/doctest .*README.md'
}

@test "a missing, an additional and an unended line fail" {
	readme <<-'END'
		~~~console timeout=1
		$ echo a
		a
		b
		~~~
		~~~console timeout=1
		$ printf 'a\nb\n'
		a
		~~~
		~~~console timeout=1
		$ printf 'a\nb'
		a
		~~~
	END
	doctest
	assert_counts 1 '0 passed, 3 failed'
}

@test "three dots match within a line, and whole lines, and no more" {
	readme <<-'END'
		~~~console
		$ printf '%s\n' first 'pid 4711 ended' x y last
		first
		pid ... ended
		...
		last
		$ printf '%s\n' first last
		first
		...
		last
		~~~
		~~~console timeout=1
		$ echo 17
		...
		7
		~~~
		~~~console timeout=1
		$ printf 'a\nb\n'
		a...b
		~~~
	END
	doctest
	assert_counts 1 '1 passed, 2 failed'
}

@test "an exit status counts, of every command" {
	readme <<-'END'
		~~~console
		$ false
		[exit 1]
		$ echo $?
		1
		$ sh -c 'exit 7'
		[exit 7]
		~~~
		~~~console
		$ false
		$ true
		~~~
		~~~console
		$ true
		[exit 1]
		~~~
	END
	doctest
	assert_counts 1 '1 passed, 2 failed'
	assert_line '        exit status 1, wanted 0: false'
}

@test "a command that hangs fails in time and takes the rest with it" {
	readme <<-'END'
		~~~console timeout=1
		$ sleep 1000
		~~~
		~~~console
		$ true
		~~~
	END
	doctest
	assert_counts 1 '0 passed, 2 failed'
	assert_line '        still running after 1 s: sleep 1000'
}

@test "a shell that ends fails" {
	readme <<-'END'
		~~~console
		$ exit 0
		~~~
	END
	doctest
	assert_counts 1 '0 passed, 1 failed'
	assert_line '        the shell ended: exit 0'
}

@test "one shell for all blocks: variables, directory, background jobs" {
	mkdir inner
	readme <<-'END'
		~~~console
		$ x=5; cd inner
		$ sleep 1000 &
		[1] 4711
		~~~
		~~~console
		$ echo $x ${PWD##*/}
		5 inner
		$ kill %1; wait $!
		[exit 143]
		~~~
	END
	doctest
	assert_counts 0 '2 passed, 0 failed'
}

@test "what a background job prints may come late, but must come" {
	readme <<-'END'
		~~~console
		$ (sleep 0.3; echo ready; sleep 0.3; echo served) &
		ready
		$ true
		served
		~~~
		~~~console timeout=1
		$ (sleep 0.1; echo ready) &
		red
		~~~
	END
	doctest
	assert_counts 1 '1 passed, 1 failed'
}

@test "what no block shows fails, also after the last one" {
	readme <<-'END'
		~~~console
		$ (sleep 0.3; echo surprise) &
		~~~
	END
	doctest
	assert_counts 1 '1 passed, 1 failed'
	assert_line '        surprise'
}

@test "interleaved output is compared in any order, but completely" {
	readme <<-'END'
		~~~console any-order
		$ printf '%s\n' 'P2 at 7 ms' 'P1 at 9 ms'
		P1 at ... ms
		P2 at ... ms
		~~~
		~~~console any-order timeout=1
		$ printf '%s\n' b a a
		a
		b
		~~~
		~~~console any-order timeout=1
		$ printf '%s\n' b a
		a
		b
		b
		~~~
		~~~console any-order
		$ printf '%s\n' b x a y
		a
		b
		...
		~~~
	END
	doctest
	assert_counts 1 '2 passed, 2 failed'
}

@test "a process that is left running fails the README" {
	readme <<-'END'
		~~~console
		$ sleep 1000 &
		~~~
	END
	doctest
	assert_counts 1 '1 passed, 1 failed'
	assert_line --regexp 'left behind: process .*sleep 1000'
}

@test "an object that is left in the kernel fails the README" {
	readme <<-'END'
		~~~console
		$ ipcmk -Q
		Message queue id: ...
		~~~
	END
	doctest
	assert_counts 1 '1 passed, 1 failed'
	assert_line --partial 'left behind: System V message queue'
}

@test "a missing tool is a named skip on a desk and a failure in CI" {
	readme <<-'END'
		~~~console needs=sh,no-such-tool
		$ no-such-tool
		~~~
		~~~console needs=sh
		$ true
		~~~
	END
	doctest
	assert_counts 0 '1 passed, 0 failed, 1 skipped'
	assert_line --regexp '^skip .*needs no-such-tool'
	CI=true doctest
	assert_counts 1 '1 passed, 1 failed'
}

@test "sandbox options come from the README" {
	readme <<-'END'
		<!-- sandbox: --no-such-option -->
		~~~console
		$ true
		~~~
	END
	doctest
	assert_counts 1 '0 passed, 1 failed'
	assert_output --partial -- '--no-such-option'
}

@test "what is no transcript fails: no command, no end, no such attribute" {
	readme <<-'END'
		~~~console
		output of nothing
		~~~
		~~~console needz=strace
		$ true
		~~~
		~~~console
		$ true
	END
	doctest
	assert_counts 1 '0 passed, 3 failed'
}

@test "a README that is not there fails" {
	doctest
	assert_counts 1 '0 passed, 1 failed'
	assert_line '        cannot be read'
}
