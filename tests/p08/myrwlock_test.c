/* The contract of p08-rwlock/myrwlock.h: excluding, deadlines, misuse. Whose
 * turn it is, is in queue_test.c. */
#include "p08-rwlock/held.h"
#include "tests/p08/fixture.h"

#include <signal.h>
#include <string.h>

/* ---- excluding ---- */

static void many_read_and_one_writes(void **state)
{
	(void)state;
	for (int i = 0; i < POLICIES; i++) {
		struct helper readers[5] = {0};
		struct myrwlock_state now;
		struct myrwlock lock;

		make(&lock, policies[i]);
		for (int r = 0; r < 5; r++) {
			readers[r].stays = true;
			start(&readers[r], &lock, READ);
			assert_gets_in(&readers[r]);
		}
		assert_int_equal(myrwlock_look(&lock, &now), 0);
		assert_int_equal(now.readers, 5);
		assert_int_equal(now.writers, 0);
		assert_int_equal(myrwlock_trywrlock(&lock), EBUSY);
		assert_int_equal(myrwlock_tryrdlock(&lock), 0);
		for (int r = 0; r < 5; r++)
			assert_int_equal(finish(&readers[r]), 0);
		assert_int_equal(myrwlock_unlock(&lock), 0);

		assert_int_equal(myrwlock_wrlock(&lock), 0);
		assert_int_equal(myrwlock_look(&lock, &now), 0);
		assert_int_equal(now.readers, 0);
		assert_int_equal(now.writers, 1);
		assert_int_equal(by_another(&lock, TRY_READ), EBUSY);
		assert_int_equal(by_another(&lock, TRY_WRITE), EBUSY);
		assert_int_equal(myrwlock_unlock(&lock), 0);
		assert_int_equal(by_another(&lock, TRY_WRITE), 0);
		assert_int_equal(myrwlock_destroy(&lock), 0);
	}
}

static void static_lock_is_fair_and_ready(void **state)
{
	static struct myrwlock lock = MYRWLOCK_INITIALIZER;

	(void)state;
	assert_int_equal(lock.policy, MYRWLOCK_FAIR);
	assert_int_equal(myrwlock_rdlock(&lock), 0);
	assert_int_equal(by_another(&lock, TRY_READ), 0);
	assert_int_equal(by_another(&lock, TRY_WRITE), EBUSY);
	assert_int_equal(myrwlock_unlock(&lock), 0);
	assert_int_equal(myrwlock_destroy(&lock), 0);
	assert_int_equal(myrwlock_rdlock(&lock), EINVAL);
}

static void downgrade_lets_readers_in_and_no_writer_between(void **state)
{
	(void)state;
	for (int i = 0; i < POLICIES; i++) {
		struct helper reader = {.stays = true}, writer = {0};
		struct myrwlock lock;

		make(&lock, policies[i]);
		assert_int_equal(myrwlock_wrlock(&lock), 0);
		start(&reader, &lock, READ);
		wait_for_line(&lock, 1, 0);
		assert_int_equal(myrwlock_downgrade(&lock), 0);
		assert_gets_in(&reader);
		start(&writer, &lock, WRITE);
		wait_for_line(&lock, 0, 1);
		assert_int_equal(myrwlock_downgrade(&lock), EPERM);
		assert_int_equal(finish(&reader), 0);
		assert_false(is_done(&writer));
		assert_int_equal(myrwlock_unlock(&lock), 0);
		assert_int_equal(finish(&writer), 0);
		assert_int_equal(myrwlock_destroy(&lock), 0);
	}
}

/* ---- deadlines ---- */

static void deadline_ends_a_wait_and_leaves_no_trace(void **state)
{
	(void)state;
	for (int i = 0; i < POLICIES; i++) {
		struct timespec soon = in_ms(CLOCK_REALTIME, 5), past = {0};
		struct helper holder = {.stays = true};
		struct myrwlock lock;

		make(&lock, policies[i]);
		start(&holder, &lock, WRITE);
		assert_gets_in(&holder);
		assert_int_equal(myrwlock_timedrdlock(&lock, &soon), ETIMEDOUT);
		assert_int_equal(myrwlock_timedwrlock(&lock, &soon), ETIMEDOUT);
		soon = in_ms(CLOCK_MONOTONIC, 5);
		assert_int_equal(
			myrwlock_clockrdlock(&lock, CLOCK_MONOTONIC, &soon),
			ETIMEDOUT);
		soon = in_ms(CLOCK_MONOTONIC, 5);
		assert_int_equal(
			myrwlock_clockwrlock(&lock, CLOCK_MONOTONIC, &soon),
			ETIMEDOUT);
		assert_int_equal(myrwlock_timedrdlock(&lock, &past), ETIMEDOUT);
		wait_for_line(&lock, 0, 0);
		assert_int_equal(finish(&holder), 0);
		/* Late, but free. */
		assert_int_equal(myrwlock_timedrdlock(&lock, &past), 0);
		assert_int_equal(myrwlock_unlock(&lock), 0);
		assert_int_equal(myrwlock_timedwrlock(&lock, &past), 0);
		assert_int_equal(myrwlock_unlock(&lock), 0);
		assert_int_equal(myrwlock_destroy(&lock), 0);
	}
}

