# What bats before 1.7 does not have (Ubuntu 22.04 has 1.2), for common.bash.

bats_require_minimum_version() {
	:
}

bats_load_library() {
	local dir
	for dir in /usr/lib/bats /usr/lib /usr/share/bats; do
		if [[ -r $dir/$1/load.bash ]]; then
			# shellcheck disable=SC1090 # known when it runs
			source "$dir/$1/load.bash"
			return
		fi
	done
	echo "no $1: apt-get install $1" >&2
	return 1
}

if [[ -z ${BATS_TEST_TMPDIR-} ]]; then
	BATS_TEST_TMPDIR=$BATS_TEST_DIRNAME/../../build/bats/${BATS_TEST_FILENAME##*/}
	BATS_TEST_TMPDIR=$(realpath -m "$BATS_TEST_TMPDIR.${BATS_TEST_NUMBER-0}")
	rm -rf -- "$BATS_TEST_TMPDIR"
	mkdir -p -- "$BATS_TEST_TMPDIR"
	export BATS_TEST_TMPDIR
fi

# run [!|-N] [--separate-stderr] [--] COMMAND…
# shellcheck disable=SC2034 # it sets variables for the test
run() {
	local wanted='' error_file='' flags=$-
	while [[ $1 == [-!]* ]]; do
		case $1 in
		!) wanted='not 0' ;;
		-[0-9]*) wanted=${1#-} ;;
		--separate-stderr) error_file=$BATS_TEST_TMPDIR/.stderr ;;
		--)
			shift
			break
			;;
		*)
			echo "run: no option $1" >&2
			return 1
			;;
		esac
		shift
	done
	set +eET
	if [[ $error_file ]]; then
		output=$("$@" 2>"$error_file")
		status=$?
		stderr=$(<"$error_file")
		mapfile -t stderr_lines <<<"$stderr"
	else
		output=$("$@" 2>&1)
		status=$?
	fi
	mapfile -t lines < <(printf '%s' "$output" | grep -v '^$')
	set "-$flags"
	case $wanted in
	'') return 0 ;;
	'not 0') ((status != 0)) ;;
	*) ((status == wanted)) ;;
	esac || {
		echo "run: status $status, wanted $wanted: $*" >&2
		return 1
	}
}
