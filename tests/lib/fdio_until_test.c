/* Transfers with a deadline, on each kind of descriptor. The calls that they
 * are made of are in fdio_nowait_test.c. */
#include "tests/lib/fdio_until_fixture.h"

#include <pthread.h>

#include "tests/support/interrupt.h"

static void check_read_timeout(int fds[2])
{
	int64_t deadline = tick_after(SHORT);
	char buf[4];

	assert_int_equal(fdio_read_until(fds[0], buf, 4, deadline), -ETIMEDOUT);
	assert_true(tick_is_over(deadline));
	assert_int_equal(fdio_write_full(fds[1], "ab", 2), 0);
	assert_int_equal(fdio_read_until(fds[0], buf, 4, tick_after(SHORT)),
			 -ETIMEDOUT);
}

static void read_until_ends_with_its_deadline(void **state)
{
	(void)state;
	each_way(check_read_timeout);
}

static void check_write_timeout(int fds[2])
{
	int64_t deadline = tick_after(SHORT);
	char page[4096] = {0};
	int rc;

	do
		rc = fdio_write_until(fds[1], page, sizeof(page), deadline);
	while (rc == 0);
	assert_int_equal(rc, -ETIMEDOUT);
	assert_true(tick_is_over(deadline));
}

static void write_until_ends_with_its_deadline(void **state)
{
	(void)state;
	each_way(check_write_timeout);
}

/* A single write of more than fits would block for ever. */
static void large_write_until_ends_with_its_deadline(void **state)
{
	unsigned char *bytes = make_pattern();

	(void)state;
	for (int kind = PIPE; kind <= STREAM; kind++)
		for (int way = 0; way < 2; way++) {
			int fds[2];

			make_pair(kind, fds);
			fault.no_nowait = way;
			assert_int_equal(fdio_write_until(fds[1], bytes, BIG,
							  tick_after(SHORT)),
					 -ETIMEDOUT);
			close_both(fds);
		}
	free(bytes);
}

static void check_interruption(int fds[2])
{
	char byte, page[4096] = {0};
	int rc;

	interrupt_start();
	assert_int_equal(fdio_read_until(fds[0], &byte, 1, TICK_NEVER), -EINTR);
	do
		rc = fdio_write_until(fds[1], page, sizeof(page), TICK_NEVER);
	while (rc == 0);
	assert_int_equal(rc, -EINTR);
	interrupt_stop();
}

static void until_is_ended_by_a_handler(void **state)
{
	(void)state;
	each_way(check_interruption);
}

static void check_end_of_file(int fds[2])
{
	char buf[4];

	assert_int_equal(fdio_write_until(fds[1], "abc", 3, tick_after(LONG)),
			 0);
	assert_int_equal(fdio_close(&fds[1]), 0);
	assert_int_equal(fdio_read_until(fds[0], buf, 4, tick_after(LONG)), 3);
	assert_memory_equal(buf, "abc", 3);
	assert_int_equal(fdio_read_until(fds[0], buf, 4, tick_after(LONG)), 0);
}

static void read_until_returns_less_only_at_end_of_file(void **state)
{
	(void)state;
	each_way(check_end_of_file);
}

static void *read_slowly(void *arg)
{
	const int *fds = arg;
	unsigned char *got = calloc(1, BIG);

	for (size_t done = 0; got && done < BIG;) {
		size_t want = BIG - done < 1000 ? BIG - done : 1000;
		ssize_t n = fdio_read_until(fds[0], got + done, want,
					    tick_after(LONG));

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	return got;
}

static void everything_arrives_through_a_narrow_reader(void **state)
{
	unsigned char *bytes = make_pattern();

	(void)state;
	for (int kind = PIPE; kind <= STREAM; kind++)
		for (int way = 0; way < 4; way++) {
			pthread_t reader;
			void *got;
			int fds[2];

			make_pair(kind, fds);
			fault.no_nowait = way & 1;
			if (way & 2)
				fdio_set_nonblock(fds[1], true);
			pthread_create(&reader, NULL, read_slowly, fds);
			assert_int_equal(fdio_write_until(fds[1], bytes, BIG,
							  tick_after(LONG)),
					 0);
			pthread_join(reader, &got);
			assert_non_null(got);
			assert_memory_equal(got, bytes, BIG);
			free(got);
			close_both(fds);
		}
	free(bytes);
}

/* Always a byte ahead, the peer would hold us for 64 million calls. */
static void dripping_peer_cannot_outlast_the_deadline(void **state)
{
	const size_t len = (size_t)64 << 20;
	int zero = open("/dev/zero", O_RDWR | O_CLOEXEC);
	char *buf = calloc(1, len);

	(void)state;
	assert_non_null(buf);
	fault.chunk = 1;
	assert_int_equal(fdio_read_until(zero, buf, len, tick_after(SHORT)),
			 -ETIMEDOUT);
	assert_int_equal(fdio_write_until(zero, buf, len, tick_after(SHORT)),
			 -ETIMEDOUT);
	free(buf);
	fdio_close(&zero);
}

static void until_returns_errors_as_they_are(void **state)
{
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	int fds[2];
	char byte = 0;

	(void)state;
	assert_true(full >= 0);
	assert_int_equal(fdio_read_until(-1, &byte, 1, TICK_NEVER), -EBADF);
	assert_int_equal(fdio_write_until(full, &byte, 1, TICK_NEVER), -ENOSPC);
	fdio_close(&full);
	make_pair(PIPE, fds);
	fault.no_progress = true;
	assert_int_equal(fdio_write_until(fds[1], "x", 1, TICK_NEVER), -EIO);
	fault.no_progress = false;
	assert_int_equal(fdio_close(&fds[0]), 0);
	assert_int_equal(fdio_write_until(fds[1], "x", 1, TICK_NEVER), -EPIPE);
	close_both(fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(read_until_ends_with_its_deadline),
		CASE(write_until_ends_with_its_deadline),
		CASE(large_write_until_ends_with_its_deadline),
		CASE(until_is_ended_by_a_handler),
		CASE(read_until_returns_less_only_at_end_of_file),
		CASE(everything_arrives_through_a_narrow_reader),
		CASE(dripping_peer_cannot_outlast_the_deadline),
		CASE(until_returns_errors_as_they_are),
	};

	return SUPPORT_MAIN(tests);
}
