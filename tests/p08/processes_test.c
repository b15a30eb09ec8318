/* A lock that processes share, and what a killed one leaves of it. */
#include "p08-rwlock/myrwlock.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/child.h"
#include "lib/rng.h"
#include "lib/tick.h"
#include "p08-rwlock/cmd/exclusion.h"
#include "p08-rwlock/roster.h"
#include "tests/support/leftover.h"
#include "tests/support/support.h"

enum { MS = 30000 };

/* Mapped by all. */
struct ground {
	struct myrwlock lock;
	struct exclusion exclusion;
	atomic_uint writes;
	atomic_bool is_inside;
};

static struct ground *make_ground(int policy)
{
	struct ground *ground =
		mmap(NULL, sizeof(*ground), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct myrwlock_attr attr;

	assert_ptr_not_equal(ground, MAP_FAILED);
	assert_int_equal(myrwlock_attr_init(&attr), 0);
	assert_int_equal(myrwlock_attr_setpolicy(&attr, policy), 0);
	assert_int_equal(
		myrwlock_attr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
	assert_int_equal(myrwlock_init(&ground->lock, &attr), 0);
	return ground;
}

static void remove_ground(struct ground *ground)
{
	munmap(ground, sizeof(*ground));
}

static struct timespec in_ms(int64_t ms)
{
	return tick_to_timespec(tick_after(ms * TICK_MS));
}

/* ---- all living ---- */

static int read_and_write(void *arg)
{
	struct ground *ground = arg;
	struct timespec until = in_ms(MS);
	struct rng rng;
	bool is_writer;
	int rc;

	rng_seed(&rng, (uint64_t)getpid());
	for (int i = 0; i < 1000; i++) {
		is_writer = rng_below(&rng, 5) == 0;
		rc = is_writer ? myrwlock_clockwrlock(&ground->lock,
						      CLOCK_MONOTONIC, &until)
			       : myrwlock_clockrdlock(&ground->lock,
						      CLOCK_MONOTONIC, &until);
		if (rc || !exclusion_enter(&ground->exclusion, is_writer))
			return 1;
		if (is_writer)
			atomic_fetch_add(&ground->writes, 1);
		if (rng_below(&rng, 100) == 0)
			tick_sleep_until(tick_after(50 * TICK_US));
		if (!exclusion_leave(&ground->exclusion, is_writer) ||
		    myrwlock_unlock(&ground->lock))
			return 2;
	}
	return 0;
}

static void processes_keep_each_other_out(void **state)
{
	enum { PROCESSES = 4 };

	(void)state;
	for (int policy = 0; policy < 3; policy++) {
		struct leftover before = leftover_count();
		struct ground *ground = make_ground(policy);
		pid_t pid[PROCESSES];
		int status;

		for (int i = 0; i < PROCESSES; i++)
			assert_int_equal(
				child_fork(read_and_write, ground, &pid[i]), 0);
		for (int i = 0; i < PROCESSES; i++) {
			assert_int_equal(child_wait(pid[i],
						    tick_after(MS * TICK_MS),
						    &status),
					 0);
			assert_int_equal(status, 0);
		}
		assert_int_equal(ground->exclusion.half,
				 atomic_load(&ground->writes));
		assert_int_equal(myrwlock_destroy(&ground->lock), 0);
		remove_ground(ground);
		leftover_assert_same(&before);
	}
}

static int unlock_what_my_parent_holds(void *arg)
{
	struct ground *ground = arg;

	return myrwlock_unlock(&ground->lock) == EPERM &&
			       myrwlock_trywrlock(&ground->lock) == EBUSY
		       ? 0
		       : 1;
}

static void child_does_not_hold_what_its_parent_holds(void **state)
{
	struct ground *ground = make_ground(MYRWLOCK_FAIR);

	(void)state;
	for (int is_writer = 0; is_writer < 2; is_writer++) {
		assert_int_equal(is_writer ? myrwlock_wrlock(&ground->lock)
					   : myrwlock_rdlock(&ground->lock),
				 0);
		assert_int_equal(
			support_child_status(unlock_what_my_parent_holds,
					     ground, MS),
			0);
		assert_int_equal(myrwlock_unlock(&ground->lock), 0);
	}
	assert_int_equal(myrwlock_destroy(&ground->lock), 0);
	remove_ground(ground);
}

/* ---- killed ---- */

static int hold_for_ever(void *arg)
{
	struct ground *ground = arg;

	if (myrwlock_wrlock(&ground->lock))
		return 1;
	atomic_store(&ground->is_inside, true);
	for (;;)
		pause();
}

static int read_for_ever(void *arg)
{
	struct ground *ground = arg;

	if (myrwlock_rdlock(&ground->lock))
		return 1;
	atomic_store(&ground->is_inside, true);
	for (;;)
		pause();
}

static bool is_inside(void *arg)
{
	return atomic_load(&((struct ground *)arg)->is_inside);
}

static void kill_and_reap(pid_t pid)
{
	int status;

	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(child_wait(pid, tick_after(MS * TICK_MS), &status), 0);
	assert_true(WIFSIGNALED(status));
}

/* EOWNERDEAD comes when the death is noticed, which takes some tens of ms. */
static int take(struct ground *ground, bool is_writer)
{
	struct timespec until = in_ms(1000);

	return is_writer ? myrwlock_clockwrlock(&ground->lock, CLOCK_MONOTONIC,
						&until)
			 : myrwlock_clockrdlock(&ground->lock, CLOCK_MONOTONIC,
						&until);
}

static void kill_while_it_is_inside(struct ground *ground, int (*hold)(void *))
{
	pid_t pid;

	atomic_store(&ground->is_inside, false);
	assert_int_equal(child_fork(hold, ground, &pid), 0);
	assert_true(support_wait_until(is_inside, ground, MS));
	assert_int_equal(myrwlock_trywrlock(&ground->lock), EBUSY);
	kill_and_reap(pid);
}

static void killed_reader_is_not_counted_any_more(void **state)
{
	(void)state;
	for (int policy = 0; policy < 3; policy++) {
		struct ground *ground = make_ground(policy);

		kill_while_it_is_inside(ground, read_for_ever);
		assert_int_equal(take(ground, true), 0);
		assert_int_equal(myrwlock_unlock(&ground->lock), 0);
		assert_int_equal(myrwlock_destroy(&ground->lock), 0);
		remove_ground(ground);
	}
}

static void next_ones_are_told_of_a_killed_writer_until_one_mends(void **state)
{
	(void)state;
	for (int policy = 0; policy < 3; policy++) {
		struct ground *ground = make_ground(policy);

		kill_while_it_is_inside(ground, hold_for_ever);
		assert_int_equal(take(ground, false), EOWNERDEAD);
		assert_int_equal(myrwlock_consistent(&ground->lock), EPERM);
		assert_int_equal(myrwlock_unlock(&ground->lock), 0);
		assert_int_equal(myrwlock_trywrlock(&ground->lock), EOWNERDEAD);
		assert_int_equal(myrwlock_consistent(&ground->lock), 0);
		assert_int_equal(myrwlock_consistent(&ground->lock), EINVAL);
		assert_int_equal(myrwlock_downgrade(&ground->lock), 0);
		assert_int_equal(myrwlock_unlock(&ground->lock), 0);
		assert_int_equal(take(ground, false), 0);
		assert_int_equal(myrwlock_unlock(&ground->lock), 0);
		assert_int_equal(myrwlock_destroy(&ground->lock), 0);
		remove_ground(ground);
	}
}

static int wait_to_be_told(void *arg)
{
	struct ground *ground = arg;
	struct timespec until = in_ms(MS);

	return myrwlock_clockrdlock(&ground->lock, CLOCK_MONOTONIC, &until);
}

static bool is_somebody_waiting(void *arg)
{
	struct ground *ground = arg;
	struct myrwlock_state state;

	return myrwlock_look(&ground->lock, &state) == 0 &&
	       state.waiting_readers == 1;
}

static void writer_that_does_not_mend_gives_the_lock_up(void **state)
{
	struct ground *ground = make_ground(MYRWLOCK_FAIR);
	int status;
	pid_t pid;

	(void)state;
	kill_while_it_is_inside(ground, hold_for_ever);
	assert_int_equal(take(ground, true), EOWNERDEAD);
	assert_int_equal(child_fork(wait_to_be_told, ground, &pid), 0);
	assert_true(support_wait_until(is_somebody_waiting, ground, MS));
	assert_int_equal(myrwlock_unlock(&ground->lock), 0);
	assert_int_equal(child_wait(pid, tick_after(MS * TICK_MS), &status), 0);
	assert_int_equal(WEXITSTATUS(status), ENOTRECOVERABLE);
	assert_int_equal(take(ground, false), ENOTRECOVERABLE);
	assert_int_equal(myrwlock_trywrlock(&ground->lock), ENOTRECOVERABLE);
	assert_int_equal(myrwlock_destroy(&ground->lock), 0);
	assert_int_equal(myrwlock_init(&ground->lock, NULL), 0);
	assert_int_equal(myrwlock_wrlock(&ground->lock), 0);
	assert_int_equal(myrwlock_unlock(&ground->lock), 0);
	remove_ground(ground);
}

static void *write_and_end(void *arg)
{
	struct ground *ground = arg;

	return (void *)(intptr_t)myrwlock_wrlock(&ground->lock);
}

static void thread_that_ends_holding_it_is_as_dead_as_a_process(void **state)
{
	struct ground *ground = make_ground(MYRWLOCK_FAIR);
	pthread_t thread;
	void *rc;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, write_and_end, ground),
			 0);
	pthread_join(thread, &rc);
	assert_null(rc);
	assert_int_equal(take(ground, true), EOWNERDEAD);
	assert_int_equal(myrwlock_consistent(&ground->lock), 0);
	assert_int_equal(myrwlock_unlock(&ground->lock), 0);
	remove_ground(ground);
}

