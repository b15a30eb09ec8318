/* inner.h - the lock's own mutex, which guards all that is in it and is held for
 * moments.
 *
 * Between processes it is robust: who takes it after an owner that died counts
 * anew who is there (roster.h), and the dead one is no matter any more. It is
 * asked for ten times a second, as a wake-up can be lost with a process that is
 * killed (see lib/park.h). For the files of myrwlock alone. */
#ifndef UNIXIPC_P08_RWLOCK_INNER_H
#define UNIXIPC_P08_RWLOCK_INNER_H

#include <stdbool.h>
#include <time.h>

#include "p08-rwlock/myrwlock.h"

/* How long to trust in being woken. */
#define INNER_LOOK_AGAIN_NS (100 * INT64_C(1000000))

/* Until when to wait; NULL instead of it: for ever. */
struct inner_limit {
	clockid_t clock;
	const struct timespec *until;
};

/* Nanoseconds until then; INT64_MAX for ever; 0 when it is over. */
int64_t inner_left(const struct inner_limit *limit);

/* Whom to wake when the mutex is given back: lock->calls. A process that dies
 * in between wakes nobody, and they look for themselves. */
enum inner_call {
	INNER_CALL_READERS = 1, /* all of them */
	INNER_CALL_WRITER = 2,  /* one of the first group; << 1: of the other */
	INNER_CALL_ALL = 8,
};

/* With the mutex held: wake everybody then. */
void inner_call_all(struct myrwlock *lock);

/* Which of the two groups of writers is served. An index that somebody may have
 * written over leads nowhere else. */
static inline uint32_t inner_served(const struct myrwlock *lock)
{
	return lock->served & 1;
}

int inner_take_shared(struct myrwlock *lock, const struct inner_limit *limit);
int inner_take_until(struct myrwlock *lock, const struct inner_limit *limit);
void inner_wake(struct myrwlock *lock, uint32_t calls, bool is_shared);

/* Returns 0, ETIMEDOUT, or ENOTRECOVERABLE: there is no sound lock here. */
static inline int inner_take(struct myrwlock *lock,
			     const struct inner_limit *limit)
{
	if (myrwlock_is_shared(lock))
		return inner_take_shared(lock, limit);
	return limit ? inner_take_until(lock, limit)
		     : pthread_mutex_lock(&lock->mutex);
}

/* The lock is not touched after this: another may destroy it then. */
static inline void inner_drop(struct myrwlock *lock)
{
	const uint32_t calls = lock->calls;
	const bool is_shared = myrwlock_is_shared(lock);

	lock->calls = 0;
	pthread_mutex_unlock(&lock->mutex);
	if (calls)
		inner_wake(lock, calls, is_shared);
}

#endif
