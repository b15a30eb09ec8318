#!/usr/bin/env bats
# sandbox: none
# when: touched
# about: tests/fuzz/run tests/fuzz/replay.c tests/models/run
# needs: clang spin
# timeout: 600
#
# tests/fuzz/run and tests/models/run: what is broken must be found.

load ../support/common

setup() {
	unset CI MAKEFLAGS MFLAGS MAKELEVEL
	cd "$BATS_TEST_TMPDIR" || return
}

# ---- fuzz targets ------------------------------------------------------------

# write_target NAME CONDITION: a target that aborts where the condition holds.
write_target() {
	mkdir -p "tests/fuzz/$1"
	echo seed >"tests/fuzz/$1/seed"
	cat >"tests/fuzz/$1.c" <<-END
		#include <stdint.h>
		#include <stdlib.h>
		int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
		int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
		{
			if (data && size && $2)
				abort();
			return 0;
		}
	END
}

make_fuzz_tree() {
	mkdir -p lib/cmd scripts tests/fuzz
	cp "$ROOT"/Makefile .
	cp "$ROOT"/scripts/{sandbox,devices.bash} scripts/
	cp "$ROOT"/tests/fuzz/{run,replay.c} tests/fuzz/
	cp "$ROOT"/lib/{fdio,tick}.[ch] lib/
	cp "$ROOT"/lib/cmd/die.[ch] lib/cmd/
	touch lib/module.mk
}

@test "a target that holds passes, and its corpus is kept" {
	make_fuzz_tree
	write_target p01_good_fuzz 0
	run make fuzz FUZZ_SECONDS=1
	assert_success
	assert_line --regexp '^ok +p01_good_fuzz: [1-9][0-9]* inputs, [1-9]'
	assert_equal "${lines[-1]}" '1 passed, 0 failed'
}

@test "a target that breaks fails, and the input that broke it is kept" {
	make_fuzz_tree
	write_target p01_good_fuzz 0
	write_target p02_bad_fuzz "data[0] == 's'"
	run make fuzz FUZZ_SECONDS=1
	assert_failure
	assert_line '1 passed, 1 failed'
	assert_line --regexp 'again: build/fuzz-clang/tests/fuzz/p02_bad_fuzz build/.*crash'
	run make fuzz FUZZ_SECONDS=1 P=p01
	assert_failure # for there is no such chapter
	run tests/fuzz/run 1 p01
	assert_success
	assert_line '1 passed, 0 failed'
}

@test "seeds are replayed without libFuzzer" {
	make_fuzz_tree
	write_target p01_good_fuzz 0
	write_target p02_bad_fuzz "data[0] == 's'"
	make fuzzers
	run build/release/tests/fuzz/p01_good_fuzz tests/fuzz/p01_good_fuzz
	assert_success
	assert_line '1 inputs replayed'
	run build/release/tests/fuzz/p02_bad_fuzz tests/fuzz
	assert_failure 134
	assert_line 'tests/fuzz/p01_good_fuzz/seed'
}

@test "replaying nothing is no success" {
	make_fuzz_tree
	write_target p01_good_fuzz 0
	make fuzzers
	mkdir empty
	run build/release/tests/fuzz/p01_good_fuzz
	assert_failure 2
	run build/release/tests/fuzz/p01_good_fuzz empty
	assert_failure 1
	run build/release/tests/fuzz/p01_good_fuzz nowhere
	assert_failure 1
	assert_one_line_error "$output" p01_good_fuzz
}

@test "the seconds must be a number" {
	run "$ROOT/tests/fuzz/run" 1m
	assert_failure 2
	assert_one_line_error "$output" fuzz
}

# ---- models ------------------------------------------------------------------

@test "a model that holds passes, with its formulas" {
	cp "$ROOT/tests/models/run" .
	cat >good.pml <<-'END'
		byte x;
		active proctype P()
		{
			do
			:: x < 3 -> x++
			:: else -> break
			od;
			assert(x == 3)
		}
		ltl reaches { <> (x == 3) }
	END
	run ./run
	assert_success
	assert_line --regexp '^ok +good.pml \(safety\): [0-9]+ states'
	assert_line --partial 'ok      good.pml (ltl reaches)'
	assert_equal "${lines[-1]}" '2 passed, 0 failed'
	run ls
	assert_output $'good.pml\nrun'
}

@test "a lost update, a deadlock and a false formula are found" {
	cp "$ROOT/tests/models/run" .
	cat >lost.pml <<-'END'
		byte x;
		active [2] proctype P() { byte t; t = x; x = t + 1 }
		active proctype Q() { (_nr_pr == 1) -> assert(x == 2) }
	END
	cat >deadlock.pml <<-'END'
		bool a, b;
		active proctype P() { atomic { !a -> a = true }; !b -> b = true; a = false }
		active proctype Q() { atomic { !b -> b = true }; !a -> a = true; b = false }
	END
	cat >false.pml <<-'END'
		byte x;
		active proctype P() { do :: x = 0 :: x = 1; break od }
		ltl stays { [] (x == 0) }
	END
	run ./run
	assert_failure 1
	assert_line 'not ok  lost.pml (safety)'
	assert_line 'not ok  deadlock.pml (safety)'
	assert_line 'not ok  false.pml (ltl stays)'
	assert_equal "${lines[-1]}" '1 passed, 3 failed'
}

@test "a mutant that is caught passes, one that is not fails" {
	cp "$ROOT/tests/models/run" .
	cat >mutants.pml <<-'END'
		/* Counted in one step.
		 *
		 * also -DROUNDS=2
		 * mutant IN_TWO: an update is lost
		 * mutant STAYS (ltl ends): it never comes to an end
		 * mutant HARMLESS: nothing is left out
		 */
		#ifndef ROUNDS
		#define ROUNDS 1
		#endif
		byte x, ended;
		proctype P()
		{
			byte t, i;
			do
			:: i < ROUNDS ->
		#ifdef IN_TWO
				t = x; x = t + 1;
		#else
				x++;
		#endif
				i++
			:: else -> break
			od;
		#ifdef STAYS
			do :: t = 1 - t od;
		#endif
			ended++
		}
		init
		{
			atomic { run P(); run P() }
			ended == 2 -> assert(x == 2 * ROUNDS); x = 255
		}
		ltl ends { <> (x == 255) }
	END
	run ./run
	assert_failure 1
	assert_line --partial 'ok      mutants.pml (safety -DROUNDS=2)'
	assert_line --partial 'ok      mutants.pml (mutant IN_TWO is caught)'
	assert_line --partial 'ok      mutants.pml (mutant STAYS is caught)'
	assert_line 'not ok  mutants.pml (mutant HARMLESS is caught)'
	assert_equal "${lines[-1]}" '5 passed, 1 failed'
	echo ' * mutant lower: not a macro' >>mutants.pml
	run ./run mutants.pml
	assert_line "not ok  mutants.pml: cannot read ' * mutant lower: not a macro'"
}

@test "a model that spin cannot read fails, with its mutants" {
	cp "$ROOT/tests/models/run" .
	printf '/*\n * mutant ANY: of nothing\n */\nactive proctype P() { oops }\n' >bad.pml
	run ./run
	assert_failure 1
	assert_equal "${lines[-1]}" '0 passed, 2 failed'
}

@test "no models are no failure, and are said to be none" {
	cp "$ROOT/tests/models/run" .
	run ./run
	assert_success
	assert_line 'there are no models yet'
	assert_line '0 passed, 0 failed'
}
