/* rpc_conn.h - the connections of a server, a thread for each.
 *
 * For rpc_server.c, whose thread is the only one that starts, evicts, reaps
 * and stops. */
#ifndef UNIXIPC_LIB_RPC_RPC_CONN_H
#define UNIXIPC_LIB_RPC_RPC_CONN_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/rpc/rpc_server.h"

struct rpc_conn; /* opaque */

/* All zero but for options and ended_fd before the first is started. */
struct rpc_conns {
	const struct rpc_server_options *options; /* no zeroes left in it */
	int ended_fd;         /* an eventfd: some connection has ended */
	pthread_mutex_t lock; /* of the lists, and of each fd's closing */
	struct rpc_conn *living, *ended;
	unsigned int n; /* in both lists */
	atomic_bool is_stopping;
	atomic_uint_least64_t calls, repeated, accepted, open, closed_by_us;
};

/* Serve fd, which it takes over also when it fails. Returns 0, -EAGAIN or
 * -ENOMEM. */
int rpc_conn_start(struct rpc_conns *conns, int fd,
		   const struct rpc_peer *peer);

/* End the one that has been without a call for longest; soon it can be
 * reaped. False when all are being served. */
bool rpc_conn_evict(struct rpc_conns *conns);

/* Release what has ended. Returns how many. */
unsigned int rpc_conn_reap(struct rpc_conns *conns);

/* Let calls in hand finish, and wait until all have ended; who does not take
 * its reply within grace_ns is cut off. */
void rpc_conn_stop(struct rpc_conns *conns, int64_t grace_ns);

/* Tell on_event, if anybody listens. */
void rpc_conn_tell(struct rpc_conns *conns, enum rpc_server_event event,
		   const struct rpc_peer *peer, int error);

#endif
