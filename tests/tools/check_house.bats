#!/usr/bin/env bats
# sandbox: none
# when: touched
# about: scripts/check-house
#
# scripts/check-house, on a small tree: what is in its place passes, and each
# thing that is not is one finding.

load ../support/common

setup() {
	unset CI MAKEFLAGS MFLAGS MAKELEVEL
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p scripts lib/cmd p01-fix/{cmd,bench,textbook} p06-bench p18-kv tests/p01
	cp "$ROOT/scripts/check-house" scripts/
	echo 'print-HEADERS:; @echo p01-fix/fix.h' >Makefile
	printf '[tick.h](tick.h)\n[die.h](cmd/die.h)\n' >lib/README.md
	header lib/tick.h
	header lib/cmd/die.h lib/tick.h
	header p01-fix/fix.h lib/tick.h
	header p01-fix/inner.h
	header p01-fix/cmd/report.h p01-fix/inner.h lib/cmd/die.h
	header p06-bench/table.h
	c_file p01-fix/bench/bench.c p01-fix/cmd/report.h p06-bench/table.h
	c_file p01-fix/textbook/myfix.c
	c_file p18-kv/kv.c p01-fix/fix.h
	c_file tests/p01/fix_test.c p01-fix/cmd/report.h
	echo figures >p01-fix/bench/bench.txt
	touch {p01-fix,p06-bench,p18-kv}/{README.md,module.mk,Makefile}
	git init -q .
}

# c_file FILE HEADER…: a file that includes them; header makes one with a guard.
include_lines() {
	printf '#include "%s"\n' "$@"
}

c_file() {
	local file=$1
	shift
	if (($#)); then include_lines "$@" >"$file"; else : >"$file"; fi
}

header() {
	local guard=${1//[^A-Za-z0-9]/_} file=$1
	shift
	{
		echo "#ifndef UNIXIPC_${guard^^}"
		((!$#)) || include_lines "$@"
		echo '#endif'
	} >"$file"
}

# assert_finding LINE: it is the only one.
assert_finding() {
	run -1 scripts/check-house
	assert_output "$1"
}

assert_refused() {
	c_file "$1" "$2"
	assert_finding "$1: includes $2, see scripts/check-house"
}

@test "what is in its place passes" {
	run -0 scripts/check-house
	assert_output ''
}

@test "a library includes nothing that is for commands" {
	assert_refused lib/tick.c lib/cmd/die.h
}

@test "what a chapter teaches includes nothing that is for commands" {
	assert_refused p01-fix/fix.c lib/cmd/die.h
	assert_refused p01-fix/fix.c p01-fix/cmd/report.h
}

@test "lib includes no chapter" {
	assert_refused lib/cmd/die.c p01-fix/fix.h
}

@test "a chapter includes no other, but a bench P06's mechanisms" {
	assert_refused p01-fix/cmd/myfix.c p06-bench/table.h
}

@test "P18 includes of other chapters what they install, and no more" {
	assert_refused p18-kv/kv.c p01-fix/inner.h
}

@test "a textbook includes nothing of ours" {
	assert_refused p01-fix/textbook/myfix.c lib/tick.h
}

@test "a folder that no chapter has is found" {
	mkdir p01-fix/misc
	touch p01-fix/misc/notes
	assert_finding "p01-fix/misc/notes: in a folder 'misc', one of textbook cmd bench breaks durable image authdh raft etcd "
}

@test "a test of no chapter is found" {
	c_file tests/fix_test.c
	assert_finding 'tests/fix_test.c: is of no chapter, tests/ p01 … p18, lib, suite or tools'
}

@test "a header of lib without a line in its README is found" {
	header lib/new.h
	assert_finding 'lib/new.h: has no line in lib/README.md, one'
}

@test "another guard is found" {
	sed -i 's/FIX_INNER/INNER/' p01-fix/inner.h
	assert_finding 'p01-fix/inner.h: has another guard, UNIXIPC_P01_FIX_INNER_H'
}

@test "C++ outside of a bench is found" {
	c_file p01-fix/bench/peer.cc
	c_file p01-fix/peer.cc
	assert_finding 'p01-fix/peer.cc: is C++, C, or a place in bench/'
}

@test "a bench without its figures, and a chapter without a README, are found" {
	rm p01-fix/bench/bench.txt
	assert_finding 'p01-fix/bench/bench.txt: is missing, the figures, with machine and date'
	echo figures >p01-fix/bench/bench.txt
	rm p01-fix/README.md
	assert_finding 'p01-fix/README.md: is missing, one'
}

@test "a header for commands that is installed is found" {
	echo 'print-HEADERS:; @echo p01-fix/fix.h p01-fix/cmd/report.h' >Makefile
	assert_finding 'p01-fix/cmd/report.h: is for commands, and installed, one or the other'
}

# ---- who lives -----------------------------------------------------------------

@test "who asks for lives outside of lib/identity is found" {
	local line
	local -A wants=(
		['kill(pid, 0);']='signals a number, identity_signal(), or a line in scripts/check-house'
		['killpg(group, SIGTERM);']='signals a number, identity_signal(), or a line in scripts/check-house'
		['syscall(SYS_pidfd_send_signal, fd, 9);']='signals a number, identity_signal(), or a line in scripts/check-house'
		['identity_start_time(pid);']='asks for a start time, identity_judge(), or a line in scripts/check-house'
		['open("/proc/%d/stat", pid);']='asks for a start time, identity_judge(), or a line in scripts/check-house'
		['stat("/proc/self/ns/pid", &st);']='looks at a namespace or boot, identity_place_check(), or a line in scripts/check-house'
		['open("/proc/sys/kernel/random/boot_id");']='looks at a namespace or boot, identity_place_check(), or a line in scripts/check-house'
	)
	for line in "${!wants[@]}"; do
		echo "$line" >p01-fix/fix.c
		assert_finding "p01-fix/fix.c: ${wants[$line]}"
	done
}

@test "who kills itself or its own children, or says so, is not found" {
	printf '/* kill(pid, 0) tells nothing */\nkill(getpid(), SIGKILL);\n' >p01-fix/fix.c
	echo 'x = 1; /* not by kill(2), nor identity_start_time() */' >>p01-fix/fix.c
	echo 'kill(pid, SIGTERM);' >lib/child.c
	echo 'kill(pid, 0);' | tee tests/p01/fix_test.c >p01-fix/textbook/myfix.c
	echo 'open("/proc/self/ns/pid"); kill(pid, 0);' >lib/identity_proc.c
	run -0 scripts/check-house
	assert_output ''
}

@test "who may do one of them may not do the others" {
	printf 'kill(pid, SIGTERM);\nidentity_start_time(pid);\n' >lib/child.c
	assert_finding 'lib/child.c: asks for a start time, identity_judge(), or a line in scripts/check-house'
}

@test "a line for somebody who does not need it is found" {
	: >lib/child.c
	assert_finding 'lib/child.c: has a line in scripts/check-house (signals), none'
}
