/* rpc_udp.h - the thread that serves all datagrams, one after the other.
 *
 * For rpc_server.c. A repeated call is answered from memory, unless its
 * procedure is RPC_IDEMPOTENT. */
#ifndef UNIXIPC_LIB_RPC_RPC_UDP_H
#define UNIXIPC_LIB_RPC_RPC_UDP_H

#include <pthread.h>
#include <sys/socket.h>

#include "lib/rpc/rpc_conn.h"
#include "lib/rpc/rpc_replies.h"

enum { RPC_UDP_MAX = 65507 }; /* bytes that fit into one */

struct rpc_udp {
	struct rpc_conns *conns; /* options, counts, whether to stop */
	int fd;                  /* bound, blocking */
	struct rpc_replies *replies;
	struct rpc_udp_envelope *envelopes; /* of those that came together */
	struct mmsghdr *in, *out;           /* for recvmmsg(2), sendmmsg(2) */
	unsigned int n_out;                 /* replies to be sent */
	struct rpc_scratch scratch;
	pthread_t thread;
};

/* Returns 0 or -ENOMEM. */
int rpc_udp_init(struct rpc_udp *datagram, struct rpc_conns *conns, int fd);
void rpc_udp_fini(struct rpc_udp *datagram);

/* Returns 0 or -EAGAIN. */
int rpc_udp_start(struct rpc_udp *datagram);

/* After conns->is_stopping was set: wait for the thread. */
void rpc_udp_stop(struct rpc_udp *datagram);

#endif
