#!/usr/bin/env bats
# mmapdb as a user types it: the guide's transcript, and each verb.
# needs: strace expect jq
# shellcheck disable=SC2016 # commands are text
load ../support/common

# numbered FROM TO FORMAT: a line a number, which FORMAT may have twice.
numbered() {
	awk -v from="$1" -v to="$2" -v format="$3\n" \
		'BEGIN { for (i = from; i <= to; i++) printf format, i, i }'
}

setup() {
	setup_chapter p14
}

# ---- the guide's transcript, and what it calls done ----------------------------
# With the guide's command line alone: any program of that name can pass these.

# bats test_tags=guide
@test "the guide's transcript" {
	run ./mmapdb create mydata.db --size=100MB
	assert_success
	assert_output 'Database created: mydata.db (100MB)'
	run ./mmapdb insert mydata.db user:1 '{"name":"Alice"}'
	assert_success
	assert_output 'Inserted at offset 0'
	run ./mmapdb insert mydata.db user:2 '{"name":"Bob"}'
	assert_success
	assert_output 'Inserted at offset 256'
	run ./mmapdb get mydata.db user:1
	assert_success
	assert_output '{"name":"Alice"}'
}

# bats test_tags=guide
@test "what was printed as inserted is there after kill -9" {
	./mmapdb create mydata.db --size=1MB
	for i in {1..5}; do
		rm -f out
		./mmapdb insert mydata.db "user:$i" "value $i" >out 3>&- &
		wait_for_line out '^Inserted at offset [0-9]+$' 20
		kill -9 $! 2>/dev/null || true
		wait $! || true
	done
	for i in {1..5}; do
		run ./mmapdb get mydata.db "user:$i"
		assert_success
		assert_output "value $i"
	done
}

insert_many() {
	local i
	for i in {1..10}; do
		./mmapdb insert mydata.db "$1:$i" "value of $1:$i" || return
	done
}

# bats test_tags=guide
@test "processes that insert at the same time lose nothing" {
	local pids=()
	./mmapdb create mydata.db --size=1MB
	for who in a b c d; do
		insert_many $who >"out.$who" 3>&- &
		pids+=($!)
	done
	wait "${pids[@]}"
	for who in a b c d; do
		for i in {1..10}; do
			run ./mmapdb get mydata.db "$who:$i"
			assert_success
			assert_output "value of $who:$i"
		done
	done
	# Each had an offset of its own.
	assert_equal "$(cat out.* | sort -u | wc -l)" 40
}

# bats test_tags=guide
@test "a database grows beyond the size that it was created with" {
	./mmapdb create mydata.db --size=4KB
	for i in {1..24}; do
		run ./mmapdb insert mydata.db "user:$i" "$(printf '%0150d' "$i")"
		assert_success
		assert_output "Inserted at offset $(((i - 1) * 256))"
	done
	for i in {1..24}; do
		run ./mmapdb get mydata.db "user:$i"
		assert_success
		assert_output "$(printf '%0150d' "$i")"
	done
}

# ---- beyond ----------------------------------------------------------------------

@test "of an insert that is killed at any time there is all or nothing" {
	./mmapdb create mydata.db --size=1MB
	for i in {1..10}; do
		rm -f out
		./mmapdb insert mydata.db "user:$i" "value $i" >out 3>&- &
		sleep "0.00$((i - 1))"
		kill -9 $! 2>/dev/null || true
		wait $! || true
		run ./mmapdb get mydata.db "user:$i"
		if [[ -s out || $status == 0 ]]; then
			assert_success
			assert_output "value $i"
		else
			assert_failure 1
		fi
	done
}

fill() {
	./mmapdb create mydata.db
	printf 'put %s\n' 'user:1 Alice' 'user:2 Bob' 'user:10 Carol' \
		'item:1 a pen' 'zebra' | sed 's/zebra/zebra stripes/' |
		./mmapdb batch mydata.db
}