/* The number of a dead holder, given to another process. */
static void another_process_with_its_pid_is_not_the_holder(void **state)
{
	struct ground *ground = make_ground(MYRWLOCK_FAIR);
	struct myrwlock_thread *member = NULL;

	(void)state;
	assert_int_equal(myrwlock_wrlock(&ground->lock), 0);
	for (int i = 0; i < MYRWLOCK_THREADS_MAX; i++)
		if (ground->lock.threads[i].id)
			member = &ground->lock.threads[i];
	assert_non_null(member);
	/* One that started a tick earlier. */
	member->id -= UINT64_C(1) << IDENTITY_PID_BITS;
	ground->lock.writer = member->id;
	assert_int_equal(take(ground, true), EOWNERDEAD);
	assert_int_equal(myrwlock_consistent(&ground->lock), 0);
	assert_int_equal(myrwlock_unlock(&ground->lock), 0);
	remove_ground(ground);
}

static void holder_that_is_stopped_holds_it(void **state)
{
	struct ground *ground = make_ground(MYRWLOCK_FAIR);
	struct timespec soon;
	pid_t pid;

	(void)state;
	assert_int_equal(child_fork(hold_for_ever, ground, &pid), 0);
	assert_true(support_wait_until(is_inside, ground, MS));
	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	/* Longer than who waits would be taken for absent. */
	soon = in_ms(500);
	assert_int_equal(
		myrwlock_clockrdlock(&ground->lock, CLOCK_MONOTONIC, &soon),
		ETIMEDOUT);
	kill_and_reap(pid);
	assert_int_equal(take(ground, true), EOWNERDEAD);
	assert_int_equal(myrwlock_unlock(&ground->lock), 0);
	remove_ground(ground);
}

