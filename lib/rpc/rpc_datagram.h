/* rpc_datagram.h - the thread that serves all datagrams, one at a time.
 *
 * For rpc_server.c. A repeated call is answered from memory, unless its
 * procedure is RPC_IDEMPOTENT. */
#ifndef UNIXIPC_LIB_RPC_RPC_DATAGRAM_H
#define UNIXIPC_LIB_RPC_RPC_DATAGRAM_H

#include <pthread.h>

#include "lib/rpc/rpc_conn.h"
#include "lib/rpc/rpc_replies.h"

enum { RPC_DATAGRAM_MAX = 65507 }; /* bytes that fit into one */

struct rpc_datagram {
	struct rpc_conns *conns; /* options, counts, whether to stop */
	int fd;                  /* bound, blocking */
	struct rpc_replies *replies;
	struct rpc_buffer request, reply;
	struct rpc_scratch scratch;
	pthread_t thread;
};

/* Returns 0 or -ENOMEM. */
int rpc_datagram_init(struct rpc_datagram *datagram, struct rpc_conns *conns,
		      int fd);
void rpc_datagram_fini(struct rpc_datagram *datagram);

/* Returns 0 or -EAGAIN. */
int rpc_datagram_start(struct rpc_datagram *datagram);

/* After conns->is_stopping was set: wait for the thread. */
void rpc_datagram_stop(struct rpc_datagram *datagram);

#endif
