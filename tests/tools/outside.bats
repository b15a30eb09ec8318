#!/usr/bin/env bats
# Programs outside of the tree, with what `make install` gives away and pkg-config.
# timeout: 600
# about: Makefile scripts/install-files scripts/join scripts/completion.bash lib/rpc/rpcstub tests/tools/outside.bats tests/tools/outside/
# needs: pkg-config rpcgen perl g++

load ../support/common

# The tree is copied, as it stands, with its objects.
setup_file() {
	unset CI MAKEFLAGS MFLAGS MAKELEVEL MODE P WERROR
	cd "$BATS_FILE_TMPDIR" || return
	mkdir tree
	(cd "$ROOT" && git ls-files -zco --exclude-standard |
		xargs -0 cp -a --parents -t "$BATS_FILE_TMPDIR/tree" build/release) || true
	make -C tree -j 2 install PREFIX="$BATS_FILE_TMPDIR/prefix" >log 2>&1 ||
		{ tail log; return 1; }
	mv tree gone
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	cp -r "$BATS_TEST_DIRNAME/outside/." .
	unset MAKEFLAGS MFLAGS MAKELEVEL
	export PKG_CONFIG_PATH=$BATS_FILE_TMPDIR/prefix/lib/pkgconfig
}

# serves PROGRAM: start it, and its port is $port.
serves() {
	start_server --name "$1" --ready '^[0-9]' "./$1"
	port=$(<"$SERVER_OUT")
}

# Each installed header by itself, compiled by "$@".
compile_each_alone() {
	local flags headers=$BATS_FILE_TMPDIR/prefix/include/unixipc
	flags=$(pkg-config --cflags unixipc)
	find "$headers" -name '*.h' -printf '%P\n' >list
	(($(wc -l <list) > 40))
	# shellcheck disable=SC2086 # flags are words
	xargs -P 2 -I {} "$@" -Wall -Wextra -Wconversion -Werror \
		-fsyntax-only $flags -include {} /dev/null <list
}

@test "each installed header compiles alone, in C11 and in C++17" {
	compile_each_alone gcc -std=c11 -pedantic -x c
	compile_each_alone g++ -std=c++17 -x c++
}

# bats test_tags=long
@test "each installed header compiles alone with clang, too" {
	compile_each_alone clang -std=c11 -pedantic -x c
	compile_each_alone clang++ -std=c++17 -x c++
}

@test "declarations in installed headers have C linkage, and no word is _Atomic" {
	cd "$BATS_FILE_TMPDIR/prefix/include/unixipc"
	run grep -rLE 'extern "C"' .
	assert_output ''
	run grep -rlE '_Atomic|stdatomic' .
	assert_output ''
}

@test "installed headers are the same for whoever includes them" {
	cd "$BATS_FILE_TMPDIR/prefix/include/unixipc"
	# But for the language, the processor, and what the shim is told to be.
	grep -rhE '^# *if' . >"$BATS_TEST_TMPDIR/ifs"
	run grep -vE "_H(_RPCSTUB)?$|\b__(cplusplus|x86_64__|i386__)|SHIM_POLICY$" \
		"$BATS_TEST_TMPDIR/ifs"
	assert_output ''
	# Nor has a mechanism options that only a bench sets.
	run grep -rnE '\bwith(out)?_[a-z_]+;|measuring' .
	assert_output ''
}

# ---- a mechanism alone --------------------------------------------------------------

# The mechanisms that are installed, one a line.
mechanisms() {
	(cd "$PKG_CONFIG_PATH" && printf '%s\n' unixipc-*.pc) |
		sed 's/unixipc-//; s/[.]pc//'
}

# link_alone NAME: a program that knows each symbol of the archive's member from
# the headers, uses all of them, and has functions of its own besides (own.c).
link_alone() {
	local own=own.c
	[[ $1 != fifocalc ]] || own=own_but_client_open.c # is in its interface
	{
		echo '#include "all.h"'
		echo 'extern const void *const all[]; const void *const all[] = {'
		nm -g --defined-only "members/$1.o" |
			awk 'NF == 3 { print "(const void *)&" $3 "," }'
		echo '0}; int main(void) { return !all[0]; }'
	} >"$1_all.c"
	# shellcheck disable=SC2046 # flags are words
	gcc -w $(pkg-config --cflags unixipc) -c "$1_all.c" &&
		gcc -o "$1_all" "$1_all.o" "$own" $(pkg-config --libs "unixipc-$1") \
			-Wl,-Map="$1.map" && "./$1_all" || return
	grep -o 'libunixipc.a([a-z_]*.o)' "$1.map" | sort -u |
		sed "s/^.*(/$1 /; s/.o)//"
}

@test "a mechanism links alone, with the symbols of its headers and no others" {
	export -f link_alone
	local prefix=$BATS_FILE_TMPDIR/prefix
	mkdir members
	(cd members && ar x "$prefix/lib/libunixipc.a")
	(cd "$prefix/include/unixipc" && find . -name '*.h' -printf '#include "%P"\n') |
		sort >all.h
	# shellcheck disable=SC2046 # flags are words
	gcc -w $(pkg-config --cflags unixipc) all.h # once for all of them
	sed 's/\<client_open\>/client_open_too/' own.c >own_but_client_open.c
	mechanisms >names
	assert_equal "$(cd members && printf '%s\n' *.o)" "$(sed 's/$/.o/' names | sort)"
	xargs -P 2 -I {} bash -c 'link_alone {} || exit 255' <names | sort >linked
	# These two leave calls, and their transport, to the program's RPC.
	run -1 diff <(sed 's/.*/& &/' names | sort) linked
	assert_equal "$(grep '^>' <<<"$output")" $'> kvclient rpc\n> rpcauth rpc'
	refute_output --partial '<'
}

