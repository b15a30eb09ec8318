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

struct place {
	struct sockaddr_storage address;
	socklen_t size;
	char path[OBJNAME_MAX]; /* RPC_UNIX */
};

/* A free port, or a name that is claimed until both ends are connected. */
static int find_place(enum rpc_transport transport, struct place *place)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&place->address;
	struct sockaddr_un *un = (struct sockaddr_un *)&place->address;
	char name[OBJNAME_MAX - 4];
	int r;

	*place = (struct place){.size = sizeof(*in)};
	if (transport != RPC_UNIX) {
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		return 0;
	}
	r = objname_make(name, sizeof(name), "rpc");
	if (r < 0)
		return r;
	place->size = sizeof(*un);
	un->sun_family = AF_UNIX;
	snprintf(place->path, sizeof(place->path), "/tmp%s", name);
	if (strlen(place->path) >= sizeof(un->sun_path))
		return -ENAMETOOLONG;
	memcpy(un->sun_path, place->path, strlen(place->path) + 1);
	objname_claim(OBJNAME_SOCKET, place->path);
	return 0;
}

static void leave_place(const struct place *place, bool is_bound)
{
	if (!place->path[0])
		return;
	if (is_bound)
		unlink(place->path);
	objname_release(OBJNAME_SOCKET, place->path);
}

static int open_socket(enum rpc_transport transport, struct place *place)
{
	struct sockaddr *address = (struct sockaddr *)&place->address;
	int type = transport == RPC_UDP ? SOCK_DGRAM : SOCK_STREAM;
	int fd = socket(address->sa_family, type | SOCK_CLOEXEC, 0);

	fd = fd < 0 ? -errno : fdio_above_std(fd);
	if (fd < 0)
		return fd;
	if (bind(fd, address, place->size) < 0) {
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

static int open_client(struct ends *ends, const struct place *place)
{
	const struct sockaddr_in *in =
		(const struct sockaddr_in *)&place->address;
	const struct rpc_client_options options = {
		.transport = ends->transport,
		.host = "127.0.0.1",
		.port = ends->transport == RPC_UNIX ? 0 : ntohs(in->sin_port),
		.unix_path = place->path,
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
	struct place place;
	int r = find_place(ends->transport, &place),
	    fd = r < 0 ? r : open_socket(ends->transport, &place);
	bool is_bound = fd >= 0;

	if (r == 0 && fd < 0)
		r = fd;
	if (r == 0 &&
	    getsockname(fd, (struct sockaddr *)&place.address, &place.size) < 0)
		r = -errno;
	if (r == 0 && ends->transport != RPC_UDP && listen(fd, 1) < 0)
		r = -errno;
	if (r == 0)
		r = open_client(ends, &place);
	if (r == 0 && ends->transport == RPC_UDP) {
		ends->server = fd;
		fd = -1;
	} else if (r == 0) {
		r = accept_own(ends, fd);
	}
	if (fd >= 0)
		fdio_close(&fd);
	leave_place(&place, is_bound);
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
