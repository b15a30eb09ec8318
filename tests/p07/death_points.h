/* death_points.h - where a child is to die: pthread_mutex_unlock() and the
 * functions of lib/park.h are wrapped (--wrap), so that it can be in between. One
 * test program includes it once. */
#ifndef UNIXIPC_TESTS_P07_DEATH_POINTS_H
#define UNIXIPC_TESTS_P07_DEATH_POINTS_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "lib/park.h"
#include "tests/p07/fixture.h"

/* Where the caller, a child, is to die. */
static enum point {
	NOWHERE,
	BEFORE_UNLOCK, /* holding the lock, all done but for that */
	STOPPED,       /* there, but only stopped: it is for us to kill it */
	BEFORE_WAKE,   /* without the lock, about to wake somebody */
	WHEN_WOKEN,    /* woken, and about to take the lock */
	ON_THE_WAY,    /* announced, without the lock, about to sleep */
	POINTS,
} death;

/* How often one that is to die there has announced that it will sleep; shared,
 * or NULL. */
static _Atomic int *announced;

/* How often this process has woken somebody. */
static int wakes;

/* Until when it slept last. */
static int64_t slept_until;

int __real_pthread_mutex_unlock(pthread_mutex_t *lock);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock);
void __real_park_wake(const struct park *park, bool is_shared);
void __wrap_park_wake(const struct park *park, bool is_shared);
int __real_park_sleep(const struct park *park, uint32_t ticket,
		      int64_t deadline, bool is_shared);
int __wrap_park_sleep(const struct park *park, uint32_t ticket,
		      int64_t deadline, bool is_shared);

static inline void die_if(int here)
{
	if ((int)death == here)
		raise(SIGKILL);
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *lock)
{
	die_if(BEFORE_UNLOCK);
	if (death == STOPPED)
		raise(SIGSTOP);
	return __real_pthread_mutex_unlock(lock);
}

void __wrap_park_wake(const struct park *park, bool is_shared)
{
	die_if(BEFORE_WAKE);
	wakes++;
	__real_park_wake(park, is_shared);
}

int __wrap_park_sleep(const struct park *park, uint32_t ticket,
		      int64_t deadline, bool is_shared)
{
	int rc;

	die_if(ON_THE_WAY);
	slept_until = deadline;
	if (announced)
		atomic_fetch_add(&announced[death], 1);
	rc = __real_park_sleep(park, ticket, deadline, is_shared);
	/* Not for having slept long enough. */
	if (rc == 0)
		die_if(WHEN_WOKEN);
	return rc;
}

static inline pid_t start_to_die(struct bounded *buffer, int (*body)(void *),
				 enum point where)
{
	pid_t pid;

	death = where;
	pid = fixture_start(body, buffer);
	death = NOWHERE;
	return pid;
}

#endif
