/* How a reclaim goes about it: how often, how far, and what it leaves alone when it
 * cannot be sure. */
#include <errno.h>
#include <semaphore.h>

#include "p10-sempool/memory.h"
#include "tests/p10/fixture.h"

/* A word that no process is: of pid 1, but of another time. */
#define NOBODY (UINT64_C(0x3ffffffff) << 30 | 1 << 8 | 3)

/* --wrap=sem_getvalue: somebody gives this back just before it. */
static struct fixture *giver;
static struct sempool_lease given;

int __real_sem_getvalue(sem_t *sem, int *value);
int __wrap_sem_getvalue(sem_t *sem, int *value);
int __wrap_sem_getvalue(sem_t *sem, int *value)
{
	struct fixture *fixture = giver;

	giver = NULL;
	if (fixture)
		sempool_release(&fixture->pool, &given);
	return __real_sem_getvalue(sem, value);
}

static unsigned int count_units(const struct sempool *pool)
{
	int units = -1;

	__real_sem_getvalue(&pool->memory->units, &units);
	return (unsigned int)units;
}

static void second_reclaim_at_once_does_nothing(void **state)
{
	int64_t now = 0;
	struct fixture fixture;
	struct entry *slot;

	(void)state;
	fixture_make(&fixture, 1);
	slot = fixture.pool.memory->entry;
	/* Until the second one comes in time, on a machine that is busy. */
	do {
		atomic_store(&slot->word, NOBODY);
		now = tick_now();
		atomic_store(&fixture.pool.memory->last_reclaim_ns, now);
		assert_int_equal(sempool_reclaim(&fixture.pool), 0);
	} while (tick_now() - now >= SEMPOOL_RECLAIM_NS);
	assert_true(atomic_load(&slot->word) == NOBODY);
	assert_true(fixture.pool.memory->last_reclaim_ns == now);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void dead_behind_many_living_are_found(void **state)
{
	enum { MANY = 300 };
	static struct sempool_lease lease[MANY];
	struct fixture fixture;
	struct entry *last;

	(void)state;
	fixture_make(&fixture, MANY);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(sempool_acquire(&fixture.pool, &lease[i]), 0);
	last = &fixture.pool.memory->entry[MANY - 1];
	atomic_store(&last->word, NOBODY);
	/* 128 of them at a time. */
	for (int i = 0; i < 3; i++)
		assert_int_equal(fixture_reclaim(&fixture.pool), 0);
	assert_int_equal(sempool_count_free(&fixture.pool), 1);
	for (int i = 0; i < MANY; i++)
		assert_int_equal(sempool_release(&fixture.pool, &lease[i]),
				 lease[i].slot == MANY - 1 ? -EBADMSG : 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

/* To who is between two steps it looks so for a moment. */
static void unit_is_put_back_when_it_is_missing_twice(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 2);
	assert_int_equal(sem_trywait(&fixture.pool.memory->units), 0);
	assert_int_equal(fixture_reclaim(&fixture.pool), 0);
	assert_int_equal(count_units(&fixture.pool), 1);
	assert_int_equal(fixture_reclaim(&fixture.pool), 0);
	assert_int_equal(count_units(&fixture.pool), 2);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void unit_that_comes_between_two_counts_stays(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 1);
	assert_int_equal(sempool_acquire(&fixture.pool, &given), 0);
	giver = &fixture;
	assert_int_equal(fixture_reclaim(&fixture.pool), 0);
	assert_null(giver);
	assert_int_equal(count_units(&fixture.pool), 1);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(second_reclaim_at_once_does_nothing),
		cmocka_unit_test(dead_behind_many_living_are_found),
		cmocka_unit_test(unit_is_put_back_when_it_is_missing_twice),
		cmocka_unit_test(unit_that_comes_between_two_counts_stays),
	};
	return SUPPORT_MAIN(tests);
}