@test "a key is set again, and del takes it away" {
	./mmapdb create mydata.db
	./mmapdb insert mydata.db key one
	run ./mmapdb put mydata.db key two
	assert_success
	assert_output 'Inserted at offset 256'
	run ./mmapdb get mydata.db key
	assert_output two
	run ./mmapdb del mydata.db key
	assert_success
	assert_output ''
	run ./mmapdb get mydata.db key
	assert_failure 1
	assert_output "mmapdb: there is no record 'key' in mydata.db"
	run ./mmapdb del mydata.db key
	assert_failure 1
	assert_output "mmapdb: there is no record 'key' in mydata.db"
	run ./mmapdb insert mydata.db key three
	assert_output 'Inserted at offset 512'
}

@test "exists says it by its status, and count in a number" {
	fill
	run ./mmapdb exists mydata.db user:1
	assert_success
	assert_output ''
	run ./mmapdb exists mydata.db user:3
	assert_failure 1
	assert_output ''
	run ./mmapdb count mydata.db
	assert_output 5
	run ./mmapdb count mydata.db --prefix=user:
	assert_output 3
	run ./mmapdb count mydata.db --from=user:10 --to=z
	assert_output 2
}

@test "an offset takes as many 256 bytes as the record needs" {
	./mmapdb create mydata.db
	./mmapdb insert mydata.db a "$(printf '%0255d' 1)"
	run ./mmapdb insert mydata.db b "$(printf '%0256d' 1)"
	assert_output 'Inserted at offset 256'
	run ./mmapdb insert mydata.db c ''
	assert_output 'Inserted at offset 768'
	./mmapdb del mydata.db a
	./mmapdb compact mydata.db
	run ./mmapdb insert mydata.db d ''
	assert_output 'Inserted at offset 1024'
}

@test "a value comes from standard input and goes out byte by byte" {
	./mmapdb create mydata.db
	head -c 3000000 /dev/urandom >value
	run ./mmapdb insert mydata.db large - <value
	assert_success
	printf '\0\n\xff' | ./mmapdb insert mydata.db small -
	./mmapdb get --raw mydata.db large | cmp - value
	./mmapdb get mydata.db small | cmp - <(printf '\0\n\xff\n')
	printf '' | ./mmapdb insert mydata.db empty -
	run ./mmapdb get mydata.db empty
	assert_success
	assert_output ''
}

@test "keys and values may begin with a dash" {
	./mmapdb create mydata.db
	./mmapdb insert mydata.db -5 -7
	run ./mmapdb get mydata.db -5
	assert_output -- -7
	./mmapdb insert mydata.db -- --size --limit
	run ./mmapdb get mydata.db -- --size
	assert_output -- --limit
}

@test "list prints keys in order, and parts of them" {
	fill
	run ./mmapdb list mydata.db
	assert_success
	assert_output "$(printf '%s\t%s\n' item:1 'a pen' user:1 Alice \
		user:10 Carol user:2 Bob zebra stripes)"
	run ./mmapdb list mydata.db --prefix=user: --keys-only
	assert_output "$(printf 'user:%d\n' 1 10 2)"
	run ./mmapdb list mydata.db --from=user:1 --to=user:2 --keys-only
	assert_output "$(printf 'user:%d\n' 1 10)"
	run ./mmapdb list mydata.db --limit=1 --keys-only
	assert_output item:1
	run ./mmapdb list mydata.db --limit=0
	assert_success
	assert_output ''
	run ./mmapdb list mydata.db --prefix=none
	assert_success
	assert_output ''
}

@test "list as JSON is one object" {
	fill
	printf '\xff' | ./mmapdb insert mydata.db binary -
	run ./mmapdb list mydata.db --json --prefix=user:
	assert_success
	assert_equal "$(jq -r .schema <<<"$output")" unixipc-mmapdb-list/1
	assert_equal "$(jq -c '[.records[] | [.key, .value]]' <<<"$output")" \
		'[["user:1","Alice"],["user:10","Carol"],["user:2","Bob"]]'
	run ./mmapdb list mydata.db --json --keys-only --limit=2
	assert_equal "$(jq -c '.records' <<<"$output")" \
		'[{"key":"binary"},{"key":"item:1"}]'
	run ./mmapdb list mydata.db --json --prefix=binary
	assert_equal "$(jq -r '.records[0].value_base64' <<<"$output")" '/w=='
	run ./mmapdb list mydata.db --json --prefix=none
	assert_equal "$(jq -c .records <<<"$output")" '[]'
}

