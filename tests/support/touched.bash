# shellcheck shell=bash disable=SC2034,SC2154 # of tests/run-all
# What `make test` leaves to `make test-long`: sanitizers, valgrind and breaks of
# code that was not touched, and what a test file says in its head or its tags.
#
# Touched is what differs from BASE, work tree included. Without BASE it is what
# the last 20 commits changed, of these the 3 folders that were changed last:
# that is the same for everybody who has this commit, as a merge base is not (in
# a clone of what has landed, it is the commit itself).

TOUCHED_COMMITS=20 TOUCHED_MOST=3

# Sets TOUCHED (words: p01 … p18, lib, suite, scripts), in TOUCHED_TOO what was
# touched and is too much for one run, and in CHANGED the files.
find_touched() {
	local folders
	TOUCHED=() TOUCHED_TOO=() CHANGED=()
	[[ -e .git ]] || return 0
	if [[ ${BASE-} ]]; then
		git rev-parse -q --verify "$BASE^{commit}" >/dev/null ||
			die_usage "BASE='$BASE' is no commit"
	fi
	mapfile -t CHANGED < <(list_changed | awk '!seen[$0]++')
	mapfile -t folders < <(printf '%s\n' "${CHANGED[@]}" | folder_of |
		awk '!seen[$0]++')
	if [[ ${BASE-} ]]; then
		TOUCHED=("${folders[@]}")
	else
		TOUCHED=("${folders[@]:0:TOUCHED_MOST}")
		TOUCHED_TOO=("${folders[@]:TOUCHED_MOST}")
	fi
}

# The changed files, those that were changed last first.
list_changed() {
	git diff --name-only HEAD
	git ls-files --others --exclude-standard
	if [[ ${BASE-} ]]; then
		git diff --name-only "$BASE" HEAD
	else
		git log -n "$TOUCHED_COMMITS" --format= --name-only
	fi
}

# The folder that each path of standard input is about.
folder_of() {
	sed -nE -e 's,^(tests/)?(fuzz/|models/|crash/)?(p[0-9]{2}|lib|suite)[-_/].*,\3,p' \
		-e 's,^(scripts/|Makefile|tests/(run-all|support/|tools/|crash/|fuzz/run|models/run)).*,scripts,p'
}

# Whether all counts as touched: where all was asked for, in the chapter that was
# named, and without git.
is_all_touched() {
	((LONG)) || [[ $CHAPTER || ! -e .git ]]
}

# has_changed NAME…: whether one of these files has changed, or a file in one of
# these folders ("scripts/").
has_changed() {
	local file name
	for file in "${CHANGED[@]}"; do
		for name in "$@"; do
			[[ $file != "$name" && ($name != */ || $file != "$name"*) ]] ||
				return 0
		done
	done
	return 1
}

# Whether this is touched: a folder ("p01-pipeline/"), or a test file with its
# folder. A test that says which files it is about is touched by these and by
# itself alone.
is_touched() {
	local about=()
	is_all_touched && return
	[[ -f $1 ]] && read -ra about -d '' < <(said_in "$1" about)
	if ((${#about[@]})); then
		has_changed "$1" "${about[@]}"
	else
		among "$(folder_of <<<"$1")" "${TOUCHED[@]}"
	fi
}

# Whether a unit test is touched as a program: by C files of its own or of the
# folder that it is about, and not by another test beside it.
is_code_touched() {
	local folder=${1#tests/} file
	folder=${folder%%/*}
	is_all_touched && return
	among "$folder" "${TOUCHED[@]}" || return
	for file in "${CHANGED[@]}"; do
		case $file in
		"$1") return ;;
		tests/"$folder"/*_test.c) ;;
		tests/"$folder"/*.[ch] | "$folder"*.[chx]) return ;;
		esac
	done
	return 1
}

# Sets BREAKS to what scripts/check-breaks is to try of this folder: those that
# are touched by the patch, by a file that it changes, or by the file of the test
# that catches it. N_LEFT is how many are not.
choose_breaks() {
	local about
	BREAKS=() N_LEFT=0
	if is_all_touched; then
		BREAKS=("$1")
	elif is_touched "$1/"; then
		while read -ra about; do
			if has_changed "${about[@]}"; then
				BREAKS+=("${about[0]}")
			else
				N_LEFT=$((N_LEFT + 1))
			fi
		done < <(scripts/check-breaks --about "$1")
		# Who cannot tell will say so when it is run.
		((N_LEFT + ${#BREAKS[@]})) || BREAKS=("$1")
	else
		N_LEFT=$(find "$1/breaks" -name '*.patch' | wc -l)
	fi
}

# is_left WORDS PATH: whether a test that says these words of "long" and
# "touched" is left to the long run.
is_left() {
	((!LONG && !STRESS)) || return 1
	case " $1 " in
	*' long '*) return 0 ;;
	*' touched '*) ! is_touched "$2" ;;
	*) return 1 ;;
	esac
}

