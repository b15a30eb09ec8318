#!/usr/bin/env bash
# cluster.sh - a cluster of servers on this machine, to play with.
#
#	./cluster.sh start [N] [OPTION…]   N servers (3), with options of kv_server
#	./cluster.sh status                who runs, and what each says
#	./cluster.sh kill ID               SIGKILL: what a power cut is to it
#	./cluster.sh pause ID | resume ID  SIGSTOP, SIGCONT
#	./cluster.sh restart ID            what start started, again
#	./cluster.sh stop                  SIGTERM to all; the data stays
#
# KV_CLUSTER names the folder (default ./kv-cluster), KV_PORT the first server's
# port (default 9001). Of each server ID.pid holds pid and start time, so that a
# number that is another's by now is never sent a signal; ID.args how it was
# started; ID.log what it says.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder=${KV_CLUSTER:-kv-cluster}
first_port=${KV_PORT:-9001}
READY_TENTHS=100
END_TENTHS=100

say() {
	echo "cluster.sh: $*" >&2
}

fail() {
	say "$@"
	exit 1
}

usage() {
	sed -n '2,/^set /{/^# /s/^# //p;/^#\t/s/^#//p}' "$0" >&2
	exit 2
}

# The 22nd field of /proc/PID/stat, counted from behind the name's bracket.
started_at() {
	local stat
	stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
	stat=${stat##*) }
	[[ ${stat%% *} != [ZX] ]] || return 1
	cut -d' ' -f20 <<<"$stat"
}

# The pid of a server that runs and is ours.
pid_of() {
	local pid start
	read -r pid start 2>/dev/null <"$folder/$1.pid" || return 1
	[[ $(started_at "$pid") == "$start" ]] || return 1
	echo "$pid"
}

servers() {
	local file
	for file in "$folder"/*.args; do
		[[ -e $file ]] || fail "no cluster in '$folder': ./cluster.sh start"
		basename "$file" .args
	done
}

is_known() {
	[[ -e $folder/$1.args ]] || fail "no server '$1' in '$folder'"
}

launch() {
	local id=$1 args pid tenths=0
	is_known "$id"
	! pid_of "$id" >/dev/null || fail "server $id runs already"
	mapfile -t args <"$folder/$id.args"
	: >"$folder/$id.log"
	"$here/kv_server" "${args[@]}" </dev/null >>"$folder/$id.log" 2>&1 &
	pid=$!
	echo "$pid $(started_at "$pid" || echo 0)" >"$folder/$id.pid"
	until grep -q ' event=serving ' "$folder/$id.log"; do
		if ((tenths++ == READY_TENTHS)) || ! pid_of "$id" >/dev/null; then
			tail -n 3 "$folder/$id.log" >&2
			fail "server $id did not start"
		fi
		sleep 0.1
	done
	echo "server $id serves on port $((first_port + id - 1)), pid $pid"
}

start() {
	local n=3 id other peers
	if [[ ${1:-} =~ ^[1-9]$ ]]; then
		n=$1
		shift
	fi
	mkdir -p "$folder"
	for ((id = 1; id <= n; id++)); do
		peers=
		for ((other = 1; other <= n; other++)); do
			((other == id)) ||
				peers+=${peers:+,}localhost:$((first_port + other - 1))
		done
		printf '%s\n' "--id=$id" "--port=$((first_port + id - 1))" \
			${peers:+"--peers=$peers"} "--data=$folder/$id.data" \
			--log=events "$@" >"$folder/$id.args"
	done
	for ((id = 1; id <= n; id++)); do
		launch "$id"
	done
}

status() {
	local id pid list=
	for id in $(servers); do
		if pid=$(pid_of "$id"); then
			echo "server $id: pid $pid"
		else
			echo "server $id: does not run"
		fi
		list+=${list:+,}localhost:$((first_port + id - 1))
	done
	"$here/kv_client" "--servers=$list" status || true
}

signal() {
	local pid
	is_known "$2"
	pid=$(pid_of "$2") || fail "server $2 does not run"
	kill "-$1" "$pid"
}

wait_for_end() {
	local tenths=0
	while pid_of "$1" >/dev/null; do
		((tenths++ < END_TENTHS)) || fail "server $1 does not end"
		sleep 0.1
	done
	rm -f "$folder/$1.pid"
}

stop() {
	local id
	for id in $(servers); do
		! pid_of "$id" >/dev/null || {
			signal CONT "$id"
			signal TERM "$id"
		}
	done
	for id in $(servers); do
		wait_for_end "$id"
	done
}

word=${1:-}
[[ -z $word ]] || shift
case $word in
start) start "$@" ;;
status) status ;;
kill | pause | resume | restart)
	[[ $# == 1 ]] || usage
	case $word in
	kill)
		signal KILL "$1"
		wait_for_end "$1"
		;;
	pause) signal STOP "$1" ;;
	resume) signal CONT "$1" ;;
	restart) launch "$1" ;;
	esac
	;;
stop) stop ;;
*) usage ;;
esac
