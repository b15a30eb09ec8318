# What check-docs and check-breaks read out of a README; sourced by both.
#
# A test is named, in code spans of the tables, as
#
#   pipeline_test.c:reader_sees_eof_when_last_writer_closes
#   pipeline.bats:"a command that cannot be run is one line"
#
# both files being in tests/p01, as far as p01's README is concerned, which
# names lib/tick_test.c when it means tests/lib/tick_test.c.
# shellcheck shell=bash disable=SC2034 # TEST_FILE, TEST_CASE and WHY are results

# The text without its fenced blocks, whose lines are left empty.
prose() {
	[[ -f $1 ]] || return 0
	awk '/^ *```/ { fenced = !fenced; print ""; next }
		{ print fenced ? "" : $0 }' "$1"
}

# table README SECTION: the rows under that heading, without their titles.
table() {
	prose "$1" | awk -v heading="## $2" '
		/^## / { here = $0 == heading; rows = 0 }
		here && /^\|/ && ++rows > 2'
}

# cell ROW N: the Nth cell of a row; N may be "last".
cell() {
	local cells row
	row=$(trim "$1")
	IFS='|' read -ra cells <<<"${row#|}"
	if [[ $2 == last ]]; then
		trim "${cells[-1]}"
	else
		trim "${cells[$2 - 1]-}"
	fi
}

# Not by +([[:blank:]]), which takes bash seconds at the end of a long row.
trim() {
	local text=${1#"${1%%[![:blank:]]*}"}
	echo "${text%"${text##*[![:blank:]]}"}"
}

# The code spans of standard input, a line each.
code_spans() {
	# shellcheck disable=SC2016 # not that kind of backtick
	grep -oE '`[^`]+`' | tr -d '`'
}

# The test file that the README of a folder names.
test_file() {
	local dir=${1%/} name=$2
	[[ $dir != p[0-9][0-9]-* ]] || dir=${dir%%-*}
	[[ $name == */* ]] || name=$dir/$name
	echo "tests/$name"
}

# find_test DIR NAME: sets TEST_FILE and TEST_CASE, or says in WHY what is wrong
# with the name that the README in DIR has. Needs to run at the root.
find_test() {
	local spell='give FILE_test.c:FUNCTION or FILE.bats:"TEST"'
	if [[ $2 =~ ^([a-z0-9_/]+_test\.c):([a-zA-Z0-9_]+)$ ||
		$2 =~ ^([a-z0-9_/]+\.bats):\"(.+)\"$ ]]; then
		TEST_FILE=$(test_file "$1" "${BASH_REMATCH[1]}")
		TEST_CASE=${BASH_REMATCH[2]}
	else
		WHY="'$2' names no test, $spell"
		return 1
	fi
	if [[ ! -e $TEST_FILE ]]; then
		WHY="there is no $TEST_FILE"
		return 1
	fi
	has_case "$TEST_FILE" "$TEST_CASE" && return
	WHY="there is no test '$TEST_CASE' in $TEST_FILE"
	return 1
}

# The case is one that the file would run.
has_case() {
	case $1 in
	*.bats) grep -qFe "@test \"$2\" {" -e "@test '$2' {" "$1" ;;
	*) tr -s '[:space:]' ' ' <"$1" |
		grep -qE "(cmocka_unit_test[a-z_]*|CASE)\( ?$2 ?[,)]" ;;
	esac
}
