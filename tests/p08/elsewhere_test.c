/* A shared lock is for the PID and time namespace where it was made: elsewhere
 * its pids are those of others. Linked with --wrap=identity_start_time: /proc can
 * hide the caller itself. */
#include "p08-rwlock/myrwlock.h"

#include "tests/lib/identity_fixture.h"

static bool is_start_hidden;

uint64_t __real_identity_start_time(pid_t id);
uint64_t __wrap_identity_start_time(pid_t id);

uint64_t __wrap_identity_start_time(pid_t id)
{
	return is_start_hidden ? 0 : __real_identity_start_time(id);
}

static int use_it(struct myrwlock *lock, int wanted)
{
	struct timespec soon = tick_to_timespec(tick_after(100 * TICK_MS));

	EXPECT(myrwlock_rdlock(lock) == wanted);
	EXPECT(myrwlock_tryrdlock(lock) == wanted);
	EXPECT(myrwlock_wrlock(lock) == wanted);
	EXPECT(myrwlock_clockwrlock(lock, CLOCK_MONOTONIC, &soon) == wanted);
	EXPECT(myrwlock_unlock(lock) == wanted);
	EXPECT(myrwlock_downgrade(lock) == wanted);
	return 0;
}

static int is_refused(void *lock)
{
	return use_it(lock, EXDEV);
}

static int cannot_tell_where_it_is(void *lock)
{
	struct myrwlock_attr attr;
	struct myrwlock other;

	myrwlock_attr_init(&attr);
	myrwlock_attr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
	EXPECT(myrwlock_init(&other, &attr) == ENOSYS);
	return use_it(lock, ENOSYS);
}

static int has_no_start(void *lock)
{
	is_start_hidden = true;
	return use_it(lock, ENOSYS);
}

static struct myrwlock *make_lock(void)
{
	struct myrwlock *lock = shared_memory(sizeof(*lock));
	struct myrwlock_attr attr;

	assert_int_equal(myrwlock_attr_init(&attr), 0);
	assert_int_equal(
		myrwlock_attr_setpshared(&attr, PTHREAD_PROCESS_SHARED), 0);
	assert_int_equal(myrwlock_init(lock, &attr), 0);
	return lock;
}

/* Its entry would be nobody's, and the lock free. */
static void who_cannot_tell_its_start_is_refused(void **state)
{
	struct myrwlock *lock = make_lock();

	(void)state;
	assert_int_equal(support_child_status(has_no_start, lock, CHILD_MS), 0);
	assert_int_equal(myrwlock_destroy(lock), 0);
	munmap(lock, sizeof(*lock));
}

static void who_comes_from_elsewhere_is_refused(void **state)
{
	struct inside cases[] = {
		{.flags = CLONE_NEWPID | CLONE_NEWNS, .body = is_refused},
		{.flags = CLONE_NEWTIME,
		 .time_offset = "boottime 1000 0",
		 .body = is_refused},
		{.flags = CLONE_NEWPID | CLONE_NEWNS,
		 .keeps_proc = true,
		 .body = cannot_tell_where_it_is},
	};
	struct myrwlock *lock = make_lock();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cases[i].arg = lock;
		assert_int_equal(status_inside(cases[i]), 0);
		/* And nothing has come of it. */
		assert_int_equal(myrwlock_wrlock(lock), 0);
		assert_int_equal(myrwlock_unlock(lock), 0);
	}
	assert_int_equal(myrwlock_destroy(lock), 0);
	munmap(lock, sizeof(*lock));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_cannot_tell_its_start_is_refused),
		cmocka_unit_test(who_comes_from_elsewhere_is_refused),
	};
	return SUPPORT_MAIN(tests);
}
