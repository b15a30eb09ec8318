#include "p07-prodcons/bounded_lock.h"

#include <errno.h>

#include "lib/tick.h"

int bounded_lock_init(struct bounded_lock *lock, bool is_shared)
{
	pthread_mutexattr_t attr;
	int error;

	error = pthread_mutexattr_init(&attr);
	if (error)
		return -error;
	if (is_shared) {
		/* Without the first, POSIX lets no other process use it (glibc
		 * would: its robust ones are always shared); without the
		 * second, all would be left asleep once an owner died. */
		error = pthread_mutexattr_setpshared(&attr,
						     PTHREAD_PROCESS_SHARED);
		if (!error)
			error = pthread_mutexattr_setrobust(
				&attr, PTHREAD_MUTEX_ROBUST);
	}
	if (!error)
		error = pthread_mutex_init(&lock->mutex, &attr);
	pthread_mutexattr_destroy(&attr);
	return -error;
}

void bounded_lock_fini(struct bounded_lock *lock)
{
	pthread_mutex_destroy(&lock->mutex);
}

static int lock_until(pthread_mutex_t *mutex, int64_t deadline)
{
	struct timespec until;
	int error;

	/* pthread_mutex_clocklock(3) would take the monotonic clock; but older
	 * ThreadSanitizers do not know it, and report the unlock instead. */
	do {
		until = tick_to_realtime(deadline);
		error = pthread_mutex_timedlock(mutex, &until);
	} while (error == ETIMEDOUT && !tick_is_over(deadline));
	return error;
}

/* EINVAL, ENOTRECOVERABLE, EAGAIN: our own use leads to none of them. */
static int result(int error)
{
	switch (error) {
	case 0:
	case EOWNERDEAD:
	case EBUSY:
	case ETIMEDOUT:
		return -error;
	default:
		return -EBADMSG;
	}
}

int bounded_lock_try(struct bounded_lock *lock)
{
	return result(pthread_mutex_trylock(&lock->mutex));
}

int bounded_lock_take(struct bounded_lock *lock, int64_t deadline)
{
	return result(lock_until(&lock->mutex, deadline));
}

void bounded_lock_mended(struct bounded_lock *lock)
{
	pthread_mutex_consistent(&lock->mutex);
}

void bounded_lock_drop(struct bounded_lock *lock)
{
	pthread_mutex_unlock(&lock->mutex);
}