static void writer_that_gives_up_lets_readers_in(void **state)
{
	static const enum myrwlock_policy keep_out[] = {
		MYRWLOCK_FAIR, MYRWLOCK_FAIR, MYRWLOCK_WRITER};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct helper holder = {.stays = true};
		struct helper writer = {.ms = 500}, reader = {.ms = 60000};
		struct myrwlock lock;
		struct due due = {.lock = &lock, .helper = &writer};

		make(&lock, keep_out[i]);
		if (i == 1) {
			hold_counted(&lock, &holder);
		} else {
			start(&holder, &lock, READ);
			assert_gets_in(&holder);
		}
		start(&writer, &lock, WRITE_LATE);
		assert_true(support_wait_until(are_due, &due, MS));
		start(&reader, &lock, READ_LATE);
		/* In while the other still reads: it waited for the writer
		 * alone. */
		assert_gets_in(&reader);
		assert_int_equal(finish(&writer), ETIMEDOUT);
		assert_int_equal(finish(&reader), 0);
		assert_int_equal(finish(&holder), 0);
		assert_int_equal(myrwlock_destroy(&lock), 0);
	}
}

static void times_and_clocks_that_are_none_are_refused(void **state)
{
	struct timespec below = {.tv_nsec = -1};
	struct timespec above = {.tv_nsec = 1000000000};
	struct timespec good = {.tv_nsec = 999999999};
	struct myrwlock lock = MYRWLOCK_INITIALIZER;

	(void)state;
	assert_int_equal(myrwlock_timedrdlock(&lock, &below), EINVAL);
	assert_int_equal(myrwlock_timedwrlock(&lock, &above), EINVAL);
	assert_int_equal(
		myrwlock_clockrdlock(&lock, CLOCK_PROCESS_CPUTIME_ID, &good),
		EINVAL);
	assert_int_equal(myrwlock_clockwrlock(&lock, 99, &good), EINVAL);
	assert_int_equal(myrwlock_destroy(&lock), 0);
}

/* ---- misuse ---- */

static void unlocking_what_one_does_not_hold_changes_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < POLICIES; i++) {
		struct myrwlock lock;

		make(&lock, policies[i]);
		assert_int_equal(myrwlock_unlock(&lock), EPERM);
		assert_int_equal(myrwlock_downgrade(&lock), EPERM);
		assert_int_equal(myrwlock_rdlock(&lock), 0);
		assert_int_equal(by_another(&lock, UNLOCK), EPERM);
		assert_int_equal(by_another(&lock, TRY_WRITE), EBUSY);
		assert_int_equal(myrwlock_unlock(&lock), 0);
		assert_int_equal(myrwlock_unlock(&lock), EPERM);
		assert_int_equal(myrwlock_wrlock(&lock), 0);
		assert_int_equal(by_another(&lock, UNLOCK), EPERM);
		assert_int_equal(by_another(&lock, TRY_READ), EBUSY);
		assert_int_equal(myrwlock_unlock(&lock), 0);
		assert_int_equal(myrwlock_destroy(&lock), 0);
	}
}

static void waiting_for_oneself_is_a_deadlock(void **state)
{
	(void)state;
	for (int i = 0; i < POLICIES; i++) {
		struct timespec late = in_ms(CLOCK_REALTIME, 60000);
		struct myrwlock lock;

		make(&lock, policies[i]);
		assert_int_equal(myrwlock_wrlock(&lock), 0);
		assert_int_equal(myrwlock_wrlock(&lock), EDEADLK);
		assert_int_equal(myrwlock_rdlock(&lock), EDEADLK);
		assert_int_equal(myrwlock_timedrdlock(&lock, &late), EDEADLK);
		assert_int_equal(myrwlock_timedwrlock(&lock, &late), EDEADLK);
		assert_int_equal(myrwlock_tryrdlock(&lock), EBUSY);
		assert_int_equal(myrwlock_trywrlock(&lock), EBUSY);
		assert_int_equal(myrwlock_unlock(&lock), 0);
		assert_int_equal(myrwlock_rdlock(&lock), 0);
		assert_int_equal(myrwlock_wrlock(&lock), EDEADLK);
		assert_int_equal(myrwlock_timedwrlock(&lock, &late), EDEADLK);
		assert_int_equal(myrwlock_trywrlock(&lock), EBUSY);
		assert_int_equal(myrwlock_unlock(&lock), 0);
		assert_int_equal(myrwlock_destroy(&lock), 0);
	}
}

