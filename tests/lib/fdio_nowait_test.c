/* The calls under a transfer with a deadline that must not wait: what they say
 * is ready may be gone, and what they say is not may be there. */
#include "tests/lib/fdio_until_fixture.h"

#include <limits.h>

/* Blocking, and another process was quicker after poll(2). */
static void byte_that_was_stolen_is_waited_for(void **state)
{
	char byte;

	(void)state;
	for (int kind = PIPE; kind < 2 * KINDS; kind++) {
		int fds[2];

		fault.no_nowait = kind >= KINDS;
		if (kind == FIFO || kind == KINDS + PIPE ||
		    kind == KINDS + FIFO)
			continue; /* see fdio.h */
		make_pair(kind % KINDS, fds);
		assert_int_equal(fdio_write_full(fds[1], "x", 1), 0);
		fault.again = 1;
		fault.steal_from = fds[0];
		assert_int_equal(
			fdio_read_until(fds[0], &byte, 1, tick_after(SHORT)),
			-ETIMEDOUT);
		assert_int_equal(fault.steal_from, 0);
		close_both(fds);
	}
}

static void stolen_byte_of_a_nonblocking_fifo_is_waited_for(void **state)
{
	char byte;
	int fds[2];

	(void)state;
	make_pair(FIFO, fds);
	assert_int_equal(fdio_set_nonblock(fds[0], true), 0);
	assert_int_equal(fdio_write_full(fds[1], "x", 1), 0);
	fault.steal_from = fds[0];
	assert_int_equal(fdio_read_until(fds[0], &byte, 1, tick_after(SHORT)),
			 -ETIMEDOUT);
	assert_int_equal(fault.steal_from, 0);
	close_both(fds);
}

static void check_some(int fds[2])
{
	char buf[10];

	assert_int_equal(fdio_read_some(fds[0], buf, 10, 0), -ETIMEDOUT);
	assert_int_equal(fdio_write_some(fds[1], "abc", 3, 0), 3);
	assert_int_equal(fdio_read_some(fds[0], buf, 10, 0), 3);
	assert_memory_equal(buf, "abc", 3);
	assert_int_equal(fdio_close(&fds[1]), 0);
	assert_int_equal(fdio_read_some(fds[0], buf, 10, 0), 0);
}

static void some_with_a_deadline_in_the_past_only_tries(void **state)
{
	(void)state;
	each_way(check_some);
}

static void plain_write_into_a_fifo_is_at_most_pipe_buf(void **state)
{
	char page[3 * PIPE_BUF] = {0};
	int fds[2];

	(void)state;
	make_pair(FIFO, fds);
	fault.no_nowait = true;
	assert_int_equal(fdio_write_some(fds[1], page, sizeof(page), 0),
			 PIPE_BUF);
	close_both(fds);
}

static void spurious_again_is_asked_once_more(void **state)
{
	char byte;
	int fds[2];

	(void)state;
	make_pair(PIPE, fds);
	fault.again = 5;
	assert_int_equal(fdio_write_some(fds[1], "x", 1, tick_after(LONG)), 1);
	fault.again = 5;
	assert_int_equal(fdio_read_some(fds[0], &byte, 1, tick_after(LONG)), 1);
	close_both(fds);
}

/* A file that is not in memory says EAGAIN although poll finds it ready: a
 * loop over the two would burn the processor. */
static void cold_file_is_read_and_written_at_once(void **state)
{
	struct scratch scratch;
	char buf[3];
	int fd;

	(void)state;
	scratch_make(&scratch);
	fd = open(scratch_path(&scratch, "file"), O_RDWR | O_CREAT | O_CLOEXEC,
		  0600);
	assert_true(fd >= 0);
	fault.again = 1000000;
	assert_int_equal(fdio_write_until(fd, "abc", 3, tick_after(LONG)), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(fdio_read_until(fd, buf, 3, tick_after(LONG)), 3);
	assert_memory_equal(buf, "abc", 3);
	assert_int_equal(fault.again, 1000000 - 2);
	fdio_close(&fd);
	scratch_remove(&scratch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(byte_that_was_stolen_is_waited_for),
		CASE(stolen_byte_of_a_nonblocking_fifo_is_waited_for),
		CASE(some_with_a_deadline_in_the_past_only_tries),
		CASE(plain_write_into_a_fifo_is_at_most_pipe_buf),
		CASE(spurious_again_is_asked_once_more),
		CASE(cold_file_is_read_and_written_at_once),
	};

	return SUPPORT_MAIN(tests);
}
