/* Threads that share one handle, for the sanitizer: each slot guards a counter
 * that is no atomic. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "p10-sempool/sempool.h"
#include "tests/p10/fixture.h"

enum { THREADS = 4, SLOTS = 2, TIMES = 2000 };

struct field {
	struct sempool *pool;
	unsigned int used[SLOTS]; /* by who holds the slot */
	atomic_uint inside, most, failed;
};

static void note_inside(struct field *field)
{
	unsigned int now = atomic_fetch_add(&field->inside, 1) + 1;
	unsigned int most = atomic_load(&field->most);

	while (now > most &&
	       !atomic_compare_exchange_weak(&field->most, &most, now))
		;
}

static void *run(void *arg)
{
	struct field *field = arg;
	struct sempool_lease lease;

	for (int i = 0; i < TIMES; i++) {
		if (sempool_acquire_until(field->pool, &lease,
					  tick_after(LIMIT))) {
			fixture_describe(field->pool);
			atomic_fetch_add(&field->failed, 1);
			break;
		}
		note_inside(field);
		field->used[lease.slot]++;
		atomic_fetch_sub(&field->inside, 1);
		if (sempool_release(field->pool, &lease))
			atomic_fetch_add(&field->failed, 1);
	}
	return NULL;
}

static void each_slot_has_one_user_at_a_time(void **state)
{
	struct fixture fixture;
	struct field field = {.pool = &fixture.pool};
	pthread_t thread[THREADS];
	unsigned int used = 0;

	(void)state;
	fixture_make(&fixture, SLOTS);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, run, &field),
				 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(field.failed, 0);
	assert_in_range(field.most, 1, SLOTS);
	for (int i = 0; i < SLOTS; i++)
		used += field.used[i];
	assert_int_equal(used, THREADS * TIMES);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

struct copy {
	struct sempool *pool;
	struct sempool_lease lease;
	int result;
};

static void *release_copy(void *arg)
{
	struct copy *copy = arg;

	copy->result = sempool_release(copy->pool, &copy->lease);
	return NULL;
}

static void of_two_threads_that_release_the_same_one_succeeds(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, SLOTS);
	for (int i = 0; i < 200; i++) {
		struct sempool_lease lease;
		struct copy copy[2];
		pthread_t thread[2];

		assert_int_equal(sempool_acquire(&fixture.pool, &lease), 0);
		for (int t = 0; t < 2; t++) {
			copy[t] = (struct copy){&fixture.pool, lease, 0};
			assert_int_equal(pthread_create(&thread[t], NULL,
							release_copy, &copy[t]),
					 0);
		}
		for (int t = 0; t < 2; t++)
			pthread_join(thread[t], NULL);
		assert_int_equal(copy[0].result + copy[1].result, -EBADMSG);
		assert_int_equal(sempool_count_free(&fixture.pool), SLOTS);
	}
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_slot_has_one_user_at_a_time),
		cmocka_unit_test(
			of_two_threads_that_release_the_same_one_succeeds),
	};
	return SUPPORT_MAIN(tests);
}
