/* fixture.h - a pool for one test, and what a pool is to look like when
 * everybody has gone. */
#ifndef UNIXIPC_TESTS_P10_FIXTURE_H
#define UNIXIPC_TESTS_P10_FIXTURE_H

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/objname.h"
#include "lib/tick.h"
#include "p10-sempool/memory.h"
#include "p10-sempool/sempool.h"
#include "tests/support/leftover.h"
#include "tests/support/support.h"

/* Of every wait here. A child waits longer than its parent, which can tell who
 * waited for whom. */
#define LIMIT (20 * TICK_S)
#define CHILD_LIMIT (2 * LIMIT)

struct fixture {
	struct sempool pool;
	char name[64];
	struct leftover before;
	int fds;
};

static inline void fixture_begin(struct fixture *fixture)
{
	fixture->pool = (struct sempool){.role.fd = -1};
	fixture->before = leftover_count();
	fixture->fds = support_count_fds();
	assert_int_equal(
		objname_make(fixture->name, sizeof(fixture->name), "test"), 0);
}

/* Nothing is left, not even an open descriptor. */
static inline void fixture_end(const struct fixture *fixture)
{
	leftover_assert_same(&fixture->before);
	assert_int_equal(support_count_fds(), fixture->fds);
}

static inline void fixture_make(struct fixture *fixture, unsigned int slots)
{
	bool is_taken_over = true;

	fixture_begin(fixture);
	assert_int_equal(sempool_create(&fixture->pool, fixture->name, slots,
					&is_taken_over),
			 0);
	assert_false(is_taken_over);
}

static inline void fixture_remove(struct fixture *fixture)
{
	assert_int_equal(sempool_remove(&fixture->pool), 0);
	sempool_close(&fixture->pool);
	fixture_end(fixture);
}

/* For a wait that took too long: who holds and who waits. */
static inline void fixture_describe(const struct sempool *pool)
{
	struct sempool_owner owner;
	struct sempool_state state;

	if (!pool->memory)
		return;
	sempool_look(pool, &state);
	fprintf(stderr, "%u of %u slots free, %u units\n", state.free,
		state.slots, state.units);
	for (unsigned int i = 0; i < pool->slots + SEMPOOL_WAITERS; i++)
		if (sempool_look_at(pool, i, &owner))
			fprintf(stderr, "%s %u: process %d, %s, for %lld ms\n",
				i < pool->slots ? "slot" : "waiter", i,
				(int)owner.pid,
				owner.is_alive ? "alive" : "dead",
				(long long)((tick_now() - owner.since_ns) /
					    TICK_MS));
}

/* Somebody waits; not one who died while he did. */
static inline bool fixture_has_waiter(void *arg)
{
	const struct sempool *pool = arg;
	struct sempool_owner owner;

	for (unsigned int i = 0; i < SEMPOOL_WAITERS; i++)
		if (sempool_look_at(pool, pool->slots + i, &owner) &&
		    owner.is_alive)
			return true;
	return false;
}

static inline void fixture_wait_for_waiter(struct fixture *fixture)
{
	if (support_wait_until(fixture_has_waiter, &fixture->pool,
			       LIMIT / TICK_MS))
		return;
	fixture_describe(&fixture->pool);
	fail_msg("nobody waits");
}

static inline bool fixture_has_none_free(void *arg)
{
	return sempool_count_free(arg) == 0;
}

static inline void fixture_wait_for_none_free(struct fixture *fixture)
{
	if (support_wait_until(fixture_has_none_free, &fixture->pool,
			       LIMIT / TICK_MS))
		return;
	fixture_describe(&fixture->pool);
	fail_msg("some slots stay free");
}

static inline int fixture_hold(void *arg)
{
	struct fixture *fixture = arg;
	struct sempool_lease lease;

	if (sempool_acquire(&fixture->pool, &lease))
		return 1;
	for (;;)
		pause();
}

/* A child that has the last free slot until it is killed. */
static inline pid_t fixture_start_owner(struct fixture *fixture)
{
	pid_t pid = 0;

	assert_int_equal(child_fork(fixture_hold, fixture, &pid), 0);
	fixture_wait_for_none_free(fixture);
	return pid;
}

/* A reclaim now, as if the last one were long ago. */
static inline int fixture_reclaim(struct sempool *pool)
{
	atomic_store(&pool->memory->last_reclaim_ns, 0);
	return sempool_reclaim(pool);
}

/* All slots are free, with a unit each, and nobody waits. */
static inline bool fixture_is_at_rest(const struct sempool *pool)
{
	struct sempool_state state;

	sempool_look(pool, &state);
	return state.free == state.slots && state.units == state.slots &&
	       state.waiters == 0;
}

/* When all others have ended: reclaims bring it to rest, and then exactly so
 * many can be taken as there are slots. */
static inline void fixture_assert_whole(struct sempool *pool)
{
	struct sempool_lease lease[SEMPOOL_MAX], more;

	/* Each looks at a part of the waiters. */
	for (int i = 0; i < 100 && !fixture_is_at_rest(pool); i++)
		assert_int_equal(fixture_reclaim(pool), 0);
	if (!fixture_is_at_rest(pool)) {
		fixture_describe(pool);
		fail_msg("the pool does not come to rest");
	}
	for (unsigned int i = 0; i < pool->slots; i++)
		assert_int_equal(sempool_try_acquire(pool, &lease[i]), 0);
	assert_int_equal(sempool_try_acquire(pool, &more), -EAGAIN);
	for (unsigned int i = 0; i < pool->slots; i++)
		assert_int_equal(sempool_release(pool, &lease[i]), 0);
	assert_true(fixture_is_at_rest(pool));
}

/* The exit code of a child of the test, which ends by itself or is to die. */
static inline int fixture_reap(const struct fixture *fixture, pid_t pid)
{
	int status = -1;

	if (child_wait(pid, tick_after(LIMIT), &status)) {
		fprintf(stderr, "process %d does not end\n", (int)pid);
		fixture_describe(&fixture->pool);
		child_end(pid, 0, &status);
		return -ETIMEDOUT;
	}
	return child_exit_code(status);
}

#endif
