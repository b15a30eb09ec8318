/* ring.c - N processes, each of which holds a lock and then wants that of the
 * next: a cycle in the wait-for graph. Our wait-for table notices; so does the
 * kernel, for POSIX locks of up to 12 processes; nobody, for locks of open file
 * descriptions. The file is
 * one of its own, without a name as soon as all have opened it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/cmd/die.h"
#include "lib/fdio.h"
#include "lib/tick.h"
#include "p09-reclock/cmd/lock_test.h"

enum { RING_MAX = 64 };

struct ring {
	const struct arguments *a;
	struct arguments scratch; /* a, with the file of our own */
	char dir[32], file[48];
	char key[RING_MAX + 1][16]; /* the one behind the last is the first */
	int ready[2], go[2];
	int me;
	ino_t ino; /* of the file */
	int64_t deadline;
};

/* ---- what each process does ---- */

static void report(const struct reclock_trouble *trouble, int64_t took_ns)
{
	printf("Deadlock of %u processes, seen in %.2f ms before anybody "
	       "slept in it:\n",
	       trouble->waiters, (double)took_ns / TICK_MS);
	for (unsigned int i = 0; i < trouble->waiters; i++) {
		const struct reclock_waiter *one = &trouble->waiter[i];
		const struct reclock_waiter *next =
			&trouble->waiter[(i + 1) % trouble->waiters];

		printf("process %d waits for %.*s, which process %d holds\n",
		       (int)one->pid, (int)one->wants.len, one->wants.text,
		       (int)next->pid);
	}
	fflush(stdout);
}

/* Tell that we hold ours, and wait for our turn. */
static int meet(const struct ring *ring)
{
	char byte;

	close(ring->go[1]);
	if (fdio_write_full(ring->ready[1], "", 1))
		return -EPIPE;
	return fdio_read_until(ring->go[0], &byte, 1, ring->deadline) == 1
		       ? 0
		       : -ETIMEDOUT;
}

/* The second wait is in the kernel's queue; whoever started us ends it. */
static int lock_next(const struct ring *ring, struct reclock *store)
{
	const char *mine = ring->key[ring->me], *next = ring->key[ring->me + 1];
	int64_t start;
	int error =
		reclock_lock_until(store, mine, strlen(mine), ring->deadline);

	if (!error)
		error = meet(ring);
	if (error)
		return error;
	start = tick_now();
	error = reclock_lock_until(store, next, strlen(next), TICK_NEVER);
	if (error == -EDEADLK)
		report(reclock_trouble(store), tick_now() - start);
	return error;
}

static int run_process(void *arg)
{
	struct ring *ring = arg;
	struct reclock *store = arguments_try_open(&ring->scratch, 0);
	int error;

	if (!store)
		return DIE_FAILURE;
	error = lock_next(ring, store);
	reclock_close(store);
	return error ? DIE_TIMEOUT : 0;
}

/* The same with what the kernel has. */
static int lock_byte(int fd, const struct arguments *a, int byte)
{
	struct flock fl = {.l_type = F_WRLCK, .l_start = byte, .l_len = 1};

	return fcntl(fd, a->is_ofd ? F_OFD_SETLKW : F_SETLKW, &fl) ? -errno : 0;
}

static int run_bare_process(void *arg)
{
	struct ring *ring = arg;
	const unsigned int n = ring->a->ring;
	int fd = open(ring->file, O_RDWR | O_CLOEXEC);
	int error = fd < 0 ? -errno : lock_byte(fd, ring->a, ring->me);

	if (error)
		die_warn_errno(error, "'%s'", ring->file);
	else
		error = meet(ring);
	if (!error)
		error = lock_byte(fd, ring->a, (ring->me + 1) % (int)n);
	if (error == -EDEADLK) {
		printf("The kernel reports EDEADLK to process %d\n",
		       (int)getpid());
		fflush(stdout);
	}
	fdio_close(&fd);
	return error ? DIE_TIMEOUT : 0;
}

/* ---- the ring ---- */

static bool is_byte_taken(struct ring *ring, struct reclock *store,
			  unsigned int n, const char *key)
{
	for (unsigned int i = 0; i < n; i++)
		if (reclock_lock_byte(store, ring->key[i],
				      strlen(ring->key[i])) ==
		    reclock_lock_byte(store, key, strlen(key)))
			return true;
	return false;
}

/* Keys of which no two have the same lock. */
static void choose_keys(struct ring *ring, struct reclock *store)
{
	const unsigned int n = ring->a->ring;

	for (unsigned int i = 0, number = 0; i < n; number++) {
		char key[16];

		snprintf(key, sizeof(key), "key%u", number);
		if (!is_byte_taken(ring, store, i, key))
			memcpy(ring->key[i++], key, sizeof(key));
	}
	memcpy(ring->key[n], ring->key[0], sizeof(ring->key[0]));
}

