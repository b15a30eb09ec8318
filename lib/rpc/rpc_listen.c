/* rpc_listen.c - the file of a Unix socket outlives a killed server, and
 * bind(2) does not replace it. Between the look whether anybody is behind it and
 * unlink(2) no other server may do the same, which a lock on the directory sees
 * to. */
#include "lib/rpc/rpc_listen.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/tick.h"

enum { BACKLOG = 1024 };

static int open_socket(int family, int type)
{
	int fd = socket(family, type | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fdio_above_std(fd);
}

/* ---- TCP and UDP ---- */

static int resolve(const char *host, uint16_t port, bool is_stream,
		   struct addrinfo **found)
{
	const struct addrinfo hints = {
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
		.ai_family = host ? AF_UNSPEC : AF_INET,
		.ai_socktype = is_stream ? SOCK_STREAM : SOCK_DGRAM,
	};
	char service[8];

	snprintf(service, sizeof(service), "%u", port);
	switch (getaddrinfo(host, service, &hints, found)) {
	case 0:
		return 0;
	case EAI_MEMORY:
		return -ENOMEM;
	default:
		return -EINVAL;
	}
}

static int set_options(int fd, const struct addrinfo *address)
{
	const int on = 1;

	if (address->ai_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)))
		return -errno;
	if (address->ai_socktype == SOCK_STREAM)
		return setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on))
			       ? -errno
			       : 0;
	/* To answer from the address that was asked. */
	if (address->ai_family == AF_INET6
		    ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on,
				 sizeof(on))
		    : setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)))
		return -errno;
	return 0;
}

static int bind_inet(struct rpc_listener *listener,
		     const struct addrinfo *address)
{
	const bool is_stream = address->ai_socktype == SOCK_STREAM;
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} bound = {.in6 = {0}};
	socklen_t len = sizeof(bound);
	int rc;

	listener->fd = open_socket(address->ai_family,
				   address->ai_socktype |
					   (is_stream ? SOCK_NONBLOCK : 0));
	if (listener->fd < 0)
		return listener->fd;
	rc = set_options(listener->fd, address);
	if (rc)
		return rc;
	if (bind(listener->fd, address->ai_addr, address->ai_addrlen) ||
	    (is_stream && listen(listener->fd, BACKLOG)) ||
	    getsockname(listener->fd, &bound.any, &len))
		return -errno;
	listener->port =
		ntohs(address->ai_family == AF_INET6 ? bound.in6.sin6_port
						     : bound.in.sin_port);
	return 0;
}

int rpc_listen_inet(struct rpc_listener *listener, enum rpc_transport transport,
		    const char *host, uint16_t port)
{
	struct addrinfo *found = NULL;
	int rc = resolve(host, port, transport == RPC_TCP, &found);

	*listener = (struct rpc_listener){.transport = transport, .fd = -1};
	if (rc)
		return rc;
	rc = bind_inet(listener, found);
	freeaddrinfo(found);
	if (rc)
		rpc_listen_close(listener);
	return rc;
}

/* ---- Unix ---- */

/* Hold the directory of path. Best effort: somebody else may have locked it
 * for good, or it may not be readable; then two servers that start at the same
 * moment can both replace a dead one's socket, and the second wins. */
static int lock_directory(const char *path)
{
	char copy[PATH_MAX];
	int fd;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0)
		fdio_lock(fd, LOCK_EX, tick_after(2 * TICK_S));
	return fd;
}

/* Remove what a dead server of ours left. Returns 0 when the name is free. */
static int remove_stale(const char *path)
{
	struct stat status;

	if (lstat(path, &status))
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(status.st_mode))
		return -ENOTSOCK;
	if (identity_judge_socket(path) != IDENTITY_DEAD)
		return -EADDRINUSE;
	if (status.st_uid != geteuid())
		return -EPERM;
	return unlink(path) && errno != ENOENT ? -errno : 0;
}

/* What the umask took away, of the very file that is open (O_PATH, of which
 * fchmod(2) wants to know nothing). */
static int give_mode(int fd, const struct stat *status, mode_t mode)
{
	char path[64];

	if ((status->st_mode & 07777) == mode)
		return 0;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return chmod(path, mode) ? -errno : 0;
}

/* Which file it is that bind(2) has made. A user who may write the folder can
 * have put something else there since: a socket of ours at most gets a mode,
 * and one that has it already unless the umask took something away. */
