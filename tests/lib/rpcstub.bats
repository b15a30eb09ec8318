#!/usr/bin/env bats
# What lib/rpc/rpcstub refuses and says; what it makes is in rpcstub_test.c.
# needs: rpcgen perl

load ../support/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return
}

rpcstub() {
	"$ROOT/lib/rpc/rpcstub" "$@"
}

# x_file: standard input becomes t.x, with a program of its own at the end
# unless it has one.
x_file() {
	cat >t.x
	grep -q '^program' t.x || cat >>t.x <<-'END'
		program T { version T_1 { void ONE(void) = 1; } = 1; } = 0x20000000;
	END
}

# refuses LINE WHAT: t.x, for that reason; and makes nothing of it.
refuses() {
	run -1 rpcstub t.x
	assert_output "rpcstub: t.x:$1: $2"
	run ls
	assert_output t.x
}

@test "one command makes the four files, and says nothing" {
	cp "$ROOT/p16-rpc-calc/calc.x" .
	run -0 rpcstub calc.x
	assert_output ''
	run ls
	assert_output $'calc.h\ncalc.x\ncalc_clnt.c\ncalc_svc.c\ncalc_xdr.c'
	# The same again over the old ones.
	md5sum -- * >sums
	rpcstub calc.x
	md5sum -c --quiet sums
}

@test "what lies in a folder is made into one, and included with it" {
	mkdir -p in/some out/in/some
	cp "$ROOT/p17-rpc-auth/sums.x" in/some
	run -0 rpcstub -o out in/some/sums.x
	run ls in/some out/in/some
	assert_line sums_svc.c
	grep -qx '#include "in/some/sums.h"' out/in/some/sums_svc.c
	# Headers of one name in two folders do not hide each other.
	grep -qx '#ifndef IN_SOME_SUMS_H_RPCSTUB' out/in/some/sums.h
}

# A record of an attacker's choice would be allocated before it has come.
@test "what has no bound is refused" {
	x_file <<<$'struct s {\n\tint n;\n\tstring text<>;\n};'
	refuses 3 "string 'text' has no bound: who sends it would choose how \
much memory it takes: accepted is text<N>"
	x_file <<<'typedef opaque blob<>;'
	refuses 1 "opaque 'blob' has no bound: who sends it would choose how \
much memory it takes: accepted is blob<N>"
	x_file <<<$'\n\ntypedef int row<>;'
	refuses 3 "array 'row' has no bound: who sends it would choose how \
much memory it takes: accepted is row<N>"
	x_file <<<'struct s { string text; };'
	refuses 1 "string 'text' has no bound: accepted is string text<N>"
	x_file <<<'program T { version T_1 { void ONE(string) = 1; } = 1; } = 1;'
	refuses 1 'string without a bound has no place here: accepted is a typedef with one'
}

@test "what holds itself is refused" {
	x_file <<<$'struct node {\n\tint n;\n\tnode *next;\n};'
	refuses 3 "'node' holds itself, and would be decoded by recursion, \
which uses up the stack: accepted is an array with a bound"
	x_file <<<$'union tree switch (bool b) {\ncase TRUE:\n\tstruct tree sons<2>;\ndefault: void;\n};'
	refuses 3 "'tree' holds itself, and would be decoded by recursion, \
which uses up the stack: accepted is an array with a bound"
	# By way of another.
	x_file <<<$'typedef struct node *list;\nstruct node { list next; };'
	run -1 rpcstub t.x
	assert_output --partial "rpcstub: t.x:1: no type 'node' is defined above: accepted is int, "
}

@test "what is larger than a record is refused, without having overflowed" {
	x_file <<-'END'
		typedef opaque block<1000000>;
		typedef block blocks<2147>;
		program T { version T_1 {
			void FITS(blocks) = 1;
			void TOO(all) = 2; } = 1; } = 1;
	END
	sed -i '3i typedef blocks all<2>;' t.x
	refuses 6 'the argument may take 4294017188 bytes: accepted is 2147483647, which is what a record holds'
	x_file <<-'END'
		typedef opaque a<4000000000>;
		typedef a b<4000000000>;
		typedef b c<4000000000>;
		program T { version T_1 { c ONE(void) = 1; } = 1; } = 1;
	END
	run -1 rpcstub t.x
	assert_output --partial 't.x:4: the result may take'
}

@test "numbers that are used twice are refused" {
	x_file <<<$'program T { version T_1 {\nvoid ONE(void) = 1;\nvoid TWO(void) = 1; } = 1; } = 1;'
	refuses 3 'procedure 1 is there twice in version 1'
	x_file <<<$'program T {\nversion A { void ONE(void) = 1; } = 1;\nversion B { void ONE(void) = 1; } = 1; } = 1;'
	refuses 3 'version 1 is there twice'
	# A name is one macro.
	x_file <<<$'program T {\nversion A { void ONE(void) = 1; } = 1;\nversion B { void ONE(void) = 2; } = 2; } = 1;'
	refuses 3 "'ONE' has been another number above: accepted is one for each name"
	# And one function.
	x_file <<<$'program T {\nversion A { void ONE(void) = 1;\nvoid T_ONE(void) = 2; } = 1; } = 1;'
	refuses 3 't_one_1() is there twice: accepted is one procedure of a name in each version of a file'
	x_file <<<$'struct s { int a; };\nstruct s { int b; };'
	refuses 2 "'s' is defined twice"
}

