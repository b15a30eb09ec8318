#!/usr/bin/env bats
# sandbox: --root
# when: touched
# about: scripts/fresh-root scripts/devices.bash .ci/
#
# scripts/fresh-root and .ci/run on machines made of stubs: debootstrap copies
# a tiny root of what this file needs, and notes its call; apt names sources
# that nobody asks. (The real thing is what CI is.)

# shellcheck disable=SC2016,SC2154 # for the shell inside; set by run
load ../support/common

setup_file() {
	make_tiny_root "$BATS_FILE_TMPDIR/tiny" >&2
}

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	mkdir -p bin project/scripts project/.ci
	cp "$ROOT"/scripts/{fresh-root,devices.bash} project/scripts
	cp "$ROOT/.ci/run" project/.ci
	FRESH=$PWD/project/scripts/fresh-root CACHE=$PWD/cache
	commit_all 'The first' -q
	make_stubs
	PATH=$PWD/bin:$PATH
	unset CI
}

# Programs, and the libraries that they are linked to.
make_tiny_root() {
	local name program programs=()
	for name in bash git env setpriv umount cat ls id mkdir touch rm sleep \
		chown chmod readlink setsid kill; do
		program=$(realpath -- "$(type -P "$name")") || return
		programs+=("$program")
		install -D "$program" "$1/usr/bin/$name" || return
	done
	ldd "${programs[@]}" | grep -o '/[^ ]*\.so[^ ]*' | sort -u |
		while read -r program; do
			install -D "$program" "$1$program" || return
		done || return
	mkdir -p "$1"/{bin,etc/apt/apt.conf.d,etc/sudoers.d} \
		"$1"/{proc,sys,dev,home,tmp,root,var/log} || return
	ln -sf ../usr/bin/bash "$1/bin/bash"
}

commit_all() {
	git -C project init -q
	git -C project add --all
	git -C project -c user.name=x -c user.email=x@localhost commit -q -m "$1"
}

stub() {
	printf '#!%s\n%s\n' "$BASH" "$2" >"bin/$1"
	chmod +x "bin/$1"
}

make_stubs() {
	local suite
	suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
	: >calls
	stub debootstrap "echo \"debootstrap \$* by \$http_proxy\" >>'$PWD/calls'
		cp -a '$BATS_FILE_TMPDIR/tiny' \"\${@: -2:1}\""
	stub apt-get "echo \"apt-get \$*\" >>'$PWD/calls'
		[[ \$1 == indextargets ]] || exit 100
		printf 'http://mirror.test/os $suite %s\n' main main universe
		echo 'http://other.test/os other main'
		echo 'http://safe.test/os $suite-security main'"
	stub apt-config '[[ $1 == dump ]] || { echo "proxy='"'http://proxy.test'"'"; exit; }
		echo "Acquire::http::Proxy \"http://proxy.test\";"
		echo "Acquire::http::Proxy-Auto-Detect \"/usr/bin/guess\";"
		echo "APT::Architecture \"amd64\";"'
	SUITE=$suite
}

fresh_root() {
	"$FRESH" --cache "$CACHE" "$@"
}

bases_made() {
	grep -c '^debootstrap' calls || true
}

# The base, when it was made, and the lock; no run.
assert_only_base_kept() {
	local names
	names=$(cd "$CACHE" && echo *)
	assert_regex "$names" "^[a-z]+-$SUITE [a-z]+-$SUITE\.made lock\$"
}

as_user() {
	unshare --user --map-user=1000 --map-group=1000 "$@"
}

# ---- the command ----------------------------------------------------------------

@test "command keeps its status, streams and arguments" {
	run -7 --separate-stderr fresh_root bash -c 'cat; printf "<%s>" "$@"
		echo err >&2; exit 7' bash 'a b' '' '*' <<<'in'
	assert_equal "$output" $'in\n<a b><><*>'
	assert_equal "${stderr_lines[-1]}" err
	run -137 fresh_root bash -c 'kill -9 $$'
	refute_output --partial Killed
	run -127 fresh_root no-such-command
	run -0 bash -c 'exec "$@" <&- >&- 2>&-' bash "$FRESH" --cache "$CACHE" \
		bash -c true
}

