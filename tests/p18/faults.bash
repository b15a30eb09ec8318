# Three servers, each in a network of its own and on a small disk of its own, and
# what can happen to them: for faults.bats, a fault a test, and faults_stress.bats,
# all of them while clients write down what they are told.

# shellcheck disable=SC2154 # run sets status and output
# shellcheck shell=bash

# ---- networks, disks, servers -----------------------------------------------------

# Server N is 10.18.0.N, in the namespace nN; clients are 10.18.0.254.
make_networks() {
	local i
	ip link add bridge18 type bridge
	ip address add 10.18.0.254/24 dev bridge18
	ip link set bridge18 up
	for i in 1 2 3; do
		ip netns add "n$i"
		ip link add "v$i" type veth peer name eth0 netns "n$i"
		ip link set "v$i" master bridge18 up
		inside "$i" ip address add "10.18.0.$i/24" dev eth0
		inside "$i" ip link set eth0 up
		inside "$i" ip link set lo up
	done
}

remove_networks() {
	local i
	# By name, as the kernel takes its time with what is in a namespace.
	for i in 1 2 3; do
		ip link delete "v$i"
		ip netns delete "n$i"
	done
	ip link delete bridge18
}

inside() {
	nsenter --net="/run/netns/n$1" -- "${@:2}"
}

make_disks() {
	local i
	for i in 1 2 3; do
		mkdir "disk$i"
		mount -t tmpfs -o size=24m disk "disk$i"
	done
	"${CC:-cc}" -shared -fPIC -D_GNU_SOURCE -o disk.so \
		"$BATS_TEST_DIRNAME/disk.c"
}

remove_disks() {
	umount disk1 disk2 disk3
}

# run_server N: it goes on, if it has been there before.
run_server() {
	begin_server "$1"
	wait_for_ready "$1" event=serving
}

begin_server() {
	local i=$1 peers
	peers=$(printf ',10.18.0.%d:900%d' 1 1 2 2 3 3)
	peers=${peers/,10.18.0.$i:900$i/}
	cat "$BATS_TEST_TMPDIR/$i.err" >>"log$i" 2>/dev/null || true
	start_server --name "$i" nsenter --net="/run/netns/n$i" -- env \
		LD_PRELOAD="$PWD/disk.so" DISK="$PWD/order$i" \
		./kv_server --id="$i" --port="900$i" --listen="10.18.0.$i" \
		--peers="${peers#,}" --data="disk$i/data" \
		--election-timeout=300ms --heartbeat=50ms \
		--segment-size=1M --snapshot-entries=2000 --log=events
}

SERVERS=10.18.0.1:9001,10.18.0.2:9002,10.18.0.3:9003

client() {
	./kv_client --servers="$SERVERS" "$@"
}

setup() {
	setup_chapter p18
	make_networks
	make_disks
	local i
	for i in 1 2 3; do
		begin_server "$i"
	done
	for i in 1 2 3; do
		wait_for_ready "$i" event=serving
	done
	client --timeout=30s put ready yes
}

teardown() {
	heal
	end_servers
	[[ -z ${FAULTS_KEEP-} ]] || cp history.* log* "$BATS_TEST_TMPDIR"/?.err \
		"$FAULTS_KEEP"
	remove_disks
	remove_networks
	rm -rf /dev/shm/{,sem.}ipc.kv_server."$UID".* "/dev/shm/unixipc.$UID"
}

# ---- faults ------------------------------------------------------------------------

# Who leads, as far as anybody knows it; or any.
leader() {
	local id
	id=$(client --timeout=300ms --json status 2>/dev/null |
		jq -r '[.servers[] | select(.role == "leader")] |
			max_by(.term) | .id // empty')
	echo "${id:-$((RANDOM % 3 + 1))}"
}

# A server or, half of the time, the leader.
victim() {
	if ((RANDOM % 2)); then
		leader
	else
		echo $((RANDOM % 3 + 1))
	fi
}

# For how long: 0.3 to 1.5 s, a few times what it takes to elect.
hold() {
	sleep "0.$((RANDOM % 7 + 3))"
	((RANDOM % 2)) || sleep "0.$((RANDOM % 8 + 1))"
}

# block N CHAIN WAY: what server N says to the others (OUTPUT, -d), or hears of
# them (INPUT, -s).
block() {
	local j
	for j in 1 2 3; do
		((j == $1)) || inside "$1" iptables -A "$2" "$3" \
			"10.18.0.$j" -j DROP
	done
}

kill_one() {
	local i
	i=$(victim)
	stop_server "$i" KILL
	hold
	run_server "$i"
}

kill_all() {
	local i
	for i in 1 2 3; do
		kill -KILL "${SERVER_PID[$i]}"
	done
	for i in 1 2 3; do
		stop_server "$i" KILL
	done
	for i in 1 2 3; do
		run_server "$i"
	done
}

stop_one() {
	local i
	i=$(victim)
	stop_server "$i"
	assert_equal "$status" 0
	hold
	run_server "$i"
}

pause_one() {
	local i
	i=$(victim)
	kill -STOP "${SERVER_PID[$i]}"
	hold
	kill -CONT "${SERVER_PID[$i]}"
}

pause_leader() {
	local i
	i=$(leader)
	kill -STOP "${SERVER_PID[$i]}"
	sleep 1
	kill -CONT "${SERVER_PID[$i]}"
}

# From the other servers; clients still come to it.
partition() {
	local i
	i=$(victim)
	block "$i" INPUT -s
	block "$i" OUTPUT -d
	hold
	heal
}

hears_nothing() {
	local i
	i=$(victim)
	block "$i" INPUT -s
	hold
	heal
}

says_nothing() {
	local i
	i=$(victim)
	block "$i" OUTPUT -d
	hold
	heal
}

# From clients, too.
unplug() {
	local i
	i=$(victim)
	ip link set "v$i" down
	hold
	ip link set "v$i" up
}

slow_disk() {
	local i
	i=$(victim)
	echo "delay $((RANDOM % 400 + 20))" >"order$i"
	hold
	heal
}

# A server whose disk has failed ends, as nobody knows what is on it.
failing_disk() {
	local i
	i=$(victim)
	echo 'fail 5' >"order$i" # EIO
	wait_until 20 has_failed "$i"
	heal
	assert_ended_by_itself "$i" 'error'
	run_server "$i"
}

# With something to write there.
has_failed() {
	client --timeout=500ms put tick 1 >/dev/null 2>&1
	is_ended "${SERVER_PID[$1]}"
}

full_disk() {
	local i
	i=$(victim)
	fallocate -l "$(($(stat -f -c '%a * %S' "disk$i")))" "disk$i/ballast" ||
		true
	hold
	rm -f "disk$i/ballast"
	if is_ended "${SERVER_PID[$i]}"; then
		assert_ended_by_itself "$i" 'No space left'
		run_server "$i"
	fi
}

assert_ended_by_itself() {
	stop_server "$1"
	assert_equal "$status" 1
	assert_regex "$(tail -n 1 "$BATS_TEST_TMPDIR/$1.err")" "$2"
}

heal() {
	local i
	for i in 1 2 3; do
		rm -f "order$i"
		inside "$i" iptables -F
		ip link set "v$i" up
	done
}
