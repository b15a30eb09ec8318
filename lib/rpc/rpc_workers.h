/* rpc_workers.h - a bounded number of threads, to which a loop leaves the calls
 * that may wait. For rpc_loop.c. */
#ifndef UNIXIPC_LIB_RPC_RPC_WORKERS_H
#define UNIXIPC_LIB_RPC_RPC_WORKERS_H

#include "lib/rpc/rpc_conn.h"

/* A call on its way. Its connection stays until it is back. */
struct rpc_job {
	struct rpc_job *next;
	struct rpc_conn *conn;
	struct rpc_call call; /* points into record */
	struct rpc_buffer record, reply;
	size_t record_bytes;
	ssize_t n; /* as rpc_conn_answer() says */
};

struct rpc_workers; /* opaque */

/* n threads, which give each job to done when it is answered. */
int rpc_workers_open(struct rpc_workers **out, unsigned int n,
		     void (*done)(struct rpc_job *job));
void rpc_workers_close(struct rpc_workers *workers); /* NULL is allowed */

/* A job of the call that conn has taken. NULL where there is no memory:
 * *error is -ENOBUFS or -ENOMEM. */
struct rpc_job *rpc_workers_job(struct rpc_conn *conn, int *error);
void rpc_workers_free(struct rpc_job *job);

/* Have it answered. Any thread. */
void rpc_workers_give(struct rpc_workers *workers, struct rpc_job *job);

#endif
