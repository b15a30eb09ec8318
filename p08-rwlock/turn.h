/* turn.h - who may enter, who waits, and who is let in next.
 *
 * Every function is called with the lock's mutex held. What is called each time
 * is inline: a lock that is free costs less than the calls. For the files of
 * myrwlock alone. */
#ifndef UNIXIPC_P08_RWLOCK_TURN_H
#define UNIXIPC_P08_RWLOCK_TURN_H

#include <stdbool.h>

#include "p08-rwlock/myrwlock.h"

/* Until when to wait; NULL instead of it: for ever. */
struct turn_limit {
	clockid_t clock;
	const struct timespec *until;
};

/* The group of writers that is served is empty only if both are. */
static inline const struct myrwlock_line *turn_served(
	const struct myrwlock *lock)
{
	return &lock->writing[lock->served];
}

/* Whether somebody is not to be overtaken any more. Not only the first in line:
 * it may not have woken yet to say that it is due, when others behind it have. */
static inline bool turn_is_due(const struct myrwlock *lock)
{
	return turn_served(lock)->is_due ||
	       (lock->policy == MYRWLOCK_FAIR &&
		(lock->reading.is_due || lock->writing[!lock->served].is_due));
}

/* Whether one who comes now may enter without waiting: the policies. */
static inline bool turn_may_read(const struct myrwlock *lock)
{
	if (lock->writers)
		return false;
	switch (lock->policy) {
	case MYRWLOCK_READER:
		return true;
	case MYRWLOCK_WRITER:
		return !turn_served(lock)->waiting;
	default:
		return !turn_is_due(lock);
	}
}

static inline bool turn_may_write(const struct myrwlock *lock)
{
	return !lock->writers && !lock->readers && !turn_is_due(lock);
}

/* Wait in line, and leave it as a reader who is counted, or as the writer who
 * is to be. Returns 0 or ETIMEDOUT. */
int turn_wait_to_read(struct myrwlock *lock, const struct turn_limit *limit);
int turn_wait_to_write(struct myrwlock *lock, const struct turn_limit *limit);

/* Somebody has left, the lock or the line: let in, or wake, who is next. */
void turn_call_next(struct myrwlock *lock);
static inline void turn_pass_on(struct myrwlock *lock)
{
	if (lock->reading.waiting || turn_served(lock)->waiting)
		turn_call_next(lock);
}

#endif
