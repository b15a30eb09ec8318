#!/usr/bin/env bats
# The examples of a queue with a name, in C and in C++: each sends to each.

load ../support/common

setup() {
	setup_chapter p15
}

@test "a queue by name goes from C to C++ and back" {
	libs=("$ROOT"/build/release/lib{spsc,util}.a)
	cc -std=gnu11 -Wall -Wextra -Werror -I"$ROOT" -o in_c \
		"$ROOT/tests/p15/by_name.c" "${libs[@]}"
	c++ -std=c++17 -Wall -Wextra -Werror -I"$ROOT" -o in_cc \
		"$ROOT/tests/p15/by_name.cc" "${libs[@]}"
	for sender in in_c in_cc; do
		for receiver in in_c in_cc; do
			start_server ./$receiver recv
			[[ $sender == in_c ]] ||
				wait_until 10 test -s /dev/shm/spsc.by_name
			run ./$sender send
			assert_success
			wait_until 10 is_ended "$SERVER"
			assert_equal "$(<"$SERVER_OUT")" \
				'the last of 5000 is 25000000'
			stop_server
		done
	done
	assert_nothing_left
}
