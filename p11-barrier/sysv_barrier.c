/* The idea: all that happens at a barrier is one semop(2) each, whose parts
 * the kernel does together or not at all.
 *
 *	arrive    REST - 1                       fails for the last: 0 cannot
 *	release   the last: REST + (count - 1), open this one, close the other
 *	wait      until the turnstile of this phase is 0, which is open
 *	withdraw  REST + 1, if the turnstile is still closed
 *
 * A sense-reversing barrier (Herlihy and Shavit): each participant has a sense,
 * phase, that flips with each round. Two turnstiles, so that a participant that
 * is quick and back for the next round waits at the other one, and cannot lap a
 * participant that is still on its way through this one. A turnstile is closed
 * again by the last of the next round, when all have passed it.
 *
 * Death: at its exit the kernel adds up a process's operations with SEM_UNDO
 * and takes them back, and where that would lead below 0, it stops at 0. So
 * each participant does, when it joins, operations that come to nothing but
 * leave such an adjustment: BROKEN + 1 and both turnstiles - 1. All who wait
 * are let go, and find BROKEN. As a turnstile is no proof then that the round
 * was completed, PARITY has the number of completed rounds modulo 2.
 *
 * Invariant, between any two semop(2) and unless broken: REST is count - 1
 * minus those who arrived; exactly one turnstile is closed, that of PARITY.
 */
#include "p11-barrier/sysv_barrier.h"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/sysv.h"
#include "lib/tick.h"
#include "p11-barrier/semset.h"

/* ---- participants ---- */

/* Whether this user or root made the set. */
static int check_creator(int id)
{
	struct semid_ds set = {0};
	union semun arg = {.buf = &set};

	if (semctl(id, 0, IPC_STAT, arg) < 0)
		return errno == EINVAL ? -EIDRM : -errno;
	return set.sem_perm.cuid == geteuid() || set.sem_perm.cuid == 0
		       ? 0
		       : -EACCES;
}

int sysv_barrier_open(struct sysv_barrier *barrier, key_t key, int64_t deadline)
{
	int id = sysv_sem_open(key, SEMAPHORES, deadline), error;

	*barrier = (struct sysv_barrier){.id = -1};
	if (id < 0)
		return id == -EINVAL ? -EBADMSG : id;
	error = check_creator(id);
	return error ? error : sysv_barrier_join(barrier, id);
}

/* The kernel empties it in a forked child, which is no participant. A pid would
 * not tell: the first of another PID namespace may have the same. */
static int make_page(uint32_t **page)
{
	size_t bytes = (size_t)sysconf(_SC_PAGESIZE);
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int error;

	if (at == MAP_FAILED)
		return -errno;
	if (madvise(at, bytes, MADV_WIPEONFORK) < 0) {
		error = -errno;
		munmap(at, bytes);
		return error;
	}
	*page = at;
	**page = 1;
	return 0;
}

static void drop_page(uint32_t *page)
{
	munmap(page, (size_t)sysconf(_SC_PAGESIZE));
}

static bool is_participant(const struct sysv_barrier *barrier)
{
	return barrier->has_joined && *barrier->has_joined;
}

static int join(struct sysv_barrier *barrier, int id)
{
	/* Pairs that come to nothing, but for what the exit takes back. */
	struct sembuf ops[OPS_MAX] = {
		NOW(BROKEN, 0),         UNDONE(SEATS, -1), /* places */
		NOW(BROKEN, 1),         UNDONE(BROKEN, -1),
		UNDONE(TURNSTILE_0, 1), NOW(TURNSTILE_0, -1),
		UNDONE(TURNSTILE_1, 1), NOW(TURNSTILE_1, -1),
	};
	int count = semset_check(id), error, parity;

	if (count < 0)
		return count;
	error = semset_try(id, ops, LENGTH(ops));
	if (error == -EAGAIN)
		return semset_value(id, BROKEN) > 0 ? SYSV_BARRIER_BROKEN
						    : -EUSERS;
	if (error)
		return error;
	/* No round ends without us now, so this stays. */
	parity = semset_value(id, PARITY);
	if (parity < 0)
		return parity;
	barrier->id = id;
	barrier->count = (unsigned int)count;
	barrier->phase = (unsigned int)parity;
	return 0;
}

int sysv_barrier_join(struct sysv_barrier *barrier, int id)
{
	int error;

	*barrier = (struct sysv_barrier){.id = -1};
	error = make_page(&barrier->has_joined);
	if (error)
		return error;
	error = join(barrier, id);
	if (error) {
		drop_page(barrier->has_joined);
		barrier->has_joined = NULL;
	}
	return error;
}

