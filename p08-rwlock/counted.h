/* counted.h - in and out of the lock with its mutex held: the way of every
 * writer, and of readers that are not alone (myrwlock.c). What is done when
 * nobody is in the way is inline, the rest in counted.c. For the files of
 * myrwlock alone.
 *
 * Order of mutexes: alone, then mutex; the other way round only by trylock.
 * What is changed is changed, and who is woken is woken, before the last one is
 * given back: another may destroy the lock then. */
#ifndef UNIXIPC_P08_RWLOCK_COUNTED_H
#define UNIXIPC_P08_RWLOCK_COUNTED_H

#include <stdbool.h>

#include "p08-rwlock/myrwlock.h"
#include "p08-rwlock/turn.h"

/* Take the mutex. Returns 0 or ETIMEDOUT. */
int counted_take_until(struct myrwlock *lock, const struct turn_limit *limit);
static inline int counted_take(struct myrwlock *lock,
			       const struct turn_limit *limit)
{
	return limit ? counted_take_until(lock, limit)
		     : pthread_mutex_lock(&lock->mutex);
}

/* ---- reading: return 0, EBUSY (is_try) or ETIMEDOUT ---- */

int counted_read(struct myrwlock *lock, bool is_try,
		 const struct turn_limit *limit);

/* Whether a reader may come who will not be counted; with alone held, which is
 * given back if not. Sets how many more may come without asking. */
bool counted_allows_alone(struct myrwlock *lock);

/* ---- writing: return the same ---- */

/* The rest of counted_write(), with the mutex held, when somebody is there. */
int counted_wait_to_write(struct myrwlock *lock, bool is_try,
			  const struct turn_limit *limit);

static inline int counted_write(struct myrwlock *lock, bool is_try,
				const struct turn_limit *limit)
{
	int rc = counted_take(lock, limit);

	if (rc)
		return rc;
	if (turn_may_write(lock) && pthread_mutex_trylock(&lock->alone) == 0)
		lock->writers = 1;
	else
		rc = counted_wait_to_write(lock, is_try, limit);
	pthread_mutex_unlock(&lock->mutex);
	return rc;
}

/* ---- giving back ---- */

int counted_leave(struct myrwlock *lock, bool was_writing);
void counted_downgrade(struct myrwlock *lock);

#endif
