/* What lies in the shared memory of a pool may be a lie: nothing crashes, no
 * more is lent than there is, and what cannot be prevented is told. */
#include <errno.h>
#include <limits.h>
#include <semaphore.h>
#include <string.h>
#include <unistd.h>

#include "lib/rng.h"
#include "p10-sempool/memory.h"
#include "tests/p10/fixture.h"

/* A word that no process is: of pid 1, but of another time. */
#define NOBODY (UINT64_C(0x3ffffffff) << 30 | 1 << 8 | 3)

static void units_too_many_lend_nothing_twice_and_go(void **state)
{
	struct sempool_lease lease[3], more;
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 3);
	for (int i = 0; i < 50; i++)
		sem_post(&fixture.pool.memory->units);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sempool_acquire(&fixture.pool, &lease[i]), 0);
	assert_int_equal(sempool_try_acquire(&fixture.pool, &more), -EAGAIN);
	assert_int_equal(sempool_acquire_until(&fixture.pool, &more,
					       tick_after(60 * TICK_MS)),
			 -ETIMEDOUT);
	for (int i = 0; i < 3; i++)
		assert_int_equal(sempool_release(&fixture.pool, &lease[i]), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void units_too_few_come_back(void **state)
{
	struct sempool_lease lease;
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 3);
	for (int i = 0; i < 3; i++)
		sem_trywait(&fixture.pool.memory->units);
	/* Who waits sees to it. */
	assert_int_equal(
		sempool_acquire_until(&fixture.pool, &lease, tick_after(LIMIT)),
		0);
	assert_int_equal(sempool_release(&fixture.pool, &lease), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void count_that_cannot_be_is_told(void **state)
{
	struct sempool_lease lease, more;
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 1);
	assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
	sem_init(&fixture.pool.memory->units, 1, SEM_VALUE_MAX);
	assert_int_equal(
		sempool_acquire_until(&fixture.pool, &more, tick_after(LIMIT)),
		-EBADMSG);
	/* Also without waiting, as soon as a reclaim is due. */
	atomic_store(&fixture.pool.memory->last_reclaim_ns, 0);
	assert_int_equal(sempool_try_acquire(&fixture.pool, &more), -EBADMSG);
	sem_init(&fixture.pool.memory->units, 1, SEM_VALUE_MAX);
	assert_int_equal(sempool_release(&fixture.pool, &lease), -EBADMSG);
	fixture_remove(&fixture);
}

static void owner_is_told_that_its_slot_was_given_away(void **state)
{
	struct sempool_lease lease, other;
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 1);
	assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
	/* As a scribbler leaves it: free, with the owner still there. */
	atomic_store(&fixture.pool.memory->entry[0].word, 0x01);
	assert_int_equal(
		sempool_acquire_until(&fixture.pool, &other, tick_after(LIMIT)),
		0);
	assert_int_equal(sempool_release(&fixture.pool, &lease), -EBADMSG);
	assert_int_equal(sempool_count_free(&fixture.pool), 0);
	assert_int_equal(sempool_release(&fixture.pool, &other), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void owners_that_are_nobody_are_cleared(void **state)
{
	static const uint64_t words[] = {NOBODY, UINT64_MAX, 1 << 8,
					 UINT64_C(1) << 30, 0xff};
	struct fixture fixture;
	struct sempool_memory *memory;

	(void)state;
	fixture_make(&fixture, 5);
	memory = fixture.pool.memory;
	for (int i = 0; i < 5; i++) {
		atomic_store(&memory->entry[i].word, words[i]);
		atomic_store(&memory->entry[i].since_ns, INT64_MIN + i);
		atomic_store(&memory->entry[5 + i].word, words[i]);
	}
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void lies_about_the_last_reclaim_do_not_stop_it(void **state)
{
	static const int64_t times[] = {INT64_MAX, INT64_MIN, -1, 1};
	struct fixture fixture;
	struct sempool_memory *memory;

	(void)state;
	fixture_make(&fixture, 3);
	memory = fixture.pool.memory;
	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
		atomic_store(&memory->entry[1].word, NOBODY);
		sem_trywait(&memory->units);
		atomic_store(&memory->next_slot, UINT32_MAX);
		atomic_store(&memory->next_waiter, UINT32_MAX - 7);
		atomic_store(&memory->shortfall, UINT32_MAX);
		atomic_store(&memory->last_reclaim_ns, times[i]);
		assert_int_equal(sempool_reclaim(&fixture.pool), 0);
		assert_int_equal(sempool_count_free(&fixture.pool), 3);
		fixture_assert_whole(&fixture.pool);
	}
	fixture_remove(&fixture);
}

static void one_waits_without_an_entry_when_all_are_taken(void **state)
{
	struct sempool_lease lease, late;
	struct fixture fixture;
	struct sempool_memory *memory;

	(void)state;
	fixture_make(&fixture, 1);
	memory = fixture.pool.memory;
	assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
	for (int i = 0; i < SEMPOOL_WAITERS; i++)
		atomic_store(&memory->entry[1 + i].word, NOBODY);
	assert_int_equal(sempool_acquire_until(&fixture.pool, &late,
					       tick_after(TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(sempool_release(&fixture.pool, &lease), 0);
	/* And they are cleared, sixteen at a time. */
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

/* Anywhere behind the head, but for the insides of the semaphore beside its
 * count, with which the C library does what it likes. */
static void scribble(struct sempool *pool, struct rng *rng)
{
	struct sempool_memory *memory = pool->memory;
	unsigned char *bytes = (unsigned char *)memory;
	size_t first = offsetof(struct sempool_memory, last_reclaim_ns);
	size_t units = offsetof(struct sempool_memory, units);

	for (int i = 0; i < 200; i++) {
		size_t at = first + (size_t)rng_below(rng, 4096 - first);

		if (at < units + 2 || at >= units + sizeof(sem_t))
			bytes[at] = (unsigned char)rng_next(rng);
	}
}

static void random_bytes_crash_nothing_and_lend_no_more(void **state)
{
	int rounds = support_is_stress() ? 20000 : 300;
	struct fixture fixture;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 5);
	fixture_make(&fixture, 4);
	for (int round = 0; round < rounds; round++) {
		struct sempool_lease lease[5] = {0};
		struct sempool_state look;
		struct sempool_owner owner;
		unsigned int lent = 0;

		scribble(&fixture.pool, &rng);
		atomic_store(&fixture.pool.memory->last_reclaim_ns, 0);
		sempool_reclaim(&fixture.pool);
		for (int i = 0; i < 5; i++)
			lent += sempool_try_acquire(&fixture.pool, &lease[i]) ==
				0;
		assert_in_range(lent, 0, 4);
		sempool_look(&fixture.pool, &look);
		for (unsigned int i = 0; i < 20; i++)
			if (sempool_look_at(&fixture.pool, i, &owner))
				assert_in_range(owner.since_ns, 1, tick_now());
		for (int i = 0; i < 5; i++)
			if (lease[i].word)
				assert_int_equal(sempool_release(&fixture.pool,
								 &lease[i]),
						 0);
	}
	/* All of it heals, but a count beyond belief. */
	sem_init(&fixture.pool.memory->units, 1, 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(units_too_many_lend_nothing_twice_and_go),
		cmocka_unit_test(units_too_few_come_back),
		cmocka_unit_test(count_that_cannot_be_is_told),
		cmocka_unit_test(owner_is_told_that_its_slot_was_given_away),
		cmocka_unit_test(owners_that_are_nobody_are_cleared),
		cmocka_unit_test(lies_about_the_last_reclaim_do_not_stop_it),
		cmocka_unit_test(one_waits_without_an_entry_when_all_are_taken),
		cmocka_unit_test(random_bytes_crash_nothing_and_lend_no_more),
	};
	return SUPPORT_MAIN(tests);
}
