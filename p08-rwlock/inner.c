/* inner.c - see the header. */
#include "p08-rwlock/inner.h"

#include <errno.h>

#include "lib/tick.h"
#include "p08-rwlock/roster.h"

int64_t inner_left(const struct inner_limit *limit)
{
	struct timespec ts;
	int64_t now, until;

	if (!limit)
		return INT64_MAX;
	clock_gettime(limit->clock, &ts);
	now = tick_from_timespec(ts);
	until = tick_from_timespec(*limit->until);
	return until > now ? until - now : 0;
}

void inner_call_all(struct myrwlock *lock)
{
	struct myrwlock_queue *queues[] = {&lock->reading, &lock->writing[0],
					   &lock->writing[1]};

	for (int i = 0; i < 3; i++) {
		park_awake(&queues[i]->wakeup);
		park_claim(&queues[i]->wakeup);
	}
	lock->calls = INNER_CALL_ALL;
}

/* For at least some time: who is late may still take a lock that is free. */
static int take_soon(struct myrwlock *lock)
{
	const struct timespec until =
		tick_to_timespec(tick_after(INNER_LOOK_AGAIN_NS));

	return pthread_mutex_clocklock(&lock->mutex, CLOCK_MONOTONIC, &until);
}

int inner_take_until(struct myrwlock *lock, const struct inner_limit *limit)
{
	int rc;

	do
		rc = take_soon(lock);
	while (rc == ETIMEDOUT && inner_left(limit) > 0);
	return rc;
}

/* What would lead us out of the lock's memory, if somebody has written over
 * it; all else that can be wrong leads to waiting in vain. */
static bool is_sound(const struct myrwlock *lock)
{
	return lock->magic == MYRWLOCK_MAGIC_SHARED && lock->served <= 1;
}

int inner_take_shared(struct myrwlock *lock, const struct inner_limit *limit)
{
	int rc = pthread_mutex_trylock(&lock->mutex);

	if (rc == EBUSY)
		rc = inner_take_until(lock, limit);
	if (rc == ETIMEDOUT)
		return rc;
	if (rc && rc != EOWNERDEAD)
		return ENOTRECOVERABLE;
	if (!is_sound(lock)) {
		pthread_mutex_unlock(&lock->mutex);
		return ENOTRECOVERABLE;
	}
	if (rc == EOWNERDEAD) {
		roster_count_anew(lock);
		inner_call_all(lock);
		pthread_mutex_consistent(&lock->mutex);
	}
	return 0;
}

void inner_wake(struct myrwlock *lock, uint32_t calls, bool is_shared)
{
	if (calls & (INNER_CALL_READERS | INNER_CALL_ALL))
		park_wake_all(&lock->reading.wakeup, is_shared);
	for (int i = 0; i < 2; i++)
		if (calls & INNER_CALL_ALL)
			park_wake_all(&lock->writing[i].wakeup, is_shared);
		else if (calls & (uint32_t)INNER_CALL_WRITER << i)
			park_wake(&lock->writing[i].wakeup, is_shared);
}
