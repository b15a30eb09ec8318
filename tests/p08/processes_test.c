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
#include "p08-rwlock/cmd/scene.h"
#include "tests/support/leftover.h"
#include "tests/support/support.h"

enum { MS = 30000 };

/* Mapped by all. */
struct ground {
	struct myrwlock lock;
	struct scene scene;
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
		if (rc || !scene_enter(&ground->scene, is_writer))
			return 1;
		if (is_writer)
			atomic_fetch_add(&ground->writes, 1);
		if (rng_below(&rng, 100) == 0)
			tick_sleep_until(tick_after(50 * TICK_US));
		if (!scene_leave(&ground->scene, is_writer) ||
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
		assert_int_equal(ground->scene.half,
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

static void killed_writer_keeps_it_and_deadlines_still_end(void **state)
{
	struct ground *ground = make_ground(MYRWLOCK_FAIR);
	struct timespec soon;
	pid_t pid;

	(void)state;
	assert_int_equal(child_fork(hold_for_ever, ground, &pid), 0);
	assert_true(support_wait_until(is_inside, ground, MS));
	kill_and_reap(pid);
	soon = in_ms(20);
	assert_int_equal(
		myrwlock_clockrdlock(&ground->lock, CLOCK_MONOTONIC, &soon),
		ETIMEDOUT);
	soon = in_ms(20);
	assert_int_equal(
		myrwlock_clockwrlock(&ground->lock, CLOCK_MONOTONIC, &soon),
		ETIMEDOUT);
	assert_int_equal(myrwlock_tryrdlock(&ground->lock), EBUSY);
	assert_int_equal(myrwlock_destroy(&ground->lock), EBUSY);
	/* Nobody uses it: to make it anew is all that helps. */
	assert_int_equal(myrwlock_init(&ground->lock, NULL), 0);
	assert_int_equal(myrwlock_wrlock(&ground->lock), 0);
	assert_int_equal(myrwlock_unlock(&ground->lock), 0);
	remove_ground(ground);
}

static int lock_and_unlock_for_ever(void *arg)
{
	struct ground *ground = arg;

	for (;;) {
		if (myrwlock_wrlock(&ground->lock) ||
		    myrwlock_unlock(&ground->lock) ||
		    myrwlock_rdlock(&ground->lock) ||
		    myrwlock_unlock(&ground->lock))
			return 1;
		atomic_store(&ground->is_inside, true);
	}
}

/* Also within the moments when the lock's own mutexes are held. */
static void deadlines_end_whenever_others_were_killed(void **state)
{
	const int kills = support_is_stress() ? 2000 : 30;
	struct rng rng;

	(void)state;
	rng_seed(&rng, 8);
	for (int i = 0; i < kills; i++) {
		struct ground *ground = make_ground(i % 3);
		struct timespec soon;
		pid_t pid[2];
		int rc;

		for (int k = 0; k < 2; k++)
			assert_int_equal(child_fork(lock_and_unlock_for_ever,
						    ground, &pid[k]),
					 0);
		assert_true(support_wait_until(is_inside, ground, MS));
		tick_sleep_until(
			tick_after((int64_t)rng_below(&rng, 300) * TICK_US));
		for (int k = 0; k < 2; k++)
			kill_and_reap(pid[k]);
		soon = in_ms(2);
		rc = myrwlock_clockwrlock(&ground->lock, CLOCK_MONOTONIC,
					  &soon);
		assert_true(rc == 0 || rc == ETIMEDOUT);
		if (rc == 0)
			assert_int_equal(myrwlock_unlock(&ground->lock), 0);
		remove_ground(ground);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(processes_keep_each_other_out),
		cmocka_unit_test(child_does_not_hold_what_its_parent_holds),
		cmocka_unit_test(
			killed_writer_keeps_it_and_deadlines_still_end),
		cmocka_unit_test(deadlines_end_whenever_others_were_killed),
	};
	return SUPPORT_MAIN(tests);
}
