#!/usr/bin/env bats
# Programs outside of the tree, with what `make install` gives away and pkg-config.
# timeout: 600
# needs: pkg-config rpcgen perl g++

load ../support/common

# The tree is copied, as it stands, with its objects.
setup_file() {
	unset CI MAKEFLAGS MFLAGS MAKELEVEL MODE P WERROR
	cd "$BATS_FILE_TMPDIR" || return
	mkdir tree
	(cd "$ROOT" && git ls-files -zco --exclude-standard |
		xargs -0 cp -a --parents -t "$BATS_FILE_TMPDIR/tree" build/release) || true
	make -C tree -j 2 install PREFIX="$BATS_FILE_TMPDIR/prefix" >log 2>&1
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

@test "what rpcstub refuses ends the make" {
	sed -i 's/hyper b;/opaque b<>;/' adder.x
	run -2 make
	assert_output --partial "rpcstub: adder.x:4: opaque 'b' has no bound"
	run ! ls adder.h
}