@test "list escapes what would break its lines" {
	./mmapdb create mydata.db
	printf 'a\tb\nc\\\x1b' | ./mmapdb insert mydata.db key -
	run ./mmapdb list mydata.db
	assert_output 'key	a\tb\nc\\\x1b'
}

@test "batch does all of its lines" {
	fill
	run ./mmapdb batch mydata.db <<-'END'
		put user:3 some words
		del user:1
		del no-such-key
		put a\x20b \x00\n
	END
	assert_success
	assert_output 'Batch: 2 put, 1 deleted'
	run ./mmapdb get mydata.db user:3
	assert_output 'some words'
	run ./mmapdb exists mydata.db user:1
	assert_failure 1
	./mmapdb get --raw mydata.db 'a b' | cmp - <(printf '\0\n')
}

@test "what is exported comes back as it was" {
	fill
	head -c 20000 /dev/urandom | ./mmapdb insert mydata.db binary -
	printf '"quoted", and\nmore\r\n' | ./mmapdb insert mydata.db 'a,"b' -
	./mmapdb insert mydata.db é '\u00e9'
	for format in json csv; do
		./mmapdb export mydata.db --format=$format >out.$format
		./mmapdb create "$format.db"
		run ./mmapdb import "$format.db" --format=$format <out.$format
		assert_success
		assert_output 'Imported: 8 records'
		./mmapdb export "$format.db" --format=$format | cmp - out.$format
		cmp <(./mmapdb list mydata.db) <(./mmapdb list "$format.db")
	done
	jq -es 'length == 8' out.json
	run ./mmapdb import json.db out.json
	assert_output 'Imported: 8 records'
	run ./mmapdb count json.db
	assert_output 8
}

@test "100,000 lines are one transaction" {
	./mmapdb create mydata.db
	numbered 1 100000 '{"key": "%06d", "value": "%d"}' >lines
	run ./mmapdb import mydata.db lines
	assert_success
	assert_output 'Imported: 100000 records'
	run ./mmapdb count mydata.db
	assert_output 100000
	run ./mmapdb get mydata.db 099999
	assert_output 99999
	./mmapdb export mydata.db | cmp - lines
	run ./mmapdb check mydata.db
	assert_success
	assert_output --regexp '^mydata.db is whole: 100000 records in [0-9]+ pages$'
}

@test "an import shows how far it is" {
	# shellcheck disable=SC2317
	feed() {
		local line=0 deadline=$((SECONDS + 60))
		while [[ ! -e seen ]] && ((SECONDS < deadline)); do
			numbered $((line + 1)) $((line += 1000)) \
				'{"key": "%06d", "value": "%d"}'
			sleep 0.05
		done
	}
	./mmapdb create mydata.db
	export -f feed numbered
	TERM=xterm run expect -c 'set timeout 60
		spawn bash -c "feed | ./mmapdb import mydata.db"
		expect {
			"reading" { close [open seen w]; exp_continue }
			-re "Imported: \[1-9]\[0-9]+ records" { puts finished }
		}
		expect eof'
	assert_success
	assert_output --partial reading
	assert_output --partial finished
}

@test "stat tells what there is, and JSON the same" {
	fill
	run ./mmapdb stat mydata.db
	assert_success
	assert_line --regexp '^Records +5$'
	assert_line --regexp '^Next offset +1280$'
	run ./mmapdb stat mydata.db --json
	assert_success
	assert_equal "$(jq -r .schema <<<"$output")" unixipc-mmapdb-stat/1
	assert_equal "$(jq -c '[.records, .next_offset, .readers]' <<<"$output")" \
		'[5,1280,[]]'
}

@test "stat tells that a sync has failed, until the database is compacted" {
	fill
	# is_failed: see layout.h.
	printf '\1' | dd of=mydata.db-lock bs=1 seek=272 conv=notrunc status=none
	run ./mmapdb stat mydata.db
	assert_line --partial 'A sync has failed: nothing is written any more'
	run ./mmapdb stat mydata.db --json
	assert_equal "$(jq .is_failed <<<"$output")" true
	run ./mmapdb insert mydata.db key value
	assert_failure 1
	assert_one_line_error "$output" mmapdb
	./mmapdb compact mydata.db
	run ./mmapdb stat mydata.db
	refute_line --partial 'failed'
	./mmapdb insert mydata.db key value
}

