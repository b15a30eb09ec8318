/* turn.c - two lines before one door.
 *
 * Who comes enters at once when those inside allow it, even past others who
 * wait: a thread that runs makes better use of the lock than one that must
 * be woken first. That is what makes the lock fast, and what starves. The fair
 * policy lets it go on only until the first in line has waited for
 * MYRWLOCK_PATIENCE_NS; that one then wakes by itself and declares the line
 * due, and nobody passes it any more.
 *
 * Readers wait in one batch. When their turn has come and they are due, all of
 * them are counted as inside before they wake, so that nobody can come
 * between; who comes later belongs to the next batch.
 *
 * Writers wait in two groups. One of the group that is served is called, and
 * enters if nobody was faster; who comes meanwhile joins the other group,
 * which is served when the first has gone in whole. So nobody waits for
 * another writer more than twice, whomever the condition variable wakes.
 *
 * Invariant: writers <= 1, and writers == 0 or readers == 0. When the lock is
 * free and somebody waits, somebody who waits has been woken and is on the way
 * here. */
#include "p08-rwlock/turn.h"

#include <errno.h>

#include "lib/tick.h"

/* How long to trust in being woken. A signal can be spent on a process that
 * was killed, and the C library before 2.41 loses one now and then (its bug
 * 25847): who waits looks for itself after that time. */
#define LOOK_AGAIN_NS (100 * TICK_MS)

/* ---- whose turn it is ---- */

/* Of those who wait, whose turn is it? */
static bool are_readers_next(const struct myrwlock *lock)
{
	if (!turn_served(lock)->waiting)
		return true;
	switch (lock->policy) {
	case MYRWLOCK_READER:
		return true;
	case MYRWLOCK_WRITER:
		return false;
	default:
		return lock->reading.arrived < turn_served(lock)->arrived;
	}
}

static void let_readers_in(struct myrwlock *lock)
{
	lock->readers += lock->reading.waiting;
	lock->reading.waiting = 0;
	lock->reading.is_due = false;
	lock->batch++;
	pthread_cond_broadcast(&lock->reading.turn);
}

static void call_writer(struct myrwlock *lock)
{
	lock->is_called = true;
	pthread_cond_signal(&lock->writing[lock->served].turn);
}

void turn_call_next(struct myrwlock *lock)
{
	if (lock->writers)
		return;
	if (lock->reading.waiting && are_readers_next(lock)) {
		if (lock->policy == MYRWLOCK_READER || lock->reading.is_due)
			let_readers_in(lock);
		else
			pthread_cond_broadcast(&lock->reading.turn);
	} else if (!lock->readers && turn_served(lock)->waiting &&
		   !lock->is_called) {
		call_writer(lock);
	}
}

/* ---- waiting ---- */

static void join(struct myrwlock *lock, struct myrwlock_line *line)
{
	if (line->waiting++ == 0)
		line->arrived = lock->arrivals++;
}

static void leave(struct myrwlock *lock, struct myrwlock_line *line)
{
	if (--line->waiting)
		return;
	line->is_due = false;
	if (line == turn_served(lock)) {
		lock->served ^= 1;
		lock->is_called = false;
	}
}

static bool is_before(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec < b->tv_sec ||
	       (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

/* Sleep until woken, or out of patience, or long enough to look again. Returns
 * 0, or ETIMEDOUT at the limit. */
static int sleep_in(struct myrwlock *lock, struct myrwlock_line *line,
		    int64_t due, const struct turn_limit *limit)
{
	clockid_t clock = limit ? limit->clock : CLOCK_MONOTONIC;
	int64_t left = tick_left(due);
	struct timespec wake;
	bool is_last;
	int cancel, rc;

	clock_gettime(clock, &wake);
	wake = tick_to_timespec(tick_from_timespec(wake) +
				(left ? left : LOOK_AGAIN_NS));
	is_last = limit && !is_before(&wake, limit->until);
	/* pthread_cancel() would leave us counted among those who wait. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	rc = pthread_cond_clockwait(&line->turn, &lock->mutex, clock,
				    is_last ? limit->until : &wake);
	pthread_setcancelstate(cancel, NULL);
	return is_last ? rc : 0;
}

int turn_wait_to_read(struct myrwlock *lock, const struct turn_limit *limit)
{
	struct myrwlock_line *line = &lock->reading;
	const int64_t due = tick_after(MYRWLOCK_PATIENCE_NS);
	const uint32_t batch = lock->batch;
	int rc = 0;

	join(lock, line);
	while (!turn_may_read(lock)) {
		if (!lock->writers && are_readers_next(lock)) {
			let_readers_in(lock);
			return 0;
		}
		if (rc)
			break;
		rc = sleep_in(lock, line, due, limit);
		/* Late or not: who has been let in is in. */
		if (lock->batch != batch)
			return 0;
		if (tick_is_over(due))
			line->is_due = true;
	}
	leave(lock, line);
	if (!rc)
		lock->readers++;
	return rc;
}

static bool is_my_turn_to_write(const struct myrwlock *lock,
				const struct myrwlock_line *line)
{
	return !lock->writers && !lock->readers &&
	       (line == turn_served(lock) || !turn_is_due(lock));
}

int turn_wait_to_write(struct myrwlock *lock, const struct turn_limit *limit)
{
	struct myrwlock_line *line =
		&lock->writing[turn_served(lock)->waiting ? !lock->served
							  : lock->served];
	const int64_t due = tick_after(MYRWLOCK_PATIENCE_NS);
	int rc = 0;

	join(lock, line);
	while (!is_my_turn_to_write(lock, line)) {
		if (rc) {
			leave(lock, line);
			/* The call may have been for us, and readers may
			 * have waited for us alone. */
			turn_pass_on(lock);
			return rc;
		}
		rc = sleep_in(lock, line, due, limit);
		if (line == turn_served(lock))
			lock->is_called = false;
		if (tick_is_over(due))
			line->is_due = true;
	}
	leave(lock, line);
	return 0;
}
