#!/usr/bin/env bats
# when: touched
# about: scripts/amalgamate
#
# make amalgamate: two files that a strange project compiles by themselves, and
# that take no names from it but those which the header declares.

load ../support/common

NAMES=(bounded kvstore mmapdb mypopen myrwlock pipeline ring rpc sempool spsc
	sysv_barrier)

setup_file() {
	cd "$ROOT" || return
	for name in "${NAMES[@]}"; do
		make -s amalgamate M="$name" >/dev/null || return
		cp "build/amalgamation/$name".[ch] "$BATS_FILE_TMPDIR" || return
	done
}

setup() {
	cd "$BATS_FILE_TMPDIR" || return
	read -ra CFLAGS < <(pkg-config --cflags libtirpc)
}

@test "each compiles alone, without a warning" {
	for name in "${NAMES[@]}"; do
		gcc -std=gnu17 -O1 -Wall -Wextra -Werror "${CFLAGS[@]}" \
			-c "$name.c" -o "$name.o"
	done
}

@test "each header compiles alone" {
	for name in "${NAMES[@]}"; do
		echo "#include \"$name.h\"" >one.c
		gcc -std=gnu17 -Wall -Wextra -Werror "${CFLAGS[@]}" -c one.c -o one.o
	done
}

@test "what the header does not declare is no global name" {
	for name in "${NAMES[@]}"; do
		gcc -std=gnu17 "${CFLAGS[@]}" -c "$name.c" -o "$name.o"
		nm --extern-only --defined-only --format=posix "$name.o" |
			cut -d' ' -f1 >names
		assert [ -s names ]
		while read -r symbol; do
			grep -qw "$symbol" "$name.h" ||
				fail "$name.c defines $symbol, which $name.h does not declare"
		done <names
	done
}

# page NAME: the man page of what is called so.
page() {
	case $1 in
	kvstore) echo "$ROOT/p09-reclock/reclock.3" ;;
	rpc) echo "$ROOT/lib/rpc/unixipc_rpc.3" ;;
	*) echo "$ROOT"/p*/"$1.3" ;;
	esac
}

@test "the example of each man page builds on the two files, and runs" {
	local -A wanted=([bounded]=5050 [kvstore]='Alice 2' [mmapdb]=Alice
		[mypopen]=$'hello\n3' [myrwlock]=4000 [pipeline]=3 [ring]=hello
		[rpc]=42 [sempool]='0 of 1, 0 free' [spsc]=499500)
	for name in "${NAMES[@]}"; do
		sed -n '/^\.Sh EXAMPLES/,/^\.Ed/p' "$(page "$name")" |
			sed -n '/^#include/,$p' | sed '$d; s/\\e/\\/g' |
			sed -E "s,^#include <(p[0-9]+-|lib/).*,#include \"$name.h\"," >main.c
		gcc -std=gnu17 -Wall -Wextra -Werror -pthread "${CFLAGS[@]}" \
			-o "$name" main.c "$name.c" -ltirpc
		run timeout 60 "./$name"
		assert_success
		[[ $name == sysv_barrier ]] || assert_output "${wanted[$name]}"
	done
}

@test "nothing else of the tree is needed" {
	run grep -hE '^ *# *include +"' ./*.h ./*.c
	for line in "${lines[@]}"; do
		assert_regex "$line" '"(bounded|kvstore|mmapdb|mypopen|myrwlock|pipeline|ring|rpc|sempool|spsc|sysv_barrier)\.h"$'
	done
}

@test "a name that is none is refused, with those that are" {
	run -2 make -s -C "$ROOT" amalgamate M=rings
	assert_line "amalgamate: 'rings' is no mechanism: give one of $(
		make -s -C "$ROOT" print-MECHANISMS | tr ' ' '\n' | sort | tr '\n' ' ' |
			sed 's/ $//')"
	run -2 "$ROOT/scripts/amalgamate" ring
	run -1 env B=/nowhere "$ROOT/scripts/amalgamate" ring . p12-shm-ring/ring.h
	assert_one_line_error "$output" amalgamate
	assert_output --partial 'run make first'
}
