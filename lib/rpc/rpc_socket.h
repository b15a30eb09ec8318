/* rpc_socket.h - a connected socket, and waiting on it until a deadline.
 *
 * For rpc_stream.c and rpc_datagram.c. The descriptor blocks, so that a call
 * costs one system call to send and one to receive: how long recv(2) waits is
 * SO_RCVTIMEO, set again only when the deadlines ask for another span. One
 * thread at a time. */
#ifndef UNIXIPC_LIB_RPC_RPC_SOCKET_H
#define UNIXIPC_LIB_RPC_RPC_SOCKET_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/rpc/rpc_address.h"

#ifdef __cplusplus
extern "C" {
#endif

struct rpc_socket {
	int fd;             /* -1: not connected */
	int64_t receive_ns; /* SO_RCVTIMEO, as it is set; 0: for ever */
};

/* A stream to the address; TCP with TCP_NODELAY. Returns 0, -ECONNREFUSED,
 * -ENOENT, -ETIMEDOUT, -EINTR (a signal handler ran), … */
int rpc_socket_connect_stream(struct rpc_socket *to,
			      const struct rpc_address *address,
			      int64_t deadline);

/* A datagram socket that sends to, and hears from, that address only. Does
 * not wait. Returns 0 or -errno. */
int rpc_socket_connect_datagram(struct rpc_socket *to,
				const struct rpc_address *address);

/* One recv(2) of what is there until the deadline; one that has passed means
 * "try". Returns the count, 0 at the end of a stream, -ETIMEDOUT, -EINTR (a
 * signal handler ran) or another -errno. */
ssize_t rpc_socket_receive(struct rpc_socket *from, void *buf, size_t n,
			   int64_t deadline);

void rpc_socket_close(struct rpc_socket *open);

#ifdef __cplusplus
}
#endif

#endif