@test "what RFC 4506 does not know is refused where it stands" {
	x_file <<<$'#include "other.x"'
	refuses 1 "'#': accepted is const, and lines that begin with % for C"
	x_file <<<$'struct s {\n\tint a\n};'
	refuses 3 "'}': accepted is ';'"
	x_file <<<$'struct s {\n\tint a.b;\n};'
	refuses 2 "'.': accepted is what RFC 4506 knows"
	x_file <<<$'typedef int row[M];'
	refuses 1 "'M': accepted is a number, or a constant from above"
	x_file <<<$'typedef int row<-1>;'
	refuses 1 'bound -1: accepted is 0 to 4294967295'
	x_file <<<$'union u switch (hyper h) { default: void; };'
	refuses 1 "a union switched by 'hyper': accepted is int, unsigned int, bool, and enums"
	x_file <<<$'int a;'
	refuses 1 "'int': accepted is const, typedef, enum, struct, union and program"
	x_file <<<$'program T { version T_1 { int ADD(int, int) = 1; } = 1; } = 1;'
	refuses 1 'more than one argument: accepted is one, which may be a struct'
	printf 'const A = 1;\n' >t.x
	refuses 2 'no program is here: accepted is one or more'
	printf 'struct s { int a;' >t.x
	refuses 1 "the file ends here: accepted is a name"
	printf 'const A = 1; /* for ever' >t.x
	refuses 1 "'/': accepted is what RFC 4506 knows"
	: >t.x
	refuses 1 'no program is here: accepted is one or more'
}

@test "idempotent and quick are said of a procedure, on its line" {
	local mark='/* idempotent */'
	x_file <<<"program T { version T_1 { void ONE(void) = 1; $mark } = 1; } = 1;"
	rpcstub t.x
	grep -q RPC_IDEMPOTENT t_svc.c
	rm -f t_*.c t.h
	x_file <<<$'program T { version T_1 {\nvoid ONE(void) = 1;\n'"$mark"$'\n} = 1; } = 1;'
	refuses 3 "'idempotent' is said of nothing: accepted is such a comment behind a procedure, on its line"
	x_file <<<"program T { version T_1 { /* quick */ void ONE(void) = 1; } = 1; } = 1;"
	refuses 1 "'quick' is said of nothing: accepted is such a comment behind a procedure, on its line"
	x_file <<<"const A = 1; $mark"
	refuses 1 "'idempotent' is said of nothing: accepted is such a comment behind a procedure, on its line"
	x_file <<<"program T { version T_1 { void ONE(void) $mark = 1; } = 1; } = 1;"
	refuses 1 "'idempotent' is said of nothing: accepted is such a comment behind a procedure, on its line"
}

@test "a file that cannot be read or written is one line, and leaves nothing" {
	run -1 rpcstub t.x
	assert_output "rpcstub: cannot read 't.x': No such file or directory"
	mkdir t.x
	run -1 rpcstub t.x
	assert_output "rpcstub: cannot read 't.x': Is a directory"
	rmdir t.x
	x_file </dev/null
	run -1 rpcstub -o nowhere t.x
	assert_output "rpcstub: cannot write 'nowhere/t.h': No such file or directory"
	# No room for it: none of the four is there, nor what it began with.
	# shellcheck disable=SC2016 # for the other shell
	run -1 bash -c 'trap "" XFSZ; ulimit -f 1; exec "$0" t.x' \
		"$ROOT/lib/rpc/rpcstub"
	assert_output "rpcstub: cannot write 't.h': File too large"
	run ls
	assert_output t.x
}

@test "what was not made by rpcstub is left alone, and so is what links lead to" {
	x_file </dev/null
	for name in t.h t_clnt.c t_svc.c t_xdr.c; do
		echo 'by hand' >$name
		run -1 rpcstub t.x
		assert_output "rpcstub: '$name' is there, and was not made by rpcstub: remove it, or give -o DIR"
		assert_equal "$(<$name)" 'by hand'
		run ls
		assert_output "$(printf '%s\n' $name t.x | LC_ALL=C sort)"
		rm $name
	done
	echo "somebody's" >theirs
	ln -s theirs t.h
	run -1 rpcstub t.x
	rm t.h
	# Under whatever name it begins, others may have put a link there.
	for pid in $(seq 1 $(($(bash -c 'echo $$') + 50))); do
		ln -s theirs "t.h.$pid"
	done
	ln -s theirs t.h.new
	rpcstub t.x || true
	assert_equal "$(<theirs)" "somebody's"
}

@test "without rpcgen it says what is missing" {
	x_file </dev/null
	mkdir bin
	ln -s "$(type -P perl)" bin
	PATH=$PWD/bin run -1 perl "$ROOT/lib/rpc/rpcstub" t.x
	assert_output --partial 'rpcstub: cannot run rpcgen (Debian: rpcsvc-proto): No such file'
}

@test "wrong usage is status 2" {
	run -2 rpcstub
	assert_output 'rpcstub: usage: rpcstub [-o DIR] NAME.x'
	run -2 rpcstub -o t.x
	run -2 rpcstub t.h
	run -2 rpcstub t.x u.x
}