@test "command is in a clone of the commit, without what is not committed" {
	echo one >project/file
	commit_all 'The second'
	echo two >project/file
	run -0 --separate-stderr fresh_root bash -c 'pwd; cat file; git log --format=%s'
	assert_equal "$output" $'/home/project\none\nThe second\nThe first'
	assert_regex "$stderr" 'uncommitted changes, which will not be in it'
	assert_regex "$stderr" 'is at [0-9a-f]+ The second'
}

@test "checkout of another user is no obstacle" {
	need_second_user
	chown -R 1234:1234 project
	run -0 fresh_root bash -c 'git log --format=%s'
	assert_line 'The first'
}

@test "environment is small, and CI and proxies are in it" {
	CI=true SECRET=x http_proxy=http://proxy.test run -0 --separate-stderr \
		fresh_root env
	for name in _ CI HOME LOGNAME PATH PWD SHELL SHLVL TERM USER http_proxy; do
		output=$(sed "/^$name=/d" <<<"$output")
	done
	assert_equal "$output" ''
}

@test "root, processes and IPC objects are its own" {
	touch "$PWD/outside"
	run -0 --separate-stderr fresh_root bash -c '
		[[ ! -e $0 ]] && cd /proc && echo [0-9]*
		echo /dev/*; echo /dev/shm/* /dev/mqueue/*' "$PWD/outside"
	assert_line --index 0 --regexp '^1 [0-9]+$'
	assert_line --index 1 --partial '/dev/mqueue /dev/null /dev/ptmx /dev/pts'
	assert_line --index 2 '/dev/shm/* /dev/mqueue/*'
	run -0 --separate-stderr fresh_root readlink /proc/self/ns/ipc
	refute_output "$(readlink /proc/self/ns/ipc)"
}

@test "apt in there has this machine's sources and proxies, and no more" {
	run -0 --separate-stderr fresh_root bash -c \
		'cat /etc/apt/sources.list /etc/apt/apt.conf.d/*'
	assert_equal "$output" "deb http://mirror.test/os $SUITE main
deb http://mirror.test/os $SUITE universe
deb http://safe.test/os $SUITE-security main
Acquire::http::Proxy \"http://proxy.test\";"
	run -0 cat calls
	assert_line --regexp "^debootstrap .* $SUITE .* http://mirror.test/os by http://proxy.test\$"
}

@test "ordinary user in there owns the clone and may use sudo" {
	local tiny=$PWD/own
	need_second_user
	cp -a "$BATS_FILE_TMPDIR/tiny" "$tiny"
	printf '#!/bin/bash\n%s\n' 'echo "$@" >>/var/log/apt' \
		>"$tiny/usr/bin/apt-get"
	printf '#!/bin/bash\n%s\n' 'mkdir /home/user
		echo user:x:1000:1000::/home/user:/bin/bash >>/etc/passwd
		echo user:x:1000: >>/etc/group' >"$tiny/usr/bin/useradd"
	chmod +x "$tiny"/usr/bin/{apt-get,useradd}
	stub debootstrap "cp -a '$tiny' \"\${@: -2:1}\""
	run -0 --separate-stderr fresh_root --user bash -c 'id -u
		echo $HOME $USER $PATH
		touch file; cat /var/log/apt; ls -l /etc/sudoers.d'
	assert_line --index 0 1000
	assert_line --index 1 '/home/user user /usr/local/bin:/usr/bin:/bin'
	assert_line --index 3 --regexp ' install .*sudo$'
	assert_line --index 5 --regexp '^-r--r----- .* user$'
}

# ---- what is kept and what is left ------------------------------------------------

@test "nothing is left but the base, which is as it was" {
	local mark=31415.$$ mounts
	mounts=$(cat /proc/self/mounts)
	run -0 fresh_root bash -c "touch /etc/new /home/project/new
		setsid sleep $mark & echo started"
	assert_line started
	assert_equal "$(cat /proc/self/mounts)" "$mounts"
	run ! grep -lz "^$mark\$" /proc/[0-9]*/cmdline
	assert_only_base_kept
	run -0 fresh_root ls /etc
	refute_line new
}

