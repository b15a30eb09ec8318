/* The parent makes both ends, before there are sides: so that no port has to be
 * told, and that nobody else can come between. */
#include "suite/adapters/rpc_ends.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/fdio.h"
#include "lib/objname.h"
#include "p16-rpc-calc/calc.h"

enum { STRANGERS_MAX = 100 };

struct ends {
	enum rpc_transport transport;
	struct rpc_client *client;
	int server;
};

struct endpoint {
	struct sockaddr_storage address;
	socklen_t size;
	char path[OBJNAME_MAX]; /* RPC_UNIX */
};

/* A free port, or a name that is claimed until both ends are connected. */
static int choose_endpoint(enum rpc_transport transport,
			   struct endpoint *endpoint)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&endpoint->address;
	struct sockaddr_un *un = (struct sockaddr_un *)&endpoint->address;
	char name[OBJNAME_MAX - 4];
	int r;

	*endpoint = (struct endpoint){.size = sizeof(*in)};
	if (transport != RPC_UNIX) {
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return 0;
	}
	r = objname_make(name, sizeof(name), "rpc");
	if (r < 0)
		return r;
	endpoint->size = sizeof(*un);
	un->sun_family = AF_UNIX;
	snprintf(endpoint->path, sizeof(endpoint->path), "/tmp%s", name);
	if (strlen(endpoint->path) >= sizeof(un->sun_path))
		return -ENAMETOOLONG;
	memcpy(un->sun_path, endpoint->path, strlen(endpoint->path) + 1);
	objname_claim(OBJNAME_SOCKET, endpoint->path);
	return 0;
}

static void release_endpoint(const struct endpoint *endpoint, bool is_bound)
{
	if (!endpoint->path[0])
		return;
	if (is_bound)
		unlink(endpoint->path);
	objname_release(OBJNAME_SOCKET, endpoint->path);
}

static int open_socket(enum rpc_transport transport, struct endpoint *endpoint)
{
	struct sockaddr *address = (struct sockaddr *)&endpoint->address;
	int type = transport == RPC_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(address->sa_family, type | SOCK_CLOEXEC, 0);

	fd = fd < 0 ? -errno : fdio_above_std(fd);
	if (fd < 0)
		return fd;
	if (bind(fd, address, endpoint->size) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

/* Anybody may connect to a port: is it us? */
static bool is_own(const struct ends *ends, int fd)
{
	struct sockaddr_in own = {0}, peer = {0};
	socklen_t own_size = sizeof(own), peer_size = sizeof(peer);
	struct ucred cred;
	socklen_t cred_size = sizeof(cred);

	if (ends->transport == RPC_UNIX)
		return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred,
				  &cred_size) == 0 &&
		       cred.pid == getpid();
	return getsockname(rpc_client_fd(ends->client), (struct sockaddr *)&own,
			   &own_size) == 0 &&
	       getpeername(fd, (struct sockaddr *)&peer, &peer_size) == 0 &&
	       own.sin_port == peer.sin_port &&
	       own.sin_addr.s_addr == peer.sin_addr.s_addr;
}

static int accept_own(struct ends *ends, int listener)
{
	const int on = 1;

	for (int i = 0; i < STRANGERS_MAX; i++) {
		struct sockaddr_storage peer = {0};
		socklen_t size = sizeof(peer);
		int fd = accept4(listener, (struct sockaddr *)&peer, &size,
				 SOCK_CLOEXEC);

		if (fd < 0 && errno != EINTR && errno != ECONNABORTED)
			return -errno;
		if (fd < 0)
			continue;
		if (!is_own(ends, fd)) {
			close(fd);
			continue;
		}
		if (ends->transport == RPC_TCP)
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on,
				   sizeof(on));
		ends->server = fdio_above_std(fd);
		return ends->server < 0 ? ends->server : 0;
	}
	return -ECONNABORTED;
}

static int open_client(struct ends *ends, const struct endpoint *endpoint)
{
	const struct sockaddr_in *in =
		(const struct sockaddr_in *)&endpoint->address;
	const struct rpc_client_options options = {
		.transport = ends->transport,
		.host = "127.0.0.1",
		.port = ends->transport == RPC_UNIX ? 0 : ntohs(in->sin_port),
		.unix_path = endpoint->path,
		.program = CALC_PROG,
		.version = CALC_VERS_2,
		.timeout_ns = RPC_ENDS_PATIENCE_NS,
		.retry_ns = RPC_ENDS_PATIENCE_NS, /* loopback loses nothing */
	};
	struct rpc_fault fault;

	if (rpc_client_open(&ends->client, &options, &fault) == RPC_FAULT_NONE)
		return 0;
	return fault.error > 0 ? -fault.error : -ENOTCONN;
}

static int connect_ends(struct ends *ends)
{
	struct endpoint endpoint;
	int r = choose_endpoint(ends->transport, &endpoint),
	    fd = r < 0 ? r : open_socket(ends->transport, &endpoint);
	bool is_bound = fd >= 0;

	if (r == 0 && fd < 0)
		r = fd;
	if (r == 0 && getsockname(fd, (struct sockaddr *)&endpoint.address,
				  &endpoint.size) < 0)
		r = -errno;
	if (r == 0 && ends->transport != RPC_UDP && listen(fd, 1) < 0)
		r = -errno;
	if (r == 0)
		r = open_client(ends, &endpoint);
	if (r == 0 && ends->transport == RPC_UDP) {
		ends->server = fd;
		fd = -1;
	} else if (r == 0) {
		r = accept_own(ends, fd);
	}
	if (fd >= 0)
		fdio_close(&fd);
	release_endpoint(&endpoint, is_bound);
	return r;
}

int rpc_ends_open(enum rpc_transport transport, struct rpc_client **client,
		  int *server)
{
	struct ends ends = {.transport = transport, .server = -1};
	int r = connect_ends(&ends);

	if (r < 0) {
		rpc_client_close(ends.client);
		fdio_close(&ends.server);
		return r;
	}
	*client = ends.client;
	*server = ends.server;
	return 0;
}
