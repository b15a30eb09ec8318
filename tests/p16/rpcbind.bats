#!/usr/bin/env bats
# calc_server and calc_client beside an rpcbind that found no /etc/services: it
# can be told where we serve, and can tell it to nobody.
# sandbox: --rpcbind --root

# shellcheck disable=SC2154 # run sets stderr

load ../support/common

setup() {
	setup_chapter p16
}

# fails STATUS REGEX COMMAND…
fails() {
	local wanted=$1 regex=$2
	shift 2
	run --separate-stderr "$ROOT/tests/support/without-netbase" timeout 20 "$@"
	assert_equal "$status: $stderr" "$wanted: $stderr"
	assert_one_line_error "$stderr" "${1#./}"
	assert_regex "$stderr" "$regex"
	assert_equal "$output" ''
}

@test "without netbase the server names the package" {
	fails 1 'neither TCP nor UDP: .*apt-get install netbase.*--no-rpcbind' \
		./calc_server
	fails 1 'apt-get install netbase' ./calc_server --transport=udp
	assert_nothing_left
}

@test "without netbase a server of a Unix socket alone is registered" {
	# shellcheck disable=SC2016 # the inner shell's
	run "$ROOT/tests/support/without-netbase" bash -c '
		timeout 20 ./calc_server --transport=unix --socket=socket &
		deadline=$((SECONDS + 10))
		until rpcinfo | grep -q "824377344.*/socket"; do
			((SECONDS < deadline)) || exit 1
			sleep 0.02
		done
		./calc_client --transport=unix socket add 5 3
		kill $! && wait $!'
	assert_success
	assert_line 'Result: 8'
}

@test "without netbase the client names the package" {
	fails 5 'neither TCP nor UDP' ./calc_client localhost add 1 2
	fails 5 'apt-get install netbase.*--port' \
		./calc_client --transport=udp 127.0.0.1 add 1 2
}
