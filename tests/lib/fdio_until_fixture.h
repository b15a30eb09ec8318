/* fdio_until_fixture.h - each kind of descriptor, and faults of the calls
 * that must not wait and of the wait between them: link with --wrap for
 * preadv2, pwritev2 and ppoll. One test program includes it once. */
#ifndef UNIXIPC_TESTS_LIB_FDIO_UNTIL_FIXTURE_H
#define UNIXIPC_TESTS_LIB_FDIO_UNTIL_FIXTURE_H

#include "lib/fdio.h"

#include "tests/support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/tick.h"
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
static inline bool is_refused(void)
{
	errno = fault.no_nowait ? EOPNOTSUPP : EAGAIN;
	if (fault.no_nowait)
		return true;
	if (fault.again == 0)
		return false;
	fault.again--;
	return true;
}

static inline size_t shorten(size_t len)
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

static inline int reset(void **state)
{
	(void)state;
	memset(&fault, 0, sizeof(fault));
	open_before = support_count_fds();
	signal(SIGPIPE, SIG_IGN);
	return 0;
}

static inline int nothing_is_left_open(void **state)
{
	(void)state;
	return support_count_fds() == open_before ? 0 : -1;
}

static inline void close_both(int fds[2])
{
	assert_int_equal(fdio_close(&fds[0]), 0);
	assert_int_equal(fdio_close(&fds[1]), 0);
}

static inline unsigned char *make_pattern(void)
{
	unsigned char *bytes = malloc(BIG);

	assert_non_null(bytes);
	for (size_t i = 0; i < BIG; i++)
		bytes[i] = (unsigned char)(i * 7 + i / 251);
	return bytes;
}

/* The kinds that deadlines must hold for: fds[0] reads, fds[1] writes. */
enum { PIPE, FIFO, STREAM, SEQPACKET, KINDS };

static inline void make_pair(int kind, int fds[2])
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
static inline void each_way(void (*check)(int fds[2]))
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

#define CASE(test) \
	cmocka_unit_test_setup_teardown(test, reset, nothing_is_left_open)

#endif
