/* kill -9 between any two steps of p10-sempool: no connection is lost, and none
 * is lent twice. Deaths at random are in kill_test.c. */
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "p10-sempool/memory.h"
#include "tests/p10/fixture.h"

/* ---- where to die ---- */

enum moment {
	NEVER,
	BEFORE_STUB_IS_WRITTEN,
	BEFORE_ROOM_IS_MADE,
	BEFORE_SEMAPHORE_IS_MADE,
	WITH_A_UNIT,         /* and without a slot */
	WITH_A_SLOT,         /* that is taken, and nothing else is done */
	WITHOUT_A_SLOT,      /* that is free again, and not counted */
	BEFORE_UNIT_IS_BACK, /* but counted */
	AFTER_UNIT_IS_BACK,
	BEFORE_NAME_IS_GONE,
};

static enum moment death;

static void die_at(enum moment now)
{
	if (now == death)
		raise(SIGKILL);
}

ssize_t __real_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_pwrite(int fd, const void *data, size_t len, off_t at)
{
	die_at(BEFORE_STUB_IS_WRITTEN);
	return __real_pwrite(fd, data, len, at);
}

int __real_posix_fallocate(int fd, off_t at, off_t len);
int __wrap_posix_fallocate(int fd, off_t at, off_t len);
int __wrap_posix_fallocate(int fd, off_t at, off_t len)
{
	die_at(BEFORE_ROOM_IS_MADE);
	return __real_posix_fallocate(fd, at, len);
}

int __real_sem_init(sem_t *sem, int shared, unsigned int value);
int __wrap_sem_init(sem_t *sem, int shared, unsigned int value);
int __wrap_sem_init(sem_t *sem, int shared, unsigned int value)
{
	die_at(BEFORE_SEMAPHORE_IS_MADE);
	return __real_sem_init(sem, shared, value);
}

int __real_sem_trywait(sem_t *sem);
int __wrap_sem_trywait(sem_t *sem);
int __wrap_sem_trywait(sem_t *sem)
{
	int rc = __real_sem_trywait(sem);

	if (rc == 0)
		die_at(WITH_A_UNIT);
	return rc;
}

int __real_sem_clockwait(sem_t *sem, clockid_t clock,
			 const struct timespec *until);
int __wrap_sem_clockwait(sem_t *sem, clockid_t clock,
			 const struct timespec *until);
int __wrap_sem_clockwait(sem_t *sem, clockid_t clock,
			 const struct timespec *until)
{
	int rc = __real_sem_clockwait(sem, clock, until);

	if (rc == 0)
		die_at(WITH_A_UNIT);
	return rc;
}

int __real_sem_post(sem_t *sem);
int __wrap_sem_post(sem_t *sem);
int __wrap_sem_post(sem_t *sem)
{
	int rc;

	die_at(BEFORE_UNIT_IS_BACK);
	rc = __real_sem_post(sem);
	die_at(AFTER_UNIT_IS_BACK);
	return rc;
}

int __real_entry_take(struct entry *entries, unsigned int n, unsigned int first,
		      uint64_t owner, uint64_t *word);
int __wrap_entry_take(struct entry *entries, unsigned int n, unsigned int first,
		      uint64_t owner, uint64_t *word);
int __wrap_entry_take(struct entry *entries, unsigned int n, unsigned int first,
		      uint64_t owner, uint64_t *word)
{
	int i = __real_entry_take(entries, n, first, owner, word);

	if (i >= 0)
		die_at(WITH_A_SLOT);
	return i;
}

bool __real_entry_release(struct entry *entry, uint64_t word);
bool __wrap_entry_release(struct entry *entry, uint64_t word);
bool __wrap_entry_release(struct entry *entry, uint64_t word)
{
	bool was_ours = __real_entry_release(entry, word);

	if (was_ours)
		die_at(WITHOUT_A_SLOT);
	return was_ours;
}

int __real_shm_unlink(const char *name);
int __wrap_shm_unlink(const char *name);
int __wrap_shm_unlink(const char *name)
{
	die_at(BEFORE_NAME_IS_GONE);
	return __real_shm_unlink(name);
}

struct dying {
	struct fixture *fixture;
	enum moment moment;
};

static void assert_dies(int (*body)(void *arg), struct fixture *fixture,
			enum moment moment)
{
	struct dying dying = {fixture, moment};

	assert_int_equal(support_child_status(body, &dying, 20000),
			 128 + SIGKILL);
}

/* ---- a worker, at every moment ---- */

static int take_and_give_back(void *arg)
{
	struct dying *dying = arg;
	struct sempool *pool = &dying->fixture->pool;
	struct sempool_lease lease;

	death = dying->moment;
	return sempool_acquire(pool, &lease) || sempool_release(pool, &lease);
}

