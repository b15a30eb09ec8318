#!/usr/bin/env bats
# shm_image_filter as a user runs it; the modules are in p13_*_test.c.
# sandbox: --root

load ../support/common

setup() {
	setup_chapter p13
}

# make_picture WIDTH HEIGHT: a PPM with something in it, always the same.
make_picture() {
	printf 'P6\n%d %d\n255\n' "$1" "$2"
	seq 10000000 | head -c $(($1 * $2 * 3))
}

# A run that takes a while: start_long_run NAME [OPTION…].
start_long_run() {
	[[ -e large.ppm ]] || make_picture 3000 3000 >large.ppm
	start_server --ready 'Worker 2. Processing' --name "$1" \
		./shm_image_filter large.ppm "$1.png" --sigma=100 \
		-fblur{,,,,,,,,,} "${@:2}"
}

# assert_refused STATUS REGEX ARGUMENT…: one line like REGEX, nothing written.
assert_refused() {
	run ./shm_image_filter "${@:3}"
	assert_failure "$1"
	assert_one_line_error "$output" shm_image_filter
	assert_regex "$output" "$2"
	[[ ! -e out.png ]] || fail 'there is an output'
}

children() {
	cat "/proc/$1/task/$1/children"
}

@test "the guide's transcript" {
	make_picture 256 1024 >in.ppm
	./shm_image_filter in.ppm input.png --filter=invert >/dev/null
	run ./shm_image_filter input.png output.png --filter=blur --workers=4
	assert_success
	assert_line -n 0 'Shared Memory Image Processor'
	assert_line -n 1 'Image: 256x1024 (768KB)'
	assert_line -n 2 'Workers: 4'
	assert_line -n 3 'Filter: Gaussian blur'
	assert_line -n 4 --regexp \
		'^\[Master\] Loaded image into shared memory \(shmid=[0-9]+\)$'
	for i in 1 2 3 4; do
		assert_line -n $((4 + i)) \
			"[Worker $i] Processing rows $((i * 256 - 256))-$((i * 256 - 1))"
		assert_line --regexp "^\[Worker $i\] Done \([0-9]+ms\)$"
	done
	assert_line -n 13 '[Master] All workers complete, writing output'
	assert_line -n 14 --regexp \
		'^Total time: [0-9]+ms \(vs [0-9]+ms single-threaded\)$'
	assert_line -n 15 --regexp '^Speedup: [0-9.]+x with 4 workers$'
	assert_equal ${#lines[@]} 16
	assert_nothing_left
}

@test "the same bytes for any number of workers and either schedule" {
	make_picture 301 307 >in.ppm
	for filter in blur sharpen edge grayscale invert threshold; do
		./shm_image_filter in.ppm one.png -f $filter -w 1 >/dev/null
		for workers in 2 3 7; do
			for schedule in static dynamic; do
				./shm_image_filter in.ppm other.png -f $filter \
					-w $workers --schedule=$schedule \
					--no-compare >/dev/null
				cmp one.png other.png
			done
		done
	done
	assert_nothing_left
}

@test "several filters in a row are the same as one after the other" {
	make_picture 200 150 >in.ppm
	./shm_image_filter in.ppm a.ppm -f blur >/dev/null
	./shm_image_filter a.ppm b.ppm -f grayscale >/dev/null
	./shm_image_filter b.ppm c.ppm -f edge >/dev/null
	run ./shm_image_filter in.ppm d.ppm -f blur -f grayscale -f edge
	assert_success
	assert_line 'Filter: Gaussian blur, Grayscale, Edge (Sobel)'
	cmp c.ppm d.ppm
}

@test "each filter has the sigma and threshold that stand behind it" {
	make_picture 60 50 >in.ppm
	./shm_image_filter in.ppm a.ppm -f blur -s 1 >/dev/null
	./shm_image_filter a.ppm b.ppm -f sharpen -s 5 >/dev/null
	./shm_image_filter b.ppm c.ppm -f threshold --threshold=40 >/dev/null
	./shm_image_filter c.ppm d.ppm -f blur >/dev/null
	./shm_image_filter d.ppm e.ppm -f threshold --threshold=200 >/dev/null
	./shm_image_filter in.ppm out.ppm -f blur -s 1 -f sharpen -s 5 \
		-f threshold --threshold=40 -f blur -f threshold \
		--threshold=200 >/dev/null
	cmp e.ppm out.ppm
	# In front of the first they hold for all that have none.
	./shm_image_filter -s 5 in.ppm a.ppm -f blur >/dev/null
	./shm_image_filter a.ppm b.ppm -f sharpen -s 5 >/dev/null
	./shm_image_filter b.ppm c.ppm -f threshold --threshold=40 >/dev/null
	./shm_image_filter c.ppm d.ppm -f threshold --threshold=200 >/dev/null
	./shm_image_filter -s 5 --threshold=40 in.ppm out.ppm -f blur \
		-f sharpen -f threshold -f threshold --threshold=200 >/dev/null
	cmp d.ppm out.ppm
	rm out.ppm
	assert_refused 2 "sigma=3: edge has none" in.ppm out.png -f blur -f edge -s 3
	assert_refused 2 "threshold=3: blur has none" in.ppm out.png -f blur \
		--threshold=3
	assert_nothing_left
}

@test "formats by name, by option, and through pipes" {
	make_picture 64 48 >in.ppm
	./shm_image_filter in.ppm twice.ppm -f invert -f invert >/dev/null
	cmp in.ppm twice.ppm
	./shm_image_filter - - -f invert <in.ppm 2>err |
		./shm_image_filter - - -f invert --format=png 2>/dev/null |
		./shm_image_filter - back.ppm -f invert -f invert >/dev/null
	cmp in.ppm back.ppm
	grep -q 'Worker 1. Done' err
	./shm_image_filter in.ppm a.pam -f invert >/dev/null
	assert_equal "$(head -n 1 a.pam)" P7
	./shm_image_filter a.pam b.ppm -f invert >/dev/null
	cmp in.ppm b.ppm
	assert_nothing_left
}

# make_pam DEPTH TYPE: a PAM of 3 x 2 pixels.
make_pam() {
	printf 'P7\nWIDTH 3\nHEIGHT 2\nDEPTH %d\nMAXVAL 255\nTUPLTYPE %s\nENDHDR\n' \
		"$@"
	seq 100 | head -c $(($1 * 6))
}

@test "a name that says what is not written is refused" {
	make_picture 3 2 >in.ppm
	for name in out.jpg out.JPEG out.png.bak ./a.png/out.x; do
		assert_refused 2 "no \\.${name##*.} is written.*--format" in.ppm $name
		[[ ! -e $name ]] || fail "there is $name"
	done
	./shm_image_filter in.ppm out.jpg --format=png >/dev/null
	assert_equal "$(head -c 4 out.jpg)" $'\x89PNG'
	for name in out .out out. OUT.PNM; do
		./shm_image_filter in.ppm $name -f invert -f invert >/dev/null
		cmp in.ppm $name
		rm $name
	done
	make_pam 4 RGB_ALPHA >rgba.pam
	make_pam 2 GRAYSCALE_ALPHA >graya.pam
	for name in rgba.pam graya.pam; do
		for end in ppm PGM pnm; do
			assert_refused 2 "no alpha channel.*\\.pam" $name out.$end
			[[ ! -e out.$end ]] || fail "there is out.$end"
		done
		for out in out.pam out '--format=pnm out.ppm'; do
			# shellcheck disable=SC2086 # two words
			./shm_image_filter $name $out -f invert -f invert >/dev/null
			cmp $name "${out##* }"
			rm "${out##* }"
		done
	done
	assert_refused 2 'PGM has no colours.*\.ppm' in.ppm out.pgm
	./shm_image_filter in.ppm out.pgm -f grayscale >/dev/null
	./shm_image_filter in.ppm out.ppm -f grayscale >/dev/null
	cmp out.pgm out.ppm
	assert_equal "$(head -c 2 out.pgm)" P5
	assert_nothing_left
}

# Who reads the output is at its end, and who writes the input is let go, while
# the comparison goes on: so it is there to be stopped then.
@test "pipes are let go before the comparison" {
	make_picture 1000 1000 >in.ppm
	mkfifo in out
	cat out >got.ppm 3>&- &
	reader=$!
	{ cat in.ppm && yes; } >in 2>/dev/null 3>&- &
	writer=$!
	start_server --name run bash -c 'exec ./shm_image_filter - - --sigma=100 \
		--filter={blur,blur} <in >out'
	wait_until 60 is_ended "$reader"
	wait_until 60 is_ended "$writer"
	stop_server run INT
	assert_equal "$status" 130
	cmp -n 15 in.ppm got.ppm
	assert_equal "$(stat -c %s got.ppm)" "$(stat -c %s in.ppm)"
	assert_nothing_left
}

@test "a killed worker's rows are done again, and the run says so" {
	make_picture 300 300 >in.ppm
	./shm_image_filter in.ppm whole.png >/dev/null
	for schedule in static dynamic; do
		run ./shm_image_filter in.ppm out.png --workers=3 --kill=2 \
			--schedule=$schedule
		assert_success
		assert_line --regexp \
			'^\[Master\] Worker 2 was killed by SIGKILL.* in rows [0-9]+-[0-9]+: they are done again, and worker 4 goes on$'
		cmp whole.png out.png
	done
	assert_nothing_left
}

@test "started with SIGCHLD ignored" {
	make_picture 20 20 >in.ppm
	run env --ignore-signal=CHLD ./shm_image_filter in.ppm out.png
	assert_success
	assert_nothing_left
}

@test "kill -9 of a worker from outside" {
	start_long_run run --no-compare
	victim=$(children "$SERVER" | cut -d' ' -f1)
	kill -KILL "$victim"
	wait_for_line "$SERVER_OUT" 'Worker [12] was killed by SIGKILL' 30
	stop_server run
	assert_nothing_left
}

@test "a worker that is stopped from outside is replaced" {
	start_long_run run --no-compare --stall-timeout=2
	victim=$(children "$SERVER" | cut -d' ' -f1)
	kill -STOP "$victim"
	wait_for_line "$SERVER_OUT" \
		'Worker [12] was stopped or hung, and killed by SIGKILL' 60
	is_ended "$victim" || fail 'it is still there'
	stop_server run
	assert_nothing_left
}

# kill_in_container: a run that is killed, and with it its IPC namespace goes;
# what it noted stays. The number of its set is in $set.
kill_in_container() {
	make_picture 2000 2000 >large.ppm
	start_server --ready 'Worker 2. Processing' --name container \
		unshare --ipc ./shm_image_filter large.ppm container.png \
		--sigma=100 --filter={blur,blur,blur,blur,blur,blur}
	stop_server container KILL
	set=$(readlink "/dev/shm/unixipc.$UID"/*)
	assert_regex "$set" '^unixipc3 sysv-sem .* shm_image_filter [0-9]+$'
	set=${set##* }
}

@test "another's set with the number of one that we left is not touched" {
	kill_in_container
	make_picture 20 20 >in.ppm
	# The next container: numbers begin anew, /dev/shm is the same.
	# shellcheck disable=SC2016 # a script
	SET=$set SUITE=$ROOT/ipc_suite run unshare --ipc bash -c '
		[[ $(ipcmk -S 1) == *" $SET" ]] || exit 77
		before=$(ipcs -s)
		./shm_image_filter in.ppm out.png >/dev/null || exit 1
		"$SUITE" clean || exit 2
		[[ $(ipcs -s) == "$before" ]]'
	assert_success
	rm -rf "/dev/shm/unixipc.$UID"
	assert_nothing_left
}

@test "a run in another PID namespace goes on beside a run and a clean" {
	make_picture 2000 2000 >large.ppm
	start_server --ready 'Worker 2. Processing' --name other \
		unshare --pid --fork --kill-child --mount-proc \
		./shm_image_filter large.ppm other.png --sigma=100 \
		--no-compare --filter={blur,blur,blur,blur}
	# Its master, so that it lasts until we have looked.
	master=$(children "$SERVER")
	kill -STOP "$master"
	make_picture 20 20 >in.ppm
	./shm_image_filter in.ppm out.png >/dev/null
	run "$ROOT/ipc_suite" clean
	[[ $(ipcs -s | grep -c ^0x) == 1 ]] || fail 'its set is gone'
	[[ $(ipcs -m) == *dest* ]] || fail 'it does not run any more'
	kill -CONT "$master"
	wait_until 60 is_ended "${SERVER_PID[other]}"
	stop_server other
	assert_equal "$status" 0
	[[ -s other.png ]] || fail 'there is no output'
	assert_nothing_left
}

@test "kill -9 of the master leaves no segment, and its set to who knows it" {
	start_long_run run
	[[ $(ipcs -m) == *dest* ]] || fail 'not marked for removal'
	mapfile -t pids < <(children "$SERVER" | tr ' ' '\n' | grep .)
	stop_server run KILL
	for pid in "${pids[@]}"; do
		wait_until 30 is_ended "$pid"
	done
	assert_equal "$(ipcs -m | grep -c ^0x)" 0
	[[ ! -e run.png ]] || fail 'there is an output'
	make_picture 20 20 >in.ppm
	set=$(ipcs -s | awk '/^0x/ { print $2 }')
	./shm_image_filter in.ppm out.png >/dev/null
	# A number alone does not tell whose it is, and so the next run keeps
	# it; the ledger has what is known.
	assert_equal "$(ipcs -s | awk '/^0x/ { print $2 }')" "$set"
	assert_regex "$(readlink "/dev/shm/unixipc.$UID"/*)" \
		"^unixipc3 sysv-sem .* shm_image_filter $set\$"
	ipcrm -s "$set"
	rm -r "/dev/shm/unixipc.$UID"
	assert_nothing_left
}

@test "SIGINT and SIGTERM leave nothing and write nothing" {
	for signal in INT TERM; do
		start_long_run $signal
		stop_server $signal $signal
		assert_equal "$status" $((128 + $(kill -l $signal)))
		[[ ! -e $signal.png ]] || fail 'there is an output'
	done
	assert_nothing_left
}

# assert_stops FILE SIGNAL ARGUMENT…: it waits for FILE, a FIFO, and ends when
# it is told to.
assert_stops() {
	local status=0 pid
	env --default-signal=INT ./shm_image_filter "${@:3}" \
		<>"$1" >/dev/null 2>err &
	pid=$!
	wait_until 30 is_waiting "$pid"
	kill "-$2" "$pid"
	wait_until 30 is_ended "$pid" || kill -KILL "$pid"
	wait "$pid" || status=$?
	assert_equal "$status" $((128 + $(kill -l "$2")))
	assert_equal "$(<err)" ''
}

# It sleeps, and is not what it was started with any more.
is_waiting() {
	[[ $(<"/proc/$1/stat") == *'(shm_image_filt'*') S '* ]]
}

@test "SIGINT and SIGTERM end the waiting for a picture that does not come" {
	mkfifo fifo
	for signal in INT TERM; do
		assert_stops fifo $signal - out.png
		assert_stops /dev/null $signal fifo out.png
	done
	[[ ! -e out.png ]] || fail 'there is an output'
	assert_nothing_left
}

@test "half a PNG is an error, and its rows are there on demand" {
	make_picture 100 100 >in.ppm
	./shm_image_filter in.ppm in.png -f invert >/dev/null
	head -c $(($(stat -c %s in.png) / 2)) in.png >half.png
	assert_refused 1 'ends too early.*--best-effort' half.png out.png
	run --separate-stderr ./shm_image_filter half.png half.ppm -f invert \
		--best-effort
	assert_success
	# shellcheck disable=SC2154 # run sets it
	assert_regex "$stderr" 'ends too early; [0-9]+ of 100 rows were read$'
	# The upper 30 rows are those of the original.
	cmp -n $((15 + 30 * 300)) half.ppm in.ppm
	head -c 70 in.png >none.png
	assert_refused 1 'ends too early$' none.png out.png --best-effort
	head -c 200 in.ppm >none.ppm
	assert_refused 1 'ends too early$' none.ppm out.png --best-effort
	assert_nothing_left
}

@test "74 bytes that claim 60000x60000 pixels are refused" {
	{
		printf '\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\xea\x60\0\0\xea\x60'
		printf '\x08\x02\0\0\0\x0f\xb0\xe2\x15\0\0\0\x05IDAT\x78\x9c\x03\0\0'
		printf '\0\0\0\0\0\0\0\0IDAT\x35\xaf\x06\x1e'
		printf '\0\0\0\0IEND\xae\x42\x60\x82'
	} >bomb.png
	assert_equal "$(stat -c %s bomb.png)" 74
	assert_refused 1 '60000x60000 pixels are more than --max-pixels' bomb.png out.png
	printf 'P6 60000 60000 255\n' >bomb.ppm
	assert_refused 1 '60000x60000 pixels are more than --max-pixels' \
		bomb.ppm out.png
	printf 'P6 3 3 255\n123456789012345678901234567' >small.ppm
	printf 'P6 2147483647 1 255\n' >wide.ppm
	assert_refused 1 'rows of 2147483647 pixels are too long for a PNG' \
		wide.ppm out.png --max-pixels=4294967296
	assert_refused 1 '3x3 pixels' small.ppm out.png --max-pixels=8
	assert_nothing_left
}

@test "what is no picture, not there, or cannot be written" {
	make_picture 10 10 >in.ppm
	echo hello >text
	: >empty
	assert_refused 1 'not a PNG, PGM, PPM or PAM picture' text out.png
	assert_refused 1 'an empty file' empty out.png
	assert_refused 1 'No such file' none.png out.png
	assert_refused 1 'Is a directory' . out.png
	assert_refused 1 'No such file' in.ppm none/out.png
	run bash -c './shm_image_filter in.ppm - >/dev/full 2>err'
	assert_failure 1
	assert_regex "$(tail -n 1 err)" 'cannot write standard output: No space'
	run bash -c './shm_image_filter in.ppm out.png >/dev/full'
	assert_failure 1
	run bash -c './shm_image_filter in.ppm out.png --json >/dev/full'
	assert_failure 1
	assert_output 'shm_image_filter: cannot print the figures: No space left on device'
	assert_nothing_left
}

@test "standard streams are not taken for files called -" {
	make_picture 10 10 >in.ppm
	cp in.ppm ./-
	./shm_image_filter - - -f invert -f invert <in.ppm >out.ppm 2>/dev/null
	cmp in.ppm out.ppm
}

@test "the same file for both, and more workers than rows" {
	make_picture 10 3 >in.ppm
	cp in.ppm copy.ppm
	ln in.ppm link.ppm
	assert_refused 2 'are the same file' in.ppm in.ppm
	assert_refused 2 'are the same file' in.ppm link.ppm
	assert_refused 2 'has only 3 rows' in.ppm out.png --workers=4
	# Whoever names no number gets no more than there are rows.
	make_picture 10 1 >row.ppm
	assert_refused 2 'has only 1 rows' row.ppm out.png --workers=2
	assert_refused 2 'has only 1 rows' row.ppm out.png --kill=1
	run ./shm_image_filter row.ppm row.png
	assert_success
	assert_line 'Workers: 1'
	cmp in.ppm copy.ppm
	assert_nothing_left
}

@test "a failure leaves an earlier output as it was" {
	make_picture 50 50 >in.ppm
	head -c 3000 in.ppm >half.ppm
	echo precious >out.png
	run ./shm_image_filter half.ppm out.png
	assert_failure 1
	assert_equal "$(<out.png)" precious
	./shm_image_filter in.ppm out.png >/dev/null
	assert_equal "$(ls)" "$(printf '%s\n' half.ppm in.ppm out.png shm_image_filter)"
}

@test "the longest name, another's file, and no /proc" {
	make_picture 20 20 >in.ppm
	name=$(printf 'x%.0s' {1..251}).ppm
	./shm_image_filter in.ppm "$name" -f invert -f invert >/dev/null
	cmp in.ppm "$name"
	# With the semaphores that stay where nobody can tell whose they are.
	unshare --mount --ipc bash -c 'mount -t tmpfs none /proc
		./shm_image_filter in.ppm out.ppm -f invert -f invert >/dev/null'
	cmp in.ppm out.ppm
	rm -rf "/dev/shm/unixipc.$UID"
	need_second_user
	chown 65534:65533 out.ppm
	./shm_image_filter in.ppm out.ppm --no-compare >/dev/null
	assert_equal "$(stat -c %u:%g out.ppm)" 65534:65533
	assert_nothing_left
}

@test "a limit of the size of files is one line, and nothing is left" {
	make_picture 64 64 >in.ppm
	run bash -c 'ulimit -f 1; exec ./shm_image_filter in.ppm out.ppm --no-compare 2>&1 >/dev/null'
	assert_failure 1
	assert_one_line_error "$output" shm_image_filter
	assert_output --partial 'File too large'
	refute [ -e out.ppm ]
	assert_nothing_left
}

@test "options that are none, or beyond the limits, are refused" {
	make_picture 10 10 >in.ppm
	for option in --workers=0 --workers=257 --workers=x --sigma=0 \
		--sigma=-1 --sigma=nan --sigma=1e9 --sigma= --filter=none \
		--threshold=257 --schedule=x --compression=10 --format=gif \
		--max-pixels=0 --stall-timeout=0 --kill=3 --kill=0 --no-such-option third; do
		assert_refused 2 . in.ppm out.png "$option"
	done
	assert_refused 2 'are needed' in.ppm
	assert_refused 2 'both' in.ppm - --json
	many=()
	for _ in {1..11}; do many+=(--filter=blur); done
	assert_refused 2 '10 filters at most' in.ppm out.png "${many[@]}"
	assert_nothing_left
}

@test "a picture that fits into shmmax is taken, if not in whole large pages" {
	need_writable /proc/sys/kernel/shmmax
	{ printf 'P5\n1024 1024\n255\n'; head -c 1048576 /dev/zero; } >in.pgm
	read -r old </proc/sys/kernel/shmmax
	# Between its own bytes, some 2.2 MB, and two large pages.
	echo 3000000 >/proc/sys/kernel/shmmax
	run ./shm_image_filter in.pgm out.pgm --no-compare
	echo "$old" >/proc/sys/kernel/shmmax
	assert_success
	assert_nothing_left
}

@test "the system's limits are named" {
	# Of the sandbox's own IPC namespace.
	need_writable /proc/sys/kernel/shmmax
	make_picture 10 10 >in.ppm
	for limit in shmmax=10 shmall=10 shmmni=0; do
		value=${limit#*=} limit=${limit%=*}
		read -r old <"/proc/sys/kernel/$limit"
		echo "$value" >"/proc/sys/kernel/$limit"
		run ./shm_image_filter in.ppm out.png
		echo "$old" >"/proc/sys/kernel/$limit"
		assert_failure 1
		assert_one_line_error "$output" shm_image_filter
		assert_regex "$output" "kernel.$limit \($value "
	done
	assert_nothing_left
}

@test "a small kernel.sem is room enough, or is named" {
	need_writable /proc/sys/kernel/sem
	make_picture 10 10 >in.ppm
	read -r old </proc/sys/kernel/sem
	# What databases ask for: 250 in a set.
	echo 250 32000 100 128 >/proc/sys/kernel/sem
	./shm_image_filter in.ppm out.png --no-compare >/dev/null
	rm out.png
	echo 20 32000 100 128 >/proc/sys/kernel/sem
	assert_refused 1 'semaphore set.*kernel.sem' in.ppm out.png
	echo 250 32000 1 128 >/proc/sys/kernel/sem
	assert_refused 1 'two operations a semop.*kernel.sem' in.ppm out.png
	echo "$old" >/proc/sys/kernel/sem
	assert_nothing_left
}

@test "figures as JSON" {
	make_picture 40 30 >in.ppm
	run ./shm_image_filter in.ppm out.png --json
	assert_success
	assert_line '  "schema": "unixipc.shm_image_filter/1",'
	assert_line '  "width": 40,'
	assert_line --partial '"speedup":'
	run ./shm_image_filter in.ppm out.png --json --no-compare
	assert_success
	refute_line --partial '"speedup":'
}

@test "on a terminal a line tells the progress, and is gone in the end" {
	command -v script >/dev/null || skip 'needs script(1)'
	make_picture 1000 1000 >large.ppm
	TERM=xterm run script -qec "./shm_image_filter large.ppm out.ppm \
		--workers=1 --sigma=100 \
		$(printf -- '--filter=blur %.0s' {1..10})" typescript
	assert_success
	assert_output --partial ' strips'
	assert_output --partial ' strips again'
	# Whatever comes after it, the same or a line, erases it first.
	refute_output --regexp $' strips[^\n\r]*(\r[^\033]|\n)'
	assert_regex "${output##* strips}" $'^[^\n]*\r\033\\[K.*Total time'
	# Nothing of it where standard error is no terminal.
	run ./shm_image_filter large.ppm out.ppm --no-compare
	refute_output --partial ' strips'
	assert_nothing_left
}

@test "a profile of more than 8 MB is left out, which is said" {
	{
		printf '\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\1\0\0\0\1'
		printf '\x08\0\0\0\0\x3a\x7e\x9b\x55\0\x80\0\1iCCP'
		head -c 8388609 /dev/zero
		printf 'sum.'
		printf '\0\0\0\x0aIDAT\x78\x9c\x63\x60\0\0\0\2\0\1\x48\xaf\xa4\x71'
		printf '\0\0\0\0IEND\xae\x42\x60\x82'
	} >in.png
	run --separate-stderr ./shm_image_filter in.png out.png --workers=1 \
		-f invert
	assert_success
	assert_equal "$stderr" "shm_image_filter: in.png: not kept: iCCP (chunk \
data is too large)"
	assert_nothing_left
}

@test "gamma and resolution of a PNG are kept" {
	{
		printf '\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\1\0\0\0\1'
		printf '\x08\0\0\0\0\x3a\x7e\x9b\x55\0\0\0\x04gAMA\0\0\xb1\x8f\x0b\xfc\x61\x05'
		printf '\0\0\0\x0aIDAT\x78\x9c\x63\x60\0\0\0\2\0\1\x48\xaf\xa4\x71'
		printf '\0\0\0\0IEND\xae\x42\x60\x82'
	} >in.png
	./shm_image_filter in.png out.png --workers=1 -f invert >/dev/null
	grep -qa gAMA out.png
}