static int hold_in_two_processes(void *arg)
{
	struct ground *ground = arg;
	struct timespec soon = in_ms(300);

	return myrwlock_tryrdlock(&ground->lock) == EBUSY &&
			       myrwlock_clockwrlock(&ground->lock,
						    CLOCK_MONOTONIC,
						    &soon) == ETIMEDOUT
		       ? 0
		       : 1;
}

/* It is not the child's, and the parent is alive: nobody else gets it. */
static void fork_gives_the_child_nothing_and_takes_nothing(void **state)
{
	struct ground *ground = make_ground(MYRWLOCK_FAIR);

	(void)state;
	assert_int_equal(myrwlock_wrlock(&ground->lock), 0);
	assert_int_equal(
		support_child_status(hold_in_two_processes, ground, MS), 0);
	assert_int_equal(myrwlock_unlock(&ground->lock), 0);
	assert_int_equal(myrwlock_destroy(&ground->lock), 0);
	remove_ground(ground);
}

static int give_back(void *lock)
{
	return myrwlock_unlock(lock);
}

/* One of a process alone is copied by fork, as is who holds it. */
static void child_has_a_copy_of_what_is_its_parents_alone(void **state)
{
	struct myrwlock lock = MYRWLOCK_INITIALIZER;

	(void)state;
	assert_int_equal(myrwlock_rdlock(&lock), 0);
	assert_int_equal(support_child_status(give_back, &lock, MS), 0);
	assert_int_equal(myrwlock_unlock(&lock), 0);
	assert_int_equal(myrwlock_destroy(&lock), 0);
}

