/* myrwlock.c - locking and unlocking. What the thread itself holds decides
 * first (held.h), then those inside and in line (counted.h, turn.h).
 *
 * Counting a reader takes the mutex on the way in and on the way out. Under the
 * fair policy one reader at a time is spared that: it holds the mutex `alone`
 * while it reads, which is half the work, and most of the time there is one
 * reader only. A writer holds it too, so that neither can be there with the
 * other. */
#include "p08-rwlock/myrwlock.h"

#include <errno.h>
#include <stdbool.h>

#include "lib/tick.h"
#include "p08-rwlock/counted.h"
#include "p08-rwlock/held.h"
#include "p08-rwlock/turn.h"

static bool is_lock(const struct myrwlock *lock)
{
	return lock->magic == MYRWLOCK_MAGIC;
}

static inline bool read_alone(struct myrwlock *lock)
{
	if (lock->policy != MYRWLOCK_FAIR ||
	    pthread_mutex_trylock(&lock->alone))
		return false;
	if (!lock->passes)
		return counted_allows_alone(lock);
	lock->passes--;
	return true;
}

static int read_again(struct held *held, bool is_try)
{
	if (held->how == HELD_WRITING)
		return is_try ? EBUSY : EDEADLK;
	if (held->count == UINT32_MAX)
		return EAGAIN;
	/* Not to wait for a writer, who waits for us. */
	held->count++;
	return 0;
}

static int read_lock(struct myrwlock *lock, bool is_try,
		     const struct turn_limit *limit)
{
	struct held *held;
	int rc;

	if (!is_lock(lock))
		return EINVAL;
	held = held_find(lock);
	if (held)
		return read_again(held, is_try);
	rc = held_reserve(lock);
	if (rc)
		return rc;
	if (read_alone(lock)) {
		held_add(lock, HELD_ALONE);
		return 0;
	}
	rc = counted_read(lock, is_try, limit);
	if (!rc)
		held_add(lock, HELD_COUNTED);
	return rc;
}

static int write_lock(struct myrwlock *lock, bool is_try,
		      const struct turn_limit *limit)
{
	int rc;

	if (!is_lock(lock))
		return EINVAL;
	if (held_find(lock))
		return is_try ? EBUSY : EDEADLK;
	rc = held_reserve(lock);
	if (!rc)
		rc = counted_write(lock, is_try, limit);
	if (!rc)
		held_add(lock, HELD_WRITING);
	return rc;
}

static inline int give_back(struct myrwlock *lock, enum held_how how)
{
	return how == HELD_ALONE ? pthread_mutex_unlock(&lock->alone)
				 : counted_leave(lock, how == HELD_WRITING);
}

/* Not inline, as what it saves on the stack is half of what the short way
 * costs. */
__attribute__((noinline)) static int unlock(struct myrwlock *lock)
{
	enum held_how how;
	struct held *held;

	if (!is_lock(lock))
		return EINVAL;
	held = held_find(lock);
	if (!held)
		return EPERM;
	if (--held->count)
		return 0;
	how = held->how;
	held_remove(held);
	return give_back(lock, how);
}

int myrwlock_downgrade(struct myrwlock *lock)
{
	struct held *held;

	if (!is_lock(lock))
		return EINVAL;
	held = held_find(lock);
	if (!held || held->how != HELD_WRITING)
		return EPERM;
	counted_downgrade(lock);
	held->how = HELD_COUNTED;
	return 0;
}

/* ---- the short way ---- */

/* Most threads hold nothing else and mean to wait: the same without what only
 * others need. */
static inline bool is_simple(const struct myrwlock *lock)
{
	return is_lock(lock) && !lock->is_shared && held_is_nothing();
}

int myrwlock_rdlock(struct myrwlock *lock)
{
	if (!is_simple(lock))
		return read_lock(lock, false, NULL);
	if (read_alone(lock)) {
		held_set_sole(lock, HELD_ALONE);
		return 0;
	}
	counted_read(lock, false, NULL);
	held_set_sole(lock, HELD_COUNTED);
	return 0;
}

int myrwlock_wrlock(struct myrwlock *lock)
{
	if (!is_simple(lock))
		return write_lock(lock, false, NULL);
	counted_write(lock, false, NULL);
	held_set_sole(lock, HELD_WRITING);
	return 0;
}

int myrwlock_unlock(struct myrwlock *lock)
{
	enum held_how how;

	if (!held_is_sole(lock))
		return unlock(lock);
	how = held_list.sole.how;
	held_list.sole.lock = NULL;
	return give_back(lock, how);
}

/* ---- the forms ---- */

static bool is_time(clockid_t clock, const struct timespec *until)
{
	return (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC) &&
	       until->tv_nsec >= 0 && until->tv_nsec < TICK_S;
}

int myrwlock_tryrdlock(struct myrwlock *lock)
{
	return read_lock(lock, true, NULL);
}

int myrwlock_trywrlock(struct myrwlock *lock)
{
	return write_lock(lock, true, NULL);
}

int myrwlock_clockrdlock(struct myrwlock *lock, clockid_t clock,
			 const struct timespec *until)
{
	const struct turn_limit limit = {.clock = clock, .until = until};

	return is_time(clock, until) ? read_lock(lock, false, &limit) : EINVAL;
}

int myrwlock_clockwrlock(struct myrwlock *lock, clockid_t clock,
			 const struct timespec *until)
{
	const struct turn_limit limit = {.clock = clock, .until = until};

	return is_time(clock, until) ? write_lock(lock, false, &limit) : EINVAL;
}

int myrwlock_timedrdlock(struct myrwlock *lock, const struct timespec *until)
{
	return myrwlock_clockrdlock(lock, CLOCK_REALTIME, until);
}

int myrwlock_timedwrlock(struct myrwlock *lock, const struct timespec *until)
{
	return myrwlock_clockwrlock(lock, CLOCK_REALTIME, until);
}