static void what_is_used_is_not_destroyed(void **state)
{
	(void)state;
	for (int i = 0; i < POLICIES; i++) {
		struct helper holder = {.stays = true}, waiter = {0};
		struct myrwlock lock;

		make(&lock, policies[i]);
		assert_int_equal(myrwlock_rdlock(&lock), 0);
		assert_int_equal(myrwlock_destroy(&lock), EBUSY);
		assert_int_equal(myrwlock_unlock(&lock), 0);
		start(&holder, &lock, WRITE);
		assert_gets_in(&holder);
		assert_int_equal(myrwlock_destroy(&lock), EBUSY);
		start(&waiter, &lock, READ);
		wait_for_line(&lock, 1, 0);
		assert_int_equal(myrwlock_destroy(&lock), EBUSY);
		assert_int_equal(finish(&holder), 0);
		assert_int_equal(finish(&waiter), 0);
		assert_int_equal(myrwlock_destroy(&lock), 0);
		assert_int_equal(myrwlock_destroy(&lock), EINVAL);
		assert_int_equal(myrwlock_unlock(&lock), EINVAL);
	}
}

static void shared_one_of_another_version_or_size_is_refused(void **state)
{
	struct myrwlock_attr attr;
	struct myrwlock lock;
	uint32_t magic;

	(void)state;
	myrwlock_attr_init(&attr);
	myrwlock_attr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	assert_int_equal(myrwlock_init(&lock, &attr), 0);
	magic = lock.magic;
	assert_int_equal(magic & 0xffff, sizeof(lock));
	assert_int_equal(magic >> 16 & 0xff, MYRWLOCK_VERSION);
	for (int bit = 0; bit < 32; bit++) {
		lock.magic = magic ^ UINT32_C(1) << bit;
		assert_int_equal(myrwlock_rdlock(&lock), EINVAL);
		assert_int_equal(myrwlock_wrlock(&lock), EINVAL);
	}
	lock.magic = magic;
	assert_int_equal(myrwlock_destroy(&lock), 0);
}

static void memory_that_is_no_lock_is_refused(void **state)
{
	struct myrwlock_attr attr = {0};
	struct myrwlock lock = {0};
	struct myrwlock_state now;
	int value;

	(void)state;
	assert_int_equal(myrwlock_rdlock(&lock), EINVAL);
	assert_int_equal(myrwlock_trywrlock(&lock), EINVAL);
	assert_int_equal(myrwlock_unlock(&lock), EINVAL);
	assert_int_equal(myrwlock_downgrade(&lock), EINVAL);
	assert_int_equal(myrwlock_look(&lock, &now), EINVAL);
	assert_int_equal(myrwlock_destroy(&lock), EINVAL);
	assert_int_equal(myrwlock_consistent(&lock), EINVAL);
	/* Nobody else can have died in it. */
	assert_int_equal(myrwlock_init(&lock, NULL), 0);
	assert_int_equal(myrwlock_wrlock(&lock), 0);
	assert_int_equal(myrwlock_consistent(&lock), EINVAL);
	assert_int_equal(myrwlock_unlock(&lock), 0);
	assert_int_equal(myrwlock_destroy(&lock), 0);
	assert_int_equal(myrwlock_init(&lock, &attr), EINVAL);
	assert_int_equal(myrwlock_attr_setpolicy(&attr, 0), EINVAL);
	assert_int_equal(myrwlock_attr_getpolicy(&attr, &value), EINVAL);
	assert_int_equal(myrwlock_attr_setpshared(&attr, 0), EINVAL);
	assert_int_equal(myrwlock_attr_getpshared(&attr, &value), EINVAL);
	assert_int_equal(myrwlock_attr_destroy(&attr), EINVAL);
}

