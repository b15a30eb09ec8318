/* Whole transfers, waits and closing. Linked with --wrap for read, write and
 * close, which can be made to move a few bytes at a time, or to fail. The
 * transfers with a deadline are in fdio_until_test.c. */
#include "lib/fdio.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "lib/tick.h"
#include "tests/support/interrupt.h"

static const int64_t SHORT = 30 * TICK_MS;

static struct {
	size_t chunk;     /* move at most so many bytes a call; 0: no limit */
	int interrupts;   /* so many calls fail with EINTR first */
	int calls;        /* of read and write */
	bool no_progress; /* write returns 0 */
	int close_error;  /* of the next close, which is done */
} fault;

ssize_t __real_read(int fd, void *buf, size_t len);
ssize_t __real_write(int fd, const void *buf, size_t len);
int __real_close(int fd);

ssize_t __wrap_read(int fd, void *buf, size_t len);
ssize_t __wrap_write(int fd, const void *buf, size_t len);
int __wrap_close(int fd);

/* Whether this call fails, and how (errno). */
static bool is_interrupted(void)
{
	fault.calls++;
	if (fault.interrupts == 0)
		return false;
	fault.interrupts--;
	errno = EINTR;
	return true;
}

static size_t shorten(size_t len)
{
	return fault.chunk && len > fault.chunk ? fault.chunk : len;
}

ssize_t __wrap_read(int fd, void *buf, size_t len)
{
	return is_interrupted() ? -1 : __real_read(fd, buf, shorten(len));
}

ssize_t __wrap_write(int fd, const void *buf, size_t len)
{
	if (fault.no_progress)
		return 0;
	return is_interrupted() ? -1 : __real_write(fd, buf, shorten(len));
}

int __wrap_close(int fd)
{
	int rc = __real_close(fd);

	if (fault.close_error) {
		errno = fault.close_error;
		fault.close_error = 0;
		return -1;
	}
	return rc;
}

static int open_before;

