/* What somebody who waits asks the kernel for, and what he finds when others act
 * between two steps of his. */
#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>

#include "lib/park.h"
#include "p10-sempool/memory.h"
#include "tests/p10/fixture.h"

/* ---- what he asks for: --wrap=sem_clockwait, --wrap=park_word_sleep ---- */

struct sleeping {
	int64_t latest; /* of the moments until which he slept */
	int times, result;
	struct sempool *removed; /* as soon as he sleeps */
};

static struct sleeping for_unit, for_grant;

static void begin_sleep(struct sleeping *sleeping, int64_t until)
{
	sleeping->times++;
	if (until > sleeping->latest)
		sleeping->latest = until;
	if (sleeping->removed)
		sempool_remove(sleeping->removed);
	sleeping->removed = NULL;
}

int __real_sem_clockwait(sem_t *sem, clockid_t clock,
			 const struct timespec *until);
int __wrap_sem_clockwait(sem_t *sem, clockid_t clock,
			 const struct timespec *until);
int __wrap_sem_clockwait(sem_t *sem, clockid_t clock,
			 const struct timespec *until)
{
	begin_sleep(&for_unit, tick_from_timespec(*until));
	for_unit.result = __real_sem_clockwait(sem, clock, until) ? -errno : 0;
	errno = -for_unit.result;
	return for_unit.result ? -1 : 0;
}

int __real_park_word_sleep(const uint32_t *word, uint32_t value,
			   int64_t deadline, bool is_shared);
int __wrap_park_word_sleep(const uint32_t *word, uint32_t value,
			   int64_t deadline, bool is_shared);
int __wrap_park_word_sleep(const uint32_t *word, uint32_t value,
			   int64_t deadline, bool is_shared)
{
	begin_sleep(&for_grant, deadline);
	for_grant.result =
		__real_park_word_sleep(word, value, deadline, is_shared);
	return for_grant.result;
}

/* A pool of one slot, which this process holds. */
static void make_taken(struct fixture *fixture, struct sempool_lease *lease)
{
	for_unit = for_grant = (struct sleeping){0};
	fixture_make(fixture, 1);
	assert_int_equal(sempool_acquire(&fixture->pool, lease), 0);
}

static void give_back_and_remove(struct fixture *fixture,
				 struct sempool_lease *lease)
{
	assert_int_equal(sempool_release(&fixture->pool, lease), 0);
	fixture_assert_whole(&fixture->pool);
	fixture_remove(fixture);
}

static void nobody_sleeps_beyond_the_deadline(void **state)
{
	struct sempool_lease lease, late;
	struct fixture fixture;
	int64_t deadline = tick_after(5 * TICK_MS);

	(void)state;
	make_taken(&fixture, &lease);
	assert_int_equal(sempool_acquire_until(&fixture.pool, &late, deadline),
			 -ETIMEDOUT);
	assert_true(for_unit.latest <= deadline);
	/* Asking for a grant, which he does from 50 ms on. */
	for (int i = 0; i < 20 && !for_grant.times; i++) {
		deadline = tick_after(80 * TICK_MS);
		assert_int_equal(
			sempool_acquire_until(&fixture.pool, &late, deadline),
			-ETIMEDOUT);
		assert_true(for_grant.latest <= deadline);
	}
	assert_true(for_grant.times > 0);
	give_back_and_remove(&fixture, &lease);
}

/* ---- its entry ---- */

static struct entry *waiters_of(const struct sempool *pool)
{
	return pool->memory->entry + pool->slots;
}

