/* How descriptors come to be: their numbers and their flags. */
#include "lib/fdio.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/tick.h"
#include "tests/support/scratch.h"

enum { CHILD_MS = 20000 };

static void make_pipe(int fds[2])
{
	assert_int_equal(fdio_pipe(fds), 0);
}

static void close_both(int fds[2])
{
	assert_int_equal(fdio_close(&fds[0]), 0);
	assert_int_equal(fdio_close(&fds[1]), 0);
}

static bool has_cloexec(int fd)
{
	return fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static void pipe_is_close_on_exec(void **state)
{
	int fds[2];

	(void)state;
	make_pipe(fds);
	assert_true(has_cloexec(fds[0]));
	assert_true(has_cloexec(fds[1]));
	close_both(fds);
}

/* The bits of *arg: which of 0, 1, 2 are closed first. */
static int pipe_with_closed_std(void *arg)
{
	int fds[2];

	for (int fd = 0; fd < 3; fd++)
		if (*(int *)arg & 1 << fd)
			close(fd);
	if (fdio_pipe(fds) < 0)
		return 1;
	if (fds[0] < 3 || fds[1] < 3)
		return 2;
	if (!has_cloexec(fds[0]) || !has_cloexec(fds[1]))
		return 3;
	for (int fd = 0; fd < 3; fd++)
		if (*(int *)arg & 1 << fd && fcntl(fd, F_GETFD) >= 0)
			return 4;
	return 0;
}

static void pipe_is_never_a_standard_stream(void **state)
{
	(void)state;
	for (int closed = 0; closed < 8; closed++)
		assert_int_equal(support_child_status(pipe_with_closed_std,
						      &closed, CHILD_MS),
				 0);
}

static int count_open(void)
{
	int n = 0;

	for (int fd = 0; fd < 64; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* 0 is free and nothing above: the pipe can be made but not moved. */
static int pipe_without_room(void *arg)
{
	int fds[2] = {-1, -1}, before, rc;
	struct rlimit limit;

	(void)arg;
	for (int fd = 3; fd < 64; fd++)
		close(fd);
	close(0);
	close(1);
	before = count_open();
	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	limit.rlim_cur = 3;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return 1;
	rc = fdio_pipe(fds);
	/* F_DUPFD at the limit is EINVAL, under valgrind EMFILE. */
	if (rc != -EINVAL && rc != -EMFILE)
		return 2;
	return count_open() == before && fds[0] == -1 && fds[1] == -1 ? 0 : 3;
}

static void pipe_that_cannot_be_moved_is_closed(void **state)
{
	(void)state;
	assert_int_equal(
		support_child_status(pipe_without_room, NULL, CHILD_MS), 0);
}

static void above_std_leaves_others_alone(void **state)
{
	int fds[2];

	(void)state;
	make_pipe(fds);
	assert_int_equal(fdio_above_std(fds[0]), fds[0]);
	assert_int_equal(fdio_above_std(-1), -EBADF);
	close_both(fds);
}

static bool is_same_file(int a, int b)
{
	struct stat sa, sb;

	return fstat(a, &sa) == 0 && fstat(b, &sb) == 0 &&
	       sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

static int open_std_with_closed(void *arg)
{
	int closed = *(int *)arg;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int pair[2];
	char byte = 'x';

	if (fdio_pipe(pair) < 0)
		return 1;
	for (int fd = 0; fd < 3; fd++) {
		if (closed & 1 << fd)
			close(fd);
		else
			dup2(pair[fd != 0], fd);
	}
	if (fdio_open_std() < 0)
		return 2;
	for (int fd = 0; fd < 3; fd++) {
		bool is_null = is_same_file(fd, null);

		if (is_null != !!(closed & 1 << fd) || has_cloexec(fd))
			return 3;
		if (!is_null)
			continue;
		/* Using it fails, as it would have when closed. */
		if ((fd == 0 ? read(fd, &byte, 1) : write(fd, &byte, 1)) >= 0)
			return 4;
	}
	return 0;
}

static void open_std_fills_the_gaps(void **state)
{
	(void)state;
	for (int closed = 0; closed < 8; closed++)
		assert_int_equal(support_child_status(open_std_with_closed,
						      &closed, CHILD_MS),
				 0);
}

static void flags_are_set_and_cleared(void **state)
{
	int fds[2];

	(void)state;
	make_pipe(fds);
	assert_int_equal(fdio_set_cloexec(fds[0], false), 0);
	assert_false(has_cloexec(fds[0]));
	assert_int_equal(fdio_set_cloexec(fds[0], true), 0);
	assert_true(has_cloexec(fds[0]));
	assert_int_equal(fdio_set_nonblock(fds[0], true), 0);
	assert_true(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	assert_int_equal(fdio_set_nonblock(fds[0], false), 0);
	assert_false(fcntl(fds[0], F_GETFL) & O_NONBLOCK);
	close_both(fds);
	assert_int_equal(fdio_set_cloexec(-1, true), -EBADF);
	assert_int_equal(fdio_set_nonblock(-1, true), -EBADF);
}

/* ---- what can be believed ---- */

static int open_one(struct scratch *scratch, bool is_fifo)
{
	const char *path = scratch_path(scratch, is_fifo ? "fifo" : "file");

	if (is_fifo)
		assert_int_equal(mkfifo(path, 0600), 0);
	return open(path, O_RDWR | O_CLOEXEC | (is_fifo ? 0 : O_CREAT), 0600);
}

static void what_others_may_write_is_not_trusted(void **state)
{
	static const mode_t modes[] = {0600, 0644, 0400, 0620, 0602, 0666};
	struct scratch scratch;
	int fd;

	(void)state;
	scratch_make(&scratch);
	for (int is_fifo = 0; is_fifo < 2; is_fifo++) {
		fd = open_one(&scratch, is_fifo);
		assert_true(fd >= 0);
		for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
			assert_int_equal(fchmod(fd, modes[i]), 0);
			assert_int_equal(fdio_check_trusted(fd),
					 modes[i] & 022 ? -EPERM : 0);
		}
		close(fd);
	}
	fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fdio_check_trusted(fd), 0);
	close(fd);
	assert_int_equal(fdio_check_trusted(-1), -EBADF);
	scratch_remove(&scratch);
}

/* Whose a file is: root's, ours, and another user's. */
static int trust_as_another_user(void *arg)
{
	const int *fds = arg;

	if (setuid(65534))
		return 1;
	if (fdio_check_trusted(fds[0]) || fdio_check_trusted(fds[1]))
		return 2;
	return fdio_check_trusted(fds[2]) == -EPERM ? 0 : 3;
}

static void what_another_user_has_is_not_trusted(void **state)
{
	struct scratch scratch;
	int fds[3];

	(void)state;
	support_need_second_user();
	scratch_make(&scratch);
	for (uid_t i = 0; i < 3; i++) {
		fds[i] = open_one(&scratch, false);
		assert_true(fds[i] >= 0);
		assert_int_equal(unlink(scratch_path(&scratch, "file")), 0);
	}
	assert_int_equal(fchown(fds[1], 65534, (gid_t)-1), 0);
	assert_int_equal(fchown(fds[2], 65533, (gid_t)-1), 0);
	assert_int_equal(fdio_check_trusted(fds[0]), 0);
	assert_int_equal(fdio_check_trusted(fds[1]), -EPERM);
	assert_int_equal(
		support_child_status(trust_as_another_user, fds, CHILD_MS), 0);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	scratch_remove(&scratch);
}

/* ---- locks ---- */

static void lock_is_waited_for_until_the_deadline(void **state)
{
	struct scratch scratch;
	int64_t until;
	int fds[2];

	(void)state;
	scratch_make(&scratch);
	for (int i = 0; i < 2; i++) {
		fds[i] = open(scratch_path(&scratch, "file"),
			      O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fds[i] >= 0);
	}
	assert_int_equal(fdio_lock(fds[0], LOCK_EX, 0), 0);
	until = tick_after(5 * TICK_MS);
	assert_int_equal(fdio_lock(fds[1], LOCK_EX, until), -ETIMEDOUT);
	assert_true(tick_is_over(until));
	assert_int_equal(fdio_lock(fds[1], LOCK_SH, 0), -ETIMEDOUT);
	assert_int_equal(fdio_lock(fds[0], LOCK_SH, 0), 0);
	assert_int_equal(fdio_lock(fds[1], LOCK_SH, TICK_NEVER), 0);
	close_both(fds);
	assert_int_equal(fdio_lock(fds[0], LOCK_EX, TICK_NEVER), -EBADF);
	scratch_remove(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(pipe_is_close_on_exec),
		cmocka_unit_test(pipe_is_never_a_standard_stream),
		cmocka_unit_test(pipe_that_cannot_be_moved_is_closed),
		cmocka_unit_test(above_std_leaves_others_alone),
		cmocka_unit_test(open_std_fills_the_gaps),
		cmocka_unit_test(flags_are_set_and_cleared),
		cmocka_unit_test(what_others_may_write_is_not_trusted),
		cmocka_unit_test(what_another_user_has_is_not_trusted),
		cmocka_unit_test(lock_is_waited_for_until_the_deadline),
	};

	return SUPPORT_MAIN(tests);
}
