# shellcheck shell=bash disable=SC2034,SC2154 # of tests/run-all
# What the items of a run took, for tests/run-all: the seconds of each chapter
# by kind, and the slowest ten. An item's seconds are those of the clock. CPU
# is what it used of them itself, which another load changes less.

# note_times NAME MS CPU_MS
note_times() {
	local kind=unit
	case $1 in
	*.bats) kind=bats ;;
	doctest\ *) kind=doctest ;;
	breaks\ *) kind=breaks ;;
	*\(*\)) kind=${1##*\(} kind=${kind%\)} ;;
	*_test) ;;
	*) kind=other ;;
	esac
	printf '%s\t%s\t%s\t%s\t%s\n' "$(chapter_of_item "$1")" "$kind" "$2" "$3" \
		"$1" >>build/log/times
}

# The chapter of "p01/a_test (asan)", "doctest p01-pipeline", "lib/a.bats".
chapter_of_item() {
	if [[ $1 =~ ^((doctest|breaks)\ )?(p[0-9][0-9]|lib|suite|scripts|tools)([-_/]|$) ]]; then
		echo "${BASH_REMATCH[3]}"
	else
		echo all
	fi
}

# Sets cpu_ms to what this shell's children that have ended have used. By way
# of a file, as a subshell has other children.
cpu_of_children() {
	local user system
	times >"$1"
	{
		read -r # the shell's own
		read -r user system
	} <"$1"
	cpu_ms=$(($(ms_of "$user") + $(ms_of "$system")))
}

# ms_of 1m2.345s
ms_of() {
	local seconds=${1#*m}
	seconds=${seconds%s}
	echo $((60000 * ${1%m*} + 10#${seconds/./}))
}

# A chapter's share of `make test`: its seconds, JOBS items at a time.
print_times() {
	[[ -e build/log/times ]] || return 0
	echo
	sort -k 1,1 build/log/times | awk -F '\t' -v jobs="$JOBS" -v long="$LONG" '
	function row(name, sums, count,  i, share, most) {
		printf "%-8s", name
		for (i = 1; i <= kinds; i++)
			printf "%9.1f", sums[kind[i]] / 1000
		share = sums["sum"] / 1000 / jobs
		printf "%9.1f%9.1f%9.1f", sums["sum"] / 1000, sums["cpu"] / 1000, share
		most = name ~ /^(lib|suite)$/ ? 60 : name ~ /^p/ ? 20 : 0
		print (!long && most && share > most) ? "  more than " most " s" : ""
	}
	function end_chapter() {
		if (chapter != "")
			row(chapter, here)
		split("", here)
	}
	BEGIN {
		kinds = split("unit asan tsan valgrind seeds bats doctest breaks other", kind, " ")
		printf "%-8s", "seconds"
		for (i = 1; i <= kinds; i++)
			printf "%9s", kind[i]
		printf "%9s%9s%9s\n", "sum", "CPU", "sum/" jobs
	}
	$1 != chapter { end_chapter(); chapter = $1 }
	{
		here[$2] += $3; here["sum"] += $3; here["cpu"] += $4
		total[$2] += $3; total["sum"] += $3; total["cpu"] += $4
	}
	END { end_chapter(); row("together", total) }'
	printf '\nslowest:\n'
	sort -t $'\t' -k 3,3nr build/log/times | head -n 10 | awk -F '\t' '{
		printf "%9.1f s%9.1f s CPU  %s\n", $3 / 1000, $4 / 1000, $5 }'
	echo
}