/* As far as that is noticed. */
static void shared_lock_that_was_written_over_is_told(void **state)
{
	struct myrwlock_attr attr;
	struct myrwlock_state now;
	struct myrwlock lock;

	(void)state;
	myrwlock_attr_init(&attr);
	myrwlock_attr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	assert_int_equal(myrwlock_init(&lock, &attr), 0);
	lock.served = 7;
	assert_int_equal(myrwlock_rdlock(&lock), ENOTRECOVERABLE);
	assert_int_equal(myrwlock_look(&lock, &now), ENOTRECOVERABLE);
	assert_int_equal(myrwlock_destroy(&lock), ENOTRECOVERABLE);
	assert_int_equal(myrwlock_init(&lock, &attr), 0);
	/* A mutex of no kind that there is. */
	memset(&lock.mutex, 0xff, sizeof(lock.mutex));
	assert_int_equal(myrwlock_rdlock(&lock), ENOTRECOVERABLE);
	assert_int_equal(myrwlock_look(&lock, &now), ENOTRECOVERABLE);
	assert_int_equal(myrwlock_destroy(&lock), ENOTRECOVERABLE);
	assert_int_equal(myrwlock_init(&lock, &attr), 0);
	assert_int_equal(myrwlock_wrlock(&lock), 0);
	assert_int_equal(myrwlock_unlock(&lock), 0);
	assert_int_equal(myrwlock_destroy(&lock), 0);
}