static int note_file(struct rpc_listener *listener, const char *path,
		     mode_t mode)
{
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC), rc;
	struct stat status;

	if (fd < 0)
		return errno == ENOENT ? -ESTALE : -errno;
	rc = fstat(fd, &status) ? -errno : 0;
	if (!rc && (!S_ISSOCK(status.st_mode) || status.st_uid != geteuid()))
		rc = -ESTALE;
	if (!rc)
		rc = give_mode(fd, &status, mode);
	if (!rc)
		rc = identity_of_fd(fd, &listener->file);
	close(fd);
	if (!rc)
		listener->path = path;
	return rc;
}

static int bind_unix(struct rpc_listener *listener,
		     const struct sockaddr_un *address, mode_t mode)
{
	int rc;

	/* A socket's file has the mode of the socket, less the umask: from its
	 * birth, and whoever is called what it was by the time we look. */
	if (fchmod(listener->fd, mode))
		return -errno;
	if (bind(listener->fd, (const struct sockaddr *)address,
		 sizeof(*address))) {
		if (errno != EADDRINUSE)
			return -errno;
		rc = remove_stale(address->sun_path);
		if (rc)
			return rc;
		if (bind(listener->fd, (const struct sockaddr *)address,
			 sizeof(*address)))
			return -errno;
	}
	rc = note_file(listener, address->sun_path, mode);
	if (rc)
		return rc;
	/* Nobody can connect before this, so the mode is in time. */
	return listen(listener->fd, BACKLOG) ? -errno : 0;
}

int rpc_listen_unix(struct rpc_listener *listener, const char *path,
		    mode_t mode)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int rc, directory;

	*listener = (struct rpc_listener){.transport = RPC_UNIX, .fd = -1};
	if (!*path)
		return -EINVAL;
	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	listener->fd = open_socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK);
	if (listener->fd < 0)
		return listener->fd;
	directory = lock_directory(path);
	rc = bind_unix(listener, &address, mode);
	fdio_close(&directory);
	if (listener->path)
		listener->path = path;
	if (rc)
		rpc_listen_close(listener);
	return rc;
}

int rpc_listen_renew(struct rpc_listener *listener, mode_t mode)
{
	struct rpc_listener anew;
	struct identity_object now;
	int error = identity_of_path(AT_FDCWD, listener->path, &now);

	switch (identity_compare(&listener->file, error, &now)) {
	case IDENTITY_SAME:
	case IDENTITY_CANNOT_TELL:
		return 0;
	case IDENTITY_ANOTHER:
		return -ESTALE;
	case IDENTITY_GONE:
		break;
	}
	error = rpc_listen_unix(&anew, listener->path, mode);
	if (error)
		return error;
	fdio_close(&listener->fd);
	/* And no more: other threads ask for the rest (rpc_server_port()). */
	listener->fd = anew.fd;
	listener->file = anew.file;
	return 1;
}

/* ---- connections ---- */

static void get_ids(int fd, struct rpc_peer *peer)
{
	struct ucred ids;
	socklen_t len = sizeof(ids);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &ids, &len))
		return;
	peer->has_ids = true;
	peer->pid = ids.pid;
	peer->uid = ids.uid;
	peer->gid = ids.gid;
}

int rpc_listen_accept(const struct rpc_listener *listener,
		      struct rpc_peer *peer)
{
	const int on = 1;
	int fd;

	memset(peer, 0, sizeof(*peer));
	peer->transport = listener->transport;
	peer->address_bytes = sizeof(peer->address);
	fd = accept4(listener->fd, (struct sockaddr *)&peer->address,
		     &peer->address_bytes, SOCK_CLOEXEC);
	if (fd < 0)
		return -errno;
	fd = fdio_above_std(fd);
	if (fd < 0)
		return fd;
	if (listener->transport == RPC_UNIX)
		get_ids(fd, peer);
	else
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

void rpc_listen_close(struct rpc_listener *listener)
{
	struct identity_object now;
	int error;

	if (listener->path) {
		error = identity_of_path(AT_FDCWD, listener->path, &now);
		if (identity_compare(&listener->file, error, &now) ==
		    IDENTITY_SAME)
			unlink(listener->path);
	}
	listener->path = NULL;
	fdio_close(&listener->fd);
}
