/* death_points.h - where a child is to die: the functions of bounded_lock.h
 * and lib/park.h are wrapped (--wrap), so that it can be in between. One
 * test program includes it once. */
#ifndef UNIXIPC_TESTS_P07_DEATH_POINTS_H
#define UNIXIPC_TESTS_P07_DEATH_POINTS_H

#include <signal.h>
#include <stdatomic.h>

#include "lib/park.h"
#include "p07-prodcons/bounded_lock.h"
#include "tests/p07/fixture.h"

/* Where the caller, a child, is to die. */
static enum point {
	NOWHERE,
	BEFORE_DROP, /* holding the lock, all done but for that */
	STOPPED,     /* there, but only stopped: it is for us to kill it */
	BEFORE_WAKE, /* without the lock, about to wake somebody */
	WHEN_WOKEN,  /* woken, and about to take the lock */
	ON_THE_WAY,  /* announced, without the lock, about to sleep */
	POINTS,
} death;

/* How often one that is to die there has announced that it will sleep; shared,
 * or NULL. */
static _Atomic int *announced;

/* How often this process has woken somebody. */
static int wakes;

/* Until when it slept last. */
static int64_t slept_until;

void __real_bounded_lock_drop(struct bounded_lock *lock);
void __wrap_bounded_lock_drop(struct bounded_lock *lock);
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

void __wrap_bounded_lock_drop(struct bounded_lock *lock)
{
	die_if(BEFORE_DROP);
	if (death == STOPPED)
		raise(SIGSTOP);
	__real_bounded_lock_drop(lock);
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