int sysv_barrier_close(struct sysv_barrier *barrier)
{
	struct sembuf leave[] = {
		UNDONE(SEATS, 1),        UNDONE(BROKEN, 1),
		NOW(BROKEN, -1),         NOW(TURNSTILE_0, 1),
		UNDONE(TURNSTILE_0, -1), NOW(TURNSTILE_1, 1),
		UNDONE(TURNSTILE_1, -1),
	};

	int error = is_participant(barrier)
			    ? semset_try(barrier->id, leave, LENGTH(leave))
			    : -EINVAL;

	if (barrier->has_joined)
		drop_page(barrier->has_joined);
	*barrier = (struct sysv_barrier){.id = -1};
	return error;
}

/* ---- a round ---- */

static unsigned short turnstile(const struct sysv_barrier *barrier)
{
	return barrier->phase ? TURNSTILE_1 : TURNSTILE_0;
}

static unsigned short other_turnstile(const struct sysv_barrier *barrier)
{
	return barrier->phase ? TURNSTILE_0 : TURNSTILE_1;
}

/* -EAGAIN: we would be the last. */
static int arrive(const struct sysv_barrier *barrier)
{
	/* BROKEN is asked for neither here, where the kernel would look at each
	 * sleeper again, as an operation that waits for 0 was met, nor below: of a
	 * broken barrier both turnstiles are open for good, and cannot go
	 * down. */
	struct sembuf ops[] = {NOW(REST, -1), UNDONE(INSIDE, 1)};

	return semset_try(barrier->id, ops, LENGTH(ops));
}

/* The last lets all go. -EAGAIN: broken, or a participant withdrew
 * meanwhile. */
static int release(const struct sysv_barrier *barrier)
{
	struct sembuf ops[] = {
		NOW(REST, 0),
		NOW(REST, barrier->count - 1),
		NOW(turnstile(barrier), -1),
		NOW(other_turnstile(barrier), 1),
		NOW(PARITY, barrier->phase ? -1 : 1),
	};

	return semset_try(barrier->id, ops, LENGTH(ops));
}

/* Leave the round, when it is neither complete nor broken. */
static int withdraw(const struct sysv_barrier *barrier)
{
	struct sembuf ops[] = {
		NOW(turnstile(barrier), -1),
		NOW(turnstile(barrier), 1),
		NOW(REST, 1),
		UNDONE(INSIDE, -1),
	};

	return semset_try(barrier->id, ops, LENGTH(ops));
}

/* Leave a broken barrier: whether our round was completed before that. */
static int leave_broken(struct sysv_barrier *barrier)
{
	struct sembuf leave = UNDONE(INSIDE, -1);
	int parity = semset_value(barrier->id, PARITY), error;

	error = parity < 0 ? parity : semset_try(barrier->id, &leave, 1);
	if (error)
		return error;
	if (parity == (int)barrier->phase)
		return SYSV_BARRIER_BROKEN;
	barrier->phase ^= 1;
	return 0;
}

/* Having arrived, wait until the turnstile opens. The kernel takes a sleeper
 * off INSIDE in the call that opens it: such a participant is out already, and
 * does not touch the set again. */
static int pass(struct sysv_barrier *barrier, int64_t deadline)
{
	struct sembuf ops[] = {
		NOW(BROKEN, 0),
		{turnstile(barrier), 0, 0},
		UNDONE(INSIDE, -1),
	};
	int error, broken;

	/* Once, and not in a loop: where participants share a processor, those
	 * we wait for run now, and often the turnstile is open when we come
	 * back. Then nobody had to be put to sleep and woken, which is most of
	 * the cost of a round. */
	sched_yield();
	for (;;) {
		error = semset_operate(barrier->id, ops, LENGTH(ops), deadline);
		if (!error) {
			barrier->phase ^= 1;
			return 0;
		}
		if (error != -EAGAIN && error != -EINTR)
			return error;
		/* Late, interrupted, or broken; withdraw() knows. */
		if (withdraw(barrier) == 0)
			return error == -EINTR ? -EINTR : -ETIMEDOUT;
		broken = semset_value(barrier->id, BROKEN);
		if (broken < 0)
			return broken;
		if (broken)
			return leave_broken(barrier);
		/* Complete at the last moment: the turnstile is open now. */
	}
}

int sysv_barrier_wait(struct sysv_barrier *barrier)
{
	return sysv_barrier_wait_until(barrier, TICK_NEVER);
}

int sysv_barrier_wait_until(struct sysv_barrier *barrier, int64_t deadline)
{
	int error;

	if (!is_participant(barrier))
		return -EINVAL;
	for (;;) {
		error = arrive(barrier);
		if (!error)
			return pass(barrier, deadline);
		if (error != -EAGAIN)
			return error;
		error = release(barrier);
		if (!error) {
			barrier->phase ^= 1;
			return SYSV_BARRIER_SERIAL;
		}
		if (error != -EAGAIN)
			return error;
		error = semset_value(barrier->id, BROKEN);
		if (error)
			return error < 0 ? error : SYSV_BARRIER_BROKEN;
		/* Another withdrew, so that we are not the last: again. (Or
		 * a stranger changed the set, and this would never end.) */
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
	}
}
