#!/usr/bin/env bats
# What ipc_benchmark does not accept: one line that names the option, the value
# and what is accepted; exit status 2, or 1 for the file system; nothing left.
# shellcheck disable=SC2154 # run sets stderr

bats_require_minimum_version 1.5.0
load ../support/common

setup() {
	setup_chapter p06
	if [[ ! -e $BATS_FILE_TMPDIR/run.json ]]; then
		./ipc_benchmark --iterations=10 --trials=1 --mechanism=pipe \
			--format=json >"$BATS_FILE_TMPDIR/run.json"
	fi
	cp "$BATS_FILE_TMPDIR/run.json" .
}

# refused STATUS PART… -- ARGUMENTS…: and each PART is in the message.
refused() {
	local status_wanted=$1 parts=()
	shift
	while [[ $1 != -- ]]; do
		parts+=("$1")
		shift
	done
	shift
	run --separate-stderr timeout 60 ./ipc_benchmark "$@"
	assert_equal "$status" "$status_wanted"
	assert_one_line_error "$stderr" ipc_benchmark
	assert_equal "$output" ''
	local part
	for part in "${parts[@]}"; do
		[[ $stderr == *"$part"* ]] || fail "no '$part' in: $stderr"
	done
	assert_nothing_left
}

@test "sizes out of range, of no number or beyond 64 bits" {
	local size
	for size in 0 1 15 67108865 65MB 1GB 99999999999999999999 -1 '' abc 1K5 \
		16777216G 0x10 ' 1024' 10Z; do
		refused 2 "--msg-size=$size: accepted is 16 to 64MB" -- --msg-size="$size"
	done
}

@test "counts out of range or of no number" {
	local count
	for count in 0 -5 abc '' 10.5 2G 99999999999999999999 1KB; do
		refused 2 "--iterations=$count: accepted is 1 to 1G" -- --iterations="$count"
	done
	for count in 0 100 -1 abc ''; do
		refused 2 "--trials=$count: accepted is 1 to 99" -- --trials="$count"
	done
}

@test "an unknown mechanism: the known ones are listed" {
	refused 2 --mechanism "'carrier-pigeon'" 'pipe, fifo' shm-eventfd -- \
		--mechanism=pipe,carrier-pigeon
	refused 2 --mechanism "''" -- --mechanism=
	refused 2 --mechanism "''" -- --mechanism=pipe,
	refused 2 --mechanism "'PIPE'" -- --mechanism=PIPE
}

@test "CPUs that do not exist, too many, too few" {
	refused 2 --cpus 1000 -- --cpus=0,1000
	refused 2 --cpus -- --cpus=0,1,0
	refused 2 --cpus -- --cpus=0,0
	refused 2 --cpus -- --cpus=0
	refused 2 --cpus=: -- --cpus=
	refused 2 --cpus=x: -- --cpus=x
	refused 2 --no-pin -- --no-pin --cpus=0,1
	refused 2 --no-pin -- --no-pin --placement=one
}

@test "two CPUs when there is but one" {
	refused 2 --placement -- --placement=three
	run --separate-stderr taskset -c 0 ./ipc_benchmark --placement=two
	assert_equal "$status" 2
	assert_one_line_error "$stderr" ipc_benchmark
	run taskset -c 0 ./ipc_benchmark --iterations=10 --trials=1 \
		--mechanism=pipe --format=csv
	assert_success
	assert_line --regexp '^pipe,.*,one,'
}

@test "other words and times" {
	refused 2 --format=xml: table csv json -- --format=xml
	refused 2 --max-time=soon: -- --max-time=soon
	refused 2 --max-time=0: -- --max-time=0
	refused 2 --deadline=-1s: -- --deadline=-1s
	refused 2 --deadline=86401s: -- --deadline=86401s
	refused 2 --max-time=86401s: -- --max-time=86401s
	refused 2 -- --no-such-option
	refused 2 -- operand
	refused 2 --compare -- --compare=run.json --format=csv
}

@test "a file that cannot be written is known before anything is measured" {
	refused 1 --output no/such/dir/x -- --output=no/such/dir/x --iterations=1G
	refused 1 --output "'.'" -- --output=. --iterations=1G
	refused 1 --output "''" -- --output= --iterations=1G
}

@test "an earlier run that is missing or no file" {
	refused 1 --compare none.json 'No such file' -- --compare=none.json
	refused 1 --compare "'.'" -- --compare=.
	refused 1 --compare -- --compare=/dev/zero
}

@test "an earlier run that is truncated, not JSON or of another version" {
	head -c 1000 run.json >cut.json
	refused 2 --compare cut.json 'cut short' -- --compare=cut.json
	echo hello >text
	refused 2 --compare text 'not JSON' -- --compare=text
	: >empty
	refused 2 --compare empty 'empty' -- --compare=empty
	sed 's|benchmark/1|benchmark/2|' run.json >other.json
	refused 2 --compare other.json 'another version' -- --compare=other.json
	echo '{}' >object.json
	refused 2 --compare object.json schema -- --compare=object.json
	sed 's/"title": "Pipe"/"title": "\\u001b[2J"/' run.json >evil.json
	refused 2 --compare evil.json 'rows[0].title' -- --compare=evil.json
}
