/* What other processes have claimed: of the living, of the dead, and of those
 * that come and go. Linked with --wrap as the fixture says, and with
 * --wrap=symlinkat, in front of which a case may do what another process
 * would. */
#include "tests/lib_objname_fixture.h"

#include <errno.h>
#include <sys/mman.h>

#include "lib/child.h"
#include "lib/tick.h"

static int removals; /* of the folder by others, still to come */

int __real_symlinkat(const char *text, int fd, const char *name);
int __wrap_symlinkat(const char *text, int fd, const char *name);
int __wrap_symlinkat(const char *text, int fd, const char *name)
{
	if (removals > 0 && removals--)
		__real_rmdir(ledger);
	return __real_symlinkat(text, fd, name);
}

static int claim_and_end(void *name)
{
	return objname_claim(OBJNAME_SHM, name) ? 1 : 0;
}

static void what_a_dead_owner_had_is_taken_over(void **state)
{
	struct seen seen;

	(void)state;
	assert_int_equal(support_child_status(claim_and_end, "/x", 10000), 0);
	seen = look();
	assert_int_equal(seen.n, 1);
	assert_false(objname_owner_is_alive(&seen.entries[0]));
	assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), 0);
	seen = look();
	assert_int_equal(seen.n, 1);
	assert_int_equal(seen.entries[0].owner, getpid());
}

static void what_a_dead_owner_had_is_struck_off(void **state)
{
	(void)state;
	assert_int_equal(support_child_status(claim_and_end, "/x", 10000), 0);
	assert_int_equal(objname_release(OBJNAME_SHM, "/x"), 0);
	assert_false(is_there(ledger));
}

/* Claims /x and makes it, says so, and lives until it is told to end. */
static int own_until_told(void *arg)
{
	int *pipes = arg;
	char byte = 0;
	int fd;

	if (objname_claim(OBJNAME_SHM, "/ipc.test.x"))
		return 1;
	fd = shm_open("/ipc.test.x", O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || write(pipes[3], &byte, 1) != 1)
		return 2;
	close(fd);
	close(pipes[1]); /* else there is no end of file */
	return read(pipes[0], &byte, 1) == 0 ? 0 : 3;
}

static void what_a_living_owner_has_stays_its_own(void **state)
{
	int pipes[4], status;
	char byte;
	pid_t pid;

	(void)state;
	shm_unlink("/ipc.test.x");
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(pipe(pipes + 2), 0);
	assert_int_equal(child_fork(own_until_told, pipes, &pid), 0);
	assert_int_equal(read(pipes[2], &byte, 1), 1);

	assert_int_equal(objname_claim(OBJNAME_SHM, "/ipc.test.x"), -EEXIST);
	assert_int_equal(objname_release(OBJNAME_SHM, "/ipc.test.x"), -EBUSY);
	assert_int_equal(look().entries[0].owner, pid);
	/* Whoever removes the object may strike it off. */
	assert_int_equal(shm_unlink("/ipc.test.x"), 0);
	assert_int_equal(objname_release(OBJNAME_SHM, "/ipc.test.x"), 0);
	assert_int_equal(look().n, 0);

	for (int i = 0; i < 4; i++)
		close(pipes[i]);
	assert_int_equal(child_wait(pid, tick_after(10 * TICK_S), &status), 0);
	assert_int_equal(status, 0);
}

static void folder_that_goes_before_the_claim_is_made_again(void **state)
{
	(void)state;
	removals = 3;
	assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), 0);
	assert_int_equal(removals, 0);
	assert_int_equal(look().n, 1);
	assert_int_equal(objname_release(OBJNAME_SHM, "/x"), 0);
	removals = 1000; /* every time: give up in the end */
	assert_int_equal(objname_claim(OBJNAME_SHM, "/x"), -EAGAIN);
	removals = 0;
}

static int claim_and_release_often(void *arg)
{
	char name[32];
	int rounds = support_is_stress() ? 5000 : 300;

	(void)arg;
	for (int i = 0; i < rounds; i++) {
		snprintf(name, sizeof(name), "/%d.%d", (int)getpid(), i % 3);
		if (objname_claim(OBJNAME_SHM, name))
			return 1;
		if (objname_release(OBJNAME_SHM, name))
			return 2;
	}
	return 0;
}

static void processes_that_come_and_go_lose_no_claim(void **state)
{
	enum { CHILDREN = 4 };
	pid_t pids[CHILDREN];
	int status;

	(void)state;
	for (int i = 0; i < CHILDREN; i++)
		assert_int_equal(
			child_fork(claim_and_release_often, NULL, &pids[i]), 0);
	for (int i = 0; i < CHILDREN; i++) {
		assert_int_equal(
			child_wait(pids[i], tick_after(60 * TICK_S), &status),
			0);
		assert_int_equal(status, 0);
	}
	assert_false(is_there(ledger));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		IN_SCRATCH(what_a_dead_owner_had_is_taken_over),
		IN_SCRATCH(what_a_dead_owner_had_is_struck_off),
		IN_SCRATCH(what_a_living_owner_has_stays_its_own),
		IN_SCRATCH(folder_that_goes_before_the_claim_is_made_again),
		IN_SCRATCH(processes_that_come_and_go_lose_no_claim),
	};

	return SUPPORT_MAIN(tests);
}
