/* rpc_datagram.h - calls in datagrams: a socket, and the
 * retransmission of each.
 *
 * The socket is connected to one address, so that only from there replies are
 * heard, and so that the kernel can tell us that nobody is there
 * (-ECONNREFUSED, from the answer to something sent before). A call without a
 * reply is retransmitted, the same bytes, and each wait is twice as long as the
 * one before. One thread at a time. */
#ifndef UNIXIPC_LIB_RPC_RPC_DATAGRAM_H
#define UNIXIPC_LIB_RPC_RPC_DATAGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/rpc/rpc_buffer.h"
#include "lib/rpc/rpc_socket.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { RPC_DATAGRAM_MAX = 65507 }; /* bytes that fit into one, over IPv4 */

struct rpc_datagram {
	struct rpc_socket socket;
	struct rpc_buffer in;
};

/* One call on its way. */
struct rpc_datagram_call {
	struct rpc_buffer message;
	size_t n;                        /* bytes of it */
	int64_t next_at;                 /* when it is retransmitted */
	int64_t wait_ns;                 /* and how long it is waited then */
	unsigned int transmissions_left; /* 0: next_at is TICK_NEVER */
	unsigned int sent;               /* how often, so far */
	unsigned int refused;            /* of those, nobody was there */
};

void rpc_datagram_init(struct rpc_datagram *datagram);

/* Returns 0, -ENOMEM or another -errno. */
int rpc_datagram_connect(struct rpc_datagram *datagram,
			 const struct rpc_address *address);

bool rpc_datagram_is_open(const struct rpc_datagram *datagram);

/* The message is in call->message: send it for the first time. Returns as
 * rpc_datagram_send(). */
int rpc_datagram_start(struct rpc_datagram *datagram,
		       struct rpc_datagram_call *call, int64_t retry_ns,
		       unsigned int retries);

/* Send it (again), when that is due or wanted, and set when it is next. Returns
 * 0, -EMSGSIZE (too large), -ECONNREFUSED (nobody is there, as far as is known
 * of what was sent before) or another -errno. */
int rpc_datagram_send(struct rpc_datagram *datagram,
		      struct rpc_datagram_call *call);

/* What comes until the deadline; one that has passed means "try". Returns the
 * length and *message, valid until the next call, or as rpc_socket_receive(). */
ssize_t rpc_datagram_receive(struct rpc_datagram *datagram, int64_t deadline,
			     uint8_t **message);

void rpc_datagram_close(struct rpc_datagram *datagram);
void rpc_datagram_fini(struct rpc_datagram *datagram);

#ifdef __cplusplus
}
#endif

#endif
