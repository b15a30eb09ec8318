/* The contract of p10-sempool/sempool.h while nobody is killed; deaths are in
 * crash_test.c, lies in damage_test.c. */
#include "p10-sempool/sempool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

#include "p10-sempool/memory.h"
#include "tests/p10/fixture.h"
#include "tests/support/interrupt.h"

/* ---- take and give back ---- */

static void as_many_as_slots_are_lent_and_not_one_more(void **state)
{
	struct sempool_lease lease[3], more;
	struct fixture fixture;
	struct sempool_state look;

	(void)state;
	fixture_make(&fixture, 3);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(sempool_count_free(&fixture.pool), 3 - i);
		assert_int_equal(sempool_acquire(&fixture.pool, &lease[i]), 0);
	}
	assert_int_not_equal(lease[0].slot, lease[1].slot);
	assert_int_not_equal(lease[1].slot, lease[2].slot);
	assert_int_not_equal(lease[0].slot, lease[2].slot);
	assert_int_equal(sempool_try_acquire(&fixture.pool, &more), -EAGAIN);
	assert_int_equal(sempool_release(&fixture.pool, &lease[1]), 0);
	assert_int_equal(sempool_try_acquire(&fixture.pool, &more), 0);
	assert_int_equal(more.slot, 1);
	sempool_look(&fixture.pool, &look);
	assert_int_equal(look.free, 0);
	assert_int_equal(look.units, 0);
	assert_int_equal(look.lent, 4);
	assert_int_equal(look.reclaimed, 0);
	assert_int_equal(look.manager, getpid());
	assert_int_equal(sempool_release(&fixture.pool, &lease[0]), 0);
	assert_int_equal(sempool_release(&fixture.pool, &lease[2]), 0);
	assert_int_equal(sempool_release(&fixture.pool, &more), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void releasing_twice_gives_back_once(void **state)
{
	struct sempool_lease lease, copy, next, none = {0};
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 2);
	assert_int_equal(sempool_release(&fixture.pool, &none), -EINVAL);
	assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
	copy = lease;
	assert_int_equal(sempool_release(&fixture.pool, &lease), 0);
	assert_int_equal(sempool_release(&fixture.pool, &lease), -EINVAL);
	/* A copy does not give away what the same process took since. */
	assert_int_equal(sempool_acquire(&fixture.pool, &next), 0);
	assert_int_equal(next.slot, copy.slot);
	assert_int_equal(sempool_release(&fixture.pool, &copy), -EBADMSG);
	assert_int_equal(sempool_count_free(&fixture.pool), 1);
	next.slot += 2;
	assert_int_equal(sempool_release(&fixture.pool, &next), -EINVAL);
	next.slot -= 2;
	assert_int_equal(sempool_release(&fixture.pool, &next), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

struct handed_down {
	struct sempool *pool;
	struct sempool_lease *lease;
};

static int use_after_fork(void *arg)
{
	struct handed_down *down = arg;
	struct sempool_lease own;
	struct sempool_owner owner;

	if (sempool_release(down->pool, down->lease) != -EPERM)
		return 1;
	if (sempool_acquire(down->pool, &own))
		return 2;
	if (!sempool_look_at(down->pool, own.slot, &owner) ||
	    owner.pid != getpid())
		return 3;
	return sempool_release(down->pool, &own) ? 4 : 0;
}

static void child_after_fork_is_an_owner_of_its_own(void **state)
{
	struct sempool_lease lease;
	struct fixture fixture;
	struct handed_down down = {&fixture.pool, &lease};
	struct sempool_owner owner;

	(void)state;
	fixture_make(&fixture, 2);
	assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
	assert_int_equal(support_child_status(use_after_fork, &down, 10000), 0);
	assert_true(sempool_look_at(&fixture.pool, lease.slot, &owner));
	assert_int_equal(owner.pid, getpid());
	assert_true(owner.is_alive);
	assert_int_equal(sempool_release(&fixture.pool, &lease), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

/* ---- waiting ---- */

struct waiter {
	struct sempool *pool;
	int64_t timeout_ns;
	int expected;
};

static int wait_for_it(void *arg)
{
	const struct waiter *waiter = arg;
	struct sempool_lease lease;
	int rc = sempool_acquire_until(waiter->pool, &lease,
				       tick_after(waiter->timeout_ns));

	if (rc != waiter->expected)
		return 1;
	return rc == 0 && sempool_release(waiter->pool, &lease) ? 2 : 0;
}

static void waiter_gets_what_is_released(void **state)
{
	struct fixture fixture;
	struct waiter waiter = {&fixture.pool, CHILD_LIMIT, 0};
	struct sempool_lease lease;
	pid_t pid = 0;

	(void)state;
	fixture_make(&fixture, 1);
	assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
	assert_int_equal(child_fork(wait_for_it, &waiter, &pid), 0);
	fixture_wait_for_waiter(&fixture);
	assert_int_equal(sempool_release(&fixture.pool, &lease), 0);
	assert_int_equal(fixture_reap(&fixture, pid), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void nothing_comes_until_the_deadline(void **state)
{
	static const int64_t timeouts[] = {0, 5 * TICK_MS, 120 * TICK_MS};
	struct sempool_lease lease, late;
	struct fixture fixture;
	struct sempool_state look;

	(void)state;
	fixture_make(&fixture, 1);
	assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
	for (size_t i = 0; i < sizeof(timeouts) / sizeof(timeouts[0]); i++) {
		int64_t deadline = tick_after(timeouts[i]);

		assert_int_equal(
			sempool_acquire_until(&fixture.pool, &late, deadline),
			-ETIMEDOUT);
		assert_true(tick_is_over(deadline));
		assert_int_equal(sempool_release(&fixture.pool, &late),
				 -EINVAL);
	}
	sempool_look(&fixture.pool, &look);
	assert_int_equal(look.waiters, 0);
	/* One attempt is made, however late it is. */
	assert_int_equal(sempool_release(&fixture.pool, &lease), 0);
	assert_int_equal(sempool_acquire_until(&fixture.pool, &lease, 1), 0);
	assert_int_equal(sempool_release(&fixture.pool, &lease), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static int is_stopped_at_once(void)
{
	return SIGTERM;
}

static void handlers_and_stops_end_the_wait(void **state)
{
	struct sempool_lease lease, late;
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 1);
	assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
	interrupt_start();
	assert_int_equal(sempool_acquire(&fixture.pool, &late), -EINTR);
	interrupt_stop();
	fixture.pool.is_stopped = is_stopped_at_once;
	assert_int_equal(sempool_acquire(&fixture.pool, &late), -EINTR);
	assert_int_equal(sempool_release(&fixture.pool, &lease), 0);
	/* There is one: nobody waits, and nobody is asked. */
	assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
	assert_int_equal(sempool_release(&fixture.pool, &lease), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void removal_ends_all_waits_and_harms_no_owner(void **state)
{
	struct fixture fixture;
	struct sempool_lease lease;
	struct waiter waiter = {&fixture.pool, -1, -EIDRM};
	pid_t pid[3] = {0};

	(void)state;
	fixture_make(&fixture, 1);
	assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(child_fork(wait_for_it, &waiter, &pid[i]), 0);
	fixture_wait_for_waiter(&fixture);
	assert_int_equal(sempool_check(&fixture.pool), 0);
	assert_int_equal(sempool_remove(&fixture.pool), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fixture_reap(&fixture, pid[i]), 0);
	assert_int_equal(sempool_check(&fixture.pool), -EIDRM);
	assert_int_equal(sempool_release(&fixture.pool, &lease), 0);
	assert_int_equal(sempool_try_acquire(&fixture.pool, &lease), -EIDRM);
	sempool_close(&fixture.pool);
	fixture_end(&fixture);
}

static void name_that_somebody_else_removes_ends_the_wait(void **state)
{
	struct fixture fixture;
	struct sempool_lease lease;
	struct waiter waiter = {&fixture.pool, -1, -EIDRM};
	pid_t pid = 0;

	(void)state;
	fixture_make(&fixture, 1);
	assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
	assert_int_equal(child_fork(wait_for_it, &waiter, &pid), 0);
	fixture_wait_for_waiter(&fixture);
	assert_int_equal(shm_unlink(fixture.name), 0);
	assert_int_equal(fixture_reap(&fixture, pid), 0);
	assert_int_equal(sempool_check(&fixture.pool), -EIDRM);
	assert_int_equal(sempool_remove(&fixture.pool), 0);
	sempool_close(&fixture.pool);
	fixture_end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_many_as_slots_are_lent_and_not_one_more),
		cmocka_unit_test(releasing_twice_gives_back_once),
		cmocka_unit_test(child_after_fork_is_an_owner_of_its_own),
		cmocka_unit_test(waiter_gets_what_is_released),
		cmocka_unit_test(nothing_comes_until_the_deadline),
		cmocka_unit_test(handlers_and_stops_end_the_wait),
		cmocka_unit_test(removal_ends_all_waits_and_harms_no_owner),
		cmocka_unit_test(name_that_somebody_else_removes_ends_the_wait),
	};
	return SUPPORT_MAIN(tests);
}
