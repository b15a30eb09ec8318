/* rpc_connect.h - from a name to a connected socket, by a deadline.
 *
 * For rpc_exchange.c. */
#ifndef UNIXIPC_LIB_RPC_RPC_CONNECT_H
#define UNIXIPC_LIB_RPC_RPC_CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "lib/rpc/rpc_auth.h"

enum { RPC_CONNECT_ADDRESSES = 8 };

/* Where a server may be. */
struct rpc_connect_target {
	enum rpc_transport transport;
	size_t n;
	struct sockaddr_storage addresses[RPC_CONNECT_ADDRESSES];
	socklen_t bytes[RPC_CONNECT_ADDRESSES];
};

/* The addresses of host, of one family (AF_UNSPEC: of all). Asks the resolver,
 * which has timeouts of its own. Returns 0, or EAI_… as of getaddrinfo(3). */
int rpc_connect_resolve(struct rpc_connect_target *target,
			enum rpc_transport transport, const char *host,
			uint16_t port, int family);

/* A path instead. Returns 0, -EINVAL (empty) or -ENAMETOOLONG. */
int rpc_connect_path(struct rpc_connect_target *target, const char *path);

/* A stream to the first address that accepts; blocking, with TCP_NODELAY.
 * Returns the descriptor, or why the last address failed: -ECONNREFUSED,
 * -ENOENT, -ETIMEDOUT, -EINTR (a signal handler ran), … */
int rpc_connect_stream(const struct rpc_connect_target *target,
		       int64_t deadline);

/* A datagram socket that sends to, and hears from, that address only. Does
 * not wait. Returns the descriptor or -errno. */
int rpc_connect_datagram(const struct rpc_connect_target *target, size_t index);

#endif
