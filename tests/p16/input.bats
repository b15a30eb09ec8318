#!/usr/bin/env bats
# calc_server and calc_client and what is not accepted, or not there: one line
# each, and a status of its own for each fault. This sandbox has no rpcbind.

# shellcheck disable=SC2154 # run sets stderr

load ../support/common

setup() {
	setup_chapter p16
}

start() {
	start_server --ready '^Listening' ./calc_server --no-rpcbind "$@"
	PORT=$(sed -n 's/.*tcp port \([0-9]*\).*/\1/p' "$SERVER_OUT")
}

# fails STATUS REGEX COMMAND…
fails() {
	local wanted=$1 regex=$2 program
	shift 2
	program=${1#./}
	run --separate-stderr timeout 60 "$@"
	assert_equal "$status: $stderr" "$wanted: $stderr"
	assert_one_line_error "$stderr" "$program"
	assert_regex "$stderr" "$regex"
	assert_equal "$output" ''
}

@test "an unknown operation is refused with those that are accepted" {
	for operation in pow '' ADD adding; do
		fails 2 "operation '$operation': accepted are add, .*divide" \
			./calc_client localhost "$operation" 1 2
	done
	fails 2 'an operation is missing: accepted are add' \
		./calc_client localhost
	fails 2 'no host: as in calc_client localhost add 5 3' ./calc_client
}

@test "operands that are missing, too many or no numbers are refused" {
	fails 2 'add takes two operands .*, not 0' ./calc_client localhost add
	fails 2 'add takes two operands .*, not 1' ./calc_client localhost add 5
	fails 2 'add takes two operands .*, not 3' \
		./calc_client localhost add 5 3 1
	for operand in x '' 1.5 0x10 5a -5a ' 5' --; do
		fails 2 "operand '$operand': accepted is a whole number" \
			./calc_client localhost add 1 -- "$operand"
	done
	for operand in 9223372036854775808 -9223372036854775809 \
		99999999999999999999999; do
		fails 2 "operand '$operand': accepted is -9223372036854775808 to" \
			./calc_client localhost add 1 "$operand"
	done
	fails 2 'accumulate takes one number or more' \
		./calc_client localhost accumulate
	fails 2 "operand 'x'" ./calc_client localhost accumulate 1 x
	# shellcheck disable=SC2046 # words
	fails 2 'more than 63 operands' \
		./calc_client localhost accumulate $(seq 70)
}

@test "lines of a batch are refused by their number" {
	start
	printf 'add 5 3\nadd 5\n' >lines
	run --separate-stderr ./calc_client --port="$PORT" localhost batch <lines
	assert_failure 2
	assert_equal "$stderr" \
		"calc_client: line 2: add takes two operands (add 5 3), not 1"
	printf '\n\nadd 5 3\npow 1 2\n' >lines
	run --separate-stderr ./calc_client --port="$PORT" localhost batch <lines
	assert_failure 2
	assert_regex "$stderr" "line 4: operation 'pow'"
	printf 'add %0300d 1\n' 1 >lines
	run --separate-stderr ./calc_client --port="$PORT" localhost batch <lines
	assert_failure 2
	assert_regex "$stderr" 'line 1: longer than'
	fails 2 "batch takes its expressions from standard input, not 'x'" \
		./calc_client localhost batch x
	run ./calc_client --port="$PORT" localhost batch </dev/null
	assert_success
	assert_output ''
}

@test "options that are not accepted are refused" {
	fails 2 '--transport' ./calc_client --transport=sctp localhost add 1 2
	for option in port=0 port=65536 port=x port= timeout=0 timeout=-1 \
		timeout=x retries=-1 retries=x; do
		fails 2 "--${option%%=*}" \
			./calc_client "--$option" localhost add 1 2
	done
	for option in transport=sctp transport= transport=tcp/udp port=65536 \
		port=x max-connections=0 max-connections=x idle-timeout=0 \
		idle-timeout=x drop-replies=x transport=unix; do
		fails 2 "--${option%%=*}" ./calc_server "--$option"
	done
	fails 2 . ./calc_server x
}

@test "without rpcbind the client says how to do without it" {
	fails 5 'start it .*install rpcbind; .* or give the port \(--port\)' \
		./calc_client localhost add 1 2
	fails 5 '--port' ./calc_client --transport=udp localhost add 1 2
}

@test "without rpcbind the server says how to do without it" {
	fails 1 'does not run: start it .*install rpcbind; .*--no-rpcbind' ./calc_server
	assert_nothing_left
}

@test "nobody at the port, at the path, or of that name is exit 4" {
	# No name server answers in here; do not wait long for one.
	export RES_OPTIONS='timeout:1 attempts:1'
	fails 4 . ./calc_client --port=1 localhost add 1 2
	fails 4 . ./calc_client --port=1 --transport=udp localhost add 1 2
	fails 4 . ./calc_client --transport=unix "$PWD/nothing" add 1 2
	fails 4 . ./calc_client --port=1 no-such-host.invalid add 1 2
	fails 4 . ./calc_client no-such-host.invalid add 1 2
}

@test "no reply in time is exit 3, and its outcome unknown" {
	start
	kill -STOP "$SERVER"
	for transport in tcp udp; do
		port=$(sed -n "s/.*$transport port \([0-9]*\).*/\1/p" "$SERVER_OUT")
		fails 3 'whether it was done is unknown' ./calc_client \
			--transport=$transport --port="$port" --timeout=1s \
			localhost accumulate 1
	done
	kill -CONT "$SERVER"
}

@test "what the server cannot answer with a number is exit 8" {
	start
	fails 8 '9223372036854775807 \+ 1: the result does not fit 64 bits' \
		./calc_client --port="$PORT" localhost add 9223372036854775807 1
	fails 8 '7 / 0: division by zero' \
		./calc_client --port="$PORT" localhost div 7 0
	fails 8 'the result does not fit 64 bits' ./calc_client --port="$PORT" \
		localhost mul -9223372036854775808 -1
}

@test "a port or a path that is taken is one line" {
	start --socket="$PWD/socket"
	fails 1 "port $PORT" ./calc_server --no-rpcbind --port="$PORT"
	fails 1 socket ./calc_server --no-rpcbind --socket="$PWD/socket"
	echo precious >file
	fails 1 file ./calc_server --no-rpcbind --socket="$PWD/file"
	assert_equal "$(<file)" precious
	fails 1 no/such ./calc_server --no-rpcbind --socket="$PWD/no/such"
	fails 1 . ./calc_server --no-rpcbind \
		--socket="$PWD/$(printf '%0200d' 0)"
	stop_server
	refute [ -e socket ]
	assert_nothing_left
}

@test "what cannot be printed is an error" {
	start
	run --separate-stderr bash -c \
		"./calc_client --port=$PORT localhost add 5 3 >/dev/full"
	assert_failure 1
	assert_one_line_error "$stderr" calc_client
}