static void waiter_without_an_entry_waits_for_units_alone(void **state)
{
	struct sempool_lease lease, late;
	struct fixture fixture;
	struct entry *waiters;

	(void)state;
	make_taken(&fixture, &lease);
	waiters = waiters_of(&fixture.pool);
	for (int i = 0; i < SEMPOOL_WAITERS; i++)
		atomic_store(&waiters[i].word, *fixture.pool.self | 5);
	assert_int_equal(sempool_acquire_until(&fixture.pool, &late,
					       tick_after(70 * TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(for_grant.times, 0);
	for (int i = 0; i < SEMPOOL_WAITERS; i++)
		atomic_store(&waiters[i].word, 0);
	give_back_and_remove(&fixture, &lease);
}

/* Asked by a waiter between two naps. */
static struct {
	struct sempool *pool;
	struct sempool_lease *lease; /* NULL: none is given back */
	int asked, asks_at_first;
	pid_t granted;
} between;

static int count_who_asks(const struct sempool *pool, bool of_nobody)
{
	const struct entry *waiters = waiters_of(pool);
	int n = 0;

	for (int i = 0; i < SEMPOOL_WAITERS; i++)
		if (of_nobody || entry_owner(waiters[i].word))
			n += waiters[i].asks_since_ns != 0;
	return n;
}

static int look_and_stop(void)
{
	between.asked++;
	between.asks_at_first = count_who_asks(between.pool, false);
	return SIGTERM;
}

static void entry_of_one_who_died_asking_does_not_ask_again(void **state)
{
	struct sempool_lease lease, late;
	struct fixture fixture;

	(void)state;
	make_taken(&fixture, &lease);
	for (int i = 0; i < SEMPOOL_WAITERS; i++)
		waiters_of(&fixture.pool)[i].asks_since_ns = 1;
	memset(&between, 0, sizeof(between));
	between.pool = &fixture.pool;
	fixture.pool.is_stopped = look_and_stop;
	assert_int_equal(sempool_acquire(&fixture.pool, &late), -EINTR);
	assert_int_equal(between.asked, 1);
	assert_int_equal(between.asks_at_first, 0);
	give_back_and_remove(&fixture, &lease);
}

static void who_has_left_does_not_ask(void **state)
{
	struct sempool_lease lease, late;
	struct fixture fixture;

	(void)state;
	make_taken(&fixture, &lease);
	for (int i = 0; i < 20 && !for_grant.times; i++)
		assert_int_equal(
			sempool_acquire_until(&fixture.pool, &late,
					      tick_after(60 * TICK_MS)),
			-ETIMEDOUT);
	assert_true(for_grant.times > 0);
	assert_int_equal(count_who_asks(&fixture.pool, true), 0);
	give_back_and_remove(&fixture, &lease);
}

/* ---- what others do meanwhile ---- */

static int give_back_and_stop(void)
{
	struct sempool_owner owner = {0};

	if (!count_who_asks(between.pool, false))
		return 0;
	sempool_release(between.pool, between.lease);
	if (sempool_look_at(between.pool, 0, &owner))
		between.granted = owner.pid;
	return SIGTERM;
}

static void slot_that_is_granted_to_one_who_gives_up_is_his(void **state)
{
	struct sempool_lease lease, late = {0};
	struct sempool_state look;
	struct fixture fixture;

	(void)state;
	make_taken(&fixture, &lease);
	memset(&between, 0, sizeof(between));
	between.pool = &fixture.pool;
	between.lease = &lease;
	fixture.pool.is_stopped = give_back_and_stop;
	assert_int_equal(sempool_acquire(&fixture.pool, &late), 0);
	/* It looked as if he had it already. */
	assert_int_equal(between.granted, getpid());
	/* And both are counted. */
	sempool_look(&fixture.pool, &look);
	assert_int_equal(look.lent, 2);
	give_back_and_remove(&fixture, &late);
}

static void removal_wakes_who_sleeps_and_lends_nothing(void **state)
{
	struct sempool_lease lease, late;
	struct fixture fixture;

	(void)state;
	/* Asleep beside a slot that is free, and whose unit is lost. */
	make_taken(&fixture, &lease);
	assert_int_equal(sempool_release(&fixture.pool, &lease), 0);
	assert_int_equal(sem_trywait(&fixture.pool.memory->units), 0);
	for_unit.removed = &fixture.pool;
	assert_int_equal(sempool_acquire(&fixture.pool, &late), -EIDRM);
	assert_int_equal(for_unit.result, 0);
	assert_int_equal(sempool_count_free(&fixture.pool), 1);
	sempool_close(&fixture.pool);
	fixture_end(&fixture);
	/* And when he asks for a grant. */
	make_taken(&fixture, &lease);
	for_grant.removed = &fixture.pool;
	assert_int_equal(sempool_acquire(&fixture.pool, &late), -EIDRM);
	assert_int_equal(for_grant.times, 1);
	assert_int_equal(for_grant.result, 0);
	sempool_close(&fixture.pool);
	fixture_end(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_sleeps_beyond_the_deadline),
		cmocka_unit_test(waiter_without_an_entry_waits_for_units_alone),
		cmocka_unit_test(
			entry_of_one_who_died_asking_does_not_ask_again),
		cmocka_unit_test(who_has_left_does_not_ask),
		cmocka_unit_test(
			slot_that_is_granted_to_one_who_gives_up_is_his),
		cmocka_unit_test(removal_wakes_who_sleeps_and_lends_nothing),
	};
	return SUPPORT_MAIN(tests);
}
