/* rpc_address.h - from the name of a host to the addresses of its sockets, by
 * a deadline.
 *
 * getaddrinfo(3) keeps timeouts of its own, ten seconds and more where the
 * name server is silent. It is called from a thread that may outlive the wait:
 * that thread then ends by itself, owns what it works on, and blocks all
 * signals. Numbers need no thread. Any thread may call these functions. */
#ifndef UNIXIPC_LIB_RPC_RPC_ADDRESS_H
#define UNIXIPC_LIB_RPC_RPC_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { RPC_ADDRESS_MOST = 8 }; /* of one host that are tried */

struct rpc_address {
	struct sockaddr_storage storage;
	socklen_t bytes;
};

/* The addresses of host, of IPv4 and IPv6, in the order in which they should be
 * tried: a name, 127.0.0.1, ::1 or [::1]. Returns how many there are,
 * RPC_ADDRESS_MOST at most; 0 and *error, EAI_… as of getaddrinfo(3) (EAI_AGAIN
 * when the deadline has passed first); or -EINTR (a signal handler ran),
 * -ENOMEM, … */
int rpc_address_resolve(struct rpc_address *addresses, const char *host,
			int64_t deadline, int *error);

/* Of a Unix socket. Returns 0, -EINVAL (empty) or -ENAMETOOLONG. */
int rpc_address_of_path(struct rpc_address *address, const char *path);

/* Of IPv4 or IPv6. */
void rpc_address_set_port(struct rpc_address *address, uint16_t port);

bool rpc_address_is_loopback(const struct rpc_address *address);

#ifdef __cplusplus
}
#endif

#endif