static void attributes_take_their_values_and_no_others(void **state)
{
	struct myrwlock_attr attr;
	int value = -1;

	(void)state;
	assert_int_equal(myrwlock_attr_init(&attr), 0);
	assert_int_equal(myrwlock_attr_getpolicy(&attr, &value), 0);
	assert_int_equal(value, MYRWLOCK_FAIR);
	assert_int_equal(myrwlock_attr_getpshared(&attr, &value), 0);
	assert_int_equal(value, PTHREAD_PROCESS_PRIVATE);
	assert_int_equal(myrwlock_attr_setpolicy(&attr, 3), EINVAL);
	assert_int_equal(myrwlock_attr_setpolicy(&attr, -1), EINVAL);
	assert_int_equal(myrwlock_attr_setpshared(&attr, 77), EINVAL);
	assert_int_equal(
		myrwlock_attr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
	assert_int_equal(myrwlock_attr_getpshared(&attr, &value), 0);
	assert_int_equal(value, PTHREAD_PROCESS_SHARED);
	assert_int_equal(myrwlock_attr_destroy(&attr), 0);
}

static void thread_reads_many_locks_and_not_too_many(void **state)
{
	static struct myrwlock locks[MYRWLOCK_HELD_MAX + 1];
	struct myrwlock *last = &locks[MYRWLOCK_HELD_MAX];

	(void)state;
	for (int i = 0; i <= MYRWLOCK_HELD_MAX; i++)
		make(&locks[i], MYRWLOCK_FAIR);
	for (int i = 0; i < MYRWLOCK_HELD_MAX; i++)
		assert_int_equal(myrwlock_rdlock(&locks[i]), 0);
	assert_int_equal(myrwlock_rdlock(last), EAGAIN);
	/* A writer that turned reader would be one too many. */
	assert_int_equal(myrwlock_wrlock(last), 0);
	assert_int_equal(myrwlock_downgrade(last), EAGAIN);
	assert_int_equal(by_another(last, TRY_READ), EBUSY);
	assert_int_equal(myrwlock_unlock(last), 0);
	assert_int_equal(by_another(last, TRY_WRITE), 0);
	/* In the order of taking, not the reverse. */
	for (int i = 0; i < MYRWLOCK_HELD_MAX; i++)
		assert_int_equal(myrwlock_unlock(&locks[i]), 0);
	for (int i = 0; i <= MYRWLOCK_HELD_MAX; i++)
		assert_int_equal(myrwlock_destroy(&locks[i]), 0);
}

/* Nor one lock more often than can be counted. */
static void thread_reads_one_lock_not_too_often(void **state)
{
	struct myrwlock lock;

	(void)state;
	make(&lock, MYRWLOCK_FAIR);
	assert_int_equal(myrwlock_rdlock(&lock), 0);
	held_find(&lock)->count = UINT32_MAX;
	assert_int_equal(myrwlock_rdlock(&lock), EAGAIN);
	assert_int_equal(myrwlock_tryrdlock(&lock), EAGAIN);
	assert_int_equal(held_find(&lock)->count, UINT32_MAX);
	held_find(&lock)->count = 1;
	assert_int_equal(myrwlock_unlock(&lock), 0);
	assert_int_equal(myrwlock_destroy(&lock), 0);
}

/* POSIX knows no limit to that, and no error for it. */
static void thread_writes_as_many_locks_as_it_likes(void **state)
{
	enum { LOCKS = 3 * MYRWLOCK_HELD_MAX };
	static struct myrwlock locks[LOCKS];

	(void)state;
	for (int i = 0; i < LOCKS; i++) {
		make(&locks[i], policies[i % POLICIES]);
		assert_int_equal(myrwlock_wrlock(&locks[i]), 0);
		assert_int_equal(myrwlock_wrlock(&locks[i]), EDEADLK);
	}
	for (int i = 0; i < LOCKS; i++) {
		assert_int_equal(by_another(&locks[i], UNLOCK), EPERM);
		assert_int_equal(myrwlock_unlock(&locks[i]), 0);
		assert_int_equal(myrwlock_destroy(&locks[i]), 0);
	}
}

static void lock_made_anew_in_the_same_place_is_another(void **state)
{
	struct myrwlock lock;

	(void)state;
	make(&lock, MYRWLOCK_READER);
	assert_int_equal(myrwlock_rdlock(&lock), 0);
	/* As of memory that was freed with a lock held in it. */
	memset(&lock, 0, sizeof(lock));
	make(&lock, MYRWLOCK_FAIR);
	assert_int_equal(myrwlock_unlock(&lock), EPERM);
	assert_int_equal(myrwlock_wrlock(&lock), 0);
	assert_int_equal(myrwlock_unlock(&lock), 0);
	assert_int_equal(myrwlock_destroy(&lock), 0);
}

/* ---- signals, cancellation ---- */

static void do_nothing(int sig)
{
	(void)sig;
}

static void handlers_do_not_end_a_wait(void **state)
{
	static const enum act acts[] = {READ, WRITE};
	struct sigaction action = {.sa_handler = do_nothing}, before;

	(void)state;
	sigaction(SIGUSR1, &action, &before);
	for (int i = 0; i < 2; i++) {
		struct helper waiter = {0};
		struct myrwlock lock;

		make(&lock, MYRWLOCK_FAIR);
		assert_int_equal(myrwlock_wrlock(&lock), 0);
		start(&waiter, &lock, acts[i]);
		wait_for_line(&lock, acts[i] == READ, acts[i] == WRITE);
		for (int n = 0; n < 20; n++)
			assert_int_equal(pthread_kill(waiter.thread, SIGUSR1),
					 0);
		assert_false(is_done(&waiter));
		assert_int_equal(myrwlock_unlock(&lock), 0);
		assert_int_equal(finish(&waiter), 0);
		assert_int_equal(myrwlock_destroy(&lock), 0);
	}
	sigaction(SIGUSR1, &before, NULL);
}

static void cancelled_thread_waits_to_the_end(void **state)
{
	struct helper waiter = {0};
	struct myrwlock lock;

	(void)state;
	make(&lock, MYRWLOCK_FAIR);
	assert_int_equal(myrwlock_wrlock(&lock), 0);
	start(&waiter, &lock, WRITE);
	wait_for_line(&lock, 0, 1);
	assert_int_equal(pthread_cancel(waiter.thread), 0);
	wait_for_line(&lock, 0, 1);
	assert_int_equal(myrwlock_unlock(&lock), 0);
	/* Gets it, gives it back, and comes to no cancellation point. */
	assert_int_equal(finish(&waiter), 0);
	wait_for_line(&lock, 0, 0);
	assert_int_equal(myrwlock_destroy(&lock), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_read_and_one_writes),
		cmocka_unit_test(static_lock_is_fair_and_ready),
		cmocka_unit_test(
			downgrade_lets_readers_in_and_no_writer_between),
		cmocka_unit_test(deadline_ends_a_wait_and_leaves_no_trace),
		cmocka_unit_test(writer_that_gives_up_lets_readers_in),
		cmocka_unit_test(times_and_clocks_that_are_none_are_refused),
		cmocka_unit_test(
			unlocking_what_one_does_not_hold_changes_nothing),
		cmocka_unit_test(waiting_for_oneself_is_a_deadlock),
		cmocka_unit_test(what_is_used_is_not_destroyed),
		cmocka_unit_test(
			shared_one_of_another_version_or_size_is_refused),
		cmocka_unit_test(memory_that_is_no_lock_is_refused),
		cmocka_unit_test(shared_lock_that_was_written_over_is_told),
		cmocka_unit_test(attributes_take_their_values_and_no_others),
		cmocka_unit_test(thread_reads_many_locks_and_not_too_many),
		cmocka_unit_test(thread_reads_one_lock_not_too_often),
		cmocka_unit_test(thread_writes_as_many_locks_as_it_likes),
		cmocka_unit_test(lock_made_anew_in_the_same_place_is_another),
		cmocka_unit_test(handlers_do_not_end_a_wait),
		cmocka_unit_test(cancelled_thread_waits_to_the_end),
	};
	return SUPPORT_MAIN(tests);
}
