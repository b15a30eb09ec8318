/* A program for pthread_rwlock_* gets myrwlock: this file includes the shim as
 * such a program would, and then uses the names of POSIX alone. */
#include "p08-rwlock/pthread_shim.h"

#include <errno.h>
#include <pthread.h>

#include "lib/tick.h"
#include "tests/support/support.h"

static pthread_rwlock_t at_once = PTHREAD_RWLOCK_INITIALIZER;
static pthread_rwlock_t writers_first =
	PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

static void program_for_pthread_gets_ours(void **state)
{
	pthread_rwlock_t *locks[] = {&at_once, &writers_first};
	struct timespec past = {0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		pthread_rwlock_t *lock = locks[i];

		assert_int_equal(lock->magic, MYRWLOCK_MAGIC);
		assert_int_equal(pthread_rwlock_rdlock(lock), 0);
		assert_int_equal(pthread_rwlock_tryrdlock(lock), 0);
		assert_int_equal(pthread_rwlock_trywrlock(lock), EBUSY);
		assert_int_equal(pthread_rwlock_timedwrlock(lock, &past),
				 EDEADLK);
		assert_int_equal(pthread_rwlock_unlock(lock), 0);
		assert_int_equal(pthread_rwlock_unlock(lock), 0);
		assert_int_equal(pthread_rwlock_unlock(lock), EPERM);
		assert_int_equal(pthread_rwlock_timedrdlock(lock, &past), 0);
		assert_int_equal(pthread_rwlock_unlock(lock), 0);
		assert_int_equal(pthread_rwlock_clockrdlock(
					 lock, CLOCK_MONOTONIC, &past),
				 0);
		assert_int_equal(pthread_rwlock_unlock(lock), 0);
		assert_int_equal(pthread_rwlock_clockwrlock(
					 lock, CLOCK_MONOTONIC, &past),
				 0);
		assert_int_equal(pthread_rwlock_unlock(lock), 0);
		assert_int_equal(pthread_rwlock_wrlock(lock), 0);
		assert_int_equal(pthread_rwlock_unlock(lock), 0);
		assert_int_equal(pthread_rwlock_destroy(lock), 0);
	}
}

static void kind_of_pthread_is_the_policy(void **state)
{
	static const struct {
		int kind;
		enum myrwlock_policy policy;
	} cases[] = {
		{PTHREAD_RWLOCK_DEFAULT_NP, MYRWLOCK_FAIR},
		{PTHREAD_RWLOCK_PREFER_READER_NP, MYRWLOCK_READER},
		{PTHREAD_RWLOCK_PREFER_WRITER_NP, MYRWLOCK_WRITER},
		{PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP, MYRWLOCK_WRITER},
	};
	pthread_rwlockattr_t attr;
	pthread_rwlock_t lock = {0};
	int value;

	(void)state;
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_rwlockattr_init(&attr), 0);
		assert_int_equal(
			pthread_rwlockattr_setkind_np(&attr, cases[i].kind), 0);
		assert_int_equal(pthread_rwlockattr_getkind_np(&attr, &value),
				 0);
		assert_int_equal(value, cases[i].kind);
		assert_int_equal(pthread_rwlockattr_setpshared(
					 &attr, PTHREAD_PROCESS_SHARED),
				 0);
		assert_int_equal(pthread_rwlockattr_getpshared(&attr, &value),
				 0);
		assert_int_equal(value, PTHREAD_PROCESS_SHARED);
		assert_int_equal(pthread_rwlock_init(&lock, &attr), 0);
		assert_int_equal(lock.policy, cases[i].policy);
		assert_int_equal(pthread_rwlock_destroy(&lock), 0);
		assert_int_equal(pthread_rwlockattr_destroy(&attr), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(program_for_pthread_gets_ours),
		cmocka_unit_test(kind_of_pthread_is_the_policy),
	};
	return SUPPORT_MAIN(tests);
}
