/* How a pool is made and found, and what it does not take for one. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "p10-sempool/memory.h"
#include "tests/lib/identity_fixture.h"
#include "tests/p10/fixture.h"
#include "tests/support/interrupt.h"

/* Another user opens: --wrap=geteuid. */
static uid_t user_offset;

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);

uid_t __wrap_geteuid(void)
{
	return __real_geteuid() + user_offset;
}

/* /proc does not show who we are: --wrap=identity_self. */
static bool is_unknown;

int __real_identity_self(struct identity_process *self);
int __wrap_identity_self(struct identity_process *self);

int __wrap_identity_self(struct identity_process *self)
{
	return is_unknown ? -ENOSYS : __real_identity_self(self);
}

static int acquire_unknown(void *arg)
{
	struct fixture *fixture = arg;
	struct sempool_lease lease;

	is_unknown = true;
	if (sempool_try_acquire(&fixture->pool, &lease) != -ENOSYS)
		return 1;
	return sempool_acquire_until(&fixture->pool, &lease,
				     tick_after(LIMIT)) != -ENOSYS;
}

static void child_that_does_not_know_who_it_is_gets_nothing(void **state)
{
	struct fixture fixture;
	struct sempool_state look;

	(void)state;
	fixture_make(&fixture, 1);
	assert_int_equal(support_child_status(acquire_unknown, &fixture, 20000),
			 0);
	/* And costs nothing. */
	sempool_look(&fixture.pool, &look);
	assert_int_equal(look.units, 1);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void bad_numbers_and_names_are_refused(void **state)
{
	static const char *const names[] = {"", "pool", "/", "/a/b", "/.."};
	struct fixture fixture;
	struct sempool pool;
	bool is_taken_over;

	(void)state;
	fixture_begin(&fixture);
	assert_int_equal(sempool_create(&pool, fixture.name, 0, &is_taken_over),
			 -EINVAL);
	assert_int_equal(sempool_create(&pool, fixture.name, SEMPOOL_MAX + 1,
					&is_taken_over),
			 -EINVAL);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(
			sempool_create(&pool, names[i], 1, &is_taken_over),
			-EINVAL);
		assert_int_equal(sempool_open(&pool, names[i], 0), -EINVAL);
	}
	assert_int_equal(sempool_open(&pool, fixture.name, 0), -ENOENT);
	fixture_end(&fixture);
	fixture_make(&fixture, SEMPOOL_MAX);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void closing_twice_or_after_a_failure_is_nothing(void **state)
{
	struct fixture fixture;
	struct sempool pool;

	(void)state;
	fixture_begin(&fixture);
	memset(&pool, 0xff, sizeof(pool));
	assert_int_equal(sempool_open(&pool, fixture.name, 0), -ENOENT);
	sempool_close(&pool);
	memset(&pool, 0xff, sizeof(pool));
	assert_int_equal(sempool_create(&pool, "/", 1, &(bool){0}), -EINVAL);
	sempool_close(&pool);
	fixture_end(&fixture);
	fixture_make(&fixture, 1);
	assert_int_equal(sempool_remove(&fixture.pool), 0);
	for (int i = 0; i < 2; i++)
		sempool_close(&fixture.pool);
	fixture_end(&fixture);
}

static int create_late(void *arg)
{
	struct fixture *fixture = arg;
	bool is_taken_over;

	tick_sleep_until(tick_after(20 * TICK_MS));
	return sempool_create(&fixture->pool, fixture->name, 2, &is_taken_over);
}

static void opener_waits_for_the_manager_to_make_it(void **state)
{
	struct fixture fixture;
	struct sempool_state look;
	pid_t pid = 0;
	bool is_taken_over = false;

	(void)state;
	fixture_begin(&fixture);
	assert_int_equal(child_fork(create_late, &fixture, &pid), 0);
	assert_int_equal(
		sempool_open(&fixture.pool, fixture.name, tick_after(LIMIT)),
		0);
	assert_int_equal(fixture.pool.slots, 2);
	assert_int_equal(fixture_reap(&fixture, pid), 0);
	sempool_close(&fixture.pool);
	/* Its manager has ended without removing it: it is there to be had. */
	assert_int_equal(
		sempool_create(&fixture.pool, fixture.name, 3, &is_taken_over),
		-ERANGE);
	assert_int_equal(fixture.pool.slots, 2);
	assert_int_equal(
		sempool_create(&fixture.pool, fixture.name, 2, &is_taken_over),
		0);
	assert_true(is_taken_over);
	sempool_look(&fixture.pool, &look);
	assert_int_equal(look.manager, getpid());
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void handler_ends_the_wait_for_a_pool(void **state)
{
	struct fixture fixture;
	struct sempool pool;

	(void)state;
	fixture_begin(&fixture);
	interrupt_start();
	assert_int_equal(sempool_open(&pool, fixture.name, tick_after(LIMIT)),
			 -EINTR);
	interrupt_stop();
	fixture_end(&fixture);
}

/* ---- between two steps: --wrap=identity_role_take, --wrap=posix_fallocate ---- */

/* Goes, with its name, before somebody else has the role of its manager. */
static struct sempool *removed;

int __real_identity_role_take(const struct identity_role *role, int64_t byte);
int __wrap_identity_role_take(const struct identity_role *role, int64_t byte);

int __wrap_identity_role_take(const struct identity_role *role, int64_t byte)
{
	struct sempool *pool = removed;

	removed = NULL;
	if (pool) {
		shm_unlink(pool->name);
		sempool_close(pool);
	}
	return __real_identity_role_take(role, byte);
}

/* So often a handler runs meanwhile. */
static int interrupts;

int __real_posix_fallocate(int fd, off_t at, off_t len);
int __wrap_posix_fallocate(int fd, off_t at, off_t len);

int __wrap_posix_fallocate(int fd, off_t at, off_t len)
{
	return interrupts && interrupts-- ? EINTR
					  : __real_posix_fallocate(fd, at, len);
}

static void pool_that_goes_as_it_is_taken_over_is_made_anew(void **state)
{
	struct fixture fixture;
	struct sempool old;
	bool is_taken_over = true;

	(void)state;
	fixture_make(&fixture, 2);
	old = fixture.pool;
	removed = &old;
	assert_int_equal(
		sempool_create(&fixture.pool, fixture.name, 3, &is_taken_over),
		0);
	assert_false(is_taken_over);
	assert_int_equal(sempool_check(&fixture.pool), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void handlers_do_not_keep_a_pool_from_being_made(void **state)
{
	struct fixture fixture;

	(void)state;
	interrupts = 2;
	fixture_make(&fixture, 2);
	assert_int_equal(interrupts, 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void second_manager_is_refused(void **state)
{
	struct fixture fixture;
	struct sempool second;
	bool is_taken_over;

	(void)state;
	fixture_make(&fixture, 2);
	assert_int_equal(
		sempool_create(&second, fixture.name, 2, &is_taken_over),
		-EBUSY);
	assert_int_equal(sempool_open(&second, fixture.name, 0), 0);
	sempool_close(&second);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static int create_and_hold(void *arg)
{
	struct fixture *fixture = arg;
	bool is_taken_over;
	int rc = sempool_create(&fixture->pool, fixture->name, 2,
				&is_taken_over);

	if (rc)
		return rc == -EBUSY ? 1 : 2;
	for (;;)
		pause();
}

static void one_of_many_managers_at_once_makes_it(void **state)
{
	enum { MANY = 4, ROUNDS = 20 };
	struct fixture fixture;
	bool is_taken_over;

	(void)state;
	fixture_begin(&fixture);
	for (int round = 0; round < ROUNDS; round++) {
		pid_t pid[MANY] = {0};
		int made = 0, status, left = MANY;
		int64_t give_up = tick_after(LIMIT);

		for (int i = 0; i < MANY; i++)
			assert_int_equal(
				child_fork(create_and_hold, &fixture, &pid[i]),
				0);
		/* All but one end. */
		while (left > 1 && !tick_is_over(give_up))
			for (int i = 0; i < MANY; i++)
				if (pid[i] && !child_wait(pid[i], 0, &status)) {
					assert_int_equal(
						child_exit_code(status), 1);
					pid[i] = 0;
					left--;
				}
		for (int i = 0; i < MANY; i++)
			if (pid[i]) {
				made++;
				child_end(pid[i], 0, &status);
			}
		assert_int_equal(made, 1);
	}
	assert_int_equal(
		sempool_create(&fixture.pool, fixture.name, 2, &is_taken_over),
		0);
	assert_true(is_taken_over);
	fixture_remove(&fixture);
}

/* What another program could have under that name. */
static void put_there(const char *name, const void *bytes, size_t len,
		      size_t size)
{
	int fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	assert_int_equal(pwrite(fd, bytes, len, 0), len);
	close(fd);
}

static void memory_of_something_else_is_left_alone(void **state)
{
	/* The third and the fourth could be of a pool. */
	static const size_t sizes[] = {
		8, 64,
		sizeof(struct sempool_memory) +
			(1 + SEMPOOL_WAITERS) * sizeof(struct entry),
		17 * 4096, 10000000};
	struct fixture fixture;
	struct sempool pool;
	bool is_taken_over;
	int fd;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		const char *text = i % 2 ? "otherwise" : "\0\0\0\0\0\0\0\0";
		size_t size = sizes[i / 2];

		fixture_begin(&fixture);
		put_there(fixture.name, text, 8, size);
		assert_int_equal(
			sempool_create(&pool, fixture.name, 1, &is_taken_over),
			-EEXIST);
		assert_int_equal(sempool_open(&pool, fixture.name, 0),
				 -EBADMSG);
		fd = shm_open(fixture.name, O_RDONLY, 0);
		assert_int_equal(lseek(fd, 0, SEEK_END), size);
		close(fd);
		assert_int_equal(shm_unlink(fixture.name), 0);
		fixture_end(&fixture);
	}
}

static void pools_of_other_versions_and_namespaces_are_refused(void **state)
{
	struct fixture fixture;
	struct sempool_memory *memory;
	struct sempool pool;

	(void)state;
	fixture_make(&fixture, 2);
	memory = fixture.pool.memory;
	memory->version++;
	assert_int_equal(sempool_open(&pool, fixture.name, 0), -ENOTSUP);
	memory->version--;
	memory->waiters--;
	assert_int_equal(sempool_open(&pool, fixture.name, 0), -ENOTSUP);
	memory->waiters++;
	memory->slots++;
	assert_int_equal(sempool_open(&pool, fixture.name, 0), -EBADMSG);
	memory->slots--;
	memory->made.pid.inode++;
	assert_int_equal(sempool_open(&pool, fixture.name, 0), -EXDEV);
	memory->made.pid.inode--;
	memory->made.boot[0]++;
	assert_int_equal(sempool_open(&pool, fixture.name, 0), -EXDEV);
	memory->made.boot[0]--;
	fixture_remove(&fixture);
}

static void pool_of_another_user_is_refused(void **state)
{
	struct fixture fixture;
	struct sempool pool;
	bool is_taken_over;
	int opened, made;

	(void)state;
	fixture_make(&fixture, 2);
	user_offset = 1;
	opened = sempool_open(&pool, fixture.name, 0);
	made = sempool_create(&pool, fixture.name, 2, &is_taken_over);
	user_offset = 0;
	assert_int_equal(opened, -EACCES);
	assert_int_equal(made, -EACCES);
	fixture_remove(&fixture);
}

/* ---- in other namespaces ---- */

static int open_and_create(void *arg)
{
	const struct fixture *fixture = arg;
	struct sempool pool;
	bool is_taken_over;
	int opened = sempool_open(&pool, fixture->name, 0);
	int made = sempool_create(&pool, fixture->name, 2, &is_taken_over);

	EXPECT(opened == -EXDEV);
	EXPECT(made == (fixture->pool.role.fd < 0 ? -EXDEV : -EBUSY));
	return 0;
}

static int open_and_create_blindly(void *arg)
{
	const struct fixture *fixture = arg;
	struct sempool pool;
	bool is_taken_over;

	EXPECT(sempool_open(&pool, fixture->name, 0) == -ENOSYS);
	EXPECT(sempool_create(&pool, fixture->name, 2, &is_taken_over) ==
	       -ENOSYS);
	return 0;
}

static void pool_of_another_namespace_is_refused(void **state)
{
	static const int flags[] = {CLONE_NEWPID | CLONE_NEWNS, CLONE_NEWTIME};
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 2);
	for (int i = 0; i < 2; i++) {
		struct inside inside = {.flags = flags[i],
					.body = open_and_create,
					.arg = &fixture};
		bool is_taken_over;

		/* While its manager lives, which the kernel tells anybody. */
		assert_int_equal(status_inside(inside), 0);
		sempool_close(&fixture.pool);
		/* And when nobody is its manager. */
		assert_int_equal(status_inside(inside), 0);
		assert_int_equal(sempool_create(&fixture.pool, fixture.name, 2,
						&is_taken_over),
				 0);
		assert_true(is_taken_over);
	}
	fixture_remove(&fixture);
}

static void proc_of_another_pid_namespace_is_of_no_use(void **state)
{
	struct fixture fixture;
	struct inside inside = {.flags = CLONE_NEWPID,
				.keeps_proc = true,
				.body = open_and_create_blindly,
				.arg = &fixture};

	(void)state;
	fixture_make(&fixture, 2);
	assert_int_equal(status_inside(inside), 0);
	fixture_remove(&fixture);
}

/* ---- descriptors ---- */

static int work_without_streams(void *arg)
{
	struct fixture *fixture = arg;
	struct sempool *pool = &fixture->pool;
	struct sempool_lease lease;

	close(0);
	close(1);
	EXPECT(sempool_open(pool, fixture->name, 0) == 0);
	EXPECT(pool->role.fd > 2);
	EXPECT(sempool_acquire(pool, &lease) == 0);
	EXPECT(sempool_hand_down(pool, &lease) == 0);
	EXPECT(lease.lock > 2);
	EXPECT(sempool_release(pool, &lease) == 0);
	sempool_close(pool);
	return 0;
}

static void standard_streams_that_are_closed_stay_so(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 1);
	assert_int_equal(support_child_status(work_without_streams, &fixture,
					      LIMIT / TICK_MS),
			 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static int look_without_room(void *arg)
{
	struct fixture *fixture = arg;
	struct rlimit none = {0};

	EXPECT(setrlimit(RLIMIT_NOFILE, &none) == 0);
	EXPECT(sempool_check(&fixture->pool) == 0);
	return 0;
}

static void no_room_for_descriptors_is_no_answer_about_the_pool(void **state)
{
	struct fixture fixture;

	(void)state;
	support_need_no_valgrind("it keeps that limit itself");
	fixture_make(&fixture, 1);
	assert_int_equal(support_child_status(look_without_room, &fixture,
					      LIMIT / TICK_MS),
			 0);
	fixture_remove(&fixture);
}

/* Whether others have the lock of its slot cannot be seen any more. */
static int hand_down_and_lose(void *arg)
{
	struct fixture *fixture = arg;
	struct sempool *pool = &fixture->pool;
	struct sempool_lease lease;

	EXPECT(sempool_acquire(pool, &lease) == 0);
	EXPECT(sempool_hand_down(pool, &lease) == 0);
	close_range(3, ~0U, 0);
	EXPECT(sempool_release(pool, &lease) == SEMPOOL_LEFT);
	EXPECT(fixture_reclaim(pool) == 0);
	EXPECT(sempool_count_free(pool) == 0);
	return 0;
}

static void in_doubt_a_slot_is_in_use(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 1);
	assert_int_equal(support_child_status(hand_down_and_lose, &fixture,
					      LIMIT / TICK_MS),
			 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

/* ---- a handle that has lost its descriptor, a name that is another's ---- */

static int lose_the_descriptor(void *arg)
{
	struct fixture *fixture = arg;
	struct sempool *pool = &fixture->pool;
	int fd = pool->role.fd;
	struct sempool_lease held, lease;

	EXPECT(sempool_acquire(pool, &held) == 0);
	close_range(3, ~0U, 0);
	EXPECT(sempool_check(pool) == -EBADF);
	EXPECT(sempool_acquire_until(pool, &lease, tick_after(LIMIT)) ==
	       -EBADF);
	EXPECT(sempool_hand_down(pool, &held) == -EBADF);
	/* Another file has the number. */
	EXPECT(dup2(open("/dev/null", O_RDWR), fd) == fd);
	EXPECT(sempool_check(pool) == -ESTALE);
	EXPECT(sempool_acquire_until(pool, &lease, tick_after(LIMIT)) ==
	       -ESTALE);
	EXPECT(sempool_hand_down(pool, &held) == -ESTALE);
	EXPECT(sempool_release(pool, &held) == 0);
	sempool_close(pool);
	EXPECT(fcntl(fd, F_GETFD) >= 0);
	return 0;
}

static void lost_descriptor_is_told_and_no_answer_about_the_pool(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 1);
	assert_int_equal(support_child_status(lose_the_descriptor, &fixture,
					      LIMIT / TICK_MS),
			 0);
	assert_int_equal(sempool_check(&fixture.pool), 0);
	fixture_assert_whole(&fixture.pool);
	fixture_remove(&fixture);
}

static void name_that_is_anothers_by_now_is_told_and_left_alone(void **state)
{
	char path[128], aside[160];
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 1);
	snprintf(path, sizeof(path), "/dev/shm%s", fixture.name);
	snprintf(aside, sizeof(aside), "%s.aside", path);
	assert_int_equal(rename(path, aside), 0);
	assert_int_equal(sempool_check(&fixture.pool), -EIDRM);
	put_there(fixture.name, "another", 7, 64);
	assert_int_equal(sempool_check(&fixture.pool), -EIDRM);
	assert_int_equal(sempool_remove(&fixture.pool), 0);
	sempool_close(&fixture.pool);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(unlink(aside), 0);
	fixture_end(&fixture);
}

static int is_named(const struct objname_entry *entry, void *arg)
{
	return strcmp(entry->name, arg) == 0;
}

static void library_writes_no_ledger(void **state)
{
	struct fixture fixture;

	(void)state;
	fixture_make(&fixture, 1);
	assert_int_equal(objname_each(is_named, fixture.name), 0);
	fixture_remove(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bad_numbers_and_names_are_refused),
		cmocka_unit_test(closing_twice_or_after_a_failure_is_nothing),
		cmocka_unit_test(
			child_that_does_not_know_who_it_is_gets_nothing),
		cmocka_unit_test(opener_waits_for_the_manager_to_make_it),
		cmocka_unit_test(handler_ends_the_wait_for_a_pool),
		cmocka_unit_test(
			pool_that_goes_as_it_is_taken_over_is_made_anew),
		cmocka_unit_test(handlers_do_not_keep_a_pool_from_being_made),
		cmocka_unit_test(second_manager_is_refused),
		cmocka_unit_test(one_of_many_managers_at_once_makes_it),
		cmocka_unit_test(memory_of_something_else_is_left_alone),
		cmocka_unit_test(
			pools_of_other_versions_and_namespaces_are_refused),
		cmocka_unit_test(pool_of_another_user_is_refused),
		cmocka_unit_test(pool_of_another_namespace_is_refused),
		cmocka_unit_test(proc_of_another_pid_namespace_is_of_no_use),
		cmocka_unit_test(standard_streams_that_are_closed_stay_so),
		cmocka_unit_test(
			no_room_for_descriptors_is_no_answer_about_the_pool),
		cmocka_unit_test(in_doubt_a_slot_is_in_use),
		cmocka_unit_test(
			lost_descriptor_is_told_and_no_answer_about_the_pool),
		cmocka_unit_test(
			name_that_is_anothers_by_now_is_told_and_left_alone),
		cmocka_unit_test(library_writes_no_ledger),
	};
	return SUPPORT_MAIN(tests);
}