@test "no symbol is in two mechanisms" {
	run bash -c "nm -g --defined-only '$BATS_FILE_TMPDIR/prefix/lib/libunixipc.a' |
		awk 'NF == 3 { print \$3 }' | sort | uniq -d"
	assert_output ''
}

@test "pkg-config asks for what a mechanism needs, and for no more" {
	local name
	for name in $(mechanisms); do
		run pkg-config --print-requires "unixipc-$name"
		case $name in
		rpc | kvclient) assert_output libtirpc ;;
		rpcauth) assert_output $'libtirpc\nnettle\ngmp' ;;
		*) assert_output '' ;;
		esac
	done
	run -0 pkg-config --libs unixipc-spsc
	refute_output --regexp 'gmp|png|tirpc'
	# Each is there, and says what it is.
	run grep -LE '^Description: .{20}' "$PKG_CONFIG_PATH"/unixipc-*.pc
	assert_output ''
}

# bats test_tags=touched
@test "a C and a C++ program use each mechanism, beside functions of its names" {
	local source name
	local sources=(use_*.c)
	((${#sources[@]} >= 8))
	printf '%s\n' use_*.c | sed 's/[.]c$//; p; s/$/_cc/' | xargs make -j 2
	for source in "${sources[@]}"; do
		name=${source%.c}
		run -0 timeout 30 "./$name"
		assert_output "${name#use_}"
		run -0 timeout 30 "./${name}_cc"
		assert_output "${name#use_}"
	done
}

# ---- programs on several ------------------------------------------------------------

@test "a C and a C++ program serve and call a calculator, in 40 lines each" {
	make
	for source in in_c.c in_cc.cc; do
		(($(wc -l <$source) <= 40))
	done
	for server in in_c in_cc; do
		serves $server
		for client in in_c in_cc; do
			run -0 ./$client "$port" 40000000000 -2
			assert_output 39999999998
			# A sum that does not fit: the service refuses.
			run ! ./$client "$port" 9223372036854775807 1
			assert_output ''
		done
		stop_server $server
		run -4 ./in_c "$port" 1 2
	done
}

@test "a C and a C++ program use the store: its client, its shared memory, its Raft" {
	make store store_cc
	start_server --name kv --ready ' event=leader ' \
		"$BATS_FILE_TMPDIR"/prefix/libexec/unixipc/p18-rpc-kv/kv_server \
		--id=1 --port=21190 --log=events --election-timeout=100ms \
		--heartbeat=20ms
	for program in store store_cc; do
		run -0 timeout 20 ./$program 21190
		assert_output $'get value\ncache value\nraft key'
	done
	stop_server kv
	# Without a server it is not done, and nothing is seen.
	run -1 timeout 20 ./store 21190
	assert_output ''
}

@test "a C and a C++ program keep records in both stores" {
	make stores stores_cc
	for program in stores stores_cc; do
		run -0 ./$program $program.kv $program.db
		assert_output $'kvstore\nmmapdb'
	done
}

# ---- the commands ---------------------------------------------------------------------

# bats file_tags=touched
@test "man pages say where the commands lie" {
	local pages page path
	pages=("$BATS_FILE_TMPDIR"/prefix/share/man/man1/*)
	((${#pages[@]} > 20))
	for page in "${pages[@]}"; do
		path=$(sed -n "s|^[.]It Pa \($BATS_FILE_TMPDIR/.*\)|\1|p" "$page")
		assert_equal "${path##*/}" "$(basename "${page%.1*}")"
		"$path" --version
	done
	# Those of the mechanisms have a suffix of their own.
	for page in "$ROOT"/*/*.3 "$ROOT"/*/*/*.3; do
		[[ ! -f $page ]] || cmp "$page" "$BATS_FILE_TMPDIR/prefix/share/man/man3/${page##*/}unixipc"
	done
}

# What bash would complete the last word of "$@" to; the first is a command.
completes() {
	bash -c '. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _unixipc &&
		echo "${COMPREPLY[*]}"' \
		"$BATS_FILE_TMPDIR/prefix/share/bash-completion/completions/${1##*/}" "$@"
}

@test "bash completes options and verbs, of our commands and of no others" {
	local bin=$BATS_FILE_TMPDIR/prefix/bin libexec=$BATS_FILE_TMPDIR/prefix/libexec/unixipc
	run -0 completes "$bin/ipc_suite" b
	assert_output benchmark
	run -0 completes "$bin/ipc_suite" benchmark --tr
	assert_output '--trials='
	run -0 completes "$libexec/p01-pipeline/mypipe" --pipe
	assert_output '--pipe-size= --pipefail'
	run -0 completes "$libexec/p09-reclock/kvstore" --file=x ''
	assert_output --partial 'set get del'
	PATH=$libexec/p09-reclock:$PATH run -0 completes kvstore get --rec
	assert_output '--record= --records='
	# Of two calc_clients the one that is called, and nobody else's.
	run -0 completes "$libexec/p16-rpc-calc/calc_client" --
	assert_output --partial --transport
	run -0 completes "$libexec/p02-fifo/calc_client" --
	refute_output --partial --transport
	assert_output --partial --help
	printf '#!/bin/sh\necho >ran\n' >mypipe
	chmod +x mypipe
	run -0 completes ./mypipe --
	assert_output ''
	assert [ ! -e ran ]
}

# bats file_tags=
@test "what rpcstub refuses ends the make" {
	sed -i 's/hyper b;/opaque b<>;/' adder.x
	run -2 make
	assert_output --partial "rpcstub: adder.x:4: opaque 'b' has no bound"
	run ! ls adder.h
}
