/* A program whose readers must overlap, with the policy that it needs: two meet
 * inside while a writer waits. */
#define PTHREAD_SHIM_POLICY MYRWLOCK_READER
#include "p08-rwlock/pthread_shim.h"

#include <errno.h>
#include <stdatomic.h>

#include "lib/tick.h"
#include "tests/support/support.h"

enum { MS = 30000 };

static pthread_rwlock_t at_once = PTHREAD_RWLOCK_INITIALIZER;

struct meeting {
	pthread_rwlock_t *lock;
	atomic_int inside;
};

static bool are_two_inside(void *arg)
{
	return atomic_load(&((struct meeting *)arg)->inside) >= 2;
}

static void *meet_another_reader(void *arg)
{
	struct meeting *meeting = arg;
	int rc = pthread_rwlock_rdlock(meeting->lock);

	atomic_fetch_add(&meeting->inside, 1);
	if (!rc && !support_wait_until(are_two_inside, meeting, MS))
		rc = ETIMEDOUT;
	if (!rc)
		rc = pthread_rwlock_unlock(meeting->lock);
	return (void *)(intptr_t)rc;
}

static void *write_once(void *arg)
{
	struct meeting *meeting = arg;
	int rc = pthread_rwlock_wrlock(meeting->lock);

	if (!rc)
		rc = pthread_rwlock_unlock(meeting->lock);
	return (void *)(intptr_t)rc;
}

static bool is_inside(void *arg)
{
	return atomic_load(&((struct meeting *)arg)->inside) == 1;
}

static bool is_writer_due(void *arg)
{
	const struct meeting *meeting = arg;

	return __atomic_load_n(&meeting->lock->writing[0].is_expired,
			       __ATOMIC_RELAXED) ||
	       __atomic_load_n(&meeting->lock->writing[1].is_expired,
			       __ATOMIC_RELAXED);
}

static void readers_meet_past_a_writer_that_waits(void **state)
{
	pthread_rwlock_t made;
	struct meeting meetings[] = {{.lock = &at_once}, {.lock = &made}};

	(void)state;
	assert_int_equal(pthread_rwlock_init(&made, NULL), 0);
	for (int i = 0; i < 2; i++) {
		struct meeting *meeting = &meetings[i];
		pthread_t threads[3];
		void *rc;

		assert_int_equal(pthread_create(&threads[0], NULL,
						meet_another_reader, meeting),
				 0);
		assert_true(support_wait_until(is_inside, meeting, MS));
		assert_int_equal(
			pthread_create(&threads[1], NULL, write_once, meeting),
			0);
		assert_true(support_wait_until(is_writer_due, meeting, MS));
		assert_int_equal(pthread_create(&threads[2], NULL,
						meet_another_reader, meeting),
				 0);
		for (int k = 0; k < 3; k++) {
			pthread_join(threads[k], &rc);
			assert_null(rc);
		}
		assert_int_equal(pthread_rwlock_destroy(meeting->lock), 0);
	}
}

static void no_kind_is_that_of_readers_and_the_others_are_as_ever(void **state)
{
	pthread_rwlockattr_t attr;
	pthread_rwlock_t lock = {0};

	(void)state;
	assert_int_equal(pthread_rwlockattr_init(&attr), 0);
	assert_int_equal(pthread_rwlock_init(&lock, &attr), 0);
	assert_int_equal(lock.policy, MYRWLOCK_READER);
	assert_int_equal(pthread_rwlock_destroy(&lock), 0);
	assert_int_equal(pthread_rwlockattr_setkind_np(
				 &attr, PTHREAD_RWLOCK_PREFER_WRITER_NP),
			 0);
	assert_int_equal(pthread_rwlock_init(&lock, &attr), 0);
	assert_int_equal(lock.policy, MYRWLOCK_WRITER);
	assert_int_equal(pthread_rwlock_destroy(&lock), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(readers_meet_past_a_writer_that_waits),
		cmocka_unit_test(
			no_kind_is_that_of_readers_and_the_others_are_as_ever),
	};
	return SUPPORT_MAIN(tests);
}
