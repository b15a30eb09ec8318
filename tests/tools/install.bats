#!/usr/bin/env bats
# when: touched
# about: scripts/install-deps scripts/quickstart scripts/run-tests
#
# scripts/install-deps, quickstart and run-tests on machines made of stubs: a
# directory of commands that pretend to be dpkg, apt and sudo, and note in the
# file "calls" what they were asked to do.

# shellcheck disable=SC2016 # stubs are text
load ../support/common

setup() {
	cd "$BATS_TEST_TMPDIR" || return
	chmod a+x . .. "${BATS_RUN_TMPDIR-.}" # for ordinary users
	mkdir bin scripts
	cp "$ROOT"/scripts/{install-deps,quickstart,run-tests} scripts
	: >calls
	: >installed
	ln -s "$BASH" bin/bash
	unset CI DEBIAN_FRONTEND
}

# stub NAME BODY: a command in bin/ that notes its call and runs BODY.
stub() {
	printf '#!%s\n%s\n%s\n' "$BASH" \
		"echo \"$1 \$*\" >>'$PWD/calls'" "$2" >"bin/$1"
	chmod +x "bin/$1"
}

# A Debian on which the packages in the file "installed" are there and all
# others can be had.
debian() {
	stub dpkg-query '
		while read -r name; do
			[[ $name != "${!#}" ]] || echo -n "installed "
		done <'"$PWD/installed"
	stub apt-cache 'echo "  Candidate: 1.0"'
	stub apt-get 'echo "apt-get runs"
		while (($#)) && [[ $1 != install ]]; do shift; done
		shift 2>/dev/null
		for name; do
			[[ $name == -* ]] || echo "$name" >>'"$PWD/installed"'
		done'
	stub env 'while [[ $1 == *=* ]]; do export "$1"; shift; done
		echo "frontend ${DEBIAN_FRONTEND-}" >>'"$PWD/calls"'
		exec "$@"'
	stub sudo '[[ $1 != -n ]] || shift
		exec "$@"'
}

install_deps() {
	PATH=$PWD/bin run "$BASH" scripts/install-deps "$@" </dev/null
}

packages_of() {
	"$ROOT/scripts/install-deps" --list "$@" | while read -r name _; do
		echo "$name"
	done
}

# ---- where there is apt --------------------------------------------------------

@test "nothing is done where nothing is missing" {
	debian
	packages_of >installed
	install_deps
	assert_success
	assert_output 'install-deps: nothing is missing'
	run ! grep -E '^(apt-get|sudo|env)' calls
}

@test "only what is missing is installed, and it is said before" {
	debian
	packages_of | grep -vx -e make -e zlib1g-dev >installed
	install_deps
	assert_success
	assert_line --index 0 \
		'install-deps: these packages are missing: make zlib1g-dev'
	assert_line 'apt-get runs'
	run grep '^apt-get' calls
	assert_line --index 0 --partial ' update'
	assert_line --index 1 --regexp \
		' -y .* install --no-install-recommends make zlib1g-dev$'
	assert_equal "${#lines[@]}" 2
	# Once more: nothing to do.
	: >calls
	install_deps
	assert_success
	assert_output 'install-deps: nothing is missing'
}

@test "nothing is asked where nobody can answer" {
	debian
	install_deps --test
	assert_success
	refute_output --partial '[Y/n]'
	assert grep -qx 'frontend noninteractive' calls
}

@test "groups add up" {
	debian
	install_deps --test --bench
	assert_success
	assert_equal "$(sort -u installed)" "$(packages_of --test --bench | sort -u)"
	assert grep -qx libcmocka-dev installed
	assert grep -qx libck-dev installed
	: >installed
	install_deps
	run ! grep -x -e libcmocka-dev -e libck-dev installed
}

@test "package that another one provides is not missing" {
	debian
	packages_of | grep -vx pkg-config >installed
	stub dpkg-query '
		[[ ${!#} != *Provides* ]] || echo "foo, pkg-config (= 1.8.1-1), bar"
		while read -r name; do
			[[ $name != "${!#}" ]] || echo -n "installed "
		done <'"$PWD/installed"
	install_deps
	assert_success
	assert_output 'install-deps: nothing is missing'
}

@test "removed package with its settings left is missing" {
	debian
	packages_of >installed
	stub dpkg-query '[[ ${!#} == make ]] && echo -n "config-files " ||
		echo -n "installed "'
	install_deps --dry-run
	assert_failure 1
	assert_output 'install-deps: these packages are missing: make'
}

@test "dry run says what is missing and installs nothing" {
	debian
	install_deps --dry-run
	assert_failure 1
	assert_output --partial 'these packages are missing: gcc make'
	run ! grep -E '^(apt-get|sudo)' calls
}

@test "package that this system does not have is left out, aloud" {
	debian
	packages_of | grep -vx -e make -e gnuplot-nox >installed
	stub apt-cache '[[ $2 == gnuplot-nox ]] || echo "  Candidate: 1.0"'
	install_deps
	assert_success
	assert_output --partial 'no package gnuplot-nox'
	assert grep -q 'install.* make$' calls
}

@test "update that fails does not keep it from installing" {
	debian
	stub apt-get '[[ $* != *update* ]]'
	install_deps
	assert_success
	assert_output --partial 'apt-get update failed'
	assert grep -q 'install.* gcc' calls
}

@test "installation that fails is a failure" {
	debian
	stub apt-get '[[ $* != *install* ]]'
	install_deps
	assert_failure 1
	assert_output --partial 'could not install them'
}

@test "ordinary user gets it through sudo, which must not ask either" {
	debian
	chmod 666 calls installed
	local as=()
	if ((UID == 0)); then
		as=(setpriv --reuid=65534 --regid=65534 --clear-groups)
	fi
	PATH=$PWD/bin:$PATH run -0 "${as[@]}" "$BASH" scripts/install-deps </dev/null
	assert grep -q '^sudo -n env .* apt-get' calls
	# And without sudo it is said what to do.
	rm bin/sudo
	: >installed
	PATH=$PWD/bin run -1 "$(type -P env)" "${as[@]/#setpriv/$(type -P setpriv)}" \
		"$BASH" scripts/install-deps </dev/null
	assert_output --partial 'as root: apt-get install gcc make'
}

@test "on a terminal it asks once, and no means no" {
	debian
	cat >dialogue <<-'END'
		set timeout 20
		spawn -noecho $env(RUN) scripts/install-deps
		expect "missing: gcc"
		expect {
			"\[Y/n]" { send "n\r" }
			timeout { exit 9 }
		}
		expect eof
		exit [lindex [wait] 3]
	END
	RUN=$BASH PATH=$PWD/bin run "$(type -P expect)" dialogue
	assert_failure 1
	run ! grep -E '^(apt-get|sudo)' calls
}

# ---- where there is none ----------------------------------------------------------

@test "without apt the Debian names are printed and the status is 1" {
	install_deps --test
	assert_failure 1
	assert_line --index 0 --partial 'no apt-get here; missing, by their Debian names:'
	assert_line '  gcc'
	assert_line '  libjansson-dev'
	assert_line '  valgrind'
	refute_output --partial 'command not found'
}

@test "without apt, what is there is found by looking for it" {
	stub gcc ''
	stub pkg-config '[[ $2 == jansson ]]'
	install_deps
	assert_failure 1
	refute_line '  gcc'
	refute_line '  libjansson-dev'
	assert_line '  libpng-dev'
}

@test "wrong usage is one line and status 2" {
	install_deps --nonsense
	assert_failure 2
	assert_one_line_error "$output" install-deps
	assert_output --partial "'--nonsense'"
}

# ---- the two commands of the README ----------------------------------------------------

# A checkout whose build makes an ipc_suite that notes its calls.
checkout() {
	debian
	packages_of --test >installed
	ln -s "$(type -P dirname)" "$(type -P nproc)" bin
	stub make 'cp bin/suite ipc_suite'
	printf '#!%s\necho "ipc_suite $*" >>calls\n' "$BASH" >bin/suite
	chmod +x bin/suite
}

@test "quickstart builds, measures, and says where the report is" {
	checkout
	PATH=$PWD/bin:$PATH run -0 scripts/quickstart --quick </dev/null
	assert_equal "${lines[-1]}" "The report: $PWD/report.html"
	run grep -E '^(make|ipc_suite)' calls
	assert_line --index 0 --regexp '^make -j [0-9]+$'
	assert_line --index 1 \
		'ipc_suite benchmark --all --format=json --output=results.json --quick'
	assert_line --index 2 'ipc_suite report results.json -o report.html'
}

@test "quickstart ends with the first step that fails" {
	checkout
	stub make 'exit 2'
	PATH=$PWD/bin:$PATH run scripts/quickstart </dev/null
	assert_failure 2
	run ! grep '^ipc_suite' calls
}

@test "run-tests is make test after installing what it needs" {
	checkout
	: >installed
	stub make 'echo "3 passed, 1 failed"; exit 2'
	PATH=$PWD/bin:$PATH run scripts/run-tests </dev/null
	assert_failure 2
	assert_equal "${lines[-1]}" '3 passed, 1 failed'
	assert grep -q 'apt-get .* install .*libcmocka-dev' calls
	assert_equal "$(tail -n 1 calls)" 'make test'
}

@test "run-tests does not go on without its packages" {
	checkout
	: >installed
	stub apt-get 'exit 100'
	PATH=$PWD/bin:$PATH run scripts/run-tests </dev/null
	assert_failure 1
	run ! grep '^make' calls
}
