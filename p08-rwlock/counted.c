/* counted.c - waiting for the mutex, and for those who are inside. */
#include "p08-rwlock/counted.h"

#include <errno.h>

#include "lib/tick.h"

/* The mutex is held for moments, unless a process was stopped or killed just
 * then: the limit goes for it too. But who is late may still take a lock that
 * is free, so it gets some more time than none. */
int counted_take_until(struct myrwlock *lock, const struct turn_limit *limit)
{
	struct timespec soon;
	int rc;

	rc = pthread_mutex_clocklock(&lock->mutex, limit->clock, limit->until);
	if (rc != ETIMEDOUT)
		return rc;
	soon = tick_to_timespec(tick_after(100 * TICK_MS));
	return pthread_mutex_clocklock(&lock->mutex, CLOCK_MONOTONIC, &soon);
}

/* ---- reading ---- */

int counted_read(struct myrwlock *lock, bool is_try,
		 const struct turn_limit *limit)
{
	int rc = counted_take(lock, limit);

	if (rc)
		return rc;
	lock->is_crowded = true;
	if (turn_may_read(lock))
		lock->readers++;
	else
		rc = is_try ? EBUSY : turn_wait_to_read(lock, limit);
	pthread_mutex_unlock(&lock->mutex);
	return rc;
}

bool counted_allows_alone(struct myrwlock *lock)
{
	bool may_read = false;

	if (pthread_mutex_trylock(&lock->mutex) == 0) {
		may_read = turn_may_read(lock);
		/* Where readers meet nothing is saved, and a writer would wait
		 * for each pass. */
		lock->passes =
			may_read && !lock->is_crowded ? MYRWLOCK_PASSES : 0;
		lock->is_crowded = false;
		pthread_mutex_unlock(&lock->mutex);
	}
	if (!may_read)
		pthread_mutex_unlock(&lock->alone);
	return may_read;
}

/* ---- writing ---- */

/* It is our turn, but for a reader who is not counted. */
static int wait_for_alone(struct myrwlock *lock, const struct turn_limit *limit)
{
	int rc;

	lock->is_entering = true;
	pthread_mutex_unlock(&lock->mutex);
	rc = limit ? pthread_mutex_clocklock(&lock->alone, limit->clock,
					     limit->until)
		   : pthread_mutex_lock(&lock->alone);
	pthread_mutex_lock(&lock->mutex);
	lock->is_entering = false;
	if (rc) {
		lock->writers = 0;
		turn_pass_on(lock);
	}
	return rc;
}

int counted_wait_to_write(struct myrwlock *lock, bool is_try,
			  const struct turn_limit *limit)
{
	bool is_alone;
	int rc;

	if (!turn_may_write(lock)) {
		rc = is_try ? EBUSY : turn_wait_to_write(lock, limit);
		if (rc)
			return rc;
	}
	is_alone = pthread_mutex_trylock(&lock->alone) == 0;
	if (!is_alone && is_try)
		return EBUSY;
	lock->writers = 1;
	return is_alone ? 0 : wait_for_alone(lock, limit);
}

int counted_leave(struct myrwlock *lock, bool was_writing)
{
	pthread_mutex_lock(&lock->mutex);
	if (was_writing) {
		lock->writers = 0;
		pthread_mutex_unlock(&lock->alone);
	} else {
		lock->readers--;
	}
	if (!lock->readers)
		turn_pass_on(lock);
	return pthread_mutex_unlock(&lock->mutex);
}

void counted_downgrade(struct myrwlock *lock)
{
	pthread_mutex_lock(&lock->mutex);
	lock->writers = 0;
	lock->readers++;
	pthread_mutex_unlock(&lock->alone);
	turn_pass_on(lock);
	pthread_mutex_unlock(&lock->mutex);
}
