# shellcheck shell=bash disable=SC2034,SC2154 # of tests/run-all
# What `make test` leaves to `make test-long`: valgrind and breaks of folders
# that were not touched, and what a test file says in its head or its tags.
#
# Touched is what differs from BASE, work tree included. Without BASE it is what
# the last 20 commits changed, of these the 6 folders that were changed last:
# that is the same for everybody who has this commit, as a merge base is not (in
# a clone of what has landed, it is the commit itself).

TOUCHED_COMMITS=20 TOUCHED_MOST=6

# Sets TOUCHED (words: p01 … p18, lib, suite, scripts), and in TOUCHED_TOO
# what was touched and is too much for one run.
find_touched() {
	local folders
	TOUCHED=() TOUCHED_TOO=()
	[[ -e .git ]] || return 0
	if [[ ${BASE-} ]]; then
		git rev-parse -q --verify "$BASE^{commit}" >/dev/null ||
			die_usage "BASE='$BASE' is no commit"
	fi
	mapfile -t folders < <(list_changed | folder_of | awk '!seen[$0]++')
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
	sed -nE -e 's,^(tests/)?(fuzz/|models/)?(p[0-9]{2}|lib|suite)[-_/].*,\3,p' \
		-e 's,^(scripts/|Makefile|tests/(run-all|support/|tools/|scripts_)).*,scripts,p'
}

# Whether the folder of this path is touched. All are, where all was asked for,
# in the chapter that was named, and without git.
is_touched() {
	local folder
	((!LONG)) && [[ -z $CHAPTER && -e .git ]] || return 0
	folder=$(folder_of <<<"$1")
	among "$folder" "${TOUCHED[@]}"
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

