/* myrwlock.c - locking and unlocking: what the calling thread holds itself
 * decides first (held.h), then whether there is a fast path (fastpath.h), and then
 * those who are inside and in the queues (queue.h). */
#include "p08-rwlock/myrwlock.h"

#include <errno.h>
#include <stdbool.h>

#include "lib/tick.h"
#include "p08-rwlock/fastpath.h"
#include "p08-rwlock/held.h"
#include "p08-rwlock/queue.h"
#include "p08-rwlock/roster.h"

/* Who the caller is to this lock. */
static inline int identify(const struct myrwlock *lock, uint64_t *me)
{
	if (myrwlock_is_shared(lock))
		return roster_self(lock, me);
	*me = held_self();
	return 0;
}

/* Relaxed: that it is me only I could have written, or unwritten. */
static inline bool is_writer(const struct myrwlock *lock, uint64_t me)
{
	return __atomic_load_n(&lock->writer, __ATOMIC_RELAXED) == me;
}

static inline void note_writer(struct myrwlock *lock, uint64_t me)
{
	__atomic_store_n(&lock->writer, me, __ATOMIC_RELAXED);
}

static inline bool is_in(int rc)
{
	return rc == 0 || rc == EOWNERDEAD;
}

/* ---- reading ---- */

static int read_again(struct held *held)
{
	if (held->count == UINT32_MAX)
		return EAGAIN;
	/* Not to wait for a writer, who waits for us. */
	held->count++;
	return 0;
}

static int read_lock(struct myrwlock *lock, bool is_try,
		     const struct inner_limit *limit)
{
	struct held *held;
	uint64_t me;
	int rc;

	if (!myrwlock_is_lock(lock))
		return EINVAL;
	rc = identify(lock, &me);
	if (rc)
		return rc;
	if (is_writer(lock, me))
		return is_try ? EBUSY : EDEADLK;
	held = held_find(lock);
	if (held)
		return read_again(held);
	if (held_is_full())
		return EAGAIN;
	if (!fastpath_enter(lock, FASTPATH_READS))
		rc = queue_read(lock, me, is_try, limit);
	if (is_in(rc))
		held_add(lock);
	return rc;
}

static int give_back(struct myrwlock *lock, struct held *held, uint64_t me)
{
	if (--held->count)
		return 0;
	held_remove(held);
	return fastpath_leave(lock, FASTPATH_READS)
		       ? 0
		       : queue_leave_reading(lock, me);
}

/* ---- writing ---- */

static int write_lock(struct myrwlock *lock, bool is_try,
		      const struct inner_limit *limit)
{
	uint64_t me;
	int rc;

	if (!myrwlock_is_lock(lock))
		return EINVAL;
	rc = identify(lock, &me);
	if (rc)
		return rc;
	if (is_writer(lock, me) || held_find(lock))
		return is_try ? EBUSY : EDEADLK;
	if (!fastpath_enter(lock, FASTPATH_WRITES))
		return queue_write(lock, me, is_try, limit);
	note_writer(lock, me);
	return 0;
}

/* ---- both ---- */

int myrwlock_unlock(struct myrwlock *lock)
{
	struct held *held;
	uint64_t me;
	int rc;

	if (!myrwlock_is_lock(lock))
		return EINVAL;
	rc = identify(lock, &me);
	if (rc)
		return rc;
	if (!is_writer(lock, me)) {
		held = held_find(lock);
		return held ? give_back(lock, held, me) : EPERM;
	}
	if (myrwlock_is_shared(lock))
		return queue_leave_writing(lock, me);
	note_writer(lock, 0);
	return fastpath_leave(lock, FASTPATH_WRITES)
		       ? 0
		       : queue_leave_writing(lock, me);
}

int myrwlock_downgrade(struct myrwlock *lock)
{
	uint64_t me;
	int rc;

	if (!myrwlock_is_lock(lock))
		return EINVAL;
	rc = identify(lock, &me);
	if (rc)
		return rc;
	if (!is_writer(lock, me))
		return EPERM;
	if (held_is_full())
		return EAGAIN;
	rc = queue_downgrade(lock, me);
	if (!rc)
		held_add(lock);
	return rc;
}

int myrwlock_consistent(struct myrwlock *lock)
{
	uint64_t me;
	int rc;

	if (!myrwlock_is_lock(lock) || !myrwlock_is_shared(lock))
		return EINVAL;
	rc = roster_self(lock, &me);
	return rc ? rc : queue_make_consistent(lock, me);
}

/* ---- the forms ---- */

static bool is_time(clockid_t clock, const struct timespec *until)
{
	return (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC) &&
	       until->tv_nsec >= 0 && until->tv_nsec < TICK_S;
}

int myrwlock_rdlock(struct myrwlock *lock)
{
	return read_lock(lock, false, NULL);
}

int myrwlock_wrlock(struct myrwlock *lock)
{
	return write_lock(lock, false, NULL);
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
	const struct inner_limit limit = {.clock = clock, .until = until};

	return is_time(clock, until) ? read_lock(lock, false, &limit) : EINVAL;
}

int myrwlock_clockwrlock(struct myrwlock *lock, clockid_t clock,
			 const struct timespec *until)
{
	const struct inner_limit limit = {.clock = clock, .until = until};

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