static int reset(void **state)
{
	(void)state;
	memset(&fault, 0, sizeof(fault));
	open_before = support_count_fds();
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static int nothing_is_left_open(void **state)
{
	(void)state;
	return support_count_fds() == open_before ? 0 : -1;
}
static void make_pipe(int fds[2])
{
	assert_int_equal(fdio_pipe(fds), 0);
}

static void close_both(int fds[2])
{
	assert_int_equal(fdio_close(&fds[0]), 0);
	assert_int_equal(fdio_close(&fds[1]), 0);
}

static void read_full_joins_short_reads(void **state)
{
	char buf[10];
	int fds[2];

	(void)state;
	make_pipe(fds);
	assert_int_equal(fdio_write_full(fds[1], "0123456789", 10), 0);
	fault.chunk = 3;
	fault.calls = 0;
	assert_int_equal(fdio_read_full(fds[0], buf, 10), 10);
	assert_memory_equal(buf, "0123456789", 10);
	assert_int_equal(fault.calls, 4);
	close_both(fds);
}

static void write_full_joins_short_writes(void **state)
{
	char buf[10];
	int fds[2];

	(void)state;
	make_pipe(fds);
	fault.chunk = 3;
	assert_int_equal(fdio_write_full(fds[1], "0123456789", 10), 0);
	assert_int_equal(fault.calls, 4);
	fault.chunk = 0;
	assert_int_equal(fdio_read_full(fds[0], buf, 10), 10);
	assert_memory_equal(buf, "0123456789", 10);
	close_both(fds);
}

static void storm_of_interrupts_loses_nothing(void **state)
{
	char buf[10];
	int fds[2];

	(void)state;
	make_pipe(fds);
	fault.chunk = 1;
	fault.interrupts = 1000;
	assert_int_equal(fdio_write_full(fds[1], "0123456789", 10), 0);
	assert_int_equal(fault.interrupts, 0);
	fault.interrupts = 1000;
	assert_int_equal(fdio_read_full(fds[0], buf, 10), 10);
	assert_memory_equal(buf, "0123456789", 10);
	assert_int_equal(fdio_write_full(fds[1], "x", 1), 0);
	fault.interrupts = 1000;
	assert_int_equal(fdio_read(fds[0], buf, 10), 1);
	close_both(fds);
}

static void read_full_returns_less_only_at_end_of_file(void **state)
{
	char buf[10];
	int fds[2];

	(void)state;
	make_pipe(fds);
	assert_int_equal(fdio_write_full(fds[1], "0123", 4), 0);
	assert_int_equal(fdio_close(&fds[1]), 0);
	fault.chunk = 3;
	assert_int_equal(fdio_read_full(fds[0], buf, 10), 4);
	assert_memory_equal(buf, "0123", 4);
	assert_int_equal(fdio_read_full(fds[0], buf, 10), 0);
	close_both(fds);
}

static void errors_come_back_as_they_are(void **state)
{
	int dir = open("/", O_RDONLY | O_CLOEXEC);
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int fds[2];
	char byte = 0;

	(void)state;
	assert_true(dir >= 0 && full >= 0);
	assert_int_equal(fdio_read(dir, &byte, 1), -EISDIR);
	assert_int_equal(fdio_read_full(dir, &byte, 1), -EISDIR);
	assert_int_equal(fdio_read_full(-1, &byte, 1), -EBADF);
	assert_int_equal(fdio_write_full(full, &byte, 1), -ENOSPC);
	make_pipe(fds);
	assert_int_equal(fdio_close(&fds[0]), 0);
	assert_int_equal(fdio_write_full(fds[1], &byte, 1), -EPIPE);
	close_both(fds);
	fdio_close(&dir);
	fdio_close(&full);
}

static void writes_without_progress_are_an_error(void **state)
{
	int fds[2];

	(void)state;
	make_pipe(fds);
	fault.no_progress = true;
	assert_int_equal(fdio_write_full(fds[1], "x", 1), -EIO);
	close_both(fds);
}

static void wait_tells_what_is_there(void **state)
{
	int fds[2];

	(void)state;
	make_pipe(fds);
	assert_int_equal(fdio_wait(fds[0], POLLIN, tick_after(SHORT)),
			 -ETIMEDOUT);
	assert_int_equal(fdio_wait(fds[0], POLLIN, 0), -ETIMEDOUT);
	assert_int_equal(fdio_wait(fds[1], POLLOUT, TICK_NEVER), POLLOUT);
	assert_int_equal(fdio_write_full(fds[1], "x", 1), 0);
	assert_int_equal(fdio_wait(fds[0], POLLIN, TICK_NEVER), POLLIN);
	assert_int_equal(fdio_close(&fds[1]), 0);
	assert_int_equal(fdio_wait(fds[0], 0, TICK_NEVER), POLLHUP);
	close_both(fds);
}

static void wait_on_a_closed_descriptor_is_an_error(void **state)
{
	int fds[2], old;

	(void)state;
	make_pipe(fds);
	old = fds[0];
	close_both(fds);
	assert_int_equal(fdio_wait(old, POLLIN, TICK_NEVER), -EBADF);
}

static void wait_is_ended_by_a_handler(void **state)
{
	int fds[2];

	(void)state;
	make_pipe(fds);
	interrupt_start();
	assert_int_equal(fdio_wait(fds[0], POLLIN, TICK_NEVER), -EINTR);
	interrupt_stop();
	close_both(fds);
}

static void close_tells_what_was_kept_back(void **state)
{
	int fds[2], none = -1;

	(void)state;
	make_pipe(fds);
	fault.close_error = ENOSPC;
	assert_int_equal(fdio_close(&fds[0]), -ENOSPC);
	assert_int_equal(fds[0], -1);
	fault.close_error = EINTR;
	assert_int_equal(fdio_close(&fds[1]), 0);
	assert_int_equal(fds[1], -1);
	fault.close_error = EIO; /* would be met if close were called */
	assert_int_equal(fdio_close(&none), 0);
	assert_int_equal(fault.close_error, EIO);
}

#define CASE(test) \
	cmocka_unit_test_setup_teardown(test, reset, nothing_is_left_open)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(read_full_joins_short_reads),
		CASE(write_full_joins_short_writes),
		CASE(storm_of_interrupts_loses_nothing),
		CASE(read_full_returns_less_only_at_end_of_file),
		CASE(errors_come_back_as_they_are),
		CASE(writes_without_progress_are_an_error),
		CASE(wait_tells_what_is_there),
		CASE(wait_on_a_closed_descriptor_is_an_error),
		CASE(wait_is_ended_by_a_handler),
		CASE(close_tells_what_was_kept_back),
	};

	return SUPPORT_MAIN(tests);
}