@test "base is made once, and anew when asked, old or broken" {
	run -0 fresh_root cat /dev/null
	run -0 fresh_root cat /dev/null
	assert_equal "$(bases_made)" 1
	run -0 fresh_root --renew cat /dev/null
	assert_equal "$(bases_made)" 2
	touch -d '8 days ago' "$CACHE"/*.made
	run -0 fresh_root cat /dev/null
	assert_equal "$(bases_made)" 3
	rm "$CACHE"/*-"$SUITE"/usr/bin/git
	run -0 fresh_root cat /dev/null
	assert_equal "$(bases_made)" 4
	assert_only_base_kept
}

@test "what others have in the folder of the cache stays" {
	run -0 fresh_root cat /dev/null
	mkdir "$CACHE/run.theirs"
	echo precious >"$CACHE/run.theirs/file"
	run -0 fresh_root cat /dev/null
	assert_equal "$(cat "$CACHE/run.theirs/file")" precious
	rm "$CACHE"/*-"$SUITE".made
	run -125 fresh_root --renew cat /dev/null
	assert_line --partial 'was made by another program'
	[[ -d $(echo "$CACHE"/*-"$SUITE") ]]
}

@test "base that cannot be renewed is used, aloud" {
	run -0 fresh_root cat /dev/null
	stub debootstrap 'echo "E: no network"; exit 1'
	run -0 fresh_root --renew bash -c 'echo ran'
	assert_line 'E: no network'
	assert_line 'fresh-root: going on with the base that is there'
	assert_line ran
	assert_only_base_kept
}

@test "two at a time make one base" {
	stub debootstrap "echo debootstrap >>'$PWD/calls'
		until [[ -e '$PWD/go' ]]; do sleep 0.02; done
		cp -a '$BATS_FILE_TMPDIR/tiny' \"\${@: -2:1}\""
	start_server --name one --ready 'making the base' \
		"$FRESH" --cache "$CACHE" bash -c 'echo ran one'
	start_server --name two --ready 'waiting for another' \
		"$FRESH" --cache "$CACHE" bash -c 'echo ran two'
	touch go
	wait_until 20 is_ended "${SERVER_PID[one]}"
	wait_until 20 is_ended "${SERVER_PID[two]}"
	assert_equal "$(cat one.out two.out)" $'ran one\nran two'
	assert_equal "$(bases_made)" 1
	assert_only_base_kept
}

@test "signal ends all, and nothing is left" {
	local signal mark=27182.$$ mounts
	mounts=$(cat /proc/self/mounts)
	for signal in INT TERM HUP; do
		start_server --ready ready "$FRESH" --cache "$CACHE" \
			bash -c "setsid sleep $mark & echo ready; wait"
		stop_server server $signal
		assert_equal "$status" $((128 + $(kill -l $signal)))
		run ! grep Killed "$SERVER_ERR"
		assert_only_base_kept
	done
	is_gone() { ! grep -qsz "^$mark\$" /proc/[0-9]*/cmdline; }
	wait_until 10 is_gone
	assert_equal "$(cat /proc/self/mounts)" "$mounts"
}

@test "signal while the base is made leaves no half of it" {
	stub debootstrap 'mkdir -p "${@: -2:1}"; echo half >"${@: -2:1}/half"
		exec sleep 1000'
	start_server --ready 'making the base' "$FRESH" --cache "$CACHE" ls
	half_made() { compgen -G "$CACHE/run.*/base/half"; }
	wait_until 10 half_made
	stop_server server TERM
	assert_equal "$status" 143
	assert_equal "$(ls "$CACHE")" lock
}

