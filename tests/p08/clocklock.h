/* clocklock.h - ThreadSanitizer of GCC 12 does not know
 * pthread_mutex_clocklock, and takes what it locked for unlocked. Tests that it
 * runs link with --wrap, and lock by trying there. One test program includes
 * it once. */
#ifndef UNIXIPC_TESTS_P08_CLOCKLOCK_H
#define UNIXIPC_TESTS_P08_CLOCKLOCK_H

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "lib/tick.h"

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define HAS_TSAN
#endif
#endif
#ifdef __SANITIZE_THREAD__
#define HAS_TSAN
#endif

int __real_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
				   const struct timespec *until);
int __wrap_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
				   const struct timespec *until);

int __wrap_pthread_mutex_clocklock(pthread_mutex_t *mutex, clockid_t clock,
				   const struct timespec *until)
{
#ifdef HAS_TSAN
	struct timespec now;
	int rc;

	while ((rc = pthread_mutex_trylock(mutex)) == EBUSY) {
		clock_gettime(clock, &now);
		if (tick_from_timespec(now) >= tick_from_timespec(*until))
			return ETIMEDOUT;
		tick_sleep_until(tick_after(20 * TICK_US));
	}
	return rc;
#else
	return __real_pthread_mutex_clocklock(mutex, clock, until);
#endif
}

#endif