static void remove_file(const struct ring *ring)
{
	unlink(ring->file);
	rmdir(ring->dir);
}

static void make_file(struct ring *ring)
{
	const char *tmp = getenv("TMPDIR");
	struct reclock *store;
	struct stat st;

	if (!tmp || strlen(tmp) > 12)
		tmp = "/tmp";
	snprintf(ring->dir, sizeof(ring->dir), "%s/kvstore.XXXXXX", tmp);
	if (!mkdtemp(ring->dir))
		die_errno(errno, "cannot make a folder in '%s'", tmp);
	snprintf(ring->file, sizeof(ring->file), "%s/ring", ring->dir);
	ring->scratch = *ring->a;
	ring->scratch.file = ring->file;
	ring->scratch.record = RECLOCK_RECORD_MIN;
	ring->scratch.records = 16 * 10 * ring->a->ring;
	store = arguments_try_open(&ring->scratch, RECLOCK_CREATE);
	if (!store) {
		remove_file(ring);
		exit(DIE_FAILURE);
	}
	choose_keys(ring, store);
	reclock_close(store);
	if (stat(ring->file, &st) == 0)
		ring->ino = st.st_ino;
}

/* Signals come when there is nothing to remove any more. */
static int start(struct ring *ring, pid_t *pid)
{
	const bool is_bare = ring->a->is_kernel || ring->a->is_ofd;
	char ready[RING_MAX];
	ssize_t n;
	int error;

	make_file(ring);
	error = fdio_pipe(ring->ready);
	if (!error)
		error = fdio_pipe(ring->go);
	for (ring->me = 0; ring->me < (int)ring->a->ring && !error; ring->me++)
		error = child_fork(is_bare ? run_bare_process : run_process,
				   ring, &pid[ring->me]);
	fdio_close(&ring->ready[1]);
	fdio_close(&ring->go[0]);
	if (!error) {
		n = fdio_read_until(ring->ready[0], ready, ring->a->ring,
				    ring->deadline);
		/* A process has ended, and has said why. */
		error = n < 0 ? (int)n : n < (int)ring->a->ring ? -EPIPE : 0;
	}
	remove_file(ring);
	return error;
}

/* How many wait for locks of the file, as of /proc/locks. */
static unsigned int count_waiting(const struct ring *ring)
{
	FILE *locks = fopen("/proc/locks", "re");
	unsigned int n = 0;
	char line[160], ino[32];

	if (!locks)
		die_errno(errno, "/proc/locks");
	snprintf(ino, sizeof(ino), ":%ju ", (uintmax_t)ring->ino);
	while (fgets(line, sizeof(line), locks))
		n += strstr(line, "-> ") && strstr(line, ino);
	fclose(locks);
	return n;
}

/* One after the other, so that the last process closes the cycle. */
static void let_go(const struct ring *ring)
{
	for (unsigned int i = 0; i < ring->a->ring; i++) {
		if (fdio_write_full(ring->go[1], "", 1))
			return;
		while (i + 1 < ring->a->ring && count_waiting(ring) <= i &&
		       !tick_is_over(ring->deadline))
			tick_sleep_until(tick_after(TICK_MS));
	}
}

/* Whether they all ended by themselves. */
static bool end(const struct ring *ring, const pid_t *pid)
{
	unsigned int asleep = 0;
	bool is_asleep[RING_MAX];
	int status;

	for (unsigned int i = 0; i < ring->a->ring; i++) {
		is_asleep[i] = child_wait(pid[i], ring->deadline, &status) != 0;
		asleep += is_asleep[i];
	}
	for (unsigned int i = 0; i < ring->a->ring; i++)
		if (is_asleep[i])
			child_end(pid[i], 0, &status);
	return asleep == 0;
}

int lock_test_ring(const struct arguments *a)
{
	struct ring ring = {
		.a = a,
		.ready = {-1, -1},
		.go = {-1, -1},
		.deadline = tick_after(a->timeout_ns),
	};
	pid_t pid[RING_MAX] = {0};
	sigset_t all, before;
	int error;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, &before);
	error = start(&ring, pid);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (error == -EPIPE)
		return DIE_FAILURE;
	if (error)
		die_errno(error, "cannot start %u processes", a->ring);
	let_go(&ring);
	if (!end(&ring, pid))
		printf("Nobody reports anything: %u processes wait for each "
		       "other\n",
		       a->ring);
	return DIE_TIMEOUT;
}
