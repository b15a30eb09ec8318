#!/usr/bin/env bats
# tests/support/common.bash, where one test cannot see that it went wrong.

load ../support/common

@test "servers of two names are two servers, and both are ended" {
	local first second
	start_server --name first --ready up bash -c 'echo up; exec sleep 60'
	first=$SERVER
	start_server --name second --ready up bash -c 'echo up; exec sleep 60'
	second=$SERVER
	assert_equal "${SERVER_PID[first]}" "$first"
	stop_server second
	is_ended "$second"
	run ! is_ended "$first"
	end_servers
	is_ended "$first"
}
