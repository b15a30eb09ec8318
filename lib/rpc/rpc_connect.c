/* rpc_connect.c - connect(2) has no deadline, so it is started without
 * blocking and waited for with poll(2). */
#include "lib/rpc/rpc_connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"

/* ---- where to ---- */

int rpc_connect_resolve(struct rpc_connect_target *target,
			enum rpc_transport transport, const char *host,
			uint16_t port, int family)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICSERV,
		.ai_family = family,
		.ai_socktype = transport == RPC_UDP ? SOCK_DGRAM : SOCK_STREAM,
	};
	struct addrinfo *found = NULL;
	char service[8];
	int rc;

	memset(target, 0, sizeof(*target));
	target->transport = transport;
	snprintf(service, sizeof(service), "%u", port);
	rc = getaddrinfo(host, service, &hints, &found);
	if (rc)
		return rc;
	for (const struct addrinfo *a = found;
	     a && target->n < RPC_CONNECT_ADDRESSES; a = a->ai_next) {
		memcpy(&target->addresses[target->n], a->ai_addr,
		       a->ai_addrlen);
		target->bytes[target->n++] = a->ai_addrlen;
	}
	freeaddrinfo(found);
	return 0;
}

int rpc_connect_path(struct rpc_connect_target *target, const char *path)
{
	struct sockaddr_un *address = (void *)&target->addresses[0];

	memset(target, 0, sizeof(*target));
	target->transport = RPC_UNIX;
	if (!path || !*path)
		return -EINVAL;
	if (strlen(path) >= sizeof(address->sun_path))
		return -ENAMETOOLONG;
	address->sun_family = AF_UNIX;
	snprintf(address->sun_path, sizeof(address->sun_path), "%s", path);
	target->bytes[0] = sizeof(*address);
	target->n = 1;
	return 0;
}

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

static int connect_one(const struct rpc_connect_target *target, size_t index,
		       int64_t deadline)
{
	const struct sockaddr *address =
		(const void *)&target->addresses[index];
	const int on = 1;
	int rc, fd = open_socket(address->sa_family,
				 SOCK_STREAM | SOCK_NONBLOCK);

	if (fd < 0)
		return fd;
	rc = start_connect(fd, address, target->bytes[index], deadline);
	if (!rc)
		rc = fdio_set_nonblock(fd, false);
	if (!rc && target->transport == RPC_TCP &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		rc = -errno;
	if (!rc)
		return fd;
	close(fd);
	return rc;
}

int rpc_connect_stream(const struct rpc_connect_target *target,
		       int64_t deadline)
{
	int rc = -EHOSTUNREACH;

	for (size_t i = 0; i < target->n; i++) {
		rc = connect_one(target, i, deadline);
		if (rc >= 0 || rc == -EINTR)
			return rc;
	}
	return rc;
}

int rpc_connect_datagram(const struct rpc_connect_target *target, size_t index)
{
	const struct sockaddr *address =
		(const void *)&target->addresses[index];
	int rc, fd = open_socket(address->sa_family, SOCK_DGRAM);

	if (fd < 0)
		return fd;
	if (connect(fd, address, target->bytes[index]) == 0)
		return fd;
	rc = -errno;
	close(fd);
	return rc;
}
