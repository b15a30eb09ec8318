#!/usr/bin/env bats
# `ipc_suite report`: the page, and files that are not what they should be.
# shellcheck disable=SC2154 # run sets stderr

bats_require_minimum_version 1.5.0
load ../support/common

setup_file() {
	"$ROOT/ipc_suite" benchmark --all --sizes=64,64KB --trials=2 --time=4s \
		--format=json >"$BATS_FILE_TMPDIR/results.json"
}

setup() {
	setup_chapter suite
	cp "$BATS_FILE_TMPDIR/results.json" .
}

assert_refused() {
	assert_equal "$status" "$1"
	assert_one_line_error "$stderr" ipc_suite
	refute [ -e report.html ]
}

@test "a page is well-formed and needs nothing from elsewhere" {
	run --separate-stderr ./ipc_suite report results.json -o page.html
	assert_success
	assert_equal "$output$stderr" ''
	xmllint --noout page.html
	refute grep -nE 'src=|url\(|@import|<link|<script|[^:]href=["'\''][^#]' \
		page.html
	grep -q '<svg class="plot"' page.html
	grep -q 'Messages of 64KB' page.html
	# Ids are unique though there are two drawings.
	assert_equal "$(grep -oE "id=['\"][^'\"]*" page.html | sort | uniq -d)" ''
	assert_nothing_left
}

@test "without gnuplot the page has tables and says so" {
	run --separate-stderr env PATH=/nonexistent "$PWD/ipc_suite" report results.json
	assert_success
	assert_one_line_error "$stderr" ipc_suite
	assert_regex "$stderr" gnuplot-nox
	xmllint --noout report.html
	grep -q 'No plots: gnuplot is not installed' report.html
	refute grep -q '<svg' report.html
	grep -q 'Messages of 64KB' report.html
}

@test "markup and commands in a file of results stay text" {
	# shellcheck disable=SC2016 # not for us to expand
	sed -i 's/"title": "Pipe"/"title": "<script>`touch got`<\/script>\\" \x27"/' \
		results.json
	run --separate-stderr ./ipc_suite report results.json
	assert_success
	xmllint --noout report.html
	refute grep -q '<script' report.html
	grep -q '&lt;script&gt;' report.html
	refute [ -e got ]
}

@test "a dash is standard output" {
	run --separate-stderr ./ipc_suite report results.json --output=-
	assert_success
	assert_line --index 0 '<!DOCTYPE html>'
	refute [ -e report.html ]
	run --separate-stderr bash -c './ipc_suite report results.json -o - >/dev/full'
	assert_equal "$status" 1
	assert_one_line_error "$stderr" ipc_suite
}

@test "a file that is not there is one line" {
	run --separate-stderr ./ipc_suite report no-such.json
	assert_refused 1
	assert_regex "$stderr" "'no-such.json': No such file or directory"
	run --separate-stderr ./ipc_suite report .
	assert_refused 1
}

@test "a file that holds something else is one line" {
	local text
	head -c 1000 results.json >cut.json
	sed 's/unixipc-benchmark.1/unixipc-benchmark\/999/' results.json >newer.json
	printf '\0\1\2\377' >bytes.json
	: >empty.json
	for text in '[]' '{}' 'null' '"x"' 'hello' '{"schema": 1}'; do
		echo "$text" >foreign.json
		run --separate-stderr ./ipc_suite report foreign.json
		assert_refused 2
	done
	for text in cut newer bytes empty; do
		run --separate-stderr ./ipc_suite report $text.json
		assert_refused 2
		assert_regex "$stderr" "$text.json"
	done
}

@test "a page that cannot be written is one line" {
	run --separate-stderr ./ipc_suite report results.json -o no/such/folder.html
	assert_refused 1
	run --separate-stderr ./ipc_suite report results.json -o /dev/full
	assert_refused 1
}

@test "one file must be given, and no more" {
	run --separate-stderr ./ipc_suite report
	assert_refused 2
	run --separate-stderr ./ipc_suite report results.json results.json
	assert_refused 2
}
