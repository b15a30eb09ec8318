/* Who is stopped in the moment when it has the lock's own mutex holds nobody up
 * for longer than a deadline, whatever it has written over the lock before. */
#include "p08-rwlock/myrwlock.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "p08-rwlock/inner.h"
#include "tests/p08/fixture.h"

enum {
	WORDS = offsetof(struct myrwlock, mutex) / sizeof(uint32_t),
	LOCKS = 2 * WORDS, /* each word becomes 0 in one, ones in another */
	WAITERS = 2,       /* a reader and a writer */
};

/* Mapped by all. Each lock is held by the child, who has its mutex at last. */
struct ground {
	struct myrwlock lock[LOCKS];
	unsigned int locks, waiters; /* of each, that are to wait */
	bool scribbles;
	atomic_bool is_inside, has_mutexes, has_gone_on;
};

static struct ground *make_ground(unsigned int locks, unsigned int waiters)
{
	struct ground *ground =
		mmap(NULL, sizeof(*ground), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct myrwlock_attr attr;

	assert_ptr_not_equal(ground, MAP_FAILED);
	ground->locks = locks;
	ground->waiters = waiters;
	assert_int_equal(myrwlock_attr_init(&attr), 0);
	assert_int_equal(
		myrwlock_attr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
	for (unsigned int i = 0; i < locks; i++)
		assert_int_equal(myrwlock_init(&ground->lock[i], &attr), 0);
	return ground;
}

static void remove_ground(struct ground *ground)
{
	munmap(ground, sizeof(*ground));
}

/* ---- who is stopped ---- */

static bool are_all_in_line(void *arg)
{
	struct ground *ground = arg;
	struct myrwlock_state state;

	for (unsigned int i = 0; i < ground->locks; i++)
		if (myrwlock_look(&ground->lock[i], &state) ||
		    state.waiting_readers + state.waiting_writers !=
			    ground->waiters)
			return false;
	return true;
}

static void scribble(struct ground *ground)
{
	for (unsigned int i = 0; i < ground->locks; i++)
		memset((uint32_t *)&ground->lock[i] + i % WORDS,
		       i < WORDS ? 0 : 0xff, sizeof(uint32_t));
}

static int stop_with_the_mutexes(void *arg)
{
	struct ground *ground = arg;

	for (unsigned int i = 0; i < ground->locks; i++)
		if (myrwlock_wrlock(&ground->lock[i]))
			return 1;
	atomic_store(&ground->is_inside, true);
	if (!support_wait_until(are_all_in_line, ground, MS))
		return 2;
	for (unsigned int i = 0; i < ground->locks; i++)
		if (pthread_mutex_lock(&ground->lock[i].mutex))
			return 3;
	if (ground->scribbles)
		scribble(ground);
	atomic_store(&ground->has_mutexes, true);
	raise(SIGSTOP);
	for (unsigned int i = 0; i < ground->locks; i++)
		pthread_mutex_unlock(&ground->lock[i].mutex);
	atomic_store(&ground->has_gone_on, true);
	for (;;)
		pause();
}

static bool is_inside(void *arg)
{
	return atomic_load(&((struct ground *)arg)->is_inside);
}

static bool has_gone_on(void *arg)
{
	return atomic_load(&((struct ground *)arg)->has_gone_on);
}

static pid_t start_holder(struct ground *ground)
{
	pid_t pid;

	assert_int_equal(child_fork(stop_with_the_mutexes, ground, &pid), 0);
	assert_true(support_wait_until(is_inside, ground, MS));
	return pid;
}

static void kill_and_reap(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(child_wait(pid, tick_after(MS * TICK_MS), &status), 0);
	assert_true(WIFSIGNALED(status));
}

/* ---- one who waits ---- */

static int take(struct myrwlock *lock, bool is_writer, int64_t ms)
{
	struct timespec until = in_ms(CLOCK_MONOTONIC, ms);

	return is_writer ? myrwlock_clockwrlock(lock, CLOCK_MONOTONIC, &until)
			 : myrwlock_clockrdlock(lock, CLOCK_MONOTONIC, &until);
}

static unsigned int count_members(const struct myrwlock *lock)
{
	unsigned int n = 0;

	for (int i = 0; i < MYRWLOCK_THREADS_MAX; i++)
		n += lock->threads[i].id != 0;
	return n;
}

static bool is_nobody_in_line(void *arg)
{
	struct ground *ground = arg;
	struct myrwlock_state state;

	return myrwlock_look(&ground->lock[0], &state) == 0 &&
	       state.waiting_readers == 0 && state.waiting_writers == 0;
}

/* Returns false if the time was over before the child was stopped. */
static bool give_up_outside(bool is_writer, bool comes_again, int64_t ms)
{
	struct ground *ground = make_ground(1, 1);
	struct myrwlock *lock = &ground->lock[0];
	pid_t pid = start_holder(ground);
	int rc = take(lock, is_writer, ms);
	bool was_stopped = atomic_load(&ground->has_mutexes);

	if (was_stopped) {
		assert_int_equal(rc, ETIMEDOUT);
		/* Who could not have the mutex has left its entry behind … */
		assert_int_equal(count_members(lock), 2);
		assert_int_equal(kill(pid, SIGCONT), 0);
		assert_true(support_wait_until(has_gone_on, ground, MS));
		/* … which goes when it comes again, or is taken for absent. */
		if (comes_again) {
			assert_int_equal(myrwlock_tryrdlock(lock), EBUSY);
			assert_int_equal(count_members(lock), 1);
			assert_true(is_nobody_in_line(ground));
		}
		assert_true(support_wait_until(is_nobody_in_line, ground, MS));
	}
	kill_and_reap(pid);
	if (was_stopped) {
		assert_int_equal(take(lock, true, 1000), EOWNERDEAD);
		assert_int_equal(count_members(lock), 1);
		assert_int_equal(myrwlock_consistent(lock), 0);
		assert_int_equal(myrwlock_unlock(lock), 0);
		assert_int_equal(myrwlock_destroy(lock), 0);
	}
	remove_ground(ground);
	return was_stopped;
}

static void deadline_holds_while_the_owner_of_the_mutex_is_stopped(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		int64_t ms = 100;

		while (!give_up_outside(i & 1, i & 2, ms))
			ms *= 2;
	}
}

/* ---- who dies with the mutex ---- */

static int die_with_the_mutex(void *arg)
{
	struct ground *ground = arg;

	if (pthread_mutex_lock(&ground->lock[0].mutex))
		return 1;
	raise(SIGKILL);
	return 2;
}

/* The wake-ups that it owed are lost with it: who comes next calls all. */
static void next_owner_of_the_mutex_calls_whom_a_dead_one_did_not(void **state)
{
	struct ground *ground = make_ground(1, 0);
	struct myrwlock *lock = &ground->lock[0];

	(void)state;
	assert_int_equal(support_child_status(die_with_the_mutex, ground, MS),
			 128 + SIGKILL);
	assert_int_equal(inner_take(lock, NULL), 0);
	assert_true(lock->calls & INNER_CALL_ALL);
	inner_drop(lock);
	assert_int_equal(inner_take(lock, NULL), 0);
	assert_int_equal(lock->calls, 0);
	inner_drop(lock);
	assert_int_equal(myrwlock_destroy(lock), 0);
	remove_ground(ground);
}

/* ---- many, at locks that are written over ---- */

struct crowd {
	struct helper waiter[LOCKS][WAITERS];
};

static void start_crowd(struct crowd *crowd, struct ground *ground, int64_t ms)
{
	static const enum act acts[WAITERS] = {READ_LATE, WRITE_LATE};

	for (int i = 0; i < LOCKS; i++)
		for (int k = 0; k < WAITERS; k++) {
			crowd->waiter[i][k] = (struct helper){.ms = ms};
			start(&crowd->waiter[i][k], &ground->lock[i], acts[k]);
		}
}

static bool is_crowd_done(void *arg)
{
	struct crowd *crowd = arg;

	for (int i = 0; i < LOCKS; i++)
		for (int k = 0; k < WAITERS; k++)
			if (!is_done(&crowd->waiter[i][k]))
				return false;
	return true;
}

static void finish_crowd(struct crowd *crowd)
{
	for (int i = 0; i < LOCKS; i++)
		for (int k = 0; k < WAITERS; k++)
			finish(&crowd->waiter[i][k]);
}

static void assert_mutex_is_not_kept(struct myrwlock *lock)
{
	int rc = take(lock, false, 0);

	if (rc == 0 || rc == EOWNERDEAD)
		myrwlock_unlock(lock);
	rc = pthread_mutex_trylock(&lock->mutex);
	assert_int_not_equal(rc, EBUSY);
	if (rc == 0 || rc == EOWNERDEAD)
		pthread_mutex_unlock(&lock->mutex);
}

/* Returns false if a deadline was over before the child was stopped. */
static bool wait_at_what_is_written_over(int64_t ms)
{
	static struct crowd crowd;
	struct ground *ground = make_ground(LOCKS, WAITERS);
	bool was_stopped, are_done;
	pid_t pid;

	ground->scribbles = true;
	pid = start_holder(ground);
	start_crowd(&crowd, ground, ms);
	are_done = support_wait_until(is_crowd_done, &crowd, MS);
	was_stopped = atomic_load(&ground->has_mutexes);
	kill_and_reap(pid);
	assert_true(are_done);
	finish_crowd(&crowd);
	for (int i = 0; was_stopped && i < LOCKS; i++)
		assert_mutex_is_not_kept(&ground->lock[i]);
	remove_ground(ground);
	return was_stopped;
}

static void deadline_holds_whatever_is_written_before_the_mutex(void **state)
{
	int64_t ms = 250;

	(void)state;
	while (!wait_at_what_is_written_over(ms))
		ms *= 2;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			deadline_holds_while_the_owner_of_the_mutex_is_stopped),
		cmocka_unit_test(
			next_owner_of_the_mutex_calls_whom_a_dead_one_did_not),
		cmocka_unit_test(
			deadline_holds_whatever_is_written_before_the_mutex),
	};
	return SUPPORT_MAIN(tests);
}
