#!/usr/bin/env bats
# calc_server_auth and calc_client_auth without rpcbind, and beside one that
# found no /etc/services: it can be told where we serve, and tells nobody.
# sandbox: --rpcbind --root

load ../support/common

setup() {
	setup_chapter p17
	without=("$ROOT/tests/support/without-netbase")
}

# fails STATUS REGEX COMMAND…
fails() {
	local wanted=$1 regex=$2
	shift 2
	run "${without[@]}" timeout 20 "$@"
	assert_failure "$wanted"
	assert_one_line_error "$output" "${1#./}"
	assert_regex "$output" "$regex"
}

@test "without rpcbind both name the package" {
	# shellcheck disable=SC2016 # the inner shell's
	without=(unshare --mount --net bash -c 'ip link set lo up &&
		mount -t tmpfs empty /run && exec "$@"' bash)
	fails 1 'does not run: start it .*install rpcbind; .*--no-rpcbind' \
		./calc_server_auth --allow='* anybody'
	fails 5 'start it .*install rpcbind; .*--port' \
		./calc_client_auth localhost add 1 2
}

@test "without netbase the server names the package" {
	fails 1 'neither TCP nor UDP: .*apt-get install netbase.*--no-rpcbind' \
		./calc_server_auth --allow='* anybody'
}

@test "without netbase the client names the package" {
	fails 5 'apt-get install netbase.*--port' \
		./calc_client_auth localhost add 1 2
}
