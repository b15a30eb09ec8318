/* rpc_udp.h - the thread that receives all datagrams and answers quick calls,
 * and workers for those that may wait.
 *
 * For rpc_server.c. A repeated call is answered from memory, unless its
 * procedure is RPC_IDEMPOTENT; while the first is under way it gets no answer.
 * So many calls as there are workers are served at the same time, and
 * RPC_UDP_WAITING more may wait for one, of which a peer has no more than are
 * free besides; what comes beyond is lost, as datagrams may be. */
#ifndef UNIXIPC_LIB_RPC_RPC_UDP_H
#define UNIXIPC_LIB_RPC_RPC_UDP_H

#include <pthread.h>
#include <sys/socket.h>

#include "lib/rpc/rpc_conn.h"
#include "lib/rpc/rpc_drc.h"
#include "lib/rpc/rpc_workers.h"

enum {
	RPC_UDP_MAX = 65507, /* bytes that fit into one */
	RPC_UDP_WAITING = 32,
	RPC_UDP_BATCH = 16, /* taken by one system call */
};

struct rpc_udp {
	struct rpc_conns *conns; /* options, counts, whether to stop */
	int fd;                  /* bound, blocking */
	struct rpc_drc *drc;
	struct rpc_workers *workers;
	/* Those that came together, and their replies that are to be sent. */
	struct rpc_udp_envelope *batch[RPC_UDP_BATCH];
	struct mmsghdr in[RPC_UDP_BATCH], out[RPC_UDP_BATCH];
	unsigned int n_out;
	struct rpc_scratch scratch;
	pthread_t thread;
	pthread_mutex_t lock; /* of the rest */
	struct rpc_udp_envelope *spare;
	unsigned int n_spare;
	struct rpc_share waiting; /* how many of each peer are not spare */
};

/* Returns 0 or -ENOMEM. */
int rpc_udp_init(struct rpc_udp *datagram, struct rpc_conns *conns, int fd);
void rpc_udp_fini(struct rpc_udp *datagram);

/* Returns 0, -EAGAIN or -ENOMEM. */
int rpc_udp_start(struct rpc_udp *datagram);

/* After conns->is_stopping was set: wait for calls that are being served, and
 * for the threads. */
void rpc_udp_stop(struct rpc_udp *datagram);

#endif
