/* rpc_socket.c - connect(2) has no deadline, so it is started without
 * blocking and waited for with poll(2). */
#include "lib/rpc/rpc_socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"

/* ---- connecting ---- */

static int open_socket(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fdio_above_std(fd);
}

/* Wait until the connection is made, or refused. */
static int wait_connected(int fd, int64_t deadline)
{
	socklen_t len = sizeof(int);
	int error, rc = fdio_wait(fd, POLLOUT, deadline);

	if (rc < 0)
		return rc;
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len))
		return -errno;
	return -error;
}

static int start_connect(int fd, const struct sockaddr *address,
			 socklen_t bytes, int64_t deadline)
{
	for (;;) {
		if (connect(fd, address, bytes) == 0)
			return 0;
		if (errno == EINPROGRESS || errno == EINTR)
			return wait_connected(fd, deadline);
		/* A Unix socket whose queue is full: nothing to poll for. */
		if (errno != EAGAIN)
			return -errno;
		if (tick_is_over(deadline))
			return -ETIMEDOUT;
		if (tick_sleep_until(tick_after(TICK_MS)) == -EINTR)
			return -EINTR;
	}
}

static int set_up_stream(int fd, sa_family_t family)
{
	const int on = 1;
	int rc = fdio_set_nonblock(fd, false);

	if (!rc && family != AF_UNIX &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		rc = -errno;
	return rc;
}

int rpc_socket_connect_stream(struct rpc_socket *to,
			      const struct rpc_address *address,
			      int64_t deadline)
{
	sa_family_t family = address->storage.ss_family;
	int rc, fd = open_socket(family, SOCK_STREAM | SOCK_NONBLOCK);

	*to = (struct rpc_socket){.fd = -1};
	if (fd < 0)
		return fd;
	rc = start_connect(fd, (const void *)&address->storage, address->bytes,
			   deadline);
	if (!rc)
		rc = set_up_stream(fd, family);
	if (rc)
		close(fd);
	else
		to->fd = fd;
	return rc;
}

int rpc_socket_connect_datagram(struct rpc_socket *to,
				const struct rpc_address *address)
{
	int rc = 0, fd = open_socket(address->storage.ss_family, SOCK_DGRAM);

	*to = (struct rpc_socket){.fd = -1};
	if (fd < 0)
		return fd;
	if (connect(fd, (const void *)&address->storage, address->bytes))
		rc = -errno;
	if (rc)
		close(fd);
	else
		to->fd = fd;
	return rc;
}

/* ---- receiving ---- */

/* Have recv(2) wait for at most left, and not much less: what remains is
 * waited for with poll(2). Calls that follow each other have the same timeout,
 * so that this is done once. */
static int set_receive(struct rpc_socket *from, int64_t left)
{
	struct timespec ts;
	struct timeval tv;

	if (from->receive_ns > 0 && from->receive_ns <= left &&
	    from->receive_ns >= left - left / 4)
		return 0;
	left -= left / 8;
	/* Zero would be for ever. */
	ts = tick_to_timespec(left > TICK_US ? left : TICK_US);
	tv.tv_sec = ts.tv_sec;
	tv.tv_usec = (suseconds_t)(ts.tv_nsec / 1000);
	if (setsockopt(from->fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)))
		return -errno;
	from->receive_ns = left;
	return 0;
}

ssize_t rpc_socket_receive(struct rpc_socket *from, void *buf, size_t n,
			   int64_t deadline)
{
	int64_t left = tick_left(deadline);
	ssize_t got;
	int rc;

	if (left > 0) {
		rc = set_receive(from, left);
		if (rc)
			return rc;
		got = recv(from->fd, buf, n, 0);
		if (got >= 0 || errno != EAGAIN)
			return got < 0 ? -errno : got;
		rc = fdio_wait(from->fd, POLLIN, deadline);
		if (rc < 0)
			return rc;
	}
	got = recv(from->fd, buf, n, MSG_DONTWAIT);
	if (got < 0)
		return errno == EAGAIN ? -ETIMEDOUT : -errno;
	return got;
}

void rpc_socket_close(struct rpc_socket *open)
{
	fdio_close(&open->fd);
	open->receive_ns = 0;
}