static void worker_that_dies_between_two_steps_costs_nothing(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 3);
	for (enum moment moment = WITH_A_UNIT; moment <= AFTER_UNIT_IS_BACK;
	     moment++) {
		assert_dies(take_and_give_back, &fixture, moment);
		fixture_assert_whole(&fixture.pool);
	}
	/* Several of them, before anybody looks. */
	for (int i = 0; i < 3; i++)
		assert_dies(take_and_give_back, &fixture, WITH_A_UNIT);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static int wait_and_die(void *arg)
{
	struct dying *dying = arg;
	struct sempool_lease lease;

	death = dying->moment;
	return sempool_acquire_until(&dying->fixture->pool, &lease,
				     tick_after(CHILD_LIMIT))
		       ? 1
		       : 2;
}

static void waiter_that_dies_leaves_all_to_the_others(void **state)
{
	struct fixture fixture;
	struct sempool_lease lease;
	struct dying asleep = {&fixture, NEVER},
		     woken = {&fixture, WITH_A_UNIT};
	pid_t pid[2] = {0};

	(void)state;
	fixture_make(&fixture, 1);
	/* Asleep; then woken, with a unit that it takes with it. */
	assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
	assert_int_equal(child_fork(wait_and_die, &asleep, &pid[0]), 0);
	fixture_wait_for_waiter(&fixture);
	kill(pid[0], SIGKILL);
	assert_int_equal(fixture_reap(&fixture, pid[0]), 128 + SIGKILL);
	assert_int_equal(child_fork(wait_and_die, &woken, &pid[1]), 0);
	/* Noted as a waiter, or it would die of the unit that it finds. */
	fixture_wait_for_waiter(&fixture);
	assert_int_equal(sempool_release(&fixture.pool, &lease), 0);
	assert_int_equal(fixture_reap(&fixture, pid[1]), 128 + SIGKILL);
	assert_int_equal(
		sempool_acquire_until(&fixture.pool, &lease, tick_after(LIMIT)),
		0);
	assert_int_equal(sempool_release(&fixture.pool, &lease), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

/* ---- who reclaims ---- */

static int reclaim_and_die(void *arg)
{
	struct dying *dying = arg;
	int64_t give_up = tick_after(LIMIT);

	death = dying->moment;
	while (!tick_is_over(give_up))
		if (sempool_reclaim(&dying->fixture->pool))
			return 1;
	return 2;
}

static void reclaim_that_dies_is_gone_on_with(void **state)
{
	struct fixture fixture;
	struct sempool_state look;
	uint64_t reclaimed = 0;

	(void)state;
	fixture_make(&fixture, 1);
	for (enum moment moment = WITHOUT_A_SLOT; moment <= AFTER_UNIT_IS_BACK;
	     moment++) {
		pid_t pid = fixture_start_owner(&fixture);

		kill(pid, SIGKILL);
		assert_int_equal(fixture_reap(&fixture, pid), 128 + SIGKILL);
		assert_dies(reclaim_and_die, &fixture, moment);
		fixture_assert_whole(&fixture.pool);
		sempool_look(&fixture.pool, &look);
		assert_in_range(look.reclaimed, reclaimed, reclaimed + 1);
		reclaimed = look.reclaimed;
	}
	fixture_remove(&fixture);
}

/* ---- the manager ---- */

static int create_and_die(void *arg)
{
	struct dying *dying = arg;
	struct fixture *fixture = dying->fixture;
	bool is_taken_over;
	int rc;

	death = dying->moment;
	rc = sempool_create(&fixture->pool, fixture->name, 2, &is_taken_over);
	if (!rc && dying->moment == BEFORE_NAME_IS_GONE)
		rc = sempool_remove(&fixture->pool);
	if (!rc)
		raise(SIGKILL);
	return 1;
}

static void manager_that_dies_making_or_removing_it_is_replaced(void **state)
{
	static const enum moment moments[] = {
		BEFORE_STUB_IS_WRITTEN, BEFORE_ROOM_IS_MADE,
		BEFORE_SEMAPHORE_IS_MADE, BEFORE_NAME_IS_GONE};
	struct fixture fixture;
	struct sempool opened;

	(void)state;
	for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
		bool is_taken_over = true;

		fixture_begin(&fixture);
		assert_dies(create_and_die, &fixture, moments[i]);
		assert_int_equal(sempool_open(&opened, fixture.name,
					      tick_after(5 * TICK_MS)),
				 moments[i] == BEFORE_NAME_IS_GONE
					 ? -ENOENT
					 : -ETIMEDOUT);
		/* Of another size, as it never was one. */
		assert_int_equal(sempool_create(&fixture.pool, fixture.name, 3,
						&is_taken_over),
				 0);
		assert_false(is_taken_over);
		fixture_assert_whole(&fixture.pool);
		fixture_remove(&fixture);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			worker_that_dies_between_two_steps_costs_nothing),
		cmocka_unit_test(waiter_that_dies_leaves_all_to_the_others),
		cmocka_unit_test(reclaim_that_dies_is_gone_on_with),
		cmocka_unit_test(
			manager_that_dies_making_or_removing_it_is_replaced),
	};
	return SUPPORT_MAIN(tests);
}
