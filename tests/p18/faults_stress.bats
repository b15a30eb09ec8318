#!/usr/bin/env bats
# Three servers, each in a network of its own and on a small disk of its own, and
# what can happen to them, while clients write down what they are told (history.c).
# FAULTS_SEED=N repeats the choice of faults, if not their moments.
# sandbox: --root
# timeout: 2700
# needs: ip iptables jq

# shellcheck disable=SC2154 # run sets status and output

load ../support/common
load faults

HISTORY=$ROOT/build/release/tests/p18/history

KINDS=(kill_one kill_all stop_one pause_one pause_leader partition hears_nothing
	says_nothing unplug slow_disk failing_disk full_disk)
declare -gA FAULTS=()

# fault KIND, and then nobody has ended who should not.
fault() {
	local i
	echo "$EPOCHREALTIME $1" >>history.faults
	"$1"
	FAULTS[$1]=$((${FAULTS[$1]-0} + 1))
	for i in 1 2 3; do
		if is_ended "${SERVER_PID[$i]}"; then
			tail -n 5 "$BATS_TEST_TMPDIR/$i.err" >&2
			fail "server $i has ended after $1"
		fi
	done
}

# ---- what is to be true ----------------------------------------------------------

start_history() {
	RANDOM=${FAULTS_SEED:-$$}
	echo "FAULTS_SEED=${FAULTS_SEED:-$$}"
	"$HISTORY" --servers="$SERVERS" --until=over --most=1h \
		--seed="$RANDOM" >history.out 2>history.err 3>&- &
	HISTORY_PID=$!
}

# All that was acknowledged is there, and nothing was done twice; and all servers
# have the same.
assert_good_history() {
	local ended=0 kind count=0 list=''
	heal
	touch over
	wait "$HISTORY_PID" || ended=$?
	for kind in "${!FAULTS[@]}"; do
		count=$((count + FAULTS[$kind]))
		list+=", ${FAULTS[$kind]} $kind"
	done
	echo "# $count faults: ${list#, }" | tee -a history.out >&3
	sed 's/^/# /' history.out | head -n 1 >&3
	if ((ended)); then
		tail -n 400 history.err >&2
		fail "the history is not what it should be: status $ended"
	fi
	run client --timeout=30s hash
	assert_success
	assert_equal "$(cut -d ' ' -f 1 <<<"$output" | sort -u | wc -l)" 1
}

# Each once, in some order; in the long form again and again, for half an hour, and
# 200 at least.
do_harm() {
	local end=$((SECONDS + ${FAULTS_SECONDS:-1800})) n=0 kind
	while ((n == 0)) || { [[ ${STRESS-} == 1 ]] &&
		((SECONDS < end || n < ${FAULTS_LEAST:-200})); }; do
		# Descriptor 4, as what a fault starts may read the other.
		while read -r kind <&4; do
			fault "$kind"
			n=$((n + 1))
		done 4< <(shuf -e "${KINDS[@]}" \
			--random-source=<(yes "$RANDOM"))
	done
}

@test "whatever happens to servers, what was acknowledged is there, and was done once" {
	start_history
	do_harm
	assert_good_history
}