@test "what a killed run has left is removed by the next, a living run's is not" {
	local dirs
	start_server --name living --ready ready "$FRESH" --cache "$CACHE" \
		bash -c 'echo ready; sleep 1000'
	start_server --name killed --ready ready "$FRESH" --cache "$CACHE" \
		bash -c 'echo ready; sleep 1000'
	run stop_server killed KILL
	dirs=("$CACHE"/run.*)
	assert_equal ${#dirs[@]} 2
	run -0 fresh_root cat /dev/null
	dirs=("$CACHE"/run.*)
	assert_equal ${#dirs[@]} 1
	stop_server living TERM
	assert_only_base_kept
}

@test "logs of a failure are kept, those of a success are not" {
	run -0 fresh_root --logs logs bash -c 'mkdir -p build/log; touch build/log/a'
	assert [ ! -e logs ]
	run -1 fresh_root --logs logs bash -c 'mkdir -p build/log; touch build/log/a
		echo "1 passed, 1 failed"; exit 1'
	assert [ -e logs/a ]
	assert_equal "${lines[-1]}" '1 passed, 1 failed'
}

# ---- where there can be none ----------------------------------------------------------

@test "wrong usage is one line and status 2" {
	run -2 fresh_root
	assert_one_line_error "$output" fresh-root
	run -2 fresh_root --nonsense ls
	assert_one_line_error "$output" fresh-root
	assert_output --partial "'--nonsense'"
	run -2 "$FRESH" --cache
	assert_one_line_error "$output" fresh-root
	run -0 "$FRESH" --help
	assert_line --index 0 --partial 'Usage: scripts/fresh-root'
}

@test "ordinary user is told to be root" {
	run -125 as_user "$FRESH" --cache "$CACHE" touch ran
	assert_one_line_error "$output" fresh-root
	assert_output --partial 'sudo scripts/fresh-root'
}

@test "forbidden namespaces are one line" {
	run -125 unshare --user --map-root-user bash -c '
		echo 0 >/proc/sys/user/max_mnt_namespaces
		"$@"' bash "$FRESH" --cache "$CACHE" touch ran
	assert_one_line_error "$output" fresh-root
	assert_output --partial 'namespaces are not permitted here'
}

@test "machine without sources of its own suite is one line" {
	stub apt-get 'echo http://other.test/os other main'
	run -125 fresh_root touch ran
	assert_one_line_error "$output" fresh-root
	assert_output --partial "apt knows no source of $SUITE"
}

@test "checkout without a commit is said" {
	rm -rf project/.git
	run -125 fresh_root touch ran
	assert_line --regexp '^fresh-root: .*/project is no checkout with a commit$'
}

@test "missing debootstrap is installed, or it is said that it cannot" {
	# What this machine may have of that name is hidden.
	cp -dR /usr/sbin without
	rm -f without/debootstrap
	hidden() {
		unshare --mount bash -c 'mount --bind without /usr/sbin && "$@"' \
			bash "$@"
	}
	mv bin/debootstrap later
	run -125 hidden "$FRESH" --cache "$CACHE" touch ran
	assert_line --index 0 'fresh-root: installing debootstrap'
	assert_line --index 1 --partial 'cannot install debootstrap'
	stub apt-get "case \$* in
		indextargets*) echo 'http://mirror.test/os $SUITE main' ;;
		*'install debootstrap') mv '$PWD/later' '$PWD/bin/debootstrap' ;;
		esac"
	run -0 hidden "$FRESH" --cache "$CACHE" bash -c 'echo ran'
	assert_line ran
}

@test "debootstrap that fails shows its last words, and nothing is left" {
	stub debootstrap 'mkdir "${@: -2:1}"; echo "E: no network"; exit 1'
	run -125 fresh_root touch ran
	assert_line 'E: no network'
	assert_equal "${lines[-1]}" 'fresh-root: there is no base'
	assert_equal "$(ls "$CACHE")" lock
}

# ---- .ci/run ------------------------------------------------------------------------

# ci_with BODY BODY: .ci/run beside a fresh-root and a run-tests of these.
ci_with() {
	printf '#!/bin/bash\n%s\n' "$1" >project/scripts/fresh-root
	printf '#!/bin/bash\n%s\n' "$2" >project/scripts/run-tests
	chmod +x project/scripts/*
	run --separate-stderr project/.ci/run </dev/null
}

@test "CI runs the tests in a bare root, and gives their status and last line" {
	ci_with 'while [[ $1 == --* ]]; do shift; [[ $1 == scripts/* ]] || shift; done
		echo "in a bare root"; exec "$@"' 'echo "3 passed, 1 failed"; exit 2'
	assert_failure 2
	assert_equal "$output" $'in a bare root\n3 passed, 1 failed'
}

@test "CI says aloud where there can be no bare root, and tests without" {
	ci_with 'echo "fresh-root: why" >&2; exit 125' 'echo "4 passed, 0 failed"'
	assert_success
	assert_equal "$output" '4 passed, 0 failed'
	assert_regex "$stderr" 'why.*NOT in a bare root'
}
