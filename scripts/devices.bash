# shellcheck shell=bash
# The devices of scripts/sandbox and scripts/fresh-root.

# make_devices DIR: cover DIR with a small /dev. What programs expect is bound
# from the real one; the file systems are new and empty.
make_devices() {
	local node
	mount -t tmpfs -o mode=0755 devices "$1" || return
	for node in null zero full random urandom tty; do
		: >"$1/$node"
		mount --bind "/dev/$node" "$1/$node" || return
	done
	mkdir "$1/shm" "$1/mqueue" "$1/pts" &&
		mount -t tmpfs -o mode=1777 devices "$1/shm" &&
		mount -t mqueue devices "$1/mqueue" &&
		mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 \
			devices "$1/pts" &&
		ln -s pts/ptmx "$1/ptmx" &&
		ln -s /proc/self/fd "$1/fd" &&
		ln -s fd/0 "$1/stdin" &&
		ln -s fd/1 "$1/stdout" &&
		ln -s fd/2 "$1/stderr"
}