static int do_nothing_for_ever(void *arg)
{
	(void)arg;
	while (pause() < 0)
		continue;
	return 0;
}

static uint32_t now_ms(void)
{
	return (uint32_t)(tick_now() / TICK_MS);
}

/* Somebody else, who does nothing, is let in to read, and looked that long ago. */
static void let_in(struct ground *ground, pid_t pid, uint32_t ago_ms)
{
	struct myrwlock_thread *member = &ground->lock.threads[0];
	struct identity_process other;

	assert_int_equal(identity_of(pid, &other), 0);
	member->id = identity_word(&other, 64 - IDENTITY_PID_BITS);
	member->state = ROSTER_LET_IN;
	member->looked_ms = now_ms() - ago_ms;
	ground->lock.readers = 1;
	ground->lock.patrolled_ms = now_ms() - 1000;
}

/* Stopped on its way in, it would keep the writers out. */
static void who_was_let_in_and_does_not_come_is_passed_over(void **state)
{
	struct ground *ground = make_ground(MYRWLOCK_FAIR);
	struct myrwlock_state now;
	uint32_t begun;
	pid_t pid;

	(void)state;
	assert_int_equal(child_fork(do_nothing_for_ever, NULL, &pid), 0);
	/* Until we look in time, on a machine that is busy. */
	do {
		begun = now_ms();
		let_in(ground, pid, 0);
		assert_int_equal(myrwlock_look(&ground->lock, &now), 0);
	} while (now_ms() - begun > ROSTER_ABSENT_MS);
	assert_int_equal(now.readers, 1);
	let_in(ground, pid, 2 * ROSTER_ABSENT_MS);
	assert_int_equal(myrwlock_look(&ground->lock, &now), 0);
	assert_int_equal(now.readers, 0);
	assert_int_equal(myrwlock_trywrlock(&ground->lock), 0);
	assert_int_equal(myrwlock_unlock(&ground->lock), 0);
	kill_and_reap(pid);
	assert_int_equal(myrwlock_destroy(&ground->lock), 0);
	remove_ground(ground);
}