fill_much() {
	./mmapdb create mydata.db
	numbered 1 50000 '{"key": "%06d", "value": "some text that fills %d"}' |
		./mmapdb import mydata.db
}

# A reader in the midst of all that: $reader, which waits for us to read pipe 5.
start_reader() {
	fill_much
	mkfifo pipe
	./mmapdb list mydata.db >pipe 3>&- &
	reader=$!
	exec 5<pipe
	wait_until 20 has_reader 1
}

has_reader() {
	[[ $(./mmapdb stat mydata.db --json | jq '.readers | length') == "$1" ]]
}

@test "stat names a reader, writers go on, and the reader sees its snapshot" {
	start_reader
	run ./mmapdb stat mydata.db
	assert_line --regexp "^Reader: process $reader, for .*, of version [0-9]+\$"
	assert_equal "$(./mmapdb stat mydata.db --json |
		jq '.readers[0].pid')" "$reader"
	numbered 1 50000 'del %06d' | ./mmapdb batch mydata.db
	run ./mmapdb count mydata.db
	assert_output 0
	assert_equal "$(wc -l <&5)" 50000
	exec 5<&-
	wait "$reader"
	wait_until 20 has_reader 0
}

@test "a killed reader costs nothing" {
	start_reader
	kill -9 "$reader"
	wait "$reader" || true
	exec 5<&-
	has_reader 0
	before=$(stat -c %s mydata.db)
	for i in {1..40}; do
		./mmapdb insert --no-sync mydata.db 000001 "$i"
	done >/dev/null
	(($(stat -c %s mydata.db) <= before + (1 << 20)))
}

@test "a file that is cut while it is read is one line" {
	fill_much
	mkfifo pipe
	./mmapdb list mydata.db >pipe 2>error 3>&- &
	reader=$!
	exec 5<pipe
	wait_until 20 has_reader 1
	truncate -s 16K mydata.db
	cat <&5 >/dev/null
	exec 5<&-
	status=0
	wait "$reader" || status=$?
	assert_equal "$status" 1
	assert_one_line_error "$(cat error)" mmapdb
	grep -q 'cut short' error
}

@test "compact makes the file small while others read on" {
	fill_much
	numbered 1 49000 'del %06d' | ./mmapdb batch mydata.db
	before=$(stat -c %s mydata.db)
	run ./mmapdb compact mydata.db
	assert_success
	assert_output --regexp '^Compacted: [0-9]+ KB, and [0-9]+ KB before$'
	(($(stat -c %s mydata.db) < before / 2))
	run ./mmapdb count mydata.db
	assert_output 1000
	run ./mmapdb check mydata.db
	assert_success
}

@test "a backup is a database like the one it was made of" {
	fill
	run ./mmapdb backup mydata.db copy.db
	assert_success
	assert_output 'Backup: copy.db, 5 records'
	cmp <(./mmapdb export mydata.db) <(./mmapdb export copy.db)
	./mmapdb insert copy.db new one
	run ./mmapdb check copy.db
	assert_success
}

@test "without --no-sync the file is synced, and with it not" {
	fill
	strace -f -o trace -e trace=fsync,fdatasync,msync,pwritev2 \
		./mmapdb insert mydata.db a b
	grep -qE 'fdatasync\(|fsync\(|RWF_DSYNC|MS_SYNC' trace
	strace -f -o trace -e trace=fsync,fdatasync,msync,pwritev2 \
		./mmapdb insert mydata.db a b --no-sync
	run grep -cE 'fdatasync\(|fsync\(|RWF_DSYNC|MS_SYNC' trace
	assert_output 0
	run ./mmapdb insert --help
	assert_output --partial '--no-sync'
	assert_output --partial 'power cut'
}

@test "each verb says what it is for" {
	run ./mmapdb --help
	help=$output
	for verb in create insert put get del exists count list import export \
		batch stat check compact backup; do
		run ./mmapdb "$verb" --help
		assert_success
		assert_line --index 0 --regexp "^Usage: mmapdb $verb "
		assert_output --partial Example:
		[[ $help == *"$verb"* ]]
	done
}
