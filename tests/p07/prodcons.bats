#!/usr/bin/env bats
# producer_consumer as a user runs it; the modules are in p07_*_test.c.

load ../support/common

setup() {
	setup_chapter p07
}

# The processes of a running one: 3 producers, then 2 consumers.
members() {
	tr ' ' '\n' <"/proc/$1/task/$1/children" | grep .
}

has_members() {
	(($(members "$1" | wc -l) == $2))
}

has_lines() {
	(($(wc -l <"$1") >= $2))
}

# assert_said REGEX: of thousands of lines, which assert_line takes seconds for.
assert_said() {
	grep -qE -- "$1" "$SERVER_OUT" ||
		fail "no line like '$1', and at the end: $(tail -n 9 "$SERVER_OUT")"
}

@test "the guide's transcript" {
	for mode in '' --processes; do
		run ./producer_consumer $mode --producers=3 --consumers=2 \
			--buffer-size=10 --items=1000
		assert_success
		assert_line -n 0 'Producer-Consumer Simulation'
		assert_line -n 1 \
			'Buffer size: 10, Producers: 3, Consumers: 2, Items: 1000'
		assert_equal ${#lines[@]} $((2 + 2 * 1000 + 6))
		assert_line -n 2002 'Statistics:'
		assert_line -n 2003 'Total produced: 1000'
		assert_line -n 2004 'Total consumed: 1000'
		assert_line -n 2005 --regexp '^Buffer empty waits: [0-9]+$'
		assert_line -n 2006 --regexp '^Buffer full waits: [0-9]+$'
		assert_line -n 2007 'PASS: All items produced and consumed correctly'
	done
	assert_nothing_left
}

@test "each item has two lines: produced, and after that consumed" {
	for mode in '' --processes; do
		./producer_consumer $mode --items=500 >out
		# Item, then which of the two; as they came.
		grep '^\[' out | awk '
			$2 == "Produced" && /^\[P[123]\]/ { made[$4]++; next }
			$2 == "Consumed" && /^\[C[12]\]/ && made[$4] == 1 {
				used[$4]++
				next
			}
			{ print "unexpected: " $0; exit 1 }
			END { for (i = 1; i <= 500; i++) if (used[i] != 1) exit 1 }'
	done
}

@test "a producer makes its items in turn" {
	./producer_consumer --items=300 >out
	for p in 1 2 3; do
		assert_equal "$(grep "^\[P$p\]" out | cut -d' ' -f4)" \
			"$(seq "$p" 3 300)"
	done
}

@test "one of each, a buffer for one, a single item, more producers than items" {
	for options in '-p 1 -c 1' '-b 1' '-i 1' '-p 50 -c 30 -i 7' '-i 3 -b 1M'; do
		for mode in '' --processes; do
			# shellcheck disable=SC2086 # words
			run ./producer_consumer $mode -q $options
			assert_success
			assert_line 'PASS: All items produced and consumed correctly'
		done
	done
	assert_nothing_left
}

@test "a thousand of each" {
	run ./producer_consumer -q -p 1000 -c 1000 -i 20000
	assert_success
	run ./producer_consumer -q -p 200 -c 200 -i 20000 --processes
	assert_success
	assert_line 'Total consumed: 20000'
}

@test "--quiet leaves out the items, --json is one object" {
	run ./producer_consumer --quiet
	assert_success
	assert_equal ${#lines[@]} 6
	assert_line -n 0 'Statistics:'
	./producer_consumer --json --processes -i 2K >out
	assert_equal "$(head -c 1 out)" '{'
	for line in '"schema": "unixipc-prodcons/1"' '"processes": true' \
		'"produced": 2000' '"consumed": 2000' '"not_produced": 0' \
		'"ended_early": \[\]' '"pass": true'; do
		grep -qE "^ +$line,?\$" out || fail "no $line in $(<out)"
	done
}

@test "slow consumers fill the buffer, slow producers leave it empty" {
	run ./producer_consumer -q -i 60 -b 4 --delay-consumer=2ms
	assert_success
	refute_line 'Buffer full waits: 0'
	run ./producer_consumer -q -i 60 -b 4 --delay-producer=2ms
	assert_success
	refute_line 'Buffer empty waits: 0'
}

@test "random pauses change nothing" {
	local items=3000 seeds='1 2 3'
	if [[ ${STRESS-} == 1 ]]; then
		items=100000 seeds=$(seq 1 50)
	fi
	for seed in $seeds; do
		for mode in '' --processes; do
			run ./producer_consumer $mode -q -p 4 -c 3 -b 2 \
				-i "$items" --seed="$seed"
			assert_success
		done
	done
}

# Who is to be killed has two seconds of work left when the others are told of.
@test "a killed producer: its items are named as lost, the rest come through" {
	start_server --ready 'Consumed item 30' ./producer_consumer \
		--processes --items=6000 --delay-producer=1ms
	kill -KILL "$(members "$SERVER" | sed -n 2p)"
	wait_until 60 is_ended "$SERVER"
	stop_server
	assert_equal "$status" 1
	assert_said '^P2 killed by SIGKILL; it had produced [0-9]+ of 2000 items$'
	assert_said '^Lost: [0-9]+ not produced \(item [0-9, ]+, …\)$'
	assert_said '^FAIL: [0-9]+ of 6000 items were lost$'
	# What the others made is there to the last item.
	assert_said '^\[P1\] Produced item 5998$'
	assert_said '\[C[12]\] Consumed item 6000$'
	assert_nothing_left
}

@test "a killed consumer loses one item at most, and the other goes on" {
	start_server --ready 'Consumed item 30' ./producer_consumer \
		--processes --items=6000 --delay-producer=1ms
	kill -KILL "$(members "$SERVER" | sed -n 4p)"
	wait_until 60 is_ended "$SERVER"
	stop_server
	assert_equal "$status" 1
	assert_said '^C1 killed by SIGKILL; it had consumed [0-9]+ items$'
	assert_said '^FAIL: (1 of 6000 items were lost|1 of 5 members were killed; no item was lost)$'
	assert_said '^Total produced: 6000$'
	assert_nothing_left
}

@test "all consumers killed: producers give up, and that is told" {
	start_server --ready 'Consumed item 30' ./producer_consumer \
		--processes --items=30000 --delay-producer=1ms
	for pid in $(members "$SERVER" | sed -n '4,5p'); do
		kill -KILL "$pid"
	done
	wait_until 60 is_ended "$SERVER"
	stop_server
	assert_equal "$status" 1
	run cat "$SERVER_OUT"
	assert_line --regexp '^P1 gave up: no consumer was left; it had produced'
	assert_line --regexp '^FAIL: [0-9]+ of 30000 items were lost$'
	assert_nothing_left
}

kill_consumers() {
	local pid
	for pid in $(members "$SERVER" | sed -n '4,5p'); do
		kill -KILL "$pid"
	done
	wait_until 60 is_ended "$SERVER"
	stop_server
}

@test "what is missing is counted by where it was, and all of few are named" {
	start_server ./producer_consumer --processes -b 4 -i 100 \
		--delay-consumer=1000s
	# Four items are in the buffer, each consumer has one and pauses, and
	# each producer has told of one more, for which there is no room.
	wait_until 60 has_lines "$SERVER_OUT" $((2 + 9 + 2))
	kill_consumers
	assert_equal "$status" 1
	run cat "$SERVER_OUT"
	assert_line 'Total produced: 6'
	assert_line 'Total consumed: 2'
	assert_line --regexp '^Lost: 91 not produced \(item( [0-9]+,){8} …\)$'
	assert_line --regexp '^Lost: 3 being put into the buffer \(item [0-9]+, [0-9]+, [0-9]+\)$'
	assert_line --regexp '^Lost: 4 put, but not consumed \(item [0-9]+, [0-9]+, [0-9]+, [0-9]+\)$'
	assert_line 'FAIL: 98 of 100 items were lost'
	assert_nothing_left
}

# json_number KEY: the first of that name.
json_number() {
	grep -oE "\"$1\": -?[0-9]+" "$SERVER_OUT" | head -n 1 | cut -d' ' -f2
}

all_are_asleep() {
	local pid
	for pid in $(members "$SERVER"); do
		grep -q '^State:.S' "/proc/$pid/status" || return 1
	done
}

@test "JSON tells who died by which signal, who gave up, and what is missing where" {
	start_server ./producer_consumer --json --processes -b 4 -i 100 \
		--delay-consumer=1000s
	wait_until 60 has_members "$SERVER" 5
	for _ in {1..10}; do # and not only at the lock
		wait_until 60 all_are_asleep
		sleep 0.01
	done
	kill_consumers
	assert_equal "$status" 1
	grep -A 3 '"member": "C2"' "$SERVER_OUT" | tr -d ' \n' |
		grep -q '"signal":9,"errno":0,"done":1'
	grep -A 3 '"member": "P1"' "$SERVER_OUT" | tr -d ' \n' |
		grep -q '"signal":0,"errno":32,' # EPIPE
	assert_equal "$(json_number not_produced)" 91
	assert_equal "$(json_number being_put)" 3
	assert_equal "$(json_number not_consumed)" 4
	assert_nothing_left
}

@test "who pauses by its delay is not dead" {
	run ./producer_consumer -q -p 1 -c 1 -i 1 --timeout=300ms \
		--delay-producer=900ms --delay-consumer=900ms
	assert_success
}

@test "a deadlock is told with who waits for what" {
	start_server --ready 'Consumed item 30' ./producer_consumer \
		--processes --items=100000 --delay-producer=1ms --timeout=1s
	for pid in $(members "$SERVER" | sed -n '1,3p'); do
		kill -STOP "$pid"
	done
	wait_until 30 is_ended "$SERVER"
	stop_server
	assert_equal "$status" 1
	assert_one_line_error "$(<"$SERVER_ERR")" producer_consumer
	grep -qE 'nothing moved within --timeout: .*C1, C2 wait for an item' \
		"$SERVER_ERR"
	assert_nothing_left
}

@test "SIGINT and SIGTERM end all, and nothing is left" {
	for mode in '' --processes; do
		for signal in INT TERM; do
			start_server --ready 'Consumed item 30' \
				./producer_consumer $mode -i 1M --delay-producer=1ms
			mapfile -t pids < <(members "$SERVER")
			stop_server server $signal
			assert_equal "$status" $((128 + $(kill -l $signal)))
			assert_equal "$(<"$SERVER_ERR")" ''
			for pid in "${pids[@]}"; do
				wait_until 30 is_ended "$pid"
			done
			assert_nothing_left
		done
	done
}

@test "a killed parent takes its processes along, and leaves nothing" {
	start_server --ready 'Consumed item 30' ./producer_consumer \
		--processes -i 1M --delay-producer=1ms
	mapfile -t pids < <(members "$SERVER")
	assert_equal ${#pids[@]} 5
	stop_server server KILL
	for pid in "${pids[@]}"; do
		wait_until 30 is_ended "$pid"
	done
	assert_nothing_left
}

@test "numbers that are none, or beyond the limits, are refused" {
	for arguments in --producers=0 --producers=-1 --producers=1001 \
		--producers=x --consumers=0 --consumers=-2 --consumers=1001 \
		--buffer-size=0 --buffer-size=-1 --buffer-size=1G \
		--items=0 --items=-5 --items=101M --items= \
		--delay-producer=-1s --delay-consumer=x --delay-consumer=2h \
		--seed=-1 --timeout=0 operand --no-such-option; do
		run ./producer_consumer "$arguments"
		assert_failure 2
		assert_one_line_error "$output" producer_consumer
	done
	assert_nothing_left
}

@test "too little memory, or too few processes, is one line" {
	run bash -c 'ulimit -v 200000; ./producer_consumer -q -b 16M'
	assert_failure 1
	assert_one_line_error "$output" producer_consumer
	run bash -c 'ulimit -v 100000; ./producer_consumer -q -c 1000'
	assert_failure 1
	assert_one_line_error "$output" producer_consumer
	assert_output --partial 'cannot start thread'
	# A stack that is larger than all its memory: not one thread.
	run bash -c 'ulimit -s 1000000 -v 500000; ./producer_consumer -q'
	assert_failure 1
	assert_output --partial 'cannot start thread 1 of 5'
	assert_nothing_left
}

@test "standard streams that are closed or full" {
	./producer_consumer --quiet <&- >out
	grep -q '^PASS' out
	for mode in '' --processes; do
		run bash -c "./producer_consumer $mode -i 50 >&- 2>err"
		assert_failure 1
		assert_one_line_error "$(<err)" producer_consumer
		run bash -c "./producer_consumer $mode -i 50 2>&1 >/dev/full"
		assert_failure 1
		assert_one_line_error "$output" producer_consumer
	done
	assert_nothing_left
}

@test "a reader that goes away ends it" {
	for mode in '' --processes; do
		run bash -c "timeout 20 ./producer_consumer $mode -d 1ms -i 100000 \
			2>err | head -n 5 >/dev/null; exit \${PIPESTATUS[0]}"
		assert_failure 1
		assert_one_line_error "$(<err)" producer_consumer
	done
	assert_nothing_left
}