static void more_than_there_is_room_for_wait_outside(void **state)
{
	struct ground *ground = make_ground(MYRWLOCK_READER);
	struct identity_process other;
	struct timespec soon;
	pid_t pid;

	(void)state;
	assert_int_equal(child_fork(do_nothing_for_ever, NULL, &pid), 0);
	assert_int_equal(identity_of(pid, &other), 0);
	for (int i = 0; i < MYRWLOCK_THREADS_MAX; i++) {
		ground->lock.threads[i].id =
			identity_word(&other, 64 - IDENTITY_PID_BITS);
		ground->lock.threads[i].state = ROSTER_READS;
	}
	soon = in_ms(20);
	assert_int_equal(myrwlock_tryrdlock(&ground->lock), EBUSY);
	assert_int_equal(
		myrwlock_clockrdlock(&ground->lock, CLOCK_MONOTONIC, &soon),
		ETIMEDOUT);
	/* All the room there is comes free. */
	kill_and_reap(pid);
	assert_int_equal(take(ground, true), 0);
	assert_int_equal(myrwlock_unlock(&ground->lock), 0);
	assert_int_equal(myrwlock_destroy(&ground->lock), 0);
	remove_ground(ground);
}

static int lock_and_unlock_for_ever(void *arg)
{
	struct ground *ground = arg;
	struct rng rng;
	int rc;

	rng_seed(&rng, (uint64_t)getpid());
	for (;;) {
		bool is_writer = rng_below(&rng, 2) == 0;

		rc = is_writer ? myrwlock_wrlock(&ground->lock)
			       : myrwlock_rdlock(&ground->lock);
		if (rc == EOWNERDEAD && is_writer)
			rc = myrwlock_consistent(&ground->lock);
		if (rc && rc != EOWNERDEAD)
			return 1;
		if (myrwlock_unlock(&ground->lock))
			return 2;
		atomic_store(&ground->is_inside, true);
	}
}

/* Also within the moments when the lock's own mutex is held: whoever comes gets
 * in within a second. */
static void who_comes_gets_in_whenever_others_were_killed(void **state)
{
	const int kills = support_is_stress() ? 1000 : 15;
	int64_t begun, worst = 0;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 8);
	for (int i = 0; i < kills; i++) {
		struct ground *ground = make_ground(i % 3);
		pid_t pid[3];
		int rc;

		for (int k = 0; k < 3; k++)
			assert_int_equal(child_fork(lock_and_unlock_for_ever,
						    ground, &pid[k]),
					 0);
		assert_true(support_wait_until(is_inside, ground, MS));
		tick_sleep_until(
			tick_after((int64_t)rng_below(&rng, 300) * TICK_US));
		kill_and_reap(pid[0]);
		kill_and_reap(pid[1]);
		for (int n = 0; n < 4; n++) {
			begun = tick_now();
			rc = take(ground, n % 2 == 0);
			if (tick_now() - begun > worst)
				worst = tick_now() - begun;
			assert_true(rc == 0 || rc == EOWNERDEAD);
			if (rc && n % 2 == 0)
				assert_int_equal(
					myrwlock_consistent(&ground->lock), 0);
			assert_int_equal(myrwlock_unlock(&ground->lock), 0);
		}
		kill_and_reap(pid[2]);
		remove_ground(ground);
	}
	print_message("%d kills, worst wait %.0f ms\n", 2 * kills,
		      (double)worst / TICK_MS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_keep_each_other_out),
		cmocka_unit_test(child_does_not_hold_what_its_parent_holds),
		cmocka_unit_test(
			fork_gives_the_child_nothing_and_takes_nothing),
		cmocka_unit_test(child_has_a_copy_of_what_is_its_parents_alone),
		cmocka_unit_test(killed_reader_is_not_counted_any_more),
		cmocka_unit_test(
			next_ones_are_told_of_a_killed_writer_until_one_mends),
		cmocka_unit_test(writer_that_does_not_mend_gives_the_lock_up),
		cmocka_unit_test(
			thread_that_ends_holding_it_is_as_dead_as_a_process),
		cmocka_unit_test(
			another_process_with_its_pid_is_not_the_holder),
		cmocka_unit_test(holder_that_is_stopped_holds_it),
		cmocka_unit_test(
			who_was_let_in_and_does_not_come_is_passed_over),
		cmocka_unit_test(more_than_there_is_room_for_wait_outside),
		cmocka_unit_test(who_comes_gets_in_whenever_others_were_killed),
	};
	return SUPPORT_MAIN(tests);
}
