/* A name in shared memory: lib/shmname.h. Linked with --wrap=lstat: the name can
 * be gone whenever it is looked at. */
#include "lib/shmname.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tick.h"

#define NAME "/lib-shmname-test"
#define PATH "/dev/shm" NAME

enum { BYTE = 100 };

static bool is_always_gone;

int __real_lstat(const char *path, struct stat *st);
int __wrap_lstat(const char *path, struct stat *st);

int __wrap_lstat(const char *path, struct stat *st)
{
	if (!is_always_gone)
		return __real_lstat(path, st);
	errno = ENOENT;
	return -1;
}

static int enter(struct identity_role *role, mode_t mode)
{
	return shmname_enter(role, NAME, mode, false, BYTE,
			     tick_after(20 * TICK_S));
}

static void lock_is_held_by_one_until_it_closes(void **state)
{
	struct identity_role role, other;

	(void)state;
	assert_int_equal(enter(&role, 0), -ENOENT);
	assert_int_equal(enter(&role, 0600), 0);
	assert_int_equal(shmname_enter(&other, NAME, 0600, false, BYTE,
				       tick_after(TICK_MS)),
			 -ETIMEDOUT);
	assert_int_equal(shmname_enter(&other, NAME, 0, false, BYTE + 1, 0), 0);
	identity_role_close(&other);
	identity_role_close(&role);
	assert_int_equal(enter(&role, 0), 0);
	assert_int_equal(shmname_remove(&role, NAME), 0);
	assert_true(shmname_is_lost(&role, NAME));
	assert_int_equal(shmname_remove(&role, NAME), -ESTALE);
	identity_role_close(&role);
}

static void name_that_leads_elsewhere_is_lost_and_not_removed(void **state)
{
	struct identity_role role, other;

	(void)state;
	assert_int_equal(enter(&role, 0600), 0);
	assert_false(shmname_is_lost(&role, NAME));
	assert_int_equal(shm_unlink(NAME), 0);
	assert_int_equal(enter(&other, 0600), 0);
	assert_true(shmname_is_lost(&role, NAME));
	assert_false(shmname_is_lost(&other, NAME));
	assert_int_equal(shmname_remove(&role, NAME), -ESTALE);
	assert_int_equal(access(PATH, F_OK), 0);
	assert_int_equal(shmname_remove(&other, NAME), 0);
	identity_role_close(&role);
	identity_role_close(&other);
}

/* Who waits for the lock of an object whose name goes meanwhile gets the next. */
static int remove_and_close(void *arg)
{
	int *ready = arg;
	struct identity_role role;

	if (enter(&role, 0600) || write(*ready, "", 1) != 1)
		return 1;
	/* Not before the other waits, as far as that can be seen; it holds in
	 * either order. */
	tick_sleep_until(tick_after(20 * TICK_MS));
	return shmname_remove(&role, NAME) != 0;
}

static void waiter_is_let_into_what_the_name_leads_to_then(void **state)
{
	struct identity_role role;
	int ready;
	pid_t pid = support_start(remove_and_close, &ready, &ready, 20000);

	(void)state;
	assert_int_equal(enter(&role, 0600), 0);
	assert_false(shmname_is_lost(&role, NAME));
	assert_int_equal(shmname_remove(&role, NAME), 0);
	identity_role_close(&role);
	support_kill(&pid);
}

/* Somebody can remove it each time that we come: we do not try for ever. */
static void name_that_always_goes_is_given_up(void **state)
{
	int before = support_count_fds(), error;
	struct identity_role role;

	(void)state;
	is_always_gone = true;
	error = enter(&role, 0600);
	is_always_gone = false;
	assert_int_equal(error, -ETIMEDOUT);
	assert_int_equal(support_count_fds(), before);
	assert_int_equal(shm_unlink(NAME), 0);
}

static void what_is_not_to_be_trusted_is_refused(void **state)
{
	struct identity_role role;

	(void)state;
	assert_int_equal(mkdir(PATH, 0700), 0);
	assert_int_equal(enter(&role, 0600), -EBADMSG);
	assert_int_equal(rmdir(PATH), 0);
	assert_int_equal(mkfifo(PATH, 0600), 0);
	assert_int_equal(enter(&role, 0600), -EBADMSG);
	assert_int_equal(unlink(PATH), 0);
	assert_int_equal(symlink("/dev/null", PATH), 0);
	assert_int_equal(enter(&role, 0600), -ELOOP);
	assert_int_equal(unlink(PATH), 0);
	assert_int_equal(enter(&role, 0644), -EPERM);
	assert_int_equal(shm_unlink(NAME), 0);
}

static void object_of_another_user_is_anybodys_or_refused(void **state)
{
	struct identity_role role;

	(void)state;
	support_need_second_user();
	assert_int_equal(enter(&role, 0600), 0);
	identity_role_close(&role);
	assert_int_equal(chown(PATH, 65534, (gid_t)-1), 0);
	assert_int_equal(enter(&role, 0600), -EACCES);
	assert_int_equal(
		shmname_enter(&role, NAME, 0, true, BYTE, tick_after(TICK_S)),
		0);
	assert_int_equal(shmname_remove(&role, NAME), 0);
	identity_role_close(&role);
}

static int enter_as_another_user(void *arg)
{
	struct identity_role role;

	(void)arg;
	return setuid(65534) || enter(&role, 0);
}

static void object_of_root_is_trusted(void **state)
{
	struct identity_role role;

	(void)state;
	support_need_second_user();
	assert_int_equal(enter(&role, 0600), 0);
	assert_int_equal(fchmod(role.fd, 0666), 0);
	identity_role_close(&role);
	assert_int_equal(
		support_child_status(enter_as_another_user, NULL, 20000), 0);
	assert_int_equal(shm_unlink(NAME), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lock_is_held_by_one_until_it_closes),
		cmocka_unit_test(
			name_that_leads_elsewhere_is_lost_and_not_removed),
		cmocka_unit_test(
			waiter_is_let_into_what_the_name_leads_to_then),
		cmocka_unit_test(name_that_always_goes_is_given_up),
		cmocka_unit_test(what_is_not_to_be_trusted_is_refused),
		cmocka_unit_test(object_of_another_user_is_anybodys_or_refused),
		cmocka_unit_test(object_of_root_is_trusted),
	};

	return SUPPORT_MAIN(tests);
}
