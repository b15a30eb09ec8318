/* fdio.c - a transfer that may not wait, a wait with a deadline, and again.
 *
 * A blocking descriptor cannot be trusted after poll(2): a write of more than
 * there is room for blocks, and another reader may have taken what was there.
 * Setting O_NONBLOCK is no way out, as the flag belongs to everybody who
 * shares the open file. So each single call is told not to wait: RWF_NOWAIT
 * where the kernel knows it for this kind of file, MSG_DONTWAIT for sockets,
 * and else at most PIPE_BUF bytes after poll(2), which fit when it says so.
 */
#include "lib/fdio.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/tick.h"

ssize_t fdio_read(int fd, void *buf, size_t len)
{
	ssize_t n;

	do
		n = read(fd, buf, len);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

ssize_t fdio_read_full(int fd, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = fdio_read(fd, (char *)buf + done, len - done);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

int fdio_write_full(int fd, const void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = write(fd, (const char *)buf + done, len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO; /* a driver that makes no progress */
		done += (size_t)n;
	}
	return 0;
}

int fdio_wait(int fd, short events, int64_t deadline)
{
	struct pollfd pfd = {.fd = fd, .events = events};

	for (;;) {
		struct timespec left = tick_to_timespec(tick_left(deadline));
		int n = ppoll(&pfd, 1, deadline == TICK_NEVER ? NULL : &left,
			      NULL);

		if (n < 0)
			return -errno;
		if (n > 0)
			return pfd.revents & POLLNVAL ? -EBADF : pfd.revents;
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
	}
}

/* Whether a RWF_NOWAIT call failed because this kernel does not know it, or
 * not for this kind of file. */
static bool is_refused(int error)
{
	return error == EOPNOTSUPP || error == ENOSYS || error == EINVAL;
}

static mode_t kind_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) < 0 ? 0 : st.st_mode & S_IFMT;
}

/* Files answer EAGAIN where a disk has to be asked, although poll(2) finds
 * them ready; a plain call waits for no peer. */
static bool is_file(mode_t kind)
{
	return kind == S_IFREG || kind == S_IFBLK;
}

ssize_t fdio_read_some(int fd, void *buf, size_t len, int64_t deadline)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};

	for (;;) {
		ssize_t n = preadv2(fd, &iov, 1, -1, RWF_NOWAIT);
		bool refused = n < 0 && is_refused(errno);
		mode_t kind;
		int rc;

		if (n >= 0 || (errno != EAGAIN && !refused))
			return n < 0 ? -errno : n;
		kind = kind_of(fd);
		if (is_file(kind))
			return fdio_read(fd, buf, len);
		rc = fdio_wait(fd, POLLIN, deadline);
		if (rc < 0)
			return rc;
		if (!refused)
			continue;
		n = kind == S_IFSOCK ? recv(fd, buf, len, MSG_DONTWAIT)
				     : read(fd, buf, len);
		if (n >= 0 || errno != EAGAIN)
			return n < 0 ? -errno : n;
	}
}

ssize_t fdio_write_some(int fd, const void *buf, size_t len, int64_t deadline)
{
	struct iovec iov = {.iov_base = (void *)buf, .iov_len = len};

	for (;;) {
		ssize_t n = pwritev2(fd, &iov, 1, -1, RWF_NOWAIT);
		bool refused = n < 0 && is_refused(errno);
		mode_t kind;
		int rc;

		if (n >= 0 || (errno != EAGAIN && !refused))
			return n < 0 ? -errno : n;
		kind = kind_of(fd);
		if (is_file(kind)) {
			n = write(fd, buf, len);
			return n < 0 ? -errno : n;
		}
		rc = fdio_wait(fd, POLLOUT, deadline);
		if (rc < 0)
			return rc;
		if (!refused)
			continue;
		n = kind == S_IFSOCK
			    ? send(fd, buf, len, MSG_DONTWAIT)
			    : write(fd, buf, len < PIPE_BUF ? len : PIPE_BUF);
		if (n >= 0 || errno != EAGAIN)
			return n < 0 ? -errno : n;
	}
}

/* A peer that is always a little ahead must not keep us for ever: the clock
 * is asked after each partial transfer, not only when there is a wait. */
ssize_t fdio_read_until(int fd, void *buf, size_t len, int64_t deadline)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = fdio_read_some(fd, (char *)buf + done, len - done,
					   deadline);

		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
		if (done < len && tick_is_over(deadline))
			return -ETIMEDOUT;
	}
	return (ssize_t)done;
}

int fdio_write_until(int fd, const void *buf, size_t len, int64_t deadline)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = fdio_write_some(fd, (const char *)buf + done,
					    len - done, deadline);

		if (n < 0)
			return (int)n;
		if (n == 0)
			return -EIO;
		done += (size_t)n;
		if (done < len && tick_is_over(deadline))
			return -ETIMEDOUT;
	}
	return 0;
}

int fdio_pipe(int fds[2])
{
	int pair[2];

	if (pipe2(pair, O_CLOEXEC) < 0)
		return -errno;
	for (int i = 0; i < 2; i++) {
		pair[i] = fdio_above_std(pair[i]);
		if (pair[i] < 0) {
			int rc = pair[i];

			close(pair[!i]);
			return rc;
		}
	}
	fds[0] = pair[0];
	fds[1] = pair[1];
	return 0;
}

int fdio_above_std(int fd)
{
	int moved, saved;

	if (fd < 0)
		return -EBADF;
	if (fd > STDERR_FILENO)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	saved = errno;
	close(fd);
	return moved < 0 ? -saved : moved;
}

int fdio_open_std(void)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		int flags = fd == STDIN_FILENO ? O_WRONLY : O_RDONLY;

		if (fcntl(fd, F_GETFD) >= 0)
			continue;
		/* The lowest free number is this one. */
		if (open("/dev/null", flags) < 0)
			return -errno;
	}
	return 0;
}

int fdio_check_trusted(int fd)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode))
		return 0;
	if (st.st_uid != geteuid() && st.st_uid != 0)
		return -EPERM;
	return st.st_mode & (S_IWGRP | S_IWOTH) ? -EPERM : 0;
}

int fdio_lock(int fd, int operation, int64_t deadline)
{
	while (flock(fd, operation | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK)
			return -errno;
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		tick_sleep_until(tick_after(TICK_MS));
	}
	return 0;
}

int fdio_set_cloexec(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFD);

	if (flags < 0)
		return -errno;
	flags = on ? flags | FD_CLOEXEC : flags & ~FD_CLOEXEC;
	return fcntl(fd, F_SETFD, flags) < 0 ? -errno : 0;
}

int fdio_set_nonblock(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK;
	return fcntl(fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int fdio_close(int *fd)
{
	int old = *fd;

	*fd = -1;
	/* After EINTR the descriptor is gone on Linux: never close twice. */
	if (old < 0 || close(old) == 0 || errno == EINTR)
		return 0;
	return -errno;
}
