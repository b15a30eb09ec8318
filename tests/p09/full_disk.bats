#!/usr/bin/env bats
# kvstore on a disk that is full.
# sandbox: --root

load ../support/common

setup() {
	setup_chapter p09
	mkdir disk
	mount -t tmpfs -o size=1m none disk 2>/dev/null ||
		skip 'needs root: to mount a file system'
}

teardown() {
	umount disk 2>/dev/null || true
}

@test "a full disk is an error, and all that was acknowledged is there" {
	set=0
	while ((set < 100)); do
		seq -f "set batch$set.%.0f value" 100 |
			./kvstore -f disk/a.db batch 2>err || break
		set=$((set + 1))
	done
	assert [ $set -lt 100 ]
	assert_equal "$(<err)" "kvstore: batch, in 'disk/a.db': No space left on device"
	run ./kvstore -f disk/a.db check
	assert_output 'nothing is wrong'
	for ((i = 0; i < set; i++)); do
		assert_equal "$(./kvstore -f disk/a.db list -p "batch$i." | wc -l)" 100
	done
	# Changes that need no room go on.
	run ./kvstore -f disk/a.db set batch0.1 other
	assert_success
	assert_equal "$(find disk -type f)" disk/a.db
}

@test "a file that finds no room is not there" {
	head -c 1000000 /dev/zero >disk/full || true
	run ./kvstore -f disk/a.db set a 1
	assert_failure 1
	assert_output "kvstore: cannot open 'disk/a.db': No space left on device"
	assert [ ! -e disk/a.db ]
}
