/* fixture.h - threads that read or write as they are told. Whoever is to
 * wait is seen in the queue before the test goes on, and past the bypass limit
 * where that matters. One test program includes it once; not every one needs all. */
#ifndef UNIXIPC_TESTS_P08_FIXTURE_H
#define UNIXIPC_TESTS_P08_FIXTURE_H

#include "p08-rwlock/myrwlock.h"

#include <errno.h>
#include <stdatomic.h>

#include "lib/tick.h"
#include "tests/p08/clocklock.h"
#include "tests/support/support.h"

enum { MS = 30000 }; /* of every wait for a condition */

static const enum myrwlock_policy policies[] = {MYRWLOCK_FAIR, MYRWLOCK_READER,
						MYRWLOCK_WRITER};
enum { POLICIES = 3 };

__attribute__((unused)) static void make(struct myrwlock *lock,
					 enum myrwlock_policy policy)
{
	struct myrwlock_attr attr;

	assert_int_equal(myrwlock_attr_init(&attr), 0);
	assert_int_equal(myrwlock_attr_setpolicy(&attr, (int)policy), 0);
	assert_int_equal(myrwlock_init(lock, &attr), 0);
	assert_int_equal(myrwlock_attr_destroy(&attr), 0);
}

__attribute__((unused)) static struct timespec in_ms(clockid_t clock,
						     int64_t ms)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return tick_to_timespec(tick_from_timespec(now) + ms * TICK_MS);
}

/* ---- a thread that does as it is told ---- */

enum act { READ, WRITE, TRY_READ, TRY_WRITE, READ_LATE, WRITE_LATE, UNLOCK };

struct helper {
	struct myrwlock *lock;
	pthread_t thread;
	enum act act;
	int64_t ms; /* of READ_LATE and WRITE_LATE */
	bool stays; /* holds it until told to go */
	atomic_int rc;
	atomic_bool is_done, may_go;
	atomic_int *order; /* who came first */
	int place;
};

__attribute__((unused)) static int do_act(const struct helper *helper)
{
	struct timespec until = in_ms(CLOCK_MONOTONIC, helper->ms);

	switch (helper->act) {
	case READ:
		return myrwlock_rdlock(helper->lock);
	case WRITE:
		return myrwlock_wrlock(helper->lock);
	case TRY_READ:
		return myrwlock_tryrdlock(helper->lock);
	case TRY_WRITE:
		return myrwlock_trywrlock(helper->lock);
	case READ_LATE:
		return myrwlock_clockrdlock(helper->lock, CLOCK_MONOTONIC,
					    &until);
	case WRITE_LATE:
		return myrwlock_clockwrlock(helper->lock, CLOCK_MONOTONIC,
					    &until);
	default:
		return myrwlock_unlock(helper->lock);
	}
}

static bool is_told_to_go(void *arg)
{
	return atomic_load(&((struct helper *)arg)->may_go);
}

__attribute__((unused)) static void *run_helper(void *arg)
{
	struct helper *helper = arg;
	int rc = do_act(helper);

	if (helper->order)
		helper->place = atomic_fetch_add(helper->order, 1);
	atomic_store(&helper->rc, rc);
	atomic_store(&helper->is_done, true);
	if (rc || helper->act == UNLOCK)
		return NULL;
	if (helper->stays)
		support_wait_until(is_told_to_go, helper, MS);
	atomic_store(&helper->rc, myrwlock_unlock(helper->lock));
	return NULL;
}

__attribute__((unused)) static void start(struct helper *helper,
					  struct myrwlock *lock, enum act act)
{
	helper->lock = lock;
	helper->act = act;
	assert_int_equal(
		pthread_create(&helper->thread, NULL, run_helper, helper), 0);
}

__attribute__((unused)) static bool is_done(void *arg)
{
	return atomic_load(&((struct helper *)arg)->is_done);
}

__attribute__((unused)) static void assert_gets_in(struct helper *helper)
{
	assert_true(support_wait_until(is_done, helper, MS));
	assert_int_equal(atomic_load(&helper->rc), 0);
}

__attribute__((unused)) static int finish(struct helper *helper)
{
	atomic_store(&helper->may_go, true);
	pthread_join(helper->thread, NULL);
	return atomic_load(&helper->rc);
}

/* What another thread gets that does not wait. */
__attribute__((unused)) static int by_another(struct myrwlock *lock,
					      enum act act)
{
	struct helper helper = {0};

	start(&helper, lock, act);
	return finish(&helper);
}

struct wanted {
	struct myrwlock *lock;
	unsigned int readers, writers;
};

__attribute__((unused)) static bool are_in_line(void *arg)
{
	struct wanted *wanted = arg;
	struct myrwlock_state state;

	return myrwlock_look(wanted->lock, &state) == 0 &&
	       state.waiting_readers == wanted->readers &&
	       state.waiting_writers == wanted->writers;
}

__attribute__((unused)) static void wait_for_line(struct myrwlock *lock,
						  unsigned int readers,
						  unsigned int writers)
{
	struct wanted wanted = {lock, readers, writers};

	assert_true(support_wait_until(are_in_line, &wanted, MS));
}

/* Have it held by one reader, who is counted: one that comes when nobody is there
 * takes the fast path. finish() the helper. */
__attribute__((unused)) static void hold_counted(struct myrwlock *lock,
						 struct helper *holder)
{
	struct helper lone = {.stays = true};

	holder->stays = true;
	start(&lone, lock, READ);
	assert_gets_in(&lone);
	start(holder, lock, READ);
	assert_gets_in(holder);
	assert_int_equal(finish(&lone), 0);
}

struct due {
	struct myrwlock *lock;
	struct helper *helper; /* enough, too: that one has ended; or NULL */
};

__attribute__((unused)) static bool is_expired_or_empty(
	const struct myrwlock_queue *queue)
{
	return queue->is_expired || !queue->waiting;
}

__attribute__((unused)) static bool are_due(void *arg)
{
	struct due *due = arg;
	struct myrwlock *lock = due->lock;
	bool are_all;

	pthread_mutex_lock(&lock->mutex);
	are_all = is_expired_or_empty(&lock->reading) &&
		  is_expired_or_empty(&lock->writing[0]) &&
		  is_expired_or_empty(&lock->writing[1]);
	pthread_mutex_unlock(&lock->mutex);
	return are_all || (due->helper && is_done(due->helper));
}

/* Until all who wait are past the bypass limit. They say so themselves, when they
 * wake, so how long that takes nobody knows. */
__attribute__((unused)) static void wait_until_due(struct myrwlock *lock)
{
	struct due due = {.lock = lock};

	assert_true(support_wait_until(are_due, &due, MS));
}

#endif
