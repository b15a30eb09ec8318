# shellcheck shell=bash disable=SC2034,SC2154 # of tests/run-all
# How tests/run-all counts single cases. Each count_…() reads the log of one
# item and sets passed, failed and skipped, and reason when something is wrong
# that is no single case.

count_cmocka() {
	passed=$(grep -c '\[       OK \] ' "$1")
	failed=$(sed -nE 's/.*\[  FAILED  \] ([A-Za-z_][^ ]*)$/\1/p' "$1" |
		sort -u | wc -l)
	skipped=$(sed -nE 's/.*\[  SKIPPED \] ([A-Za-z_][^ ]*)$/\1/p' "$1" |
		sort -u | wc -l)
	grep -q '\[==========\] .* run' "$1" || reason='it did not come to its end'
	((passed + failed + skipped)) || reason='no case ran'
	fail_skipped "$1"
}

# Valgrind tells of open descriptors, but does not take them for errors.
count_valgrind() {
	local open
	count_cmocka "$1"
	open=$(awk '/Open (file descriptor|[A-Z0-9_]* socket)/ { open++ }
		/<inherited from parent>/ { open-- }
		END { print open + 0 }' "$1")
	((!open)) || reason="$open descriptors left open"
}

count_tap() {
	local planned
	planned=$(sed -n 's/^1\.\.\([0-9]*\)$/\1/p' "$1")
	failed=$(grep -c '^not ok ' "$1")
	skipped=$(grep -c '^ok .* # skip' "$1")
	passed=$(($(grep -c '^ok ' "$1") - skipped))
	if ((!${planned:-0})); then
		reason='no case ran'
	elif ((passed + failed + skipped < planned)); then
		reason="it planned $planned"
	fi
	fail_skipped "$1"
}

# A program that is one case by itself.
count_program() {
	if ((status)); then
		failed=1
	else
		passed=1
	fi
}

# A script that counts for itself, and says so in its last line.
count_last_line() {
	local line
	line=$(tail -n 1 "$1")
	if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
		passed=${BASH_REMATCH[1]} failed=${BASH_REMATCH[2]}
		skipped=${BASH_REMATCH[4]:-0}
	else
		reason='no line of counts at its end'
	fi
	fail_skipped "$1"
}

# What a tool is missing for: the log says "needs TOOL: CASES".
count_missing() {
	skipped=$(sed 's/.*: //' "$1")
	fail_skipped "$1"
}

# CI lets through only what says itself by "needs root" that an ordinary user
# cannot do it (whoever runs the tests as root has to have it all), and by "not
# under valgrind" or "a sanitizer" that it runs in the other builds.
fail_skipped() {
	local excused words='not under (valgrind|a sanitizer)'
	((UID == 0)) || words+='|needs root'
	excused=$(grep -acE "^(ok [0-9]+ .* # skip )?($words): " "$1")
	if [[ ${CI:-false} != false ]] && ((skipped > excused)); then
		reason="$((skipped - excused)) skipped, which CI does not allow"
		failed=$((failed + skipped - excused)) skipped=$excused
	fi
}

list_skipped() {
	sed -nE -e 's/.*\[  SKIPPED \] ([A-Za-z_][^ ]*)$/\1/p' \
		-e 's/^ok [0-9]+ (.*) # skip ?(.*)/\1 (\2)/p' \
		-e 's/^(skipped?:? .*)/\1/p' -e 's/^(needs .*): [0-9]+$/\1/p' "$1" |
		sort -u
}
