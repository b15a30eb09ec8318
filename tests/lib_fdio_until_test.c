/* Transfers with a deadline, on each kind of descriptor. Linked with --wrap
 * for the calls that must not wait, and for the wait between them. Past 400
 * lines, as all cases share these faults and the table of kinds. */
#include "lib/fdio.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/tick.h"
#include "tests/support/interrupt.h"
#include "tests/support/scratch.h"

enum { BIG = 300000 };

static const int64_t SHORT = 30 * TICK_MS;
static const int64_t LONG = 20 * TICK_S;

static struct {
	size_t chunk;     /* move at most so many bytes a call; 0: no limit */
	int again;        /* so many calls that do not wait have nothing */
	bool no_nowait;   /* RWF_NOWAIT is not supported here */
	bool no_progress; /* pwritev2 returns 0 */
	int steal_from;   /* after the next poll, one byte is taken from it */
} fault;

ssize_t __real_preadv2(int fd, const struct iovec *iov, int n, off_t offset,
		       int flags);
ssize_t __real_pwritev2(int fd, const struct iovec *iov, int n, off_t offset,
			int flags);
int __real_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		 const sigset_t *mask);

ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int n, off_t offset,
		       int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *iov, int n, off_t offset,
			int flags);
int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		 const sigset_t *mask);

/* Whether this call fails, and how (errno). */
static bool is_refused(void)
{
	errno = fault.no_nowait ? EOPNOTSUPP : EAGAIN;
	if (fault.no_nowait)
		return true;
	if (fault.again == 0)
		return false;
	fault.again--;
	return true;
}

static size_t shorten(size_t len)
{
	return fault.chunk && len > fault.chunk ? fault.chunk : len;
}

ssize_t __wrap_preadv2(int fd, const struct iovec *iov, int n, off_t offset,
		       int flags)
{
	struct iovec part = *iov;

	part.iov_len = shorten(part.iov_len);
	if (is_refused())
		return -1;
	return __real_preadv2(fd, &part, n, offset, flags);
}

ssize_t __wrap_pwritev2(int fd, const struct iovec *iov, int n, off_t offset,
			int flags)
{
	struct iovec part = *iov;

	part.iov_len = shorten(part.iov_len);
	if (fault.no_progress)
		return 0;
	if (is_refused())
		return -1;
	return __real_pwritev2(fd, &part, n, offset, flags);
}

int __wrap_ppoll(struct pollfd *fds, nfds_t n, const struct timespec *timeout,
		 const sigset_t *mask)
{
	int ready = __real_ppoll(fds, n, timeout, mask);
	char byte;

	if (fault.steal_from > 0 && ready > 0) {
		if (read(fault.steal_from, &byte, 1) != 1)
			abort();
		fault.steal_from = 0;
	}
	return ready;
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

static void close_both(int fds[2])
{
	assert_int_equal(fdio_close(&fds[0]), 0);
	assert_int_equal(fdio_close(&fds[1]), 0);
}

static unsigned char *make_pattern(void)
{
	unsigned char *bytes = malloc(BIG);

	assert_non_null(bytes);
	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (unsigned char)(i * 7 + i / 251);
	return bytes;
}

/* The kinds that deadlines must hold for: fds[0] reads, fds[1] writes. */
enum { PIPE, FIFO, STREAM, SEQPACKET, KINDS };

static void make_pair(int kind, int fds[2])
{
	struct scratch scratch;
	const char *path;
	int rc;

	switch (kind) {
	case FIFO:
		scratch_make(&scratch);
		path = scratch_path(&scratch, "fifo");
		assert_int_equal(mkfifo(path, 0600), 0);
		fds[0] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		fds[1] = open(path, O_WRONLY | O_CLOEXEC);
		assert_true(fds[0] >= 0 && fds[1] >= 0);
		assert_int_equal(fdio_set_nonblock(fds[0], false), 0);
		scratch_remove(&scratch);
		break;
	case STREAM:
	case SEQPACKET:
		rc = socketpair(
			AF_UNIX,
			(kind == STREAM ? SOCK_STREAM : SOCK_SEQPACKET) |
				SOCK_CLOEXEC,
			0, fds);
		assert_int_equal(rc, 0);
		break;
	default:
		assert_int_equal(fdio_pipe(fds), 0);
	}
}

/* Each kind of descriptor, blocking and not, with and without RWF_NOWAIT. */
static void each_way(void (*check)(int fds[2]))
{
	for (int kind = 0; kind < KINDS; kind++)
		for (int way = 0; way < 4; way++) {
			int fds[2];

			make_pair(kind, fds);
			fault.no_nowait = way & 1;
			for (int i = 0; i < 2 && way & 2; i++)
				assert_int_equal(
					fdio_set_nonblock(fds[i], true), 0);
			check(fds);
			close_both(fds);
		}
}

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

#define CASE(test) \
	cmocka_unit_test_setup_teardown(test, reset, nothing_is_left_open)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(read_until_ends_with_its_deadline),
		CASE(write_until_ends_with_its_deadline),
		CASE(large_write_until_ends_with_its_deadline),
		CASE(until_is_ended_by_a_handler),
		CASE(read_until_returns_less_only_at_end_of_file),
		CASE(everything_arrives_through_a_narrow_reader),
		CASE(byte_that_was_stolen_is_waited_for),
		CASE(stolen_byte_of_a_nonblocking_fifo_is_waited_for),
		CASE(dripping_peer_cannot_outlast_the_deadline),
		CASE(until_returns_errors_as_they_are),
		CASE(some_with_a_deadline_in_the_past_only_tries),
		CASE(plain_write_into_a_fifo_is_at_most_pipe_buf),
		CASE(spurious_again_is_asked_once_more),
		CASE(cold_file_is_read_and_written_at_once),
	};

	return SUPPORT_MAIN(tests);
}
